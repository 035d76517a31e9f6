"""What can be done now in an OUT_DIR, what is in the way of it, and starting loops that outlive the menu."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from autotrain.config import Settings, flag_of
from autotrain.errors import AutotrainError, SettingsError
from autotrain.run.control import Standing, current_run, look_at, objection
from autotrain.run.folder import check_folder, check_links
from autotrain.run.lock import ENDED, loop_pid
from autotrain.run.paths import RUN_ID, OutPaths
from autotrain.run.plan import plan_text
from autotrain.run.start import read_order
from autotrain.sources import Source, resolve


@dataclass(frozen=True)
class Proposal:
    """A plan, where the settings allow one, and what is in the way of starting it, where something is."""

    plan: str = ""
    problem: str = ""
    exit_status: int = 0


@dataclass(frozen=True)
class Launched:
    """How a start ended: `run_id` where a loop runs now, and what was printed besides the plan."""

    exit_status: int
    run_id: str | None
    text: str


def propose(source: Source, resume: str | None = None) -> Proposal:
    """What loop.sh would do with these settings; `resume` is the run to go on with ("": the newest)."""
    plan = ""
    try:
        if resume is None:
            # So that it is shown though something is missing for it, such as a key.
            plan = plan_text(resolve(source))
        order = read_order(source, resume)
        plan = plan_text(order.settings)
        check_free(order.out)
        if order.run is not None and (reason := resume_objection(look_at(order.out, order.run.root.name))):
            raise SettingsError(reason)
    except AutotrainError as error:
        return Proposal(plan, str(error), error.exit_status)
    return Proposal(plan)


def check_free(out: OutPaths) -> None:
    """Raise SettingsError if another loop works in OUT_DIR, or if something is in the way there."""
    if (pid := loop_pid(out)) is not None:
        raise SettingsError(f"a loop is already running in {out.root} (pid {pid}); stop it or set OUT_DIR")
    check_folder(out)
    check_links(out)


def resume_objection(standing: Standing) -> str | None:
    """Why a run cannot be gone on with now, or None."""
    if standing.condition == "damaged":
        return f"{standing.run_id} cannot be resumed: its state.json cannot be read"
    if standing.condition == "completed":
        return f"{standing.run_id} is completed; there is nothing to resume"
    if standing.condition not in ("dead", *ENDED):
        return f"{standing.run_id} is {standing.condition}: its loop is at work"
    return None


def launch(loop: Path, source: Source, resume: str | None = None) -> Launched:
    """Run `loop.sh --detach` with these flags and this interpreter's environment; wait until the run is made."""
    fields = Settings.model_fields
    words = [f"{flag_of(name, fields[name])}={value}" for name, value in source.values.items()]
    if resume is not None:
        words += ["--resume", *([resume] if resume else [])]
    environ = dict(os.environ)
    if sys.prefix != sys.base_prefix:
        environ["VIRTUAL_ENV"] = sys.prefix
    done = subprocess.run(
        ["bash", str(loop), "--detach", *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    found = re.search(rf"^run ({RUN_ID.pattern}) in ", done.stdout, re.MULTILINE)
    if done.returncode != 0 or found is None:
        return Launched(done.returncode, None, done.stdout.strip())
    return Launched(0, found[1], done.stdout[found.start() :].strip())


@dataclass(frozen=True)
class Item:
    """One line of the menu; `reason` says why it makes no sense now, in a sentence."""

    label: str
    reason: str | None = None


def look_around(out: OutPaths) -> tuple[Standing | None, list[Item]]:
    """How the current run of OUT_DIR stands, and the eight items of the menu."""
    run_id = current_run(out)
    standing = None if run_id is None else look_at(out, run_id)
    nothing = f"there is no run in {out.root} yet"
    steering: list[str | None] = [nothing] * 3
    resume: str | None = nothing
    start: str | None = None
    if standing is not None:
        steering = [objection(standing, action) for action in ("stop", "pause", "resume")]
        resume = None
    try:
        check_free(out)
    except SettingsError as error:
        start = str(error)
        if standing is not None and loop_pid(out) is not None:
            resume = resume_objection(standing) or start
    stop, pause, unpause = steering
    return standing, [
        Item("Start New Run", start),
        Item("Resume Last Run", resume),
        Item("Stop", stop),
        Item("Pause", pause),
        Item("Resume", unpause),
        Item("Configure Parameters"),
        Item("View Dashboard", None if standing else nothing),
        Item("Exit"),
    ]
