"""Stage 01: the teacher writes the round's samples."""

import argparse
import math
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from autotrain.config import OFFLINE_TEACHERS, Settings, require_teacher, split_list
from autotrain.errors import Refused
from autotrain.files import replacing
from autotrain.generate.api import Earlier, generate_with_api
from autotrain.generate.builtin import builtin_samples, only
from autotrain.generate.ledger import read_book
from autotrain.generate.prices import prices_for
from autotrain.generate.teacher import Report, TeacherSettings
from autotrain.generate.topics import Topics, read_focus, read_topics
from autotrain.jsonl import to_line, write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.sample import Sample, load_samples
from autotrain.sources import find_key

SAMPLES_BETWEEN_EVENTS = 100
SECONDS_BETWEEN_EVENTS, SECONDS_BETWEEN_LINES = 1.0, 15.0
LATENCIES = (("latency_p50", 0.5), ("latency_p95", 0.95))


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Write raw_round_N.jsonl; an API teacher's replies are kept in the round's ledger first."""
    number = stage.round_number
    topics = replace(read_topics(stage.settings), focus=read_focus(paths.focus(number)))
    if topics.focus:
        stage.say(f"more of {', '.join(name for name, weight in topics.focus.items() if weight > 1) or 'nothing'}")
    raw, ledger = paths.raw(number), paths.responses(number)
    if stage.settings.teacher_model in OFFLINE_TEACHERS:
        return Done(_ask_builtin(stage, topics, raw), [raw])
    message = _ask_server(stage, topics, _read_earlier(paths, number), raw, ledger, paths.reserve)
    return Done(message, [raw, ledger])


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Write samples to a file of the user's; the ledger lies beside it, so that nothing is paid for twice."""
    (output,) = required(options, "output")
    topics = read_topics(stage.settings)
    if stage.settings.teacher_model in OFFLINE_TEACHERS:
        return Done(f"{output}: {_ask_builtin(stage, topics, output)}")
    ledger = output.with_name(output.stem + ".responses.jsonl")
    return Done(f"{output}: {_ask_server(stage, topics, Earlier(), output, ledger)}")


def teacher_settings(settings: Settings, key: str) -> TeacherSettings:
    """What a client needs to know, from the settings. Raises SettingsError as `prices_for` does."""
    return TeacherSettings(
        model=settings.teacher_model,
        base_urls=tuple(split_list(settings.teacher_base_url)),
        api_key=key,
        concurrency=settings.teacher_concurrency,
        timeout=settings.teacher_timeout,
        samples_per_request=settings.samples_per_request,
        max_tokens=settings.teacher_max_tokens,
        max_retries=settings.teacher_max_retries,
        prices=tuple(prices_for(settings)),
        max_usd=settings.max_cost_usd,
        max_tokens_in_all=settings.max_tokens,
    )


def _read_earlier(paths: RunPaths, number: int) -> Earlier:
    instructions: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for before in range(1, number):
        for sample in load_samples(paths.raw(before)):
            cell = str(sample.metadata.task_type), next(iter(sample.metadata.concepts), "")
            instructions[cell].append(sample.instruction)
    ledgers = [paths.responses(before) for before in range(1, number)]
    return Earlier(read_book(path for path in ledgers if path.exists()), dict(instructions))


def _ask_server(
    stage: Stage, topics: Topics, earlier: Earlier, output: Path, ledger: Path, reserve: Path | None = None
) -> str:
    settings = stage.settings
    key = find_key()
    require_teacher(settings, key)
    reporter = Reporter(stage)
    try:
        harvested = generate_with_api(
            teacher_settings(settings, key),
            count=settings.samples_per_round,
            seed=settings.seed,
            round_number=stage.round_number,
            ledger_path=ledger,
            on_report=reporter.take,
            should_stop=stage.check_control,
            topics=topics,
            earlier=earlier,
            reserve=reserve,
        )
    finally:
        reporter.finish()
    samples, over_budget = harvested.samples, harvested.over_budget
    write_jsonl(output, (sample.to_json() for sample in samples))
    message = f"{len(samples)} samples by {settings.teacher_model}{reporter.bill()}"
    short = settings.samples_per_round - len(samples)
    if over_budget is not None:
        raise Refused(
            f"budget reached with {len(samples)} of {settings.samples_per_round} samples, which are in {output.name}. "
            f"{over_budget}. To go on: --resume with a higher bound, or with --samples {max(1, len(samples))} to do "
            "with what there is"
        )
    return message + (f", {short} fewer than asked for" if short else "")


def _ask_builtin(stage: Stage, topics: Topics, output: Path) -> str:
    weights = only(topics.concepts, topics.shares)
    for name, weight in topics.focus.items():
        weights[name] = weights.get(name, 1.0) * weight
    samples = builtin_samples(stage.settings.samples_per_round, stage.settings.seed, stage.round_number, weights)
    return f"{_write(output, samples, stage)} samples by the builtin teacher"


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


class Reporter:
    """Writes down what the client reports, at most once a second; says it aloud now and then.

    Usage goes into the journal as the difference to what is there, so that what a killed stage could not
    write down any more comes in with its ledger.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._report: Report | None = None
        self._counted: dict[str, int] = {}
        self._gauged: dict[str, float] = {}
        self._started = self._written = self._said = time.monotonic()
        self._told: Mapping[str, int | float] = {}
        self._at_start: int | None = None

    def take(self, report: Report) -> None:
        """Keep a report, and write it down if the last one is old enough."""
        now = time.monotonic()
        self._report = report
        if self._at_start is None:
            self._at_start = report.samples
        if now - self._written >= SECONDS_BETWEEN_EVENTS:
            self._write(report, now)
        if now - self._said >= SECONDS_BETWEEN_LINES and report.usage != self._told:
            self._said, self._told = now, report.usage
            self._stage.say(self._line(report, now))

    def finish(self) -> None:
        """Write down what was reported last."""
        if self._report is not None:
            self._write(self._report, time.monotonic())

    def bill(self) -> str:
        """What it took, in words; of what the server did not report, nothing."""
        usage = self._report.usage if self._report else {}
        parts = [f"{usage.get('requests_sent', 0)} requests"]
        if "output_tokens" in usage:
            parts.append(f"{usage.get('input_tokens', 0):,} + {usage['output_tokens']:,} tokens")
        if "estimated_cost_usd" in usage:
            parts.append(f"${usage['estimated_cost_usd']:.4f}")
        return f" ({', '.join(parts)})"

    def _write(self, report: Report, now: float) -> None:
        self._written = now
        counters = {name: number - self._counted.get(name, 0) for name, number in report.counters.items()}
        self._counted = dict(report.counters)
        known = self._stage.journal.state.usage if self._stage.journal else {}
        usage = {name: number - known.get(name, 0) for name, number in report.usage.items()}
        gauges = _gauges(report)
        if any(counters.values()) or any(usage.values()) or gauges != self._gauged:
            self._gauged = gauges
            self._stage.progress(self._line(report, now), counters, usage, gauges)

    def _line(self, report: Report, now: float) -> str:
        wanted, seconds = self._stage.settings.samples_per_round, now - self._started
        new = report.samples - (self._at_start or 0)
        parts = [f"{report.samples}/{wanted} samples{self.bill()}", f"{report.under_way} at once"]
        with suppress(ZeroDivisionError):
            rate = new / seconds
            parts.append(f"{rate:.2g} samples/s, {_duration((wanted - report.samples) / rate)} left")
        return ", ".join(parts)


def _gauges(report: Report) -> dict[str, float]:
    """How many requests are under way, and how long one takes: nothing where none was answered yet."""
    latencies = {name: percentile(report.latencies, share) for name, share in LATENCIES if report.latencies}
    return {"requests_at_once": report.under_way, **latencies}


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of `values` that at least this `share` of them does not exceed (nearest rank)."""
    ranked = sorted(values)
    return round(ranked[max(0, math.ceil(share * len(ranked)) - 1)], 4)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
