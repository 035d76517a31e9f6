"""Stage 02 on many samples: how long and how much memory in all, and what each filter costs; beside other libraries."""

import argparse
import gc
import json
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
from autotrain.validate.filters import check_schema, length_filter
from autotrain.validate.fingerprints import fingerprint, normalised_text, read
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
        "Parts and peers: processor time in one process.",
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
    scanner, benchmarks = Scanner(), Benchmarks(read_human_eval())
    readings = [read(one) for one in samples]
    prints = [fingerprint(reading) for reading in readings]
    index = DuplicateIndex()

    def remember(number: int) -> None:
        if index.find(prints[number]) is None:
            index.add(prints[number], samples[number].id)

    parts: dict[str, tuple[Callable[[Any], object], Sequence[Any]]] = {
        "read a line": (lambda line: parse_sample(parse_line(line, 1), 1), lines),  # type: ignore[arg-type]
        "length": (length_filter(20_000), samples),
        "schema": (check_schema, samples),
        "secrets": (scanner.scan_sample, samples),
        "take apart": (read, samples),
        "fingerprint": (fingerprint, readings),
        "contamination": (benchmarks.find, readings),
        "duplicates": (remember, range(len(prints))),
    }
    rows = []
    gc.disable()  # as in the processes of the stage
    for what, (work, items) in parts.items():
        started = time.process_time()
        for item in items:
            work(item)
        rows.append(_row("autotrain", what, len(items), max(time.process_time() - started, 1e-6)))
    gc.enable()
    return rows


def _peers(python: Path, folder: Path, samples: Sequence[Sample]) -> list[dict[str, Cell]]:
    given = folder / "texts.json"
    given.write_text(json.dumps([[text_of(one), normalised_text(one)] for one in samples]), encoding="utf-8")
    done = subprocess.run([str(python), str(PEERS), str(given)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AutotrainError(f"{python} {PEERS.name} ended with status {done.returncode}: {done.stderr[-300:]}")
    return [_row(who, what, len(samples), seconds) for who, what, seconds in json.loads(done.stdout)]
