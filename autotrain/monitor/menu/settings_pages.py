"""The menu's lists of settings: those of a new run, and those of OUT_DIR/config.yaml."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input, OptionList, Static

from autotrain.errors import AutotrainError
from autotrain.monitor.menu.form import ConfigForm, Row, StartForm, preset_lines
from autotrain.monitor.menu.launch_pages import PlanPage
from autotrain.monitor.menu.page import BACK, Line, Page, numbers
from autotrain.redact import plain
from autotrain.sources import find_key


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
        lines: list[Line] = [(f"  -- {self.go_on} --", None)]
        for row in self.rows:
            mark = "!" if row.problem else "*" if row.changed else " "
            lines.append((f"{mark} {row.name.upper():<21} {plain(row.value, 24):<24} {row.origin}", None))
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

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        # Textual calls the page's own handler as well.
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
                self.say(str(error), "bold ansi_red")
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
        if self.is_locked:
            self.put("#keys", "Up/Down: look    Esc: back    q: quit")

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
            self.say(f"not saved: {error}", "bold ansi_red")
        else:
            self.say(f"{count} {'change' if count == 1 else 'changes'} saved in {self.form.path}")
        self.show_rows()
