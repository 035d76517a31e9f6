"""A program run to its end as a user would, and watched from outside."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from autotrain.errors import AutotrainError


def watch(script: Path, words: Sequence[str], folder: Path, seconds: float) -> tuple[float, list[int], list[int]]:
    """Run a stage's `script` in `folder`, where it reads in.jsonl and writes out.jsonl; see `watch_command`."""
    command = [sys.executable, str(script), *words, "--out-dir", str(folder / "out")]
    command += ["--input", str(folder / "in.jsonl"), "--output", str(folder / "out.jsonl")]
    wall, own, everything, _ = watch_command(command, folder, seconds)
    return wall, own, everything


def watch_command(
    command: Sequence[str], folder: Path, seconds: float, environment: Mapping[str, str] | None = None
) -> tuple[float, list[int], list[int], str]:
    """Run a command in `folder` and look at it every so many `seconds`.

    Seconds it took; bytes of memory from look to look, its own and with all that it started; and what it said. Raises
    AutotrainError where it fails.
    """
    own: list[int] = []
    everything: list[int] = []
    started = time.perf_counter()
    with (
        (folder / "said").open("w+") as said,
        psutil.Popen(command, stdout=said, stderr=said, cwd=folder, env=environment) as program,
    ):
        while True:
            try:
                program.wait(seconds)
                break
            except psutil.TimeoutExpired:
                own.append(_memory(program))
                everything.append(own[-1] + sum(map(_memory, program.children(recursive=True))))
        wall = time.perf_counter() - started
        said.seek(0)
        text = said.read()
        if program.returncode != 0:
            raise AutotrainError(f"{' '.join(command[:3])} ended with status {program.returncode}: {text[-600:]}")
    return wall, own, everything, text


def _memory(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
