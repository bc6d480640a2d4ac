# Sourced by the checks: the project's folder, a temporary folder, servers to ask, and an orderly end.
set -euo pipefail

PROJECT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
BIN="$PROJECT/.venv/bin"
WORK="$(mktemp -d)"
STARTED=()
export HOPTAC_ACCESS_LOG=false PYTHONDONTWRITEBYTECODE=1
cd "$PROJECT"

at_end() { :; } # what else a check has to put away

finish() {
    local code=$? id
    at_end
    for id in "${STARTED[@]}"; do
        kill "$id" 2>/dev/null || true
        wait "$id" 2>/dev/null || true
    done
    rm -rf "$WORK"
    exit "$code"
}
trap finish EXIT

say() { printf '   %s\n' "$*"; }
fail() { printf '   FAILED: %s\n' "$*" >&2; exit 1; }

# start NAME PATTERN COMMAND…: runs it in the background until the end of the check, waits for a line of its output that
# matches, and leaves that line in LINE, the process in PID and the output in $WORK/NAME.log.
start() {
    local name="$1" pattern="$2" log="$WORK/$1.log"
    shift 2
    # A function would run in a shell of its own, and ending that would leave its command behind.
    [ "$(type -t "$1")" = file ] || fail "$1 is no program"
    : >"$log"
    "$@" >>"$log" 2>&1 &
    PID=$!
    STARTED+=("$PID")
    for _ in $(seq 300); do
        if LINE="$(grep -m1 -E "$pattern" "$log")"; then return; fi
        kill -0 "$PID" 2>/dev/null || break
        sleep 0.2
    done
    cat "$log" >&2
    fail "$name did not start: $*"
}

# serve NAME COMMAND…: starts `hoptac serve` on a free port; its address is left in BASE.
serve() {
    local name="$1"
    shift
    HOPTAC_PORT=0 start "$name" '^  API ' "$@"
    BASE="$(sed -E 's#^ *API *(http://[^/]+)/.*#\1#' <<<"$LINE")"
    curl -fsS -o /dev/null --retry 50 --retry-delay 0 --retry-max-time 20 --retry-connrefused "$BASE/readyz" 2>/dev/null ||
        { cat "$WORK/$name.log" >&2; fail "$name does not answer"; }
}

# serve_dataset NAME: the checkout's program on a new SQLite file (or $HOPTAC_DATABASE_URL) with the dataset loaded.
serve_dataset() {
    HOPTAC_DATABASE_URL="${HOPTAC_DATABASE_URL:-sqlite:///$WORK/$1.db}" serve "$1" "$BIN/hoptac" serve --migrate --seed
    [ "$(count projects)" -gt 0 ] || { cat "$WORK/$1.log" >&2; fail "the dataset was not loaded"; }
}

# count RESOURCE: how many records of it the server at BASE has.
count() {
    curl -fsS "$BASE/v1/$1?limit=1&total=true" | "$BIN/python" -c 'import json, sys; print(json.load(sys.stdin)["total"])'
}

# need PACKAGE COMMAND: Debian's package, unless the command is there already.
need() {
    if command -v "$2" >/dev/null; then return; fi
    [ "$(id -u)" -eq 0 ] || fail "$2 is missing: install Debian's package $1"
    say "installing $1"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$1" >"$WORK/apt.log" 2>&1 || { cat "$WORK/apt.log" >&2; fail "$1 could not be installed"; }
}

# node_modules: the npm packages of .ci/package-lock.json, in $WORK/npm.
node_modules() {
    need nodejs node
    need npm npm
    mkdir -p "$WORK/npm"
    cp "$PROJECT/.ci/package.json" "$PROJECT/.ci/package-lock.json" "$WORK/npm"
    (cd "$WORK/npm" && npm ci --no-audit --no-fund --ignore-scripts --loglevel=error >"$WORK/npm.log" 2>&1) ||
        { cat "$WORK/npm.log" >&2; fail "the npm packages could not be installed"; }
}
