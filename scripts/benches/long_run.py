"""A run as long as asked for, and a loop that goes on with it: what the dashboard is measured on.

    python long_run.py OUT_DIR EVENTS

Prints `ready` when the run is there, then holds the lock of OUT_DIR and appends PER_SECOND events a second, with a
new state.json for each, as a loop does. It ends with its stdin.
"""

import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

from autotrain.config import Settings
from autotrain.files import replace_text
from autotrain.run.events import append_event
from autotrain.run.lock import take_lock
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import StageRecord, State, add, save_state, timestamp

RUN_ID = "run_20260101_000000_abcdef"
PER_SECOND = 20
ROUND = 20_000
# Within a round: up to which event a stage goes, what it says, and what each of its events counts.
PARTS: tuple[tuple[int, str, str, dict[str, int | float]], ...] = (
    (8_000, "generate", "4 samples", {"teacher_generated": 4}),
    (9_000, "validate", "32 samples", {"validated_ok": 30, "rejected_duplicate": 2}),
    (11_000, "gate", "15 samples", {"test_pass": 14, "test_fail": 1}),
    (17_000, "train", "step", {"train_step": 1, "train_tokens": 4096, "train_loss": -1e-6}),
    (ROUND, "evaluate", "answers", {"answers": 4, "answer_tokens": 512}),
)
# The run's last event is one of the training.
END = 14_000


def make_run(out: OutPaths, events: int) -> State:
    """Write a run of so many events, whose training is under way, and return its state."""
    run = out.run(RUN_ID)
    run.eval.mkdir(parents=True)
    settings = Settings(out_dir=out.root, rounds=1000, teacher_model="teacher", samples_per_round=32_000)
    replace_text(run.config, settings.to_json())
    began = time.time() - events / PER_SECOND
    state = State(run_id=RUN_ID, started_at=timestamp(began), updated_at="")
    state.usage = {"requests_sent": events, "input_tokens": 700 * events, "output_tokens": 150 * events}
    state.counters = {"train_steps_planned": 6_000, "train_loss": 2.5, "learning_rate": 2e-4}
    _write_events(run, events, began, state)
    last = state.current_round
    for number in range(1, last):
        replace_text(run.report(number), json.dumps(_report(number)))
    for number in range(1, last + 1):
        for record in state.stages[str(number)].values():
            add(state.counters, record.counts)
    return state


def _write_events(run: RunPaths, events: int, began: float, state: State) -> None:
    """The events, as append_event would have written them one by one; the state's stages count them."""
    first = -(events - END) % ROUND
    with run.events.open("w", encoding="utf-8") as stream:
        number = 0
        while number < events:
            round_number, at = (first + number) // ROUND + 1, (first + number) % ROUND
            end, stage, message, delta = next(part for part in PARTS if at < part[0])
            many = min(end - at, events - number)
            before, after = _event(round_number, stage, message, delta).split("WHEN")
            moments = [timestamp(began + (number + index) / PER_SECOND) for index in range(many)]
            stream.write("".join(f"{before}{moment}{after}\n" for moment in moments))
            record = StageRecord(started_at=moments[0], ended_at=moments[-1], status="completed")
            record.counts = {key: value * many for key, value in delta.items()}
            state.stages.setdefault(str(round_number), {})[stage] = record
            number += many
        # A run of this length was not written within ten seconds: what is measured must not wait for the disk.
        stream.flush()
        os.fsync(stream.fileno())
    state.current_round, state.current_stage = round_number, stage
    record.status, record.ended_at = "running", None


def _event(round_number: int, stage: str, message: str, delta: dict[str, int | float]) -> str:
    event = {
        "event_version": "1.0",
        "ts": "WHEN",
        "run_id": RUN_ID,
        "round": round_number,
        "stage": stage,
        "level": "info",
        "event_type": "progress",
        "message": message,
        "counters_delta": delta,
        "usage_delta": {},
        "artifact_paths": [],
        "error": None,
    }
    return json.dumps(event)


def _report(number: int) -> dict[str, Any]:
    rate = {"hits": 20 + number % 40, "n": 80, "value": (20 + number % 40) / 80, "low": 0.2, "high": 0.8}
    names = ("findings_correct_rate", "json_parse_rate", "format_compliance", "syntax_valid_rate", "repetition_rate")
    figures = {"pass_at_1": rate, **dict.fromkeys(names, rate), "truncated_rate": None}
    kinds = ("algorithm_implementation", "code_completion", "bug_fixing", "refactoring", "code_review")
    total = {**figures, "mean_tokens": 83.7, "validation_loss": 0.45, "failures": {"no_code": 7, "tests_failed": 31}}
    model = {"total": total, "by_task_type": dict.fromkeys(kinds, figures)}
    verdict = {"wins": 24, "losses": 4, "ties": 68, "p": 0.00018, "verdict": "better"}
    return {
        "round": number,
        "items": 96,
        "execution": "every answer with tests was run",
        "models": {"base": model, "best": model, "new": model},
        "comparisons": {"this round against base": verdict},
        "decision": {"promoted": number % 3 == 0, "reason": "this round is above the best so far"},
    }


def _go_on(run: RunPaths, state: State) -> None:
    """Append until stdin ends."""
    delta: dict[str, int | float] = {"train_step": 1, "train_tokens": 4096, "train_loss": -1e-6}
    while not select.select([sys.stdin], [], [], 1 / PER_SECOND)[0]:
        append_event(
            run.events,
            RUN_ID,
            "progress",
            "step",
            round_number=state.current_round,
            stage="train",
            counters_delta=delta,
        )
        add(state.counters, delta)
        add(state.stages[str(state.current_round)]["train"].counts, delta)
        save_state(run.state, state)


def main(out: OutPaths, events: int) -> None:
    """Make the run, then be its loop."""
    state = make_run(out, events)
    lock = take_lock(out)
    state.pid = os.getpid()
    save_state(out.run(RUN_ID).state, state)
    print("ready", flush=True)
    _go_on(out.run(RUN_ID), state)
    os.close(lock)


if __name__ == "__main__":
    main(OutPaths(Path(sys.argv[1])), int(sys.argv[2]))
