"""What a run needs before it can be gone on with after whatever ended it."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError, SettingsError
from autotrain.files import replace_link
from autotrain.jsonl import read_objects
from autotrain.run.artifacts import completed, describe
from autotrain.run.events import is_event
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.state import STAGES, Best, StageRecord, State, load_state, save_state


def ensure_state(paths: RunPaths) -> str | None:
    """Make state.json again from the events and the files where it cannot be read; what was done, in words.

    A stage of which a file is gone is not taken for complete, and what came after it neither. Raises AutotrainError
    where the events cannot be read either, or where state.json is of a newer autotrain.
    """
    try:
        load_state(paths.state)
        return None
    except SettingsError:
        raise
    except AutotrainError:
        pass
    state = _state_of_events(paths)
    if state is None:
        raise AutotrainError(
            f"{paths.state} cannot be read, and {paths.events} tells nothing of the run either. What was generated is "
            f"in {paths.data}; restore one of the two from a backup, or start a new run"
        )
    if paths.state.exists():
        paths.state.replace(paths.state.with_suffix(".damaged.json"))
    save_state(paths.state, state)
    done = len(list(completed(state)))
    return f"state.json could not be read; made again from the events: {done} stages are complete"


def _state_of_events(paths: RunPaths) -> State | None:
    state: State | None = None
    for event in _events(paths):
        if state is None:
            state = State(run_id=paths.root.name, status="stopped", started_at=event["ts"], updated_at=event["ts"])
        number, name, kind = event["round"], event["stage"], event["event_type"]
        if name not in STAGES or number < 1:
            continue
        if kind == "stage_start":
            state.stages.setdefault(str(number), {})[name] = StageRecord(status="stopped", started_at=event["ts"])
            state.current_round, state.current_stage = number, name
        elif kind == "stage_end" and event["level"] == "success" and (record := state.stage(number, name)) is not None:
            files = [paths.root / path for path in event["artifact_paths"]]
            if all(file.exists() for file in files):
                record.status, record.ended_at = "completed", event["ts"]
                record.artifacts = describe(paths.root, files)
    if state is not None:
        whole = True
        for number in sorted(map(int, state.stages)):
            for name in STAGES:
                one = state.stage(number, name)
                whole = whole and one is not None and one.status == "completed"
                if one is not None and not whole:
                    one.status, one.artifacts = "stopped", {}
        state.best = best_before(paths, first_open_round(state))
    return state


def _events(paths: RunPaths) -> Iterator[dict[str, Any]]:
    if paths.events.is_file():
        for event in filter(is_event, read_objects(paths.events)):
            made = event.get("artifact_paths")
            if isinstance(made, list) and all(map(_lies_inside, made)):
                yield event


def _lies_inside(path: object) -> bool:
    return isinstance(path, str) and "\0" not in path and not Path(path).is_absolute() and ".." not in Path(path).parts


def first_open_round(state: State) -> int:
    """The first round of which a stage is not complete."""
    done = Counter(number for number, _, _ in completed(state))
    return next(number for number in range(1, len(done) + 2) if done[number] < len(STAGES))


def decision_of(paths: RunPaths, number: int) -> dict[str, Any] | None:
    """What the report of a round decided; None where there is no report. Raises AutotrainError on a damaged one."""
    path = paths.report(number)
    try:
        decision = json.loads(path.read_text(encoding="utf-8"))["decision"]
        if type(decision["promoted"]) is bool:
            best = Best(round=number, metric=decision["metric"], score=decision["score"] or 0.0)
            return {"promoted": decision["promoted"], "metric": best.metric, "score": decision["score"]}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass
    raise AutotrainError(f"{path} cannot be read; --resume with --redo makes it again")


def best_before(paths: RunPaths, number: int) -> Best | None:
    """The adapter that is the best before a round, by the reports of those before it."""
    best = None
    for earlier in range(1, number):
        decision = decision_of(paths, earlier)
        if decision is not None and decision["promoted"] and decision["score"] is not None:
            best = Best(round=earlier, metric=decision["metric"], score=decision["score"])
    return best


def redo_from(journal: Journal, number: int, stage: str) -> None:
    """Open this stage again and all that came after it, as if they had been stopped."""
    paths, state = journal.paths, journal.state
    reopened = [
        (later, name, record)
        for later, name, record in completed(state)
        if (later, STAGES.index(name)) >= (number, STAGES.index(stage))
    ]
    for later, _, record in reopened:
        record.status, record.artifacts = "stopped", {}
        shutil.rmtree(paths.checkpoints(later), ignore_errors=True)
    state.best = best_before(paths, number)
    state.status, state.current_round, state.current_stage = "stopped", number, stage
    words = f"{len(reopened)} stages are done again, from {stage} of round {number} on"
    journal.record("progress", words, level="warn")


def mend_best(paths: RunPaths, state: State) -> None:
    """Let best_adapter lead to what the state records, and nowhere where it records none."""
    if state.best is not None:
        replace_link(paths.best_adapter, str(paths.adapter(state.best.round).relative_to(paths.root)))
    elif paths.best_adapter.is_symlink():
        paths.best_adapter.unlink()
