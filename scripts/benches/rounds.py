"""A run of many rounds on the tiny model: whether memory, open files, disk and dashboard stay as they were."""

import argparse
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from autotrain.errors import AutotrainError, SettingsError
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import STAGES, State, load_state
from benches.table import Cell, Measurement

TESTS = Path(__file__).resolve().parents[2] / "tests"
PARTS = 5
COLUMNS = (
    "rounds", "seconds a round", *(f"{name} MiB" for name in STAGES), "open files", "disk, MiB", "MiB a round",
    "state.json, kB", "dashboard, s",
)  # fmt: skip


def add_command(commands: Any) -> None:
    """Add `rounds` to bench.py's commands."""
    parser = commands.add_parser("rounds", help="a run of many rounds: memory, open files, disk, dashboard")
    parser.add_argument("--rounds", type=int, default=50, help="of the run (default: 50)")
    parser.add_argument("--keep-rounds", type=int, default=3, help="KEEP_ROUNDS of the run (default: 3)")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """One run, looked at all the while; a row for each fifth of its rounds, with the highest figures of it."""
    if options.rounds < PARTS:
        raise SettingsError(f"--rounds takes a number from {PARTS}")
    sys.path.insert(0, str(TESTS))
    from disturbed import Disturbed, reply
    from teacher_server import TeacherServer
    from tiny_model import build_model

    with TemporaryDirectory(prefix="autotrain-bench-") as name:
        folder = Path(name)
        world = Disturbed(folder, build_model(folder / "model"))
        more = {
            "ROUNDS": str(options.rounds), "KEEP_ROUNDS": str(options.keep_rounds), "SAMPLES_PER_ROUND": "12",
            "TRAIN_STEPS": "6",
        }  # fmt: skip
        with TeacherServer(then=reply) as teacher:
            loop = world.start("out", teacher, **more)
            watch = _Watch(OutPaths(folder / "out"))
            while loop.poll() is None:
                watch.look(psutil.Process(loop.pid))
                time.sleep(0.2)
        if loop.returncode:
            raise AutotrainError(f"the run ended with {loop.returncode}: {(folder / 'out.log').read_text()[-2000:]}")
        watch.end_round(options.rounds)
        runs = watch.rounds
    size = options.rounds // PARTS
    rows = [_highest(runs[start : start + size]) for start in range(0, size * PARTS, size)]
    notes = [
        f"{options.rounds} rounds of 12 samples and 6 steps with a model of two layers, KEEP_ROUNDS="
        f"{options.keep_rounds}. Memory: the highest resident size of a stage's process and its children. Each row "
        "has the highest figure of its rounds, seconds the median, MiB a round the mean growth.",
    ]
    return Measurement("A run of many rounds", COLUMNS, rows, runs, notes)


class _Watch:
    """What was seen of a run, round by round."""

    def __init__(self, out: OutPaths) -> None:
        self._out = out
        self._round = 0
        self._began = time.monotonic()
        self._memory: defaultdict[str, float] = defaultdict(float)
        self._files = 0
        self.rounds: list[dict[str, Cell]] = []

    def look(self, loop: psutil.Process) -> None:
        """Note memory and open files now; at the end of a round also disk and dashboard."""
        run = self._run()
        if run is None:
            return
        state = load_state(run.state)
        if state.current_round > self._round:
            if self._round:
                self.end_round(self._round)
            self._round, self._began = state.current_round, time.monotonic()
        self._look_at_stage(state, loop)

    def _look_at_stage(self, state: State, loop: psutil.Process) -> None:
        record = state.stage(state.current_round, state.current_stage or "")
        if record is None or record.pid is None or state.current_stage is None:
            return
        try:
            stage = psutil.Process(record.pid)
            family = [stage, *stage.children(recursive=True)]
            memory = sum(member.memory_info().rss for member in family) / 2**20
            files = sum(member.num_fds() for member in [loop, *family])
        except psutil.Error:
            return
        self._memory[state.current_stage] = max(self._memory[state.current_stage], memory)
        self._files = max(self._files, files)

    def end_round(self, number: int) -> None:
        """Write down what was seen of a round."""
        run = self._run()
        assert run is not None
        seconds = time.monotonic() - self._began
        disk = sum(path.lstat().st_size for path in run.root.rglob("*") if not path.is_dir()) / 2**20
        before = float(self.rounds[-1]["disk, MiB"]) if self.rounds else 0.0
        self.rounds.append(
            {
                "rounds": str(number), "seconds a round": seconds,
                **{f"{name} MiB": self._memory[name] for name in STAGES},
                "open files": self._files, "disk, MiB": disk, "MiB a round": disk - before,
                "state.json, kB": run.state.stat().st_size / 1000, "dashboard, s": self._dashboard(),
            }
        )  # fmt: skip
        self._memory.clear()
        self._files = 0

    def _dashboard(self) -> float:
        started = time.monotonic()
        words = ["-m", "autotrain.dashboard", "--once", "--out-dir", str(self._out.root)]
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        return time.monotonic() - started

    def _run(self) -> RunPaths | None:
        runs = self._out.run_ids()
        run = self._out.run(runs[0]) if runs else None
        return run if run is not None and run.state.exists() else None


def _highest(rounds: Sequence[dict[str, Cell]]) -> dict[str, Cell]:
    def values(name: str) -> list[float]:
        return [float(one[name]) for one in rounds]

    row: dict[str, Cell] = {name: max(values(name)) for name in COLUMNS[2:]}
    row["rounds"] = f"{rounds[0]['rounds']}–{rounds[-1]['rounds']}"
    row["seconds a round"] = statistics.median(values("seconds a round"))
    row["MiB a round"] = statistics.mean(values("MiB a round"))
    return row
