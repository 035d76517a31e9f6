"""The book-keeping of a run: every event is written down and added to the state in one step."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autotrain.files import write_surely
from autotrain.run.artifacts import describe
from autotrain.run.events import EventType, Level, append_event, cut_torn_line, sum_deltas
from autotrain.run.paths import RunPaths
from autotrain.run.process import mark_of
from autotrain.run.state import RunStatus, StageRecord, StageStatus, add, load_state, save_state, timestamp


class Journal:
    """The open state and events of one run. One process at a time writes: a stage, or the loop between two."""

    def __init__(self, paths: RunPaths) -> None:
        self.paths = paths
        self.state = load_state(paths.state)
        cut_torn_line(paths.events)

    def record(
        self,
        event_type: EventType,
        message: str,
        *,
        round_number: int = 0,
        stage: str | None = None,
        level: Level = "info",
        counters: dict[str, Any] | None = None,
        usage: dict[str, Any] | None = None,
        artifacts: Sequence[Path] = (),
        error: str | None = None,
    ) -> None:
        """Append an event and add its deltas to state.json.

        On a full disk both are written in the place of the run's reserve; then this raises what it was full with.
        """
        counters = {key: value for key, value in (counters or {}).items() if value}
        usage = {key: value for key, value in (usage or {}).items() if value}

        def append() -> None:
            append_event(
                self.paths.events,
                self.state.run_id,
                event_type,
                message,
                round_number=round_number,
                stage=stage,
                level=level,
                counters_delta=counters,
                usage_delta=usage,
                artifact_paths=[os.path.relpath(path, self.paths.root) for path in artifacts],
                error=error,
            )

        full = write_surely(append, self.paths.reserve)
        add(self.state.counters, counters)
        add(self.state.usage, usage)
        if stage is not None and (record := self.state.stage(round_number, stage)) is not None:
            add(record.counts, counters)
        self._save(full)

    def set_status(self, status: RunStatus, error: str | None = None) -> None:
        self.state.status = status
        self.state.error = error
        self._save()

    def _save(self, full: OSError | None = None) -> None:
        full = write_surely(lambda: save_state(self.paths.state, self.state), self.paths.reserve) or full
        if full is not None:
            raise full

    def start_stage(self, round_number: int, name: str) -> None:
        """Open a stage. What an unfinished earlier attempt had counted is taken back first."""
        earlier = self.state.stage(round_number, name)
        undo = {key: -value for key, value in earlier.counts.items()} if earlier else {}
        record = StageRecord(started_at=timestamp(), pid=os.getpid(), mark=mark_of(os.getpid()))
        record.counts = dict(earlier.counts) if earlier else {}
        self.state.stages.setdefault(str(round_number), {})[name] = record
        self.state.current_round = round_number
        self.state.current_stage = name
        self.state.status = "running"
        self.state.error = None
        message = f"{name} starts" if earlier is None else f"{name} starts again"
        self.record("stage_start", message, round_number=round_number, stage=name, counters=undo)

    def end_stage(
        self,
        round_number: int,
        name: str,
        status: StageStatus,
        message: str,
        *,
        artifacts: Sequence[Path] = (),
        error: str | None = None,
    ) -> None:
        """Close a stage: completed, or why not. A stage is complete when this says so."""
        record = self.state.stages[str(round_number)][name]
        if status == "completed":
            record.artifacts = describe(self.paths.root, artifacts)
        record.status, record.ended_at, record.pid, record.mark = status, timestamp(), None, None
        level: Level = "success" if status == "completed" else "warn" if status == "stopped" else "error"
        event: EventType = "stage_end" if status in ("completed", "stopped") else "error"
        self.record(
            event,
            message,
            round_number=round_number,
            stage=name,
            level=level,
            artifacts=artifacts,
            error=error,
        )

    def reconcile(self) -> str | None:
        """Make the state agree with the events, which are written first, after a crash between the two.

        Where lines of the events are damaged the state's own figures stay, if it has any; what is wrong, in words.
        """
        sums = sum_deltas(self.paths.events)
        if not sums.damaged or not self.state.counters:
            self.state.counters, self.state.usage = sums.counters, sums.usage
            for (round_number, name), counts in sums.by_stage.items():
                record = self.state.stage(round_number, name)
                if record is not None:
                    record.counts = counts
        save_state(self.paths.state, self.state)
        if not sums.damaged:
            return None
        lines = ", ".join(map(str, sums.damaged[:5])) + (", …" if len(sums.damaged) > 5 else "")
        return (
            f"{self.paths.events} has lines that are no events ({lines}): they are passed over; "
            "counters may be wrong by what they said, data and adapters are not made of them"
        )
