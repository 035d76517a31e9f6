"""Small charts as text, and the way to show any text in pure ASCII."""

from collections.abc import Sequence
from itertools import pairwise

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
    (left, right), (low, high) = ((min(axis), max(axis)) for axis in zip(*points, strict=True))
    if high == low:
        margin = abs(high) * 0.1 or 1.0
        low, high = low - margin, high + margin
    labels = [f"{high - (high - low) * row / max(1, height - 2):.3g}" for row in range(height - 1)]
    margin_width = max(len(label) for label in labels) + 1
    columns, rows = max(1, width - margin_width - 1), height - 1
    # A character has two columns and four rows of dots.
    across, down = (1, 1) if ascii_only else (2, 4)
    dots = [
        (
            round((x - left) / ((right - left) or 1.0) * (columns * across - 1)),
            round((high - y) / (high - low) * (rows * down - 1)),
        )
        for x, y in points
    ]
    drawn = _marked(dots, columns, rows) if ascii_only else _joined(dots, columns, rows)
    axis = "|" if ascii_only else "│"
    lines = [f"{label:>{margin_width - 1}} {axis}{row}" for label, row in zip(labels, drawn, strict=True)]
    first, last = f"{left:g}", f"{right:g}"
    gap = width - margin_width - 1 - len(first) - len(last)
    lines.append(" " * (margin_width + 1) + first + " " * max(1, gap) + last)
    return lines


def _marked(dots: Sequence[tuple[int, int]], columns: int, rows: int) -> list[str]:
    cells = [[" "] * columns for _ in range(rows)]
    for x, y in dots:
        cells[y][x] = "*"
    return ["".join(row) for row in cells]


def _joined(dots: Sequence[tuple[int, int]], columns: int, rows: int) -> list[str]:
    """Straight lines from dot to dot, in Braille characters."""
    cells = [[0] * columns for _ in range(rows)]
    for (x, y), (next_x, next_y) in zip(dots, [*dots[1:], dots[-1]], strict=True):
        steps = max(abs(next_x - x), abs(next_y - y), 1)
        for step in range(steps + 1):
            at_x, at_y = x + round((next_x - x) * step / steps), y + round((next_y - y) * step / steps)
            cells[at_y // 4][at_x // 2] |= _DOTS[at_y % 4][at_x % 2]
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in row) for row in cells]


# The bits of U+2800 and what follows, row by row.
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


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
