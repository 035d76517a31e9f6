"""The menu for people: its first screen, and the program that shows them all."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from autotrain.errors import AutotrainError
from autotrain.monitor.menu.form import ConfigForm, StartForm
from autotrain.monitor.menu.launch import Item, look_around
from autotrain.monitor.menu.launch_pages import RunsPage
from autotrain.monitor.menu.page import AskPage, Line, Page, numbers
from autotrain.monitor.menu.settings_pages import ConfigPage, PresetPage
from autotrain.run.control import Action, Standing, ask
from autotrain.run.paths import OutPaths

REFRESH_SECONDS = 1.0
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Of the terminal's own sixteen.
GREEN, YELLOW, RED = "ansi_green", "ansi_yellow", "ansi_red"
COLOURS = {"running": GREEN, "completed": GREEN, "paused": YELLOW, "stopping": YELLOW, "stopped": YELLOW}
# What our own texts hold beyond ASCII; anything else becomes a question mark.
ASCII = str.maketrans({"×": "x", "→": ">", "…": ".", "–": "-", "·": "-"})


def open_menu(out: OutPaths, loop: Path, ascii_only: bool) -> int:
    """Show the menu until it is left; return the exit status (128 + N where signal N ended it)."""
    menu = Menu(out, loop, ascii_only)
    # Without the mouse the terminal's own selecting and copying works.
    menu.run(mouse=False)
    return menu.return_code or 0


class MainPage(Page):
    """The eight items, and how the run stands."""

    BINDINGS: ClassVar[list[BindingType]] = [*numbers(8), Binding("q", "app.leave", show=False)]
    keys = "1-8, or Up/Down and Enter: choose    q: quit (a running loop goes on)"
    standing: Standing | None = None
    items: Sequence[Item] = ()

    def begin(self) -> None:
        self.put("#title", f"Heidi AutoTrain    {self.menu.out.root}")
        self.look()
        self.set_interval(REFRESH_SECONDS, self.look)

    def on_screen_resume(self) -> None:
        self.look()

    def look(self) -> None:
        """Read how things stand, and show it."""
        if not self.is_current:
            return
        try:
            self.standing, self.items = look_around(self.menu.out)
        except OSError as error:
            self.put("#status", f"{self.menu.out.root} cannot be read: {error.strerror}", RED)
            return
        standing = self.standing
        if standing is None:
            self.put("#status", "no run yet", "dim")
        else:
            hint = "; 2 goes on with it" if standing.condition == "dead" else ""
            self.put("#status", f"{standing}{hint}", COLOURS.get(standing.condition, RED))
        lines: list[Line] = []
        for number, item in enumerate(self.items, start=1):
            reason = item.reason
            if reason is not None:
                reason = f"{' ' * (22 - len(item.label))}({self.shortened(reason)})"
            lines.append((f"{number}  {item.label}", reason))
        self.fill(lines)

    def shortened(self, reason: str) -> str:
        """A reason without what stands at the top of the page anyway, and without its remedy."""
        if self.standing is not None:
            reason = reason.removeprefix(f"{self.standing.run_id} ").removeprefix("is ")
        return reason.partition(";")[0].replace(f" in {self.menu.out.root}", "")

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        self.look()
        item = self.items[event.option_index]
        if item.reason is not None:
            self.say(f"{item.label}: {item.reason}")
            return
        self.say("")
        actions: list[Callable[[], object]] = [
            lambda: self.menu.push_screen(PresetPage()),
            lambda: self.menu.push_screen(RunsPage()),
            self.ask_stop,
            lambda: self.steer("pause"),
            lambda: self.steer("resume"),
            lambda: self.menu.push_screen(ConfigPage(self.menu.config_form)),
            self.view_dashboard,
            self.menu.action_leave,
        ]
        actions[event.option_index]()

    def ask_stop(self) -> None:
        question = f"{self.standing}\n\nStop this run? It finishes the item in hand, and can be resumed later."
        self.menu.push_screen(AskPage("Stop", question, lambda: self.steer("stop")))

    def steer(self, action: Action) -> None:
        """Ask the run's loop for this, and say how that went."""
        assert self.standing is not None
        try:
            self.say(ask(self.menu.out, self.standing.run_id, action))
        except (AutotrainError, OSError) as error:
            self.say(str(error))
        self.look()

    def view_dashboard(self) -> None:
        status = self.menu.run_dashboard()
        self.say("" if status in (0, 130, -signal.SIGINT) else f"the dashboard ended with status {status}")


class Menu(App[None]):
    """The menu of one OUT_DIR."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q", "end(130)", show=False, priority=True)]
    CSS = """
    Page { layout: vertical; padding: 0 1; }
    #title { text-style: bold; }
    #status { height: auto; }
    OptionList { height: 1fr; margin-top: 1; scrollbar-size: 0 0; text-wrap: nowrap; text-overflow: clip; }
    OptionList, OptionList:focus { color: ansi_default; background: ansi_default; }
    OptionList > .option-list--option-highlighted, OptionList:focus > .option-list--option-highlighted
        { color: ansi_bright_white; background: ansi_blue; text-style: bold; }
    #body { height: 1fr; margin-top: 1; scrollbar-size: 0 0; }
    #detail { height: auto; margin-top: 1; }
    #edit { height: 1; text-style: underline; }
    #message { height: auto; max-height: 8; margin-top: 1; }
    #keys { height: auto; color: ansi_default; text-style: dim; }
    """

    def __init__(self, out: OutPaths, loop: Path, ascii_only: bool = False) -> None:
        super().__init__()
        self.out, self.loop, self.ascii_only = out, loop, ascii_only
        self.start_form = StartForm(out.root)
        self.config_form = ConfigForm(out.root)
        self.main = MainPage()

    def on_mount(self) -> None:
        self.theme = "ansi-dark"
        self.push_screen(self.main)
        loop = asyncio.get_running_loop()
        for number in ENDINGS:
            loop.add_signal_handler(number, self.action_end, 128 + number)

    def fit(self, text: str) -> str:
        """What of a text the terminal can show."""
        if not self.ascii_only:
            return text
        return text.translate(ASCII).encode("ascii", "replace").decode()

    def action_end(self, status: int) -> None:
        self.exit(return_code=status)

    def action_leave(self) -> None:
        """Quit; ask first where something would be lost."""
        count = len(self.config_form.changes)
        if count == 0:
            self.exit()
            return
        question = f"{count} {'change' if count == 1 else 'changes'} to {self.config_form.path} not saved. Quit anyway?"
        self.push_screen(AskPage("Quit", question, self.exit))

    def go_home(self, message: str) -> None:
        """Back to the first screen, with something to say."""
        while self.screen is not self.main:
            self.pop_screen()
        self.main.say(message)
        self.main.look()

    def run_dashboard(self) -> int:
        """Lend the terminal to the dashboard; return its exit status. A signal that ends us ends it too."""
        command = [sys.executable, "-m", "autotrain.dashboard", "--out-dir", str(self.out.root)]
        ended: list[int] = []
        with self.suspend():
            child = subprocess.Popen([*command, *(["--ascii"] if self.ascii_only else [])])

            def end(number: int, _: object) -> None:
                # The terminal sends Ctrl-C to both of us; it is meant for the dashboard.
                if number != signal.SIGINT:
                    ended.append(number)
                    child.terminate()

            # The loop of events stands still meanwhile: it must not hear of these signals later.
            wakeup = signal.set_wakeup_fd(-1)
            before = {number: signal.signal(number, end) for number in ENDINGS}
            try:
                status = child.wait()
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)
                signal.set_wakeup_fd(wakeup)
        if ended:
            self.action_end(128 + ended[0])
        return status
