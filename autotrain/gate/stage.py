"""Stage 03: clean → tested. What a sample claims is run; what does not hold goes to the failed ones."""

import argparse
import json
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.student import share_of_own, write_own_answers
from autotrain.files import replace_text
from autotrain.gate.card import dataset_card, read_contents
from autotrain.gate.jail import Jail, limits_of
from autotrain.gate.mutation import MAX_LISTED
from autotrain.gate.verdict import Verdict
from autotrain.gate.verify import Plan, carry_out, mutants_for, plan_sample
from autotrain.gate.worth import Worth, weigh
from autotrain.jsonl import write_jsonl
from autotrain.run.funnel import DROPPED
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.sample import EXECUTED_TYPES, Sample, load_samples

SAMPLES_BETWEEN_EVENTS = 50
SAMPLES_AT_ONCE = 16
SAMPLES_PENDING = 64
# What tests that pass may be dropped for; each has a counter of its own.
WORTHLESS = ("flaky", "vacuous_tests", "weak_tests")


@dataclass(frozen=True)
class Result:
    """What the gate found of a sample: `strength` is what its record says of its tests, `counter` where it counts."""

    sample: Sample
    verdict: Verdict
    strength: dict[str, Any]
    counter: str

    @property
    def kept(self) -> bool:
        return self.counter in ("test_pass", "test_skipped")


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Test the round's clean samples."""
    number = stage.round_number
    message = _gate(stage, paths.clean(number), paths.tested(number), paths.failed(number))
    replace_text(paths.dataset_card, _card(stage, paths))
    artifacts = [paths.tested(number), paths.failed(number), paths.dataset_card]
    if share_of_own(stage.settings):
        message = f"{message}; {write_own_answers(stage, paths)}"
        artifacts += [paths.own(number), paths.own_answers(number)]
    return Done(message, artifacts)


def _card(stage: Stage, paths: RunPaths) -> str:
    rounds = range(1, stage.round_number + 1)
    overlaps: Counter[str] = Counter()
    for report in filter(Path.exists, map(paths.validation_report, rounds)):
        overlaps.update(_contaminated_by(report))
    counters = stage.journal.state.counters if stage.journal is not None else {}
    dropped = [(words, int(counters[name])) for name, words in DROPPED if counters.get(name)]
    contents = read_contents({number: paths.tested(number) for number in rounds})
    return dataset_card(contents, stage.settings, dropped, overlaps)


def _contaminated_by(report: Path) -> dict[str, int]:
    with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        counts = json.loads(report.read_text(encoding="utf-8"))["contaminated_by"]
        if all(type(count) is int for count in counts.values()):
            return dict(counts)
    raise AutotrainError(f"{report} is damaged; delete it to go on without what it counted")


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Test a user's own file; what fails goes beside the output."""
    source, output = required(options, "input", "output")
    message = _gate(stage, source, output, output.with_name(output.stem + ".failed.jsonl"))
    return Done(f"{output}: {message}")


def _gate(stage: Stage, source: Path, tested: Path, failed: Path) -> str:
    samples = load_samples(source)
    least = stage.settings.min_test_strength
    results: list[Result] = []
    unsaid: list[str] = []
    with _open_jails(stage) as jails, closing(_examine_all(samples, jails, least)) as found:
        for result in found:
            results.append(result)
            unsaid.append(result.counter)
            if len(unsaid) == SAMPLES_BETWEEN_EVENTS or len(results) == len(samples):
                stage.progress(f"{len(results)}/{len(samples)} samples", Counter(unsaid))
                unsaid = []
            stage.check_control()
    tier = jails[0].tier if jails else None
    kept = [result for result in results if result.kept]
    passing = {(result.sample.instruction, result.sample.input): result.sample.id for result in kept}
    write_jsonl(failed, (_failed_record(result, tier, passing) for result in results if not result.kept))
    message = _describe(results)
    if not kept:
        raise Refused(f"nothing survived the gate: {message}; the samples and reasons are in {failed}")
    write_jsonl(tested, (_record(result, tier) for result in kept))
    return message


@contextmanager
def _open_jails(stage: Stage) -> Iterator[tuple[Jail, Jail] | None]:
    """Where programs are run, if they are to be: in the second one strings hash differently.

    Raises Refused if they cannot be run safely.
    """
    settings = stage.settings
    if not settings.run_unit_tests:
        yield None
        return
    limits = limits_of(settings)
    try:
        jail = Jail(limits)
    except Refused as error:
        raise Refused(f"RUN_UNIT_TESTS=1, but {error} --run-tests 0 checks the syntax only") from None
    with jail, Jail(limits, tier=jail.tier, hash_seed=1) as other:
        stage.say(f"programs run in tier {jail.tier} of the sandbox")
        yield jail, other


def _examine_all(
    samples: Sequence[Sample], jails: tuple[Jail, Jail] | None, least: float
) -> Generator[Result, None, None]:
    """The results in order. So many are under way that a sample which never ends keeps no other waiting."""
    pool = ThreadPoolExecutor(SAMPLES_AT_ONCE if jails else 1)
    pending: deque[Future[Result]] = deque()
    try:
        for sample in samples:
            pending.append(pool.submit(_examine, sample, jails, least))
            if len(pending) == SAMPLES_PENDING:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Whoever closes the jails ends what is still under way.
        pool.shutdown(wait=False, cancel_futures=True)


def _examine(sample: Sample, jails: tuple[Jail, Jail] | None, least: float) -> Result:
    jail, other = jails or (None, None)
    plan = plan_sample(sample, execute=jail is not None)
    (verdict,) = carry_out([plan], jail)
    worth = Worth("")
    if verdict.passed and plan.trials and jail and other:
        worth = weigh(sample, plan.trials[0].program, verdict.seconds, jail, other, least)
        if worth.reason:
            verdict = replace(verdict, passed=False, correct=False, reason=worth.reason, detail=worth.detail)
    return Result(sample, verdict, _strength(plan, verdict, worth), _counter(sample, verdict, jail is not None))


def _strength(plan: Plan, verdict: Verdict, worth: Worth) -> dict[str, Any]:
    """How many small bugs the sample's tests find; empty where that was not measured."""
    if plan.mutants and verdict.passed:
        killed, live, equivalent = len(verdict.killed), len(plan.mutants) - len(verdict.killed), 0
    elif worth.strength is not None and worth.strength.value is not None:
        killed, live, equivalent = worth.strength.killed, worth.strength.live, worth.strength.equivalent
    else:
        return {}
    counts = {"killed": killed, "live": live, "equivalent": equivalent}
    return {"strength": round(killed / (killed + live), 3), "mutants": counts}


def _counter(sample: Sample, verdict: Verdict, execute: bool) -> str:
    """The counter a sample falls under. What was not executed has neither passed nor, unless broken, failed."""
    if verdict.reason in WORTHLESS:
        return f"rejected_{verdict.reason}"
    if verdict.passed is not None:
        return "test_pass" if verdict.passed else "test_fail"
    if verdict.correct is False or verdict.reason not in ("ok", "no_tests"):
        return "test_fail"
    unproved = execute and sample.metadata.task_type in EXECUTED_TYPES
    return "test_fail" if unproved else "test_skipped"


def _record(result: Result, tier: str | None) -> dict[str, Any]:
    """The sample with what the gate found, in its metadata."""
    verdict = result.verdict
    record = result.sample.to_json()
    gate: dict[str, Any] = {"executed": verdict.passed is not None, "passed": verdict.passed}
    if verdict.passed is not None:
        gate |= {
            "tier": tier,
            "tests": verdict.outside + verdict.inside,
            "tests_inside": verdict.inside,
            "trust": "inside" if verdict.inside else "outside",
        }
    record["metadata"]["gate"] = gate | result.strength
    if verdict.killed:
        # What later answers to this sample are tried on: bugs that tests are known to find.
        mutants, _ = mutants_for(result.sample)
        record["metadata"]["mutants"] = [mutants[number] for number in verdict.killed[:MAX_LISTED]]
    return record


def _failed_record(result: Result, tier: str | None, passing: dict[tuple[str, str], str]) -> dict[str, Any]:
    """The same with the whole verdict, and the sample that answers the same prompt well, if there is one."""
    sibling = passing.get((result.sample.instruction, result.sample.input))
    return {**_record(result, tier), "verdict": result.verdict.to_json(), "sibling": sibling}


def _describe(results: Sequence[Result]) -> str:
    counts = Counter(result.counter for result in results)
    why = Counter(result.verdict.reason for result in results if not result.kept)
    text = f"{len(results)} samples: {counts['test_pass']} passed, {counts['test_skipped']} not executed"
    reasons = ", ".join(f"{reason} {count}" for reason, count in why.most_common())
    text += f", {why.total()} dropped: {reasons}" if why else ""
    inside = sum(result.verdict.inside for result in results)
    asserts = sum(result.verdict.outside for result in results) + inside
    return text + (f"; {inside} of {asserts} asserts were judged inside the sample's own process" if inside else "")
