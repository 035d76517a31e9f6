"""Stage 02: drop malformed, secret-bearing and repeated samples, each with its reason."""

import sys

from autotrain.run.stage import run_stage
from autotrain.validate.stage import in_round, on_files

FILES = {
    "--input": "samples: our format, Alpaca or chat messages",
    "--output": "file for the samples kept",
}

if __name__ == "__main__":
    sys.exit(run_stage("validate", str(__doc__), in_round, on_files, FILES))
