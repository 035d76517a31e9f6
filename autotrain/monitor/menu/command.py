"""The menu: what can be done now, as flags for scripts; without any flag, as a screen for people."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from autotrain.errors import AutotrainError, SettingsError, StopRequested
from autotrain.run.control import Action, ask, find_run, status_text
from autotrain.run.paths import OutPaths
from autotrain.sources import Source, add_flags, find_out_dir, from_flags

STEERING: dict[str, Action] = {"stop": "stop", "pause": "pause", "unpause": "resume"}
FLAGS = "--start, --resume [ID], --stop, --pause, --unpause or --status"


def main(description: str, loop: Path, argv: Sequence[str] | None = None) -> int:
    """Do what the flags say, or open the menu; `loop` is the script that runs a loop. Returns the exit status."""
    parser = _parser(description)
    try:
        source, options = from_flags(parser, sys.argv[1:] if argv is None else argv)
        return _act(source, options, loop)
    except AutotrainError as error:
        print(f"menu: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return StopRequested.exit_status


def _parser(description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="menu.py", description=description, allow_abbrev=False)
    actions = parser.add_argument_group("instead of the screen, one of").add_mutually_exclusive_group()
    actions.add_argument("--start", action="store_true", help="start a new run, with settings as loop.sh takes them")
    actions.add_argument("--resume", nargs="?", const="", metavar="ID", help="go on with a run (default: the newest)")
    actions.add_argument("--stop", action="store_true", help="ask the running loop to stop; it can be resumed")
    actions.add_argument("--pause", action="store_true", help="ask the running loop to pause")
    actions.add_argument("--unpause", action="store_true", help="ask a paused loop to go on")
    actions.add_argument("--status", action="store_true", help="say how the run stands")
    parser.add_argument("--yes", action="store_true", help="with --start or --resume: do not ask")
    parser.add_argument("--ascii", action="store_true", help="draw the screen without any character beyond ASCII")
    add_flags(parser)
    return parser


def _act(source: Source, options: argparse.Namespace, loop: Path) -> int:
    if options.start or options.resume is not None:
        return _start(source, options.resume, options.yes, loop)
    settings = sorted(name.upper() for name in source.values if name != "out_dir")
    if settings:
        raise SettingsError(f"{', '.join(settings)}: settings go with --start; the menu asks for them itself")
    out = OutPaths(find_out_dir(source))
    if options.status:
        print(status_text(out, find_run(out, None)))
        return 0
    for flag, action in STEERING.items():
        if getattr(options, flag):
            print(ask(out, find_run(out, None), action))
            return 0
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise SettingsError(f"the menu needs a terminal; without one, use {FLAGS}")
    from autotrain.monitor.menu.screens import open_menu

    ascii_only = options.ascii or not sys.stdout.encoding.lower().startswith("utf")
    return open_menu(OutPaths(out.root.absolute()), loop, ascii_only)


def _start(source: Source, resume: str | None, yes: bool, loop: Path) -> int:
    """Print the plan, ask, start a loop of its own; or say what is in the way."""
    if not yes and not sys.stdin.isatty():
        raise SettingsError("nobody can be asked, as this is no terminal; --yes starts without asking")
    # Takes a moment, and --help is to have none.
    from autotrain.monitor.menu.launch import launch, propose

    proposal = propose(source, resume)
    if proposal.plan:
        print(proposal.plan, flush=True)
    if proposal.problem:
        print(f"menu: {proposal.problem}", file=sys.stderr)
        return proposal.exit_status
    if not yes:
        print(f"{'start' if resume is None else 'resume'} this? [y/N] ", end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            print("nothing was started")
            return StopRequested.exit_status
    launched = launch(loop, source, resume)
    print(launched.text, file=sys.stdout if launched.exit_status == 0 else sys.stderr)
    return launched.exit_status
