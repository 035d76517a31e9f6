"""The menu's way to a running loop: which run to go on with, what is going to be done, and doing it."""

from textwrap import fill
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import OptionList, Static

from autotrain.monitor.menu.form import HERE
from autotrain.monitor.menu.launch import Launched, Proposal, launch, propose, resume_objection
from autotrain.monitor.menu.page import BACK, Page, numbers
from autotrain.run.control import look_at
from autotrain.sources import Source

MOST_RUNS = 100
# Where the texts of a plan begin, behind their names.
PLAN_INDENT = 19


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
            self.say(f"It cannot be started: {self.proposal.problem}", "bold ansi_red")
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
            self.say(launched.text or f"loop.sh ended with status {launched.exit_status}", "bold ansi_red")
            self.put("#keys", self.keys)
            return
        if self.resume is None:
            self.menu.start_form.chosen.clear()
        log = self.menu.out.run(launched.run_id).log
        self.menu.go_home(f"{launched.run_id} runs, and goes on when this menu is closed; its output goes to {log}")
