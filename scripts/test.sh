#!/usr/bin/env bash
# Every test. All parts run though one fails; Go comes last so that its closing
# lines end the output. Expects what `make deps-test build` leaves behind.
set -uo pipefail
cd "$(dirname "$0")/.."
log=.cache/go-test.log
mkdir -p .cache
failed=()
part() {
  local name=$1 began=$SECONDS; shift
  printf '\n== %s\n' "$name"
  "$@" || failed+=("$name")
  printf '(%s: %d s)\n' "$name" $((SECONDS - began))
}

# Built as `make build` builds, so that nothing is compiled once more for another flag.
plain() { CGO_ENABLED=0 GOFLAGS="${GOFLAGS:-} -trimpath" "$@"; }

# What is not ours and keeps its own data is not instrumented: SQLite and the hashing of
# passwords would take most of the time.
race=(-race '-gcflags=modernc.org/...=-race=false' '-gcflags=golang.org/x/crypto/...=-race=false')

go_tests() {
  # shellcheck disable=SC2086 # GO_TEST_FLAGS is a list of words
  plain go run ./internal/db/dbtest/cluster -- env CGO_ENABLED=1 GOFLAGS="${GOFLAGS:-}" \
    go test "${race[@]}" -shuffle=on -timeout "${GO_TEST_TIMEOUT:-25m}" ${GO_TEST_FLAGS:-} ./... 2>&1 | tee "$log"
}

# Whole and without the race detector, which only takes a sample of them.
proof() {
  plain go run ./internal/db/dbtest/cluster -- go test -timeout 25m -run 'TestTheMatrix|TestTheRandomWalk' ./internal/server
}

part "console: types" npm --prefix web run --silent typecheck
part "console: unit tests" npm --prefix web test --silent
part "console: in the browser" npm --prefix web run --silent e2e
part "the matrix and the walk, whole" proof
part "planted bugs, a few" plain scripts/planted.sh tenant suspended
part "Go, SQLite and PostgreSQL" go_tests

printf '\n== go test, package by package\n'
grep -E '^(ok|FAIL|panic:|--- FAIL)' "$log" || echo "go test did not start"
if [ ${#failed[@]} -gt 0 ]; then
  printf '\nFAILED:'
  printf ' %s;' "${failed[@]}"
  printf '\n'
  exit 1
fi
printf '\nAll tests passed.\n'
