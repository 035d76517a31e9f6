"""The report of a round, for programs (JSON) and for people (Markdown)."""

from collections.abc import Mapping
from typing import Any

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


def show_rate(rate: Mapping[str, Any] | None) -> str:
    """`62.5 % (50/80, 51.5–72.3)`, or a dash where nothing was measured."""
    if rate is None:
        return "–"
    return f"{rate['value']:.1%} ({rate['hits']}/{rate['n']}, {rate['low']:.1%}–{rate['high']:.1%})"


def show_comparison(comparison: Mapping[str, Any]) -> str:
    return (
        f"{comparison['wins']} wins, {comparison['losses']} losses, {comparison['ties']} ties, "
        f"McNemar p = {comparison['p']:.3g}: {comparison['verdict']}"
    )


def to_markdown(report: Mapping[str, Any]) -> str:
    """The whole report as a page."""
    models: Mapping[str, Any] = report["models"]
    names = [name for name in TITLES if name in models]
    decision = report["decision"]
    lines = [
        f"# Round {report['round']}: evaluation",
        "",
        f"{report['items']} held-out items, the same for every model, greedy decoding, "
        f"at most {report['max_new_tokens']} tokens an answer.",
        f"Execution: {report['execution']}.",
        "",
        "| figure (95 % interval) | " + " | ".join(TITLES[name] for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for key, title in RATES.items():
        lines.append(
            f"| {title} | " + " | ".join(show_rate(models[name]["total"][key]) for name in names) + " |"
        )
    for key, title in (("validation_loss", "validation loss"), ("mean_tokens", "mean tokens an answer")):
        cells = [models[name]["total"][key] for name in names]
        lines.append(
            f"| {title} | " + " | ".join("–" if cell is None else f"{cell:g}" for cell in cells) + " |"
        )
    totals = [models[name]["total"] for name in names]
    if any(total["asserts_outside"] + total["asserts_inside"] for total in totals):
        cells = [f"{total['asserts_outside']} + {total['asserts_inside']}" for total in totals]
        lines.append("| asserts fulfilled, judged outside + inside the answer's process | " + " | ".join(cells) + " |")
        cells = [str(total["passes_inside"]) for total in totals]
        lines.append("| passes that rest on an assert judged inside | " + " | ".join(cells) + " |")
    lines += ["", "## Comparison on executed items", ""]
    lines += [f"- {title}: {show_comparison(item)}" for title, item in report["comparisons"].items()]
    if not report["comparisons"]:
        lines.append("- none: nothing was executed")
    verb = "is promoted" if decision["promoted"] else "is not promoted"
    lines += ["", f"This round's adapter **{verb}**: {decision['reason']}.", "", "## pass@1 by task type", ""]
    lines += [
        "| task type | " + " | ".join(TITLES[name] for name in names) + " |",
        "|---" * (len(names) + 1) + "|",
    ]
    for kind in models["base"]["by_task_type"]:
        cells = [show_rate(models[name]["by_task_type"][kind]["pass_at_1"]) for name in names]
        lines.append(f"| {kind} | " + " | ".join(cells) + " |")
    lines += ["", "## Why answers failed", ""]
    for name in names:
        failures = ", ".join(
            f"{reason} {count}" for reason, count in models[name]["total"]["failures"].items()
        )
        lines.append(f"- {TITLES[name]}: {failures or 'none did'}")
    return "\n".join(lines) + "\n"
