"""The dashboard's command line: which run, which view, live or once."""

import argparse
import json
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console, Group

from autotrain.errors import AutotrainError, SettingsError
from autotrain.files import replace_text
from autotrain.monitor.follow import Follower
from autotrain.monitor.snapshot import Snapshot, to_json
from autotrain.monitor.views.frame import body_of, fitted, frame, header_of
from autotrain.monitor.views.page import VIEWS, Page
from autotrain.run.paths import OutPaths
from autotrain.sources import find_out_dir, from_flags

# Where there is no terminal to ask.
WIDTH, HEIGHT = 100, 40
# The load of a process is a difference between two looks.
SECONDS_BETWEEN_LOOKS = 0.2


def main(argv: Sequence[str] | None = None) -> int:
    """Show the run, live or once, and return the exit status."""
    try:
        options, out = _options(sys.argv[1:] if argv is None else argv)
        follower = Follower(out, options.run)
        if options.once or options.json or options.svg:
            follower.look()
            time.sleep(SECONDS_BETWEEN_LOOKS)
            _show_once(follower.look(), options)
            return 0
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise SettingsError("the live screen needs a terminal; --once prints one frame, --json one for programs")
        return _show_live(follower, options)
    except AutotrainError as error:
        print(f"dashboard: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # `| head` has seen enough. What is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except OSError as error:
        print(f"dashboard: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _options(argv: Sequence[str]) -> tuple[argparse.Namespace, OutPaths]:
    parser = argparse.ArgumentParser(
        prog="python -m autotrain.dashboard",
        description="How the run is, in a second terminal. It only reads; the keys are on the screen.",
        allow_abbrev=False,
    )
    parser.add_argument("--run", metavar="ID", help="the run (default: the newest, also when a newer one starts)")
    parser.add_argument("--out-dir", metavar="DIR", default=argparse.SUPPRESS, help="where the runs are (OUT_DIR)")
    views = ", ".join(f"{number} {name}" for number, name in enumerate(VIEWS, start=1))
    parser.add_argument("--view", type=int, choices=range(1, 6), default=1, help=f"what to begin with: {views}")
    parser.add_argument("--refresh", type=float, default=1.0, metavar="S", help="seconds between looks (default: 1)")
    parser.add_argument("--ascii", action="store_true", help="no character outside ASCII")
    parser.add_argument("--once", action="store_true", help="print one frame; needs no terminal")
    parser.add_argument("--json", action="store_true", help="print what is known as JSON")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw one frame into a file")
    parser.add_argument("--size", metavar="WxH", help="columns and lines for --once and --svg, such as 120x40")
    source, options = from_flags(parser, argv)
    out = OutPaths(find_out_dir(source))
    if not 0.05 <= options.refresh <= 3600:
        raise SettingsError(f"--refresh {options.refresh:g}: allowed is 0.05 to 3600 seconds")
    if options.size is not None and not re.fullmatch(r"[1-9]\d{1,2}x[1-9]\d{1,2}", options.size):
        raise SettingsError(f"--size {options.size!r}: columns x lines, such as 120x40, 10 to 999 each")
    if options.run is not None and options.run not in out.run_ids():
        known = ", ".join(out.run_ids()[-5:]) or "none"
        raise SettingsError(f"no run {options.run!r} in {out.root}; there are: {known}")
    return options, out


def _show_live(follower: Follower, options: argparse.Namespace) -> int:
    console = Console()
    ascii_only = options.ascii or not console.encoding.lower().startswith("utf")
    page = Page(options.view, console.width, console.height, ascii_only=ascii_only)
    # Until Textual has its own handlers, the terminal is left as it was all the same.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    # The first frame stands there while the rest is loaded, which takes longer than all the files do.
    with console.screen() as screen:
        screen.update(Group(*frame(follower.look(), page)[0]))
        from autotrain.monitor.screen import show

        return show(follower, page, options.refresh)


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def _show_once(snapshot: Snapshot, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(to_json(snapshot), indent=2))
        return
    console = Console(markup=False, emoji=False, highlight=False)
    width, height = (console.width, console.height) if console.is_terminal else (WIDTH, HEIGHT)
    if options.size is not None:
        width, height = (int(number) for number in options.size.split("x"))
    ascii_only = options.ascii or not console.encoding.lower().startswith("utf")
    page = Page(options.view, width, height, ascii_only=ascii_only)
    if options.svg is not None:
        replace_text(options.svg, _to_svg(snapshot, page))
        return
    console.width = width
    for line in [*header_of(snapshot, page), *body_of(snapshot, page)]:
        console.print(fitted(line, page), no_wrap=True)


def _to_svg(snapshot: Snapshot, page: Page) -> str:
    """The screen as a picture that asks no server for a font."""
    lines, _ = frame(snapshot, page)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, record=True, width=page.width, force_terminal=True, color_system="standard")
        for line in lines:
            console.print(line, no_wrap=True)
    form = re.sub(r"@font-face \{\{.*?\}\}", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    return console.export_svg(title="python -m autotrain.dashboard", code_format=form)
