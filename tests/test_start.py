"""Making, reopening, locking and closing runs: what OUT_DIR looks like and what is said."""

import fcntl
import http.server
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autotrain.config import EMBEDDED_MODEL, Settings, load
from autotrain.generate.prices import load_prices
from autotrain.monitor.hardware import Gpu
from autotrain.run import start
from autotrain.run.control import read_request, write_request
from autotrain.run.events import append_event
from autotrain.run.journal import Journal
from autotrain.run.lock import condition, end_orphan, loop_pid
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.plan import cost_text, memory_text, plan_text, time_text
from autotrain.run.rounds import finish, round_end, round_start
from autotrain.run.state import Best, load_state
from autotrain.run.summary import summary_text
from autotrain.train.card import write_manifest

ROOT = Path(__file__).resolve().parent.parent
# Stands where loop.sh stands: it is executed in place of Python when everything is ready.
LOOP = 'echo "loop $1 $2 $3 $4 $$"\n'


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OutPaths:
    monkeypatch.chdir(tmp_path)
    # The default one would be asked for at the hub.
    monkeypatch.setenv("BASE_MODEL", EMBEDDED_MODEL)
    Path("loop.sh").write_text(LOOP)
    return OutPaths(tmp_path / "größe & space")


def begin(out: OutPaths, *words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [
            *(sys.executable, "-m", "autotrain.run", "start", "--loop", "loop.sh"),
            *("--teacher", "builtin")[: 0 if "--resume" in words else 2],
            *("--out-dir", str(out.root), *words),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def refuse(out: OutPaths, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert start.main(["--teacher", "builtin", "--out-dir", str(out.root), *words]) == 2
    return capsys.readouterr().err


def made(out: OutPaths, *words: str) -> RunPaths:
    result = begin(out, *words)
    assert result.returncode == 0, result.stderr
    return out.run(out.run_ids()[-1])


def events(run: RunPaths) -> list[tuple[str, str]]:
    lines = run.events.read_text().splitlines()
    return [(event["event_type"], event["message"]) for event in map(json.loads, lines)]


# ---------------------------------------------------------------------------------------------------
# A new run


def test_a_new_run_has_its_folder_and_the_links_lead_to_it(out: OutPaths) -> None:
    result = begin(out, "--rounds", "2", "--preset", "3060")
    assert result.returncode == 0, result.stderr
    (run_id,) = out.run_ids()
    assert re.fullmatch(r"run_\d{8}_\d{6}_[0-9a-f]{6}", run_id)
    run = out.run(run_id)
    loop = re.search(r"^loop --drive (.+) 1 2 (\d+)$", result.stdout, re.MULTILINE)
    assert loop is not None
    assert loop[1] == str(run.root)
    # The loop took the place of the process that holds the lock.
    assert out.lock.read_text().split()[0] == loop[2] == str(load_state(run.state).pid)
    settings = load(run.config)
    assert (settings.rounds, settings.seq_len, settings.out_dir) == (2, 1024, out.root)
    assert load_state(run.state).status == "running"
    assert events(run) == [("pipeline_start", "2 rounds of 50 samples")]
    for name in ("data", "eval"):
        assert (out.root / name).is_symlink()
        assert not Path(os.readlink(out.root / name)).is_absolute()
        assert (out.root / name).resolve() == run.root / name
    assert sorted(path.name for path in out.root.iterdir()) == ["data", "eval", "pipeline.pid", "runs"]


def test_a_second_run_takes_the_links_and_leaves_the_first_alone(out: OutPaths) -> None:
    first = made(out)
    first.adapter(1).mkdir(parents=True)
    first.best_adapter.symlink_to("out_lora_round_1/final")
    journal = Journal(first)
    journal.state.best = Best(round=1, metric="pass_at_1", score=0.5)
    journal.set_status("running")
    round_end(first.root, 1)
    assert (out.root / "best_adapter").resolve() == first.adapter(1)
    assert (out.root / "out_lora_round_1").resolve() == first.adapter(1).parent
    finish(first.root, 0)
    before = {path: path.read_bytes() for path in first.root.rglob("*") if path.is_file()}
    made(out)
    second = next(out.run(run_id) for run_id in out.run_ids() if run_id != first.root.name)
    assert {path: path.read_bytes() for path in first.root.rglob("*") if path.is_file()} == before
    assert (out.root / "data").resolve() == second.data
    assert not (out.root / "best_adapter").is_symlink()
    assert not (out.root / "out_lora_round_1").is_symlink()
    # Going on with the first run brings its links back.
    write_request(first.control, "stop")
    journal = Journal(first)
    journal.set_status("stopped")
    assert begin(out, "--resume", first.root.name).returncode == 0
    assert (out.root / "best_adapter").resolve() == first.adapter(1)


@pytest.mark.parametrize("name", ["data", "eval", "best_adapter", "out_lora_round_3"])
def test_what_is_in_the_way_of_a_link_is_named_and_kept(
    out: OutPaths, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (out.root / name).mkdir(parents=True)
    (out.root / name / "mine").write_text("")
    assert f"{out.root / name} is in the way" in refuse(out, capsys)
    assert [path.name for path in out.root.iterdir()] == [name]
    assert (out.root / name / "mine").exists()


def test_a_dangling_link_is_not_in_the_way(out: OutPaths) -> None:
    out.root.mkdir()
    (out.root / "data").symlink_to("runs/gone/data")
    (out.root / "best_adapter").symlink_to("runs/gone/best_adapter")
    run = made(out)
    assert (out.root / "data").resolve() == run.data
    assert not (out.root / "best_adapter").is_symlink()


@pytest.mark.parametrize("in_the_way", ["", "runs", "pipeline.pid"])
def test_a_folder_that_cannot_be_used_is_told(
    out: OutPaths, in_the_way: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if in_the_way == "pipeline.pid":
        out.lock.mkdir(parents=True)
    else:
        (out.root / in_the_way).parent.mkdir(exist_ok=True)
        (out.root / in_the_way).write_text("")
    assert str(out.root) in refuse(out, capsys)
    assert out.run_ids() == []


def test_problems_are_told_before_anything_is_made(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    error = refuse(out, capsys, "--rounds", "0", "--lrr", "1")
    assert "2 problems" in error
    error = refuse(out, capsys, "--teacher", "gpt-4o-mini")
    assert "--teacher builtin" in error
    assert not out.root.exists()


def test_a_dry_run_makes_nothing(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    assert start.main(["--teacher", "builtin", "--out-dir", str(out.root), "--dry-run"]) == 0
    assert capsys.readouterr().out.startswith("plan\n")
    assert not out.root.exists()


# ---------------------------------------------------------------------------------------------------
# Going on


def test_resume_goes_on_with_the_newest_run_and_its_settings(out: OutPaths) -> None:
    run = made(out, "--rounds", "4", "--seed", "7")
    journal = Journal(run)
    journal.start_stage(1, "generate")
    append_event(run.events, run.root.name, "progress", "", round_number=1, stage="generate", counters_delta={"n": 5})
    write_request(run.control, "stop")
    finish(run.root, 3)
    result = begin(out, "--resume")
    assert result.returncode == 0, result.stderr
    assert f"loop --drive {run.root} 1 4 " in result.stdout
    assert read_request(run.control) == "run"
    state = load_state(run.state)
    assert (state.status, state.counters) == ("running", {"n": 5})
    assert events(run)[-1] == ("pipeline_start", "resumed in round 1")
    assert len(out.run_ids()) == 1


def test_resume_takes_no_other_settings(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    made(out)
    error = refuse(out, capsys, "--resume", "--rounds", "9")
    assert "began with ROUNDS = 3, which cannot change" in error
    # What is said again as it was is no change.
    assert "TEACHER_MODEL" not in error


def test_resume_takes_a_higher_bound_and_writes_it_down(out: OutPaths) -> None:
    run = made(out)
    finish(run.root, 4)
    assert begin(out, "--resume", "--max-tokens", "9000", "--samples", "7").returncode == 0
    settings = load(run.config)
    assert (settings.max_tokens, settings.samples_per_round) == (9000, 7)
    assert events(run)[-1] == ("pipeline_start", "resumed in round 1, SAMPLES_PER_ROUND = 7, MAX_TOKENS = 9000")
    assert begin(out, "--resume").returncode == 0
    assert load(run.config).max_tokens == 9000


def test_a_run_that_is_not_there_is_told_with_those_that_are(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--out-dir", str(out.root), "--resume"]
    assert start.main(words) == 2
    assert f"no run in {out.root} to resume" in capsys.readouterr().err
    assert not out.root.exists()
    run = made(out)
    for wrong in ("run_20260101_000000_abcdef", "../runs", str(run.root)):
        assert start.main([*words, wrong]) == 2
        assert f"there are: {run.root.name}" in capsys.readouterr().err


def test_a_damaged_state_is_never_taken_for_a_new_run(out: OutPaths) -> None:
    run = made(out)
    run.state.write_text("{")
    run.events.write_text("nothing of ours\n")
    resumed = begin(out, "--resume")
    assert resumed.returncode == 1
    assert f"{run.state} cannot be read, and {run.events} tells nothing of the run either" in resumed.stderr
    assert len(out.run_ids()) == 1
    finished = subprocess.run(
        [sys.executable, "-m", "autotrain.run", "finish", str(run.root), "0"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "is damaged" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert begin(out).returncode == 0


# ---------------------------------------------------------------------------------------------------
# Without its terminal

# A loop that works until its folder holds `done`, and says what it was started with.
LONG_LOOP = """
echo "pid $$ in session $(ps -o sid= -p $$), input $(readlink /proc/$$/fd/0)"
echo "a stage's error" >&2
for ((i = 0; i < 2400; i++)); do [ ! -e "$2/done" ] || break; sleep 0.05; done
echo "done"
"""


def wait_for(text: str, path: Path) -> str:
    deadline = time.monotonic() + 60
    while not path.exists() or text not in path.read_text():
        assert time.monotonic() < deadline, path.read_text() if path.exists() else "no log"
        time.sleep(0.02)
    return path.read_text()


def test_a_detached_loop_has_the_lock_a_session_and_a_log_of_its_own(out: OutPaths) -> None:
    Path("loop.sh").write_text(LONG_LOOP)
    result = begin(out, "--detach")
    assert result.returncode == 0, result.stderr
    (run_id,) = out.run_ids()
    run = out.run(run_id)
    pid = loop_pid(out)
    assert pid is not None
    assert condition(out, "running", load_state(run.state).pid) == "running"
    assert out.lock.read_text().split()[0] == str(pid)
    # The caller is told everything but what the loop prints.
    assert result.stdout.startswith("plan\n")
    assert f"\nrun {run_id} in {run.root}\n" in result.stdout
    assert str(run.log) in result.stdout
    assert f"python -m autotrain.dashboard --out-dir {shlex.quote(str(out.root))}" in result.stdout
    assert "session" not in result.stdout
    log = wait_for("a stage's error", run.log)
    assert log.startswith("plan\n")
    assert f"pid {pid} in session {pid}, input /dev/null" in " ".join(log.split())
    # What comes from outside is still told to the caller.
    second = begin(out, "--detach")
    assert second.returncode == 2
    assert f"already running in {out.root} (pid {pid})" in second.stderr
    (run.root / "done").touch()
    wait_for("done", run.log)


def test_a_detached_loop_goes_on_with_a_run_and_with_its_log(out: OutPaths) -> None:
    run = made(out)
    finish(run.root, 3)
    run.log.write_text("what was there\n")
    Path("loop.sh").write_text("echo again\n")
    result = begin(out, "--resume", "--detach")
    assert result.returncode == 0, result.stderr
    assert f"run {run.root.name} in" in result.stdout
    assert wait_for("again", run.log).startswith("what was there\nplan\n")
    finish(run.root, 0)
    complete = begin(out, "--resume", run.root.name, "--detach")
    assert complete.returncode == 0
    assert "already complete" in complete.stdout


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--rounds", "0", "--lrr", "1"], 2, "2 problems"),
        (["--resume", "run_20260101_000000_abcdef"], 2, "no run"),
        (["--dry-run"], 0, ""),
    ],
)
def test_what_goes_wrong_before_a_detached_run_is_made_comes_to_the_caller(
    out: OutPaths, words: list[str], status: int, said: str
) -> None:
    result = begin(out, "--detach", *words)
    assert result.returncode == status
    assert said in result.stderr
    assert not out.root.exists()


def test_closing_the_terminal_does_not_end_a_detached_loop(out: OutPaths) -> None:
    Path("loop.sh").write_text(LONG_LOOP)
    caller, terminal = pty.fork()
    if caller == 0:
        os.environ["PYTHONPATH"] = str(ROOT)
        # Whoever runs the tests may have it ignored, as nohup does.
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        words = ["--loop", "loop.sh", "--teacher", "builtin", "--out-dir", str(out.root), "--detach"]
        os.execv(sys.executable, [sys.executable, "-c", SHELL, sys.executable, "-m", "autotrain.run", "start", *words])
    shown = b""
    while b"steer it" not in shown:
        shown += os.read(terminal, 65536)
    pid = loop_pid(out)
    assert pid is not None
    # What a closing terminal does: everything that belongs to it is hung up.
    os.close(terminal)
    _, status = os.waitpid(caller, 0)
    assert os.WTERMSIG(status) == signal.SIGHUP
    time.sleep(0.3)
    assert loop_pid(out) == pid
    run = out.run(out.run_ids()[0])
    (run.root / "done").touch()
    wait_for("done", run.log)


# The shell of that terminal: runs a command and stays.
SHELL = "import subprocess, sys, time; subprocess.run(sys.argv[1:]); time.sleep(60)"


# ---------------------------------------------------------------------------------------------------
# The lock


def test_a_living_loop_is_named_by_its_pid(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    out.root.mkdir()
    with out.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        assert f"already running in {out.root} (pid {os.getpid()})" in refuse(out, capsys)
    assert out.run_ids() == []
    assert out.lock.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize(
    "content", ["", "1", pytest.param(str(os.getpid()), id="ours"), "99999999", "not a pid", "9" * 200]
)
def test_a_pid_file_that_nobody_holds_is_no_obstacle(out: OutPaths, content: str) -> None:
    out.root.mkdir()
    out.lock.write_text(content)
    run = made(out)
    assert out.lock.read_text().split()[0] == str(load_state(run.state).pid)


def test_a_lock_is_waited_for_while_its_dead_holders_child_ends(out: OutPaths) -> None:
    out.root.mkdir()
    with out.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        child = subprocess.Popen(["sleep", "1.5"], pass_fds=[lock.fileno()])
        lock.write("99999999\n")
    assert begin(out).returncode == 0
    assert child.poll() == 0


def test_an_orphan_is_known_by_its_start_time_not_by_its_pid_alone(out: OutPaths) -> None:
    run = made(out)
    journal = Journal(run)
    journal.start_stage(1, "generate")
    record = journal.state.stages["1"]["generate"]
    with subprocess.Popen(["sleep", "30"]) as stranger, out.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("99999999\n")
        lock.flush()
        record.pid = stranger.pid
        journal.set_status("running")
        end_orphan(out)
        assert stranger.poll() is None
        stranger.kill()


# ---------------------------------------------------------------------------------------------------
# Rounds and the end


def test_a_round_is_announced_and_closed_once(out: OutPaths) -> None:
    run = made(out)
    for _ in range(2):
        assert round_start(run.root, 1) == 0
        Journal(run).start_stage(1, "generate")
        Journal(run).end_stage(1, "generate", "completed", "done")
    assert round_end(run.root, 1) == 0
    assert round_start(run.root, 2) == 0
    Journal(run).start_stage(2, "generate")
    assert round_end(run.root, 1) == 0
    types = [name for name, _ in events(run)]
    assert (types.count("round_start"), types.count("round_end")) == (2, 1)


@pytest.mark.parametrize(
    ("status", "returned", "run_status", "event"),
    [
        (0, 0, "completed", "pipeline_complete"),
        (1, 1, "failed", "pipeline_error"),
        (2, 2, "failed", "pipeline_error"),
        (3, 3, "stopped", "pipeline_stop"),
        (4, 4, "refused", "pipeline_error"),
        (137, 1, "failed", "pipeline_error"),
    ],
)
def test_a_run_is_closed_with_the_status_of_its_last_stage(
    out: OutPaths,
    status: int,
    returned: int,
    run_status: str,
    event: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = made(out)
    journal = Journal(run)
    journal.start_stage(1, "train")
    if status == 0:
        journal.end_stage(1, "train", "completed", "done")
    assert finish(run.root, status) == returned
    state = load_state(run.state)
    assert (state.status, state.pid) == (run_status, None)
    assert state.stages["1"]["train"].status != "running"
    assert state.stages["1"]["train"].pid is None
    assert events(run)[-1][0] == event
    shown = capsys.readouterr().out
    assert f"summary of {run.root.name}: {run_status}" in shown
    if status == 137:
        assert "train was ended by signal 9; the machine may have run out of memory" in shown


def test_the_summary_tells_the_funnel_and_a_command_that_can_be_pasted(out: OutPaths) -> None:
    run = made(out)
    journal = Journal(run)
    journal.start_stage(1, "gate")
    journal.record(
        "progress",
        "",
        round_number=1,
        stage="gate",
        counters={"teacher_generated": 120, "rejected_duplicate": 7, "test_pass": 9},
        usage={"input_tokens": 1234567, "estimated_cost_usd": 0.5},
    )
    journal.set_status("stopped")
    text = summary_text(run)
    assert "  120  generated" in text
    assert "    7  dropped: duplicate" in text
    assert "malformed" not in text
    assert "teacher: input tokens 1234567, estimated cost usd 0.5\n" in text
    command = next(line for line in text.splitlines() if "--resume" in line).split("go on: ")[1]
    assert shlex.split(command)[1:] == ["--resume", run.root.name, "--out-dir", str(out.root)]


def test_a_run_without_a_better_adapter_is_not_praised(out: OutPaths) -> None:
    run = made(out)
    finish(run.root, 0)
    assert "try more samples" in summary_text(run)
    journal = Journal(run)
    journal.state.best = Best(round=1, metric="pass_at_1", score=0.5)
    journal.set_status("completed")
    assert f"use the adapter: {run.best_adapter}" in summary_text(run)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["at most 26 steps", "bounded by MAX_EPOCHS = 3"]),
        ({"train_steps": 5}, ["at most 5 steps", "bounded by TRAIN_STEPS"]),
        ({"max_epochs": 1000.0}, ["at most 500 steps", "bounded by TRAIN_STEPS"]),
        ({"run_unit_tests": False}, ["syntax only (RUN_UNIT_TESTS=0)"]),
        ({"run_unit_tests": True}, ["run answers and tests"]),
        ({"teacher_model": "builtin"}, ["teacher          builtin\n"]),
        ({"samples_per_round": 10, "samples_per_request": 4}, ["about 3 requests a round"]),
        ({"samples_per_round": 1, "rounds": 1}, ["at most 1 steps"]),
    ],
)
def test_the_plan_says_what_binds(changes: dict[str, object], expected: list[str]) -> None:
    text = plan_text(Settings(**changes))
    for part in expected:
        assert part in text


def cost(**changes: object) -> str:
    return cost_text(Settings(**changes), load_prices())


def test_the_cost_is_a_guess_and_a_bound_or_said_to_be_unknown() -> None:
    assert cost(teacher_model="builtin") == "nothing (builtin)"
    amounts = [float(word) for word in re.findall(r"\$([\d.]+)", cost())]
    about, most = amounts
    assert 0.01 < about < 0.1
    assert most > 10 * about
    # 10 rounds cost 10 times as much, and a bound of the user's is the bound.
    tenfold = [float(word) for word in re.findall(r"\$([\d.]+)", cost(rounds=30))]
    assert tenfold == pytest.approx([10 * about, 10 * most], rel=0.02)
    assert cost(max_cost_usd=0.5).endswith("at most $0.50 (MAX_COST_USD)")
    assert f"at most ${most:.2f} (every reply" in cost(max_cost_usd=500.0)


def test_a_price_that_is_not_known_is_never_nothing() -> None:
    for changes in ({"teacher_model": "my-model"}, {"teacher_base_url": "http://me:secret@127.0.0.1:8000/v1"}):
        text = cost(**changes)
        assert text.startswith("unknown")
        assert "$" not in text
        assert "secret" not in text
    both = cost(teacher_base_url="https://api.openai.com/v1,http://127.0.0.1:8000/v1")
    assert "gpt-4o-mini at 127.0.0.1:8000 " in both


def test_the_cost_says_the_same_as_the_real_accounts_do_for_one_request() -> None:
    """gpt-4o-mini: 0.15 and 0.60 dollars for a million tokens; one request of one sample, no retries."""
    text = cost(rounds=1, samples_per_round=1, teacher_max_retries=0, teacher_max_tokens=1000)
    most = float(re.findall(r"\$([\d.]+)", text)[1])
    reply = 2 * 1000 * 0.60 / 1e6
    assert reply < most < reply + 2 * 10_000 * 0.15 / 1e6


CARD = Gpu("RTX 2080 Ti", 300, 11019)


@pytest.mark.parametrize(
    ("changes", "found", "vram", "expected"),
    [
        ({"preset": "3090"}, [], None, ["meant for a card of 24 GB", "no NVIDIA GPU was found"]),
        ({}, [Gpu("A", 0, 40960)], None, ["not estimated", "found A with 40 GB"]),
        ({"base_model": EMBEDDED_MODEL}, [CARD], None, ["of 10.5 GB (weights 0.1", ": fits", "found RTX 2080 Ti"]),
        ({"base_model": EMBEDDED_MODEL, "device": "cpu"}, [], 1.0, ["does not fit; it would with LORA_R=16 SEQ_LEN="]),
        (
            {"base_model": EMBEDDED_MODEL, "quantization_bits": 16, "batch_size": 8},
            [CARD],
            2.0,
            ["does not fit; it would with BATCH_SIZE=2 GRAD_ACCUM=32"],
        ),
        ({"base_model": EMBEDDED_MODEL}, [], 0.5, ["no smaller settings would do"]),
    ],
)
def test_the_plan_holds_an_estimate_against_the_card(
    changes: dict[str, object], found: list[Gpu], vram: float | None, expected: list[str]
) -> None:
    text = memory_text(Settings(**changes), found, vram)
    for part in expected:
        assert part in text, text


def test_what_cannot_fit_is_refused_before_anything_is_made(
    out: OutPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--teacher", "builtin", "--out-dir", str(out.root), "--vram", "0.5"]
    assert start.main(words) == 4
    error = capsys.readouterr().err
    assert "training would not fit in memory: about" in error
    assert "--force starts it all the same" in error
    assert not out.root.exists()
    assert begin(out, "--vram", "0.5", "--force").returncode == 0


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("./nowhere", "there is no such folder"),
        (".", "the folder holds no config.json"),
        ("microsoft/phi 2", "no name of a model"),
        ("nobody/nothing", "it is not on this machine, and the hub cannot be reached"),
    ],
)
def test_a_base_model_that_is_not_to_be_had_is_told_before_anything_is_made(
    out: OutPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    monkeypatch.delenv("BASE_MODEL")
    error = refuse(out, capsys, "--base-model", name)
    assert f"BASE_MODEL = {name}: " in error
    assert why in error
    assert EMBEDDED_MODEL in error or "folder" in error
    assert not out.root.exists()


class Hub(http.server.BaseHTTPRequestHandler):
    """Says of a model what the hub says."""

    def do_HEAD(self) -> None:
        status, code = (403, "GatedRepo") if "/gated/" in self.path else (401, "RepoNotFound")
        if "/weights/" in self.path:
            status, code = 404, "EntryNotFound"
        self.send_response(status)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("someone/gated", "gated"),
        ("someone/misspelt", "check the spelling"),
        ("someone/weights", "it holds no config.json"),
    ],
)
def test_what_the_hub_says_of_a_base_model_is_told_in_a_sentence(
    out: OutPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, words: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        result = begin(out, "--base-model", name)
        server.shutdown()
        thread.join()
    assert result.returncode == 2
    assert f"BASE_MODEL = {name}: " in result.stderr
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.root.exists()


def test_the_plan_tells_the_time_by_an_earlier_run(out: OutPaths) -> None:
    run = made(out)
    adapter = run.adapter(1)
    adapter.mkdir(parents=True)
    settings = Settings(base_model=EMBEDDED_MODEL, out_dir=out.root)
    assert "not known" in time_text(settings)
    training = {"steps": 10, "tokens": 8000, "tokens_per_second": 200.0}
    used = {"batch_size": 2, "grad_accum": 4}
    identity = {"base_model": EMBEDDED_MODEL, "adapter_sha256": "a", "render_sha256": "r"}
    write_manifest(adapter, {**identity, "training": training, "settings": used})
    # 26 steps of 8 samples, 100 tokens each, at 200 tokens/s.
    assert time_text(settings) == "about 2 minutes of training a round, at 200 tokens/s as in an earlier run"
    assert "not known" in time_text(settings.model_copy(update={"base_model": "another/model"}))


def test_the_plan_for_the_cpu_speaks_of_no_card() -> None:
    assert memory_text(Settings(device="cpu"), [Gpu("A", 0, 40960)]) == "not estimated; trains on the CPU"
