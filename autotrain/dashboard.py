"""`python -m autotrain.dashboard`: how the run is, in a second terminal. It only reads."""

import sys

from autotrain.monitor.dashboard import main

if __name__ == "__main__":
    sys.exit(main())
