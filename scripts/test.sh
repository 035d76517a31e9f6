#!/usr/bin/env bash
# Lint, types and tests, all three whatever the first ones say.
# With arguments only pytest, with these, in one process: ./scripts/test.sh -k gate, ./scripts/test.sh -m 'not real_model'
set -euo pipefail
export AUTOTRAIN_NEEDS=dev
# The tests start many processes; each would compile every module anew.
unset PYTHONDONTWRITEBYTECODE
. "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
cd "$ROOT"

export HF_HUB_OFFLINE=1
status=0
if [ $# -eq 0 ]; then
    "$PYTHON" -m ruff check . || status=1
    "$PYTHON" -m mypy || status=1
    # Two files of tests at a time (three are slower), the long ones first (tests/conftest.py). On two cores, torch with
    # two threads in both would be slower than with one.
    export OMP_NUM_THREADS=1
    set -- -n 2 --dist loadfile --no-loadscope-reorder
fi
"$PYTHON" -m pytest "$@" || status=$?
exit "$status"
