"""The report of a round, for programs (JSON, this schema) and for people (Markdown)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autotrain.evaluate.focus import Aim
from autotrain.evaluate.metrics import Metrics
from autotrain.evaluate.promotion import Decision
from autotrain.evaluate.statistics import SMALL, Comparison
from autotrain.run.events import check_figures

REPORT_VERSION = 2
TITLES = {"base": "base", "best": "best so far", "new": "this round"}
RATES = {
    "pass_at_1": "pass@1 (executed)",
    "findings_correct_rate": "reviews that name the bug's line",
    "json_parse_rate": "JSON answers that parse and fit",
    "format_compliance": "answers in the form asked for",
    "syntax_valid_rate": "code that parses",
    "repetition_rate": "answers that repeat themselves",
    "truncated_rate": "answers cut off",
}
PARTS = {"by_task_type": "task type", "by_difficulty": "difficulty", "by_concept": "concept"}
AGAINST_BASE, AGAINST_BEST = "this round against base", "this round against best so far"
BEST_AGAINST_BASE = "best so far against base"


@dataclass(frozen=True)
class ModelFigures:
    """One model's figures: on all items, and by what they are about. An item with several concepts counts for each."""

    name: str
    total: Metrics
    by_task_type: dict[str, Metrics]
    by_concept: dict[str, Metrics]
    by_difficulty: dict[str, Metrics]


@dataclass(frozen=True)
class BenchmarkModel:
    name: str
    total: Metrics


@dataclass(frozen=True)
class BenchmarkFigures:
    """The same models on a benchmark. It decides nothing, so that it stays a measure of what does."""

    items: int
    prompt: str
    models: dict[str, BenchmarkModel]
    comparisons: dict[str, Comparison]


@dataclass(frozen=True)
class RoundComparison(Comparison):
    """A round's adapter against the base, as the report of that round had it; corrected for all rounds."""

    round: int = 0


@dataclass(frozen=True)
class FocusFigures:
    """What this round aimed at, and the next one will; `student` is the role of the model that goes on learning."""

    student: str
    names: dict[str, Aim]
    next: dict[str, float]


@dataclass(frozen=True)
class Report:
    """Everything stage 05 found out; the roles of `models` are base, best (so far, where it is another) and new."""

    report_version: int
    run_id: str | None
    round: int
    base_model: str
    items: int
    max_new_tokens: int
    engine: str
    execution: str
    models: dict[str, ModelFigures]
    comparisons: dict[str, Comparison]
    rounds: list[RoundComparison]
    benchmarks: dict[str, BenchmarkFigures]
    focus: FocusFigures | None
    decision: Decision


def schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    from pydantic import TypeAdapter

    return TypeAdapter(Report).json_schema()


def show_rate(rate: Mapping[str, Any] | None) -> str:
    """`62.5 % (50/80, 51.5–72.3)`, in words where the items are few, or a dash where nothing was measured."""
    if rate is None:
        return "–"
    if rate["n"] < SMALL:
        return f"{rate['value']:.1%} ({rate['hits']}/{rate['n']}: ±{_points(rate)} points)"
    return show_interval(rate)


def show_interval(rate: Mapping[str, Any] | None) -> str:
    """The same with the interval itself, however few the items are."""
    if rate is None:
        return "–"
    return f"{rate['value']:.1%} ({rate['hits']}/{rate['n']}, {rate['low']:.1%}–{rate['high']:.1%})"


def _points(rate: Mapping[str, Any]) -> str:
    return f"{100 * max(rate['value'] - rate['low'], rate['high'] - rate['value']):.0f}"


def _warning(rate: Mapping[str, Any] | None) -> list[str]:
    """Few items, in words."""
    if rate is None or rate["n"] >= SMALL:
        return []
    return ["", f"Only {rate['n']} items were executed: this round's rate may be off by {_points(rate)} points."]


def show_comparison(comparison: Mapping[str, Any]) -> str:
    """`8 wins, 1 losses, 11 ties, McNemar p = 0.039, 0.12 after Holm's correction: no evidence`."""
    after = comparison.get("p_corrected")
    correction = "" if after is None or after == comparison["p"] else f", {after:.3g} after Holm's correction"
    return (
        f"{comparison['wins']} wins, {comparison['losses']} losses, {comparison['ties']} ties, "
        f"McNemar p = {comparison['p']:.3g}{correction}: {comparison['verdict']}"
    )


# ---------------------------------------------------------------------------------------------------
# Markdown


def to_markdown(report: Mapping[str, Any]) -> str:
    """The whole report as a page."""
    models: Mapping[str, Any] = report["models"]
    names = [name for name in TITLES if name in models]
    decision = report["decision"]
    lines = [
        f"# Round {report['round']}: evaluation",
        "",
        f"{report['items']} held-out items, the same for every model, greedy decoding by {report['engine']}, "
        f"at most {report['max_new_tokens']} tokens an answer.",
        f"Execution: {report['execution']}.",
        "",
        *_totals({name: models[name]["total"] for name in names}),
        *_warning(models["new"]["total"]["pass_at_1"]),
        "",
        "## Comparison on executed items",
        "",
        *[f"- {title}: {show_comparison(item)}" for title, item in report["comparisons"].items()],
    ]
    if not report["comparisons"]:
        lines.append("- none: nothing was executed")
    verb = "is promoted" if decision["promoted"] else "is not promoted"
    lines += ["", f"This round's adapter **{verb}**: {decision['reason']}."]
    if len(report["rounds"]) > 1:
        lines += ["", "Every round's adapter against the base, on the items of its time:", ""]
        lines += [f"- round {item['round']}: {show_comparison(item)}" for item in report["rounds"]]
    for name, benchmark in report["benchmarks"].items():
        lines += ["", f"## {name}", "", f"{benchmark['items']} problems, asked {benchmark['prompt']}. Decides nothing."]
        lines += ["", *_totals({role: benchmark["models"][role]["total"] for role in names}), ""]
        lines += [f"- {title}: {show_comparison(item)}" for title, item in benchmark["comparisons"].items()]
    for part, title in PARTS.items():
        lines += ["", f"## pass@1 by {title}", "", *_by(part, title, models, names)]
    lines += ["", "## Why answers failed", ""]
    for name in names:
        failures = ", ".join(f"{reason} {count}" for reason, count in models[name]["total"]["failures"].items())
        lines.append(f"- {TITLES[name]}: {failures or 'none did'}")
    return "\n".join([*lines, *_focus(report["focus"])]) + "\n"


def _totals(totals: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The table of all figures, a column a model."""
    parts = list(totals.values())
    lines = [*_head("figure (95 % interval)", list(totals))]
    for key, title in RATES.items():
        if any(total[key] is not None for total in parts):
            lines.append(_row(title, [show_rate(total[key]) for total in parts]))
    for k in parts[0]["pass_at_k"]:
        cells = [_estimate(total["pass_at_k"].get(k)) for total in parts]
        lines.append(_row(f"pass@{k}, answers drawn at random", cells))
    for key, title in (("validation_loss", "validation loss"), ("mean_tokens", "mean tokens an answer")):
        lines.append(_row(title, ["–" if total[key] is None else f"{total[key]:g}" for total in parts]))
    if any(total["asserts_outside"] + total["asserts_inside"] for total in parts):
        cells = [f"{total['asserts_outside']} + {total['asserts_inside']}" for total in parts]
        lines.append(_row("asserts fulfilled, judged outside + inside the answer's process", cells))
        lines.append(_row("passes that rest on an assert judged inside", [str(one["passes_inside"]) for one in parts]))
    return lines


def _by(part: str, title: str, models: Mapping[str, Any], names: list[str]) -> list[str]:
    lines = _head(title, names)
    for kind in models["base"][part]:
        cells = [show_rate(models[name][part][kind]["pass_at_1"]) for name in names]
        if any(cell != "–" for cell in cells):
            lines.append(_row(kind, cells))
    return lines


def _focus(focus: Mapping[str, Any] | None) -> list[str]:
    if focus is None:
        return []
    lines = ["", "## What this round aimed at, before it and after", ""]
    if focus["names"]:
        lines += ["| | wanted | before | after |", "|---|---|---|---|"]
    for name, aim in focus["names"].items():
        lines.append(_row(name, [f"× {aim['weight']:g}", show_rate(aim["before"]), show_rate(aim["after"])]))
    if not focus["names"]:
        lines.append("Nothing: no round before it had been evaluated.")
    wanted = sorted(focus["next"].items(), key=lambda pair: -pair[1])
    words = ", ".join(f"{name} × {weight:g}" for name, weight in wanted if weight > 1)
    return [*lines, "", f"The next round asks more of: {words or 'nothing'}."]


def _head(first: str, names: list[str]) -> list[str]:
    return [_row(first, [TITLES[name] for name in names]), "|---" * (len(names) + 1) + "|"]


def _row(first: str, cells: list[str]) -> str:
    return f"| {first} | " + " | ".join(cells) + " |"


def _estimate(value: Mapping[str, Any] | None) -> str:
    if value is None:
        return "–"
    return f"{value['value']:.1%} ({value['n']} items, {value['low']:.1%}–{value['high']:.1%})"


def is_report(value: Mapping[str, Any]) -> bool:
    """Whether an object has the form of a round's report, as far as it is used here."""
    try:
        models, decision, comparisons = value["models"], value["decision"], value["comparisons"].values()
        figures = [model["total"] for model in models.values()]
        figures += [part for model in models.values() for part in model["by_task_type"].values()]
        rates = [figure[name] for figure in figures for name in RATES]
        numbers = [rate[name] for rate in rates if rate is not None for name in ("value", "hits", "n", "low", "high")]
        numbers += [item[name] for item in comparisons for name in ("wins", "losses", "ties", "p")]
        numbers += [many for model in models.values() for many in (model["total"].get("failures") or {}).values()]
        perhaps = [figure[name] for figure in figures for name in ("validation_loss", "mean_tokens")]
        perhaps += [item.get("p_corrected") for item in comparisons]
        check_figures([*numbers, *(number for number in perhaps if number is not None)])
        texts = [decision["reason"], value["execution"], *(item["verdict"] for item in comparisons)]
        return (
            {"base", "new"} <= models.keys()
            and type(value["round"]) is type(value["items"]) is type(value.get("report_version", 1)) is int
            and type(decision["promoted"]) is bool
            and all(isinstance(text, str) for text in texts)
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return False


if __name__ == "__main__":
    print(json.dumps(schema(), indent=1))
