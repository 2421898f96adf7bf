#!/usr/bin/env bash
# Runs the server, rebuilt whenever Go code changes, and the console's own dev server.
# It has its own data folder, so that nothing you keep is touched.
set -euo pipefail
cd "$(dirname "$0")/.."
export ATRIUM_DATA=${ATRIUM_DATA:-.cache/dev-data}
mkdir -p .cache/bin "$ATRIUM_DATA"
bin=.cache/bin/atrium-dev
server=
stop() { [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server"; } || true; server=; }
trap 'stop; kill $(jobs -p) 2>/dev/null || true' EXIT

npm --prefix web run dev &
while true; do
  touch .cache/dev-built
  if CGO_ENABLED=0 go build -o "$bin" ./cmd/atrium; then
    stop
    "$bin" serve &
    server=$!
  fi
  until [ -n "$(find cmd internal docs go.mod -newer .cache/dev-built \
      \( -name '*.go' -o -name '*.sql' -o -name '*.md' -o -name go.mod \) -print -quit)" ]; do
    sleep 1
  done
done
