#!/usr/bin/env bash
# Writes what is generated from the code: openapi.json, and the console's client from it.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
go run ./cmd/atrium openapi >.cache/openapi.json
# The golden file keeps its time stamp when nothing changed, so that make rebuilds nothing.
cmp -s .cache/openapi.json openapi.json || cp .cache/openapi.json openapi.json
npm --prefix web run --silent generate
