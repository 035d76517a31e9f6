"""The live screen: Textual reads the keys and keeps the terminal, `frame` says what stands on it."""

import asyncio
import signal
from dataclasses import replace
from typing import Any, ClassVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget
from textual.widgets import Input

from autotrain.monitor.follow import Follower
from autotrain.monitor.views.frame import frame
from autotrain.monitor.views.page import EVENTS_VIEW, VIEWS, Page


def show(follower: Follower, page: Page, refresh: float) -> int:
    """Show the run until the user quits or the process is asked to end; return the exit status.

    The terminal is left as it was. The mouse stays with it, so that text can be marked and copied.
    """
    app = Dashboard(follower, page, refresh)
    app.run(mouse=False)
    return app.return_code or 0


class Screenful(Widget):
    """The lines of the frame, shown as they are."""

    strips: reactive[list[Strip]] = reactive(list)

    class Fitted(Message):
        """It has another size now."""

    def on_resize(self) -> None:
        self.post_message(self.Fitted())

    def render_line(self, y: int) -> Strip:
        return self.strips[y] if y < len(self.strips) else Strip.blank(self.size.width)


class Dashboard(App[None]):
    """Keys change the page, the clock changes the snapshot; either draws the frame anew."""

    ENABLE_COMMAND_PALETTE = False
    AUTO_FOCUS = None
    CSS = """
    Screenful { height: 1fr; }
    Input { dock: bottom; display: none; height: 1; border: none; padding: 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,ctrl+c", "quit"),
        Binding("ctrl+z", "suspend_process"),
        Binding("r", "look"),
        *(Binding(str(number), f"view({number})") for number in range(1, len(VIEWS) + 1)),
        Binding("tab", "turn(1)", priority=True),
        Binding("shift+tab", "turn(-1)", priority=True),
        Binding("up,k", "move(-1)"),
        Binding("down,j", "move(1)"),
        Binding("pageup,b", "move_page(-1)"),
        Binding("pagedown,space", "move_page(1)"),
        Binding("home,g", "move(-1000000)"),
        Binding("end,G", "move(1000000)"),
        Binding("slash", "filter"),
        Binding("escape", "drop"),
        Binding("question_mark", "help"),
    ]

    def __init__(self, follower: Follower, page: Page, refresh: float) -> None:
        super().__init__(ansi_color=True)
        self._follower = follower
        self._page = page
        self._seconds = refresh
        self._snapshot = follower.look()
        self._most = 0

    def compose(self) -> ComposeResult:
        yield Screenful()
        yield Input(placeholder="show only events that hold this text", select_on_focus=False)

    def on_mount(self) -> None:
        for number in (signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._end, 128 + number)
        self.set_interval(self._seconds, self.action_look)
        # What the shell left on the terminal is not what Textual believes to be there.
        self.app_resume_signal.subscribe(self, lambda _: self.query_one(Screenful).refresh())

    def _end(self, status: int) -> None:
        self.exit(return_code=status)

    # What is seen

    @on(Screenful.Fitted)
    def action_look(self) -> None:
        self._snapshot = self._follower.look()
        self._draw()

    def _draw(self, **changes: Any) -> None:
        screenful = self.query_one(Screenful)
        self._page = replace(self._page, width=screenful.size.width, height=screenful.size.height, **changes)
        if self._page.width and self._page.height:
            lines, self._most = frame(self._snapshot, self._page)
            screenful.strips = [Strip(line.render(self.console), self._page.width) for line in lines]

    # Keys

    def action_view(self, number: int) -> None:
        self._draw(view=number, scroll=0, help=False)

    def action_turn(self, by: int) -> None:
        self.action_view((self._page.view - 1 + by) % len(VIEWS) + 1)

    def action_move(self, lines: int) -> None:
        # The events are scrolled from their end.
        down = -lines if self._page.view == EVENTS_VIEW else lines
        at = min(self._page.scroll, self._most)
        self._draw(scroll=min(max(at + down, 0), self._most), help=False)

    def action_move_page(self, pages: int) -> None:
        self.action_move(pages * max(1, self._page.room - 1))

    def action_help(self) -> None:
        self._draw(help=not self._page.help)

    def on_key(self) -> None:
        if self._page.help:
            self._draw(help=False)

    # The filter of the events

    def action_filter(self) -> None:
        self.action_view(EVENTS_VIEW)
        line = self.query_one(Input)
        line.value = self._page.wanted
        line.display = True
        line.focus()

    @on(Input.Changed)
    def take_filter(self, message: Input.Changed) -> None:
        self._draw(wanted=message.value, scroll=0)

    @on(Input.Submitted)
    def keep_filter(self) -> None:
        self.query_one(Input).display = False
        self.set_focus(None)

    def action_drop(self) -> None:
        self.query_one(Input).value = ""
        self.keep_filter()
        self._draw(wanted="", help=False)
