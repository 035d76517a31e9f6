"""Stage 03: clean → tested. What a sample claims is run; what does not hold goes to the failed ones."""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autotrain.errors import Refused
from autotrain.gate.mutation import MAX_LISTED
from autotrain.gate.sandbox import Limits, self_test
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
    settings = stage.settings
    limits = Limits(seconds=settings.test_timeout, memory_mb=settings.test_memory_mb)
    execute = settings.run_unit_tests
    if execute and (broken := self_test(limits)):
        raise Refused(
            f"RUN_UNIT_TESTS=1, but programs cannot be run safely here: {', '.join(broken)}. "
            "--run-tests 0 checks the syntax only"
        )
    samples = load_samples(source)
    verdicts: list[Verdict] = []
    for start in range(0, len(samples), SAMPLES_BETWEEN_EVENTS):
        part = samples[start : start + SAMPLES_BETWEEN_EVENTS]
        new = verify_samples(part, limits, execute=execute, on_result=lambda _: stage.check_control())
        verdicts += new
        counts = Counter(_outcome(sample, verdict, execute) for sample, verdict in zip(part, new, strict=True))
        stage.progress(f"{len(verdicts)}/{len(samples)} samples", counts)
    outcomes = [_outcome(sample, verdict, execute) for sample, verdict in zip(samples, verdicts, strict=True)]
    kept = [
        _with_verdict(sample, verdict)
        for sample, verdict, outcome in zip(samples, verdicts, outcomes, strict=True)
        if outcome != "test_fail"
    ]
    dropped = [
        {**sample.to_json(), "verdict": asdict(verdict)}
        for sample, verdict, outcome in zip(samples, verdicts, outcomes, strict=True)
        if outcome == "test_fail"
    ]
    write_jsonl(failed, dropped)
    message = _describe(outcomes, verdicts)
    if not kept:
        raise Refused(f"nothing survived the gate: {message}; the samples and reasons are in {failed}")
    write_jsonl(tested, kept)
    return message


def _outcome(sample: Sample, verdict: Verdict, execute: bool) -> str:
    """The counter a sample falls under. What was not executed has neither passed nor, unless broken, failed."""
    if verdict.passed is not None:
        return "test_pass" if verdict.passed else "test_fail"
    if verdict.correct is False or verdict.reason not in ("ok", "no_tests"):
        return "test_fail"
    unproved = execute and sample.metadata.task_type in EXECUTED_TYPES
    return "test_fail" if unproved else "test_skipped"


def _with_verdict(sample: Sample, verdict: Verdict) -> dict[str, Any]:
    """The sample with what the gate found, in its metadata."""
    record = sample.to_json()
    record["metadata"]["gate"] = {
        "executed": verdict.passed is not None,
        "passed": verdict.passed,
        "seconds": round(verdict.seconds, 3),
    }
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
    return text + (f", {counts['test_fail']} dropped: {reasons}" if why else "")
