#!/usr/bin/env bash
# Validate a file of your own and hold a tenth of it out:
#   .local/ml/scripts/prepare_data.sh RAW.jsonl [settings of stage 02, such as --drop-pii 0 or --val-ratio 0.2]
# RAW.jsonl (plain, gzip or zstd; Alpaca, chat messages, or our own fields) → .local/ml/data/clean.jsonl, train.jsonl, val.jsonl
set -euo pipefail
if [ $# -lt 1 ] || [ "${1#-}" != "$1" ]; then
    sed -n '2,4s/^# //p' "$0" >&2
    exit 2
fi
. "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
mkdir -p "$ML/data"
"$PYTHON" "$ROOT/scripts/02_validate.py" --input "$1" --output "$ML/data/clean.jsonl" "${@:2}"
"$PYTHON" -m autotrain.train.split "$ML/data/clean.jsonl" "$ML/data/train.jsonl" "$ML/data/val.jsonl" "${@:2}"
