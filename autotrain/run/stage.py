"""What every stage script shares: where its settings come from, how it reports, how it ends."""

import argparse
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autotrain.config import Settings, load
from autotrain.errors import AutotrainError, Refused, SettingsError, StopRequested
from autotrain.redact import redact
from autotrain.run.control import read_request
from autotrain.run.disk import full_disk_refused, let_go_of_output, tell
from autotrain.run.journal import Journal
from autotrain.run.launch import launch, rank, tell_status, trains_together
from autotrain.run.paths import RunPaths
from autotrain.run.state import DECIMALS, MOST, RunStatus, StageStatus, load_state
from autotrain.sources import add_flags, from_flags, resolve

PAUSE_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Done:
    """What a finished stage says: one line for people, and the files it made."""

    message: str
    artifacts: Sequence[Path] = ()


@dataclass
class Stage:
    """A stage at work: its settings, and the door to the run's journal if it is part of one."""

    name: str
    settings: Settings
    round_number: int = 1
    journal: Journal | None = None
    follows: bool = False
    """Whether another process does the same and records it."""
    _busy: bool = field(default=False, init=False)

    def say(self, message: str) -> None:
        """Print a line for the person watching."""
        if self.follows:
            return
        with self._alone():
            print(f"  [round {self.round_number} · {self.name}] {redact(message, 500)}", flush=True)

    def progress(
        self,
        message: str,
        counters: Mapping[str, Any] | None = None,
        usage: Mapping[str, Any] | None = None,
        gauges: Mapping[str, float] | None = None,
    ) -> None:
        """Record what came to pass. `gauges` are values that replace the last one, such as the loss.

        A gauge that is not finite, or beyond all measure, was not measured: it is left out.
        """
        if self.journal is None:
            return
        deltas = dict(counters or {})
        measured = {name: value for name, value in (gauges or {}).items() if abs(value) < MOST}
        for name, value in measured.items():
            deltas[name] = round(value - self.journal.state.counters.get(name, 0), DECIMALS)
        with self._alone():
            self.journal.record(
                "progress",
                message,
                round_number=self.round_number,
                stage=self.name,
                counters=deltas,
                usage=dict(usage or {}),
            )

    def check_control(self) -> None:
        """A safe point: wait here while paused; raise StopRequested if asked to stop."""
        if self.journal is None:
            return
        self._wait_while_paused()
        if read_request(self.journal.paths.control) == "stop":
            with self._alone():
                self.journal.set_status("stopping")
            raise StopRequested("stopped on request; ./scripts/loop.sh --resume goes on from here")

    @contextmanager
    def pausing_anywhere(self) -> Iterator[None]:
        """Within, a pause holds in half a second wherever the work is, not at its next safe point.

        For long steps that only compute. Nothing with a time limit belongs inside: it would run out meanwhile.
        """
        before = signal.signal(signal.SIGALRM, lambda *_: self._wait_while_paused())
        signal.setitimer(signal.ITIMER_REAL, PAUSE_POLL_SECONDS, PAUSE_POLL_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _wait_while_paused(self) -> None:
        if self.journal is None or self._busy or read_request(self.journal.paths.control) != "pause":
            return
        self.say("paused; python -m autotrain.control resume goes on")
        with self._alone():
            self.journal.set_status("paused")
        self.progress("paused", {"pauses": 1})
        with self._alone():
            while (request := read_request(self.journal.paths.control)) == "pause":
                time.sleep(PAUSE_POLL_SECONDS)
        if request == "run":
            self.say("goes on")
            with self._alone():
                self.journal.set_status("running")
            self.progress("goes on")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Within, no pause begins, as it writes the same files itself."""
        before, self._busy = self._busy, True
        try:
            yield
        finally:
            self._busy = before


def run_stage(
    name: str,
    description: str,
    in_round: Callable[[Stage, RunPaths], Done],
    on_files: Callable[[Stage, argparse.Namespace], Done],
    files: Mapping[str, str],
    argv: Sequence[str] | None = None,
    together: bool = False,
) -> int:
    """Run one stage as a program and return its exit status.

    `in_round` does the work inside a run (`--run DIR --round N`, settings from its config.json);
    `on_files` does it on a user's files, whose flags and help texts are `files`. A stage that several processes may do
    `together` is started once each, and only the first of them writes.
    """
    status = _run_stage(name, description, in_round, on_files, files, argv, together)
    let_go_of_output()
    return tell_status(status)


def _run_stage(
    name: str,
    description: str,
    in_round: Callable[[Stage, RunPaths], Done],
    on_files: Callable[[Stage, argparse.Namespace], Done],
    files: Mapping[str, str],
    argv: Sequence[str] | None,
    together: bool,
) -> int:
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    group = parser.add_argument_group("inside a run (used by loop.sh)")
    group.add_argument("--run", type=Path, metavar="DIR", help="folder of the run")
    group.add_argument("--round", type=int, metavar="N", help="number of the round, from 1")
    group = parser.add_argument_group("on files of your own")
    for flag, help_text in files.items():
        group.add_argument(flag, type=Path, metavar="PATH", help=help_text)
    add_flags(parser)
    arguments = sys.argv[1:] if argv is None else argv
    try:
        source, options = from_flags(parser, arguments)
        paths = RunPaths(options.run) if options.run else None
        with full_disk_refused(paths):
            if paths is not None or options.round is not None:
                given = [flag for flag in files if getattr(options, flag.lstrip("-")) is not None]
                if source.problems or source.values or given or paths is None or (options.round or 0) < 1:
                    alone = "a stage of a run takes --run DIR and --round N from 1, and the run's own settings"
                    raise SettingsError("\n".join([*source.problems, alone]))
                if together and paths.config.exists() and trains_together(settings := load(paths.config)):
                    return launch(settings, sys.argv[0], arguments)
                if rank():
                    return _follow(name, in_round, paths, options.round)
                return _in_run(name, in_round, paths, options.round)
            settings = resolve(source)
            if together and trains_together(settings):
                return launch(settings, sys.argv[0], arguments)
            done = on_files(Stage(name, settings, follows=bool(rank())), options)
            if not rank():
                print(done.message)
            return 0
    except AutotrainError as error:
        tell(f"{name}: {redact_lines(str(error))}")
        return error.exit_status
    except OSError as error:
        tell(f"{name}: {redact(str(error), 500)}")
        return AutotrainError.exit_status
    except KeyboardInterrupt:
        tell(f"{name}: interrupted")
        return StopRequested.exit_status


def _in_run(name: str, work: Callable[[Stage, RunPaths], Done], paths: RunPaths, round_number: int) -> int:
    journal = Journal(paths)
    stage = Stage(name, load(paths.config), round_number, journal)
    try:
        with full_disk_refused(paths):
            _work(stage, journal, work)
    except AutotrainError as error:
        _record_ending(stage, journal, *_ending(error), str(error))
        raise
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        with suppress(OSError):
            traceback.print_exc()
        _record_ending(stage, journal, "failed", "failed", message)
        return AutotrainError.exit_status
    return 0


def _work(stage: Stage, journal: Journal, work: Callable[[Stage, RunPaths], Done]) -> None:
    name, round_number = stage.name, stage.round_number
    if journal.state.is_complete(round_number, name):
        journal.record("stage_skip", f"{name} is already complete", round_number=round_number, stage=name)
        stage.say("already complete")
        return
    journal.start_stage(round_number, name)
    started = time.monotonic()
    stage.check_control()
    done = work(stage, journal.paths)
    journal.end_stage(round_number, name, "completed", done.message, artifacts=done.artifacts)
    stage.say(f"{done.message} ({time.monotonic() - started:.0f} s)")


def _record_ending(
    stage: Stage, journal: Journal, status: StageStatus, run_status: RunStatus, message: str
) -> None:
    """Write down why a stage ended. Where that cannot be written either, state.json stays as it was."""
    journal.state.status, journal.state.error = run_status, redact(message, 200)
    record = journal.state.stage(stage.round_number, stage.name)
    with suppress(OSError):
        # Its work may have been done, and only what comes after it have failed.
        if record is None or record.status == "completed":
            journal.set_status(run_status, journal.state.error)
        else:
            journal.end_stage(stage.round_number, stage.name, status, message, error=message)


def _follow(name: str, work: Callable[[Stage, RunPaths], Done], paths: RunPaths, round_number: int) -> int:
    """The work of a process that is not the first of several: the same, and nothing of it is recorded."""
    if not load_state(paths.state).is_complete(round_number, name):
        work(Stage(name, load(paths.config), round_number, follows=True), paths)
    return 0


def _ending(error: AutotrainError) -> tuple[StageStatus, RunStatus]:
    if isinstance(error, StopRequested):
        return "stopped", "stopped"
    if isinstance(error, Refused):
        return "refused", "refused"
    return "failed", "failed"


def redact_lines(text: str) -> str:
    """`redact` for a message of several lines."""
    return "\n".join(redact(line, 500) for line in text.split("\n"))


def required(options: argparse.Namespace, *names: str) -> list[Path]:
    """The paths a user must give when the stage runs on files; the folder of `output` is made.

    Raises SettingsError naming those that were not given or, apart from `output`, do not exist.
    """
    missing = [f"--{name}" for name in names if getattr(options, name) is None]
    if missing:
        raise SettingsError(f"missing {' and '.join(missing)}; --help shows how the stage is used")
    paths: dict[str, Path] = {name: getattr(options, name) for name in names}
    absent = [f"--{name} {path}" for name, path in paths.items() if name != "output" and not path.exists()]
    if absent:
        raise SettingsError(f"there is no {' and no '.join(absent)}")
    if "output" in paths:
        paths["output"].parent.mkdir(parents=True, exist_ok=True)
    return list(paths.values())
