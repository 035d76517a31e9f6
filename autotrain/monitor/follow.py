"""Follows the newest run of OUT_DIR, or a given one, by reading its files and nothing else."""

import json
import time
from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotrain.evaluate.report import is_report
from autotrain.jsonl import BadLine, parse_line
from autotrain.monitor.hardware import Gpu, ProcessMeter, gpus
from autotrain.monitor.snapshot import DONE, Event, Pace, Snapshot, Step, seconds_taken
from autotrain.monitor.tail import Tail
from autotrain.redact import plain, plain_json
from autotrain.run.events import is_event
from autotrain.run.lock import condition
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import MOST, SCHEMA_VERSION, State, add, seconds_of

EVENTS_KEPT = 2000
STEPS_KEPT = 2000
REPORTS_KEPT = 20
# A rate over the last so many reports follows a change of pace within a minute, and is not a matter of luck.
REPORTS_OF_PACE = 60
SECONDS_BETWEEN_GPU_LOOKS = 2.0


class Follower:
    """Looks at a run again and again. What a look costs does not grow with the run."""

    def __init__(self, out: OutPaths, run_id: str | None = None) -> None:
        self._out = out
        self._asked = run_id
        self._run: _RunFiles | None = None
        self._meter = ProcessMeter()
        self._gpus: list[Gpu] = []
        self._gpus_at = -SECONDS_BETWEEN_GPU_LOOKS

    def look(self) -> Snapshot:
        """The run as it is now."""
        now, folder = time.time(), plain(str(self._out.root), 200)
        try:
            run_id = self._asked or next(reversed(self._out.run_ids()), None)
        except OSError as error:
            return Snapshot(now, folder, "damaged", problem=f"{folder} cannot be read: {error.strerror}")
        if run_id is None:
            return Snapshot(now, folder, "none")
        if self._run is None or self._run.run_id != run_id:
            self._run = _RunFiles(self._out.run(run_id))
        run = self._run
        run.read()
        state = run.state
        if state is None:
            return Snapshot(now, folder, "damaged", run_id, events=tuple(run.log.events), problem=run.problem)
        stage = state.stage(state.current_round, state.current_stage or "")
        process = None
        if stage is not None and stage.pid is not None:
            process = self._meter.look(stage.pid, stage.mark)
        return Snapshot(
            taken_at=now,
            out_dir=folder,
            condition=condition(self._out, state.status, state.pid),
            run_id=run_id,
            state=state,
            settings=run.settings,
            events=tuple(run.log.events),
            steps=tuple(run.log.steps),
            pace=run.log.pace(),
            reports=dict(run.reports),
            gpus=self._look_at_gpus(),
            process=process,
            problem=run.problem,
        )

    def _look_at_gpus(self) -> list[Gpu]:
        now = time.monotonic()
        if now - self._gpus_at >= SECONDS_BETWEEN_GPU_LOOKS:
            self._gpus, self._gpus_at = gpus(), now
        return self._gpus


class _RunFiles:
    """The files of one run, each read again only when it changed."""

    def __init__(self, paths: RunPaths) -> None:
        self.run_id = paths.root.name
        self.state: State | None = None
        self.settings: dict[str, Any] = {}
        self.reports: dict[int, dict[str, Any]] = {}
        self.problem: str | None = None
        self.log = Log()
        self._paths = paths
        self._tail = Tail(paths.events)
        self._seen: dict[Path, tuple[int, int]] = {}

    def read(self) -> None:
        # The state before the events: it must not know of any that we do not.
        if (value := self._changed(self._paths.state)) is not None:
            self._take_state(value)
        if (value := self._changed(self._paths.config)) is not None:
            # No view adds or divides by what is beyond all measure.
            wild = [name for name, one in value.items() if isinstance(one, int | float) and not abs(one) < MOST]
            self.settings = {name: one for name, one in value.items() if name not in wild}
        rounds = self.state.current_round if self.state else 0
        for number in range(max(1, rounds - REPORTS_KEPT + 1), rounds + 1):
            if (value := self._changed(self._paths.report(number))) is not None and is_report(value):
                self.reports[number] = value
        for stale in [number for number in self.reports if number <= rounds - REPORTS_KEPT]:
            del self.reports[stale]
        lines, anew = self._tail.read()
        if anew:
            self.log = Log()
        values = (parse_line(line, 0) for line in lines)
        events = [value for value in values if not isinstance(value, BadLine) and is_event(value)]
        if anew and not self._tail.from_start and self.state is not None:
            self.log.begin_within(events, self.state)
        for event in events:
            self.log.add(event)

    def _take_state(self, value: dict[str, Any]) -> None:
        try:
            state = State.model_validate(value)
            for moment in (state.started_at, state.updated_at):
                seconds_of(moment)
            if state.schema_version != SCHEMA_VERSION:
                raise ValueError(f"schema_version {state.schema_version}; this program reads {SCHEMA_VERSION}")
            for record in (record for records in state.stages.values() for record in records.values()):
                seconds_of(record.started_at)
                seconds_taken(record)
        except (ValueError, OverflowError) as error:
            why = _first(error) if isinstance(error, ValidationError) else str(error)
            self.problem = f"state.json is damaged: {plain(why, 200)}"
        else:
            self.state, self.problem = state, None

    def _changed(self, path: Path) -> dict[str, Any] | None:
        """The object in a JSON file if the file is another one than at the last look; its texts are cleaned."""
        try:
            status = path.stat()
            mark = status.st_mtime_ns, status.st_ino
            if self._seen.get(path) == mark:
                return None
            content = path.read_bytes()
        except OSError as error:
            # Tried again at the next look: rights may change and the file may come back, both with its old mark.
            self._seen.pop(path, None)
            if path == self._paths.state:
                missing = isinstance(error, FileNotFoundError)
                self.problem = "there is no state.json" if missing else f"state.json cannot be read: {error.strerror}"
            return None
        self._seen[path] = mark
        try:
            value = json.loads(content)
            # The state is another one at each look, and nearly always plain already.
            if path != self._paths.state or not _is_plain(content):
                value = plain_json(value)
        except (ValueError, RecursionError) as error:
            if path == self._paths.state:
                self.problem = f"state.json cannot be read: {plain(str(error), 200)}"
            return None
        if isinstance(value, dict):
            return value
        if path == self._paths.state:
            self.problem = f"state.json holds no object but a {type(value).__name__}"
        return None


def _is_plain(content: bytes) -> bool:
    """Whether JSON is printable ASCII without an escape, so that no text in it can be anything else."""
    return content.isascii() and b"\\" not in content and b"\x7f" not in content


def _first(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


class Log:
    """What a run's events add up to, as far as views show it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.events: deque[Event] = deque(maxlen=EVENTS_KEPT)
        self._totals: dict[str, int | float] = {}
        self._counts: dict[tuple[int, str], dict[str, int | float]] = {}
        self._points: deque[tuple[float, float, float | None]] = deque(maxlen=REPORTS_OF_PACE)
        self._stage: tuple[int, str] | None = None
        self._steps_of = 0

    def begin_within(self, events: Iterable[Mapping[str, Any]], state: State) -> None:
        """Start from what must have been counted before `events`, the last ones of a longer file."""
        self._totals = dict(state.counters)
        for number, records in state.stages.items():
            for name, record in records.items():
                self._counts[int(number), name] = dict(record.counts)
        for event in events:
            # What was written after the state is not in the state.
            if event["ts"] <= state.updated_at:
                undo = {key: -value for key, value in event["counters_delta"].items()}
                add(self._totals, undo)
                if event["stage"]:
                    add(self._counts.setdefault((event["round"], event["stage"]), {}), undo)

    def add(self, event: dict[str, Any]) -> None:
        """Take in one event, whose form was checked."""
        at = seconds_of(event["ts"])
        texts = (plain(event[key] or "", 500) for key in ("stage", "level", "event_type", "message"))
        self.events.append(Event(at, event["round"], *texts))
        delta, stage = event["counters_delta"], event["stage"]
        add(self._totals, delta)
        if not stage:
            return
        key = event["round"], stage
        counts = self._counts.setdefault(key, {})
        add(counts, delta)
        if event["event_type"] == "stage_start" or key != self._stage:
            self._stage = key
            self._points.clear()
            self._counts = {key: counts}
        elif "pauses" in delta:
            # A rate over a pause would be none.
            self._points.clear()
        elif any(counter in delta for counter in DONE.get(stage, ())):
            done = sum(counts.get(counter, 0) for counter in DONE.get(stage, ()))
            self._points.append((at, done, counts.get("train_tokens")))
        if stage == "train" and delta.get("train_step", 0) > 0:
            self._add_step(event["round"], int(counts["train_step"]))

    def _add_step(self, round_number: int, step: int) -> None:
        # A resumed training takes up at its checkpoint. Earlier rounds are in their reports.
        while self.steps and (round_number != self._steps_of or self.steps[-1].step >= step):
            self.steps.pop()
        self._steps_of = round_number
        self.steps.append(Step(step, self._totals.get("train_loss"), self._totals.get("learning_rate")))
        if len(self.steps) > STEPS_KEPT:
            del self.steps[1::2]

    def pace(self) -> Pace | None:
        """What the current stage got done between the first and the last of its newest reports."""
        if len(self._points) < 2:
            return None
        (began, before, tokens_before), (ended, after, tokens_after) = self._points[0], self._points[-1]
        if ended <= began:
            return None
        tokens = None if tokens_before is None or tokens_after is None else tokens_after - tokens_before
        return Pace(after - before, tokens, ended - began)
