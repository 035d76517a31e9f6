"""What a run came to, in a short text that says nothing the files do not."""

import json
from pathlib import Path
from typing import Any

from autotrain.config import Settings, load
from autotrain.evaluate.report import show_comparison, show_rate
from autotrain.run.control import resume_command
from autotrain.run.funnel import FUNNEL
from autotrain.run.paths import RunPaths
from autotrain.run.state import State, load_state


def summary_text(paths: RunPaths) -> str:
    """The end of a run: status, funnel, base against best, and what to do next."""
    state = load_state(paths.state)
    settings = load(paths.config)
    lines = [f"summary of {state.run_id}: {state.status}"]
    if state.error:
        lines.append(f"  {state.error}")
    lines += _funnel(state)
    report = _last_report(paths, state)
    if report is not None:
        lines += ["", *_scores_in(report, state)]
    lines += ["", "next", *(f"  {line}" for line in _next_steps(paths, state, settings))]
    return "\n".join(lines)


def _funnel(state: State) -> list[str]:
    rows = [(int(state.counters.get(name, 0)), words) for name, words in FUNNEL]
    shown = [(count, words) for count, words in rows if count]
    if not shown:
        return []
    width = len(str(max(count for count, _ in shown)))
    lines = ["", "samples", *(f"  {count:>{width}}  {words}" for count, words in shown)]
    shortages = int(state.counters.get("out_of_memory", 0))
    if shortages:
        lines.append(f"  training ran out of memory {shortages} times; it went on in smaller pieces, steps unchanged")
    if state.usage:
        cost = ", ".join(f"{name.replace('_', ' ')} {_number(value)}" for name, value in state.usage.items())
        lines.append(f"  teacher: {cost}")
    return lines


def _number(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _last_report(paths: RunPaths, state: State) -> Path | None:
    reports = map(paths.report, range(state.current_round, 0, -1))
    return next((path for path in reports if path.exists()), None)


def _scores_in(path: Path, state: State) -> list[str]:
    try:
        return _scores(json.loads(path.read_bytes()), state)
    # A foreign value raises one of these where it is looked up or shown.
    except (OSError, LookupError, TypeError, ValueError, AttributeError, RecursionError):
        return [f"  {path} is damaged: what the models scored is not shown"]


def _scores(report: dict[str, Any], state: State) -> list[str]:
    """Base and best on the last report's items, which both answered."""
    models = report["models"]
    best_role = "new" if report["decision"]["promoted"] else "best"
    lines = [f"on {report['items']} held-out items (last evaluated: round {report['round']})"]
    lines.append(f"  base             {_score(models['base'])}")
    if state.best is not None and best_role in models:
        lines.append(f"  best, round {state.best.round:<4} {_score(models[best_role])}")
        title = "this round against base" if best_role == "new" else "best so far against base"
        if title in report["comparisons"]:
            lines.append(f"  best against base: {show_comparison(report['comparisons'][title])}")
    else:
        lines.append(f"  round {report['round']:<10} {_score(models['new'])}")
        lines.append("  no adapter beat the base model, so there is no best_adapter")
    for name, benchmark in report.get("benchmarks", {}).items():
        scores = [show_rate(benchmark["models"][role]["total"]["pass_at_1"]) for role in ("base", "new")]
        lines.append(f"  {name}: base {scores[0]}, round {report['round']} {scores[1]}")
    lines.append(f"  execution: {report['execution']}")
    return lines


def _score(model: dict[str, Any]) -> str:
    total = model["total"]
    if total["pass_at_1"] is None:
        return f"validation loss {total['validation_loss']}, format {show_rate(total['format_compliance'])}"
    return f"pass@1 {show_rate(total['pass_at_1'])}"


def _next_steps(paths: RunPaths, state: State, settings: Settings) -> list[str]:
    resume = resume_command(state.run_id, settings.out_dir)
    if state.status in ("stopped", "paused", "running"):
        return [f"go on: {resume}"]
    if state.status in ("failed", "refused"):
        return [f"events: {paths.events}", f"after mending the cause: {resume}"]
    steps = []
    for report in (paths.report_page(state.current_round), paths.report_text(state.current_round)):
        if report.exists():
            steps.append(f"read the report: {report}")
    if state.best is not None:
        steps.append(f"use the adapter: {paths.best_adapter} (its README.md shows how)")
    else:
        steps.append("try more samples (--samples), more rounds (--rounds) or another learning rate (--lr)")
    return steps
