#!/usr/bin/env bash
# What must hold before a commit is pushed. All checks run; each says how to mend it.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
bad() { printf 'verify: %s\n' "$1" >&2; failed=1; }

sums() { find openapi.json web/src/api -type f -exec sha256sum {} + | sort -k2; }
before=$(sums)
if scripts/generate.sh; then
  [ "$before" = "$(sums)" ] || bad "generated files were stale; they are fresh now: commit them"
else
  bad "generating failed (see above)"
fi

unformatted=$(git ls-files -co --exclude-standard -- '*.go' | xargs gofmt -l)
[ -z "$unformatted" ] || bad "not formatted, run make fmt: $unformatted"
go vet ./... || bad "go vet found something (see above)"
go mod tidy -diff || bad "go.mod is not tidy: run go mod tidy"
go mod verify >/dev/null || bad "a downloaded module differs from go.sum"
! grep -q '"resolved": "http' web/package-lock.json ||
  bad "web/package-lock.json names a host; run npm with omit-lockfile-registry-resolved=true"

[ $failed -eq 0 ] && echo "verify: all good"
exit $failed
