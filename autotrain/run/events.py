"""events.jsonl: what happened, one object a line, only ever appended."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from autotrain.files import append_whole
from autotrain.jsonl import BadLine, read_jsonl, readable
from autotrain.redact import plain, redact
from autotrain.run.state import MOST, MOST_ROUNDS, add, seconds_of, timestamp

EVENT_VERSION = "1.0"
Level = Literal["info", "warn", "error", "success"]
EventType = Literal[
    "pipeline_start",
    "pipeline_stop",
    "pipeline_complete",
    "pipeline_error",
    "round_start",
    "round_end",
    "stage_start",
    "stage_end",
    "stage_skip",
    "progress",
    "error",
]


def append_event(
    path: Path,
    run_id: str,
    event_type: EventType,
    message: str,
    *,
    round_number: int = 0,
    stage: str | None = None,
    level: Level = "info",
    counters_delta: dict[str, Any] | None = None,
    usage_delta: dict[str, Any] | None = None,
    artifact_paths: Sequence[str] = (),
    error: str | None = None,
) -> None:
    """Append one event (version 1.0) with a single write call, or nothing of it. Texts are redacted and cut here."""
    event = {
        "event_version": EVENT_VERSION,
        "ts": timestamp(),
        "run_id": run_id,
        "round": round_number,
        "stage": stage,
        "level": level,
        "event_type": event_type,
        "message": redact(message, 500),
        "counters_delta": counters_delta or {},
        "usage_delta": usage_delta or {},
        "artifact_paths": list(artifact_paths),
        "error": None if error is None else redact(error, 200),
    }
    line = (json.dumps(event, ensure_ascii=False) + "\n").encode()
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        append_whole(descriptor, line)
    finally:
        os.close(descriptor)


def cut_torn_line(path: Path) -> None:
    """Remove what a killed writer left of an unfinished last line."""
    if not path.exists():
        return
    with path.open("rb+") as stream:
        size = stream.seek(0, os.SEEK_END)
        position = size
        while position > 0:
            start = max(0, position - 65536)
            stream.seek(start)
            newline = stream.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        if position < size:
            stream.truncate(position)


def is_event(value: Mapping[str, Any]) -> bool:
    """Whether an object has the form of an event 1.0; readers skip what has not."""
    try:
        seconds_of(value["ts"])
        check_figures([*value["counters_delta"].values(), *value["usage_delta"].values()])
        return (
            type(value["round"]) is int
            and 0 <= value["round"] <= MOST_ROUNDS
            and (value["stage"] is None or isinstance(value["stage"], str))
            and all(isinstance(value[key], str) for key in ("level", "event_type", "message"))
        )
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError):
        return False


def check_figures(values: Iterable[Any]) -> None:
    """Raise ValueError if one is no number, or none that a run counts: views add, divide and round them."""
    for value in values:
        if type(value) not in (int, float) or not abs(value) < MOST:
            raise ValueError(f"{plain(str(value), 40)} where a figure should be")


class Sums(NamedTuple):
    """What events add up to: the run's counters, its usage, the counters by (round, stage); lines that are none."""

    counters: dict[str, Any]
    usage: dict[str, Any]
    by_stage: dict[tuple[int, str], dict[str, Any]]
    damaged: list[int]


def sum_deltas(path: Path) -> Sums:
    """Add up all deltas, and note the numbers of the lines that are no event.

    Raises AutotrainError if the file cannot be read.
    """
    sums = Sums({}, {}, {}, [])
    if not path.exists():
        return sums
    with readable(path):
        for number, event in read_jsonl(path):
            if isinstance(event, BadLine) or not is_event(event):
                sums.damaged.append(number)
                continue
            add(sums.counters, event["counters_delta"])
            add(sums.usage, event["usage_delta"])
            if event["stage"]:
                add(sums.by_stage.setdefault((event["round"], event["stage"]), {}), event["counters_delta"])
    return sums
