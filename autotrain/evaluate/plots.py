"""The plots of a round's page, each an SVG element that stands within HTML."""

import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from autotrain.evaluate.report import TITLES

# To be seen on white and on black; markers tell them apart where colours do not.
COLOURS = {"base": "#868b94", "best": "#c07d00", "new": "#3b82f6"}
MARKERS = {"base": "s", "best": "D", "new": "o"}

# A round's (step, training loss) in the order of the steps.
Curve = Sequence[tuple[int, float]]


def plot_rounds(reports: Mapping[int, Mapping[str, Any]]) -> Any:
    """Each model's pass rate by round; None where no answer was run."""
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


def plot_losses(curves: Mapping[int, Curve], reports: Mapping[int, Mapping[str, Any]]) -> Any:
    """The training loss of all rounds one after another, and the held-out loss after each; None without a curve."""
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


def plot_focus(names: Sequence[tuple[str, Mapping[str, Any]]]) -> Any:
    """The pass rates of what a round aimed at, by name, before and after; None where neither was measured."""
    sides = {"before": ("base", -0.17), "after": ("new", 0.17)}

    def draw(axes: Any) -> None:
        from matplotlib.ticker import PercentFormatter

        for side, (role, shift) in sides.items():
            found = {place + shift: one[side] for place, (_, one) in enumerate(names) if one[side] is not None}
            values, bars = _bars(list(found.values()))
            if found:
                axes.errorbar(values, list(found), xerr=bars, label=side, **_style(role))
        labels = [f"{name}  {one['weight']:g}×" for name, one in names]
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
