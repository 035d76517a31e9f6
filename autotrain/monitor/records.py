"""What the runs of OUT_DIR were and came to, read from their files. What was not measured is None, never zero."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotrain.errors import AutotrainError
from autotrain.evaluate.report import is_report
from autotrain.evaluate.statistics import Comparison, Rate, compare, rate
from autotrain.jsonl import read_objects
from autotrain.monitor.snapshot import seconds_taken
from autotrain.redact import plain, plain_json
from autotrain.run.funnel import FUNNEL
from autotrain.run.lock import condition
from autotrain.run.paths import RUN_ID, OutPaths, RunPaths
from autotrain.run.state import STAGES, State, seconds_of

ROUND = re.compile(r"[1-9][0-9]{0,5}")


@dataclass(frozen=True)
class Unreadable:
    """What lies among the runs and is none, or none any more."""

    name: str
    why: str


@dataclass(frozen=True)
class Run:
    """A run's state and settings as they are in its files, their texts cleaned of what a terminal would obey.

    `condition` is state.json's status, or `dead`. `problems` are what else could not be read, a line each.
    """

    paths: RunPaths
    condition: str
    state: State
    settings: Mapping[str, Any]
    problems: Sequence[str] = ()

    @property
    def run_id(self) -> str:
        return self.paths.root.name

    @cached_property
    def rounds(self) -> list[int]:
        """The numbers of the rounds that were begun."""
        return sorted(int(key) for key in self.state.stages if ROUND.fullmatch(key))

    @cached_property
    def reports(self) -> dict[int, Mapping[str, Any]]:
        """The report of every round that has one."""
        found = {number: read_report(self.paths.report(number)) for number in self.rounds}
        return {number: report for number, report in found.items() if report is not None}

    @cached_property
    def last_report(self) -> Mapping[str, Any] | None:
        """The report of the last round that has one."""
        reports = (read_report(self.paths.report(number)) for number in reversed(self.rounds))
        return next((report for report in reports if report is not None), None)


@dataclass(frozen=True)
class Overview:
    """A run in one line. Scores are base and best adapter on the same items: those of the last report."""

    run_id: str
    condition: str
    started_at: str
    updated_at: str
    base_model: str | None
    teacher_model: str | None
    rounds_done: int
    rounds_asked: int | None
    metric: str | None
    base_score: float | None
    best_score: float | None
    best_round: int | None
    cost_usd: float | None


# ---------------------------------------------------------------------------------------------------
# Reading


def read_runs(out: OutPaths) -> list[Run | Unreadable]:
    """Everything in OUT_DIR/runs, newest first."""
    found: list[Run | Unreadable] = []
    names = sorted((path.name for path in out.runs.iterdir()), reverse=True) if out.runs.is_dir() else []
    for name in (name for name in names if not name.startswith(".")):
        if not RUN_ID.fullmatch(name):
            found.append(Unreadable(plain(name, 60), "not a run"))
            continue
        try:
            found.append(read_run(out, name))
        except AutotrainError as error:
            found.append(Unreadable(name, str(error)))
    return found


def read_run(out: OutPaths, run_id: str) -> Run:
    """One run of OUT_DIR; raise AutotrainError, without the run's name, if its state cannot be read."""
    paths = out.run(run_id)
    try:
        state = State.model_validate(_read_object(paths.state))
        for moment in (state.started_at, state.updated_at):
            seconds_of(moment)
        for record in (record for stages in state.stages.values() for record in stages.values()):
            seconds_taken(record)
    except ValidationError as error:
        raise AutotrainError(f"state.json is damaged: {plain(error.errors()[0]['msg'], 100)}") from None
    except (ValueError, OverflowError) as error:
        raise AutotrainError(f"state.json is damaged: {plain(str(error), 100)}") from None
    settings, problems = {}, []
    try:
        settings = _read_object(paths.config)
    except AutotrainError as error:
        problems.append(str(error))
    return Run(paths, condition(out, state.status, state.pid), state, settings, problems)


def read_report(path: Path) -> Mapping[str, Any] | None:
    """A round's report; None where there is none or it is not in the form of one."""
    try:
        report = _read_object(path)
    except AutotrainError:
        return None
    return report if is_report(report) else None


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = plain_json(json.loads(path.read_bytes()))
    except OSError as error:
        raise AutotrainError(f"{path.name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise AutotrainError(f"{path.name} is damaged: {plain(str(error), 100)}") from None
    if not isinstance(value, dict):
        raise AutotrainError(f"{path.name} is damaged: not an object")
    return value


# ---------------------------------------------------------------------------------------------------
# What follows from a run's files


def overview(run: Run) -> Overview:
    """The line that a run has in the table of all."""
    state, report = run.state, run.last_report
    metric = state.best.metric if state.best else None
    base = best = None
    if report is not None:
        metric = metric or ("validation_loss" if report["models"]["new"]["total"]["pass_at_1"] is None else "pass_at_1")
        base = score(report, "base", metric)
        best = score(report, adapter_role(report), metric) if state.best else None
    elif state.best is not None:
        best = state.best.score
    return Overview(
        run_id=run.run_id,
        condition=run.condition,
        started_at=state.started_at,
        updated_at=state.updated_at,
        base_model=_text(run.settings.get("base_model")),
        teacher_model=_text(run.settings.get("teacher_model")),
        rounds_done=sum(state.is_complete(number, STAGES[-1]) for number in run.rounds),
        rounds_asked=rounds if type(rounds := run.settings.get("rounds")) is int else None,
        metric=metric,
        base_score=base,
        best_score=best,
        best_round=state.best.round if state.best else None,
        cost_usd=state.usage.get("estimated_cost_usd"),
    )


def adapter_role(report: Mapping[str, Any]) -> str:
    """Which of a report's models is the best adapter after it; where none beat the base, the round's own."""
    return "best" if not report["decision"]["promoted"] and "best" in report["models"] else "new"


def score(report: Mapping[str, Any], role: str, metric: str) -> float | None:
    """A model's pass@1, as a share, or its other figure of that name."""
    figure = report["models"][role]["total"].get(metric)
    value = figure.get("value") if isinstance(figure, Mapping) else figure
    return value if isinstance(value, int | float) else None


def stage_seconds(run: Run) -> dict[int, dict[str, float | None]]:
    """How long each stage of each round took, its last attempt alone; None while it is open."""
    return {
        number: {name: seconds_taken(record) for name, record in run.state.stages[str(number)].items()}
        for number in run.rounds
    }


def funnel(run: Run) -> list[tuple[str, int | float, dict[int, int | float]]]:
    """What became of the samples: words, in all, and by round; what never occurred is left out."""
    rows = []
    for name, words in FUNNEL:
        if total := run.state.counters.get(name):
            records = {number: run.state.stages[str(number)].values() for number in run.rounds}
            counts = {number: sum(record.counts.get(name, 0) for record in found) for number, found in records.items()}
            rows.append((words, total, {number: count for number, count in counts.items() if count}))
    return rows


def files(run: Run) -> list[tuple[str, int]]:
    """The run's files by their names in its folder, with bytes; an adapter's folder is one of them."""
    root = run.paths.root
    found = [path for path in sorted(root.iterdir()) if path.is_file() and not path.is_symlink()]
    for folder in (run.paths.data, run.paths.eval, *sorted(root.glob("out_lora_round_*"))):
        found += sorted(folder.iterdir()) if folder.is_dir() else []
    return [(plain(str(path.relative_to(root)), 200), _bytes(path)) for path in found]


def details(run: Run) -> dict[str, Any]:
    """All of `show` as plain values for programs."""
    return {
        **asdict(overview(run)),
        "folder": str(run.paths.root),
        "error": run.state.error,
        "problems": list(run.problems),
        "settings": dict(run.settings),
        "counters": run.state.counters,
        "usage": run.state.usage,
        "stages": {
            str(number): {
                name: {"status": run.state.stages[str(number)][name].status, "seconds": seconds}
                for name, seconds in stages.items()
            }
            for number, stages in stage_seconds(run).items()
        },
        "reports": {str(number): report for number, report in run.reports.items()},
        "files": dict(files(run)),
    }


def _bytes(path: Path) -> int:
    members = [path] if path.is_file() else path.rglob("*")
    return sum(member.lstat().st_size for member in members if member.is_file())


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


# ---------------------------------------------------------------------------------------------------
# Two runs


@dataclass(frozen=True)
class Measured:
    """What a run's adapter was measured on, by what the items hold: `passed` where executed, loss and its tokens."""

    items: frozenset[str]
    passed: Mapping[str, bool]
    losses: Mapping[str, tuple[float, int]]


@dataclass(frozen=True)
class Shared:
    """Two runs' adapters on the items that both were measured on. Two values: the first run's, the second's.

    `same`: there are no others. `comparison` is the second against the first where both executed; None where
    there is no such item. Losses are per token, and None for base models of different tokens.
    """

    items: tuple[int, int]
    shared: int
    same: bool
    rates: tuple[Rate | None, Rate | None]
    losses: tuple[float, float] | None
    comparison: Comparison | None


def measured(run: Run) -> Measured | None:
    """The held-out items of the last report with its adapter's answers; None where they cannot be read any more.

    Items are known by their content: another run's r1-00042 is another sample.
    """
    report = run.last_report
    if report is None:
        return None
    number, name = report["round"], report["models"][adapter_role(report)].get("name")
    passed, losses = {}, {}
    try:
        content = {value["id"]: _content(value) for value in read_objects(run.paths.val(number))}
        for answer in read_objects(run.paths.answers(number)):
            if answer["model"] == name and answer["item"] in content and not answer.get("draw"):
                item = content[answer["item"]]
                losses[item] = float(answer["loss"]), int(answer["reference_tokens"])
                if isinstance(outcome := answer["verdict"]["passed"], bool):
                    passed[item] = outcome
    except (AutotrainError, KeyError, TypeError, ValueError, OverflowError):
        return None
    return Measured(frozenset(content.values()), passed, losses) if losses else None


def on_shared_items(one: Run, other: Run) -> Shared | None:
    """Compare two runs' adapters; None if what either was measured on is not known."""
    first, second = measured(one), measured(other)
    if first is None or second is None:
        return None
    both = sorted(first.items & second.items)
    executed = [item for item in both if item in first.passed and item in second.passed]
    outcomes = [[side.passed[item] for item in executed] for side in (first, second)]
    losses = None
    if one.settings.get("base_model") == other.settings.get("base_model"):
        means = [_mean_loss([side.losses[item] for item in both if item in side.losses]) for side in (first, second)]
        losses = None if means[0] is None or means[1] is None else (means[0], means[1])
    return Shared(
        items=(len(first.items), len(second.items)),
        shared=len(both),
        same=first.items == second.items,
        rates=(rate(outcomes[0]), rate(outcomes[1])),
        losses=losses,
        comparison=compare(outcomes[1], outcomes[0]) if executed else None,
    )


def differing_settings(one: Run, other: Run) -> dict[str, tuple[Any, Any]]:
    """The settings that differ, with both values; None where a run has no such setting."""
    names = dict.fromkeys([*one.settings, *other.settings])
    pairs = {name: (one.settings.get(name), other.settings.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _content(sample: Mapping[str, Any]) -> str:
    parts = [str(sample.get(name) or "") for name in ("instruction", "input", "output", "tests")]
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _mean_loss(losses: Sequence[tuple[float, int]]) -> float | None:
    tokens = sum(count for _, count in losses)
    return round(sum(loss * count for loss, count in losses) / tokens, 4) if tokens else None
