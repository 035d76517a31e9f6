"""Real runs of scripts/loop.sh, with stages that take a moment instead of a GPU.

The copy of the checkout that is run has stages of its own: each counts, leaves a line in a log,
and does what the test put into a file named after it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import psutil
import pytest

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.run.events import sum_deltas
from autotrain.run.state import STAGES

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("01_teacher_generate.py", "02_validate.py", "03_unit_gate.py", "04_train_qlora.py", "05_eval.py")
STAGE = """
import os, sys, time
from pathlib import Path
from autotrain.errors import Refused
from autotrain.run.stage import Done, run_stage

def in_round(stage, paths):
    here = Path(os.environ["STAGES"])
    with (here / "log").open("a") as log:
        log.write(f"{stage.round_number} {stage.name} {os.environ.get('OPENAI_API_KEY') or '-'}\\n")
    stage.progress("half", {"items_NAME": 2}, {"requests_sent": 1}, {"loss_NAME": 2 / 3 + stage.round_number})
    while (here / f"slow-{stage.name}").exists():
        stage.check_control()
        time.sleep(0.02)
    while (here / f"deaf-{stage.name}").exists():
        time.sleep(0.02)
    if (here / f"refuse-{stage.name}").exists():
        raise Refused("nothing survived this stage")
    if (here / f"crash-{stage.name}").exists():
        raise RuntimeError("it broke; key sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl")
    if (here / f"die-{stage.name}").exists():
        os.kill(os.getpid(), 9)
    stage.progress("whole", {"items_NAME": 1}, gauges={"loss_NAME": 1 / 3})
    made = paths.data / f"{stage.name}_{stage.round_number}.jsonl"
    made.write_text("{}\\n" * stage.round_number)
    return Done(f"{stage.name} did it", [made])

if __name__ == "__main__":
    sys.exit(run_stage("NAME", "a stage", in_round, None, {}))
"""


class Checkout:
    """A copy of the scripts in a folder with a space in its name, and the loops started from it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a größe copy"
        self.out = folder / "out & results"
        self.work = folder / "work"
        self.marks = folder / "stages"
        for path in (self.root, self.work, self.marks):
            path.mkdir()
        scripts = self.root / "scripts"
        scripts.mkdir()
        for name in ("loop.sh", "setup.sh"):
            shutil.copy(ROOT / "scripts" / name, scripts)
        for script, name in zip(SCRIPTS, STAGES, strict=True):
            (scripts / script).write_text(STAGE.replace("NAME", name))
        (self.root / "autotrain").symlink_to(ROOT / "autotrain")
        (self.root / "pyproject.toml").write_text("dependencies = [\n]\n")
        (self.root / "requirements.lock").write_text("")
        self.loops: list[subprocess.Popen[str]] = []

    def start(self, *words: str, output: IO[str] | int = subprocess.PIPE, **variables: str) -> "subprocess.Popen[str]":
        env = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
        env.update(
            VIRTUAL_ENV=sys.prefix,
            STAGES=str(self.marks),
            PYTHONPATH="",
            TEACHER_MODEL="builtin",
            BASE_MODEL=EMBEDDED_MODEL,
            ROUNDS="2",
            OUT_DIR=str(self.out),
        )
        env.update(variables)
        loop = subprocess.Popen(
            ["bash", str(self.root / "scripts" / "loop.sh"), *words],
            cwd=self.work,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
            start_new_session=True,
            # A test run in the background ignores Ctrl-C, and bash cannot trap what it was started ignoring.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.loops.append(loop)
        return loop

    def run(self, *words: str, **variables: str) -> tuple[int, str, str]:
        return ended(self.start(*words, **variables))

    def mark(self, *names: str) -> None:
        for name in names:
            (self.marks / name).write_text("")

    def clear(self, *names: str) -> None:
        for name in names:
            (self.marks / name).unlink()

    @property
    def log(self) -> list[str]:
        path = self.marks / "log"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for(self, line: str, loop: "subprocess.Popen[str]") -> None:
        """Until a stage has begun: `2 train`."""
        deadline = time.monotonic() + 120
        while not any(entry.startswith(line) for entry in self.log):
            assert loop.poll() is None, loop.communicate()
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    @property
    def run_folders(self) -> list[Path]:
        return sorted((self.out / "runs").iterdir())

    @property
    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.run_folders[-1] / "state.json").read_text())
        return state

    @property
    def events(self) -> list[dict[str, Any]]:
        lines = (self.run_folders[-1] / "events.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def end(self) -> None:
        """Kill the loops that still live."""
        for loop in self.loops:
            if loop.poll() is None:
                # Each stage has a process group of its own.
                for process in [psutil.Process(loop.pid), *psutil.Process(loop.pid).children(recursive=True)]:
                    process.kill()
                loop.communicate()


def ended(loop: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = loop.communicate(timeout=240)
    return loop.returncode, out, err


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    made = Checkout(tmp_path)
    yield made
    made.end()


def done(rounds: int) -> list[str]:
    """What the log of a run holds in which every stage was done once."""
    return [f"{number} {name} -" for number in range(1, rounds + 1) for name in STAGES]


def check_books(checkout: Checkout, rounds: int) -> None:
    """The state says completed, every stage counted once, and the events add up to it."""
    state = checkout.state
    assert (state["status"], state["error"], state["pid"]) == ("completed", None, None)
    assert {number: set(stages) for number, stages in state["stages"].items()} == {
        str(number): set(STAGES) for number in range(1, rounds + 1)
    }
    for stages in state["stages"].values():
        for name, record in stages.items():
            assert record["status"] == "completed"
            assert record["counts"][f"items_{name}"] == 3
            assert record["ended_at"] >= record["started_at"]
    assert {name: state["counters"][f"items_{name}"] for name in STAGES} == dict.fromkeys(STAGES, 3 * rounds)
    assert state["counters"]["loss_train"] == pytest.approx(1 / 3, abs=1e-5)
    sums = sum_deltas(checkout.run_folders[-1] / "events.jsonl")
    assert (sums.counters, sums.usage, sums.damaged) == (state["counters"], state["usage"], [])


def test_a_whole_run(checkout: Checkout) -> None:
    status, out, err = checkout.run("--seed", "7", OPENAI_API_KEY="key-of-the-teacher")
    assert status == 0, err
    # Only the teacher's stage sees the key, and no file of the run holds it.
    assert checkout.log == [line.replace("generate -", "generate key-of-the-teacher") for line in done(2)]
    (folder,) = checkout.run_folders
    for path in folder.rglob("*"):
        assert path.is_dir() or "key-of-the-teacher" not in path.read_text()
    check_books(checkout, 2)
    assert json.loads((folder / "config.json").read_text())["seed"] == 7
    types = [event["event_type"] for event in checkout.events]
    stages = ["stage_start", "progress", "progress", "stage_end"] * 5
    assert types == ["pipeline_start", *["round_start", *stages, "round_end"] * 2, "pipeline_complete"]
    assert out.index("plan") < out.index(folder.name) < out.index("evaluate did it") < out.index("summary of")
    assert (checkout.out / "data").resolve() == folder / "data"
    assert list(checkout.work.iterdir()) == []

    status, out, _ = checkout.run("--resume")
    assert status == 0
    assert "already complete" in out
    assert len(checkout.log) == 10

    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    checkout.mark("refuse-generate")
    assert checkout.run()[0] == 4
    first, second = checkout.run_folders
    assert first == folder
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert (checkout.out / "data").resolve() == second / "data"


def test_ctrl_c_stops_after_the_item_in_hand_and_resume_goes_on(checkout: Checkout) -> None:
    checkout.mark("slow-train")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 train", loop)
    os.killpg(loop.pid, signal.SIGINT)
    status, out, err = ended(loop)
    assert status == 3, err
    assert "once more to end at once" in err
    assert "Traceback" not in err
    assert (checkout.state["status"], checkout.state["pid"]) == ("stopped", None)
    assert checkout.state["stages"]["1"]["train"]["status"] == "stopped"
    assert f"--resume {checkout.run_folders[0].name} --out-dir '{checkout.out}'" in out
    assert checkout.events[-1]["event_type"] == "pipeline_stop"

    checkout.clear("slow-train")
    status, _, err = checkout.run("--resume")
    assert status == 0, err
    assert checkout.log == [*done(1)[:4], *done(1)[3:]]
    check_books(checkout, 1)
    assert len(checkout.run_folders) == 1


def test_ctrl_c_at_any_moment_is_a_stop_that_can_be_resumed(checkout: Checkout) -> None:
    """Also between two stages, and while the loop does its own book-keeping."""
    checkout.mark("slow-evaluate")  # the moment may come late, never too late
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 generate", loop)
    for pause in (0.1, 0.6):
        time.sleep(pause)
        os.killpg(loop.pid, signal.SIGINT)
        status, _, err = ended(loop)
        assert "Traceback" not in err
        assert status == 3, err
        assert checkout.state["status"] == "stopped"
        before = len(checkout.events)
        loop = checkout.start("--resume")
        while len(checkout.events) < before + 2:
            time.sleep(0.01)
    checkout.clear("slow-evaluate")
    assert ended(loop)[0] == 0
    check_books(checkout, 1)


def test_a_second_ctrl_c_ends_a_stage_that_does_not_listen(checkout: Checkout) -> None:
    checkout.mark("deaf-generate")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 generate", loop)
    (stage,) = [process for process in psutil.Process(loop.pid).children() if process.name() != "bash"]
    os.killpg(loop.pid, signal.SIGINT)
    control = checkout.run_folders[0] / "control.json"
    while not control.exists() or "stop" not in control.read_text():
        time.sleep(0.02)
    time.sleep(0.3)
    assert loop.poll() is None
    os.killpg(loop.pid, signal.SIGINT)
    status, _, err = ended(loop)
    assert status == 3, err
    assert not stage.is_running()
    assert checkout.state["status"] == "stopped"


@pytest.mark.parametrize("whole_group", [False, True])
def test_a_kill_is_a_stop(checkout: Checkout, whole_group: bool) -> None:
    checkout.mark("slow-generate")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 generate", loop)
    if whole_group:
        os.killpg(loop.pid, signal.SIGTERM)
    else:
        loop.terminate()
    status, out, err = ended(loop)
    assert status == 3, err
    assert checkout.state["status"] == "stopped"
    assert f"--resume {checkout.run_folders[0].name}" in out


def test_a_killed_loop_leaves_nothing_that_is_in_the_way(checkout: Checkout) -> None:
    checkout.mark("slow-gate")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 gate", loop)
    stage = psutil.Process(checkout.state["stages"]["1"]["gate"]["pid"])
    loop.kill()
    while psutil.Process(loop.pid).status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.02)
    assert stage.is_running()

    checkout.clear("slow-gate")
    (checkout.marks / "deaf-gate").touch()
    resumed = checkout.start("--resume")
    while len(checkout.log) < 4:
        assert resumed.poll() is None, resumed.communicate()
        time.sleep(0.02)
    checkout.clear("deaf-gate")
    status, out, err = ended(resumed)
    assert status == 0, err
    assert f"ending stage process {stage.pid}" in out
    assert not stage.is_running()
    check_books(checkout, 1)


def test_a_resumed_run_begins_with_the_first_round_that_is_not_complete(checkout: Checkout) -> None:
    checkout.mark("slow-validate")
    loop = checkout.start()
    checkout.wait_for("1 validate", loop)
    checkout.clear("slow-validate")
    checkout.wait_for("2 generate", loop)
    checkout.mark("slow-validate")
    checkout.wait_for("2 validate", loop)
    loop.terminate()
    assert ended(loop)[0] == 3
    checkout.clear("slow-validate")
    assert checkout.run("--resume")[0] == 0
    assert checkout.log == [*done(2)[:7], *done(2)[6:]]
    check_books(checkout, 2)
    skipped = [(event["round"], event["stage"]) for event in checkout.events if event["event_type"] == "stage_skip"]
    assert skipped == [(2, "generate")]


def test_everything_killed_at_once_resumes_with_the_same_books(checkout: Checkout) -> None:
    checkout.mark("slow-evaluate")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 evaluate", loop)
    loop.kill()
    os.kill(checkout.state["stages"]["1"]["evaluate"]["pid"], signal.SIGKILL)
    loop.wait()
    checkout.clear("slow-evaluate")
    with (checkout.run_folders[0] / "events.jsonl").open("a") as events:
        events.write('{"event_version": "1.0", "ts": "2026-')
    status, _, err = checkout.run("--resume")
    assert status == 0, err
    assert checkout.log == [*done(1), done(1)[-1]]
    check_books(checkout, 1)


def test_one_loop_at_a_time_works_in_a_folder(checkout: Checkout) -> None:
    checkout.mark("slow-generate")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 generate", loop)
    for words in ([], ["--resume"]):
        status, _, err = checkout.run(*words)
        assert status == 2
        assert f"already running in {checkout.out} (pid {loop.pid})" in err
    assert len(checkout.run_folders) == 1
    assert checkout.state["pid"] == loop.pid
    assert checkout.state["status"] == "running"


def test_a_refused_stage_ends_the_run_with_its_reason(checkout: Checkout) -> None:
    checkout.mark("refuse-gate")
    status, out, err = checkout.run("--rounds", "1")
    assert status == 4
    assert "nothing survived this stage" in err
    assert "nothing survived this stage" in out
    assert checkout.state["status"] == "refused"
    assert checkout.log == done(1)[:3]


@pytest.mark.parametrize(("mark", "reason"), [("crash-generate", "it broke"), ("die-generate", "signal 9")])
def test_a_broken_stage_fails_the_run_with_its_reason(checkout: Checkout, mark: str, reason: str) -> None:
    checkout.mark(mark)
    status, out, _ = checkout.run("--rounds", "1")
    assert status == 1
    assert checkout.state["status"] == "failed"
    assert reason in checkout.state["error"]
    assert reason in out
    assert "sk-proj" not in json.dumps([checkout.state, checkout.events])
    assert checkout.state["stages"]["1"]["generate"]["status"] == "failed"
    assert "after mending the cause" in out


def test_pause_and_stop_from_another_terminal(checkout: Checkout) -> None:
    def control(action: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "autotrain.control", action, "--out-dir", str(checkout.out)],
            cwd=checkout.work,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )

    def wait_until(status: str) -> None:
        deadline = time.monotonic() + 60
        while checkout.state["status"] != status:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    nothing = control("stop")
    assert nothing.returncode == 2
    assert "no run" in nothing.stderr
    assert not checkout.out.exists()

    checkout.mark("slow-validate")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 validate", loop)
    assert control("pause").returncode == 0
    wait_until("paused")
    checkout.clear("slow-validate")
    time.sleep(0.3)
    assert checkout.log == done(1)[:2]
    assert "paused, round 1 of 1, validate" in control("status").stdout
    checkout.mark("slow-train")
    assert control("resume").returncode == 0
    checkout.wait_for("1 train", loop)
    assert control("pause").returncode == 0
    wait_until("paused")
    assert control("stop").returncode == 0
    status, _, err = ended(loop)
    assert status == 3, err
    assert control("resume").returncode == 2
    assert "loop.sh --resume" in control("resume").stderr
    assert control("stop").returncode == 2


def test_a_detached_loop_lives_on_is_steered_and_is_resumed_detached(checkout: Checkout) -> None:
    checkout.mark("slow-train")
    status, out, err = checkout.run("--rounds", "1", "--detach")
    assert status == 0, err
    assert "generate did it" not in out
    (folder,) = checkout.run_folders
    loop = psutil.Process(checkout.state["pid"])
    try:
        deadline = time.monotonic() + 120
        while not any(line.startswith("1 train") for line in checkout.log):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        # Who started it is gone, and so is its session; this is what stops a loop that was asked by a signal.
        loop.terminate()
        loop.wait(60)
        assert checkout.state["status"] == "stopped"
        checkout.clear("slow-train")
        assert checkout.run("--resume", "--detach")[0] == 0
        loop = psutil.Process(checkout.state["pid"])
        while checkout.state["status"] != "completed":
            assert time.monotonic() < deadline + 120
            time.sleep(0.05)
        loop.wait(60)  # it still says its summary
    finally:
        if loop.is_running():
            loop.kill()
    check_books(checkout, 1)
    log = (folder / "loop.log").read_text()
    assert log.index("generate did it") < log.index("summary of") < log.index("already complete")
    assert log.count(f"summary of {folder.name}") == 2
    assert "once more to end at once" in log


def test_a_file_that_is_not_as_it_was_left_is_named_and_made_again_only_when_asked(checkout: Checkout) -> None:
    checkout.mark("slow-evaluate")
    loop = checkout.start()
    checkout.wait_for("1 evaluate", loop)
    checkout.clear("slow-evaluate")
    checkout.mark("slow-gate")
    checkout.wait_for("2 gate", loop)
    loop.terminate()
    assert ended(loop)[0] == 3
    checkout.clear("slow-gate")
    folder = checkout.run_folders[0]
    artifact = checkout.state["stages"]["1"]["gate"]["artifacts"]["data/gate_1.jsonl"]
    assert (artifact["bytes"], artifact["lines"]) == (3, 1)
    (folder / "data" / "gate_1.jsonl").write_text("{ \n")
    (folder / "data" / "generate_2.jsonl").unlink()
    before, events = checkout.state, len(checkout.events)
    status, _, err = checkout.run("--resume")
    assert status == 1
    assert "data/gate_1.jsonl was changed since stage gate of round 1 wrote it" in err
    assert "data/generate_2.jsonl is missing since stage generate of round 2 wrote it" in err
    assert f"--resume {folder.name} --redo" in err
    # Looking for damage changes nothing.
    assert len(checkout.events) == events
    assert {**checkout.state, "updated_at": ""} == {**before, "updated_at": ""}

    done_before = len(checkout.log)
    status, _, err = checkout.run("--resume", "--redo")
    assert status == 0, err
    assert checkout.log[done_before:] == [*done(1)[2:], *done(2)[5:]]
    skipped = [event["stage"] for event in checkout.events if event["event_type"] == "stage_skip"]
    assert skipped == ["generate", "validate"]
    check_books(checkout, 2)
    assert (folder / "data" / "gate_1.jsonl").read_text() == "{}\n"
    assert checkout.run("--resume")[0] == 0


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"schema_version": 2}', None])
def test_a_state_that_cannot_be_read_is_made_again_from_the_events(checkout: Checkout, damage: str | None) -> None:
    checkout.mark("slow-train")
    loop = checkout.start("--rounds", "1")
    checkout.wait_for("1 train", loop)
    loop.terminate()
    assert ended(loop)[0] == 3
    checkout.clear("slow-train")
    state = checkout.run_folders[0] / "state.json"
    if damage is None:
        state.unlink()
    else:
        state.write_text(damage)
    status, _, err = checkout.run("--resume")
    assert status == 0, err
    assert "made again from the events: 3 stages are complete" in err
    assert checkout.log == [*done(1)[:4], *done(1)[3:]]
    check_books(checkout, 1)
    assert any("made again from the events" in event["message"] for event in checkout.events)


def test_without_state_and_events_nothing_is_begun_silently(checkout: Checkout) -> None:
    checkout.mark("refuse-gate")
    assert checkout.run("--rounds", "1")[0] == 4
    folder = checkout.run_folders[0]
    (folder / "state.json").write_text("?")
    (folder / "events.jsonl").write_text("")
    status, _, err = checkout.run("--resume")
    assert status == 1
    assert "state.json cannot be read" in err
    assert "start a new run" in err
    assert checkout.log == done(1)[:3]


def test_settings_may_change_before_a_resume_only_where_that_is_harmless(checkout: Checkout) -> None:
    checkout.mark("refuse-gate")
    assert checkout.run("--rounds", "1", "--seed", "7")[0] == 4
    checkout.clear("refuse-gate")
    status, _, err = checkout.run("--resume", "--seed", "8", "--base-model", "other/model", "--rounds", "1")
    assert status == 2
    assert "SEED = 7" in err
    assert f"BASE_MODEL = {EMBEDDED_MODEL}" in err
    assert "ROUNDS" not in err
    config = checkout.run_folders[0] / "config.json"
    as_it_was = config.read_text()
    config.write_text(as_it_was.replace('"seed": 7', '"seed": 9'))
    status, _, err = checkout.run("--resume")
    assert status == 2
    assert "was changed since the run began" in err
    config.write_text(as_it_was)
    # ROUNDS is 2 in the environment of these tests.
    status, _, err = checkout.run("--resume", "--seed", "7", "--teacher-timeout", "9", "--max-tokens", "1000")
    assert status == 0, err
    assert "ROUNDS = 2 (environment) is not taken: the run began with 1" in err
    assert json.loads(config.read_text())["max_tokens"] == 1000
    assert any("MAX_TOKENS = 1000" in event["message"] for event in checkout.events)
    check_books(checkout, 1)


def test_what_a_killed_writer_left_half_written_is_swept_away(checkout: Checkout) -> None:
    checkout.mark("die-validate")
    assert checkout.run("--rounds", "1")[0] == 1
    checkout.clear("die-validate")
    folder = checkout.run_folders[0]
    (folder / "data" / ".clean_round_1.jsonl.123.tmp").write_text("half")
    (folder / "out_lora_round_1" / ".final.tmp").mkdir(parents=True)
    (folder / "out_lora_round_1" / ".final.tmp" / "adapter.safetensors").write_text("half")
    assert checkout.run("--resume")[0] == 0
    assert list(folder.rglob(".*.tmp")) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--rounds", "0", "--lr=-1", "--sampels", "3"], "3 problems with the settings"),
        (["--teacher", "gpt-4o-mini"], "needs a key or an address"),
        (["--resume"], "no run in"),
        (["--resume", "run_20260101_000000_abcdef"], "no run in"),
        (["--detach", "--rounds", "0"], "ROUNDS = '0'"),
    ],
)
def test_wrong_settings_start_and_make_nothing(checkout: Checkout, words: list[str], expected: str) -> None:
    status, _, err = checkout.run(*words)
    assert status == 2
    assert expected in err
    assert not checkout.out.exists()
    assert list(checkout.work.iterdir()) == []


def test_a_dry_run_prints_the_plan_and_makes_nothing(checkout: Checkout) -> None:
    status, out, err = checkout.run("--dry-run", "--samples", "50", "--train-steps", "500")
    assert status == 0, err
    assert "bounded by MAX_EPOCHS = 3" in out
    assert not checkout.out.exists()
