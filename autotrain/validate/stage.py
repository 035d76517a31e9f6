"""Stage 02: raw → clean, and every dropped line with its reason."""

import argparse

from autotrain.errors import Refused
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.validate.filters import Funnel, validate_file


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Filter what the teacher wrote this round, against all earlier rounds."""
    number = stage.round_number
    funnel = validate_file(
        paths.raw(number),
        paths.clean(number),
        paths.rejected(number),
        earlier=[paths.clean(earlier) for earlier in range(1, number)],
        max_chars=stage.settings.max_sample_chars,
        on_progress=lambda _: stage.check_control(),
    )
    stage.progress(
        describe(funnel),
        {
            "validated_ok": funnel.kept,
            **{f"rejected_{reason}": count for reason, count in funnel.dropped.items()},
        },
    )
    if not funnel.kept:
        raise Refused(
            f"nothing survived validation: {describe(funnel)}; the lines and reasons are in {paths.rejected(number)}"
        )
    return Done(describe(funnel), [paths.clean(number), paths.rejected(number)])


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Filter a user's own file; what is dropped goes beside the output."""
    source, output = required(options, "input", "output")
    rejected = output.with_name(output.stem + ".rejected.jsonl")
    funnel = validate_file(source, output, rejected, earlier=[], max_chars=stage.settings.max_sample_chars)
    if not funnel.kept:
        raise Refused(
            f"nothing survived validation: {describe(funnel)}; the lines and reasons are in {rejected}"
        )
    return Done(f"{output}: {describe(funnel)}")


def describe(funnel: Funnel) -> str:
    """`400 read, 390 kept, dropped: duplicate 6, schema 4`."""
    dropped = ", ".join(f"{reason} {count}" for reason, count in funnel.dropped.items() if count)
    return f"{funnel.read} read, {funnel.kept} kept" + (f", dropped: {dropped}" if dropped else "")
