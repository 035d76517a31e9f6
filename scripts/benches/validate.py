"""Stage 02 on many samples: how long and how much memory in all, and what each filter costs; beside other libraries."""

import argparse
import gc
import json
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autotrain.errors import AutotrainError, SettingsError
from autotrain.generate.builtin import builtin_samples
from autotrain.jsonl import parse_line, to_line, write_jsonl
from autotrain.sample import Sample, parse_sample
from autotrain.validate.contamination import Benchmarks
from autotrain.validate.duplicates import DuplicateIndex
from autotrain.validate.examine import LINES_A_CHUNK
from autotrain.validate.filters import length_filter, schema_filter, secret_filter
from autotrain.validate.fingerprints import Fingerprint, fingerprints, normalised_text, read
from autotrain.validate.problems import read_human_eval
from autotrain.validate.secrets import Scanner, text_of
from benches.table import Cell, Measurement
from benches.watch import watch

HERE = Path(__file__).resolve().parent
STAGE = HERE.parent / "02_validate.py"
PEERS = HERE / "validate_peers.py"
SECONDS_BETWEEN_LOOKS = 0.2
COLUMNS = ("who", "what", "samples", "seconds", "samples/s", "peak MiB")


def add_command(commands: Any) -> None:
    """Add `validate` to bench.py's commands."""
    parser = commands.add_parser("validate", help="stage 02 on many samples, and its filters beside other libraries")
    parser.add_argument("--samples", type=int, default=100_000, help="for the whole stage (default: 100000)")
    parser.add_argument("--each", type=int, default=5_000, help="for each filter and peer (default: 5000)")
    parser.add_argument(
        "--peer-python", type=Path, metavar="PATH", help="interpreter that has detect-secrets and datasketch"
    )
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """The stage as a user starts it, then its parts one after the other in this process."""
    if options.samples < 100 or options.each < 100:
        raise SettingsError("--samples and --each take numbers from 100")
    with TemporaryDirectory(prefix="autotrain-bench-") as name:
        folder = Path(name)
        write_jsonl(folder / "in.jsonl", (one.to_json() for one in builtin_samples(options.samples, 42, 1)))
        rows = [_whole_stage(folder, options.samples)]
        report = json.loads((folder / "out.report.json").read_text(encoding="utf-8"))
        made = list(builtin_samples(options.each, 7, 1))
        rows += _parts(made)
        if options.peer_python is not None:
            rows += _peers(options.peer_python, folder, made)
    dropped = ", ".join(f"{reason} {count}" for reason, count in report["dropped"].items() if count)
    notes = [
        f"{report['kept']} of {report['read']} kept; dropped: {dropped or 'none'}.",
        "The whole stage: wall-clock time of the process and all it starts, memory of all of them together. "
        "Parts and peers: processor time and memory above the start, each in a process of its own.",
    ]
    if options.peer_python is None:
        notes.append("Peers were not measured: --peer-python PATH names an interpreter that has them.")
    return Measurement("Stage 02 on samples of the builtin teacher", COLUMNS, rows, rows, notes)


def _row(who: str, what: str, samples: int, seconds: float, peak: str = "") -> dict[str, Cell]:
    return {
        "who": who, "what": what, "samples": samples, "seconds": seconds, "samples/s": samples / seconds,
        "peak MiB": peak,
    }  # fmt: skip


def _whole_stage(folder: Path, samples: int) -> dict[str, Cell]:
    seconds, _, everything = watch(STAGE, [], folder, SECONDS_BETWEEN_LOOKS)
    peak = max(everything, default=0)
    return _row("autotrain", f"the whole stage, {os.cpu_count()} cores", samples, seconds, f"{peak / 2**20:.0f}")


def _parts(samples: Sequence[Sample]) -> list[dict[str, Cell]]:
    lines = [to_line(one.to_json()).encode() for one in samples]
    readings = list(map(read, samples))
    prints = fingerprints(readings)
    parts: dict[str, tuple[Callable[[], Callable[[Any], object]], Sequence[Any]]] = {
        "read a line": (lambda: _each(lambda line: parse_sample(parse_line(line, 1), 1)), lines),  # type: ignore[arg-type]
        "length": (lambda: length_filter(20_000), samples),
        "schema": (lambda: schema_filter, samples),
        "secrets": (lambda: secret_filter(Scanner()), samples),
        "take apart": (lambda: _each(read), samples),
        "fingerprint": (lambda: fingerprints, readings),
        "contamination": (lambda: Benchmarks(read_human_eval()).find, readings),
        "duplicates": (_remember, prints),
    }
    return [_row("autotrain", what, len(items), *_alone(make, items)) for what, (make, items) in parts.items()]


def _each(work: Callable[[Any], object]) -> Callable[[Any], object]:
    return lambda items: [work(item) for item in items]


def _remember() -> Callable[[Any], object]:
    index = DuplicateIndex()

    def remember(prints: Sequence[Fingerprint]) -> None:
        for one in prints:
            if index.find(one) is None:
                index.add(one, "some")

    return remember


def _alone(make: Callable[[], Callable[[Any], object]], items: Sequence[Any]) -> tuple[float, str]:
    """Seconds of processor time and peak memory, in MiB above the start, of the work in a process of its own."""
    receiver, sender = multiprocessing.Pipe(duplex=False)

    def measure() -> None:
        gc.disable()  # as in the processes of the stage, but for some cycles
        before = _memory("VmRSS")
        work = make()
        started = time.process_time()
        for start in range(0, len(items), LINES_A_CHUNK):
            work(items[start : start + LINES_A_CHUNK])
        sender.send((max(time.process_time() - started, 1e-6), _memory("VmHWM") - before))

    child = multiprocessing.get_context("fork").Process(target=measure)
    child.start()
    seconds, kibibytes = receiver.recv()
    child.join()
    return seconds, f"{kibibytes / 1024:.0f}"


def _memory(field: str) -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(field))


def _peers(python: Path, folder: Path, samples: Sequence[Sample]) -> list[dict[str, Cell]]:
    given = folder / "texts.json"
    given.write_text(json.dumps([[text_of(one), normalised_text(one)] for one in samples]), encoding="utf-8")
    done = subprocess.run([str(python), str(PEERS), str(given)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AutotrainError(f"{python} {PEERS.name} ended with status {done.returncode}: {done.stderr[-300:]}")
    return [_row(who, what, len(samples), taken, f"{peak:.0f}") for who, what, taken, peak in json.loads(done.stdout)]
