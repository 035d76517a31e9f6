"""What every stage script does with its words, its work and its end."""

import argparse
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused, SettingsError, StopRequested
from autotrain.files import replace_text
from autotrain.run.control import read_request, write_request
from autotrain.run.events import sum_deltas
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required, run_stage
from autotrain.run.state import State, load_state, save_state, timestamp

ROOT = Path(__file__).resolve().parent.parent
Work = Callable[[Stage, RunPaths], Done]
FILES = {"--input": "file to read", "--output": "file to write"}


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    paths = RunPaths(tmp_path / "runs" / "run_20260101_000000_abcdef")
    paths.root.mkdir(parents=True)
    replace_text(paths.config, Settings(rounds=5).to_json())
    now = timestamp()
    save_state(paths.state, State(run_id=paths.root.name, started_at=now, updated_at=now))
    return paths


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    source, output = required(options, "input", "output")
    stage.check_control()
    stage.progress("ignored", {"n": 1})
    output.write_text(source.read_text())
    return Done(f"{output}: written with seed {stage.settings.seed}")


def call(work: Work, *words: str) -> int:
    return run_stage("gate", "a stage", work, on_files, FILES, words)


def in_run(run: RunPaths, work: Work, number: int = 1) -> int:
    return call(work, "--run", str(run.root), "--round", str(number))


def never(stage: Stage, paths: RunPaths) -> Done:
    raise AssertionError("this stage must not start")


def raising(error: Exception) -> Work:
    def work(stage: Stage, paths: RunPaths) -> Done:
        stage.progress("half", {"test_pass": 2})
        raise error

    return work


def wait_until(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.02)


# ---------------------------------------------------------------------------------------------------
# Inside a run


def test_a_stage_gets_the_settings_of_the_run_and_counts_into_it(
    run: RunPaths, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROUNDS", "9")

    def work(stage: Stage, paths: RunPaths) -> Done:
        assert (stage.settings.rounds, stage.round_number, paths) == (5, 2, run)
        assert load_state(run.state).stages["2"]["gate"].status == "running"
        stage.progress("half", {"test_pass": 2}, {"requests_sent": 1}, {"loss": 2.5})
        stage.progress("whole", {"test_pass": 1}, gauges={"loss": 1.5, "nothing": float("nan")})
        return Done("3 samples", [run.tested(2)])

    assert in_run(run, work, 2) == 0
    assert "[round 2 · gate] 3 samples" in capsys.readouterr().out
    state = load_state(run.state)
    assert state.is_complete(2, "gate")
    assert state.counters == {"test_pass": 3, "loss": 1.5}
    assert state.usage == {"requests_sent": 1}
    assert sum_deltas(run.events)[0] == state.counters


def test_a_complete_stage_is_not_done_again(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert in_run(run, lambda stage, paths: Done("done")) == 0
    assert in_run(run, never) == 0
    assert "already complete" in capsys.readouterr().out
    last = json.loads(run.events.read_text().splitlines()[-1])
    assert last["event_type"] == "stage_skip"
    assert in_run(run, lambda stage, paths: Done("done"), 2) == 0


def test_a_file_alone_does_not_make_a_stage_complete(run: RunPaths) -> None:
    run.data.mkdir()
    run.tested(1).write_text("{}")
    calls = []
    assert in_run(run, lambda stage, paths: Done(f"{calls.append(1)}")) == 0
    assert calls == [1]


@pytest.mark.parametrize(
    ("error", "status", "stage_status", "run_status"),
    [
        (AutotrainError("it broke"), 1, "failed", "failed"),
        (SettingsError("it broke"), 2, "failed", "failed"),
        (StopRequested("it broke"), 3, "stopped", "stopped"),
        (Refused("it broke"), 4, "refused", "refused"),
        (ZeroDivisionError("it broke"), 1, "failed", "failed"),
        (OSError(5, "it broke"), 1, "failed", "failed"),
    ],
)
def test_each_bad_end_has_its_status_and_can_be_done_again(
    run: RunPaths,
    error: Exception,
    status: int,
    stage_status: str,
    run_status: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert in_run(run, raising(error)) == status
    assert "it broke" in capsys.readouterr().err
    state = load_state(run.state)
    assert (state.status, state.stages["1"]["gate"].status) == (run_status, stage_status)
    assert "it broke" in str(state.error)
    assert not state.is_complete(1, "gate")

    assert in_run(run, lambda stage, paths: Done("done")) == 0
    state = load_state(run.state)
    assert state.is_complete(1, "gate")
    assert state.error is None
    assert state.counters == {"test_pass": 0}
    assert sum_deltas(run.events)[0] == state.counters


def test_no_secret_leaves_a_stage_by_its_error(run: RunPaths, capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl"
    assert in_run(run, raising(AutotrainError(f"401 for {key}"))) == 1
    shown = capsys.readouterr()
    for text in (shown.out, shown.err, run.state.read_text(), run.events.read_text()):
        assert key not in text


def test_a_stop_asked_for_before_a_stage_keeps_it_from_starting(run: RunPaths) -> None:
    write_request(run.control, "stop")
    assert in_run(run, never) == 3
    assert load_state(run.state).status == "stopped"


def test_a_stage_stops_at_its_next_safe_point(run: RunPaths) -> None:
    items = []

    def work(stage: Stage, paths: RunPaths) -> Done:
        for item in range(100):
            stage.check_control()
            items.append(item)
            if item == 2:
                write_request(run.control, "stop")
        return Done("all")

    assert in_run(run, work) == 3
    assert items == [0, 1, 2]
    write_request(run.control, "run")
    assert in_run(run, lambda stage, paths: Done("done")) == 0


@pytest.mark.parametrize("then", ["run", "stop"])
def test_a_paused_stage_waits_and_goes_on_or_stops(run: RunPaths, then: str) -> None:
    items = []

    def work(stage: Stage, paths: RunPaths) -> Done:
        for item in range(3):
            stage.check_control()
            items.append(item)
        return Done("all")

    write_request(run.control, "pause")
    ends: list[int] = []
    thread = threading.Thread(target=lambda: ends.append(in_run(run, work)))
    thread.start()
    wait_until(lambda: load_state(run.state).status == "paused")
    time.sleep(0.1)
    assert items == []
    write_request(run.control, "run" if then == "run" else "stop")
    thread.join(timeout=60)
    if then == "run":
        assert (ends, items) == ([0], [0, 1, 2])
        assert load_state(run.state).status == "running"
    else:
        assert (ends, items) == ([3], [])
        assert load_state(run.state).status == "stopped"
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    told = [event["message"] for event in events if event["event_type"] == "progress"]
    assert told == (["paused", "goes on"] if then == "run" else ["paused"])
    assert sum_deltas(run.events)[0] == load_state(run.state).counters == {"pauses": 1}


def test_a_pause_holds_in_the_middle_of_a_long_step(run: RunPaths) -> None:
    seen: list[int] = []
    ticks = 0

    def work(stage: Stage, paths: RunPaths) -> Done:
        nonlocal ticks
        end = time.monotonic() + 120
        with stage.pausing_anywhere():
            while len(seen) < 2 and time.monotonic() < end:
                ticks += 1
                if ticks % 1000 == 0:
                    stage.progress("a tick", {"ticks": 1000})
        return Done("all")

    def pause_for_a_while() -> None:
        write_request(run.control, "pause")
        wait_until(lambda: load_state(run.state).status == "paused")
        time.sleep(0.2)
        seen.append(ticks)
        time.sleep(0.5)
        seen.append(ticks)
        write_request(run.control, "run")

    person = threading.Thread(target=pause_for_a_while)
    person.start()
    assert in_run(run, work) == 0
    person.join()
    assert seen[0] == seen[1]
    assert sum_deltas(run.events)[0] == load_state(run.state).counters
    assert load_state(run.state).counters["pauses"] == 1


def test_who_reads_that_a_stage_paused_finds_it_paused(run: RunPaths) -> None:
    write_request(run.control, "pause")
    thread = threading.Thread(target=lambda: in_run(run, lambda stage, paths: Done("all")))
    thread.start()
    wait_until(lambda: run.events.exists() and '"paused"' in run.events.read_text())
    assert load_state(run.state).status == "paused"
    write_request(run.control, "run")
    wait_until(lambda: '"goes on"' in run.events.read_text())
    assert load_state(run.state).status == "running"
    thread.join(timeout=60)


def test_a_small_gauge_keeps_its_digits(run: RunPaths) -> None:
    def work(stage: Stage, paths: RunPaths) -> Done:
        for rate in (2e-4, 1.23e-6):
            stage.progress("step", gauges={"learning_rate": rate})
            assert load_state(run.state).counters["learning_rate"] == rate
        return Done("all")

    assert in_run(run, work) == 0
    assert sum_deltas(run.events)[0] == load_state(run.state).counters


@pytest.mark.parametrize("text", ["", "{", "[]", '"stop"', "{}", '{"request": "dance"}', '{"request": ["stop"]}'])
def test_a_control_file_that_makes_no_sense_asks_for_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "control.json"
    assert read_request(path) == "run"
    path.write_text(text)
    assert read_request(path) == "run"


@pytest.mark.parametrize(
    "words",
    [
        ["--run", "RUN"],
        ["--run", "RUN", "--round", "0"],
        ["--round", "1"],
        ["--run", "RUN", "--round", "1", "--lr", "1e-4"],
        ["--run", "RUN", "--round", "1", "--output", "file"],
        ["--run", "RUN", "--round", "1", "--lrr", "1e-4"],
    ],
)
def test_a_stage_of_a_run_takes_nothing_but_run_and_round(
    run: RunPaths, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(never, *[str(run.root) if word == "RUN" else word for word in words]) == 2
    assert "--run DIR and --round N" in capsys.readouterr().err
    assert not run.events.exists()


def test_a_folder_that_is_no_run_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(never, "--run", str(tmp_path / "none"), "--round", "1") == 1
    assert "state.json cannot be read" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------------------------------------------
# On files of the user's own


def test_a_stage_works_on_files_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    source, output = tmp_path / "größe & space.jsonl", tmp_path / "new" / "folder" / "out.jsonl"
    source.write_text("{}\n")
    assert call(never, "--input", str(source), "--output", str(output), "--seed", "7") == 0
    assert output.read_text() == "{}\n"
    assert capsys.readouterr().out == f"{output}: written with seed 7\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "missing --input and --output"),
        (["--input", "here"], "missing --output"),
        (["--input", "nowhere", "--output", "new/out"], "there is no --input nowhere"),
        (["--input", "here", "--output", "out", "--sed", "1"], "did you mean --seed?"),
        (["--input", "here", "--output", "out", "--seed", "-1", "--lr=9"], "2 problems with the settings"),
        (["--input", "here", "--output", "out", "more"], "'more' (command line): unexpected word"),
    ],
)
def test_wrong_words_are_explained_and_nothing_is_made(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").write_text("{}\n")
    assert call(never, *words) == 2
    assert expected in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_a_file_that_cannot_be_written_is_a_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").write_text("{}\n")
    Path("folder").mkdir()
    assert call(never, "--input", "here", "--output", "folder") == 1
    assert "folder" in capsys.readouterr().err
    assert call(never, "--input", "here", "--output", "here/out") == 1
    assert "here" in capsys.readouterr().err


@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "scripts").glob("0?_*.py")))
def test_each_script_tells_what_it_needs(script: str, tmp_path: Path) -> None:
    def start(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, str(ROOT / "scripts" / script), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    helped = start("--help")
    assert helped.returncode == 0, helped.stderr
    for flag in ("--output", "--run", "--round", "--seed"):
        assert flag in helped.stdout
    bare = start()
    assert bare.returncode == 2
    assert "missing --" in bare.stderr
    assert "--output" in bare.stderr
    assert "Traceback" not in bare.stderr
    assert list(tmp_path.iterdir()) == []
