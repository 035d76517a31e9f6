"""One look at a run: everything a view shows, as plain values. What was not reported is None, never zero."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from autotrain.monitor.hardware import Gpu, ProcessLoad
from autotrain.run.state import STAGES, StageRecord, State, seconds_of

EVENTS_IN_JSON = 50
# The counters that say how far a stage is. What it has to do in all is in `total_of`.
DONE: Mapping[str, Sequence[str]] = {
    "generate": ("teacher_generated",),
    "validate": (
        "validated_ok",
        "rejected_schema",
        "rejected_length",
        "rejected_secret",
        "rejected_pii",
        "rejected_duplicate",
        "rejected_contaminated",
    ),
    "gate": (
        "test_pass",
        "test_fail",
        "test_skipped",
        "rejected_flaky",
        "rejected_vacuous_tests",
        "rejected_weak_tests",
    ),
    "train": ("train_step",),
    "evaluate": ("answers",),
}


@dataclass(frozen=True)
class Event:
    """One line of events.jsonl, cleaned of all that a terminal would obey. `at` is in seconds since 1970."""

    at: float
    round_number: int
    stage: str
    level: str
    kind: str
    message: str


@dataclass(frozen=True)
class Step:
    """One step of the training at hand."""

    step: int
    loss: float | None
    learning_rate: float | None


@dataclass(frozen=True)
class Pace:
    """What the current stage did within its last reports: items and tokens over seconds."""

    items: float
    tokens: float | None
    seconds: float


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment. `condition` is state.json's status, or `dead`, `damaged` or `none` (no run yet)."""

    taken_at: float
    out_dir: str
    condition: str
    run_id: str | None = None
    state: State | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    events: Sequence[Event] = ()
    steps: Sequence[Step] = ()
    pace: Pace | None = None
    reports: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    gpus: Sequence[Gpu] = ()
    process: ProcessLoad | None = None
    problem: str | None = None

    @property
    def alive(self) -> bool:
        return self.condition in ("running", "paused", "stopping")


# ---------------------------------------------------------------------------------------------------
# What follows from a snapshot


@dataclass(frozen=True)
class StageView:
    """A stage of the current round: `status` is waiting or state.json's; times in seconds; None: not known."""

    name: str
    status: str
    seconds: float | None = None
    done: int | None = None
    total: int | None = None
    left: float | None = None


def stage_rail(snapshot: Snapshot) -> list[StageView]:
    """The five stages of the current round, with what is done and an estimate of the time left."""
    state = snapshot.state
    number = state.current_round if state else 0
    return [_stage_view(snapshot, number, name) for name in STAGES]


def _stage_view(snapshot: Snapshot, number: int, name: str) -> StageView:
    state = snapshot.state
    record = state.stage(number, name) if state else None
    if state is None or record is None:
        return StageView(name, "waiting", left=_usual(snapshot, number, name) if snapshot.alive else None)
    ended = snapshot.taken_at if record.ended_at is None else seconds_of(record.ended_at)
    if record.ended_at is None and not snapshot.alive:
        ended = seconds_of(state.updated_at)
    counts = [int(record.counts[counter]) for counter in DONE[name] if counter in record.counts]
    done = sum(counts) if counts else None
    total = total_of(snapshot, number, name)
    status = record.status
    seconds = ended - seconds_of(record.started_at)
    left = None
    if status == "running" and not snapshot.alive:
        return StageView(name, "dead", seconds, done, total)
    if status == "running":
        usual = _usual(snapshot, number, name)
        left = _left(snapshot, done, total)
        # Until a stage has a pace of its own, the last round's is the best guess.
        left = max(0.0, usual - seconds) if left is None and usual is not None else left
    return StageView(name, status, seconds, done, total, left)


def total_of(snapshot: Snapshot, number: int, name: str) -> int | None:
    """How many items a stage has before it in all; None where that was not reported."""
    state = snapshot.state
    if state is None:
        return None
    if name == "generate":
        samples = snapshot.settings.get("samples_per_round")
        return samples if isinstance(samples, int) else None
    if name in ("validate", "gate"):
        before, counter = ("generate", "teacher_generated") if name == "validate" else ("validate", "validated_ok")
        record = state.stage(number, before)
        found = record.counts.get(counter) if record else None
    else:
        # A gauge holds for the stage that is at it; an earlier round's says nothing about this one.
        current = (state.current_round, state.current_stage) == (number, name)
        gauge = "train_steps_planned" if name == "train" else "answers_planned"
        found = state.counters.get(gauge) if current else None
    return int(found) if found else None


def _left(snapshot: Snapshot, done: int | None, total: int | None) -> float | None:
    pace = snapshot.pace
    if done is None or total is None or pace is None or pace.items <= 0:
        return None
    return max(0, total - done) * pace.seconds / pace.items


def _usual(snapshot: Snapshot, number: int, name: str) -> float | None:
    """How long the stage took in the newest round that completed it."""
    state = snapshot.state
    for earlier in range(number - 1, 0, -1):
        record = state.stage(earlier, name) if state else None
        if record is not None and record.status == "completed" and record.ended_at:
            return seconds_taken(record)
    return None


def round_left(snapshot: Snapshot) -> float | None:
    """Seconds until the round ends, if every stage before it can be told."""
    if not snapshot.alive:
        return None
    open_stages = [stage for stage in stage_rail(snapshot) if stage.status != "completed"]
    left = [stage.left for stage in open_stages]
    known = [seconds for seconds in left if seconds is not None]
    return sum(known) if len(known) == len(left) else None


def rounds_asked(snapshot: Snapshot) -> int | None:
    rounds = snapshot.settings.get("rounds")
    return rounds if isinstance(rounds, int) else None


def run_left(snapshot: Snapshot) -> float | None:
    """Seconds until the run ends: this round, and as long as the last whole round for each that follows."""
    state, rounds, this = snapshot.state, rounds_asked(snapshot), round_left(snapshot)
    if state is None or rounds is None or this is None:
        return None
    ahead = rounds - state.current_round
    if ahead <= 0:
        return this
    usual = [_usual(snapshot, state.current_round + 1, name) for name in STAGES]
    known = [seconds for seconds in usual if seconds is not None]
    return this + ahead * sum(known) if len(known) == len(STAGES) else None


def elapsed(snapshot: Snapshot) -> float | None:
    """Seconds since the run was started, up to its end if it has one."""
    if snapshot.state is None:
        return None
    end = snapshot.taken_at if snapshot.alive else seconds_of(snapshot.state.updated_at)
    return end - seconds_of(snapshot.state.started_at)


def score(snapshot: Snapshot, number: int, role: str) -> Mapping[str, Any] | None:
    """The figures of a model (base, best or new) in a round's report."""
    models = snapshot.reports.get(number, {}).get("models")
    model = models.get(role) if isinstance(models, dict) else None
    total = model.get("total") if isinstance(model, dict) else None
    return total if isinstance(total, dict) else None


def seconds_taken(record: StageRecord) -> float | None:
    """How long a stage took; None while it has no end."""
    return None if record.ended_at is None else seconds_of(record.ended_at) - seconds_of(record.started_at)


def to_json(snapshot: Snapshot) -> dict[str, Any]:
    """Everything a script may want, under names that stay; a figure that was not reported is null."""
    state = snapshot.state
    newest = max(snapshot.reports, default=None)
    return {
        "taken_at": snapshot.taken_at,
        "out_dir": snapshot.out_dir,
        "run_id": snapshot.run_id,
        "condition": snapshot.condition,
        "problem": snapshot.problem or (state.error if state else None),
        "round": state.current_round if state else None,
        "rounds": rounds_asked(snapshot),
        "stages": [asdict(stage) for stage in stage_rail(snapshot)],
        "seconds": {"elapsed": elapsed(snapshot), "round_left": round_left(snapshot), "run_left": run_left(snapshot)},
        "counters": dict(state.counters) if state else {},
        "usage": dict(state.usage) if state else {},
        "best": state.best.model_dump() if state and state.best else None,
        "report": snapshot.reports[newest] if newest is not None else None,
        "step": asdict(snapshot.steps[-1]) if snapshot.steps else None,
        "pace": asdict(snapshot.pace) if snapshot.pace else None,
        "gpus": [asdict(gpu) for gpu in snapshot.gpus],
        "process": asdict(snapshot.process) if snapshot.process else None,
        "events": [asdict(event) for event in snapshot.events[-EVENTS_IN_JSON:]],
        "settings": dict(snapshot.settings),
    }
