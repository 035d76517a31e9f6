"""Stage 04: train an adapter with QLoRA."""

import sys

from autotrain.run.stage import run_stage
from autotrain.train.stage import in_round, on_files

FILES = {
    "--data": "samples to train on",
    "--val": "held-out samples, for the validation loss alone",
    "--output": "folder for the adapter",
}

if __name__ == "__main__":
    sys.exit(run_stage("train", str(__doc__), in_round, on_files, FILES, together=True))
