"""Whether the loop of a run still lives, as another process sees it."""

import fcntl
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from autotrain.errors import SettingsError
from autotrain.run.lock import condition, loop_pid, take_lock
from autotrain.run.paths import OutPaths, new_run_id
from autotrain.run.process import mark_of

# Takes the lock as the loop does, starts a child that inherits it as a stage does, says both pids, waits.
LOOP = """
import os, subprocess, sys, time
from pathlib import Path
from autotrain.run.lock import take_lock
from autotrain.run.paths import OutPaths
lock = take_lock(OutPaths(Path(sys.argv[1])))
os.set_inheritable(lock, True)
stage = subprocess.Popen(["sleep", "60"], close_fds=False)
print(stage.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def out(tmp_path: Path) -> OutPaths:
    return OutPaths(tmp_path)


def test_a_run_is_dead_when_its_loop_is_though_its_stage_still_holds_the_lock(out: OutPaths) -> None:
    with subprocess.Popen([sys.executable, "-c", LOOP, str(out.root)], stdout=subprocess.PIPE, text=True) as loop:
        assert loop.stdout is not None
        stage = int(loop.stdout.readline())
        assert loop_pid(out) == loop.pid
        assert condition(out, "paused", loop.pid) == "paused"
        assert condition(out, "running", loop.pid + 1) == "dead"
        with pytest.raises(SettingsError, match=f"pid {loop.pid}"):
            take_lock(out)
        loop.kill()
        loop.wait()
        assert loop_pid(out) is None
        assert condition(out, "running", loop.pid) == "dead"
        subprocess.run(["kill", str(stage)], check=True)
    assert condition(out, "running", loop.pid) == "dead"


@pytest.mark.parametrize("days", [-1, 1])
def test_a_loop_is_known_though_the_clock_jumps(out: OutPaths, days: int) -> None:
    with subprocess.Popen([sys.executable, "-c", LOOP, str(out.root)], stdout=subprocess.PIPE, text=True) as loop:
        assert loop.stdout is not None
        stage = int(loop.stdout.readline())
        # What a file written before the jump looks like after it.
        os.utime(out.lock, (time.time() + 86400 * days,) * 2)
        assert loop_pid(out) == loop.pid
        loop.kill()
        subprocess.run(["kill", str(stage)], check=True)


def test_a_pid_that_was_given_again_is_no_loop(out: OutPaths) -> None:
    with out.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(f"{os.getpid()}\n{mark_of(1)}\n")
        lock.flush()
        assert loop_pid(out) is None
        lock.seek(0)
        lock.write(f"{os.getpid()}\n{mark_of(os.getpid())}\n")
        lock.flush()
        assert loop_pid(out) == os.getpid()


def test_a_process_that_is_gone_has_no_mark() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        mark = mark_of(process.pid)
        assert mark is not None
        assert mark == mark_of(process.pid) != mark_of(os.getpid())
        process.kill()
        while mark_of(process.pid) is not None:  # a zombie first
            time.sleep(0.01)
    assert mark_of(process.pid) is None


def test_a_run_that_ended_is_as_it_ended_and_looking_makes_no_file(out: OutPaths) -> None:
    assert loop_pid(out) is None
    assert condition(out, "completed", None) == "completed"
    assert condition(out, "running", None) == "dead"
    assert list(out.root.iterdir()) == []


def test_the_newest_run_has_the_last_name_though_the_clock_was_put_back() -> None:
    known = ["run_20260101_000000_abcdef", "run_20269999_999999_abcdef", "run_20300101_235959_ffffff"]
    assert new_run_id(datetime(2026, 6, 1), known)[:19] == "run_20300102_000000"
    assert new_run_id(datetime(2031, 6, 1), known)[:19] == "run_20310601_000000"
