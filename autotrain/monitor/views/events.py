"""View 4: what happened, a line an event."""

import time
from collections.abc import Sequence

from rich.text import Text

from autotrain.monitor.snapshot import Event, Snapshot
from autotrain.monitor.views.layout import Line, wrapped
from autotrain.monitor.views.page import Page
from autotrain.monitor.views.words import ABSENT

# From here on there is room for an event's kind beside what it says.
WITH_KIND = 100
BRIEF_INDENT, INDENT = 22, 42
LEVEL_STYLES = {"error": "red", "warn": "yellow", "success": "green"}


def events(snapshot: Snapshot, page: Page) -> list[Line]:
    """All events kept that match the filter, oldest first."""
    return whole_lines(matching(snapshot.events, page.wanted), page)


def seen(found: Sequence[Event], page: Page) -> tuple[list[Line], int]:
    """The lines that the page has room for, and how many events back it can be scrolled.

    Scrolled from the end: the newest line is the last, as in a log. Only what is seen is made.
    """
    room = page.room
    oldest, lines = 0, 0
    while oldest < min(len(found), room) and lines < room:
        lines += len(whole_lines(found[oldest : oldest + 1], page))
        oldest += lines <= room
    most = len(found) - max(1, oldest) if found else 0
    last = len(found) - min(page.scroll, most)
    return whole_lines(found[max(0, last - room) : last], page)[-room:], most


def matching(found: Sequence[Event], wanted: str) -> Sequence[Event]:
    """The events that hold a text, whatever its case, in any of their columns."""
    if not wanted:
        return found
    text = wanted.lower()
    return [event for event in found if text in f"{_place(event)} {event.level} {event.kind} {event.message}".lower()]


def whole_lines(found: Sequence[Event], page: Page) -> list[Line]:
    """Each event with all of its message, in as many lines as that takes."""
    brief = page.width < WITH_KIND
    lines: list[Line] = []
    for line in event_lines(found, brief):
        if line.cell_len <= page.width:
            lines.append(line)
            continue
        indent = (BRIEF_INDENT if brief else INDENT) if page.width > 2 * BRIEF_INDENT else 0
        start, *rest = line.divide([indent]) if indent else (Text(), line)
        parts = wrapped(rest[0], page.width - indent)
        lines += [(start if number == 0 else Text(" " * indent)).append_text(part) for number, part in enumerate(parts)]
    return lines


def event_lines(found: Sequence[Event], brief: bool = False) -> list[Line]:
    """The time (of this machine's zone), round and stage, kind unless `brief`, and message of each."""
    return [_line(event, brief) for event in found] or [Text(ABSENT)]


def _line(event: Event, brief: bool) -> Line:
    kind = "" if brief else f"{event.kind:<18.17}"
    return Text.assemble(
        (time.strftime("%H:%M:%S ", time.localtime(event.at)), "dim"),
        f"{_place(event):<13.12}" if brief else f"{_place(event):<15.14}",
        (kind, "dim"),
        (event.message, LEVEL_STYLES.get(event.level, "")),
    )


def _place(event: Event) -> str:
    if not event.round_number:
        return event.stage or "run"
    return f"r{event.round_number} {event.stage}".strip()
