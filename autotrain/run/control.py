"""Asking a running loop to stop, to pause or to go on: the control file, and when asking makes sense."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from autotrain.errors import AutotrainError, SettingsError
from autotrain.files import replace_text, write_surely
from autotrain.redact import plain
from autotrain.run.lock import condition, loop_pid
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import MOST_ROUNDS, load_state

Request = Literal["run", "pause", "stop"]
Action = Literal["stop", "pause", "resume"]

REQUESTS: dict[Action, Request] = {"stop": "stop", "pause": "pause", "resume": "run"}


def write_request(path: Path, request: Request) -> None:
    """Ask the loop to run, pause or stop. It obeys at its next safe point."""
    replace_text(path, json.dumps({"request": request}) + "\n")


def read_request(path: Path) -> Request:
    """What was last asked for; `run` if nothing was, or if the file is not ours."""
    try:
        request = json.loads(path.read_text(encoding="utf-8"))["request"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "run"
    return request if request in ("pause", "stop") else "run"


@dataclass(frozen=True)
class Standing:
    """How a run stands: `condition` is its state's status, or `dead`, or `damaged`; `request` what was asked last."""

    run_id: str
    out_dir: Path
    condition: str
    request: Request = "run"
    round_number: int = 0
    rounds: int | None = None
    stage: str | None = None

    def __str__(self) -> str:
        words = [self.condition]
        if self.condition == "running" and self.request != "run":
            words[0] += f" (asked to {self.request})"
        if self.condition != "damaged":
            of = f" of {self.rounds}" if self.rounds else ""
            words += [f"round {self.round_number}{of}", self.stage or "not started"]
        return f"{self.run_id}: {', '.join(words)}"


def look_at(out: OutPaths, run_id: str) -> Standing:
    """How a run stands now."""
    run = out.run(run_id)
    try:
        state = load_state(run.state)
    except AutotrainError:
        return Standing(run_id, out.root, "damaged")
    return Standing(
        run_id,
        out.root,
        condition(out, state.status, state.pid),
        read_request(run.control),
        state.current_round,
        _rounds(run),
        state.current_stage,
    )


def _rounds(run: RunPaths) -> int | None:
    try:
        rounds = json.loads(run.config.read_text(encoding="utf-8"))["rounds"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return rounds if type(rounds) is int and 0 < rounds <= MOST_ROUNDS else None


def current_run(out: OutPaths) -> str | None:
    """The run that OUT_DIR's loop works on, or else the newest one, or None."""
    known = out.run_ids()
    pid = loop_pid(out)
    for run_id in reversed(known) if pid is not None else ():
        try:
            if load_state(out.run(run_id).state).pid == pid:
                return run_id
        except AutotrainError:
            continue
    return known[-1] if known else None


def resume_command(run_id: str, out_dir: Path) -> str:
    """The line that goes on with a run, to be pasted into a shell."""
    # What begins with a dash would be read as a flag.
    text = f"./{out_dir}" if str(out_dir).startswith("-") else str(out_dir)
    folder = "" if out_dir == Path("autotrain") else f" --out-dir {shlex.quote(text)}"
    return f"./scripts/loop.sh --resume {run_id}{folder}"


def remedy(standing: Standing) -> str:
    """What to do about a run that is not complete and on which no loop works."""
    return f"{resume_command(standing.run_id, standing.out_dir)} goes on with it"


def objection(standing: Standing, action: Action) -> str | None:
    """Why asking for this makes no sense as the run stands now, or None."""
    run_id, now = standing.run_id, standing.condition
    if now == "damaged":
        return f"{run_id} cannot be asked: its state.json cannot be read"
    if now == "dead":
        return f"{run_id} is dead: no loop works on it; {remedy(standing)}"
    if now == "completed":
        return f"{run_id} is completed; there is nothing to {action}"
    if now in ("stopped", "failed", "refused"):
        return f"{run_id} is {now}; " + (remedy(standing) if action == "resume" else f"there is nothing to {action}")
    if now == "stopping":
        return f"{run_id} is already stopping" + ("; once it is stopped, it can be resumed" if action != "stop" else "")
    if action == "resume":
        return None if now == "paused" or standing.request != "run" else f"{run_id} is running; it is not paused"
    if standing.request == "stop":
        return f"{run_id} was already asked to stop"
    if action == "pause" and (now == "paused" or standing.request == "pause"):
        return f"{run_id} is already paused" if now == "paused" else f"{run_id} was already asked to pause"
    return None


def ask(out: OutPaths, run_id: str, action: Action) -> str:
    """Ask the loop of a run for this; return what to tell. Raises SettingsError if it makes no sense now."""
    reason = objection(look_at(out, run_id), action)
    if reason is not None:
        raise SettingsError(reason)
    run = out.run(run_id)
    write_surely(lambda: write_request(run.control, REQUESTS[action]), run.reserve)
    return f"{run_id}: asked to {action}; it obeys at its next safe point"


def status_text(out: OutPaths, run_id: str) -> str:
    """How a run stands, with what to do where nothing goes on by itself."""
    standing = look_at(out, run_id)
    if standing.condition == "damaged":
        return f"{standing}; restore its state.json from a backup or start a new run"
    return f"{standing}; {remedy(standing)}" if standing.condition == "dead" else str(standing)


def find_run(out: OutPaths, run_id: str | None) -> str:
    """The run named, or else the one that the loop works on or the newest. Raises SettingsError if there is none."""
    found = current_run(out) if run_id is None else run_id
    if found is None or found not in out.run_ids():
        name = "no run" if run_id is None else f"no run {plain(run_id, 60)}"
        raise SettingsError(f"{name} in {out.root}; set --out-dir or start one with loop.sh")
    return found
