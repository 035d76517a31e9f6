"""The history's command line: which runs, and as a table or as JSON."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

from autotrain.errors import AutotrainError, SettingsError
from autotrain.run.paths import OutPaths
from autotrain.sources import Source, find_out_dir, from_flags

if TYPE_CHECKING:
    from rich.console import RenderableType

    from autotrain.monitor.records import Run

# Where there is no terminal to ask.
WIDTH = 100
ACTIONS = {"list": (), "show": ("ID",), "compare": ("ID", "OTHER")}


def main(argv: Sequence[str] | None = None) -> int:
    """Show the runs of OUT_DIR, one or two of them, and return the exit status."""
    try:
        source, options = _options(sys.argv[1:] if argv is None else argv)
        out = OutPaths(find_out_dir(source))
        _show(out, options)
        return 0
    except AutotrainError as error:
        print(f"history: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # `| head` has seen enough. What is left in the buffer must not be tried again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        print(f"history: {error}", file=sys.stderr)
        return AutotrainError.exit_status


def _options(argv: Sequence[str]) -> tuple[Source, argparse.Namespace]:
    action = next((word for word in argv if word in ACTIONS), None)
    parser = argparse.ArgumentParser(
        prog="python -m autotrain.history",
        usage="python -m autotrain.history [list | show ID | compare ID ID] [--json] [--ascii] [--out-dir DIR]",
        description="What the runs in OUT_DIR came to: all of them, all about one, or two side by side. It only reads. "
        "Of an ID the beginning or the end is enough.",
        allow_abbrev=False,
    )
    if action is not None:
        parser.add_argument("action", choices=[*ACTIONS], help=argparse.SUPPRESS)
        for name in ACTIONS[action]:
            parser.add_argument(name.lower(), metavar="ID", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true", help="print what is known as JSON, for programs")
    parser.add_argument("--ascii", action="store_true", help="no character outside ASCII")
    parser.add_argument("--out-dir", metavar="DIR", default=argparse.SUPPRESS, help="where the runs are (OUT_DIR)")
    source, options = from_flags(parser, argv)
    options.runs = [getattr(options, name.lower()) for name in ACTIONS[action or "list"]]
    return source, options


def _show(out: OutPaths, options: argparse.Namespace) -> None:
    # They take half a second, and --help needs none of them.
    from autotrain.monitor.records import Unreadable, details, differing_settings, on_shared_items, overview, read_runs
    from autotrain.monitor.views.history import page_of_run, page_of_two, table_of_runs, verdict_lines

    runs = [_read(out, word) for word in options.runs]
    if len(runs) == 2:
        one, other = runs
        if one.run_id == other.run_id:
            raise SettingsError(f"{one.run_id} is compared with itself; name two runs")
        shared = on_shared_items(one, other)
        values = {
            "runs": [details(run) for run in runs],
            "differing_settings": differing_settings(one, other),
            "shared_items": None if shared is None else asdict(shared),
            "verdict": verdict_lines(one, other, shared),
        }
        _print(page_of_two(one, other, shared), values, options)
    elif runs:
        _print(page_of_run(runs[0]), details(runs[0]), options)
    else:
        found = read_runs(out)
        if not found and not options.json:
            print(f"no run in {out.root} yet; ./scripts/loop.sh starts one, --out-dir names another folder")
            return
        listed = [asdict(run) if isinstance(run, Unreadable) else asdict(overview(run)) for run in found]
        _print(table_of_runs(found), listed, options)


def _read(out: OutPaths, word: str) -> "Run":
    from autotrain.monitor.records import read_run

    run_id = find_run(out, word)
    try:
        return read_run(out, run_id)
    except AutotrainError as error:
        raise AutotrainError(f"{run_id}: {error}") from None


def find_run(out: OutPaths, word: str) -> str:
    """The run that `word` is, begins or ends. Raises SettingsError with the nearest one, or with all it can be."""
    known = out.run_ids()
    if word in known:
        return word
    found = [one for one in known if one.startswith((word, f"run_{word}")) or one.endswith(word)]
    if len(found) == 1:
        return found[0]
    if found:
        raise SettingsError(f"{word!r} can be {', '.join(found[-5:])}; give more of it")
    if not known:
        raise SettingsError(f"there is no run in {out.root}; set --out-dir or start one with loop.sh")
    nearest = max(known, key=lambda one: max(_likeness(word, part) for part in (one, one[4:], one[-6:])))
    raise SettingsError(f"no run {word!r} in {out.root}; the nearest is {nearest}")


def _likeness(word: str, other: str) -> float:
    return SequenceMatcher(None, word, other, autojunk=False).ratio()


def _print(page: "RenderableType", values: Any, options: argparse.Namespace) -> None:
    if options.json:
        print(json.dumps(values, indent=2))
        return
    from rich.console import Console

    from autotrain.monitor.charts import to_ascii

    width = None if sys.stdout.isatty() or os.environ.get("COLUMNS") else WIDTH
    console = Console(markup=False, emoji=False, highlight=False, width=width)
    ascii_only = options.ascii or not console.encoding.lower().startswith("utf")
    with console.capture() as captured:
        console.print(page)
    text = captured.get()
    sys.stdout.write(to_ascii(text) if ascii_only else text)
    sys.stdout.flush()
