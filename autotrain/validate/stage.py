"""Stage 02: raw → clean, and every dropped line with its reason."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from autotrain.errors import Refused
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.validate.filters import Funnel, validate_file


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Filter what the teacher wrote this round, against all earlier rounds."""
    number = stage.round_number
    earlier = [paths.clean(earlier) for earlier in range(1, number)]
    message = _filter(stage, paths.raw(number), paths.clean(number), paths.rejected(number), earlier)
    return Done(message, [paths.clean(number), paths.rejected(number)])


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Filter a user's own file; what is dropped goes beside the output."""
    source, output = required(options, "input", "output")
    message = _filter(stage, source, output, output.with_name(output.stem + ".rejected.jsonl"), [])
    return Done(f"{output}: {message}")


def _filter(stage: Stage, source: Path, clean: Path, rejected: Path, earlier: Sequence[Path]) -> str:
    funnel = validate_file(
        source,
        clean,
        rejected,
        earlier=earlier,
        max_chars=stage.settings.max_sample_chars,
        on_progress=lambda _: stage.check_control(),
    )
    message = describe(funnel)
    stage.progress(
        message,
        {
            "validated_ok": funnel.kept,
            **{f"rejected_{reason}": count for reason, count in funnel.dropped.items()},
        },
    )
    if not funnel.kept:
        raise Refused(f"nothing survived validation: {message}; the lines and reasons are in {rejected}")
    return message


def describe(funnel: Funnel) -> str:
    """`400 read, 390 kept, dropped: duplicate 6, schema 4`."""
    dropped = ", ".join(f"{reason} {count}" for reason, count in funnel.dropped.items() if count)
    return f"{funnel.read} read, {funnel.kept} kept" + (f", dropped: {dropped}" if dropped else "")
