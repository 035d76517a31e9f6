"""Stage 01: the teacher writes samples."""

import sys

from autotrain.generate.stage import in_round, on_files
from autotrain.run.stage import run_stage

FILES = {
    "--output": "file for the samples",
}

if __name__ == "__main__":
    sys.exit(run_stage("generate", str(__doc__), in_round, on_files, FILES))
