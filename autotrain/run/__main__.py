"""The steps of loop.sh that are not stages: `python -m autotrain.run start|round-start|…|finish`."""

import sys
from pathlib import Path

from autotrain.errors import AutotrainError
from autotrain.run.control import write_request
from autotrain.run.paths import RunPaths
from autotrain.run.start import finish, main, round_end, round_start


def dispatch(words: list[str]) -> int:
    match words:
        case ["start", *rest]:
            return main(rest)
        case ["round-start", root, number]:
            return round_start(Path(root), int(number))
        case ["round-end", root, number]:
            return round_end(Path(root), int(number))
        case ["stop", root]:
            write_request(RunPaths(Path(root)).control, "stop")
            return 0
        case ["finish", root, status]:
            return finish(Path(root), int(status))
    print(f"loop.sh calls this; {' '.join(words)!r} is not one of its steps", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(dispatch(sys.argv[1:]))
    except AutotrainError as error:
        print(f"loop.sh: {error}", file=sys.stderr)
        sys.exit(error.exit_status)
    except OSError as error:
        print(f"loop.sh: {error}", file=sys.stderr)
        sys.exit(AutotrainError.exit_status)
