"""A round's report as one HTML page that needs nothing else: no network, no script, no other file."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError
from autotrain.evaluate.answers import read_answer
from autotrain.evaluate.metrics import Graded, failure
from autotrain.evaluate.plots import Curve, plot_focus, plot_losses, plot_rounds
from autotrain.evaluate.report import AGAINST_BASE, PARTS, RATES, TITLES, show_interval
from autotrain.evaluate.statistics import SMALL
from autotrain.gate.verdict import Verdict
from autotrain.jsonl import BadLine, read_jsonl
from autotrain.monitor.records import Run, funnel, read_report
from autotrain.redact import plain
from autotrain.run.events import is_event
from autotrain.run.paths import RunPaths
from autotrain.run.state import DECIMALS, load_state
from autotrain.sample import Sample, parse_sample

SECTIONS = {
    "rounds": "Pass rate by round",
    "losses": "Losses",
    "samples": "What became of the samples",
    "groups": "By task type, concept and difficulty",
    "focus": "What the round aimed at, before and after",
    "benchmarks": "Benchmarks",
    "classes": "Why answers failed",
    "failures": "Failures to read",
    "recompute": "How to recompute",
}
FAILURES_SHOWN = 20
FOCUS_PLOTTED = 30
TEXT_SHOWN = 6000
# A curve has between half as many points and so many, however long the training was.
CURVE_POINTS = 500

# A counter of samples in words, in all, and by round.
Count = tuple[str, int | float, Mapping[int, int | float]]


def page_of(paths: RunPaths, round_number: int) -> str:
    """The page of a round, from the files in its run's folder; what cannot be read is named on it."""
    problems: list[str] = []
    reports = {}
    for number in range(1, round_number + 1):
        path = paths.report(number)
        if (report := read_report(path)) is not None:
            reports[number] = report
        else:
            what = "is damaged" if path.exists() else "is missing"
            problems.append(f"{path.name} {what}: the figures of round {number} are left out")
    counts: Sequence[Count] = ()
    try:
        state = load_state(paths.state)
        counts = funnel(Run(paths, state.status, state, {}))
    except AutotrainError:
        problems.append(f"{paths.state.name} is missing or damaged: what became of the samples is left out")
    failures: Sequence[tuple[Graded, bool]] = ()
    if round_number in reports:
        failures = _read_failures(paths, round_number, reports[round_number]["models"], problems)
    return to_html(
        round_number,
        reports,
        run_id=paths.root.resolve().name,
        curves=_read_curves(paths.events, problems),
        counts=counts,
        failures=failures,
        problems=problems,
    )


def to_html(
    round_number: int,
    reports: Mapping[int, Mapping[str, Any]],
    *,
    run_id: str = "",
    curves: Mapping[int, Curve] | None = None,
    counts: Sequence[Count] = (),
    failures: Sequence[tuple[Graded, bool]] = (),
    problems: Sequence[str] = (),
) -> str:
    """The page as text. `reports` are those of the rounds up to this one, each in the form of `is_report`.

    `failures` are answers to read, each with whether the base solves the item; `problems` what the page says of parts
    that could not be read.
    """
    from jinja2 import TemplateRuntimeError

    report, curves = reports.get(round_number), curves or {}
    page = _template().make_module(
        {
            "number": round_number,
            "report": report,
            "reports": reports,
            "run_id": run_id,
            "curves": curves,
            "counts": counts,
            "most": max((total for _, total, _ in counts), default=0) or 1,
            "shown": failures,
        }
    )
    plots: dict[str, Callable[[], Any]] = {
        "rounds": lambda: plot_rounds(reports),
        "losses": lambda: plot_losses(curves, reports),
        "focus": lambda: plot_focus(
            [(plain(str(_visible(name)), 36), one) for name, one in _aimed_at(report)[:FOCUS_PLOTTED]]
        ),
    }
    parts: dict[str, Any] = {}
    missing = dict.fromkeys(problems)
    for name in ("headline", *SECTIONS):
        try:
            parts[name] = getattr(page, name)(*([plots[name]()] if name in plots else []))
        # A foreign value in a report raises one of these where it is compared, formatted or drawn.
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError, TemplateRuntimeError):
            what = SECTIONS.get(name, "Verdict")
            missing[f"“{what}” is left out: what the reports say of it is not in their form"] = None
    return str(page.page(parts, SECTIONS, list(missing)))


def _template() -> Any:
    """page.html, whose macros are the sections and the whole."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, finalize=_visible
    )
    environment.filters.update(
        rate=show_interval, number=_number, percent="{:.1%}".format, p="{:.3g}".format, shortened=_shortened
    )
    environment.globals.update(
        files=RunPaths(Path()),
        titles=TITLES,
        rate_titles=RATES,
        part_titles=PARTS,
        against_base=AGAINST_BASE,
        small=SMALL,
        failure=failure,
        titles_of=lambda models: {role: title for role, title in TITLES.items() if role in models},
        corrected=_against_base,
        aimed_at=_aimed_at,
        groups_of=_groups,
        classes_of=_classes,
    )
    return environment.from_string(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))


def _visible(value: object) -> object:
    """Text with every character written out that a reader would not see, or a browser would obey."""
    # Markup is ours, and clean already.
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return _UNUSUAL.sub(lambda found: found[0] if found[0].isprintable() else _escaped(found[0]), value)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


_UNUSUAL = re.compile(r"[^\n\t -~]")


def _shortened(text: object) -> str:
    whole = str(text or "")
    more = len(whole) - TEXT_SHOWN
    return whole if more <= 0 else f"{whole[:TEXT_SHOWN]}\n… {more} more characters in the file"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


# ---------------------------------------------------------------------------------------------------
# Reading


def _objects(path: Path, problems: list[str]) -> Iterator[dict[str, Any]]:
    """The objects of a file; what cannot be read of it becomes a problem."""
    damaged = 0
    try:
        for _, value in read_jsonl(path):
            if isinstance(value, BadLine):
                damaged += 1
            else:
                yield value
    except OSError as error:
        problems.append(f"{path.name} cannot be read ({error.strerror}): what it would show is left out")
    if damaged:
        problems.append(f"{path.name}: damaged lines are left out ({damaged})")


def _read_curves(events: Path, problems: list[str]) -> dict[int, Curve]:
    """The training loss by step of each round, thinned out; a resumed training goes on at its checkpoint."""
    curves: dict[int, list[tuple[int, float]]] = {}
    steps: Counter[int] = Counter()
    loss: float | None = None
    for event in _objects(events, problems):
        if event.get("stage") != "train" or not is_event(event):
            continue
        number, delta = event["round"], event["counters_delta"]
        if "train_loss" in delta:
            loss = round((loss or 0.0) + delta["train_loss"], DECIMALS)
        steps[number] += int(delta.get("train_step", 0))
        if loss is None or delta.get("train_step", 0) <= 0:
            continue
        curve = curves.setdefault(number, [])
        while curve and curve[-1][0] >= steps[number]:
            curve.pop()
        curve.append((steps[number], loss))
        if len(curve) > CURVE_POINTS:
            del curve[1::2]
    return dict(curves)


def _read_failures(
    paths: RunPaths, number: int, models: Mapping[str, Any], problems: list[str]
) -> list[tuple[Graded, bool]]:
    """Failed answers of the round's adapter to held-out items, each with whether the base solves it."""
    samples = {}
    for value in _objects(paths.val(number), problems):
        if isinstance(sample := parse_sample(value, 0), Sample):
            samples[sample.id] = sample
        else:
            problems.append(f"{paths.val(number).name}: lines that are no samples are left out")
    base, new = (models[role].get("name") for role in ("base", "new"))
    solved: set[str] = set()
    failed: list[tuple[str, Graded]] = []
    for value in _objects(paths.answers(number), problems):
        # A benchmark's items are elsewhere, and of the answers drawn at random none is the model's own choice.
        if value.get("draw") or value.get("model") not in (base, new) or str(value.get("item")) not in samples:
            continue
        try:
            verdict = Verdict(**_known(value["verdict"]))
            if (answer := read_answer(value)) is None:
                raise TypeError("no answer")
            graded = Graded(samples[answer.item], answer, verdict)
            kind = failure(graded)
        except (LookupError, TypeError, AttributeError):
            problems.append(f"{paths.answers(number).name}: lines that are no answers are left out")
            continue
        if verdict.passed is True and value["model"] == base:
            solved.add(graded.sample.id)
        elif verdict.passed is False and value["model"] == new:
            failed.append((kind, graded))
    return _chosen(failed, solved)


def _known(verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: verdict[field.name] for field in fields(Verdict) if field.name in verdict}


def _chosen(failed: Sequence[tuple[str, Graded]], solved: Collection[str]) -> list[tuple[Graded, bool]]:
    """Some to read: those that the base solves first, and every class of failure in turn."""
    seen: Counter[tuple[bool, str]] = Counter()
    ordered = []
    for kind, graded in sorted(failed, key=lambda pair: pair[1].sample.id):
        lost = graded.sample.id in solved
        ordered.append(((not lost, seen[lost, kind], kind), graded, lost))
        seen[lost, kind] += 1
    ordered.sort(key=lambda one: one[0])
    return [(graded, lost) for _, graded, lost in ordered[:FAILURES_SHOWN]]


# ---------------------------------------------------------------------------------------------------
# What the template asks for


def _against_base(
    report: Mapping[str, Any] | None, reports: Mapping[int, Mapping[str, Any]]
) -> dict[int, Mapping[str, Any] | None]:
    """Each round's adapter against the base: as the newest report has it, corrected, or else as its own."""
    found = {number: one["comparisons"].get(AGAINST_BASE) for number, one in reports.items()}
    found |= {one["round"]: one for one in (report or {}).get("rounds") or ()}
    return dict(sorted(found.items()))


def _aimed_at(report: Mapping[str, Any] | None) -> list[tuple[str, Mapping[str, Any]]]:
    """What the round aimed at, the heaviest first, with weight, before and after."""
    names = ((report or {}).get("focus") or {}).get("names") or {}
    return sorted(names.items(), key=lambda item: (-item[1]["weight"], item[0]))


def _groups(models: Mapping[str, Any], key: str) -> list[tuple[str, list[Any]]]:
    """Each group of items with the models' metrics of it, the largest first."""
    parts = [models[role].get(key) or {} for role in TITLES if role in models]
    return sorted(_side_by_side(parts), key=lambda row: -max(metrics["items"] for metrics in row[1] if metrics))


def _classes(models: Mapping[str, Any]) -> list[tuple[str, list[Any]]]:
    """Each class of failure with how often the models failed so, the most frequent first."""
    parts = [models[role]["total"].get("failures") or {} for role in TITLES if role in models]
    return sorted(_side_by_side(parts), key=lambda row: -max(count or 0 for count in row[1]))


def _side_by_side(parts: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    return [(name, [part.get(name) for part in parts]) for name in sorted({name for part in parts for name in part})]
