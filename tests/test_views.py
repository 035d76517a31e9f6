"""The five views, rendered at a fixed size: what a person finds on them, and that they fit."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from recorded_run import RUN_ID, add_line, record
from test_follow import event_line

from autotrain.monitor.follow import Follower
from autotrain.monitor.hardware import Gpu, ProcessLoad
from autotrain.monitor.snapshot import Snapshot
from autotrain.monitor.views.frame import body_of, frame
from autotrain.monitor.views.page import VIEWS, Page
from autotrain.monitor.views.words import duration
from autotrain.run.lock import take_lock
from autotrain.run.paths import OutPaths
from autotrain.run.state import save_state

SIZES = [(80, 24), (100, 30), (160, 50), (200, 60)]


@pytest.fixture
def out(tmp_path: Path) -> OutPaths:
    return OutPaths(tmp_path)


@pytest.fixture
def running(out: OutPaths) -> Iterator[Snapshot]:
    lock = take_lock(out)
    record(out, pid=os.getpid())
    yield Follower(out).look()
    os.close(lock)


def text(snapshot: Snapshot, page: Page) -> str:
    return "\n".join(line.plain for line in frame(snapshot, page)[0])


def whole(snapshot: Snapshot, view: int, width: int = 80) -> str:
    return "\n".join(line.plain for line in body_of(snapshot, Page(view, width, 24)))


# ---------------------------------------------------------------------------------------------------
# The frame


@pytest.mark.parametrize("ascii_only", [False, True])
@pytest.mark.parametrize("size", [*SIZES, (20, 5), (300, 100)])
@pytest.mark.parametrize("view", range(1, 6))
def test_every_view_fills_the_screen_exactly(
    running: Snapshot, view: int, size: tuple[int, int], ascii_only: bool
) -> None:
    for scroll in (0, 3, 10_000):
        lines, most = frame(running, Page(view, *size, scroll=scroll, ascii_only=ascii_only))
        assert [line.cell_len for line in lines] == [size[0]] * size[1]
        assert most >= 0
        if ascii_only:
            assert all(line.plain.isascii() for line in lines)


@pytest.mark.parametrize("view", range(1, 6))
def test_the_keys_and_views_are_on_every_screen(running: Snapshot, view: int) -> None:
    shown = text(running, Page(view))
    for words in ("q quit", "r refresh", "1-5 views", "PgUp PgDn scroll", "/ filter", "? help"):
        assert words in shown
    for number, name in enumerate(VIEWS, start=1):
        assert f"{number} {name.split(' &')[0]}" in shown


def test_help_explains_every_key(running: Snapshot) -> None:
    shown = text(running, Page(help=True))
    for key in ("1 … 5", "Tab", "PgUp", "Home", "/ ", "r ", "q ", "menu.py"):
        assert key in shown


def test_before_the_first_run_it_says_how_to_start_one(out: OutPaths) -> None:
    for view in range(1, 6):
        assert "no run yet" in text(Follower(out).look(), Page(view))
    assert "scripts/menu.py" in text(Follower(out).look(), Page())


# ---------------------------------------------------------------------------------------------------
# 1 Overview


def test_the_overview_answers_the_questions_of_the_morning(running: Snapshot) -> None:
    shown = text(running, Page())
    for words in (
        f"{RUN_ID}  RUNNING  round 2 of 3, train",
        "✔ gate",
        "3/20",
        "usually 0:00",
        "left       this round ~",
        "200 generated → 185 valid → 165 proved by running + 5 not run",
        "malformed" if "rejected_schema" in running.state.counters else "duplicate 8",
        "4,000 in + 2,000 out tokens",
        "$0.5000 of $2",
        "25%",
        "base           10.0% (2/20",
        "best, round 1  45.0% (9/20",
        "step 3/20",
    ):
        assert words in shown


def test_a_dead_loop_is_not_shown_as_running(out: OutPaths) -> None:
    record(out, pid=os.getpid())
    shown = text(Follower(out).look(), Page())
    assert "DEAD" in shown
    assert "RUNNING" not in shown
    assert f"./scripts/loop.sh --resume {RUN_ID} goes on" in " ".join(shown.split())
    assert "✘ train" in shown
    assert "left       — (dead)" in shown


def test_what_was_not_reported_is_a_dash(out: OutPaths) -> None:
    journal = record(out)
    journal.paths.report(1).unlink()
    journal.state.usage.clear()
    save_state(journal.paths.state, journal.state)
    snapshot = Follower(out).look()
    shown = text(snapshot, Page())
    assert "pass@1     — (no round has been evaluated)" in shown
    assert "— requests, — in + — out tokens" in " ".join(shown.split())
    assert "machine    — (no stage is at work)" in shown
    assert "requests   — sent, — of them retries, — rate limits" in whole(snapshot, 2)
    assert "No round has been evaluated yet" in whole(snapshot, 5)


def test_gpu_and_process_are_shown_where_there_are_any(running: Snapshot) -> None:
    snapshot = replace(running, gpus=[Gpu("RTX 2080 Ti", 5632, 11264, 97, 71)], process=ProcessLoad(77, 2048, None))
    for view in (1, 3):
        assert "RTX 2080 Ti: 5.5 of 11.0 GiB, 97% busy, 71 °C" in whole(snapshot, view)
        assert "process 77: 2.00 GiB memory, CPU —" in whole(snapshot, view)
    snapshot = replace(running, gpus=[Gpu("A card", 512, 1024)])
    assert "A card: 0.5 of 1.0 GiB\n" in whole(snapshot, 1)


def test_only_titles_look_like_titles(running: Snapshot) -> None:
    lines, _ = frame(running, Page())
    line = next(line for line in lines if line.plain.startswith("samples"))
    assert line.style == ""
    assert [span.end for span in line.spans if "cyan" in str(span.style)] == [11]


# ---------------------------------------------------------------------------------------------------
# 2 Teacher, 3 Trainer


def test_the_teacher_view_tells_speed_cost_and_failures(out: OutPaths, running: Snapshot) -> None:
    shown = whole(running, 2)
    for words in (
        "t1 at the OpenAI API",
        "40 sent, 6 of them retries, 4 rate limits",
        "at most 8 a server",
        "p50 1.5 s, p95 4 s",
        "timeout 2",
        "refused 2",
        "$0.5000 of $2",
    ):
        assert words in shown
    # Nothing is under way when the teacher is not at work.
    assert "at once    — now" in shown
    assert running.state is not None
    asking = running.state.model_copy(update={"current_stage": "generate"})
    assert "at once    6 now" in whole(replace(running, state=asking), 2)


def test_the_builtin_teacher_costs_nothing_and_that_is_said(running: Snapshot) -> None:
    shown = whole(replace(running, settings={**running.settings, "teacher_model": "builtin"}), 2)
    assert "no requests, tokens or cost" in shown
    assert "$" not in shown


def test_the_trainer_view_draws_loss_and_rate(running: Snapshot) -> None:
    shown = whole(running, 3)
    assert "3 of 20  running" in shown
    assert "0.3333   learning rate 6.667e-05" in shown
    assert "loss\n" in shown
    assert "learning rate\n" in shown
    assert "tokens/s" in shown
    rounds = [line.split() for line in shown.splitlines()[-2:]]
    assert rounds[0][:2] == ["2", "running"]
    assert rounds[1][:2] == ["1", "completed"]
    assert rounds[1][3:] == ["60", "20", "9,000"]


# ---------------------------------------------------------------------------------------------------
# 4 Events


def test_the_newest_events_are_at_the_bottom_and_scrolling_goes_back(running: Snapshot) -> None:
    count = len(running.events)
    assert "step 3/20" in text(running, Page(4)).splitlines()[-2]
    top = text(running, Page(4, scroll=count)).splitlines()[2]
    assert "3 rounds of 100 samples" in top
    assert f"{count - 21} back of {count - 21}" in text(running, Page(4, scroll=count))


def test_the_filter_looks_in_every_column(running: Snapshot) -> None:
    for wanted, expected in (("ROUNDS of", 1), ("r2 gate", 3), ("stage_start", 9), ("success", 8), ("nothing such", 0)):
        shown = [line for line in body_of(running, Page(4, wanted=wanted)) if line.plain != "—"]
        assert len(shown) == expected, wanted


def test_hostile_events_neither_colour_nor_move(out: OutPaths) -> None:
    journal = record(out)
    hostile = ("\x1b[31mred\x1b[0m", "[red]markup[/red] :smile:", "\x9b2J", "\u202egnidrow", "漢字" * 100, "a\rb\nc")
    for message in hostile:
        add_line(journal.paths, event_line(message))
    snapshot = Follower(out).look()
    lines, _ = frame(snapshot, Page(4))
    shown = "\n".join(line.plain for line in lines)
    assert "[red]markup[/red] :smile:" in shown
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert [line.cell_len for line in lines] == [80] * 24
    assert all(span.style in ("", "dim") for line in lines[-7:-1] for span in line.spans)


# ---------------------------------------------------------------------------------------------------
# 5 Evaluation & configuration


def test_the_evaluation_view_shows_figures_verdict_and_settings(running: Snapshot) -> None:
    wide, narrow = whole(running, 5, 160), whole(running, 5)
    for words in ("pass@1 (executed)", "10.0% (2/20: ±10 points)", "promoted; above the base", "8 wins, 1 losses"):
        assert words in wide
    assert "45.0% (22.5–90.0)" in narrow
    assert all(len(line) <= 80 for line in narrow.splitlines()[:20])
    settings = dict(line.split(maxsplit=1) for line in narrow[narrow.index("ROUNDS") :].splitlines())
    assert settings["TEACHER_MODEL"] == "t1"
    assert settings["MAX_COST_USD"] == "2.0"
    assert settings["MAX_TOKENS"] == "none"
    assert "OPENAI_API_KEY" not in settings


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "—"), (0, "0:00"), (42.4, "0:42"), (725, "12:05"), (12000, "3:20:00"), (187200, "2d 4:00:00")],
)
def test_durations(seconds: float | None, words: str) -> None:
    assert duration(seconds) == words
