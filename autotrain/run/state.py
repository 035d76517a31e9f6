"""state.json: where the run is. Replaced whole, readable at every instant."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.errors import AutotrainError
from autotrain.files import replace_text

SCHEMA_VERSION = 1
STAGES = ("generate", "validate", "gate", "train", "evaluate")
# Of a counter's value: a learning rate of 1e-6 still shows three of its own.
DECIMALS = 9
# No figure of a run comes near it. What is not below it, as NaN, is not one.
MOST = 1e18
MOST_ROUNDS = 100_000

Figure = Annotated[int | float, Field(gt=-MOST, lt=MOST)]
Pid = Annotated[int, Field(gt=0, lt=2**31)]

RunStatus = Literal["running", "paused", "stopping", "stopped", "completed", "failed", "refused"]
StageStatus = Literal["running", "completed", "stopped", "failed", "refused"]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class StageRecord(_Record):
    """One stage of one round. `counts` is what this stage added to the run's counters."""

    status: StageStatus = "running"
    started_at: str
    ended_at: str | None = None
    counts: dict[str, Figure] = Field(default_factory=dict)
    pid: Pid | None = None
    # With the pid, this tells our process from a later one that was given the same number.
    process_started: float | None = None


class Best(_Record):
    """The promoted adapter and its score on that round's held-out items: pass@1, or else the loss."""

    round: int = Field(ge=1, le=MOST_ROUNDS)
    metric: str
    score: float


class State(_Record):
    """All of state.json."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = SCHEMA_VERSION
    run_id: str
    status: RunStatus = "running"
    current_round: int = Field(default=0, ge=0, le=MOST_ROUNDS)
    current_stage: str | None = None
    stages: dict[str, dict[str, StageRecord]] = Field(default_factory=dict)
    counters: dict[str, Figure] = Field(default_factory=dict)
    usage: dict[str, Figure] = Field(default_factory=dict)
    best: Best | None = None
    pid: Pid | None = None
    started_at: str
    updated_at: str
    error: str | None = None

    def stage(self, round_number: int, name: str) -> StageRecord | None:
        return self.stages.get(str(round_number), {}).get(name)

    def is_complete(self, round_number: int, name: str) -> bool:
        record = self.stage(round_number, name)
        return record is not None and record.status == "completed"


def timestamp(at: float | None = None) -> str:
    """A moment (seconds since 1970; none: now) as every file of a run writes it: ISO 8601, UTC."""
    moment = datetime.now(timezone.utc) if at is None else datetime.fromtimestamp(at, timezone.utc)
    return moment.isoformat(timespec="milliseconds")


def seconds_of(moment: str) -> float:
    """A moment as a run's files write it, in seconds since 1970."""
    return datetime.fromisoformat(moment).timestamp()


def load_state(path: Path) -> State:
    """Read state.json; raise AutotrainError if it is missing or not ours."""
    try:
        return State.model_validate_json(path.read_bytes())
    except OSError as error:
        raise AutotrainError(f"{path} cannot be read ({error.strerror}); start a new run") from None
    except ValidationError as error:
        raise AutotrainError(
            f"{path} is damaged ({error.error_count()} problems, first: {error.errors()[0]['msg']}); "
            "restore it from a backup or start a new run"
        ) from None


def save_state(path: Path, state: State) -> None:
    """Write state.json atomically, stamped with the time."""
    state.updated_at = timestamp()
    replace_text(path, state.model_dump_json(indent=2) + "\n")


def add(totals: dict[str, int | float], deltas: dict[str, Any]) -> None:
    """Add `deltas` to `totals` in place."""
    for key, value in deltas.items():
        total = totals.get(key, 0) + value
        totals[key] = round(total, DECIMALS) if isinstance(total, float) else total
