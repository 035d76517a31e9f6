"""Start, resume, pause and stop runs from one screen, or with flags from a script."""

import sys
from pathlib import Path

from autotrain.monitor.menu.command import main

if __name__ == "__main__":
    sys.exit(main(str(__doc__), Path(__file__).resolve().with_name("loop.sh")))
