"""What the menu's screens have in common: a title, something in the middle, a message, and the keys."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

if TYPE_CHECKING:
    from autotrain.monitor.menu.screens import Menu

# A line of a list, and what is said behind it if the line makes no sense now (then it is grey).
Line = tuple[str, str | None]


class Page(Screen[None]):
    """A title, a list to choose from, a message, and the keys."""

    title_text = ""
    keys = ""
    lines: Sequence[Line] = ()
    marked = 0

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
        return cast("Menu", self.app)

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
        if lines == self.lines:
            return
        place = min(self.choices.highlighted or 0, len(lines) - 1)
        self.lines = lines
        self.choices.set_options(Option(self.prompt(number, number == place)) for number in range(len(lines)))
        self.choices.highlighted = self.marked = place

    def prompt(self, number: int, is_marked: bool) -> Content:
        """A line as it is shown; the one under the cursor has a mark, for terminals without colours."""
        text, grey = self.lines[number]
        shown = self.menu.fit(f"{'>' if is_marked else ' '} {text}{grey or ''}")
        return Content.styled(shown, "" if grey is None else "dim")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if event.option_index >= len(self.lines):
            return
        for number in (self.marked, event.option_index):
            self.choices.replace_option_prompt_at_index(number, self.prompt(number, number == event.option_index))
        self.marked = event.option_index

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
