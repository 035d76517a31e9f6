"""The state and the events of a run agree, whenever a writer dies."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotrain.errors import AutotrainError
from autotrain.run.events import append_event, sum_deltas
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.process import mark_of
from autotrain.run.state import Best, State, load_state, save_state, timestamp

NAMES = ("made", "dropped", "loss")


def new_run(root: Path) -> RunPaths:
    paths = RunPaths(root)
    now = timestamp()
    save_state(paths.state, State(run_id="run_1", started_at=now, updated_at=now))
    return paths


def crash_between_event_and_state(paths: RunPaths, **deltas: float) -> None:
    """What a stage leaves that is killed after it wrote the event and before it wrote the state."""
    append_event(
        paths.events, "run_1", "progress", "half", round_number=1, stage="gate", counters_delta=dict(deltas)
    )


def agree(paths: RunPaths) -> bool:
    sums = sum_deltas(paths.events)
    state = load_state(paths.state)
    counts = {
        (int(number), name): record.counts
        for number, stages in state.stages.items()
        for name, record in stages.items()
    }
    return sums == (state.counters, state.usage, counts, [])


def test_the_state_is_what_the_events_add_up_to(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    journal = Journal(paths)
    journal.start_stage(1, "gate")
    journal.record("progress", "", round_number=1, stage="gate", counters={"made": 2, "none": 0})
    journal.record("progress", "", round_number=1, stage="gate", counters={"loss": 0.1}, usage={"tokens": 7})
    journal.end_stage(1, "gate", "completed", "done", artifacts=[paths.tested(1)])
    state = load_state(paths.state)
    assert state.counters == {"made": 2, "loss": 0.1}
    assert state.usage == {"tokens": 7}
    assert state.is_complete(1, "gate")
    assert not state.is_complete(2, "gate")
    assert agree(paths)
    last = json.loads(paths.events.read_text().splitlines()[-1])
    assert (last["event_type"], last["level"]) == ("stage_end", "success")
    assert last["artifact_paths"] == ["data/tested_round_1.jsonl"]


def test_a_crash_between_event_and_state_is_made_good(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    journal = Journal(paths)
    journal.start_stage(1, "gate")
    journal.record("progress", "", round_number=1, stage="gate", counters={"made": 2})
    crash_between_event_and_state(paths, made=3, dropped=1)
    assert not agree(paths)
    resumed = Journal(paths)
    resumed.reconcile()
    assert load_state(paths.state).counters == {"made": 5, "dropped": 1}
    assert agree(paths)


def test_figures_that_a_damaged_event_held_are_kept_and_the_damage_is_told(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    journal = Journal(paths)
    journal.start_stage(1, "gate")
    for _ in range(3):
        journal.record("progress", "", round_number=1, stage="gate", counters={"made": 2})
    lines = paths.events.read_bytes().splitlines(keepends=True)
    paths.events.write_bytes(b"".join([*lines[:2], lines[2][:20] + b"\0" + lines[2][21:], *lines[3:]]))
    resumed = Journal(paths)
    told = resumed.reconcile()
    assert "(3)" in str(told)
    state = load_state(paths.state)
    assert (state.counters, state.stages["1"]["gate"].counts) == ({"made": 6}, {"made": 6})


def test_what_an_unfinished_attempt_counted_is_taken_back_but_not_what_it_cost(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    journal = Journal(paths)
    journal.start_stage(1, "validate")
    journal.record("progress", "", round_number=1, stage="validate", counters={"made": 9})
    journal.end_stage(1, "validate", "completed", "done")
    journal.start_stage(1, "gate")
    journal.record(
        "progress", "", round_number=1, stage="gate", counters={"made": 4, "loss": 0.7}, usage={"tokens": 5}
    )
    crash_between_event_and_state(paths, made=1)
    for _ in range(2):
        again = Journal(paths)
        again.reconcile()
        again.start_stage(1, "gate")
    state = load_state(paths.state)
    assert state.counters == {"made": 9, "loss": 0.0}
    assert state.usage == {"tokens": 5}
    assert state.stages["1"]["validate"].counts == {"made": 9}
    assert agree(paths)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["record", "crash", "restart", "end"]),
            st.dictionaries(
                st.sampled_from(NAMES), st.one_of(st.integers(-9, 9), st.floats(-1, 1)), min_size=1
            ),
        ),
        max_size=8,
    )
)
def test_whatever_happens_the_books_agree_after_a_restart(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, dict[str, float]]]
) -> None:
    paths = new_run(tmp_path_factory.mktemp("run"))
    journal = Journal(paths)
    journal.start_stage(1, "gate")
    for what, deltas in steps:
        if what == "record":
            journal.record("progress", "", round_number=1, stage="gate", counters=deltas)
        elif what == "end":
            journal.end_stage(1, "gate", "stopped", "")
        else:
            if what == "crash":
                crash_between_event_and_state(paths, **deltas)
            journal = Journal(paths)
            journal.reconcile()
            assert agree(paths)
            journal.start_stage(1, "gate")
            assert all(abs(value) < 1e-4 for value in load_state(paths.state).counters.values())
    journal = Journal(paths)
    journal.reconcile()
    assert agree(paths)


def test_a_stage_records_who_does_it(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    journal = Journal(paths)
    journal.start_stage(2, "train")
    state = load_state(paths.state)
    record = state.stages["2"]["train"]
    assert (state.current_round, state.current_stage, state.status) == (2, "train", "running")
    assert record.pid is not None
    assert mark_of(record.pid) == record.mark is not None
    journal.end_stage(2, "train", "failed", "it broke", error="it broke")
    record = load_state(paths.state).stages["2"]["train"]
    assert (record.status, record.pid, record.mark) == ("failed", None, None)


def test_opening_the_journal_cuts_a_torn_event(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    Journal(paths).record("pipeline_start", "one")
    with paths.events.open("a") as stream:
        stream.write('{"torn')
    Journal(paths).record("pipeline_stop", "two")
    assert [json.loads(line)["message"] for line in paths.events.read_text().splitlines()] == ["one", "two"]


def test_the_state_can_be_read_at_every_instant(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    code = f"""
from pathlib import Path
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.process import mark_of
journal = Journal(RunPaths(Path({str(tmp_path)!r})))
for _ in range(100):
    journal.record("progress", "text", counters={{"n": 1}})
"""
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        seen = []
        while writer.poll() is None:
            seen.append(load_state(paths.state).counters.get("n", 0))
    assert writer.returncode == 0
    assert seen == sorted(seen)
    assert load_state(paths.state).counters == {"n": 100}


def test_the_state_has_the_documented_fields(tmp_path: Path) -> None:
    paths = new_run(tmp_path)
    journal = Journal(paths)
    journal.state.best = Best(round=1, metric="pass_at_1", score=0.5)
    journal.start_stage(1, "generate")
    state = json.loads(paths.state.read_text())
    documented = (
        "schema_version run_id settings_sha256 status current_round current_stage stages counters usage best pid "
        "started_at updated_at error"
    )
    assert list(state) == documented.split()
    assert {"status", "started_at", "ended_at", "counts", "artifacts"} <= set(state["stages"]["1"]["generate"])
    assert load_state(paths.state) == journal.state


@pytest.mark.parametrize("text", ["", "{", "[]", '{"run_id": "run_1"}', '{"status": "asleep"}'])
def test_a_damaged_state_is_named_with_a_remedy(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    with pytest.raises(AutotrainError, match="cannot be read"):
        load_state(path)
    path.write_text(text)
    with pytest.raises(AutotrainError, match=r"state\.json is damaged.*--resume .* makes it again from the events"):
        load_state(path)
