#!/usr/bin/env bash
# Lint, types and tests. With arguments only pytest, with these: ./scripts/test.sh -k gate, -m 'not real_model'
set -euo pipefail
export AUTOTRAIN_NEEDS=dev
. "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
cd "$ROOT"

export HF_HUB_OFFLINE=1
if [ $# -eq 0 ]; then
    "$PYTHON" -m ruff check .
    "$PYTHON" -m mypy
fi
exec "$PYTHON" -m pytest "$@"
