"""state.json: where the run is. Replaced whole, readable at every instant."""

from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.errors import AutotrainError, SettingsError
from autotrain.files import replace_text
from autotrain.redact import glimpse

SCHEMA_VERSION = 2
STAGES = ("generate", "validate", "gate", "train", "evaluate")
# Of a counter's value: a learning rate of 1e-6 still shows three of its own.
DECIMALS = 9
# No figure of a run comes near it. What is not below it, as NaN, is not one.
MOST = 1e18
MOST_ROUNDS = 100_000

Figure = Annotated[int | float, Field(gt=-MOST, lt=MOST)]
Pid = Annotated[int, Field(gt=0, lt=2**31)]
Round = Annotated[str, Field(pattern="^[1-9][0-9]{0,5}$")]

RunStatus = Literal["running", "paused", "stopping", "stopped", "completed", "failed", "refused"]
StageStatus = Literal["running", "completed", "stopped", "failed", "refused"]


class _Record(BaseModel):
    model_config = ConfigDict(strict=True, allow_inf_nan=False)


class Artifact(_Record):
    """A file as a completed stage left it; `lines` of JSON where it is a file of these."""

    sha256: str
    bytes: int
    lines: int | None = None


class StageRecord(_Record):
    """One stage of one round: what it added to the run's counters, and the files it left, by path in the run."""

    status: StageStatus = "running"
    started_at: str
    ended_at: str | None = None
    counts: dict[str, Figure] = Field(default_factory=dict)
    pid: Pid | None = None
    # With the pid, this tells our process from a later one that was given the same number.
    mark: str | None = None
    artifacts: dict[str, Artifact] = Field(default_factory=dict)


class Best(_Record):
    """The promoted adapter and its score on that round's held-out items: pass@1, or else the loss."""

    round: int = Field(ge=1, le=MOST_ROUNDS)
    metric: str
    score: float


class State(_Record):
    """All of state.json."""

    model_config = ConfigDict(extra="forbid")

    schema_version: int = Field(default=SCHEMA_VERSION, le=SCHEMA_VERSION)
    run_id: str
    settings_sha256: str | None = None
    """Of the settings that a resumed run may not change."""
    status: RunStatus = "running"
    current_round: int = Field(default=0, ge=0, le=MOST_ROUNDS)
    current_stage: str | None = None
    stages: dict[Round, dict[str, StageRecord]] = Field(default_factory=dict)
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
    """Read state.json; raise AutotrainError if it is missing or not ours, SettingsError if it is of a later version."""
    try:
        return State.model_validate_json(path.read_bytes())
    except OSError as error:
        raise AutotrainError(f"{path} cannot be read ({error.strerror}); start a new run") from None
    except ValidationError as error:
        first = error.errors()[0]
        if first["loc"] == ("schema_version",) and first["type"] == "less_than_equal":
            raise SettingsError(
                f"{path} is of a newer autotrain (schema {glimpse(first['input'])}, this one knows {SCHEMA_VERSION}); "
                "update it"
            ) from None
        raise AutotrainError(
            f"{path} is damaged ({error.error_count()} problems, first: {first['msg']}); ./scripts/loop.sh --resume "
            f"{path.parent.name} makes it again from the events"
        ) from None


def save_state(path: Path, state: State) -> None:
    """Write state.json atomically, stamped with the time."""
    state.schema_version = SCHEMA_VERSION
    state.updated_at = timestamp()
    replace_text(path, state.model_dump_json(indent=2) + "\n")


def add(totals: dict[str, int | float], deltas: dict[str, Any]) -> None:
    """Add `deltas` to `totals` in place."""
    for key, value in deltas.items():
        total = totals.get(key, 0) + value
        totals[key] = round(total, DECIMALS) if isinstance(total, float) else total
