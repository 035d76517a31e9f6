"""`python -m autotrain.control stop|pause|resume|status`: steer the running loop from another terminal."""

import argparse
import sys

from autotrain.errors import AutotrainError
from autotrain.run.control import REQUESTS, ask, find_run, status_text
from autotrain.run.paths import OutPaths
from autotrain.sources import add_flags, find_out_dir, from_flags


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m autotrain.control", description=__doc__, allow_abbrev=False)
    parser.add_argument("action", choices=[*REQUESTS, "status"])
    parser.add_argument("--run-id", help="the run (default: the one that runs, or else the newest)")
    add_flags(parser)
    try:
        source, options = from_flags(parser, sys.argv[1:])
        out = OutPaths(find_out_dir(source))
        run_id = find_run(out, options.run_id)
        print(status_text(out, run_id) if options.action == "status" else ask(out, run_id, options.action))
    except AutotrainError as error:
        print(f"control: {error}", file=sys.stderr)
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
