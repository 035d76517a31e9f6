"""Deciding whether an answer is right, by task type: the one judge of the gate and of evaluation.

A sample and an answer become a Plan: what can be said by reading alone, and the programs whose outcome says
the rest. All programs of all plans run side by side in a jail, which is not told what is expected; `judge` turns
a plan and its outcomes into a Verdict. "not executed" is never "passed": without a jail `passed` is None.
"""

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import Literal

from autotrain.gate.edits import Unusable, apply_edits, broken_file, read_edits, read_files, with_files
from autotrain.gate.jail import Ending, Jail
from autotrain.gate.mutation import MAX_LISTED, mutants_of
from autotrain.gate.program import Problem, binds, parse, parses, runnable_tests
from autotrain.gate.reading import read_documentation, read_json, read_text
from autotrain.gate.steps import Program, split
from autotrain.gate.steps import judge as judge_replies
from autotrain.gate.strength import stubs
from autotrain.gate.verdict import Verdict
from autotrain.sample import TESTED_TYPES, Sample, fenced_code, input_code

# How many mutants the gate makes of a sample that lists none.
MAX_MADE = 8


@dataclass(frozen=True)
class Trial:
    """A program and how it must end; `reason` names the failure where the expectation is not met."""

    program: Program
    expected: Literal["pass", "fail"]
    reason: str


@dataclass(frozen=True)
class Outcome:
    """How a trial's program ended, judged outside of it; `inside` of its asserts were only judged by itself."""

    status: Literal["passed", "failed", "timeout", "memory", "crashed"]
    seconds: float
    error_class: str = ""
    detail: str = ""
    outside: int = 0
    inside: int = 0


@dataclass(frozen=True)
class Plan:
    """What reading alone says, and the programs that decide the rest (none: `verdict` is final).

    Every trial has to end as expected; of the mutants' trials, which are run after them, `enough` have to.
    """

    verdict: Verdict
    trials: tuple[Trial, ...] = ()
    entry_point: str | None = None
    mutants: tuple[Trial, ...] = ()
    enough: int = 0


def verify_answers(
    pairs: Sequence[tuple[Sample, str]], jail: Jail | None, on_result: Callable[[int], None] | None = None
) -> list[Verdict]:
    """Judge a model's answers to samples; without a jail nothing is run.

    `on_result` gets the index of every pair as its verdict is known, in order; what it raises stops the rest.
    """
    plans = [plan_answer(sample, answer, execute=jail is not None) for sample, answer in pairs]
    return carry_out(plans, jail, on_result)


def verify_samples(
    samples: Sequence[Sample], jail: Jail | None, on_result: Callable[[int], None] | None = None
) -> list[Verdict]:
    """Judge samples by their own answer and by what they claim about their input; else as verify_answers."""
    return carry_out([plan_sample(sample, execute=jail is not None) for sample in samples], jail, on_result)


def plan_answer(sample: Sample, answer: str, *, execute: bool) -> Plan:
    """What has to be run to judge `answer` to `sample`."""
    metadata = sample.metadata
    if metadata.task_type == "unit_test_generation":
        return _plan_written_tests(sample, answer, execute)
    if metadata.task_type == "agent_edit":
        return _plan_edits(sample, answer, execute)
    if metadata.response_format == "code" or metadata.task_type in TESTED_TYPES:
        return _plan_code(sample, answer, execute)
    if metadata.response_format == "json":
        return Plan(read_json(sample, answer))
    return Plan(read_text(answer))


def plan_sample(sample: Sample, *, execute: bool) -> Plan:
    """What has to be run to prove `sample`: its output, and its claim about its input."""
    plan = plan_answer(sample, sample.output, execute=execute)
    kind = sample.metadata.task_type
    if kind == "unit_test_generation" and plan.trials:
        return replace(plan, trials=(*plan.trials, *_stub_trials(sample)))
    if not plan.trials or kind not in ("bug_fixing", "refactoring", "agent_edit"):
        return plan
    if not sample.input.strip():
        return Plan(replace(plan.verdict, passed=False, correct=False, reason="no_input"))
    if kind == "agent_edit":
        claim = Trial(split(with_files(read_files(sample.input)), sample.tests), "fail", "bug_not_shown")
    else:
        program = split(input_code(sample), sample.tests)
        claim = (
            Trial(program, "fail", "bug_not_shown")
            if kind == "bug_fixing"
            else Trial(program, "pass", "behaviour_changed")
        )
    return replace(plan, trials=(*plan.trials, claim))


def judge(plan: Plan, outcomes: Sequence[Outcome]) -> Verdict:
    """The verdict of a plan whose trials, and then its mutants' trials, ended as `outcomes` say."""
    if not plan.trials:
        return plan.verdict
    # The first trial is the answer's own; the others are about claims and mutants.
    verdict = replace(
        plan.verdict,
        seconds=sum(outcome.seconds for outcome in outcomes),
        outside=outcomes[0].outside,
        inside=outcomes[0].inside,
    )
    for trial, outcome in zip(plan.trials, outcomes, strict=False):
        if not _as_expected(trial, outcome, plan.entry_point):
            reason = trial.reason
            if reason == "tests_failed" and outcome.status != "failed":
                reason = outcome.status
            return replace(
                verdict,
                passed=False,
                correct=False,
                reason=reason,
                error_class=outcome.error_class,
                detail=outcome.detail,
            )
    ended = list(zip(plan.mutants, outcomes[len(plan.trials) :], strict=True))
    killed = [number for number, item in enumerate(ended) if _as_expected(*item, plan.entry_point)]
    if len(killed) < plan.enough:
        detail = f"{len(killed)} of {len(ended)} mutants fail the tests, {plan.enough} have to"
        return replace(verdict, passed=False, correct=False, reason="mutant_survived", detail=detail)
    # Those that end at once first: the first few are what every later answer is tried on.
    killed.sort(key=lambda number: ended[number][1].status == "timeout")
    return replace(verdict, passed=True, correct=True, reason="ok", killed=tuple(killed))


def mutants_for(sample: Sample) -> tuple[list[str], int]:
    """Versions of the sample's input with one planted bug each, and how many of them tests must tell from it.

    All of those that the sample lists; where it lists none, half of what the gate makes itself.
    """
    listed = (sample.metadata.model_extra or {}).get("mutants")
    if isinstance(listed, list):
        known = [item for item in listed[:MAX_LISTED] if isinstance(item, str) and parses(item)]
        if known:
            return known, len(known)
    made = mutants_of(input_code(sample), MAX_MADE)
    return made, (len(made) + 1) // 2


def carry_out(
    plans: Sequence[Plan], jail: Jail | None, on_result: Callable[[int], None] | None = None
) -> list[Verdict]:
    """Run what the plans say, side by side, and judge it; `on_result` as for verify_answers."""
    programs = [[trial.program for trial in (*plan.trials, *plan.mutants)] for plan in plans]
    verdicts = []
    with ExitStack() as stack:
        endings: Iterator[Ending] = iter(())
        if jail is not None:
            endings = stack.enter_context(closing(jail.run(program.steps for part in programs for program in part)))
        for index, (plan, part) in enumerate(zip(plans, programs, strict=True)):
            outcomes = [_outcome(program, ending) for program, ending in zip(part, endings, strict=False)]
            verdicts.append(judge(plan, outcomes))
            if on_result is not None:
                on_result(index)
    return verdicts


def _outcome(program: Program, ending: Ending) -> Outcome:
    if ending.status != "done":
        error_class = "MemoryError" if ending.detail == "MemoryError" else ""
        return Outcome(ending.status, ending.seconds, error_class, ending.detail)
    judged = judge_replies(program, ending.replies)
    status: Literal["passed", "failed", "memory", "crashed"] = "passed" if judged.passed else "failed"
    if judged.reason in ("memory", "crashed"):
        status = "memory" if judged.reason == "memory" else "crashed"
    return Outcome(status, ending.seconds, judged.error_class, judged.detail, judged.outside, judged.inside)


def _as_expected(trial: Trial, outcome: Outcome, entry_point: str | None) -> bool:
    if trial.expected == "pass":
        return outcome.status == "passed"
    # Tests that never reached the code show no bug in it.
    missing = outcome.error_class == "NameError" and f"'{entry_point}'" in outcome.detail
    return outcome.status != "passed" and not missing


# ---------------------------------------------------------------------------
# Answers of code


def _plan_code(sample: Sample, answer: str, execute: bool) -> Plan:
    documentation = sample.metadata.task_type == "documentation"
    tests = runnable_tests(sample.tests)
    runs = execute and not documentation and tests is not None
    # An answer that cannot even be run has failed the tests that were waiting for it.
    failed = Verdict(passed=False if runs else None, correct=False if runs or documentation else None, reason="no_code")
    read = _read_code(answer, failed)
    if isinstance(read, Verdict):
        return Plan(read)
    code, tree, verdict = read
    if documentation:
        return Plan(read_documentation(sample, tree, verdict))
    if not execute:
        return Plan(verdict)
    if tests is None:
        return Plan(replace(verdict, reason="no_tests"))
    trial = Trial(split(code, sample.tests), "pass", "tests_failed")
    return Plan(verdict, (trial,), sample.metadata.entry_point)


def _read_code(answer: str, failed: Verdict) -> tuple[str, ast.Module, Verdict] | Verdict:
    """The answer's code with its tree and what to build a verdict on; `failed` with the reason if there is none."""
    code = fenced_code(answer)
    if code is None:
        return failed
    tree = parse(code)
    if isinstance(tree, Problem):
        wrong = replace(failed, reason="syntax", format_ok=True, syntax_ok=False)
        return replace(wrong, error_class=tree.error_class, detail=tree.detail)
    return code, tree, Verdict(passed=None, reason="ok", format_ok=True, syntax_ok=True)


def _plan_written_tests(sample: Sample, answer: str, execute: bool) -> Plan:
    """The answer is tests: they have to pass on the sample's input and to fail on mutants of it."""
    reference = input_code(sample)
    mutants, enough = mutants_for(sample) if execute and parses(reference) else ([], 0)
    failed = Verdict(passed=False if mutants else None, correct=False, reason="no_code")
    read = _read_code(answer, failed)
    if isinstance(read, Verdict):
        return Plan(read)
    code, _, verdict = read
    wrong = replace(verdict, passed=failed.passed, correct=False)
    if runnable_tests(code) is None:
        return Plan(replace(wrong, reason="no_tests"))
    entry_point = sample.metadata.entry_point
    if entry_point and binds(code, entry_point.split(".")[0]):
        return Plan(replace(wrong, reason="wrong_schema", detail="the tests redefine what they are to test"))
    if not reference.strip() or not parses(reference):
        return Plan(replace(verdict, reason="no_input"))
    if not execute:
        return Plan(verdict)
    if not mutants:
        return Plan(replace(verdict, reason="no_mutants"))
    trial = Trial(split(reference, code), "pass", "tests_failed")
    killers = tuple(Trial(split(mutant, code), "fail", "mutant_survived") for mutant in mutants)
    return Plan(verdict, (trial,), entry_point, killers, enough)


def _stub_trials(sample: Sample) -> list[Trial]:
    """Written tests have to fail on code that does nothing."""
    empty = stubs(input_code(sample), sample.metadata.entry_point)
    return [Trial(split(stub, fenced_code(sample.output) or ""), "fail", "vacuous_tests") for stub in empty]


# ---------------------------------------------------------------------------
# Answers of edits


def _plan_edits(sample: Sample, answer: str, execute: bool) -> Plan:
    """The answer is edits of the files in the sample's input: its tests have to pass on the edited files."""
    tests = runnable_tests(sample.tests)
    try:
        files, unusable = read_files(sample.input), ""
    except Unusable as error:
        files, unusable = {}, str(error)
    runs = execute and bool(files) and tests is not None
    failed = Verdict(passed=False if runs else None, correct=False, reason="not_json", json_ok=False)
    try:
        edits = read_edits(answer)
    except Unusable as error:
        return Plan(replace(failed, reason="wrong_schema", detail=str(error), format_ok=True))
    except ValueError as error:
        return Plan(replace(failed, detail=str(error)[:300]))
    failed = replace(failed, format_ok=True, json_ok=True)
    read = Verdict(passed=None, reason="ok", format_ok=True, json_ok=True)
    if not files:
        return Plan(replace(read, reason="no_input", detail=unusable))
    try:
        edited = apply_edits(files, edits)
    except Unusable as error:
        return Plan(replace(failed, reason="edit_not_applicable", detail=str(error)))
    problem = broken_file(edited)
    if problem is not None:
        wrong = replace(failed, reason="syntax", syntax_ok=False)
        return Plan(replace(wrong, error_class=problem.error_class, detail=problem.detail))
    read = replace(read, syntax_ok=True)
    if not execute:
        return Plan(read)
    if tests is None:
        return Plan(replace(read, reason="no_tests"))
    return Plan(read, (Trial(split(with_files(edited), sample.tests), "pass", "tests_failed"),))
