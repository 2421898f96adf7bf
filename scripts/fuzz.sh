#!/usr/bin/env bash
# Runs each fuzz target for a while. usage: scripts/fuzz.sh [30s]
# What a target finds is kept by Go under the package's testdata/fuzz: commit it as a case.
set -uo pipefail
cd "$(dirname "$0")/.."
time=${1:-30s}
failed=()
while IFS=: read -r file line; do
  name=$(sed -E 's/^func (Fuzz[A-Za-z0-9_]*).*/\1/' <<<"$line")
  dir=./$(dirname "$file")
  printf '== %s %s\n' "$dir" "$name"
  go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "$dir" || failed+=("$dir $name")
done < <(git grep -E --untracked '^func Fuzz[A-Z][A-Za-z0-9_]*\(' -- '*_test.go')
if [ ${#failed[@]} -gt 0 ]; then
  printf 'found something: %s\n' "${failed[@]}"
  exit 1
fi
