"""Whether the loop of a run still lives, as another process sees it."""

import subprocess
import sys
from pathlib import Path

import pytest

from autotrain.errors import SettingsError
from autotrain.run.lock import condition, loop_pid, take_lock
from autotrain.run.paths import OutPaths

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


def test_a_run_that_ended_is_as_it_ended_and_looking_makes_no_file(out: OutPaths) -> None:
    assert loop_pid(out) is None
    assert condition(out, "completed", None) == "completed"
    assert condition(out, "running", None) == "dead"
    assert list(out.root.iterdir()) == []
