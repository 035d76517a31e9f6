"""Whole runs of loop.sh that are disturbed on the way, held against one that was not.

The teacher is a local server whose replies depend on the request alone, the model a tiny one; every stage is the real
one. A run is disturbed by a signal at a moment, gone on with by --resume, disturbed again, and so on to its end.
"""

import itertools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from teacher_server import Answer, Body, TeacherServer, good

from autotrain.config import Settings
from autotrain.run.events import sum_deltas
from autotrain.run.lock import loop_pid
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import STAGES, State, load_state

ROOT = Path(__file__).resolve().parent.parent
CONCURRENCY = 2
PATIENCE = 300.0
SIGNALS = ("KILL", "TERM", "INT", "HUP")
TARGETS = ("stage", "loop", "both")
# What differs between two runs that did the same: their names, how long things took, the teacher's port.
TIMES = re.compile(rb'"(seconds|tokens_per_second)": [0-9.e+-]+|http://127.0.0.1:[0-9]+')
MEASURED = ("latency_p50", "latency_p95", "requests_at_once")


@dataclass(frozen=True)
class Moment:
    """When and how a run is disturbed: `part` of the stage's usual time after it began; 1: as it is complete."""

    round: int
    stage: str
    part: float
    signal: str
    target: str

    def __str__(self) -> str:
        when = "at the end" if self.part >= 1 else f"{self.part:.0%}"
        return f"SIG{self.signal} to {self.target}, round {self.round}, {self.stage}, {when}"


@dataclass
class Outcome:
    """A run at its end: its folder, how often it was really hit, and how many requests the teacher got."""

    run: RunPaths
    requests: int
    hit: list[Moment] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)


def reply(request: Body) -> Answer:
    """What the teacher says to a request, whatever it is asked not to repeat, after a moment."""
    asked = request["messages"][-1]["content"]
    kept = "\n".join(line for line in asked.split("\n") if not line.startswith("- "))
    fixed = {**request, "messages": [*request["messages"][:-1], {"role": "user", "content": kept}]}
    return Answer(body=good(fixed).body, wait=0.1)


def settings_of(model: Path, execute: bool, rounds: int) -> dict[str, str]:
    """Rounds of a quarter of a minute each; without execution the loss decides, and adapters are promoted."""
    return {
        "ROUNDS": str(rounds), "SAMPLES_PER_ROUND": "24", "SAMPLES_PER_REQUEST": "2", "VAL_RATIO": "0.25",
        "TASK_TYPES": "algorithm_implementation=3,bug_fixing=1", "TEACHER_MODEL": "test-teacher",
        "TEACHER_CONCURRENCY": str(CONCURRENCY), "BASE_MODEL": str(model), "DEVICE": "cpu", "QUANTIZATION_BITS": "16",
        "SEQ_LEN": "1024", "LORA_R": "4", "LR": "1e-3", "BATCH_SIZE": "2", "GRAD_ACCUM": "1", "TRAIN_STEPS": "24",
        "MAX_EPOCHS": "100", "EARLY_STOP": "0", "EVAL_MAX_NEW_TOKENS": "16", "RUN_UNIT_TESTS": "1",
        "EVAL_EXECUTE": "1" if execute else "0", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


class Disturbed:
    """Runs of the same settings and the same teacher, each in a folder of its own."""

    def __init__(self, folder: Path, model: Path, execute: bool = False, rounds: int = 2) -> None:
        self.folder = folder
        self.settings = settings_of(model, execute, rounds)
        self.usual: dict[tuple[int, str], float] = {}

    def undisturbed(self) -> Outcome:
        """A run that nothing happens to; how long its stages took is what later moments are parts of."""
        with TeacherServer(then=reply) as teacher:
            loop = self.start("undisturbed", teacher)
            status = _ended(loop)
            assert status == 0, (self.folder / "undisturbed.log").read_text()
            run = _only_run(self.folder / "undisturbed")
            self.usual = _durations(load_state(run.state))
            return Outcome(run, teacher.count)

    def run(self, name: str, moments: Sequence[Moment]) -> Outcome:
        """A run that is disturbed at these moments, which follow one another, and always gone on with."""
        with TeacherServer(then=reply) as teacher:
            hit, exits = [], []
            loop = self.start(name, teacher)
            for moment in moments:
                if self._disturb(loop, self.folder / name, moment):
                    hit.append(moment)
                    exits.append(_ended(loop))
                    loop = self.start(name, teacher, *_go_on(self.folder / name))
            exits.append(_ended(loop))
            return Outcome(_only_run(self.folder / name), teacher.count, hit, exits)

    def start(
        self, name: str, teacher: TeacherServer, *words: str, umask: int = -1, **more: str
    ) -> "subprocess.Popen[bytes]":
        """A loop in a folder and with a log of this name; `more` is put into its environment."""
        out = self.folder / name
        # A bench has no conftest.py.
        kept = {key: value for key, value in os.environ.items() if key.lower() not in Settings.model_fields}
        env = {**kept, **self.settings, "OUT_DIR": str(out), "TEACHER_BASE_URL": teacher.base_url,
               "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", **more}  # fmt: skip
        if words:
            # The teacher of a resumed run has another port.
            words = (*words, "--teacher-base-url", teacher.base_url)
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                ["bash", str(ROOT / "scripts" / "loop.sh"), *words],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                umask=umask,
                preexec_fn=_hear_everything,
            )

    def _disturb(self, loop: "subprocess.Popen[bytes]", out: Path, moment: Moment) -> bool:
        """Wait for the moment and send the signal; False if the run was past it, or at its end."""
        deadline = time.monotonic() + PATIENCE
        begun = None
        while loop.poll() is None:
            assert time.monotonic() < deadline, f"{moment} never came: {out}"
            record = _record(out, moment)
            if record is not None and record.status == "completed":
                if moment.part < 1:
                    return False
                break
            if record is not None and record.status == "running" and moment.part < 1:
                begun = begun or time.monotonic()
                if time.monotonic() - begun >= moment.part * self.usual[moment.round, moment.stage]:
                    break
            time.sleep(0.02)
        if loop.poll() is not None:
            return False
        record = _record(out, moment)
        number = getattr(signal, f"SIG{moment.signal}")
        if moment.target != "loop" and record is not None and record.pid is not None:
            try:
                os.kill(record.pid, number)
            except ProcessLookupError:
                return False
        if moment.target != "stage":
            os.kill(loop.pid, number)
        return moment.target != "stage" or (record is not None and record.pid is not None)


def _hear_everything() -> None:
    """Whoever runs this may ignore signals that a user's terminal would not."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def _go_on(out: Path) -> list[str]:
    """--resume, where the run was made before the loop was hit."""
    return ["--resume"] if OutPaths(out).run_ids() else []


def _ended(loop: "subprocess.Popen[bytes]") -> int:
    try:
        return loop.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(loop.pid, signal.SIGKILL)
        raise


def _only_run(out: Path) -> RunPaths:
    (run_id,) = OutPaths(out).run_ids()
    return OutPaths(out).run(run_id)


def _record(out: Path, moment: Moment) -> Any:
    runs = OutPaths(out).run_ids()
    state = OutPaths(out).run(runs[0]).state if runs else None
    return load_state(state).stage(moment.round, moment.stage) if state is not None and state.exists() else None


def _durations(state: State) -> dict[tuple[int, str], float]:
    from datetime import datetime

    found = {}
    for number, stages in state.stages.items():
        for name, record in stages.items():
            assert record.ended_at is not None
            span = datetime.fromisoformat(record.ended_at) - datetime.fromisoformat(record.started_at)
            found[int(number), name] = span.total_seconds()
    return found


# ---------------------------------------------------------------------------------------------------
# What has to be equal


def differences(plain: Outcome, other: Outcome) -> list[str]:
    """Everything in which a disturbed run came out otherwise than the undisturbed one; none: they are equal."""
    found = []
    if other.exits[-1] != 0:
        found.append(f"the last loop ended with {other.exits[-1]}")
    expected, got = _files(plain.run), _files(other.run)
    found += [f"{name} is missing" for name in expected.keys() - got.keys()]
    found += [f"{name} is there, and should not be" for name in got.keys() - expected.keys()]
    found += [f"{name} differs" for name in expected.keys() & got.keys() if expected[name] != got[name]]
    one, two = load_state(plain.run.state), load_state(other.run.state)
    if one.best != two.best:
        found.append(f"best is {two.best}, not {one.best}")
    if _target(plain.run) != _target(other.run):
        found.append(f"best_adapter leads to {_target(other.run)}, not to {_target(plain.run)}")
    if changed := _changed(one.counters, two.counters):
        found.append(f"counters differ: {changed}")
    sums = sum_deltas(other.run.events)
    if (sums.counters, sums.usage) != (two.counters, two.usage) or sums.damaged:
        found.append("the events do not add up to state.json")
    in_flight = CONCURRENCY * sum(moment.stage == "generate" for moment in other.hit)
    if not plain.requests <= other.requests <= plain.requests + in_flight:
        found.append(f"{other.requests} requests, {plain.requests} without disturbance")
    return found + _left_behind(other)


def _left_behind(outcome: Outcome) -> list[str]:
    root = outcome.run.root
    found = [f"{path} was left" for path in root.rglob(".*.tmp")]
    if loop_pid(OutPaths(root.parent.parent)) is not None:
        found.append("a loop still runs")
    for process in psutil.process_iter(["cmdline"]):
        if str(root) in " ".join(process.info["cmdline"] or []):
            found.append(f"process {process.pid} was left: {process.info['cmdline']}")
    return found


def _files(run: RunPaths) -> dict[str, bytes]:
    """What has to be the same, byte for byte: data, adapters, answers and reports, without names and times."""
    found = {}
    for folder in (run.data, run.eval, *run.root.glob("out_lora_round_*")):
        for path in sorted(folder.rglob("*")):
            name = str(path.relative_to(run.root))
            if path.is_file():
                # How often something was asked is held against the teacher's own count.
                found[name] = _replies(path) if "responses" in name else _plain(path.read_bytes(), run)
    return found


def _plain(content: bytes, run: RunPaths) -> bytes:
    content = content.replace(run.root.name.encode(), b"RUN").replace(str(run.root.parent.parent).encode(), b"OUT")
    return TIMES.sub(b"", content)


def _replies(ledger: Path) -> bytes:
    replies: dict[str, Mapping[str, Any]] = {}
    for line in ledger.read_bytes().splitlines():
        value = json.loads(line)
        if "request_hash" in value:
            replies.setdefault(value["request_hash"], value)
    return json.dumps(replies, sort_keys=True).encode()


def _target(run: RunPaths) -> str | None:
    return os.readlink(run.best_adapter) if run.best_adapter.is_symlink() else None


def _changed(one: Mapping[str, Any], two: Mapping[str, Any]) -> str:
    names = sorted(name for name in {*one, *two} - {*MEASURED} if one.get(name) != two.get(name))
    return ", ".join(f"{name} {one.get(name)} → {two.get(name)}" for name in names)


# ---------------------------------------------------------------------------------------------------
# When to disturb


WAYS = list(itertools.product(SIGNALS, TARGETS))
# A round and a stage of it.
PLACES = [(number, name) for number in (1, 2) for name in STAGES]


def boundaries() -> list[list[Moment]]:
    """For each signal a series that disturbs as each stage of each round is complete."""
    return [
        [Moment(*place, 1.0, sent, target) for place, target in zip(PLACES, itertools.cycle(("loop", "both")))]
        for sent in SIGNALS
    ]


def moments(count: int, seed: int) -> list[list[Moment]]:
    """So many moments inside stages in series of at most four; every way to disturb comes as often as every other."""
    chance = random.Random(seed)
    ways = [WAYS[number % len(WAYS)] for number in range(count)]
    chance.shuffle(ways)
    series = []
    for start in range(0, count, 4):
        part = ways[start : start + 4]
        chosen = sorted(chance.choices(range(len(PLACES)), k=len(part)))
        series.append(
            [Moment(*PLACES[place], round(chance.uniform(0.02, 0.95), 2), *way)
             for place, way in zip(chosen, part, strict=True)]
        )  # fmt: skip
    return series
