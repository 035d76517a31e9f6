"""Figures as words, and what several views show."""

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from autotrain.monitor.charts import bar
from autotrain.monitor.snapshot import Snapshot, seconds_taken
from autotrain.monitor.views.layout import grid

ABSENT = "—"
ROUNDS_SHOWN = 20


def duration(seconds: float | None) -> str:
    """`0:42`, `12:05`, `3:20:00`, `2d 4:00:00`; a dash where it is not known."""
    if seconds is None:
        return ABSENT
    whole = max(0, round(seconds))
    days, rest = divmod(whole, 86400)
    hours, minutes = divmod(rest // 60, 60)
    clock = f"{hours}:{minutes:02}:{rest % 60:02}" if hours or days else f"{minutes}:{rest % 60:02}"
    return f"{days}d {clock}" if days else clock


def about(seconds: float | None) -> str:
    return ABSENT if seconds is None else f"~{duration(seconds)}"


def count(value: int | float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def number(value: int | float | None) -> str:
    return ABSENT if value is None else f"{value:.4g}"


def setting(value: Any) -> str:
    """A setting as a person would write it."""
    if value is None or value == "":
        return "none"
    return str(int(value)) if isinstance(value, bool) else str(value)


def by_kind(counts: Mapping[str, int | float]) -> str:
    """`timeout 3, server error 1`."""
    return ", ".join(f"{name.replace('_', ' ')} {many:,}" for name, many in counts.items() if many) or "none reported"


def tokens(usage: Mapping[str, int | float]) -> str:
    return f"{count(usage.get('input_tokens'))} in + {count(usage.get('output_tokens'))} out tokens"


def all_tokens(usage: Mapping[str, int | float]) -> int | float | None:
    found = [usage[name] for name in ("input_tokens", "output_tokens") if name in usage]
    return sum(found) if found else None


def cost(usage: Mapping[str, int | float], most: Any) -> Text:
    """What was paid, against MAX_COST_USD."""
    spent = usage.get("estimated_cost_usd")
    return _spent(spent, most, ABSENT if spent is None else f"${spent:.4f}", "${:g}")


def token_budget(usage: Mapping[str, int | float], most: Any) -> Text:
    """The tokens used, against MAX_TOKENS."""
    spent = all_tokens(usage)
    return _spent(spent, most, f"{count(spent)} tokens", "{:,}")


def _spent(spent: int | float | None, most: Any, spent_words: str, form: str) -> Text:
    text = Text.assemble(spent_words)
    if not isinstance(most, int | float) or most <= 0:
        return text.append("  no bound set", "dim")
    text.append(f" of {form.format(most)}")
    if spent is not None:
        share = spent / most
        text.append(f"  {bar(share, 12)} {share:.0%}", "red" if share >= 0.9 else "green")
    return text


def rounds_table(snapshot: Snapshot, stage: str, *columns: tuple[str, str]) -> list[Text]:
    """What a stage counted in each round, newest first; a column is a counter and its title."""
    state = snapshot.state
    assert state is not None
    rows = [[Text(word, "dim") for word in ("round", "status", "time", *(title for _, title in columns))]]
    numbers = sorted((int(key) for key, records in state.stages.items() if stage in records), reverse=True)
    for round_number in numbers[:ROUNDS_SHOWN]:
        record = state.stages[str(round_number)][stage]
        figures = (count(record.counts.get(name)) for name, _ in columns)
        taken = duration(seconds_taken(record))
        rows.append([Text(word) for word in (str(round_number), record.status, taken, *figures)])
    if not numbers:
        return [Text(ABSENT)]
    earlier = [Text(f"and {len(numbers) - ROUNDS_SHOWN:,} before", "dim")] if len(numbers) > ROUNDS_SHOWN else []
    return grid(rows, right=(0, *range(2, len(columns) + 3))) + earlier


def machine(snapshot: Snapshot) -> list[Text]:
    """The GPUs, and the process of the stage at work."""
    lines = []
    for gpu in snapshot.gpus:
        parts = [f"{gpu.used_mb / 1024:.1f} of {gpu.total_mb / 1024:.1f} GiB"]
        parts += [f"{gpu.utilisation}% busy"] if gpu.utilisation is not None else []
        parts += [f"{gpu.temperature} °C"] if gpu.temperature is not None else []
        lines.append(Text(f"{gpu.name}: {', '.join(parts)}"))
    if (load := snapshot.process) is not None:
        cpu = ABSENT if load.cpu is None else f"{load.cpu:.0f}%"
        lines.append(Text(f"process {load.pid}: {load.memory_mb / 1024:.2f} GiB memory, CPU {cpu}"))
    return lines or [Text(f"{ABSENT} (no stage is at work)")]
