"""The runs so far as tables: all of them, one, or two side by side."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from autotrain.config import Settings
from autotrain.evaluate.report import RATES, TITLES, show_comparison, show_rate
from autotrain.monitor.records import (
    Overview,
    Run,
    Shared,
    Unreadable,
    adapter_role,
    differing_settings,
    files,
    funnel,
    overview,
    stage_seconds,
)
from autotrain.monitor.views.words import ABSENT, count, duration, number, setting
from autotrain.redact import plain
from autotrain.run.state import STAGES, seconds_of

COLOURS = {"completed": "green", "running": "cyan", "failed": "red", "refused": "red", "dead": "red"}
METRICS = {"pass_at_1": "pass@1", "validation_loss": "validation loss"}
# What a table of rounds has room for at 80 columns, beside the total.
ROUNDS_SHOWN = 4


# ---------------------------------------------------------------------------------------------------
# All runs


def table_of_runs(found: Sequence[Run | Unreadable]) -> RenderableType:
    """Two lines a run, and below the table one for everything that could not be read."""
    table = _table("run", "when", "base\nteacher", ">rounds", "status", "base → best\nby", ">cost")
    table.columns[2].ratio, table.columns[2].overflow = 1, "ellipsis"
    table.expand = True
    for run in found:
        if isinstance(run, Run):
            table.add_row(*_row(overview(run)))
    parts: list[RenderableType] = [table] if table.row_count else []
    return Group(*parts, *(Text(line, "yellow") for line in _problems(found)))


def _row(line: Overview) -> list[Text]:
    day, clock = _local(line.started_at).split(" ")
    return [
        Text(_tail(line.run_id), "bold"),
        Text(f"{day}\n{clock}"),
        Text(f"{_short(line.base_model)}\n{_short(line.teacher_model)}"),
        Text(f"{line.rounds_done}/{ABSENT if line.rounds_asked is None else line.rounds_asked}"),
        Text(line.condition, COLOURS.get(line.condition, "yellow")),
        Text(_scores(line)),
        Text(_dollars(line.cost_usd)),
    ]


def _scores(line: Overview) -> str:
    """`7.5% → 32.5%`, and below it what of; `none` where no adapter beat the base."""
    if line.metric is None:
        return ABSENT
    nothing_better = line.best_round is None and line.base_score is not None
    best = "none" if nothing_better else _score(line.metric, line.best_score)
    return f"{_score(line.metric, line.base_score)} → {best}\n{METRICS.get(line.metric, line.metric)}"


def _score(metric: str, value: float | None) -> str:
    if value is None:
        return ABSENT
    return f"{value:.1%}" if metric == "pass_at_1" else f"{value:.4g}"


def _problems(found: Sequence[Run | Unreadable]) -> list[str]:
    lines = []
    for run in found:
        if isinstance(run, Unreadable):
            lines.append(f"{run.name}: {run.why}")
        else:
            lines += [f"{run.run_id}: {problem}" for problem in run.problems]
    return lines


# ---------------------------------------------------------------------------------------------------
# One run


def page_of_run(run: Run) -> RenderableType:
    """Everything about one run, a section after the other."""
    parts: list[RenderableType] = [_head(run)]
    for title, section in (
        ("settings", _settings(run)),
        ("samples", _funnel(run)),
        ("times", _times(run)),
    ):
        parts += [Text(), Text(title, "bold cyan"), section]
    for report in run.reports.values():
        parts += [Text(), *_report(report)]
    lost = [number for number in run.rounds if run.state.is_complete(number, STAGES[-1]) and number not in run.reports]
    parts += [Text(f"\nround {number}: its report cannot be read", "yellow") for number in lost]
    if not run.reports and not lost:
        parts += [Text("\nno round was evaluated", "bold cyan")]
    return Group(*parts, Text(), Text("files", "bold cyan"), _files(run))


def _head(run: Run) -> RenderableType:
    line, state = overview(run), run.state
    asked = ABSENT if line.rounds_asked is None else line.rounds_asked
    best = ABSENT if state.best is None else f"round {state.best.round}"
    rows = [
        ("status", Text(line.condition, COLOURS.get(line.condition, "yellow"))),
        ("time", Text(f"{_local(line.started_at)} to {_local(line.updated_at)}")),
        ("models", Text(f"{line.base_model or ABSENT}, taught by {line.teacher_model or ABSENT}")),
        ("rounds", Text(f"{line.rounds_done} of {asked} done, best adapter: {best}")),
        ("score", Text(_scores(line).replace("\n", ", "))),
        ("teacher", Text(_usage(state.usage))),
        ("folder", Text(plain(str(run.paths.root), 500), overflow="fold")),
    ]
    rows += [("error", Text(state.error, "red"))] if state.error else []
    rows += [("problem", Text(problem, "yellow")) for problem in run.problems]
    grid = Table.grid(padding=(0, 2, 0, 0))
    for title, words in rows:
        grid.add_row(Text(title, "dim"), words)
    return Group(Text(run.run_id, "bold"), grid)


def _settings(run: Run) -> RenderableType:
    """Every setting; the default where it is another."""
    table = _table("setting", "value", "default")
    for name, value in run.settings.items():
        field = Settings.model_fields.get(name)
        default = "" if field is None or setting(field.default) == setting(value) else setting(field.default)
        table.add_row(Text(name.upper(), "" if not default else "bold"), Text(setting(value)), Text(default, "dim"))
    return table if run.settings else Text(ABSENT)


def _funnel(run: Run) -> RenderableType:
    rows, shown = funnel(run), run.rounds[-ROUNDS_SHOWN:]
    table = _table("", ">all", *(f">round {one}" for one in shown))
    for words, total, by_round in rows:
        table.add_row(words, count(total), *(count(by_round.get(one)) for one in shown))
    return table if rows else Text(ABSENT)


def _times(run: Run) -> RenderableType:
    table = _table("round", *(f">{name}" for name in STAGES), ">in all")
    for round_number, seconds in stage_seconds(run).items():
        records = run.state.stages[str(round_number)]
        cells = []
        for name in STAGES:
            status = str(records[name].status) if name in records else "completed"
            if status == "running" and run.condition == "dead":
                status = "cut off"
            took = duration(seconds.get(name))
            cells.append(took if status == "completed" else f"{took}\n{status}")
        known = [one for one in seconds.values() if one is not None]
        table.add_row(str(round_number), *cells, duration(sum(known) if known else None))
    return table if run.rounds else Text(ABSENT)


def _report(report: Mapping[str, Any]) -> list[RenderableType]:
    """A round's scores with their intervals, and how sure the difference is."""
    models, decision = report["models"], report["decision"]
    names = [name for name in TITLES if name in models]
    table = _table("", *(TITLES[name] for name in names))
    for key, title in RATES.items():
        rates = [models[name]["total"][key] for name in names]
        if any(rate is not None for rate in rates):
            table.add_row(title, *(show_rate(rate) for rate in rates))
    for key, title in (("validation_loss", "validation loss"), ("mean_tokens", "mean tokens an answer")):
        table.add_row(title, *(number(models[name]["total"][key]) for name in names))
    verdict = f"{'promoted' if decision['promoted'] else 'not promoted'}: {decision['reason']}"
    lines = [f"{title}: {show_comparison(item)}" for title, item in report["comparisons"].items()]
    return [
        Text(f"round {report['round']}: {report['items']} held-out items; {verdict}", "bold cyan"),
        table,
        *(Text(line) for line in [f"execution: {report['execution']}", *lines]),
    ]


def _files(run: Run) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right")
    for name, size in files(run):
        grid.add_row(Text(decimal(size), "dim"), Text(name, overflow="fold"))
    return grid


# ---------------------------------------------------------------------------------------------------
# Two runs


def page_of_two(one: Run, other: Run, shared: Shared | None) -> RenderableType:
    """What differs between two runs, and whether one is better."""
    titles = [_tail(run.run_id) for run in (one, other)]
    differing = differing_settings(one, other)
    settings = _table("setting", *titles)
    for name, pair in differing.items():
        settings.add_row(Text(name.upper()), *(Text(setting(value), overflow="fold") for value in pair))
    figures = _table("", *titles)
    for words, first, second in zip(WORDS, _figures(one), _figures(other), strict=True):
        figures.add_row(words, first, second)
    return Group(
        Text(f"{one.run_id} and {other.run_id}", "bold"),
        Text(),
        Text("settings that differ" if differing else "all settings are the same", "bold cyan"),
        *([settings] if differing else []),
        Text(),
        Text("figures", "bold cyan"),
        figures,
        Text(),
        *(Text(line, "bold" if place == 0 else "") for place, line in enumerate(verdict_lines(one, other, shared))),
    )


WORDS = (
    "status", "started", "rounds done", "samples generated", "kept after the gate", "trained on, with replays",
    "optimizer steps", "time at work", "cost", "best adapter of round", "held-out items", "answer tokens, at most",
    "pass@1 of the base", "pass@1 of the adapter", "answers in form, adapter", "loss of the base",
    "loss of the adapter",
)  # fmt: skip


def _figures(run: Run) -> list[str]:
    line, report, counters = overview(run), run.last_report, run.state.counters
    kept = [counters[name] for name in ("test_pass", "test_skipped") if name in counters]
    seconds = [took for stages in stage_seconds(run).values() for took in stages.values() if took is not None]
    figures = [
        line.condition,
        _local(line.started_at),
        f"{line.rounds_done}/{ABSENT if line.rounds_asked is None else line.rounds_asked}",
        count(counters.get("teacher_generated")),
        count(sum(kept) if kept else None),
        count(counters.get("train_samples")),
        count(counters.get("train_step")),
        duration(sum(seconds) if seconds else None),
        _dollars(line.cost_usd),
        "none" if line.best_round is None and report is not None else count(line.best_round),
    ]
    if report is None:
        return figures + [ABSENT] * (len(WORDS) - len(figures))
    base, adapter = (report["models"][role]["total"] for role in ("base", adapter_role(report)))
    return [
        *figures,
        count(report["items"]),
        count(limit if type(limit := report.get("max_new_tokens")) is int else None),
        show_rate(base["pass_at_1"]),
        show_rate(adapter["pass_at_1"]),
        show_rate(adapter["format_compliance"]),
        number(base["validation_loss"]),
        number(adapter["validation_loss"]),
    ]


def verdict_lines(one: Run, other: Run, shared: Shared | None) -> list[str]:
    """Whether the scores of two runs can be compared, and what the items they share say."""
    if shared is None:
        unknown = [run.run_id for run in (one, other) if run.last_report is None]
        why = f"{' and '.join(unknown)} was not evaluated" if unknown else "what they were measured on cannot be read"
        return [f"The scores cannot be compared: {why}."]
    names = [_tail(run.run_id) for run in (one, other)]
    first, second = shared.items
    if not shared.shared:
        return [f"The scores cannot be compared: measured on different items, {first} and {second}, none in both."]
    lines = [f"The scores can be compared: both were measured on the same {first} items."]
    if not shared.same:
        lines = [
            f"The scores above cannot be compared: measured on different items, {first} and {second}, "
            f"{shared.shared} in both. On the shared ones:"
        ]
    limits = [run.last_report.get("max_new_tokens") if run.last_report else None for run in (one, other)]
    if limits[0] != limits[1]:
        lines.append(f"mind that an answer was cut off at {limits[0]} tokens in one and at {limits[1]} in the other")
    if shared.comparison is None:
        lines.append("no item was executed in both runs, so there is no test of a difference in pass@1")
    else:
        for name, rate in zip(names, shared.rates, strict=True):
            lines.append(f"{name}: pass@1 {show_rate(asdict(rate) if rate else None)}")
        lines.append(f"{names[1]} against {names[0]}: {show_comparison(asdict(shared.comparison))}")
    if shared.losses is not None:
        lines += [f"{name}: validation loss {loss:.4g}" for name, loss in zip(names, shared.losses, strict=True)]
    return lines


# ---------------------------------------------------------------------------------------------------
# Words


def _table(*titles: str) -> Table:
    """A table with these columns; `>` before a title sets it to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim", show_edge=False)
    for title in titles:
        table.add_column(title.lstrip(">"), justify="right" if title.startswith(">") else "left")
    return table


def _local(moment: str) -> str:
    """A moment of a run's files by the clock on the wall."""
    return datetime.fromtimestamp(seconds_of(moment)).strftime("%Y-%m-%d %H:%M")


def _short(model: str | None) -> str:
    """A model's name without the folder or the owner before it."""
    return ABSENT if model is None else model.removeprefix("embedded:").rstrip("/").rpartition("/")[2]


def _tail(run_id: str) -> str:
    """The end of a run's name, which is enough to name it."""
    return run_id.rpartition("_")[2]


def _dollars(cost: float | None) -> str:
    return ABSENT if cost is None else f"${cost:.4f}"


def _usage(usage: Mapping[str, int | float]) -> str:
    words = ", ".join(f"{name.replace('_', ' ')} {count(value)}" for name, value in usage.items())
    return words or ABSENT
