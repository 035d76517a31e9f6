"""A stage's script run to its end as a user would, and watched from outside."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from autotrain.errors import AutotrainError


def watch(script: Path, words: Sequence[str], folder: Path, seconds: float) -> tuple[float, list[int], list[int]]:
    """Run `script` in `folder`, where it reads in.jsonl and writes out.jsonl, and look at it every so many `seconds`.

    Seconds it took, and bytes of memory from look to look, its own and with all that it started. Raises
    AutotrainError where it fails.
    """
    command = [sys.executable, str(script), *words, "--out-dir", str(folder / "out")]
    command += ["--input", str(folder / "in.jsonl"), "--output", str(folder / "out.jsonl")]
    own: list[int] = []
    everything: list[int] = []
    started = time.perf_counter()
    with (folder / "said").open("w+") as said, psutil.Popen(command, stdout=said, stderr=said, cwd=folder) as stage:
        while True:
            try:
                stage.wait(seconds)
                break
            except psutil.TimeoutExpired:
                own.append(_memory(stage))
                everything.append(own[-1] + sum(map(_memory, stage.children(recursive=True))))
        wall = time.perf_counter() - started
        if stage.returncode != 0:
            said.seek(0)
            raise AutotrainError(f"{script.name} ended with status {stage.returncode}: {said.read()[-300:]}")
    return wall, own, everything


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
