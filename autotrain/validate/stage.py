"""Stage 02: raw → clean, and every dropped line with its reason."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from autotrain.errors import Refused
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.validate.filters import Funnel, validate_file

SAMPLES_BETWEEN_EVENTS = 100


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
    counted: dict[str, int] = {}

    def count(funnel: Funnel) -> None:
        counters = {"validated_ok": funnel.kept}
        counters.update((f"rejected_{reason}", number) for reason, number in funnel.dropped.items())
        stage.progress(describe(funnel), {name: number - counted.get(name, 0) for name, number in counters.items()})
        counted.update(counters)

    def report(funnel: Funnel) -> None:
        if funnel.read % SAMPLES_BETWEEN_EVENTS == 0:
            count(funnel)
        stage.check_control()

    funnel = validate_file(
        source,
        clean,
        rejected,
        earlier=earlier,
        max_chars=stage.settings.max_sample_chars,
        on_progress=report,
    )
    count(funnel)
    message = describe(funnel)
    if not funnel.kept:
        raise Refused(f"nothing survived validation: {message}; the lines and reasons are in {rejected}")
    return message


def describe(funnel: Funnel) -> str:
    """`400 read, 390 kept, dropped: duplicate 6, schema 4`."""
    dropped = ", ".join(f"{reason} {count}" for reason, count in funnel.dropped.items() if count)
    return f"{funnel.read} read, {funnel.kept} kept" + (f", dropped: {dropped}" if dropped else "")
