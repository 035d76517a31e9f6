"""The dashboard's command line: which run, which view, live or once."""

import argparse
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from autotrain.errors import AutotrainError, SettingsError
from autotrain.monitor.views.page import VIEWS
from autotrain.run.paths import OutPaths
from autotrain.sources import find_out_dir, from_flags


def main(argv: Sequence[str] | None = None) -> int:
    """Show the run, live or once, and return the exit status."""
    try:
        options, out = _options(sys.argv[1:] if argv is None else argv)
        once = options.once or options.json or options.svg
        if not once and not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise SettingsError("the live screen needs a terminal; --once prints one frame, --json one for programs")
        # Takes a moment, and --help is to have none.
        from autotrain.monitor.follow import Follower
        from autotrain.monitor.show import show_live, show_once

        follower = Follower(out, options.run)
        if not once:
            return show_live(follower, options)
        show_once(follower, options)
        return 0
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
