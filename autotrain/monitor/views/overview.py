"""View 1: is it healthy, how far is it, what does it cost, does the model get better?"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.text import Text

from autotrain.config import OFFLINE_TEACHERS
from autotrain.evaluate.report import show_rate
from autotrain.monitor.charts import bar, sparkline
from autotrain.monitor.snapshot import Snapshot, StageView, round_left, rounds_asked, run_left, score, stage_rail
from autotrain.monitor.views.events import event_lines
from autotrain.monitor.views.layout import TITLE_WIDTH, Cell, Line, grid, side_by_side, titled, wrapped
from autotrain.monitor.views.page import Page
from autotrain.monitor.views.words import (
    ABSENT,
    about,
    cost,
    count,
    duration,
    machine,
    number,
    setting,
    token_budget,
    tokens,
)
from autotrain.run.funnel import FUNNEL

MARKS = {"completed": "✔", "running": "▶", "waiting": "·", "stopped": "‖"}
STAGE_STYLES = {"completed": "", "running": "bold green", "waiting": "dim", "stopped": "yellow"}


def overview(snapshot: Snapshot, page: Page) -> list[Line]:
    """Everything that matters on one screen of 80 × 24; in two columns where there is room."""
    width = page.width // 2 if page.wide else page.width
    inner = width - TITLE_WIDTH
    state = snapshot.state
    assert state is not None
    of = rounds_asked(snapshot)
    problem = titled("problem", wrapped(Text(_problem(snapshot), "red"), inner)) if _problem(snapshot) else []
    left = [
        problem,
        titled(f"round {state.current_round}" + (f"/{of}" if of is not None else ""), _rail(snapshot, inner)),
        titled("left", [Text(_left(snapshot))]),
        titled("samples", _funnel(state.counters, inner, page.wide)),
    ]
    right = [
        titled("teacher", _teacher(snapshot, inner)),
        titled("loss", [_loss(snapshot, inner)]),
        titled("pass@1", _scores(snapshot)),
        titled("machine", machine(snapshot)),
    ]
    if page.wide:
        lines = [*side_by_side(_spaced(left), _spaced(right), width), Text()]
    else:
        lines = [line for part in [*left, *right] for line in part]
    room = max(3, page.room - len(lines))
    return lines + titled("events", event_lines(snapshot.events[-room:], brief=not page.wide))


def _spaced(parts: Sequence[list[Line]]) -> list[Line]:
    return [line for part in parts if part for line in [*part, Text()]][:-1]


def _problem(snapshot: Snapshot) -> str:
    state = snapshot.state
    assert state is not None
    parts = [text for text in (snapshot.problem, state.error) if text]
    if snapshot.condition == "dead":
        parts.append(f"the loop is gone; ./scripts/loop.sh --resume {state.run_id} goes on")
    return "; ".join(parts)


def _rail(snapshot: Snapshot, width: int) -> list[Line]:
    rows: list[list[Cell]] = []
    for stage in stage_rail(snapshot):
        style = STAGE_STYLES.get(stage.status, "red")
        share = ""
        if stage.status == "running" and stage.done is not None and stage.total:
            share = bar(stage.done / stage.total, 12 if width >= 60 else 6)
        elif stage.status not in ("completed", "running", "waiting"):
            share = stage.status
        rows.append(
            [
                Text(f"{MARKS.get(stage.status, '✘')} {stage.name}", style),
                _done(stage),
                "" if stage.status == "waiting" else duration(stage.seconds),
                Text(share, style),
                Text(_time_left(stage), "dim" if stage.status == "waiting" else ""),
            ]
        )
    return grid(rows, right=(1, 2))


def _done(stage: StageView) -> str:
    if stage.done is None:
        return ""
    whole = stage.total is None or stage.status == "completed"
    return count(stage.done) if whole else f"{stage.done:,}/{stage.total:,}"


def _time_left(stage: StageView) -> str:
    if stage.status == "running":
        return f"{about(stage.left)} left"
    return "" if stage.left is None else f"usually {duration(stage.left)}"


def _left(snapshot: Snapshot) -> str:
    if not snapshot.alive:
        return "nothing, it is complete" if snapshot.condition == "completed" else f"{ABSENT} ({snapshot.condition})"
    words = f"this round {about(round_left(snapshot))}, the run {about(run_left(snapshot))}"
    return f"{words} (but {snapshot.condition})" if snapshot.condition != "running" else words


def _funnel(counters: Mapping[str, int | float], width: int, wide: bool) -> list[Line]:
    """The way of the samples, and what was dropped for which reason. Only what was counted is shown."""
    rows = [(int(counters[name]), name, words) for name, words in FUNNEL if counters.get(name)]
    if not rows:
        return [Text(ABSENT)]
    lost = [row for row in rows if row[1].startswith("rejected_") or row[1] in ("teacher_failed", "test_fail")]
    if not wide:
        short = {"teacher_generated": "generated", "validated_ok": "valid", "test_pass": "proved by running"}
        kept = " → ".join(f"{many:,} {short[name]}" for many, name, _ in rows if name in short)
        more = {"test_skipped": "not run", "own_kept": "of the student's own"}
        kept += "".join(f" + {many:,} {more[name]}" for many, name, _ in rows if name in more)
        dropped = ", ".join(f"{words.removeprefix('dropped: ')} {many:,}" for many, _, words in lost)
        return [*wrapped(Text(kept), width), *(wrapped(Text(f"dropped: {dropped}", "yellow"), width) if lost else [])]
    most = max(many for many, _, _ in rows)
    cells: list[list[Cell]] = []
    for row in rows:
        many, _, words = row
        style = "yellow" if row in lost else ""
        drawn = bar(many / most, 12).replace("░", " ")
        cells.append([Text(f"{many:,}", style), Text(drawn, style), Text(words.split(" (")[0], style)])
    return grid(cells, right=(0,))


def _teacher(snapshot: Snapshot, width: int) -> list[Line]:
    settings, state = snapshot.settings, snapshot.state
    assert state is not None
    name = setting(settings.get("teacher_model"))
    if name in OFFLINE_TEACHERS:
        return [Text(f"{name}: no requests, tokens or cost")]
    usage = state.usage
    line = Text(f"{name}, {count(usage.get('requests_sent'))} requests, {tokens(usage)}, ")
    most = settings.get("max_tokens")
    bounded = [token_budget(usage, most)] if most is not None else []
    return [*wrapped(line.append_text(cost(usage, settings.get("max_cost_usd"))), width), *bounded]


def _loss(snapshot: Snapshot, width: int) -> Text:
    losses = [step.loss for step in snapshot.steps if step.loss is not None]
    if not losses:
        return Text(ABSENT)
    text = Text(f"{losses[-1]:.4f} ")
    text.append(sparkline(losses, max(8, min(60, width - 20))), "cyan")
    return text.append(f" step {snapshot.steps[-1].step}")


def _scores(snapshot: Snapshot) -> list[Line]:
    """Base, best and last on the items of the newest report."""
    newest = max(snapshot.reports, default=None)
    if newest is None:
        return [Text(f"{ABSENT} (no round has been evaluated)")]
    rows: list[list[Cell]] = []
    for title, figures, style in _compared(snapshot, newest):
        rate = figures["pass_at_1"]
        loss = f"not executed; validation loss {number(figures['validation_loss'])}"
        rows.append([title, Text(loss if rate is None else show_rate(rate), style)])
    return grid(rows)


def _compared(snapshot: Snapshot, newest: int) -> list[tuple[str, Mapping[str, Any], str]]:
    state = snapshot.state
    best = state.best.round if state and state.best else None
    found = [("base", score(snapshot, newest, "base"), "")]
    if best is not None:
        role = "new" if best == newest else "best"
        found.append((f"best, round {best}", score(snapshot, newest, role), "bold green"))
    if best != newest:
        found.append((f"last, round {newest}", score(snapshot, newest, "new"), ""))
    return [(title, figures, style) for title, figures, style in found if figures is not None]
