#!/usr/bin/env bash
# Train a LoRA adapter on what prepare_data.sh made:
#   .local/ml/scripts/train_adapter.sh --smoke-cpu --train-steps 50      the embedded 135M model, no GPU, no download
#   .local/ml/scripts/train_adapter.sh --base-model OWNER/NAME           any setting of stage 04, or --data, --val, --output
# The adapter goes to a new folder in .local/ml/runs.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/environment.sh"
words=(--data "$ML/data/train.jsonl" --val "$ML/data/val.jsonl" --output "$ML/runs/$(date +%Y%m%d-%H%M%S)")
for word in "$@"; do
    [ "$word" != --smoke-cpu ] || word=--preset=smoke
    words+=("$word")
done
mkdir -p "$ML/runs"
exec "$PYTHON" "$ROOT/scripts/04_train_qlora.py" "${words[@]}"
