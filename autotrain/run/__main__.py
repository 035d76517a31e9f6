"""The steps of loop.sh that are not stages: `python -m autotrain.run start|round-start|…|finish`."""

import sys
from contextlib import suppress
from pathlib import Path

from autotrain.errors import AutotrainError, Refused
from autotrain.files import is_full, write_surely
from autotrain.run.control import write_request
from autotrain.run.disk import let_go_of_output, no_space, tell
from autotrain.run.paths import RunPaths
from autotrain.run.rounds import finish, round_end, round_start
from autotrain.run.start import main


def dispatch(words: list[str]) -> int:
    match words:
        case ["start", *rest]:
            return main(rest)
        case ["round-start", root, number]:
            return round_start(Path(root), int(number))
        case ["round-end", root, number]:
            return round_end(Path(root), int(number))
        case ["stop", root]:
            run = RunPaths(Path(root))
            write_surely(lambda: write_request(run.control, "stop"), run.reserve)
            return 0
        case ["finish", root, status]:
            return finish(Path(root), int(status))
    print(f"loop.sh calls this; {' '.join(words)!r} is not one of its steps", file=sys.stderr)
    return 2


def take_step(words: list[str]) -> int:
    """Dispatch, and tell in a sentence what went wrong; where the disk is full between two stages, the run ends."""
    try:
        return dispatch(words)
    except AutotrainError as error:
        tell(f"loop.sh: {error}")
        return error.exit_status
    except OSError as error:
        if not is_full(error):
            tell(f"loop.sh: {error}")
            return AutotrainError.exit_status
        run = RunPaths(Path(words[1]))
        refusal = no_space(error, run)
        tell(f"loop.sh: {refusal}")
        if words[0] in ("round-start", "round-end"):
            with suppress(OSError, AutotrainError):
                finish(run.root, Refused.exit_status, str(refusal))
        return Refused.exit_status


if __name__ == "__main__":
    status = take_step(sys.argv[1:])
    let_go_of_output()
    sys.exit(status)
