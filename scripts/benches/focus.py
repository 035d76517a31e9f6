"""Whether FOCUS helps: two runs that differ in nothing else, measured on the same tasks that neither ever saw."""

import argparse
import json
import math
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autotrain.config import PRESETS, Settings
from autotrain.errors import AutotrainError, SettingsError
from autotrain.evaluate.report import show_comparison
from autotrain.evaluate.statistics import Comparison, compare
from autotrain.generate.builtin import builtin_samples, only
from autotrain.generate.topics import read_topics
from autotrain.jsonl import read_objects, write_jsonl
from autotrain.sample import EXECUTED_TYPES
from benches.table import Cell, Measurement

SCRIPTS = Path(__file__).resolve().parents[1]
# Seed of the tasks that both arms are measured on: no run of this bench draws by it.
TEST_SEED = 987_654_321
COLUMNS = ("seed", "arm", "items", "passed", "pass rate", "minutes")


def add_command(commands: Any) -> None:
    """Add `focus` to bench.py's commands."""
    parser = commands.add_parser("focus", help="the cpu preset with FOCUS and without, same seeds, same test tasks")
    parser.add_argument("--seeds", type=int, default=1, help="pairs of runs (default: 1)")
    parser.add_argument("--seed", type=int, default=1, help="of the first pair; the next ones count on (default: 1)")
    parser.add_argument(
        "--rounds", type=int, default=2, help="of each run; the first has nothing to aim at (default: 2)"
    )
    parser.add_argument("--samples", type=int, default=PRESETS["cpu"]["samples_per_round"], help="a round")
    parser.add_argument("--train-steps", type=int, default=PRESETS["cpu"]["train_steps"], help="a round")
    parser.add_argument("--items", type=int, default=160, help="executed tasks to measure on (default: 160)")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """Every pair of runs, then their last adapters on the same tasks."""
    if min(options.seeds, options.seed, options.samples, options.train_steps, options.items) < 1 or options.rounds < 2:
        raise SettingsError("--seeds, --seed, --samples, --train-steps and --items are numbers from 1, --rounds from 2")
    rows: list[dict[str, Cell]] = []
    outcomes: dict[str, list[bool]] = {"1": [], "0": []}
    with TemporaryDirectory(prefix="autotrain-bench-") as name:
        folder = Path(name)
        _write_test(folder / "test.jsonl", options.items)
        for seed in range(options.seed, options.seed + options.seeds):
            for arm in outcomes:
                passed, seconds = _run_arm(
                    folder / f"seed-{seed}-focus-{arm}", folder / "test.jsonl", seed, arm, options
                )
                outcomes[arm] += passed
                rows.append(
                    {
                        "seed": seed, "arm": f"FOCUS={arm}", "items": len(passed), "passed": sum(passed),
                        "pass rate": f"{sum(passed) / len(passed):.1%}", "minutes": seconds / 60,
                    }
                )  # fmt: skip
    found = compare(outcomes["1"], outcomes["0"])
    middle, low, high = difference(found)
    notes = [
        f"FOCUS=1 against FOCUS=0, {options.seeds} pairs of {options.rounds} rounds of {options.samples} samples, the "
        f"last adapter of each, {options.items} builtin tasks of another seed: {100 * middle:+.1f} points "
        f"({100 * low:+.1f} to {100 * high:+.1f}, 95 %); {show_comparison(found.__dict__)}."
    ]
    return Measurement("What the model failed at, asked more of or not", COLUMNS, rows, rows, notes)


def difference(found: Comparison) -> tuple[float, float, float]:
    """Difference of two paired rates with its 95 % interval (Agresti and Min 2005: half an item more in each cell)."""
    count = found.wins + found.losses + found.ties + 2
    wins, losses = (found.wins + 0.5) / count, (found.losses + 0.5) / count
    half = 1.96 * math.sqrt((wins + losses - (wins - losses) ** 2) / count)
    middle = wins - losses
    return (found.wins - found.losses) / (count - 2), middle - half, middle + half


def _write_test(path: Path, count: int) -> None:
    """Executed tasks of the preset's concepts and types, drawn as a run draws them."""
    topics = read_topics(Settings(**PRESETS["cpu"]))
    samples = builtin_samples(4 * count, TEST_SEED, 1, only(topics.concepts, topics.shares))
    tasks = [sample for sample in samples if sample.metadata.task_type in EXECUTED_TYPES][:count]
    write_jsonl(path, (task.to_json() for task in tasks))


def _run_arm(out: Path, test: Path, seed: int, arm: str, options: argparse.Namespace) -> tuple[list[bool], float]:
    words = ["--preset", "cpu", "--out-dir", str(out), "--seed", str(seed), "--focus", arm]
    words += ["--rounds", str(options.rounds), "--samples", str(options.samples)]
    words += ["--train-steps", str(options.train_steps)]
    _run(["bash", str(SCRIPTS / "loop.sh"), *words])
    (root,) = (out / "runs").iterdir()
    state = json.loads((root / "state.json").read_text(encoding="utf-8"))
    adapter = root / f"out_lora_round_{options.rounds}" / "final"
    report = out / "test.json"
    _run(
        [sys.executable, str(SCRIPTS / "05_eval.py"), "--preset", "cpu", "--out-dir", str(out), "--data", str(test),
         "--adapter", str(adapter), "--output", str(report)]
    )  # fmt: skip
    name = json.loads(report.read_text(encoding="utf-8"))["models"]["new"]["name"]
    verdicts = {
        one["item"]: one["verdict"]["passed"]
        for one in read_objects(out / "test.answers.jsonl")
        if one["model"] == name
    }
    begun, ended = (datetime.fromisoformat(state[key]) for key in ("started_at", "updated_at"))
    return [bool(verdicts[item["id"]]) for item in read_objects(test)], (ended - begun).total_seconds()


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AutotrainError(f"{' '.join(command[:3])} ended with status {done.returncode}: {done.stderr[-600:]}")
