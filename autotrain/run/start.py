"""What loop.sh does first: check everything, make or reopen the run, become the loop."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from autotrain.config import (
    CHANGEABLE,
    Settings,
    load,
    public_fields,
    require_addresses,
    require_teacher,
    shown,
)
from autotrain.errors import AutotrainError, Refused, SettingsError, StopRequested
from autotrain.evaluate.benchmarks import read_benchmarks
from autotrain.evaluate.engines import require_engine
from autotrain.evaluate.student import require_proof
from autotrain.files import is_full
from autotrain.generate.prices import prices_for
from autotrain.generate.topics import read_topics
from autotrain.monitor.hardware import gpus
from autotrain.run.disk import no_space, refuse_without_room, tell
from autotrain.run.doctor.examination import examine, glance, heed
from autotrain.run.folder import check_folder, check_links, create_run, make_folder, reopen_run
from autotrain.run.lock import take_lock
from autotrain.run.paths import RUN_ID, OutPaths, RunPaths
from autotrain.run.plan import fit, plan_text
from autotrain.run.repair import first_open_round
from autotrain.run.state import load_state
from autotrain.run.summary import summary_text
from autotrain.sources import Source, add_flags, find_key, from_flags, gather, resolve
from autotrain.train.models import require_base


@dataclass(frozen=True)
class Order:
    """What is to be started: settings that were checked, where, and the run to go on with (none: a new one)."""

    settings: Settings
    out: OutPaths
    run: RunPaths | None = None
    notes: Sequence[str] = ()


def read_order(source: Source, resume: str | None = None) -> Order:
    """Check everything that can be checked without making anything; `resume` is a run's id, or "" for the newest.

    Raises SettingsError.
    """
    order = settle(source, resume)
    require_teacher(order.settings, find_key())
    require_base(order.settings.base_model)
    return order


def settle(source: Source, resume: str | None = None) -> Order:
    """`read_order` without what the machine must have beside the settings: a key, the base model.

    Raises SettingsError.
    """
    settings = resolve(source)
    out = OutPaths(settings.out_dir.absolute())
    run, notes = None, []
    if resume is not None:
        run = _find_run(out, resume)
        own = _own_settings(run, settings, list(source.values))
        settings, notes = own, _not_taken(own, settings, source)
    require_addresses(settings)
    read_topics(settings)
    prices_for(settings)
    require_engine(settings)
    require_proof(settings)
    read_benchmarks(settings)
    return Order(settings, out, run, notes)


def main(argv: Sequence[str] | None = None) -> int:
    """Check the settings, lock OUT_DIR, open the run, then become the loop: `bash LOOP --drive RUN FIRST ROUNDS`.

    The lock lives on an inherited descriptor, so it is held as long as the loop or a stage of it lives.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    run = out = None
    try:
        source, options = from_flags(_parser(), words)
        if options.doctor:
            order = settle(source, options.resume)
            check_links(order.out)
            return examine(order.settings, options.vram)
        if options.detach and not options.dry_run:
            return _detach(words)
        order = read_order(source, options.resume)
        settings, out, run = order.settings, order.out, order.run
        for note in order.notes:
            print(f"loop.sh: {note}", file=sys.stderr)
        if options.dry_run:
            print(plan_text(settings, options.vram))
            return 0
        check_folder(out)
        check_links(out)
        if not options.force:
            _refuse_what_cannot_fit(settings, options.vram)
            refuse_without_room(settings, out, run)
        heed(glance(settings), options.force)
        make_folder(out)
        lock = take_lock(out)
        if run is None:
            run = create_run(out, settings)
        elif not reopen_run(out, run, settings, options.redo):
            print(f"{run.root.name} is already complete\n\n{summary_text(run)}")
            return 0
        if options.ready is not None:
            _leave_terminal(run, options.ready)
        print(_opening(run, settings), flush=True)
    except AutotrainError as error:
        tell(f"loop.sh: {error}")
        return error.exit_status
    except BrokenPipeError:
        # Who reads this has seen enough: `--doctor | head`.
        return 128 + signal.SIGPIPE
    except OSError as error:
        if is_full(error):
            tell(f"loop.sh: {no_space(error, run, out.root if out is not None else None)}")
            return Refused.exit_status
        tell(f"loop.sh: {error}; OUT_DIR must be a folder that can be written to")
        return SettingsError.exit_status
    os.set_inheritable(lock, True)
    state = load_state(run.state)
    # The last one that was begun may still have to be closed.
    first = max(1, min(first_open_round(state), state.current_round))
    words = ["bash", str(options.loop), "--drive", str(run.root), str(first), str(settings.rounds)]
    keys = {name: value for name, value in os.environ.items() if name.lower() == "openai_api_key"}
    if any(keys.values()):
        words.append(str(_pipe_with(next(filter(None, keys.values())))))
    return os.execvpe("bash", words, {name: value for name, value in os.environ.items() if name not in keys})


def _pipe_with(key: str) -> int:
    """A descriptor that the loop reads the key from: anybody may look into its environment as long as it lives."""
    reading, writing = os.pipe()
    os.write(writing, f"{key}\n".encode())
    os.close(writing)
    os.set_inheritable(reading, True)
    return reading


def _refuse_what_cannot_fit(settings: Settings, vram: float | None) -> None:
    """Raise Refused where training would not fit the card, before anything is paid for."""
    fitting = fit(settings, gpus(), vram)
    if fitting is not None and fitting.verdict == "does not fit":
        raise Refused(f"training would not fit in memory: {fitting}; --force starts it all the same")


def _opening(run: RunPaths, settings: Settings) -> str:
    return f"{plan_text(settings)}\nrun {run.root.name} in {run.root}"


# ---------------------------------------------------------------------------------------------------
# A loop that outlives its terminal


def _detach(words: Sequence[str]) -> int:
    """Start this program again in a session of its own; return once its run is made, or with its exit status.

    Until then it talks to our terminal, afterwards to the run's log: it says through a pipe when that is.
    """
    ready, told = os.pipe()
    command = [sys.executable, "-m", "autotrain.run", "start", "--ready", str(told)]
    loop = subprocess.Popen(
        [*command, *(word for word in words if word != "--detach")],
        stdin=subprocess.DEVNULL,
        pass_fds=[told],
        start_new_session=True,
    )
    os.close(told)
    try:
        with os.fdopen(ready, encoding="utf-8") as pipe:
            root = pipe.read()
        if not root:
            status = loop.wait()
            return status if status >= 0 else AutotrainError.exit_status
    except KeyboardInterrupt:
        loop.terminate()
        return StopRequested.exit_status
    # It is not ours to wait for.
    loop.returncode = 0
    run = RunPaths(Path(root))
    folder = shlex.quote(str(run.root.parent.parent))
    print(_opening(run, load(run.config)))
    print(f"it goes on when this terminal closes; its output goes to {run.log}")
    print(f"watch it:  python -m autotrain.dashboard --out-dir {folder}")
    print(f"steer it:  python -m autotrain.control status|pause|resume|stop --out-dir {folder}")
    return 0


def _leave_terminal(run: RunPaths, ready: int) -> None:
    """From here on all output goes to the run's log; who waits at the pipe `ready` is told the run."""
    log = os.open(run.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (sys.stdout, sys.stderr):
        os.dup2(log, stream.fileno())
    os.close(log)
    with os.fdopen(ready, "w", encoding="utf-8") as pipe, suppress(BrokenPipeError):
        pipe.write(str(run.root))


# ---------------------------------------------------------------------------------------------------
# What must hold, and the run's folder


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loop.sh", description="Teacher → data → QLoRA → evaluation, round by round.", allow_abbrev=False
    )
    parser.add_argument("--loop", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--resume", nargs="?", const="", metavar="RUN_ID", help="go on with a run (default: the newest)"
    )
    parser.add_argument(
        "--redo", action="store_true", help="with --resume: make damaged files again, and all that was made of them"
    )
    parser.add_argument("--ready", type=int, metavar="FD", help=argparse.SUPPRESS)
    parser.add_argument(
        "--detach", action="store_true", help="go on without this terminal; the output goes to the run's loop.log"
    )
    parser.add_argument("--vram", type=float, metavar="GB", help="memory of the card to plan for (default: as found)")
    parser.add_argument(
        "--force", action="store_true", help="start though memory or disk may not suffice, or something is missing"
    )
    parser.add_argument("--dry-run", action="store_true", help="print the plan, start nothing")
    parser.add_argument("--doctor", action="store_true", help="examine this machine for these settings, start nothing")
    add_flags(parser)
    return parser


def _find_run(out: OutPaths, run_id: str) -> RunPaths:
    known = out.run_ids()
    if not known:
        raise SettingsError(f"there is no run in {out.root} to resume; leave out --resume to start one")
    if run_id == "":
        return out.run(known[-1])
    if not RUN_ID.fullmatch(run_id) or run_id not in known:
        raise SettingsError(f"no run {run_id!r} in {out.root}; there are: {', '.join(known[-5:])}")
    return out.run(run_id)


def _own_settings(run: RunPaths, settings: Settings, given: Sequence[str]) -> Settings:
    """The settings that the run began with, and of those `given` on the command line the ones it may be given anew.

    Raises SettingsError naming those that it may not.
    """
    own = load(run.config)
    fixed = [name for name in given if name not in ("out_dir", *CHANGEABLE)]
    other = [name for name in fixed if getattr(own, name) != getattr(settings, name)]
    if other:
        kept = ", ".join(f"{name.upper()} = {shown(getattr(own, name))}" for name in other)
        raise SettingsError(
            f"{run.root.name} began with {kept}, which cannot change; leave that out, or start a new run"
        )
    return own.model_copy(update={name: getattr(settings, name) for name in given if name in CHANGEABLE})


def _not_taken(own: Settings, found: Settings, flags: Source) -> list[str]:
    """What the environment and the files say otherwise than the run that is gone on with."""
    places: dict[str, str] = {}
    # The last of them is the preset.
    for source in gather(flags)[1:-1]:
        for name in source.values:
            places.setdefault(name, source.name)
    compared = public_fields().keys() - {"out_dir", *flags.values}
    return [
        f"{name.upper()} = {shown(getattr(found, name))} ({place}) is not taken: "
        f"the run began with {shown(getattr(own, name))}"
        for name, place in places.items()
        if name in compared and getattr(own, name) != getattr(found, name)
    ]
