"""One frame on paper, or the live screen: what the dashboard's command line comes to."""

import argparse
import json
import os
import re
import signal
import sys
import time

from rich.console import Console, Group

from autotrain.files import replace_text
from autotrain.monitor.follow import Follower
from autotrain.monitor.snapshot import Snapshot, to_json
from autotrain.monitor.views.frame import body_of, fitted, frame, header_of
from autotrain.monitor.views.page import Page

# Where there is no terminal to ask.
WIDTH, HEIGHT = 100, 40
# The load of a process is a difference between two looks.
SECONDS_BETWEEN_LOOKS = 0.2


def show_live(follower: Follower, options: argparse.Namespace) -> int:
    """Show the run until the user quits; return the exit status."""
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


def show_once(follower: Follower, options: argparse.Namespace) -> None:
    """Print one frame, print what is known as JSON, or draw a picture."""
    follower.look()
    time.sleep(SECONDS_BETWEEN_LOOKS)
    snapshot = follower.look()
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
    picture = console.export_svg(title="python -m autotrain.dashboard")
    return re.sub(r"@font-face \{.*?\}", "", picture, flags=re.DOTALL)
