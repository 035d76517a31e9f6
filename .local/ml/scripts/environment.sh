# shellcheck shell=bash
# Sourced by the scripts beside it: the project's environment, or the activated one, in $PYTHON; data and runs in $ML.

ML="$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)"
root="$(CDPATH='' cd -- "$ML/../.." && pwd)"

# Two packages are data alone and are installed without what they ask for, which no requirements file can say.
if [ -n "${VIRTUAL_ENV:-}" ] && [ ! -f "$VIRTUAL_ENV/.autotrain-stamp" ] && "$VIRTUAL_ENV/bin/python" -c 'import trl' 2>/dev/null; then
    # shellcheck disable=SC2046
    "$VIRTUAL_ENV/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        $(sed -n '/^without-dependencies = \[/,/^\]/s/^ *"\(.*\)",\{0,1\}$/\1/p' "$root/pyproject.toml")
fi
. "$root/scripts/setup.sh"
