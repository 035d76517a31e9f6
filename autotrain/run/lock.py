"""The lock on OUT_DIR: one loop at a time, and whether the loop of a run still lives."""

import fcntl
import os
import time
from contextlib import suppress

import psutil

from autotrain.errors import AutotrainError, SettingsError
from autotrain.run.paths import OutPaths
from autotrain.run.process import mark_of
from autotrain.run.state import StageRecord, State, load_state

LOCK_SECONDS = 10
ENDED = ("completed", "stopped", "failed", "refused")


def take_lock(out: OutPaths) -> int:
    """Take the lock on OUT_DIR and write our pid and mark into it; raise SettingsError naming the loop that has it.

    A stage that outlived its loop still holds the lock: it is ended first.
    """
    descriptor = os.open(out.lock, os.O_RDWR | os.O_CREAT, 0o666)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            holder, lives = _holder(descriptor)
            if lives or time.monotonic() > deadline:
                os.close(descriptor)
                raise SettingsError(
                    f"a loop is already running in {out.root} (pid {holder}); stop it or set OUT_DIR"
                ) from None
        # The holder is dead: its stage may need a moment to write down its own pid, or to die.
        end_orphan(out)
        time.sleep(0.1)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n{mark_of(os.getpid())}\n".encode(), 0)
    return descriptor


def loop_pid(out: OutPaths) -> int | None:
    """The pid of the loop that runs in OUT_DIR, or None. A stage that outlived its loop is no loop."""
    try:
        descriptor = os.open(out.lock, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        holder, lives = _holder(descriptor)
        return int(holder) if lives else None
    finally:
        os.close(descriptor)
    return None


def condition(out: OutPaths, status: str, pid: int | None) -> str:
    """How a run is: what its state says, or `dead` where the loop that the state speaks of is gone."""
    if status in ENDED or (pid is not None and loop_pid(out) == pid):
        return status
    return "dead"


def _holder(descriptor: int) -> tuple[str, bool]:
    """The pid in the lock file, and whether the process that wrote it lives."""
    pid, _, mark = os.pread(descriptor, 200, 0).decode(errors="replace").strip().partition("\n")
    if not (pid.isascii() and pid.isdecimal() and len(pid) < 10):
        return pid[:20], False
    now = mark_of(int(pid))
    return pid, now is not None and mark in ("", now)


def end_orphan(out: OutPaths) -> None:
    """End the stage that a killed loop left behind: a process whose pid and mark a run recorded."""
    for run_id in reversed(out.run_ids()):
        try:
            record = open_stage(load_state(out.run(run_id).state))
            if record is None or record.pid is None or record.mark is None or mark_of(record.pid) != record.mark:
                continue
            process = psutil.Process(record.pid)
            family = [process, *process.children(recursive=True)]
        except (AutotrainError, psutil.NoSuchProcess):
            continue
        print(f"ending stage process {record.pid}, left behind by a killed loop", flush=True)
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=LOCK_SECONDS)
        return


def open_stage(state: State) -> StageRecord | None:
    """The stage that a run's state says is at work."""
    if state.current_stage is None:
        return None
    record = state.stage(state.current_round, state.current_stage)
    return record if record is not None and record.status == "running" else None
