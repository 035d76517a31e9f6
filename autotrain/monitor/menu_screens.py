"""The menu's screens. Every key that does something is named at the bottom of its screen."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from textwrap import fill
from typing import ClassVar

from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from autotrain.config import Source, find_key
from autotrain.errors import AutotrainError
from autotrain.monitor.form import HERE, ConfigForm, Row, StartForm, preset_lines
from autotrain.monitor.launch import Item, Launched, Proposal, launch, look_around, propose, resume_objection
from autotrain.redact import plain
from autotrain.run.control import Action, Standing, ask, look_at
from autotrain.run.paths import OutPaths

REFRESH_SECONDS = 1.0
MOST_RUNS = 100
# Where the texts of a plan begin, behind their names.
PLAN_INDENT = 19
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COLOURS = {"running": "green", "completed": "green", "paused": "yellow", "stopping": "yellow", "stopped": "yellow"}
# What our own texts hold beyond ASCII; anything else becomes a question mark.
ASCII = str.maketrans({"×": "x", "→": ">", "…": ".", "–": "-", "·": "-"})

Line = tuple[str, str | None]


def open_menu(out: OutPaths, loop: Path, ascii_only: bool) -> int:
    """Show the menu until it is left; return the exit status (128 + N where signal N ended it)."""
    menu = Menu(out, loop, ascii_only)
    # Without the mouse the terminal's own selecting and copying works.
    menu.run(mouse=False)
    return menu.return_code or 0


class Page(Screen[None]):
    """A title, a list to choose from, a message, and the keys."""

    title_text = ""
    keys = ""
    shown_lines: Sequence[Line] = ()

    def compose(self) -> ComposeResult:
        yield Static(id="title", markup=False)
        yield Static(id="status", markup=False)
        yield from self.compose_body()
        yield Static(id="message", markup=False)
        yield Static(id="keys", markup=False)

    def compose_body(self) -> ComposeResult:
        yield OptionList(id="list", compact=True, markup=False)

    def on_mount(self) -> None:
        self.put("#title", self.title_text)
        self.put("#keys", self.keys)
        self.put("#status", "")
        self.say("")
        self.begin()

    def begin(self) -> None:
        """Fill the page. Handlers such as on_mount are no place for it: Textual calls those of every class."""

    @property
    def menu(self) -> "Menu":
        assert isinstance(self.app, Menu)
        return self.app

    def put(self, where: str, text: str, style: str = "") -> None:
        """Show a text in one of the page's places; without a text the place is closed."""
        place = self.query_one(where, Static)
        place.update(Content.styled(self.menu.fit(text), style))
        place.display = bool(text)

    def say(self, text: str, style: str = "bold") -> None:
        self.put("#message", text, style)

    @property
    def choices(self) -> OptionList:
        return self.query_one("#list", OptionList)

    def fill(self, lines: Iterable[Line]) -> None:
        """Show these lines, each with what is to be grey behind it; the cursor stays where it is."""
        lines = list(lines)
        if lines == self.shown_lines:
            return
        self.shown_lines = lines
        place = self.choices.highlighted
        options = []
        for text, grey in lines:
            content = Content(self.menu.fit(text))
            if grey is not None:
                content = Content.styled(self.menu.fit(f"{text}{grey}"), "dim")
            options.append(Option(content))
        self.choices.set_options(options)
        self.choices.highlighted = min(place or 0, len(options) - 1) if options else None

    def action_back(self) -> None:
        self.dismiss()

    def action_number(self, number: int) -> None:
        """What Enter does on that line."""
        if number <= self.choices.option_count:
            self.choices.highlighted = number - 1
            self.choices.action_select()


def numbers(count: int) -> list[BindingType]:
    return [Binding(str(number), f"number({number})", show=False) for number in range(1, count + 1)]


BACK: list[BindingType] = [Binding("escape", "back", show=False), Binding("q", "app.leave", show=False)]


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
            self.put("#status", f"{self.menu.out.root} cannot be read: {error.strerror}", "red")
            return
        standing = self.standing
        if standing is None:
            self.put("#status", "no run yet", "dim")
        else:
            hint = "; 2 goes on with it" if standing.condition == "dead" else ""
            self.put("#status", f"{standing}{hint}", COLOURS.get(standing.condition, "red"))
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


class AskPage(Page):
    """Whether something is meant."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "back", show=False),
        Binding("y", "agree", show=False),
    ]
    keys = "y: yes    n, Esc: no"

    def __init__(self, title: str, question: str, then: Callable[[], object]) -> None:
        super().__init__()
        self.title_text, self.question, self.then = title, question, then

    def compose_body(self) -> ComposeResult:
        yield Static(id="body", markup=False)

    def begin(self) -> None:
        self.put("#body", self.question)

    def action_agree(self) -> None:
        self.dismiss()
        self.then()


class PresetPage(Page):
    """Where a new run's settings start from."""

    BINDINGS: ClassVar[list[BindingType]] = [*BACK, *numbers(7)]
    title_text = "Start New Run: a preset to begin with"
    keys = "1-7, or Up/Down and Enter: choose    Esc: back    q: quit"

    def begin(self) -> None:
        chosen = self.menu.start_form.chosen
        if chosen:
            self.put("#status", f"set here and kept: {', '.join(name.upper() for name in chosen)}")
        lines = [("none", "what config.yaml and the environment say"), *preset_lines()]
        self.fill((f"{number}  {name:<8}{text}", None) for number, (name, text) in enumerate(lines, start=1))
        self.names = [name for name, _ in lines]
        preset = chosen.get("preset")
        self.choices.highlighted = self.names.index(preset) if preset in self.names else 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        form = self.menu.start_form
        form.put_back("preset")
        if event.option_index:
            form.set("preset", self.names[event.option_index])
        self.menu.switch_screen(StartPage(form))


class SettingsPage(Page):
    """A list of settings, and the line in which one is edited. The first entry goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [*BACK, Binding("d", "put_back", show=False)]
    go_on = ""
    is_locked = False

    def __init__(self, form: StartForm | ConfigForm) -> None:
        super().__init__()
        self.form = form
        self.edited: Row | None = None

    def compose_body(self) -> ComposeResult:
        yield OptionList(id="list", compact=True, markup=False)
        yield Static(id="detail", markup=False)
        yield Input(id="edit", compact=True, select_on_focus=False)

    def begin(self) -> None:
        self.query_one("#edit").display = False
        self.show_rows()
        self.choices.focus()

    def show_rows(self) -> None:
        self.rows = self.form.rows()
        lines: list[Line] = [(f"  >> {self.go_on}", None)]
        for row in self.rows:
            mark = "!" if row.problem else "*" if row.changed else " "
            lines.append((f"{mark} {row.name.upper():<21} {plain(row.value, 26):<26} {row.origin}", None))
        self.fill(lines)
        self.explain()

    @property
    def row(self) -> Row | None:
        place = self.choices.highlighted
        return self.rows[place - 1] if place else None

    def explain(self) -> None:
        """Say everything about the setting under the cursor."""
        row = self.row
        if row is None or self.is_locked:
            self.put("#detail", self.form_text())
            return
        place = f"{self.choices.highlighted} of {len(self.rows)}"
        text = f"{row.name.upper()} ({place}): {row.help}\nnow {row.value} (from: {row.origin})"
        self.put("#detail", f"{text}; allowed is {row.allowed}" + (f"\n! {row.problem}" if row.problem else ""))

    def form_text(self) -> str:
        return ""

    def on_option_list_option_highlighted(self) -> None:
        self.explain()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        if event.option_index == 0:
            self.action_go_on()
        elif not self.is_locked:
            self.edit(self.rows[event.option_index - 1])

    def edit(self, row: Row) -> None:
        """Open the line in which a value is typed."""
        self.edited = row
        edit = self.query_one("#edit", Input)
        edit.value = row.text
        edit.display = True
        edit.cursor_position = len(edit.value)
        edit.focus()
        self.say(f"{row.name.upper()}: type a new value", "")
        self.put("#keys", "Enter: take it    Esc: leave it as it was    Ctrl-U: clear to the left")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        assert self.edited is not None
        if event.value != self.edited.text or self.edited.problem:
            try:
                self.form.set(self.edited.name, event.value.strip())
            except ValueError as error:
                self.say(str(error), "bold red")
                return
        self.end_edit()

    def end_edit(self) -> None:
        self.edited = None
        self.query_one("#edit").display = False
        self.choices.focus()
        self.say("")
        self.put("#keys", self.keys)
        self.show_rows()

    def action_put_back(self) -> None:
        if self.row is not None and not self.is_locked:
            self.form.put_back(self.row.name)
            self.show_rows()

    def action_go_on(self) -> None:
        raise NotImplementedError

    def action_back(self) -> None:
        if self.edited is not None:
            self.end_edit()
        else:
            self.dismiss()


class StartPage(SettingsPage):
    """The settings of a new run."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("g", "go_on", show=False)]
    title_text = "Start New Run: settings"
    keys = "Up/Down, Enter: edit   d: put back   g: go on to the plan   Esc: back   q: quit"
    go_on = "go on to the plan"

    def form_text(self) -> str:
        key = "is set (environment or .env)" if find_key() else "is not set (environment or .env)"
        problems = "".join(f"\n! {problem}" for problem in self.form.problems()[:3])
        return f"* is set here. OPENAI_API_KEY {key}; it is never shown nor written.{problems}"

    def action_go_on(self) -> None:
        assert isinstance(self.form, StartForm)
        self.menu.push_screen(PlanPage(self.form.source(), None))


class ConfigPage(SettingsPage):
    """OUT_DIR/config.yaml."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("s", "go_on", show=False)]
    keys = "Up/Down, Enter: edit   d: put back   s: save   Esc: back   q: quit"
    go_on = "save"

    def begin(self) -> None:
        assert isinstance(self.form, ConfigForm)
        self.is_locked = bool(self.form.problems())
        super().begin()
        self.put("#title", f"Configure Parameters: {self.form.path}")

    def form_text(self) -> str:
        if problems := self.form.problems():
            return "\n".join(["! this file cannot be changed here; mend it by hand:", *problems])
        text = "* is changed and not saved yet; d takes a setting's line out of the file."
        return f"{text} Other comments and lines stay as they are. The key is not in it."

    def action_go_on(self) -> None:
        assert isinstance(self.form, ConfigForm)
        if not self.form.changes:
            self.say("there is nothing to save")
            return
        try:
            count = self.form.save()
        except (AutotrainError, OSError) as error:
            self.say(f"not saved: {error}", "bold red")
        else:
            self.say(f"{count} {'change' if count == 1 else 'changes'} saved in {self.form.path}")
        self.show_rows()


class RunsPage(Page):
    """The runs of OUT_DIR, the newest first."""

    BINDINGS: ClassVar[list[BindingType]] = [*BACK, *numbers(9)]
    title_text = "Resume a run (the newest first)"
    keys = "1-9, or Up/Down PgUp/PgDn and Enter: choose    Esc: back    q: quit"

    def begin(self) -> None:
        out = self.menu.out
        self.runs = [look_at(out, run_id) for run_id in reversed(out.run_ids()[-MOST_RUNS:])]
        lines = []
        for number, run in enumerate(self.runs, start=1):
            text = f"{number:>2}  {run.run_id}  {run.condition:<10} round {run.round_number} of {run.rounds or '?'}"
            text += f", {run.stage or 'not started'}"
            reason = resume_objection(run)
            lines.append((text, None if reason is None else ""))
        self.fill(lines)
        ready = (place for place, run in enumerate(self.runs) if resume_objection(run) is None)
        self.choices.highlighted = next(ready, 0)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        run = self.runs[event.option_index]
        reason = resume_objection(run)
        if reason is not None:
            self.say(reason)
            return
        self.menu.push_screen(PlanPage(Source(HERE, {"out_dir": str(self.menu.out.root)}), run.run_id))


class PlanPage(Page):
    """What is going to be done, and what is in the way; then it is done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,n", "back", show=False),
        Binding("q", "app.leave", show=False),
        Binding("y", "start", show=False),
    ]
    keys = "y: yes, start it    n, Esc: back    Up/Down: scroll    q: quit"

    def __init__(self, source: Source, resume: str | None) -> None:
        super().__init__()
        self.source, self.resume = source, resume
        self.title_text = "Start New Run: the plan" if resume is None else f"Resume {resume}: the plan"
        self.is_starting = False
        self.proposal = Proposal()

    def compose_body(self) -> ComposeResult:
        with VerticalScroll(id="body"):
            yield Static(id="plan", markup=False)

    def begin(self) -> None:
        self.query_one("#body").focus()
        self.proposal = propose(self.source, self.resume)
        self.show_plan()
        if self.proposal.problem:
            self.say(f"It cannot be started: {self.proposal.problem}", "bold red")
            self.put("#keys", "Esc: back    Up/Down: scroll    q: quit")
        else:
            self.say("Start this run?" if self.resume is None else "Go on with this run?")
            self.put("#keys", self.keys)

    def on_resize(self) -> None:
        self.show_plan()

    def show_plan(self) -> None:
        width = max(40, self.size.width - 2)
        lines = self.proposal.plan.split("\n")
        self.put("#plan", "\n".join(fill(line, width, subsequent_indent=" " * PLAN_INDENT) for line in lines))

    def action_back(self) -> None:
        if not self.is_starting:
            self.dismiss()

    def action_start(self) -> None:
        if not self.is_starting and not self.proposal.problem:
            self.is_starting = True
            self.say("starting ...")
            self.put("#keys", "")
            self.launch()

    @work(thread=True)
    def launch(self) -> None:
        launched = launch(self.menu.loop, self.source, self.resume)
        self.app.call_from_thread(self.end_launch, launched)

    def end_launch(self, launched: Launched) -> None:
        self.is_starting = False
        if launched.run_id is None:
            self.say(launched.text or f"loop.sh ended with status {launched.exit_status}", "bold red")
            self.put("#keys", self.keys)
            return
        if self.resume is None:
            self.menu.start_form.chosen.clear()
        log = self.menu.out.run(launched.run_id).log
        self.menu.go_home(f"{launched.run_id} runs, and goes on when this menu is closed; its output goes to {log}")


class Menu(App[None]):
    """The menu of one OUT_DIR."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+c,ctrl+q", "end(130)", show=False, priority=True)]
    CSS = """
    Page { layout: vertical; padding: 0 1; }
    #title { text-style: bold; }
    #status { height: auto; }
    OptionList { height: 1fr; margin-top: 1; scrollbar-size: 0 0; text-wrap: nowrap; text-overflow: clip; }
    OptionList > .option-list--option-highlighted { text-style: reverse; }
    OptionList, OptionList > .option-list--option-highlighted { color: ansi_default; background: ansi_default; }
    OptionList:focus, OptionList:focus > .option-list--option-highlighted
        { color: ansi_default; background: ansi_default; background-tint: ansi_default 0%; text-style: reverse; }
    OptionList:focus { text-style: none; }
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
