# shellcheck shell=bash
# Sourced by loop.sh and test.sh: finds or makes the Python environment and leaves its interpreter in $PYTHON.
#
#   an activated environment (venv, or conda other than base)   is used as it is, nothing is installed into it
#   otherwise .venv beside the project                          is made once; a stamp in it says it is whole
#
#   AUTOTRAIN_PYTHON=/path/to/python3.12   makes .venv with this one instead of python3
#   AUTOTRAIN_VENV=/path                   keeps the environment there, whatever is activated
#   AUTOTRAIN_NEEDS=dev                    asks an activated environment for the test tools too
#
# .venv always has the test tools (60 MB of 2 GB): one environment, one lock, one wait for both commands.

ROOT="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"

say() { printf 'autotrain: %s\n' "$1" >&2; }
fail() { say "$*"; exit 1; }

# ------------------------------------------------------------------------------------------------------------
# What is there

# "3.11", or nothing where $1 is no working Python.
python_version() {
    local version
    version="$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" || return 0
    printf '%s' "$version"
}

is_supported() { case "$1" in 3.10 | 3.11 | 3.12 | 3.13) ;; *) return 1 ;; esac; }

# What the stamp of an up-to-date environment says: the Python version and a hash of what is to be installed.
fingerprint() {
    "$1" -I -S -c '
import hashlib, sys
digest = hashlib.sha256(b"".join(open(path, "rb").read() for path in sys.argv[1:]))
print("%d.%d" % sys.version_info[:2], digest.hexdigest())
' "$ROOT/pyproject.toml" "$ROOT/requirements.lock" 2>/dev/null || true
}

# One requirement a line from a list in pyproject.toml: dependencies, dev or without-dependencies.
requirements() {
    sed -n "/^$1 = \[/,/^\]/s/^ *\"\(.*\)\",\{0,1\}\$/\1/p" "$ROOT/pyproject.toml"
}

# Sets BASE_PYTHON and BASE_VERSION.
find_python() {
    local candidate version found=""
    local candidates=(python3 python3.13 python3.12 python3.11 python3.10)
    [ -z "${AUTOTRAIN_PYTHON:-}" ] || candidates=("$AUTOTRAIN_PYTHON")
    for candidate in "${candidates[@]}"; do
        version="$(python_version "$candidate")"
        if is_supported "$version"; then
            BASE_PYTHON="$(command -v "$candidate")" BASE_VERSION="$version"
            return
        fi
        [ -z "$version" ] || [ -n "$found" ] || found="; $candidate is Python $version"
    done
    fail "Python 3.10 to 3.13 is needed${found:-; none was found (${candidates[*]})}." \
        "Install one, or name it: AUTOTRAIN_PYTHON=/path/to/python3.12"
}

# ------------------------------------------------------------------------------------------------------------
# An environment of the user's own

use_activated() {
    local version groups="." lists=(dependencies without-dependencies) missing
    PYTHON="$1/bin/python"
    version="$(python_version "$PYTHON")"
    [ -n "$version" ] || fail "The activated environment $1 has no working bin/python:" \
        "deactivate it, or make it again."
    is_supported "$version" || fail "The activated environment $1 has Python $version;" \
        "3.10 to 3.13 is needed. Deactivate it and start again: an environment of the project's own is then made."
    if [ "${AUTOTRAIN_NEEDS:-}" = dev ]; then
        groups=".[dev]"
        lists+=(dev)
    fi
    missing="$("$PYTHON" -I "$ROOT/autotrain/run/doctor/packages.py" "$ROOT" "${lists[@]}")" ||
        fail "The activated environment $1 cannot be looked at."
    [ -z "$missing" ] || fail "The activated environment $1 lacks $missing. Install into it with:
  cd '$ROOT' &&
  '$PYTHON' -m pip install -c requirements.lock -e '$groups' &&
  '$PYTHON' -m pip install --no-deps $(requirements without-dependencies | tr '\n' ' ')
or deactivate it and start again: an environment of the project's own is then made."
}

# ------------------------------------------------------------------------------------------------------------
# The project's own environment

# The stamp's first word is "unfinished" from the first moment until the last package is in.
is_ready() {
    local stamp
    [ -x "$PYTHON" ] && [ -s "$STAMP" ] || return 1
    stamp="$(<"$STAMP")"
    [ "$stamp" = "$(fingerprint "$PYTHON")" ] || return 1
    [ -z "${AUTOTRAIN_PYTHON:-}" ] || [ "${stamp%% *}" = "$(python_version "$AUTOTRAIN_PYTHON")" ]
}

use_own() {
    VENV="$1" PYTHON="$1/bin/python" STAMP="$1/.autotrain-stamp" LOG="$1/setup.log"
    is_ready || make_environment
}

make_environment() {
    local start=$SECONDS
    find_python
    mkdir -p "$VENV" 2>/dev/null || fail "$VENV cannot be made: name another folder with AUTOTRAIN_VENV=/path."
    wait_for_turn
    if ! is_ready; then
        if is_whole; then
            say "updating the Python environment in $VENV"
            printf 'unfinished\n' >"$STAMP"
        else
            check_disk
            say "making the Python environment in $VENV (once, a few minutes; Python $BASE_VERSION)"
            make_venv
        fi
        install_packages
        fingerprint "$PYTHON" >"$STAMP"
        say "environment ready in $((SECONDS - start)) s"
    fi
    exec 9<&-
}

# Holds the folder's lock until this shell ends or closes it; a killed set-up leaves no lock behind.
wait_for_turn() {
    local lock='import fcntl, sys; fcntl.flock(9, fcntl.LOCK_EX | (fcntl.LOCK_NB if sys.argv[1:] else 0))'
    exec 9<"$VENV"
    "$BASE_PYTHON" -c "$lock" now 2>/dev/null && return
    say "another set-up is at work in $VENV: waiting for it"
    "$BASE_PYTHON" -c "$lock" || fail "$VENV cannot be locked: name a folder on a local disk with AUTOTRAIN_VENV=/path."
}

# A finished environment for an older lock can be brought up to date; anything else is made from scratch.
is_whole() {
    [ -f "$STAMP" ] && [ "$(cut -d' ' -f1 "$STAMP")" = "$BASE_VERSION" ] &&
        [ "$(python_version "$PYTHON")" = "$BASE_VERSION" ]
}

# torch's CUDA libraries are most of it; a CPU build in pip's find-links folders saves them.
check_disk() {
    local need=10 free what="with CUDA" folder
    for folder in ${PIP_FIND_LINKS:-}; do
        ! compgen -G "$folder/torch-*+cpu-*.whl" >/dev/null || need=3 what="with a CPU build of torch"
    done
    [ "$(uname -s)" != Darwin ] || need=3 what="on macOS"
    free="$(df -Pk "$VENV" | awk 'NR == 2 { print int($4 / 1048576) }')"
    [ "$free" -ge "$need" ] || fail "$VENV needs about $need GB of disk space ($what) and $free GB are free:" \
        "make room, or keep it elsewhere with AUTOTRAIN_VENV=/path."
}

# uv is many times faster, but does not know what registry pip was told to use.
is_uv_used() { command -v uv >/dev/null && [ -z "${PIP_INDEX_URL:-}${PIP_EXTRA_INDEX_URL:-}${PIP_NO_INDEX:-}" ]; }

make_venv() {
    if [ ! -f "$STAMP" ] && [ -n "$(ls -A "$VENV")" ]; then
        fail "$VENV was not made by this set-up and is left alone: activate it to use it, remove it," \
            "or name another folder with AUTOTRAIN_VENV=/path."
    fi
    printf 'unfinished\n' >"$STAMP"
    find "$VENV" -mindepth 1 ! -name .autotrain-stamp -delete
    if is_uv_used; then
        uv venv --quiet --seed --allow-existing --python "$BASE_PYTHON" "$VENV" >"$LOG" 2>&1 || explain_failure
    elif ! "$BASE_PYTHON" -m venv "$VENV" >"$LOG" 2>&1; then
        ! grep -qE 'ensurepip|No module named .?venv' "$LOG" || fail "Python's venv module is missing." \
            "On Debian or Ubuntu: sudo apt install python$BASE_VERSION-venv (or install uv), then start again."
        explain_failure
    fi
}

# The direct requirements only, with the lock as constraints: what a CPU build of torch does not need stays out.
install_packages() {
    # pip would compile 17,000 modules one after the other, and uv none.
    local folder site install=("$PYTHON" -m pip install --disable-pip-version-check --no-input --no-compile)
    if is_uv_used; then
        install=(uv pip install --python "$PYTHON")
        for folder in ${PIP_FIND_LINKS:-}; do install+=(--find-links "$folder"); done
    fi
    { requirements dependencies; requirements dev; } >"$VENV/requirements.txt"
    requirements without-dependencies >"$VENV/without-dependencies.txt"
    run_logged "${install[@]}" -c "$ROOT/requirements.lock" -r "$VENV/requirements.txt" || explain_failure
    run_logged "${install[@]}" --no-deps -r "$VENV/without-dependencies.txt" || explain_failure
    # So that a stage script typed by hand with this interpreter finds the package, from any folder.
    site="$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
    printf '%s\n' "$ROOT" >"$site/autotrain-checkout.pth"
    # Left to each stage it would be done anew by each where Python is told to keep nothing (PYTHONDONTWRITEBYTECODE, in
    # many containers): 24 s instead of 6 before the first step. Templates that are no Python make the status 1.
    run_logged "$PYTHON" -m compileall -q -j 0 "$site" || true
}

# Keeps all output in the log and shows the downloads worth waiting for.
run_logged() {
    local line size='\(([0-9]+)[.0-9]* ?([MG])i?B\)'
    "$@" 2>&1 | while IFS= read -r line; do
        printf '%s\n' "$line" >>"$LOG"
        case "$line" in
            *Downloading*)
                if [[ $line =~ $size ]] && { [ "${BASH_REMATCH[2]}" = G ] || [ "${BASH_REMATCH[1]}" -ge 20 ]; }; then
                    printf '  downloading %s\n' "${line##*Downloading }" >&2
                fi
                ;;
            "Installing collected"* | Prepared*) printf '  installing\n' >&2 ;;
        esac
    done
    return "${PIPESTATUS[0]}"
}

explain_failure() {
    local why="it could not be installed"
    local full='no space left|errno 28|os error 28|disk quota'
    local network='connection (refused|reset|broken)|timed out|name resolution|name or service not known|dns error'
    network="$network|proxyerror|sslerror|certificate|error sending request|failed to fetch"
    local lacking='no matching distribution|resolutionimpossible|no solution found|has no wheels'
    if grep -qiE "$full" "$LOG"; then
        why="the disk is full: make room, or keep the environment elsewhere with AUTOTRAIN_VENV=/path"
    elif grep -qiE "$network" "$LOG"; then
        why="the package registry cannot be reached: check the network, or name a mirror with PIP_INDEX_URL"
    elif grep -qiE "$lacking" "$LOG"; then
        why="the registry has no package that fits this machine and Python $BASE_VERSION: see the lines above"
    fi
    tail -n 8 "$LOG" | sed 's/^/  | /' >&2
    fail "No environment: $why. The whole log: $LOG"
}

# ------------------------------------------------------------------------------------------------------------

set_up() {
    local activated=""
    if [ -z "${AUTOTRAIN_VENV:-}" ]; then
        activated="${VIRTUAL_ENV:-}"
        # conda's base is active in every shell of many machines; nobody meant it for this project.
        [ -n "$activated" ] || [ "${CONDA_DEFAULT_ENV:-base}" = base ] || activated="${CONDA_PREFIX:-}"
    fi
    # One of the user's own may stand where ours would, too.
    if [ -n "$activated" ] && { [ ! "$activated" -ef "$ROOT/.venv" ] || [ ! -f "$ROOT/.venv/.autotrain-stamp" ]; }; then
        use_activated "$activated"
    else
        case "${AUTOTRAIN_VENV:-$ROOT/.venv}" in
            /*) use_own "${AUTOTRAIN_VENV:-$ROOT/.venv}" ;;
            *) use_own "$PWD/$AUTOTRAIN_VENV" ;;
        esac
    fi
    export PYTHON
    export PYTHONPATH="$ROOT${PYTHONPATH:+:$PYTHONPATH}"
    export PYTHONUNBUFFERED=1 HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false TQDM_DISABLE=1
    # torch's threads spin while they wait; beside any other busy process that costs a factor of ten.
    export OMP_WAIT_POLICY="${OMP_WAIT_POLICY:-PASSIVE}"
    # Libraries cache under HOME; a container often has none that can be written to.
    [ -w "${HOME:-}" ] || [ -n "${XDG_CACHE_HOME:-}" ] || export XDG_CACHE_HOME="$ROOT/.cache"
}

set_up
