"""Steering: when asking a loop for something makes sense, and what is said where it does not."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autotrain.config import Settings
from autotrain.control import main
from autotrain.errors import SettingsError
from autotrain.run.control import (
    Standing,
    ask,
    current_run,
    find_run,
    look_at,
    objection,
    read_request,
    status_text,
    write_request,
)
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import RunStatus, State, save_state

OLD, NEW = "run_20260101_000000_aaaaaa", "run_20260102_000000_bbbbbb"
LOOP = """
import sys, time
from pathlib import Path
from autotrain.run.lock import take_lock
from autotrain.run.paths import OutPaths
lock = take_lock(OutPaths(Path(sys.argv[1])))
print(flush=True)
time.sleep(60)
"""


@pytest.fixture
def out(tmp_path: Path) -> OutPaths:
    return OutPaths(tmp_path)


@contextmanager
def loop(out: OutPaths) -> Iterator[int]:
    """A process that holds the lock as a loop does; yields its pid."""
    with subprocess.Popen([sys.executable, "-c", LOOP, str(out.root)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.kill()


def make_run(out: OutPaths, run_id: str, status: RunStatus = "running", pid: int | None = None) -> RunPaths:
    run = out.run(run_id)
    run.data.mkdir(parents=True)
    run.config.write_text(Settings(rounds=3).to_json())
    now = "2026-01-01T00:00:00.000+00:00"
    state = State(run_id=run_id, status=status, pid=pid, started_at=now, updated_at=now)
    state.current_round, state.current_stage = 2, "train"
    save_state(run.state, state)
    return run


Answer = tuple[int, str, str]


@pytest.fixture
def control(
    out: OutPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Answer]:
    """`python -m autotrain.control` with these words: exit status, output, errors."""

    def call(*words: str, here: bool = False) -> Answer:
        folder = [] if here else ["--out-dir", str(out.root)]
        monkeypatch.setattr(sys, "argv", ["control", *words, *folder])
        return main(), *capsys.readouterr()

    return call


@pytest.mark.parametrize(
    ("condition", "request_", "sensible"),
    [
        ("running", "run", {"stop", "pause"}),
        ("running", "pause", {"stop", "resume"}),  # what was asked can be taken back before it is obeyed
        ("running", "stop", {"resume"}),
        ("paused", "pause", {"stop", "resume"}),
        ("paused", "stop", {"resume"}),
        ("stopping", "stop", set()),
        ("stopped", "stop", set()),
        ("completed", "run", set()),
        ("failed", "run", set()),
        ("refused", "run", set()),
        ("dead", "run", set()),
        ("damaged", "run", set()),
    ],
)
def test_what_makes_sense_when(condition: str, request_: str, sensible: set[str]) -> None:
    standing = Standing(NEW, Path("autotrain"), condition, request_)  # type: ignore[arg-type]
    reasons = {action: objection(standing, action) for action in ("stop", "pause", "resume")}  # type: ignore[arg-type]
    assert {action for action, reason in reasons.items() if reason is None} == sensible
    for action, reason in reasons.items():
        assert reason is None or NEW in reason
        if condition == "dead" or (condition in ("stopped", "failed", "refused") and action == "resume"):
            assert reason is not None
            assert f"./scripts/loop.sh --resume {NEW}" in reason


def test_a_remedy_can_be_pasted_for_any_out_dir() -> None:
    reason = objection(Standing(NEW, Path("größe & space"), "dead"), "stop")
    assert reason is not None
    assert f"--resume {NEW} --out-dir 'größe & space' goes on" in reason
    assert "--out-dir" not in str(objection(Standing(NEW, Path("autotrain"), "dead"), "stop"))


def test_asking_writes_the_request_or_says_why_not(out: OutPaths) -> None:
    with loop(out) as pid:
        run = make_run(out, NEW, "running", pid)
        assert "asked to pause" in ask(out, NEW, "pause")
        assert read_request(run.control) == "pause"
        with pytest.raises(SettingsError, match="already asked to pause"):
            ask(out, NEW, "pause")
        assert status_text(out, NEW) == f"{NEW}: running (asked to pause), round 2 of 3, train"
        ask(out, NEW, "resume")
        assert read_request(run.control) == "run"
    with pytest.raises(SettingsError, match="is dead"):
        ask(out, NEW, "stop")
    assert read_request(run.control) == "run"


def test_the_run_that_the_loop_works_on_is_steered_though_it_is_not_the_newest(out: OutPaths) -> None:
    assert current_run(out) is None
    with pytest.raises(SettingsError, match=f"no run in {out.root}"):
        find_run(out, None)
    with loop(out) as pid:
        make_run(out, OLD, "running", pid)
        make_run(out, NEW, "stopped")
        assert find_run(out, None) == OLD
        assert find_run(out, NEW) == NEW
    assert find_run(out, None) == NEW
    with pytest.raises(SettingsError, match="no run nowhere in"):
        find_run(out, "nowhere")


def test_a_dead_loop_is_told_with_its_remedy(out: OutPaths, control: Callable[..., Answer]) -> None:
    make_run(out, NEW, "running", 99999999)
    status, shown, _ = control("status")
    assert status == 0
    assert shown.startswith(f"{NEW}: dead, round 2 of 3, train; ./scripts/loop.sh --resume {NEW}")
    for action in ("stop", "pause", "resume"):
        status, _, err = control(action)
        assert status == 2
        assert f"loop.sh --resume {NEW}" in err
    assert not out.run(NEW).control.exists()


def test_a_damaged_run_is_told_and_not_asked(out: OutPaths, control: Callable[..., Answer]) -> None:
    run = make_run(out, NEW)
    write_request(run.control, "pause")
    run.state.write_text("{")
    assert look_at(out, NEW).condition == "damaged"
    assert "damaged; restore its state.json" in control("status")[1]
    assert control("resume")[0] == 2
    assert read_request(run.control) == "pause"


def test_a_run_can_be_named(out: OutPaths, control: Callable[..., Answer]) -> None:
    make_run(out, OLD, "stopped")
    make_run(out, NEW, "completed")
    assert control("status")[1].startswith(f"{NEW}: completed")
    assert control("status", "--run-id", OLD)[1].startswith(f"{OLD}: stopped")
    assert control("status", "--run-id", "../runs")[0] == 2


def test_a_run_can_be_stopped_whatever_is_wrong_with_the_settings_of_the_next(
    out: OutPaths, control: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    (out.root / "config.yaml").write_text("rounds: [")
    monkeypatch.chdir(out.root)
    with loop(out) as pid:
        run = make_run(out, NEW, "running", pid)
        status, _, err = control("stop")
        assert status == 0, err
        assert read_request(run.control) == "stop"
        assert control("stop", "--rond", "3")[0] == 2
    # Without --out-dir, that file could have named another folder.
    status, _, err = control("status", here=True)
    assert status == 2
    assert "config.yaml: cannot be read as YAML" in err
