"""Everything that was answered and judged → the report."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from autotrain.config import Settings
from autotrain.evaluate.benchmarks import STYLES, Benchmark, Style
from autotrain.evaluate.focus import aims, next_weights
from autotrain.evaluate.metrics import Graded, concepts, difficulty, measure, measure_by, task_type
from autotrain.evaluate.promotion import Decision, decide, strictly
from autotrain.evaluate.report import (
    AGAINST_BASE,
    AGAINST_BEST,
    BEST_AGAINST_BASE,
    REPORT_VERSION,
    BenchmarkFigures,
    BenchmarkModel,
    FocusFigures,
    ModelFigures,
    Report,
    RoundComparison,
)
from autotrain.evaluate.statistics import Comparison, compare, corrected

PAIRS = {AGAINST_BASE: ("new", "base"), AGAINST_BEST: ("new", "best"), BEST_AGAINST_BASE: ("best", "base")}


@dataclass(frozen=True)
class Outcomes:
    """One model's answers to one set of items: the likeliest, and those drawn at random."""

    name: str
    graded: Sequence[Graded]
    drawn: Sequence[Graded] = ()


@dataclass(frozen=True)
class History:
    """What the report needs of a run's earlier rounds: their reports, and what this round aimed at."""

    run_id: str | None
    round_number: int
    planned_rounds: int
    earlier: Sequence[Mapping[str, Any]] = ()
    focus: Mapping[str, float] | None = None


def make_report(
    settings: Settings,
    history: History,
    models: Mapping[str, Outcomes],
    benchmarks: Sequence[tuple[Benchmark, Style, Mapping[str, Outcomes]]],
    execution: str,
) -> Report:
    """All figures of `models` by role on the held-out items, and on benchmarks, and what follows from them."""
    figures = {role: _figures(model) for role, model in models.items()}
    earlier = {report["round"]: report["comparisons"] for report in history.earlier}
    comparisons, rounds = _corrected(_comparisons(models), earlier, history)
    decision = _decide(settings, figures, comparisons)
    return Report(
        report_version=REPORT_VERSION,
        run_id=history.run_id,
        round=history.round_number,
        base_model=settings.base_model,
        items=len(models["base"].graded),
        max_new_tokens=settings.eval_max_new_tokens,
        engine=settings.eval_engine,
        execution=execution,
        models=figures,
        comparisons=comparisons,
        rounds=rounds,
        benchmarks={one.name: _benchmark(one, style, parts, history) for one, style, parts in benchmarks},
        focus=None if history.focus is None else _focus(history.focus, models, decision),
        decision=decision,
    )


def _figures(model: Outcomes) -> ModelFigures:
    return ModelFigures(
        name=model.name,
        total=measure(model.graded, model.drawn),
        by_task_type=measure_by(task_type, model.graded, model.drawn),
        by_concept=measure_by(concepts, model.graded, model.drawn),
        by_difficulty=measure_by(difficulty, model.graded, model.drawn),
    )


def _benchmark(
    benchmark: Benchmark, style: Style, models: Mapping[str, Outcomes], history: History
) -> BenchmarkFigures:
    earlier = {
        report["round"]: report["benchmarks"][benchmark.name]["comparisons"]
        for report in history.earlier
        if benchmark.name in report.get("benchmarks", ())
    }
    comparisons, _ = _corrected(_comparisons(models), earlier, history)
    return BenchmarkFigures(
        items=len(benchmark.items),
        prompt=STYLES[style],
        models={role: BenchmarkModel(one.name, measure(one.graded, one.drawn)) for role, one in models.items()},
        comparisons=comparisons,
    )


def _comparisons(models: Mapping[str, Outcomes]) -> dict[str, Comparison]:
    """Every two of the models that were both executed, on the items where both were."""
    found = {}
    for title, (one, other) in PAIRS.items():
        if one in models and other in models:
            sides = [[item.verdict.passed for item in models[role].graded] for role in (one, other)]
            both = [(a, b) for a, b in zip(*sides, strict=True) if a is not None and b is not None]
            if both:
                found[title] = compare([a for a, _ in both], [b for _, b in both])
    return found


def _corrected(
    comparisons: Mapping[str, Comparison], earlier: Mapping[int, Mapping[str, Any]], history: History
) -> tuple[dict[str, Comparison], list[RoundComparison]]:
    """The comparisons corrected for there being one a round; and every round's with the base.

    Two families: rounds against the base, rounds against the best before them. The best against the base is one of
    the first once more, chosen for being the highest, so that all that it was chosen from are paid for.
    """
    found = dict(comparisons)
    rounds = []
    for title, planned in ((AGAINST_BASE, history.planned_rounds), (AGAINST_BEST, history.planned_rounds - 1)):
        if title not in found:
            continue
        before = {number: _read(one[title]) for number, one in earlier.items() if title in one}
        family = corrected([*before.values(), found[title]], max(planned, len(before) + 1))
        found[title] = family[-1]
        if title == AGAINST_BASE:
            numbers = [*before, history.round_number]
            rounds = [RoundComparison(**asdict(one), round=number) for number, one in zip(numbers, family, strict=True)]
    if BEST_AGAINST_BASE in found:
        (found[BEST_AGAINST_BASE],) = corrected([found[BEST_AGAINST_BASE]], history.planned_rounds)
    return found, rounds


def _read(value: Mapping[str, Any]) -> Comparison:
    names = {field.name for field in fields(Comparison)}
    return Comparison(**{name: item for name, item in value.items() if name in names})


def can_be_followed(report: Mapping[str, Any]) -> bool:
    """Whether all of an earlier round's comparisons, on benchmarks too, can be corrected together with this round's."""
    try:
        parts = [report["comparisons"], *(one["comparisons"] for one in report.get("benchmarks", {}).values())]
        found = [_read(one) for part in parts for one in part.values()]
    except (KeyError, TypeError, AttributeError):
        return False
    counts = [count for one in found for count in (one.wins, one.losses, one.ties)]
    return all(type(count) is int for count in counts) and all(
        type(one.p) in (int, float) and 0 <= one.p <= 1 for one in found
    )


def _decide(settings: Settings, figures: Mapping[str, ModelFigures], comparisons: Mapping[str, Comparison]) -> Decision:
    best = figures["best"].total if "best" in figures else None
    decision = decide(figures["base"].total, best, figures["new"].total)
    if settings.promotion == "higher":
        return decision
    rivals = {"base": AGAINST_BASE, "best so far": AGAINST_BEST}
    return strictly(decision, {name: comparisons[title] for name, title in rivals.items() if title in comparisons})


def _focus(weights: Mapping[str, float], models: Mapping[str, Outcomes], decision: Decision) -> FocusFigures:
    """The next round goes on from the best model there is; what this one aimed at is told by the one before it."""
    before = "best" if "best" in models else "base"
    student = "new" if decision.promoted else before
    return FocusFigures(
        student=student,
        names=aims(weights, models[before].graded, models["new"].graded),
        next=next_weights(models[student].graded),
    )
