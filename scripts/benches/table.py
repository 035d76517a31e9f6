"""A measurement as people and programs read it, and the machine it was made on."""

import json
import os
import platform
import shlex
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from pathlib import Path

Cell = str | int | float
# A pipe has no width of its own, and a table cut to 80 columns is of no use in a file.
WIDTH_OF_A_PIPE = 160


@dataclass(frozen=True)
class Measurement:
    """What was measured: `rows` are medians, of which the table shows `columns`; `runs` is every run behind them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Mapping[str, Cell]]
    runs: Sequence[Mapping[str, Cell]]
    notes: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)


def medians(runs: Sequence[Mapping[str, Cell]], by: Sequence[str]) -> list[dict[str, Cell]]:
    """One row for each combination of the columns `by`, in order of appearance; the other columns are medians."""
    groups: dict[tuple[Cell, ...], list[Mapping[str, Cell]]] = {}
    for run in runs:
        groups.setdefault(tuple(run[name] for name in by), []).append(run)
    rows = []
    for key, group in groups.items():
        rest = [name for name in group[0] if name not in by]
        middle: dict[str, Cell] = {name: statistics.median(run[name] for run in group) for name in rest}  # type: ignore[type-var]
        rows.append({**dict(zip(by, key, strict=True)), **middle, "runs": len(group)})
    return rows


def show(measurement: Measurement) -> None:
    """Print the table, what has to be known to read it, and the machine."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=measurement.title, title_justify="left")
    for name in measurement.columns:
        table.add_column(name, justify="left" if isinstance(measurement.rows[0][name], str) else "right")
    for row in measurement.rows:
        table.add_row(*(_shown(row[name]) for name in measurement.columns))
    console = Console(width=None if sys.stdout.isatty() else WIDTH_OF_A_PIPE)
    console.print(table)
    for note in [*measurement.notes, _machine_line(measurement.versions)]:
        console.print(note, highlight=False, soft_wrap=True)


def write_json(measurement: Measurement, path: Path) -> None:
    """Write the measurement with date, command and machine."""
    value = {
        **asdict(measurement),
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": shlex.join(["bench.py", *sys.argv[1:]]),
        "machine": machine(),
    }
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def machine() -> dict[str, Cell]:
    """What a figure depends on and a reader cannot see: processor, cores, Python, and how busy it all was."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "load_1_min": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _machine_line(versions: Mapping[str, str]) -> str:
    facts = machine()
    named = "".join(f", {name} {version}" for name, version in versions.items())
    return f"{facts['cores']} × {facts['processor']}, load {facts['load_1_min']}, Python {facts['python']}{named}"


def _shown(value: Cell) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
