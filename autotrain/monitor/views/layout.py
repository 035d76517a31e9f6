"""Lines of text, below and beside one another. A view is a list of them: rich's tables take ten times as long."""

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

Line = Text
Cell = Text | str
TITLE_WIDTH = 11


def plain_console(width: int) -> Console:
    """A console that takes every text as it is: no markup, no emoji codes, no colours of its own."""
    return Console(width=width, markup=False, emoji=False, highlight=False)


def grid(rows: Sequence[Sequence[Cell]], right: Sequence[int] = (), gap: int = 2) -> list[Line]:
    """Rows whose cells stand in columns as wide as their widest; those numbered in `right` end where it ends."""
    widths: list[int] = []
    for row in rows:
        for index, cell in enumerate(row):
            width = cell.cell_len if isinstance(cell, Text) else cell_len(cell)
            if index == len(widths):
                widths.append(0)
            widths[index] = max(widths[index], width)
    lines = []
    for row in rows:
        line = Text()
        for index, cell in enumerate(row):
            width = cell.cell_len if isinstance(cell, Text) else cell_len(cell)
            space = " " * (widths[index] - width)
            line.append(space if index in right else "")
            line.append_text(cell) if isinstance(cell, Text) else line.append(cell)
            line.append(("" if index in right else space) + " " * gap)
        line.rstrip()
        lines.append(line)
    return lines


def wrapped(text: Cell, width: int) -> list[Line]:
    """A long text as lines of at most `width` cells."""
    text = Text(text) if isinstance(text, str) else text
    return list(text.wrap(_CONSOLE, max(1, width)))


def titled(title: str, lines: Sequence[Line]) -> list[Line]:
    """Lines behind a title at the left."""
    found = []
    for index, line in enumerate(lines or [Text()]):
        start = Text.assemble((f"{title if index == 0 else '':<{TITLE_WIDTH}}", "bold cyan"))
        found.append(start.append_text(line))
    return found


def side_by_side(left: Sequence[Line], right: Sequence[Line], width: int) -> list[Line]:
    """Two columns, the left one `width` cells wide."""
    lines = []
    for index in range(max(len(left), len(right))):
        line = Text().append_text(left[index]) if index < len(left) else Text()
        line.truncate(width - 2, overflow="ellipsis")
        line.append(" " * (width - line.cell_len))
        lines.append(line.append_text(right[index]) if index < len(right) else line)
    return lines


_CONSOLE = plain_console(80)
