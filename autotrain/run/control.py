"""The control file: how a person, or a signal, asks a running loop to pause or stop."""

import json
from pathlib import Path
from typing import Literal

from autotrain.files import replace_text

Request = Literal["run", "pause", "stop"]


def write_request(path: Path, request: Request) -> None:
    """Ask the loop to run, pause or stop. It obeys at its next safe point."""
    replace_text(path, json.dumps({"request": request}) + "\n")


def read_request(path: Path) -> Request:
    """What was last asked for; `run` if nothing was, or if the file is not ours."""
    try:
        request = json.loads(path.read_text(encoding="utf-8"))["request"]
    except (OSError, ValueError, KeyError, TypeError):
        return "run"
    return request if request in ("pause", "stop") else "run"
