"""`python -m autotrain.history [show ID | compare ID ID]`: what the runs in OUT_DIR came to. It only reads."""

import sys

from autotrain.monitor.history import main

if __name__ == "__main__":
    sys.exit(main())
