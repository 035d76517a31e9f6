"""Small charts as text, and the way to show any text in pure ASCII."""

from collections.abc import Sequence
from itertools import pairwise

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.segment import Segment

RAMP = "▁▂▃▄▅▆▇█"
FILLED, EMPTY = "█", "░"


def sparkline(values: Sequence[float], width: int) -> str:
    """The values from left to right as columns of eight heights; neighbours are averaged where there are too many."""
    if not values or width < 1:
        return ""
    means = shrink(values, width)
    low, high = min(means), max(means)
    span = high - low or 1.0
    return "".join(RAMP[round((mean - low) / span * (len(RAMP) - 1))] for mean in means)


def shrink(values: Sequence[float], count: int) -> list[float]:
    """At most `count` means of neighbouring values."""
    if len(values) <= count:
        return list(values)
    edges = [index * len(values) // count for index in range(count + 1)]
    return [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]


def bar(share: float, width: int) -> str:
    """A bar filled to `share`, from 0 to 1."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return FILLED * filled + EMPTY * (width - filled)


def curve(points: Sequence[tuple[float, float]], width: int, height: int, ascii_only: bool) -> list[str]:
    """Lines of a curve through `points` (x, y), with the values of y at the left and of x below."""
    import plotille

    lows_and_highs = [(min(axis), max(axis)) for axis in zip(*points, strict=True)]
    (left, right), (low, high) = lows_and_highs
    if high == low:
        margin = abs(high) * 0.1 or 1.0
        low, high = low - margin, high + margin
    # A point on the very edge of a canvas is not drawn.
    edge = (high - low) / 100
    values = [high - (high - low) * row / max(1, height - 2) for row in range(height - 1)]
    # What is nothing but an error of rounding is zero.
    labels = [f"{0 if abs(value) < (high - low) / 1e6 else value:.3g}" for value in values]
    margin_width = max(len(label) for label in labels) + 1
    canvas = plotille.Canvas(
        max(1, width - margin_width - 1),
        height - 1,
        xmin=left,
        ymin=low - edge,
        xmax=right + max(right - left, 1) / 1000,
        ymax=high + edge,
    )
    if ascii_only:
        for x, y in points:
            canvas.point(x, y, marker="*")
    else:
        for (x, y), (next_x, next_y) in zip(points, [*points[1:], points[-1]], strict=True):
            canvas.line(x, y, next_x, next_y)
    rows = canvas.plot().replace("\u2800", " ").splitlines()[: height - 1]
    axis = "|" if ascii_only else "│"
    lines = [f"{label:>{margin_width - 1}} {axis}{row}" for label, row in zip(labels, rows, strict=False)]
    first, last = f"{left:g}", f"{right:g}"
    gap = width - margin_width - 1 - len(first) - len(last)
    lines.append(" " * (margin_width + 1) + first + " " * max(1, gap) + last)
    return lines


# ---------------------------------------------------------------------------------------------------
# Pure ASCII

_SIMPLER = {
    **dict(zip(RAMP, "_.,-=+*#", strict=True)),
    **dict.fromkeys("─━═╌╴╶╸╺·–—", "-"),
    **dict.fromkeys("│┃║╎", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╭╮╰╯┏┓┗┛", "+"),
    **dict.fromkeys("‘’", "'"),
    **dict.fromkeys("“”", '"'),
    **dict.fromkeys("\u00a0\u2007\u202f\u2009°", " "),
    **dict(zip(f"{FILLED}{EMPTY}…→×↑↓‖✔✘▶●", "#.~>x^v=vx>*", strict=True)),
}


def to_ascii(text: str) -> str:
    """`text`, character by character, without one outside ASCII."""
    if text.isascii():
        return text
    return "".join(letter if letter.isascii() else _SIMPLER.get(letter, "?") for letter in text)


class InAscii:
    """Shows what it holds in pure ASCII, for terminals and fonts that have nothing else."""

    def __init__(self, renderable: RenderableType) -> None:
        self._renderable = renderable

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for text, style, control in console.render(self._renderable, options):
            yield Segment(to_ascii(text), style, control)
