"""Stage 05: compare an adapter with its base by running their answers."""

import sys

from autotrain.evaluate.stage import in_round, on_files
from autotrain.run.stage import run_stage

FILES = {
    "--data": "held-out samples",
    "--adapter": "folder of the adapter",
    "--output": "file for the report (JSON); Markdown and answers go beside it",
}

if __name__ == "__main__":
    sys.exit(run_stage("evaluate", str(__doc__), in_round, on_files, FILES))
