"""Stage 01: the teacher writes the round's samples."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from autotrain.config import BUILTIN_TEACHER, find_key, require_teacher
from autotrain.files import replacing
from autotrain.generate.api import generate_with_api
from autotrain.generate.builtin import builtin_samples, only
from autotrain.generate.teacher import Progress, TeacherSettings
from autotrain.generate.topics import read_topics
from autotrain.jsonl import to_line, write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.sample import Sample

SAMPLES_BETWEEN_EVENTS = 100


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Write raw_round_N.jsonl; an API teacher's replies are kept in the round's ledger first."""
    number = stage.round_number
    message = _generate(stage, paths.raw(number), paths.responses(number))
    return Done(message, [paths.raw(number)])


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Write samples to a file of the user's; the ledger lies beside it, so that nothing is paid for twice."""
    (output,) = required(options, "output")
    message = _generate(stage, output, output.with_name(output.stem + ".responses.jsonl"))
    return Done(f"{output}: {message}")


def _generate(stage: Stage, output: Path, ledger: Path) -> str:
    settings = stage.settings
    topics = read_topics(settings)
    if settings.teacher_model == BUILTIN_TEACHER:
        weights = only(topics.concepts, topics.shares)
        samples = builtin_samples(settings.samples_per_round, settings.seed, stage.round_number, weights)
        count = _write(output, samples, stage)
        return f"{count} samples by the builtin teacher"
    key = find_key()
    require_teacher(settings, key)
    replied = generate_with_api(
        TeacherSettings(
            model=settings.teacher_model,
            base_url=settings.teacher_base_url,
            api_key=key,
            concurrency=settings.teacher_concurrency,
            timeout=settings.teacher_timeout,
            samples_per_request=settings.samples_per_request,
            max_tokens=settings.teacher_max_tokens,
            max_retries=settings.teacher_max_retries,
        ),
        count=settings.samples_per_round,
        seed=settings.seed,
        round_number=stage.round_number,
        ledger_path=ledger,
        on_progress=_reporter(stage),
        should_stop=stage.check_control,
        weights=topics.shares or None,
        concepts=topics.concepts,
    )
    write_jsonl(output, (sample.to_json() for sample in replied))
    short = settings.samples_per_round - len(replied)
    return f"{len(replied)} samples by {settings.teacher_model}" + (f", {short} fewer than asked for" if short else "")


def _write(output: Path, samples: Iterable[Sample], stage: Stage) -> int:
    count = 0
    with replacing(output) as stream:
        for sample in samples:
            stream.write(to_line(sample.to_json()))
            count += 1
            if count % SAMPLES_BETWEEN_EVENTS == 0:
                stage.progress(f"{count} samples", {"teacher_generated": SAMPLES_BETWEEN_EVENTS})
                stage.check_control()
    stage.progress(f"{count} samples", {"teacher_generated": count % SAMPLES_BETWEEN_EVENTS})
    return count


def _reporter(stage: Stage) -> Callable[[Progress], None]:
    def report(progress: Progress) -> None:
        stage.progress(
            f"{progress.samples_ok} samples from {progress.requests_sent} requests",
            {"teacher_generated": progress.samples_ok, "teacher_failed": progress.samples_failed},
            {
                "requests_sent": progress.requests_sent,
                "input_tokens": progress.input_tokens,
                "output_tokens": progress.output_tokens,
                "rate_limits_hit": progress.rate_limits_hit,
                "retries": progress.retries,
            },
        )

    return report
