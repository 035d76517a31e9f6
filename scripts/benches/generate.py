"""Stage 01 against a server of fixed latency: how near it comes to the time that the server alone would take."""

import argparse
import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autotrain.errors import AutotrainError, SettingsError
from benches.latency_server import TASK_TYPE, Seen
from benches.table import Measurement, medians

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
STAGE = ROOT / "scripts" / "01_teacher_generate.py"
PEER = HERE / "distilabel_generate.py"
MODEL = "bench"
MAX_TOKENS = 4096
COLUMNS = ("who", "at once", "wall s", "start s", "served s", "end s", "÷ ideal", "÷ waves", "requests/s", "runs")
# A program that takes this many times the ideal, and a minute to start, is stuck and not slow.
PATIENCE = 20


def add_command(commands: Any) -> None:
    """Add `generate` to bench.py's commands."""
    parser = commands.add_parser("generate", help="stage 01 and distilabel against a server of fixed latency")
    parser.add_argument("--requests", type=int, default=400, help="requests of each run (default: 400)")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds of each reply (default: 0.5)")
    parser.add_argument(
        "--concurrency", type=int, nargs="+", default=[32, 64], metavar="N", help="requests at once (default: 32 64)"
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, the median is shown (default: 3)")
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help="interpreter that has distilabel, to compare")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """Run every combination, ours and the peer's in turn, so that a slow minute of the machine hits both."""
    numbers = [options.requests, options.repeat, *options.concurrency]
    if min(numbers) < 1 or options.latency <= 0:
        raise SettingsError("--requests, --concurrency and --repeat take numbers from 1, --latency more than 0 seconds")
    peer = None if options.peer_python is None else (options.peer_python, _peer_versions(options.peer_python))
    runs = []
    with TemporaryDirectory(prefix="autotrain-bench-") as folder:
        for number in range(options.repeat):
            for concurrency in options.concurrency:
                work = Path(folder, f"{number}-{concurrency}")
                work.mkdir()
                runs.append(_run_stage(options.requests, options.latency, concurrency, work))
                if peer is not None:
                    runs.append(_run_peer(peer[0], options.requests, options.latency, concurrency, work))
    return Measurement(
        title=f"{options.requests} requests to a server that answers in {options.latency:g} s, one sample each",
        columns=COLUMNS,
        rows=medians(runs, by=("who", "at once")),
        runs=runs,
        notes=_notes(has_peer=peer is not None),
        versions={"openai": version("openai"), **(peer[1] if peer else {})},
    )


def _notes(has_peer: bool) -> list[str]:
    notes = [
        "wall s: the whole process; start s: until its first request; served s: from the first request to the last "
        "reply, as the server saw it; end s: from then to its exit.",
        "÷ ideal: served s by latency × requests / at once; ÷ waves: by latency × that quotient rounded up, which is "
        "the least that a server of fixed latency can take.",
    ]
    if not has_peer:
        notes.append("distilabel was not measured: --peer-python PATH names an interpreter that has it.")
    return notes


# ----------------------------------------------------------------------------------------------------------------------
# The two programs that are measured


def _run_stage(requests: int, latency: float, concurrency: int, folder: Path) -> dict[str, Any]:
    output = folder / "samples.jsonl"
    with _latency_server(latency) as server:
        command = [sys.executable, STAGE, "--output", output, "--samples", requests, "--samples-per-request", 1]
        command += ["--task-types", TASK_TYPE, "--teacher", MODEL, "--teacher-max-tokens", MAX_TOKENS]
        command += ["--teacher-base-url", server.base_url, "--teacher-concurrency", concurrency]
        began, ended, _ = _run(command, folder, _patience(requests, latency, concurrency), _own_environment())
    with output.open(encoding="utf-8") as stream:
        answers = sum(1 for _ in stream)
    return _row("autotrain", requests, latency, concurrency, server.seen, began, ended, answers)


def _run_peer(python: Path, requests: int, latency: float, concurrency: int, folder: Path) -> dict[str, Any]:
    prompts = folder / "prompts.json"
    prompts.write_text(json.dumps(_prompts(requests)), encoding="utf-8")
    with _latency_server(latency) as server:
        command = [python, PEER, server.base_url, prompts, concurrency, folder / "distilabel"]
        began, ended, printed = _run(command, folder, _patience(requests, latency, concurrency), _peer_environment())
    answers = int(printed.split()[-1])
    return _row("distilabel", requests, latency, concurrency, server.seen, began, ended, answers)


def _prompts(count: int) -> list[dict[str, str]]:
    """The prompts that stage 01 sends, for the peer to send too."""
    from autotrain.generate.prompts import SYSTEM_PROMPT

    task = f"Write exactly 1 sample.\nTask type: {TASK_TYPE}\nConcept: {{}}\nDifficulty: easy\nReply with JSON only."
    return [{"system_prompt": SYSTEM_PROMPT, "instruction": task.format(number)} for number in range(count)]


def _row(
    who: str, requests: int, latency: float, concurrency: int, seen: Seen, began: float, ended: float, answers: int
) -> dict[str, Any]:
    if answers != requests:
        raise AutotrainError(f"{who} at {concurrency} at once brought {answers} answers of {requests}: not measured")
    served = seen.last_reply - seen.first_request
    ideal = latency * requests / concurrency
    waves = latency * math.ceil(requests / concurrency)
    return {
        "who": who,
        "at once": concurrency,
        "most at once": seen.most_at_once,
        "requests": seen.requests,
        "wall s": ended - began,
        "start s": seen.first_request - began,
        "served s": served,
        "end s": ended - seen.last_reply,
        "ideal s": ideal,
        "÷ ideal": served / ideal,
        "waves s": waves,
        "÷ waves": served / waves,
        "requests/s": seen.requests / served,
        "server CPU s": seen.cpu_seconds,
    }


# ----------------------------------------------------------------------------------------------------------------------
# Processes


@dataclass
class _Server:
    base_url: str
    seen: Seen = field(default_factory=Seen)


@contextmanager
def _latency_server(latency: float) -> Iterator[_Server]:
    """The server in a process of its own; what it saw is there when the block has ended."""
    command = [sys.executable, str(HERE / "latency_server.py"), str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        server = _Server(process.stdout.readline().strip())
        try:
            yield server
        finally:
            process.stdin.close()
            report = process.stdout.read()
        server.seen = Seen(**json.loads(report))


def _run(
    command: Sequence[object], folder: Path, patience: float, environment: Mapping[str, str]
) -> tuple[float, float, str]:
    """Run a program to its end: monotonic times of start and end, and what it printed. Raises AutotrainError if it
    fails or takes longer than `patience` seconds; its children are ended with it."""
    words = [str(word) for word in command]
    log = folder / "errors.txt"
    with log.open("w", encoding="utf-8") as errors:
        began = time.monotonic()
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True
        )
        try:
            printed, _ = process.communicate(timeout=patience)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise AutotrainError(f"{words[1]} was not done after {patience:.0f} s") from None
            raise
        ended = time.monotonic()
    if process.returncode != 0:
        last = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
        raise AutotrainError(f"{words[1]} ended with status {process.returncode}:\n{last}")
    return began, ended, printed


def _patience(requests: int, latency: float, concurrency: int) -> float:
    return 60 + PATIENCE * latency * math.ceil(requests / concurrency)


def _own_environment() -> dict[str, str]:
    """The environment without settings: what is measured must not depend on whose shell it is."""
    from autotrain.config import Settings

    settings = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name.upper() not in settings}
    return {**kept, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}


def _peer_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return {**kept, "HF_HUB_OFFLINE": "1", "NO_PROXY": "127.0.0.1"}


def _peer_versions(python: Path) -> dict[str, str]:
    """The versions of the peer and of what it sends with. Raises SettingsError if it is not there."""
    names = ["distilabel", "openai", "datasets"]
    code = f"import importlib.metadata as m, json; print(json.dumps({{n: m.version(n) for n in {names!r}}}))"
    try:
        result = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, check=True, env=_peer_environment()
        )
    except (OSError, subprocess.CalledProcessError):
        raise SettingsError(
            f"--peer-python {python}: no interpreter that has distilabel; docs/benchmarks.md says how to make one"
        ) from None
    found: dict[str, str] = json.loads(result.stdout)
    return {
        "distilabel": found.pop("distilabel"),
        **{f"distilabel's {name}": number for name, number in found.items()},
    }
