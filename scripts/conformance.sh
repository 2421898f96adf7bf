#!/usr/bin/env bash
# schemathesis with all its checks over openapi.json, against the real binary
# with a person's own data behind every id. usage: conformance.sh [examples]
set -euo pipefail
cd "$(dirname "$0")/.."
examples=${1:-8}
venv=.cache/schemathesis
work=$(mktemp -d)
server=
cleanup() {
  [ -z "$server" ] || { kill "$server" && wait "$server" || true; } 2>/dev/null
  rm -rf "$work"
}
trap cleanup EXIT

if [ ! -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check schemathesis==4.32.5
fi

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
base=http://127.0.0.1:$port
key=conformance-key-0123456789 secret=conformance-secret-0123456789
env -i PATH="$PATH" ATRIUM_LISTEN=127.0.0.1:"$port" ATRIUM_DATA="$work/data" ATRIUM_ADMIN_PASSWORD=Conform-All-9 \
  ATRIUM_API_KEY=$key ATRIUM_APP_SECRET=$secret bin/atrium serve >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do curl -sf -o /dev/null "$base/readyz" && break; sleep 0.1; done

# A person with an agent, a document that is read, and an answer that cites it.
token() {
  curl -sf -X POST "$base/user-token" -H "ejento-auth-key: $secret" -H 'Content-Type: application/json' \
    -d '{"email": "person@example.com", "full_name": "Some Body"}' | python3 -c 'import json, sys; print(json.load(sys.stdin)["token"])'
}
bearer=$(token)
auth=(-H "Authorization: Bearer $bearer" -H "Ocp-Apim-Subscription-Key: $key")
field() { python3 -c 'import functools, json, sys
v = functools.reduce(lambda v, k: v[int(k) if k.isdigit() else k], sys.argv[1].split("."), json.load(sys.stdin)); print(v)' "$1"; }
post() { curl -sf -X POST "$base$1" "${auth[@]}" -H 'Content-Type: application/json' -d "$2"; }
get() { curl -sf "$base$1" "${auth[@]}"; }
agent=$(post /api/v2/agents '{"name": "Ducks"}' | field data.id)
corpus=$(get "/api/v2/agents/$agent/corpora" | field data.items.agent_corpus.0.corpus.id)
document=$(post "/indexing-service/api/v2/corpora/$corpus/documents" '{"content_type": "text", "source": "Ducks\n\nMallards eat pondweed and small snails."}' | field data.id)
for _ in $(seq 100); do [ "$(get "/api/v2/documents/$document" | field data.step)" = completed ] && break; sleep 0.1; done
answer=$(post "/response-service/api/v2/agents/$agent/responses" '{"user_query": "What do mallards eat?"}')
response=$(field data.agent_response_id <<<"$answer")
thread=$(field data.thread_id <<<"$answer")
cited=$(field data.references.0.url <<<"$answer")
cited=${cited##*/}

run() {
  (cd "$work" && "$OLDPWD/$venv/bin/schemathesis" --config-file "$work/config.toml" run "$base/openapi.json" --checks all -n "$examples" \
    "${auth[@]}" --warnings off "$@")
}
export SCHEMATHESIS_HOOKS=conformance_hooks PYTHONPATH=$PWD/scripts PYTHONDONTWRITEBYTECODE=1
: >"$work/config.toml"
failed=0
# Signing out would end the session that everything else is tested with.
run --exclude-operation-id signOut || failed=1

# Again for the operations on what cannot be created by one request.
cat >"$work/config.toml" <<TOML
[parameters]
"path.agent_response_id" = $response
"path.chat_thread_id" = $thread
"path.name" = "${cited%%#*}"
TOML
run --phases coverage,fuzzing --include-path-regex 'agent-responses/|citation/|chat-threads/\{chat_thread_id\}$' --exclude-method DELETE || failed=1
: >"$work/config.toml"
bearer=$(token)
auth=(-H "Authorization: Bearer $bearer" -H "Ocp-Apim-Subscription-Key: $key")
run --phases coverage,fuzzing --include-operation-id signOut || failed=1
if grep -E 'level=ERROR' "$work/log"; then
  echo "the server logged errors"
  failed=1
fi
exit $failed
