"""A round's report as one HTML page that needs nothing else: no network, no script, no other file."""

import io
import re
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from autotrain.errors import AutotrainError
from autotrain.evaluate.answers import read_answer
from autotrain.evaluate.metrics import Graded, failure
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
# To be seen on white and on black; markers tell them apart where colours do not.
COLOURS = {"base": "#868b94", "best": "#c07d00", "new": "#3b82f6"}
MARKERS = {"base": "s", "best": "D", "new": "o"}

# A round's (step, training loss) in the order of the steps.
Curve = Sequence[tuple[int, float]]
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
        "rounds": lambda: _plot_rounds(reports),
        "losses": lambda: _plot_losses(curves, reports),
        "focus": lambda: _plot_focus(_aimed_at(report)[:FOCUS_PLOTTED]),
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


# ---------------------------------------------------------------------------------------------------
# Plots


def _plot_rounds(reports: Mapping[int, Mapping[str, Any]]) -> Any:
    points: dict[str, list[tuple[float, Mapping[str, Any]]]] = {}
    for shift, role in zip((-0.12, 0.0, 0.12), TITLES, strict=True):
        models = {number: report["models"].get(role) for number, report in sorted(reports.items())}
        rates = {number + shift: model["total"]["pass_at_1"] for number, model in models.items() if model}
        points[role] = [(place, rate) for place, rate in rates.items() if rate is not None]

    def draw(axes: Any) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        for role, found in points.items():
            values, bars = _bars([rate for _, rate in found])
            if found:
                axes.errorbar([place for place, _ in found], values, yerr=bars, label=TITLES[role], **_style(role))
        axes.set_xlim(min(reports) - 0.5, max(reports) + 0.5)
        highest = max(rate["high"] for found in points.values() for _, rate in found)
        axes.set_ylim(0, max(0.1, min(1.0, 1.1 * highest)))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set(xlabel="round", ylabel="pass rate")

    return _svg("pass rate by round, with 95 % intervals", 3.4, draw) if any(points.values()) else None


def _plot_losses(curves: Mapping[int, Curve], reports: Mapping[int, Mapping[str, Any]]) -> Any:
    ends: dict[int, int] = {}
    for number, curve in sorted(curves.items()):
        ends[number] = max(ends.values(), default=0) + curve[-1][0]

    def draw(axes: Any) -> None:
        for number, curve in sorted(curves.items()):
            start = ends[number] - curve[-1][0]
            places = [start + step for step, _ in curve]
            # One step alone is no line.
            style = {"marker": "." if len(curve) == 1 else "", "label": "training" if start == 0 else None}
            axes.plot(places, [loss for _, loss in curve], color=COLOURS["new"], linewidth=1, **style)
            axes.axvline(ends[number], color=COLOURS["base"], linewidth=0.8, linestyle=":")
            if len(curves) <= 12:
                middle = (start + ends[number]) / 2
                axes.text(middle, 1.02, f"round {number}", ha="center", transform=axes.get_xaxis_transform())
        for role, title in TITLES.items():
            models = {number: reports[number]["models"].get(role) for number in ends if number in reports}
            losses = {ends[number]: model["total"]["validation_loss"] for number, model in models.items() if model}
            known = {place: loss for place, loss in losses.items() if loss is not None}
            if known:
                axes.errorbar(list(known), list(known.values()), label=f"held out, {title}", **_style(role))
        axes.set_xlim(0, 1.02 * max(ends.values()))
        axes.set_ylim(bottom=0)
        axes.set(xlabel="optimizer steps, the rounds one after another", ylabel="loss, nats a token")

    return _svg("training loss by step, and held-out loss after each round", 3.4, draw) if curves else None


def _plot_focus(names: Sequence[tuple[str, Mapping[str, Any]]]) -> Any:
    sides = {"before": ("base", -0.17), "after": ("new", 0.17)}

    def draw(axes: Any) -> None:
        from matplotlib.ticker import PercentFormatter

        for side, (role, shift) in sides.items():
            found = {place + shift: one[side] for place, (_, one) in enumerate(names) if one[side] is not None}
            values, bars = _bars(list(found.values()))
            if found:
                axes.errorbar(values, list(found), xerr=bars, label=side, **_style(role))
        labels = [f"{plain(str(_visible(name)), 36)}  {one['weight']:g}×" for name, one in names]
        axes.set_yticks(range(len(names)), labels)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 1.02)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("pass rate")

    measured = any(one[side] is not None for _, one in names for side in sides)
    return _svg("pass rate before and after, by weight", 1.1 + 0.34 * len(names), draw) if measured else None


def _style(role: str) -> dict[str, Any]:
    return {"fmt": MARKERS[role], "color": COLOURS[role], "markersize": 5, "capsize": 3}


def _bars(rates: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[list[float]]]:
    """The values, and how far their intervals reach down and up."""
    # Rounded figures: an end may come to lie a hair on the wrong side.
    down = [max(0.0, rate["value"] - rate["low"]) for rate in rates]
    up = [max(0.0, rate["high"] - rate["value"]) for rate in rates]
    return [rate["value"] for rate in rates], [down, up]


def _svg(title: str, height: float, draw: Callable[[Any], None]) -> Any:
    """A plot as an SVG element within HTML: nothing declared that HTML knows, and no id but those in use."""
    import matplotlib.style
    from markupsafe import Markup
    from matplotlib.figure import Figure

    settings = {"svg.fonttype": "none", "svg.hashsalt": title, "text.parse_math": False, "font.size": 10}
    with warnings.catch_warnings(), matplotlib.style.context(["default", settings]):
        # Text is measured in a font that lacks some scripts. The browser that shows it has its own.
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(7.2, height), layout="constrained")
        axes = figure.add_subplot()
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["bottom", "left"]].set_color(COLOURS["base"])
        axes.tick_params(color=COLOURS["base"])
        axes.grid(color=COLOURS["base"], alpha=0.25, linewidth=0.6)
        draw(axes)
        figure.legend(loc="outside upper left", ncols=4, frameon=False)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(stream.getvalue())
    for parent in list(root.iter()):
        for child in [one for one in parent if one.tag.endswith(("}metadata", "}style"))]:
            parent.remove(child)
    values = [value for element in root.iter() for name, value in element.items() if name != "id"]
    used = {name for value in values for name in re.findall(r"#([\w-]+)", value)}
    for element in root.iter():
        kept = {name.rpartition("}")[2]: value for name, value in element.items() if name != "id" or value in used}
        element.tag, element.attrib = element.tag.rpartition("}")[2], kept
    root.attrib = {"viewBox": root.get("viewBox", ""), "role": "img", "aria-label": title}
    return Markup(ElementTree.tostring(root, encoding="unicode"))
