"""Stage 03: run what every sample claims and keep what holds."""

import sys

from autotrain.gate.stage import in_round, on_files
from autotrain.run.stage import run_stage

FILES = {
    "--input": "validated samples",
    "--output": "file for the samples kept",
}

if __name__ == "__main__":
    sys.exit(run_stage("gate", str(__doc__), in_round, on_files, FILES))
