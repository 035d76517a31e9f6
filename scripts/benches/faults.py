"""Crash equivalence: runs ended by signals at many moments and gone on with, held against one left alone."""

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autotrain.errors import SettingsError
from benches.table import Cell, Measurement

TESTS = Path(__file__).resolve().parents[2] / "tests"
COLUMNS = ("stage", "moments", "hit", "runs with one", "of them equal")


def add_command(commands: Any) -> None:
    """Add `faults` to bench.py's commands."""
    parser = commands.add_parser("faults", help="runs killed at many moments and resumed, against one left alone")
    parser.add_argument("--moments", type=int, default=100, help="inside stages, drawn by --seed (default: 100)")
    parser.add_argument("--seed", type=int, default=1, help="of the moments (default: 1)")
    parser.add_argument("--jobs", type=int, default=2, help="runs at once (default: 2)")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave the runs here")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """The runs, half of which execute answers while the other half promotes adapters by their loss."""
    if min(options.moments, options.jobs) < 1:
        raise SettingsError("--moments and --jobs take numbers from 1")
    sys.path.insert(0, str(TESTS))
    from disturbed import boundaries, moments
    from tiny_model import build_model

    every = [*boundaries(), *moments(options.moments, options.seed)]
    started = time.monotonic()
    with TemporaryDirectory(prefix="autotrain-bench-") as name:
        folder = options.keep or Path(name)
        model = build_model(folder / "model")
        done = [
            one
            for execute in (False, True)
            for one in _all(folder / f"execute-{execute:d}", model, execute, every[execute::2], options.jobs)
        ]
    runs = [row for outcome in done for row in _rows(*outcome)]
    stages = list(dict.fromkeys(str(row["stage"]) for row in runs))
    notes = [f"{len(done)} runs, {sum(not found for _, found, _ in done)} equal; {time.monotonic() - started:.0f} s"]
    notes += [f"not equal: {line}" for _, found, line in done if found]
    return Measurement("Runs that were disturbed", COLUMNS, [_sum_up(stage, runs) for stage in stages], runs, notes)


def _all(
    folder: Path, model: Path, execute: bool, every: Sequence[Any], jobs: int
) -> list[tuple[Any, list[str], str]]:
    """Each series of moments with what came of it and in what it differs."""
    from disturbed import Disturbed, differences

    folder.mkdir(parents=True)
    world = Disturbed(folder, model, execute)
    plain = world.undisturbed()

    def one(number: int) -> tuple[Any, list[str], str]:
        outcome = world.run(f"disturbed-{number}", every[number])
        found = differences(plain, outcome)
        line = f"{folder.name}/disturbed-{number} ({'; '.join(map(str, outcome.hit))}): {'; '.join(found)}"
        print(f"{folder.name} {number + 1}/{len(every)}: {line if found else 'equal'}", file=sys.stderr, flush=True)
        return (every[number], outcome), found, line

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, range(len(every))))


def _rows(disturbed: Any, found: Sequence[str], _: str) -> list[dict[str, Cell]]:
    series, outcome = disturbed
    return [
        {
            "stage": moment.stage + (", at its end" if moment.part >= 1 else ""), "moment": str(moment),
            "hit": int(moment in outcome.hit), "equal": int(not found), "run": outcome.run.root.name,
        }
        for moment in series
    ]  # fmt: skip


def _sum_up(stage: str, runs: Sequence[dict[str, Cell]]) -> dict[str, Cell]:
    rows = [row for row in runs if row["stage"] == stage]
    hit = [row for row in rows if row["hit"]]
    equal = {row["run"]: bool(row["equal"]) for row in hit}
    return {
        "stage": stage, "moments": len(rows), "hit": len(hit), "runs with one": len(equal),
        "of them equal": sum(equal.values()),
    }  # fmt: skip
