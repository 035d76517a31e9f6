"""The dashboard on a long run: opening, a refresh, memory, beside reading the whole file at each refresh."""

import argparse
import fcntl
import json
import os
import select
import signal
import statistics
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from autotrain.errors import AutotrainError, SettingsError
from benches.long_run import PER_SECOND, RUN_ID
from benches.table import Cell, Measurement

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
COLUMNS = ("what", "unit", "dashboard", "worst", "whole file", "its worst", "asked for")
FEW_EVENTS = 1000
# A look at the whole file takes seconds: three say enough.
PEER_LOOKS = 3
LIVE_SIZE = (120, 40)
# Until it is certain that nothing more comes.
PATIENCE = 120.0


def add_command(commands: Any) -> None:
    """Add `dashboard` to bench.py's commands."""
    parser = commands.add_parser("dashboard", help="the dashboard on a run of a million events, and the naive way")
    parser.add_argument("--events", type=int, default=1_000_000, help="events of the run (default: 1000000)")
    parser.add_argument("--repeat", type=int, default=3, help="openings of each kind (default: 3)")
    parser.add_argument("--looks", type=int, default=15, help="refreshes, one a second (default: 15)")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """Make the run and a short one, let both go on, and measure ours and the peer's in turn."""
    if min(options.events, options.repeat, options.looks) < 1:
        raise SettingsError("--events, --repeat and --looks take numbers from 1")
    figures = _Figures()
    with TemporaryDirectory(prefix="autotrain-bench-") as folder:
        for events in dict.fromkeys([FEW_EVENTS, options.events]):
            out = Path(folder, str(events))
            with _long_run(out, events):
                _measure_run(figures, out, events, options)
            size = _events_file(out).stat().st_size / 1e6
    return Measurement(
        title=f"a run of {options.events:,} events ({size:,.0f} MB), {PER_SECOND} more every second",
        columns=COLUMNS,
        rows=figures.rows(),
        runs=figures.runs,
        notes=[
            "dashboard, whole file: medians. A refresh is a look at the files and the frame of a view, 20 events "
            "after the last one; state.json is another one each time. The whole file: every line through json, "
            "counted, nothing kept but 20 events, nothing drawn.",
            "live: in a pseudo terminal of 120x40, --refresh 1; its refresh is the CPU time of the whole process "
            "between two frames, with Textual's part.",
        ],
        versions={name: version(name) for name in ("rich", "textual")},
    )


def _measure_run(figures: "_Figures", out: Path, events: int, options: argparse.Namespace) -> None:
    whose = f", {events:,} events"
    for _ in range(options.repeat):
        figures.add("ours", f"first look{whose}", "s", [_look("dashboard", out, 0)["first"]], "1")
        figures.add("ours", f"--once, whole process{whose}", "s", [_once(out)], "1")
    looked = _look("dashboard", out, options.looks)
    later = looked["later"]
    figures.add("ours", f"refresh: look{whose}", "ms", [1000 * one for one in later], "20")
    for name, frames in looked["frames"].items():
        both = [1000 * (one + other) for one, other in zip(later, frames, strict=True)]
        figures.add("ours", f"refresh: {name}{whose}", "ms", both, "20")
    live = [_live(out, 0 if number else options.looks) for number in range(options.repeat)]
    figures.add("ours", f"live: first frame{whose}", "s", [one.painted for one in live], "1")
    figures.add("ours", f"live: obeys a key{whose}", "s", [one.obeyed for one in live], "")
    figures.add("ours", f"live: CPU of a refresh{whose}", "ms", [live[0].cpu_ms], "20")
    figures.add("ours", f"peak memory, no screen{whose}", "MiB", [looked["peak_mb"]], "bounded")
    figures.add("ours", f"peak memory, live{whose}", "MiB", [live[0].peak_mb], "bounded")
    peer = _look("whole", out, PEER_LOOKS)
    figures.add("peer", f"first look{whose}", "s", [peer["first"]], "1")
    figures.add("peer", f"refresh: look{whose}", "ms", [1000 * one for one in peer["later"]], "20")
    figures.add("peer", f"peak memory, no screen{whose}", "MiB", [peer["peak_mb"]], "bounded")


class _Figures:
    """Every value, and the rows they come to."""

    def __init__(self) -> None:
        self.runs: list[dict[str, Cell]] = []

    def add(self, who: str, what: str, unit: str, values: Sequence[float], asked: str) -> None:
        self.runs += [{"who": who, "what": what, "unit": unit, "value": one, "asked for": asked} for one in values]

    def rows(self) -> list[dict[str, Cell]]:
        rows = []
        for what in dict.fromkeys(run["what"] for run in self.runs):
            found = [run for run in self.runs if run["what"] == what]
            row: dict[str, Cell] = {name: found[0][name] for name in ("what", "unit", "asked for")}
            for who, median, worst in (("ours", "dashboard", "worst"), ("peer", "whole file", "its worst")):
                values = [float(run["value"]) for run in found if run["who"] == who]
                row[median] = round(statistics.median(values), 3) if values else "-"
                row[worst] = round(max(values), 3) if len(values) > 1 else "-"
            rows.append(row)
        return rows


# ----------------------------------------------------------------------------------------------------------------------
# Processes


def _environment() -> dict[str, str]:
    """What is measured must not depend on whose shell it is."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8"}


def _events_file(out: Path) -> Path:
    return out / "runs" / RUN_ID / "events.jsonl"


@contextmanager
def _long_run(out: Path, events: int) -> Iterator[None]:
    """A run of so many events whose loop goes on within the block."""
    out.mkdir()
    command = [sys.executable, str(HERE / "long_run.py"), str(out), str(events)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=out, env=_environment()
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline().strip() != "ready":
            raise AutotrainError("the run to look at could not be made")
        try:
            yield
        finally:
            process.stdin.close()


def _look(who: str, out: Path, looks: int) -> dict[str, Any]:
    command = [sys.executable, HERE / "looker.py", who, out, RUN_ID, looks, 1]
    result = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, cwd=out, env=_environment()
    )
    if result.returncode != 0:
        raise AutotrainError(f"looker.py {who} ended with status {result.returncode}:\n{result.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def _once(out: Path) -> float:
    command = [sys.executable, "-m", "autotrain.dashboard", "--out-dir", str(out), "--once"]
    began = time.monotonic()
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=out, env=_environment())
    if result.returncode != 0 or RUN_ID not in result.stdout:
        raise AutotrainError(f"--once ended with status {result.returncode}:\n{result.stderr[-2000:]}")
    return time.monotonic() - began


# ----------------------------------------------------------------------------------------------------------------------
# The live screen


@dataclass(frozen=True)
class _Live:
    """Seconds until the first frame and until a key was obeyed; CPU of a refresh in ms; peak memory in MiB."""

    painted: float
    obeyed: float
    cpu_ms: float
    peak_mb: float


def _live(out: Path, looks: int) -> _Live:
    command = [sys.executable, "-m", "autotrain.dashboard", "--out-dir", str(out), "--refresh", "1"]
    master, terminal = os.openpty()
    width, height = LIVE_SIZE
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    began = time.monotonic()
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, cwd=out, env=_environment(), start_new_session=True
    )
    os.close(terminal)
    try:
        painted = _wait_for(master, b"Overview") - began
        os.write(master, b"?")
        obeyed = _wait_for(master, b"The dashboard only reads") - began
        os.write(master, b"1")
        _drain(master, 2)
        meter = psutil.Process(process.pid)
        before = sum(meter.cpu_times()[:2])
        _drain(master, looks)
        cpu = sum(meter.cpu_times()[:2]) - before
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
        os.write(master, b"q")
        _drain(master, 2)
        return _Live(painted, obeyed, 1000 * cpu / looks if looks else 0.0, peak / 1024)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.wait()
        os.close(master)


def _wait_for(master: int, wanted: bytes) -> float:
    """The moment when the program had written `wanted`."""
    seen, deadline = b"", time.monotonic() + PATIENCE
    while wanted not in seen:
        if time.monotonic() > deadline or not select.select([master], [], [], PATIENCE)[0]:
            raise AutotrainError(f"the live screen never showed {wanted.decode()}")
        try:
            seen += os.read(master, 65536)
        except OSError:
            raise AutotrainError(f"the live screen ended:\n{seen.decode(errors='replace')[-2000:]}") from None
    return time.monotonic()


def _drain(master: int, seconds: float) -> None:
    """Read what is written for so long, or until the program has ended."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            try:
                os.read(master, 65536)
            except OSError:
                return
