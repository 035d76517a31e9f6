"""Measure one part, side by side with a peer where one is installed: bench.py generate --help."""

import argparse
import sys
from pathlib import Path

from benches import dashboard, evaluation, faults, focus, gate, gate_stage, generate, rounds, train, validate
from benches.table import show, write_json

from autotrain.errors import AutotrainError, StopRequested


def main() -> int:
    """Measure what the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    generate.add_command(commands)
    dashboard.add_command(commands)
    validate.add_command(commands)
    gate.add_command(commands)
    gate_stage.add_command(commands)
    train.add_command(commands)
    evaluation.add_command(commands)
    focus.add_command(commands)
    faults.add_command(commands)
    rounds.add_command(commands)
    for command in commands.choices.values():
        command.add_argument("--json", type=Path, metavar="FILE", help="also write every run, with date and machine")
    options = parser.parse_args()
    try:
        measurement = options.measure(options)
        show(measurement)
        if options.json is not None:
            write_json(measurement, options.json)
    except AutotrainError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return StopRequested.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main())
