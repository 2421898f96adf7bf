#!/usr/bin/env bash
# Puts one bug in after the other (internal/planted) and demands that the tests
# find it. Names as arguments: only these bugs.
set -uo pipefail
cd "$(dirname "$0")/.."
mkdir -p .cache
names=("$@")
if [ ${#names[@]} -eq 0 ]; then
  mapfile -t names < <(sed -n 's/.*Name = "\([a-z]*\)".*/\1/p' internal/planted/planted.go)
fi
tests=.cache/planted.test
go test -tags planted -c -o "$tests" ./internal/server || exit 1
missed=()
for bug in none "${names[@]}"; do
  log=.cache/planted-$bug.log
  (cd internal/server && PLANTED=$bug "../../$tests" -test.failfast -test.timeout 5m \
    -test.run 'TestTheMatrix/sqlite|TestWhatIsRevokedEndsAtOnce/sqlite|TestAReplacedTokenUsedAgainEndsTheSession/sqlite') >"$log" 2>&1
  found=$?
  if [ "$bug" = none ]; then
    [ $found -eq 0 ] || { echo "without a bug the tests fail; see $log"; exit 1; }
  elif [ $found -eq 0 ]; then
    missed+=("$bug")
    echo "$bug: NOT FOUND"
  else
    echo "$bug: found by $(grep -a -m1 -oE 'Test[A-Za-z]+' "$log")"
  fi
done
[ ${#missed[@]} -eq 0 ] || { echo "not found: ${missed[*]}"; exit 1; }
