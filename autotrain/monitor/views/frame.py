"""The whole screen: header, the part of the view that is seen, footer."""

from collections.abc import Callable, Sequence

from rich.cells import cell_len
from rich.text import Text

from autotrain.monitor.charts import to_ascii
from autotrain.monitor.snapshot import Snapshot, elapsed, rounds_asked, run_left
from autotrain.monitor.views.evaluation import evaluation
from autotrain.monitor.views.events import events, matching, seen
from autotrain.monitor.views.layout import Line, wrapped
from autotrain.monitor.views.overview import overview
from autotrain.monitor.views.page import EVENTS_VIEW, VIEWS, Page
from autotrain.monitor.views.teacher import teacher
from autotrain.monitor.views.trainer import trainer
from autotrain.monitor.views.words import about, count, duration

CONDITION_STYLES = {
    "running": "bold green",
    "completed": "bold green",
    "refused": "bold red",
    "failed": "bold red",
    "damaged": "bold red",
    "dead": "bold reverse red",
}

HELP = """
1 … 5          Overview, Teacher, Trainer, Events, Evaluation & configuration
Tab Shift-Tab  the next view, the one before
↑ ↓  k j       scroll a line
PgUp PgDn      scroll a page (also b and Space)
Home End       to the top, to the bottom (also g and G)
/              Events: show only what holds a text; Enter keeps it, Esc drops it
r              look at the files now
?              this help; any key goes back
q              quit (also Ctrl-C); the run goes on
Ctrl-Z         to the shell; its command fg comes back

The dashboard only reads. To start, stop, pause or resume a run, in another terminal:
python scripts/menu.py    or    python -m autotrain.control stop|pause|resume

— stands for a figure that was not reported; none is ever shown as zero."""


def frame(snapshot: Snapshot, page: Page) -> tuple[list[Line], int]:
    """The screen as `page.height` lines of `page.width` cells, and how far the view can be scrolled."""
    if page.view == EVENTS_VIEW and not page.help:
        body, most = seen(matching(snapshot.events, page.wanted), page)
    else:
        whole = body_of(snapshot, page)
        most = max(0, len(whole) - page.room)
        first = min(page.scroll, most)
        body = whole[first : first + page.room]
    body += [Text()] * (page.room - len(body))
    lines = [*header_of(snapshot, page), *body, footer_of(page, most)][: page.height]
    return [fitted(line, page) for line in lines], most


def fitted(line: Line, page: Page) -> Line:
    """A line exactly as wide as the page, without a character that its terminal does not have."""
    line = line.copy()
    line.truncate(page.width, overflow="ellipsis", pad=True)
    if page.ascii_only:
        # A character may have been two cells wide, or none.
        line.plain = to_ascii(line.plain)
        line.truncate(page.width, overflow="crop", pad=True)
    return line


def body_of(snapshot: Snapshot, page: Page) -> list[Line]:
    """All of a view, as long as it is."""
    if page.help:
        return [line for text in HELP.splitlines() for line in wrapped(text, page.width) or [Text()]]
    if snapshot.state is None and page.view != EVENTS_VIEW:
        return [Text(), *(line for text in _nothing(snapshot).splitlines() for line in wrapped(text, page.width))]
    views: Sequence[Callable[[Snapshot, Page], list[Line]]] = (overview, teacher, trainer, events, evaluation)
    return views[page.view - 1](snapshot, page)


def _nothing(snapshot: Snapshot) -> str:
    if snapshot.condition != "none":
        return f"{snapshot.run_id or 'OUT_DIR'}: {snapshot.problem}"
    return (
        f"There is no run in {snapshot.out_dir} yet. It appears here when it starts, in another terminal:\n\n"
        "  python scripts/menu.py    or    ./scripts/loop.sh --preset cpu\n\n"
        "Runs in another folder: --out-dir DIR"
    )


def header_of(snapshot: Snapshot, page: Page) -> list[Line]:
    """One line on the run, one with the views."""
    state, of = snapshot.state, rounds_asked(snapshot)
    word = "no run yet" if snapshot.condition == "none" else snapshot.condition.upper()
    first = Text.assemble(
        (f"{snapshot.run_id or 'autotrain'}  ", "bold"),
        (word, CONDITION_STYLES.get(snapshot.condition, "bold yellow")),
    )
    if state is not None:
        first.append(f"  round {state.current_round}" + (f" of {count(of)}" if of is not None else ""))
        first.append(f", {state.current_stage}" if snapshot.alive and state.current_stage else "")
        first.append(f"  {duration(elapsed(snapshot))}")
        left = run_left(snapshot)
        first.append(f", {about(left)} left" if left is not None else "")
    second = Text()
    for number, name in enumerate(VIEWS, start=1):
        title = name if page.width >= 90 else name.replace("configuration", "config")
        second.append(f" {number} {title} ", "reverse" if number == page.view and not page.help else "")
    return [first, second]


def footer_of(page: Page, most: int) -> Line:
    """The keys, and where in a long view we are."""
    at = min(page.scroll, most)
    if page.view == EVENTS_VIEW:
        keys, place = "/ filter", f"{at} back of {most}" if at else "newest"
        place = f"‘{page.wanted}’ {place}" if page.wanted else place
    else:
        keys, place = "/ filter events", f"{at}/{most}" if most else ""
    line = Text(f"q quit  r refresh  1-5 views  ↑↓ PgUp PgDn scroll  {keys}  ? help", "dim")
    line.truncate(page.width - cell_len(place) - 1, overflow="ellipsis", pad=True)
    return line.append(f" {place}", "not dim")
