"""Stage 03: clean → tested. What a sample claims is run; what does not hold goes to the failed ones."""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autotrain.errors import Refused
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.mutation import MAX_LISTED
from autotrain.gate.verdict import Verdict
from autotrain.gate.verify import mutants_for, verify_samples
from autotrain.jsonl import write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.sample import EXECUTED_TYPES, Sample, load_samples

SAMPLES_BETWEEN_EVENTS = 50


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Test the round's clean samples."""
    number = stage.round_number
    message = _gate(stage, paths.clean(number), paths.tested(number), paths.failed(number))
    return Done(message, [paths.tested(number), paths.failed(number)])


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Test a user's own file; what fails goes beside the output."""
    source, output = required(options, "input", "output")
    message = _gate(stage, source, output, output.with_name(output.stem + ".failed.jsonl"))
    return Done(f"{output}: {message}")


def _gate(stage: Stage, source: Path, tested: Path, failed: Path) -> str:
    samples = load_samples(source)
    verdicts: list[Verdict] = []
    outcomes: list[str] = []
    with _open_jail(stage) as jail:
        for start in range(0, len(samples), SAMPLES_BETWEEN_EVENTS):
            part = samples[start : start + SAMPLES_BETWEEN_EVENTS]
            verdicts += verify_samples(part, jail, lambda _: stage.check_control())
            new = [
                _outcome(sample, verdict, jail is not None)
                for sample, verdict in zip(part, verdicts[start:], strict=True)
            ]
            outcomes += new
            stage.progress(f"{len(verdicts)}/{len(samples)} samples", Counter(new))
    judged = list(zip(samples, verdicts, outcomes, strict=True))
    tier = None if jail is None else jail.tier
    kept = [_with_verdict(sample, verdict, tier) for sample, verdict, outcome in judged if outcome != "test_fail"]
    write_jsonl(
        failed,
        ({**sample.to_json(), "verdict": asdict(verdict)} for sample, verdict, name in judged if name == "test_fail"),
    )
    message = _describe(outcomes, verdicts)
    if not kept:
        raise Refused(f"nothing survived the gate: {message}; the samples and reasons are in {failed}")
    write_jsonl(tested, kept)
    return message


@contextmanager
def _open_jail(stage: Stage) -> Iterator[Jail | None]:
    """Where programs are run, if they are to be. Raises Refused if they cannot be run safely."""
    settings = stage.settings
    if not settings.run_unit_tests:
        yield None
        return
    try:
        jail = Jail(Limits(seconds=settings.test_timeout, memory_mb=settings.test_memory_mb))
    except Refused as error:
        raise Refused(f"RUN_UNIT_TESTS=1, but {error} --run-tests 0 checks the syntax only") from None
    with jail:
        stage.say(f"programs run in tier {jail.tier} of the sandbox")
        yield jail


def _outcome(sample: Sample, verdict: Verdict, execute: bool) -> str:
    """The counter a sample falls under. What was not executed has neither passed nor, unless broken, failed."""
    if verdict.passed is not None:
        return "test_pass" if verdict.passed else "test_fail"
    if verdict.correct is False or verdict.reason not in ("ok", "no_tests"):
        return "test_fail"
    unproved = execute and sample.metadata.task_type in EXECUTED_TYPES
    return "test_fail" if unproved else "test_skipped"


def _with_verdict(sample: Sample, verdict: Verdict, tier: str | None) -> dict[str, Any]:
    """The sample with what the gate found, in its metadata."""
    record = sample.to_json()
    record["metadata"]["gate"] = {
        "executed": verdict.passed is not None,
        "passed": verdict.passed,
        "seconds": round(verdict.seconds, 3),
    }
    if verdict.passed is not None:
        record["metadata"]["gate"] |= {"tier": tier, "asserts": verdict.outside, "asserts_inside": verdict.inside}
    if verdict.killed:
        # What later answers to this sample are tried on: bugs that tests are known to find.
        mutants, _ = mutants_for(sample)
        record["metadata"]["mutants"] = [mutants[number] for number in verdict.killed[:MAX_LISTED]]
    return record


def _describe(outcomes: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    counts = Counter(outcomes)
    why = Counter(verdict.reason for outcome, verdict in zip(outcomes, verdicts, strict=True) if outcome == "test_fail")
    text = f"{len(outcomes)} samples: {counts['test_pass']} passed, {counts['test_skipped']} not executed"
    reasons = ", ".join(f"{reason} {count}" for reason, count in why.most_common())
    text += f", {counts['test_fail']} dropped: {reasons}" if why else ""
    inside = sum(verdict.inside for verdict in verdicts)
    asserts = sum(verdict.outside for verdict in verdicts) + inside
    return text + (f"; {inside} of {asserts} asserts were judged inside the sample's own process" if inside else "")
