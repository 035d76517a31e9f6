"""What loop.sh does before and after the rounds: check everything, make or reopen the run, sum it up."""

import argparse
import fcntl
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import psutil

from autotrain.config import Settings, add_flags, find_key, from_flags, load, require_teacher, resolve
from autotrain.errors import AutotrainError, SettingsError
from autotrain.files import replace_link, replace_text
from autotrain.run.control import write_request
from autotrain.run.journal import Journal
from autotrain.run.paths import RUN_ID, OutPaths, RunPaths, new_run_id
from autotrain.run.plan import plan_text
from autotrain.run.state import StageRecord, State, save_state, timestamp
from autotrain.run.summary import summary_text

LINKS = ("data", "eval", "best_adapter")


def main(argv: Sequence[str] | None = None) -> int:
    """Check the settings, lock OUT_DIR, open the run, then become the loop: `exec bash LOOP --drive RUN ROUNDS`.

    The lock lives on an inherited descriptor, so it is held as long as the loop or a stage of it lives.
    """
    parser = argparse.ArgumentParser(
        prog="loop.sh", description="Teacher → data → QLoRA → evaluation, round by round.", allow_abbrev=False
    )
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="RUN_ID", help="go on with a run (default: the newest)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan, start nothing")
    add_flags(parser)
    try:
        source, options = from_flags(parser, sys.argv[1:] if argv is None else argv)
        settings = resolve(source)
        out = OutPaths(settings.out_dir.absolute())
        if options.resume is not None:
            given = [name for name in source.values if name != "out_dir"]
            if given:
                raise SettingsError(
                    f"--resume goes on with the run's own settings; leave out {', '.join(name.upper() for name in given)}"
                )
            run = _find_run(out, options.resume)
            settings = load(run.config)
        require_teacher(settings, find_key())
        if options.dry_run:
            print(plan_text(settings))
            return 0
        _check_out_dir(out)
        lock = _lock(out)
        if options.resume is None:
            run = _create(out, settings)
        elif not _reopen(out, run):
            print(f"{run.root.name} is already complete\n\n{summary_text(run)}")
            return 0
    except AutotrainError as error:
        print(f"loop.sh: {error}", file=sys.stderr)
        return error.exit_status
    print(plan_text(settings), flush=True)
    print(f"run {run.root.name} in {run.root}", flush=True)
    os.set_inheritable(lock, True)
    os.execvp("bash", ["bash", str(options.loop), "--drive", str(run.root), str(settings.rounds)])


def _find_run(out: OutPaths, run_id: str) -> RunPaths:
    known = out.run_ids()
    if not known:
        raise SettingsError(f"there is no run in {out.root} to resume; leave out --resume to start one")
    if run_id == "":
        return out.run(known[-1])
    if not RUN_ID.fullmatch(run_id) or run_id not in known:
        raise SettingsError(f"no run {run_id!r} in {out.root}; there are: {', '.join(known[-5:])}")
    return out.run(run_id)


def _check_out_dir(out: OutPaths) -> None:
    try:
        out.runs.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"OUT_DIR = {out.root} cannot be used: {error.strerror}") from None
    for name in LINKS:
        link = out.root / name
        if link.exists() and not link.is_symlink():
            raise SettingsError(
                f"{link} is in the way: a link to the newest run belongs there; move it or set OUT_DIR"
            )


def _lock(out: OutPaths) -> int:
    """Take the lock on OUT_DIR and write our pid into it; raise SettingsError naming the loop that has it."""
    descriptor = os.open(out.lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 100).decode(errors="replace").strip()
        os.close(descriptor)
        if not _end_orphan(out, holder):
            raise SettingsError(
                f"a loop is already running in {out.root} (pid {holder}); stop it or set OUT_DIR"
            ) from None
        return _lock(out)
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def _end_orphan(out: OutPaths, holder: str) -> bool:
    """End the stage that a killed loop left behind; True if there was one and it is gone.

    It is ours if the state of a run recorded that pid with that start time, and the loop itself is dead.
    """
    if holder.isdecimal() and psutil.pid_exists(int(holder)):
        return False
    for run_id in reversed(out.run_ids()):
        record = _open_stage(Journal(out.run(run_id)).state)
        if record is None or record.pid is None or record.process_started is None:
            continue
        try:
            process = psutil.Process(record.pid)
            if abs(process.create_time() - record.process_started) > 0.01:
                continue
            print(f"ending stage process {record.pid}, left behind by a killed loop", flush=True)
            family = [process, *process.children(recursive=True)]
            for member in family:
                member.kill()
            psutil.wait_procs(family, timeout=10)
            return True
        except psutil.NoSuchProcess:
            continue
    return False


def _open_stage(state: State) -> StageRecord | None:
    if state.current_stage is None:
        return None
    record = state.stage(state.current_round, state.current_stage)
    return record if record is not None and record.status == "running" else None


def _create(out: OutPaths, settings: Settings) -> RunPaths:
    run = out.run(new_run_id(datetime.now()))
    run.data.mkdir(parents=True)
    run.eval.mkdir()
    replace_text(run.config, settings.to_json())
    now = timestamp()
    save_state(run.state, State(run_id=run.root.name, pid=os.getpid(), started_at=now, updated_at=now))
    Journal(run).record("pipeline_start", f"{settings.rounds} rounds of {settings.samples_per_round} samples")
    _link(out, run)
    return run


def _reopen(out: OutPaths, run: RunPaths) -> bool:
    """Make a run that stopped ready to go on; False if it is complete."""
    journal = Journal(run)
    journal.reconcile()
    if journal.state.status == "completed":
        return False
    write_request(run.control, "run")
    journal.state.pid = os.getpid()
    journal.set_status("running")
    journal.record("pipeline_start", f"resumed in round {max(journal.state.current_round, 1)}")
    _link(out, run)
    return True


def _link(out: OutPaths, run: RunPaths) -> None:
    """Point the names at the top of OUT_DIR to this run; those it has not made yet are taken away."""
    for stale in [*out.root.glob("out_lora_round_*"), out.root / "best_adapter"]:
        if stale.is_symlink():
            stale.unlink()
    relative = run.root.relative_to(out.root)
    replace_link(out.root / "data", str(relative / "data"))
    replace_link(out.root / "eval", str(relative / "eval"))
    for made in [*run.root.glob("out_lora_round_*"), run.best_adapter]:
        if made.exists():
            replace_link(out.root / made.name, str(relative / made.name))


def round_start(root: Path, round_number: int) -> int:
    """Announce a round, once."""
    journal = Journal(RunPaths(root))
    if str(round_number) not in journal.state.stages:
        journal.record("round_start", f"round {round_number} starts", round_number=round_number)
    return 0


def round_end(root: Path, round_number: int) -> int:
    """Close a round: the newest adapter and the best one appear at the top of OUT_DIR."""
    run = RunPaths(root)
    _link(OutPaths(root.parent.parent), run)
    journal = Journal(run)
    best = journal.state.best
    journal.record(
        "round_end",
        f"round {round_number} ends; best is {'none yet' if best is None else f'round {best.round}'}",
        round_number=round_number,
    )
    return 0


def finish(root: Path, status: int) -> int:
    """Close the run with the exit status of its last stage, print the summary, return the loop's own status."""
    run = RunPaths(root)
    journal = Journal(run)
    journal.state.pid = None
    left_open = _open_stage(journal.state)
    if left_open is not None:
        left_open.status, left_open.pid = ("stopped" if status == 3 else "failed"), None
    if status == 0:
        journal.set_status("completed")
        journal.record("pipeline_complete", "all rounds are done", level="success")
    elif status == 3:
        journal.set_status("stopped")
        journal.record("pipeline_stop", "stopped on request; resumable", level="warn")
    else:
        error = journal.state.error or f"a stage ended with status {status}"
        journal.set_status("refused" if status == 4 else "failed", error)
        journal.record("pipeline_error", error, level="error", error=error)
    print(f"\n{summary_text(run)}")
    return status if status in (0, 2, 3, 4) else 1
