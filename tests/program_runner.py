"""Programs of steps, each in a process of its own that is killed when its time is up. No sandbox.

The time is the processor's: a machine that stands still for a while ends nobody.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_SERVER = """
import json, os, signal, sys, tempfile
from autotrain.gate.runner import run_steps
for line in sys.stdin:
    steps, seconds = json.loads(line)
    reading, writing = os.pipe()
    folder = tempfile.TemporaryDirectory()
    if os.fork() == 0:
        os.chdir(folder.name)
        signal.setitimer(signal.ITIMER_PROF, seconds)
        signal.setitimer(signal.ITIMER_REAL, seconds + 30)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        run_steps(steps, lambda reply: os.write(writing, json.dumps(reply).encode() + b"\\n"))
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        replies = [json.loads(reply) for reply in pipe]
    status = os.wait()[1]
    folder.cleanup()
    how = "done" if status == 0 else "timeout" if os.WTERMSIG(status) in (signal.SIGPROF, signal.SIGALRM) else "crashed"
    print(json.dumps([how, replies]), flush=True)
"""


@dataclass(frozen=True)
class Ending:
    status: str
    replies: list[dict[str, Any]]
    seconds: float = 0.01


def run_programs(programs: Iterable[Sequence[dict[str, str]]], seconds: float = 1.0) -> list[Ending]:
    """Run them one after the other, each in an empty folder."""
    server = _started()
    assert server.stdin is not None
    assert server.stdout is not None
    endings = []
    for steps in programs:
        server.stdin.write(json.dumps([list(steps), seconds]) + "\n")
        server.stdin.flush()
        endings.append(Ending(*json.loads(server.stdout.readline())))
    return endings


@cache
def _started() -> subprocess.Popen[str]:
    """The server, which ends with us."""
    root = Path(__file__).parent.parent
    command = [sys.executable, "-c", _SERVER]
    return subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
