"""View 4: what happened, a line an event."""

import time
from collections.abc import Sequence

from rich.text import Text

from autotrain.monitor.snapshot import Event, Snapshot
from autotrain.monitor.views.layout import Line
from autotrain.monitor.views.page import Page
from autotrain.monitor.views.words import ABSENT

LEVEL_STYLES = {"error": "red", "warn": "yellow", "success": "green"}


def events(snapshot: Snapshot, page: Page) -> list[Line]:
    """All events kept that match the filter, oldest first."""
    return event_lines(matching(snapshot.events, page.wanted))


def matching(found: Sequence[Event], wanted: str) -> Sequence[Event]:
    """The events that hold a text, whatever its case, in any of their columns."""
    if not wanted:
        return found
    text = wanted.lower()
    return [event for event in found if text in f"{_place(event)} {event.level} {event.kind} {event.message}".lower()]


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
