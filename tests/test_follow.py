"""Following a run by its files: what a snapshot holds, and that its cost does not grow with the run."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from recorded_run import RUN_ID, add_line, record, step_at

from autotrain.config import Settings
from autotrain.monitor.follow import EVENTS_KEPT, STEPS_KEPT, Follower
from autotrain.monitor.snapshot import round_left, run_left, score, stage_rail, to_json
from autotrain.monitor.tail import LINE_BYTES, TAIL_BYTES, Tail
from autotrain.run.control import write_request
from autotrain.run.journal import Journal
from autotrain.run.lock import take_lock
from autotrain.run.paths import OutPaths
from autotrain.run.stage import Stage
from autotrain.run.state import load_state, save_state, timestamp


@pytest.fixture
def out(tmp_path: Path) -> OutPaths:
    return OutPaths(tmp_path)


@pytest.fixture
def lock(out: OutPaths) -> Iterator[int]:
    """This process is the loop."""
    descriptor = take_lock(out)
    yield descriptor
    os.close(descriptor)


def training(journal: Journal) -> Stage:
    return Stage("train", Settings(), 2, journal)


def event_line(message: str, **changes: object) -> str:
    event = {
        "event_version": "1.0",
        "ts": timestamp(),
        "run_id": RUN_ID,
        "round": 2,
        "stage": "train",
        "level": "info",
        "event_type": "progress",
        "message": message,
        "counters_delta": {},
        "usage_delta": {},
        "artifact_paths": [],
        "error": None,
    }
    return json.dumps(event | changes) + "\n"


# ---------------------------------------------------------------------------------------------------
# What a snapshot holds


def test_steps_come_as_they_are_written(out: OutPaths) -> None:
    journal = record(out)
    follower = Follower(out)
    before = follower.look()
    assert [step.step for step in before.steps] == [1, 2, 3]
    assert [step.loss for step in before.steps] == pytest.approx([1, 1 / 2, 1 / 3])
    assert [step.learning_rate for step in before.steps] == pytest.approx([2e-4, 1e-4, 2e-4 / 3], rel=1e-4)
    time.sleep(0.01)
    step_at(training(journal), 4)
    after = follower.look()
    assert (after.steps[-1].step, after.events[-1].message) == (4, "step 4/20")
    assert after.pace is not None
    assert (after.pace.items, after.pace.tokens) == (3, 1200)


@pytest.mark.usefixtures("lock")
def test_the_rail_tells_done_planned_and_left(out: OutPaths) -> None:
    record(out, pid=os.getpid())
    snapshot = Follower(out).look()
    assert snapshot.condition == "running"
    rail = {stage.name: stage for stage in stage_rail(snapshot)}
    statuses = [stage.status for stage in rail.values()]
    assert statuses == ["completed", "completed", "completed", "running", "waiting"]
    assert (rail["gate"].done, rail["gate"].total) == (95, 95)
    assert (rail["train"].done, rail["train"].total) == (3, 20)
    # Round 1 has evaluated, so it is known how long that takes.
    assert rail["evaluate"].left is not None
    assert rail["evaluate"].done is None
    assert round_left(snapshot) is not None
    assert run_left(snapshot) is not None


def test_what_nobody_reported_is_null_and_not_zero(out: OutPaths) -> None:
    value = to_json(Follower(out).look())
    assert (value["condition"], value["run_id"], value["step"], value["process"]) == ("none", None, None, None)
    record(out)
    value = to_json(Follower(out).look())
    assert value["seconds"]["run_left"] is None
    assert [stage["done"] for stage in value["stages"]] == [100, 95, 95, 3, None]
    assert "cached_tokens" not in value["usage"]
    json.dumps(value, allow_nan=False)


def test_a_pause_is_no_part_of_the_pace(out: OutPaths) -> None:
    journal = record(out)
    follower = Follower(out)
    stage = training(journal)
    write_request(journal.paths.control, "run")
    stage.progress("paused", {"pauses": 1})
    stage.progress("goes on")
    assert follower.look().pace is None
    step_at(stage, 4)
    assert follower.look().pace is None
    time.sleep(0.02)
    step_at(stage, 5)
    pace = follower.look().pace
    assert pace is not None
    assert (pace.items, pace.tokens) == (1, 400)


def test_a_resumed_training_goes_on_in_its_curve(out: OutPaths) -> None:
    journal = record(out)
    follower = Follower(out)
    follower.look()
    journal.start_stage(2, "train")
    stage = training(journal)
    # Step 3 was lost with the process: the checkpoint was at 2.
    stage.progress("step 3/20", {"train_step": 3}, gauges={"train_loss": 0.25})
    assert [(step.step, step.loss) for step in follower.look().steps] == [
        (1, pytest.approx(1)),
        (2, pytest.approx(0.5)),
        (3, pytest.approx(0.25)),
    ]


# ---------------------------------------------------------------------------------------------------
# Which run, and whether it lives


def test_a_newer_run_is_followed_unless_one_was_asked_for(out: OutPaths) -> None:
    record(out)
    newest, chosen = Follower(out), Follower(out, RUN_ID)
    assert newest.look().run_id == chosen.look().run_id == RUN_ID
    later = "run_20260102_030406_abcdef"
    record(out, later)
    assert newest.look().run_id == later
    assert chosen.look().run_id == RUN_ID


def test_a_run_whose_loop_is_gone_is_dead(out: OutPaths) -> None:
    lock = take_lock(out)
    record(out, pid=os.getpid())
    follower = Follower(out)
    assert follower.look().condition == "running"
    os.close(lock)
    snapshot = follower.look()
    assert snapshot.condition == "dead"
    assert [stage.status for stage in stage_rail(snapshot)][3] == "dead"


# ---------------------------------------------------------------------------------------------------
# Files that are not as they should be


@pytest.mark.parametrize(
    "line",
    [
        "no JSON\n",
        "[1, 2]\n",
        "{}\n",
        b"\xff\xfe\x00\n",
        '{"ts": "yesterday", "round": 1, "stage": null, "level": "info", "event_type": "x", "message": "foreign"}\n',
        event_line("foreign", counters_delta={"train_step": "many"}),
        event_line("foreign", counters_delta={"train_step": True}),
        event_line("foreign", round="2"),
        event_line("foreign", ts="2026-99-99"),
        event_line("foreign" + "x" * LINE_BYTES),
    ],
)
def test_a_foreign_line_is_skipped(out: OutPaths, line: str | bytes) -> None:
    journal = record(out)
    follower = Follower(out)
    count = len(follower.look().events)
    add_line(journal.paths, line)
    step_at(training(journal), 4)
    snapshot = follower.look()
    assert len(snapshot.events) == count + 1
    assert snapshot.steps[-1].step == 4


def test_a_torn_line_is_read_when_it_is_whole_and_forgotten_when_it_is_cut(out: OutPaths) -> None:
    journal = record(out)
    follower = Follower(out)
    count = len(follower.look().events)
    line = event_line("in two parts")
    add_line(journal.paths, line[:40])
    assert len(follower.look().events) == count
    add_line(journal.paths, line[40:])
    assert follower.look().events[-1].message == "in two parts"
    add_line(journal.paths, line[:40])
    follower.look()
    # The next writer cuts it.
    again = Journal(journal.paths)
    again.record("progress", "after the cut", round_number=2, stage="train")
    assert [event.message for event in follower.look().events[-2:]] == ["in two parts", "after the cut"]


def test_nothing_in_a_file_can_reach_the_terminal(out: OutPaths) -> None:
    journal = record(out)
    hostile = "\x1b[2J\x1b]0;title\x07\x9b31mred\u202e\r\nend"
    add_line(journal.paths, event_line(hostile, level=hostile, event_type=hostile, stage="train"))
    journal.state.error = hostile
    save_state(journal.paths.state, journal.state)
    snapshot = Follower(out).look()
    assert snapshot.state is not None
    texts = [snapshot.events[-1].message, snapshot.events[-1].level, snapshot.events[-1].kind, snapshot.state.error]
    assert texts == ["red end"] * 4


@pytest.mark.parametrize("content", ["", "{", "[]", '{"run_id": 1}', "torn"])
def test_a_damaged_state_is_said_and_the_last_good_one_kept(out: OutPaths, content: str) -> None:
    journal = record(out)
    follower = Follower(out)
    follower.look()
    journal.paths.state.write_text(content)
    snapshot = follower.look()
    assert snapshot.state is not None
    assert Follower(out).look().condition == "damaged"


def test_a_foreign_report_is_ignored(out: OutPaths) -> None:
    journal = record(out)
    good = json.loads(journal.paths.report(1).read_text())
    del good["models"]["new"]["total"]["pass_at_1"]["low"]
    journal.paths.report(1).write_text(json.dumps(good))
    assert score(Follower(out).look(), 1, "new") is None


# ---------------------------------------------------------------------------------------------------
# Long runs


def test_of_a_long_run_only_the_end_is_read_and_its_figures_are_right(out: OutPaths) -> None:
    journal = record(out)
    events = journal.paths.events
    count = TAIL_BYTES // 300
    lines = [event_line("x" * 150, counters_delta={"train_step": 1, "train_loss": -0.00001}) for _ in range(count)]
    events.write_text(events.read_text() + "".join(lines))
    journal.reconcile()
    assert events.stat().st_size > TAIL_BYTES
    follower = Follower(out)
    snapshot = follower.look()
    state = load_state(journal.paths.state)
    assert snapshot.steps[-1].step == state.stages["2"]["train"].counts["train_step"] == count + 3
    assert snapshot.steps[-1].loss == pytest.approx(state.counters["train_loss"])
    assert len(snapshot.events) == EVENTS_KEPT
    assert len(snapshot.steps) <= STEPS_KEPT
    step_at(training(journal), 4)
    assert follower.look().steps[-1].step == count + 4


def test_a_file_that_was_replaced_or_ran_ahead_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    tail = Tail(path)
    assert tail.read() == ([], False)
    path.write_bytes(b"one\ntwo\nthr")
    assert tail.read() == ([b"one", b"two"], True)
    assert tail.read() == ([], False)
    shutil.copy(path, tmp_path / "other")
    (tmp_path / "other").replace(path)
    assert tail.read() == ([b"one", b"two"], True)
    with path.open("ab") as stream:
        stream.write(b"ee\n" + b"0123456789\n" * (TAIL_BYTES // 10))
    lines, anew = tail.read()
    assert anew
    assert lines[-1] == b"0123456789"
    assert sum(len(line) + 1 for line in lines) <= TAIL_BYTES
    path.unlink()
    assert tail.read() == ([], True)


def test_a_line_without_end_costs_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    tail.read()
    for _ in range(4):
        with path.open("ab") as stream:
            stream.write(b"x" * (LINE_BYTES + 1))
        assert tail.read() == ([], False)
    with path.open("ab") as stream:
        stream.write(b"\ntwo\n")
    assert tail.read() == ([b"two"], False)
