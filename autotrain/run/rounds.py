"""What loop.sh does between the stages and at the end: open and close a round, close the run and sum it up."""

import shutil
import signal
import sys
from pathlib import Path

from autotrain.config import load
from autotrain.run.disk import tell
from autotrain.run.folder import link_names
from autotrain.run.journal import Journal
from autotrain.run.lock import open_stage
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.prune import prune


def round_start(root: Path, round_number: int) -> int:
    """Announce a round, once."""
    journal = Journal(RunPaths(root))
    if str(round_number) not in journal.state.stages:
        journal.record("round_start", f"round {round_number} starts", round_number=round_number)
    return 0


def round_end(root: Path, round_number: int) -> int:
    """Close a round, once: the newest adapter and the best one appear at the top of OUT_DIR."""
    run = RunPaths(root)
    journal = Journal(run)
    if str(round_number + 1) in journal.state.stages:
        return 0
    shutil.rmtree(run.checkpoints(round_number), ignore_errors=True)
    keep = load(run.config).keep_rounds
    removed = prune(run, journal.state, round_number + 1 - keep) if keep else []
    if removed:
        names = ", ".join(sorted({path.name for path in removed}))
        journal.record("progress", f"removed, as KEEP_ROUNDS = {keep}: {names}", round_number=round_number)
    link_names(OutPaths(root.parent.parent), run)
    best = journal.state.best
    journal.record(
        "round_end",
        f"round {round_number} ends; best is {'none yet' if best is None else f'round {best.round}'}",
        round_number=round_number,
    )
    return 0


def finish(root: Path, status: int, reason: str | None = None) -> int:
    """Close the run with its last stage's exit status, print the summary, return the loop's own status."""
    # Of all steps this one alone needs it, and it imports the most.
    from autotrain.run.summary import summary_text

    run = RunPaths(root)
    # The ending has its place, however full the disk is; a run at rest needs none.
    run.reserve.unlink(missing_ok=True)
    journal = Journal(run)
    journal.state.pid = None
    left_open = open_stage(journal.state)
    if left_open is not None:
        left_open.status = "stopped" if status == 3 else "failed"
        left_open.pid = left_open.mark = None
    if status == 0:
        journal.set_status("completed")
        journal.record("pipeline_complete", "all rounds are done", level="success")
    elif status == 3:
        journal.set_status("stopped")
        journal.record("pipeline_stop", "stopped on request; resumable", level="warn")
    else:
        error = reason or journal.state.error or _cause(journal.state.current_stage, status)
        journal.set_status("refused" if status == 4 else "failed", error)
        journal.record("pipeline_error", error, level="error", error=error)
    tell(f"\n{summary_text(run)}", sys.stdout)
    return status if status in (0, 2, 3, 4) else 1


def _cause(stage: str | None, status: int) -> str:
    """Why a stage ended that did not say so itself."""
    if status <= 128:
        return f"{stage or 'the loop'} ended with status {status}"
    memory = "; the machine may have run out of memory" if status == 128 + signal.SIGKILL else ""
    return f"{stage or 'the loop'} was ended by signal {status - 128}{memory}"
