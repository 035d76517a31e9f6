"""A full disk loses nothing: what was written stays whole, the run ends with 4 and goes on when there is room."""

import errno
import json
import os
import shlex
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
from test_loop import Checkout, check_books, done
from test_qlora import SAMPLES, settings
from test_stages import SCRIPTS, in_run, make_run
from test_train_stages import script
from tiny_model import build_model

from autotrain.config import EMBEDDED_MODEL, Settings, load
from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.answers import Answer, append_answers, read_answers
from autotrain.files import is_full, keep_reserve, replace_link, replace_text, replacing, write_surely
from autotrain.generate.ledger import Amount, Ledger, Reply, read_book, sent
from autotrain.jsonl import read_objects, write_jsonl
from autotrain.run import start
from autotrain.run.__main__ import take_step
from autotrain.run.disk import free_bytes, full_disk_refused, needed_bytes, rank_numbers, shown
from autotrain.run.events import append_event, sum_deltas
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, run_stage
from autotrain.run.state import load_state, save_state, timestamp
from autotrain.train.qlora import Step, train_adapter

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
    (tmp_path / "disk" / "best").mkdir()
    with pytest.raises(OSError, match=os.strerror(errno.EISDIR)):
        replace_link(tmp_path / "disk" / "best", "two")
    assert os.listdir(tmp_path / "disk") == ["best"]


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


def test_a_log_that_cannot_be_written_ends_a_stage_with_4_too(tmp_path: Path) -> None:
    """Python would flush it once more at its end, and end with 120."""
    paths = make_run(tmp_path, teacher_model="builtin", samples_per_round=1)
    command = [sys.executable, str(SCRIPTS / SCRIPT), "--run", str(paths.root), "--round", "1"]
    with open("/dev/full", "w") as full:
        assert subprocess.run(command, stdout=full, stderr=full, check=False).returncode == 4
    state = load_state(paths.state)
    assert (state.status, state.is_complete(1, "generate")) == ("refused", True)


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


def test_replies_under_way_when_the_disk_gets_full_are_not_paid_for_twice(disk: Path) -> None:
    with TeacherServer(then=slow(0.1)) as server:
        size = {"samples_per_round": 40, "samples_per_request": 2, "teacher_concurrency": 4}
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
        assert server.count < 20
        (disk / "filler").unlink()
        done = in_run(SCRIPT, paths)
        assert done.returncode == 0, done.stderr
        assert server.count == 20, "as many as if nothing had happened"
    assert [sample["id"] for sample in read_objects(paths.raw(1))] == [f"r1-{number:05d}" for number in range(40)]
    state = load_state(paths.state)
    assert (state.counters["teacher_generated"], state.usage["requests_sent"]) == (40, 20)
    assert books_agree(paths)


# ---------------------------------------------------------------------------------------------------
# Training


# Weights of 4 MiB, moments of 8, and a checkpoint after each of four steps.
TRAINED = {"lora_r": 512, "checkpoint_minutes": 1e-6, "train_steps": 4}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("tiny") / "model")


def train(
    base: Path, folder: Path, output: Path | None = None, *, on_step_end: Any = None, on_log: Any = None
) -> list[int]:
    """The steps done. `on_step_end` is called before it is looked for room, `on_log` between that and the writing."""
    done: list[int] = []

    def log(step: Step) -> None:
        done.append(step.step)
        if on_log is not None:
            on_log(step.step)

    train_adapter(
        SAMPLES,
        settings(base, **TRAINED),
        output or folder / "adapter",
        folder / "checkpoints",
        start_from=None,
        on_step=log,
        check_control=lambda: on_step_end and on_step_end(len(done) + 1),
    )
    return done


def weights(folder: Path) -> bytes:
    return (folder / "adapter" / "adapter_model.safetensors").read_bytes()


def sealed(folder: Path) -> list[str]:
    return sorted(path.parent.name for path in (folder / "checkpoints").glob("*/contents.json"))


def test_a_training_whose_disk_gets_full_goes_on_from_the_last_checkpoint(base: Path, tmp_path: Path) -> None:
    """In turn: told before the next one is begun, in the middle of its weights, of its moments, before the adapter."""
    assert train(base, tmp_path) == [1, 2, 3, 4]
    with small_disk(tmp_path / "disk", "size=99m") as disk, small_disk(tmp_path / "small", "size=3m") as small:

        def refused_at(step: int, hook: str, leave: int, words: str) -> None:
            with pytest.raises(Refused, match=words), full_disk_refused(None):
                train(base, disk, **{hook: lambda number: fill(disk, leave) if number == step else None})
            # What was half-written gave its space back, and what was whole before is there.
            assert sealed(disk) == sorted(path.name for path in (disk / "checkpoints").glob("checkpoint-*"))
            assert sealed(disk) == [f"checkpoint-{number}" for number in (step - 2, step - 1) if number]
            assert free_bytes(disk) == leave
            assert not (disk / "adapter").exists()
            (disk / "filler").unlink()

        told = r"no space left for the next checkpoint: about 1\d MB are needed on the disk of .* 9\.0 MB are free"
        refused_at(2, "on_step_end", 9 << 20, told)
        refused_at(3, "on_log", 2 << 20, r"no space left on the disk of .*: [0-9.]+ MB free now")
        refused_at(4, "on_log", 9 << 20, r"no space left on the disk of .*: [0-9.]+ MB free now")
        with pytest.raises(Refused, match=r"no space left for the adapter: about 5\.0 MB are needed"):
            train(base, disk, small / "adapter")
        assert os.listdir(small) == []
        assert sealed(disk) == ["checkpoint-3", "checkpoint-4"]
        assert train(base, disk) == []
        assert weights(disk) == weights(tmp_path)


def test_an_adapter_that_is_half_written_gives_its_space_back(base: Path, tmp_path: Path) -> None:
    data = tmp_path / "data.jsonl"
    write_jsonl(data, (sample.to_json() for sample in SAMPLES))
    (tmp_path / "elsewhere").mkdir()
    # The disk itself, the link, the adapter's folder and two of its files: then there is no room for a further one.
    with small_disk(tmp_path / "disk", "size=9m,nr_inodes=5") as disk:
        (disk / "adapter.checkpoints").symlink_to(tmp_path / "elsewhere")
        done = script("04_train_qlora.py", "--base-model", base, "--data", data, "--output", disk / "adapter")
        assert done.returncode == 4
        assert "train: no space left on the disk of" in done.stderr
        assert os.listdir(disk) == ["adapter.checkpoints"]
    assert len(list((tmp_path / "elsewhere").glob("checkpoint-*/contents.json"))) == 1


def test_the_estimate_is_near_what_a_training_writes(base: Path, tmp_path: Path) -> None:
    """As far as the model's config says; an architecture without a gate has fewer numbers than are counted on."""
    from transformers import PhiConfig

    from autotrain.train.memory import config_at_hand, shape_of

    assert rank_numbers(str(base)) == shape_of(config_at_hand(str(base))).rank_weights
    phi = PhiConfig(hidden_size=64, intermediate_size=256, num_hidden_layers=3, num_attention_heads=4, vocab_size=99)
    phi.save_pretrained(tmp_path)
    assert 1 < rank_numbers(str(tmp_path)) / shape_of(config_at_hand(str(tmp_path))).rank_weights < 1.5
    assert rank_numbers("no/where") == rank_numbers(str(tmp_path / "nowhere")) > 10**6


# ---------------------------------------------------------------------------------------------------
# Whole runs


@pytest.fixture
def loops(tmp_path: Path) -> Iterator[Checkout]:
    with small_disk(tmp_path / "disk", "size=99m") as disk:
        made = Checkout(tmp_path)
        made.out = disk / "out & results"
        yield made
        made.end()


def test_a_loop_ends_with_4_though_its_log_is_on_the_full_disk_too_and_goes_on(loops: Checkout) -> None:
    disk = loops.out.parent
    loops.mark("deaf-gate")
    with (disk / "log").open("w") as log:
        loop = loops.start("--rounds", "1", "--lora-r", "1", output=log)
    loops.wait_for("1 gate", loop)
    (run,) = loops.run_folders
    wait_for_event(run, "half", "gate")
    fill(disk)
    loops.clear("deaf-gate")
    assert loop.wait(60) == 4
    assert (loops.state["status"], loops.state["pid"]) == ("refused", None)
    assert loops.state["stages"]["1"]["gate"]["status"] == "refused"
    assert "no space left" in loops.state["error"]
    assert loops.events[-1]["event_type"] == "pipeline_error"
    assert "Traceback" not in (disk / "log").read_text()
    assert not (run / ".reserve").exists()

    (disk / "filler").unlink()
    status, _, err = loops.run("--resume")
    assert status == 0, err
    assert loops.log == [*done(1)[:3], *done(1)[2:]]
    check_books(loops, 1)
    assert not (run / ".reserve").exists()


def wait_for_event(run: Path, message: str, stage: str) -> None:
    deadline = time.monotonic() + 60
    while (stage, message) not in ((event["stage"], event["message"]) for event in read_objects(run / "events.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | str], list[str]]:
    """The words that start a run in a folder."""
    monkeypatch.chdir(tmp_path)
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
    # Room for the reserve alone; for config and state too, and the first event is the last.
    for leave in (64 * PAGE, 66 * PAGE):
        with filled(disk, leave):
            second = begin([*out(folder), "--force"])
            assert second.returncode == 4, second
            assert second.stderr.splitlines()[-1].startswith(f"loop.sh: no space left on the disk of {folder}")
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


def test_to_go_on_takes_only_what_is_left_to_write_and_touches_nothing_without_it(
    disk: Path, out: Words, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = small_run(disk, lora_r=1, rounds=9)
    settings = load(paths.config)
    state = load_state(paths.state)
    state.current_round, state.status = 7, "refused"
    save_state(paths.state, state)
    before = {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()}
    assert start.main(["--resume", f"--out-dir={disk / 'out'}"]) == 4
    error = capsys.readouterr().err
    assert "the rest of the run would not fit on the disk of OUT_DIR" in error
    assert f"about {shown(needed_bytes(settings, 7))} are needed" in error
    assert {path: path.read_bytes() for path in disk.rglob("*") if path.is_file()} == before
    adapters = (needed_bytes(settings) - needed_bytes(settings, 7)) / 6
    assert 1 << 20 < adapters < needed_bytes(settings, 9)
    assert needed_bytes(settings, 10) == 0


# ---------------------------------------------------------------------------------------------------
# What an OUT_DIR may be


ODD_NAME = "-it's a \"größe\"\n$HOME `date` * \\n #~"


def test_a_folder_of_any_name_will_do(tmp_path: Path) -> None:
    loops = Checkout(tmp_path)
    loops.out = loops.work / ODD_NAME
    loops.mark("refuse-validate")
    status, out, err = loops.run(OUT_DIR=ODD_NAME)
    assert (status, err) == (4, "validate: nothing survived this stage\n")
    assert os.listdir(loops.work) == [ODD_NAME]
    assert (loops.out / "data").resolve() == loops.run_folders[0] / "data"
    assert loops.state["stages"]["1"]["generate"]["status"] == "completed"
    assert loops.log == ["1 generate -", "1 validate -"]
    # The command that is to be pasted leads back to it.
    words = shlex.split(out[out.index("./scripts/loop.sh --resume") :])
    assert words == ["./scripts/loop.sh", "--resume", loops.run_folders[0].name, "--out-dir", f"./{ODD_NAME}"]
    status, _, err = loops.run(*words[1:], "--dry-run")
    assert status == 0, err


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
            # What every start looks at comes first, and --force goes on after it.
            error = capsys.readouterr().err.splitlines()[-1]
            assert "can only be read" in error or os.strerror(errno.EROFS) in error
            assert str(folder) in error
        assert os.listdir(disk) == []
