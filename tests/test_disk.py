"""A full disk loses nothing: what was written stays whole, the run ends with 4 and goes on when there is room."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from small_disk import fill, filled, small_disk
from teacher_server import TeacherServer, slow
from test_generate_stage import SCRIPT, asking
from test_loop import Checkout, check_books, ended
from test_stages import SCRIPTS, in_run, make_run

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.errors import AutotrainError
from autotrain.evaluate.answers import Answer, append_answers, read_answers
from autotrain.files import is_full, keep_reserve, replace_link, replace_text, replacing, write_surely
from autotrain.generate.ledger import Amount, Ledger, Reply, read_book, sent
from autotrain.jsonl import read_objects
from autotrain.run import start
from autotrain.run.__main__ import take_step
from autotrain.run.disk import free_bytes, needed_bytes, shown
from autotrain.run.events import append_event, sum_deltas
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, run_stage
from autotrain.run.state import load_state, timestamp

ROOT = Path(__file__).resolve().parent.parent
PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as mounted:
        yield mounted


def refused_as_full() -> Any:
    return pytest.raises(OSError, match=os.strerror(errno.ENOSPC))


# ---------------------------------------------------------------------------------------------------
# Single files


def test_a_file_that_cannot_be_replaced_stays_as_it_was(disk: Path) -> None:
    path = disk / "state.json"
    replace_text(path, "old")
    with filled(disk):
        for text in ("new", "x" * (8 << 20)):
            with refused_as_full():
                replace_text(path, text)
        with refused_as_full(), replacing(path) as stream:
            for _ in range(100):
                stream.write("y" * PAGE)
        assert path.read_text() == "old"
        assert sorted(os.listdir(disk)) == ["filler", "state.json"]
    replace_text(path, "new")
    assert path.read_text() == "new"


def test_a_link_that_cannot_be_moved_leads_where_it_did(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=1m,nr_inodes=4") as disk:
        replace_link(disk / "best", "one")
        (disk / "a").touch()
        (disk / "b").touch()
        with refused_as_full():
            replace_link(disk / "best", "two")
        assert os.readlink(disk / "best") == "one"
        assert sorted(os.listdir(disk)) == ["a", "b", "best"]


@pytest.mark.parametrize("leave", [0, PAGE])
def test_an_event_is_appended_whole_or_not_at_all(disk: Path, leave: int) -> None:
    path = disk / "events.jsonl"

    def append(message: str) -> None:
        append_event(path, "run_1", "progress", message, counters_delta={"n": 1})

    append("first")
    written = 1
    with filled(disk, leave):
        # What is free of a page already taken is used up before the disk says no, in the middle of a line.
        with refused_as_full():
            for _ in range(1000):
                append("x" * 300)
                written += 1
        assert path.stat().st_size % PAGE > 0
    assert written > 1
    append("last")
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == written + 1
    assert sum_deltas(path)[0] == {"n": written + 1}


def reply(name: str, text: str = "x") -> Reply:
    return Reply(request_hash=name, request_index=1, text=text, model="m", created_at=timestamp())


def test_a_reply_takes_the_place_of_the_reserve_and_a_request_that_was_not_sent_does_not(disk: Path) -> None:
    path, reserve = disk / "responses.jsonl", disk / ".reserve"
    keep_reserve(reserve)
    with Ledger(path, reserve) as ledger, filled(disk, PAGE):
        with refused_as_full():
            for number in range(1000):
                ledger.append(sent(f"try {number}", 1, Amount(1), False))
        counted = ledger.book.usage["requests_sent"]
        assert reserve.exists()
        with refused_as_full():
            ledger.append(reply("first", "x" * 3 * PAGE))
        assert not reserve.exists()
        ledger.append(reply("second", "y" * 3 * PAGE))
        with refused_as_full():
            ledger.append(reply("third", "z" * (1 << 20)))
    book = read_book([path])
    assert book.replies.keys() == {"first", "second"}
    assert book.usage["requests_sent"] == counted > 0
    assert len(list(read_objects(path))) == path.read_bytes().count(b"\n") == counted + 2


def test_answers_are_appended_whole_or_not_at_all(disk: Path) -> None:
    path = disk / "answers.jsonl"
    answers = [Answer("m", f"item {number}", "greedy", "x" * 900, 1, False, None, 1) for number in range(9)]
    append_answers(path, answers[:1])
    with filled(disk, PAGE), refused_as_full():
        append_answers(path, answers[1:])
    assert len(read_answers([path])) == 1
    append_answers(path, answers[1:])
    assert len(read_answers([path])) == 9


def test_what_must_be_written_is_written_in_the_place_of_the_reserve(disk: Path) -> None:
    reserve, path = disk / ".reserve", disk / "state.json"
    keep_reserve(reserve)
    with filled(disk):
        assert free_bytes(disk) == 0
        keep_reserve(reserve)  # it is there
        error = write_surely(lambda: replace_text(path, "written"), reserve)
        assert error is not None
        assert is_full(error)
        assert (path.read_text(), reserve.exists()) == ("written", False)
        assert write_surely(lambda: replace_text(path, "again"), reserve) is None
        fill(disk)
        with refused_as_full():
            write_surely(lambda: replace_text(path, "no more"), reserve)
        with refused_as_full():
            keep_reserve(reserve)
    assert path.read_text() == "again"
    assert sorted(os.listdir(disk)) == ["state.json"]


def test_a_full_disk_is_known_by_whoever_tells_of_it() -> None:
    def raised_by(error: Exception, cause: Exception | None = None, quiet: bool = False) -> Exception:
        try:
            try:
                if cause is not None:
                    raise cause
            except Exception as known:
                raise error from (None if quiet else known)
            raise error
        except Exception as final:
            return final

    full = OSError(errno.ENOSPC, "full")
    assert is_full(OSError(errno.EDQUOT, "over quota"))
    assert is_full(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert is_full(raised_by(ValueError("cannot save"), full))
    assert is_full(raised_by(ValueError("cannot save"), full, quiet=True))
    assert not is_full(OSError(errno.EIO, "broken"))
    assert not is_full(raised_by(AutotrainError("the server said: No space left on device")))


# ---------------------------------------------------------------------------------------------------
# A stage of a run


def small_run(disk: Path, **changes: Any) -> RunPaths:
    paths = make_run(disk / "out" / "runs", teacher_model="builtin", base_model=EMBEDDED_MODEL, **changes)
    keep_reserve(paths.reserve)
    return paths


def call(paths: RunPaths, work: Callable[[Stage, RunPaths], Done]) -> int:
    return run_stage("gate", "", work, lambda *_: Done(""), {}, ["--run", str(paths.root), "--round", "1"])


def books_agree(paths: RunPaths) -> bool:
    state = load_state(paths.state)
    return (state.counters, state.usage) == sum_deltas(paths.events)[:2]


POINTS = ("before", "event", "file", "many events", "end")


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("leave", [0, PAGE, 3 * PAGE])
def test_a_stage_ends_with_4_wherever_the_disk_gets_full_and_is_done_again(
    disk: Path, point: str, leave: int, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = small_run(disk)

    def work(stage: Stage, paths: RunPaths) -> Done:
        for place in POINTS[1:]:
            if point == place and not (disk / "again").exists():
                fill(disk, leave)
            if place == "event":
                stage.progress("half", {"test_pass": 2}, {"requests_sent": 1}, {"loss": 2 / 3})
            elif place == "file":
                with replacing(paths.tested(1)) as stream:
                    stream.write("line\n" * 3000)
            elif place == "many events":
                for _ in range(40):
                    stage.progress("x" * 400, {"test_pass": 1})
        return Done("done")

    if point == "before":
        fill(disk, leave)
    status = call(paths, work)
    error = capsys.readouterr().err
    state = load_state(paths.state)
    if status == 0:
        assert (point, leave) in (("before", 3 * PAGE), ("end", PAGE), ("end", 3 * PAGE))
    else:
        assert status == 4
        assert "gate: no space left on the disk of " in error
        assert "MB free now, about" in error
        assert f"./scripts/loop.sh --resume {paths.root.name} --out-dir {disk / 'out'} goes on" in error
        assert "Traceback" not in error
        assert (state.status, str(state.error)[:13]) == ("refused", "no space left")
        # The work was done, and the space for saying so was there.
        assert state.stages["1"]["gate"].status == ("completed" if point == "end" else "refused")
        assert books_agree(paths)
    assert paths.tested(1).exists() == (point in ("many events", "end") or status == 0)
    assert [name for name in os.listdir(paths.data) if name.endswith(".tmp")] == []
    (disk / "filler").unlink()
    (disk / "again").touch()
    assert call(paths, work) == 0
    state = load_state(paths.state)
    assert state.is_complete(1, "gate")
    assert state.counters == {"test_pass": 42, "loss": pytest.approx(2 / 3)}
    assert books_agree(paths)


def test_where_not_even_the_ending_can_be_written_the_older_state_stays(
    disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = small_run(disk)

    def work(stage: Stage, paths: RunPaths) -> Done:
        stage.progress("half", {"test_pass": 2})
        paths.reserve.unlink()
        fill(disk)
        for _ in range(40):
            stage.progress("x" * 400, {"test_pass": 1})
        return Done("done")

    assert call(paths, work) == 4
    assert "no space left on the disk of" in capsys.readouterr().err
    assert load_state(paths.state).status == "running"
    assert load_state(paths.state).counters == {"test_pass": 2}
    assert take_step(["finish", str(paths.root), "4"]) == 4
    assert "loop.sh: no space left on the disk of" in capsys.readouterr().err
    assert load_state(paths.state).status == "running"
    (disk / "filler").unlink()
    assert take_step(["finish", str(paths.root), "4"]) == 4
    state = load_state(paths.state)
    assert (state.status, state.stages["1"]["gate"].status) == ("refused", "failed")
    Journal(paths).reconcile()
    assert call(paths, lambda stage, paths: Done("done")) == 0
    assert load_state(paths.state).counters == {"test_pass": 0}
    assert books_agree(paths)


@pytest.mark.parametrize("step", ["round-start", "round-end"])
def test_between_two_stages_a_full_disk_ends_the_run(
    disk: Path, step: str, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = small_run(disk)
    paths.eval.mkdir()
    if step == "round-end":
        Journal(paths).start_stage(1, "gate")
        Journal(paths).end_stage(1, "gate", "completed", "")
    with filled(disk):
        assert take_step([step, str(paths.root), "1"]) == 4
        captured = capsys.readouterr()
        assert "loop.sh: no space left on the disk of" in captured.err
        state = load_state(paths.state)
        assert (state.status, state.pid) == ("refused", None)
        assert "summary of" in captured.out
        assert [line["event_type"] for line in read_objects(paths.events)][-1] == "pipeline_error"
    assert take_step([step, str(paths.root), "1"]) == 0
    assert not paths.reserve.exists()


def test_a_run_can_be_asked_to_stop_on_a_full_disk(disk: Path) -> None:
    paths = small_run(disk)
    with filled(disk):
        assert take_step(["stop", str(paths.root)]) == 0
        assert call(paths, lambda stage, paths: Done("done")) in (3, 4)
    assert json.loads(paths.control.read_text()) == {"request": "stop"}


# ---------------------------------------------------------------------------------------------------
# The teacher's stage


def test_replies_under_way_when_the_disk_gets_full_are_not_paid_for_twice(tmp_path: Path, disk: Path) -> None:
    size = {"samples_per_round": 40, "samples_per_request": 2, "teacher_concurrency": 4}
    with TeacherServer(then=slow(0.1)) as server:
        calm = asking(server, tmp_path / "calm", **size)
        assert in_run(SCRIPT, calm).returncode == 0
        undisturbed = server.count
    with TeacherServer(then=slow(0.1)) as server:
        paths = asking(server, disk / "out" / "runs", **size)
        keep_reserve(paths.reserve)
        command = [sys.executable, str(SCRIPTS / SCRIPT), "--run", str(paths.root), "--round", "1"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        deadline = time.monotonic() + 60
        while server.count < 6:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        fill(disk)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 4, error
        assert "generate: no space left on the disk of" in error
        assert load_state(paths.state).status == "refused"
        assert books_agree(paths)
        assert server.count < undisturbed
        (disk / "filler").unlink()
        done = in_run(SCRIPT, paths)
        assert done.returncode == 0, done.stderr
        assert server.count == undisturbed
    assert paths.raw(1).read_bytes() == calm.raw(1).read_bytes()
    assert load_state(paths.state).usage["requests_sent"] == undisturbed
    assert books_agree(paths)


# ---------------------------------------------------------------------------------------------------
# Whole runs


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[Checkout]:
    with small_disk(tmp_path / "disk", "size=99m") as disk:
        made = Checkout(tmp_path)
        made.out = disk / "out & results"
        yield made
        made.end()


def test_a_loop_whose_disk_gets_full_twice_goes_on_with_books_that_add_up(loops: Checkout) -> None:
    """In the middle of a stage, and then, with its log on the same disk, at the end of another."""
    disk = loops.out.parent
    loops.mark("deaf-gate")
    loop = loops.start("--rounds", "1", "--lora-r", "1")
    loops.wait_for("1 gate", loop)
    (run,) = loops.run_folders
    wait_for_event(run, "half", "gate")
    fill(disk)
    loops.clear("deaf-gate")
    status, out, err = ended(loop)
    assert status == 4, err
    assert "gate: no space left on the disk of" in err
    assert "Traceback" not in err
    assert f"summary of {run.name}: refused" in out
    assert f"--resume {run.name}" in out
    assert (loops.state["status"], loops.state["pid"]) == ("refused", None)
    assert loops.state["stages"]["1"]["gate"]["status"] == "refused"
    assert loops.events[-1]["event_type"] == "pipeline_error"
    assert not (run / ".reserve").exists()

    # As long as nothing is done about it, nothing is touched.
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    status, _, err = loops.run("--resume")
    assert status == 4
    assert "would not fit on the disk of OUT_DIR" in err
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    (disk / "filler").unlink()
    loops.mark("deaf-evaluate")
    status, _, err = loops.run("--resume", "--detach")
    assert status == 0, err
    wait_for_event(run, "half", "evaluate")
    loop_pid = loops.state["pid"]
    fill(disk)
    loops.clear("deaf-evaluate")
    deadline = time.monotonic() + 60
    while loops.state["status"] == "running" or Path(f"/proc/{loop_pid}").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert loops.state["status"] == "refused"
    assert "no space left" in loops.state["error"]

    (disk / "filler").unlink()
    status, _, err = loops.run("--resume")
    assert status == 0, err
    check_books(loops, 1)
    assert not (run / ".reserve").exists()
    assert "1 gate -" in loops.log


def wait_for_event(run: Path, message: str, stage: str) -> None:
    deadline = time.monotonic() + 60
    while (stage, message) not in ((event["stage"], event["message"]) for event in read_objects(run / "events.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | str], list[str]]:
    """The words that start a run in a folder, in a shell without settings of its own."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.lower() in Settings.model_fields:
            monkeypatch.delenv(name)
    Path("loop.sh").write_text("true\n")
    words = ["--loop", "loop.sh", "--teacher", "builtin", "--base-model", EMBEDDED_MODEL, "--lora-r", "1"]
    return lambda folder: [*words, f"--out-dir={folder}"]


Words = Callable[[Path | str], list[str]]


def begin(words: list[str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "autotrain.run", "start", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def listing(folder: Path) -> dict[str, str]:
    """Everything in a folder, with where its links lead."""
    return {
        str(path.relative_to(folder)): os.readlink(path) if path.is_symlink() else ""
        for path in folder.rglob("*")
    }


def test_a_run_that_cannot_be_made_is_removed_again(disk: Path, out: Words) -> None:
    folder = disk / "out"
    first = begin([*out(folder), "--force"])
    assert first.returncode == 0, first.stderr
    before = listing(folder)
    # No room for the reserve; for the reserve alone; for config and state too, and the first event is the last.
    for leave in (10 * PAGE, 64 * PAGE, 66 * PAGE):
        with filled(disk, leave):
            second = begin([*out(folder), "--force"])
            assert second.returncode == 4, second
            assert second.stderr.startswith(f"loop.sh: no space left on the disk of {folder}")
            assert second.stderr.endswith("free some and start again\n")
            assert listing(folder) == before


def test_a_run_with_too_little_room_is_refused_before_anything_is_made(
    disk: Path, out: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(teacher_model="builtin", base_model=EMBEDDED_MODEL, lora_r=1)
    needed = needed_bytes(settings)
    assert start.main(out(disk / "out")) == 4
    error = capsys.readouterr().err
    assert f"about {shown(needed)} are needed and 4.0 MB are free" in error
    assert "--force starts it all the same" in error
    assert os.listdir(disk) == []
    assert start.main([*out(disk / "out"), "--dry-run"]) == 0
    assert f"disk             about {shown(needed)} needed, 4.0 MB free" in capsys.readouterr().out
    assert os.listdir(disk) == []


# ---------------------------------------------------------------------------------------------------
# What an OUT_DIR may be


ODD_NAME = "-it's a \"größe\"\n$HOME `date` * \\n #~"


def test_a_folder_of_any_name_will_do(tmp_path: Path) -> None:
    loops = Checkout(tmp_path)
    loops.out = loops.work / ODD_NAME
    try:
        status, out, err = loops.run("--rounds", "1", OUT_DIR=ODD_NAME)
        assert status == 0, err
        check_books(loops, 1)
        assert os.listdir(loops.work) == [ODD_NAME]
        assert (loops.out / "data").resolve() == loops.run_folders[0] / "data"
        assert "read the report" in out or "summary of" in out
    finally:
        loops.end()


def test_a_link_to_a_folder_will_do(tmp_path: Path, out: Words) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    done = begin(out(tmp_path / "link"))
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path / "real")) == ["data", "eval", "pipeline.pid", "runs"]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("file", "is no folder"),
        ("below a file", "cannot be used"),
        ("dangling link", "is a link to nowhere/at/all, which is not there"),
        ("link to itself", os.strerror(errno.ELOOP)),
        ("too long", os.strerror(errno.ENAMETOOLONG)),
    ],
)
def test_what_is_no_folder_is_told_and_nothing_is_made(
    tmp_path: Path, out: Words, kind: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / ("place" if kind != "too long" else "x" * 300)
    if "file" in kind:
        place.write_text("mine")
    elif "link" in kind:
        place.symlink_to("nowhere/at/all" if kind == "dangling link" else "place")
    before = listing(tmp_path)
    assert start.main(out(place / "out" if kind == "below a file" else place)) == 2
    error = capsys.readouterr().err
    assert str(place) in error
    assert words in error
    assert "Traceback" not in error
    assert listing(tmp_path) == before


def test_a_disk_that_can_only_be_read_is_told(
    tmp_path: Path, out: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    with small_disk(tmp_path / "disk", "size=64m,ro") as disk:
        for folder in (disk, disk / "out"):
            assert start.main([*out(folder), "--force"]) == 2
            error = capsys.readouterr().err
            assert "can only be read" in error or os.strerror(errno.EROFS) in error
            assert str(folder) in error
            assert error.count("\n") == 1
        assert os.listdir(disk) == []
