"""`python -m autotrain.control stop|pause|resume|status`: steer the running loop from another terminal."""

import argparse
import sys

from autotrain.config import add_flags, from_flags, resolve
from autotrain.errors import AutotrainError, SettingsError
from autotrain.run.control import Request, write_request
from autotrain.run.paths import OutPaths
from autotrain.run.state import load_state

REQUESTS: dict[str, Request] = {"stop": "stop", "pause": "pause", "resume": "run"}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m autotrain.control", description=__doc__, allow_abbrev=False
    )
    parser.add_argument("action", choices=[*REQUESTS, "status"])
    parser.add_argument("--run-id", help="the run (default: the newest)")
    add_flags(parser)
    try:
        source, options = from_flags(parser, sys.argv[1:])
        out = OutPaths(resolve(source).out_dir)
        known = out.run_ids()
        if not known or (options.run_id and options.run_id not in known):
            raise SettingsError(
                f"no run {options.run_id or ''} in {out.root}; set --out-dir or start one with loop.sh"
            )
        run = out.run(options.run_id or known[-1])
        state = load_state(run.state)
        if options.action == "status":
            stage = state.current_stage or "not started"
            print(f"{state.run_id}: {state.status}, round {state.current_round}, {stage}")
            return 0
        if options.action == "resume" and state.status in ("stopped", "failed", "refused"):
            raise SettingsError(
                f"{state.run_id} is {state.status}; ./scripts/loop.sh --resume goes on with it"
            )
        if state.status in ("completed", "stopped", "failed", "refused"):
            raise SettingsError(f"{state.run_id} is {state.status}; there is nothing to {options.action}")
        write_request(run.control, REQUESTS[options.action])
        print(f"{state.run_id}: asked to {options.action}; it obeys at its next safe point")
        return 0
    except AutotrainError as error:
        print(f"control: {error}", file=sys.stderr)
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
