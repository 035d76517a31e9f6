"""Deciding whether an answer is right, by task type: the one judge of the gate and of evaluation.

A sample and an answer become a Plan: what can be said by reading alone, and the programs whose outcome says
the rest. All programs of all plans run side by side; `judge` turns a plan and its outcomes into a Verdict.
"not executed" is never "passed": without a run `passed` is None.
"""

import ast
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.gate.sandbox import Limits, Outcome, execute_many
from autotrain.sample import TESTED_TYPES, Sample, describe, fenced_code

# Read by our own process; longer code is not worth what parsing it may cost.
MAX_CODE_CHARACTERS = 1_000_000
MAX_FINDINGS = 3
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
_UNVERIFIED_TYPES = ("unit_test_generation", "agent_edit")


@dataclass(frozen=True)
class Verdict:
    """What is known about one answer.

    `passed`: its programs ended as they must (None: nothing was to be executed). `correct`: the same where
    programs decide, else what reading alone proves, None where nothing does. `reason` is "ok" or one of
    no_code, syntax, not_json, wrong_schema, wrong_line, too_many_findings, code_changed, no_docstring,
    empty_text, json_text, no_tests, no_input, not_verified, tests_failed, timeout, memory, crashed,
    bug_not_shown, behaviour_changed.
    """

    passed: bool | None
    reason: str
    correct: bool | None = None
    error_class: str = ""
    detail: str = ""
    seconds: float = 0.0
    format_ok: bool = False
    syntax_ok: bool | None = None
    json_ok: bool | None = None


@dataclass(frozen=True)
class Trial:
    """A program and how it must end; `reason` names the failure where the expectation is not met."""

    program: str
    expected: Literal["pass", "fail"]
    reason: str


@dataclass(frozen=True)
class Plan:
    """What reading alone says, and the programs that decide the rest (none: `verdict` is final)."""

    verdict: Verdict
    trials: tuple[Trial, ...] = ()
    entry_point: str | None = None


@dataclass(frozen=True)
class Problem:
    """Why a text is no Python."""

    error_class: str
    detail: str


class Finding(BaseModel):
    """One remark of a code review; `line` counts from 1."""

    model_config = ConfigDict(extra="forbid", strict=True)

    line: int = Field(ge=1)
    severity: Literal["low", "medium", "high"]
    message: str = Field(min_length=1)


class Review(BaseModel):
    """The answer to a code review."""

    model_config = ConfigDict(extra="forbid", strict=True)

    findings: list[Finding]


def verify_answers(
    pairs: Sequence[tuple[Sample, str]],
    limits: Limits,
    *,
    execute: bool,
    workers: int | None = None,
    on_result: Callable[[int], None] | None = None,
) -> list[Verdict]:
    """Judge a model's answers to samples; with `execute` off nothing is run.

    `on_result` gets the index of every pair as its verdict is known, in order; what it raises stops the rest.
    """
    plans = [plan_answer(sample, answer, execute=execute) for sample, answer in pairs]
    return _carry_out(plans, limits, workers, on_result)


def verify_samples(
    samples: Sequence[Sample],
    limits: Limits,
    *,
    execute: bool,
    workers: int | None = None,
    on_result: Callable[[int], None] | None = None,
) -> list[Verdict]:
    """Judge samples by their own answer and by what they claim about their input; else as verify_answers."""
    plans = [plan_sample(sample, execute=execute) for sample in samples]
    return _carry_out(plans, limits, workers, on_result)


def plan_answer(sample: Sample, answer: str, *, execute: bool) -> Plan:
    """What has to be run to judge `answer` to `sample`."""
    metadata = sample.metadata
    if metadata.response_format == "code" or metadata.task_type in TESTED_TYPES:
        return _plan_code(sample, answer, execute)
    if metadata.response_format == "json":
        return Plan(_read_json(sample, answer))
    return Plan(_read_text(answer))


def plan_sample(sample: Sample, *, execute: bool) -> Plan:
    """What has to be run to prove `sample`: its output, and its claim about its input."""
    plan = plan_answer(sample, sample.output, execute=execute)
    kind = sample.metadata.task_type
    if not plan.trials or kind not in ("bug_fixing", "refactoring"):
        return plan
    if not sample.input.strip():
        return Plan(replace(plan.verdict, passed=False, correct=False, reason="no_input"))
    program = _program(fenced_code(sample.input) or sample.input, sample.tests)
    claim = (
        Trial(program, "fail", "bug_not_shown")
        if kind == "bug_fixing"
        else Trial(program, "pass", "behaviour_changed")
    )
    return replace(plan, trials=(*plan.trials, claim))


def judge(plan: Plan, outcomes: Sequence[Outcome]) -> Verdict:
    """The verdict of a plan whose trials ended as `outcomes` say, in the same order."""
    if not plan.trials:
        return plan.verdict
    seconds = sum(outcome.seconds for outcome in outcomes)
    for trial, outcome in zip(plan.trials, outcomes, strict=True):
        if not _as_expected(trial, outcome, plan.entry_point):
            reason = trial.reason
            if reason == "tests_failed" and outcome.status != "failed":
                reason = outcome.status
            return replace(
                plan.verdict,
                passed=False,
                correct=False,
                reason=reason,
                error_class=outcome.error_class,
                detail=outcome.detail,
                seconds=seconds,
            )
    return replace(plan.verdict, passed=True, correct=True, reason="ok", seconds=seconds)


def _carry_out(
    plans: Sequence[Plan], limits: Limits, workers: int | None, on_result: Callable[[int], None] | None
) -> list[Verdict]:
    programs = (trial.program for plan in plans for trial in plan.trials)
    verdicts = []
    with closing(execute_many(programs, limits, workers)) as outcomes:
        for index, plan in enumerate(plans):
            verdicts.append(judge(plan, list(islice(outcomes, len(plan.trials)))))
            if on_result is not None:
                on_result(index)
    return verdicts


def _as_expected(trial: Trial, outcome: Outcome, entry_point: str | None) -> bool:
    if trial.expected == "pass":
        return outcome.status == "passed"
    # Tests that never reached the code show no bug in it.
    missing = outcome.error_class == "NameError" and f"'{entry_point}'" in outcome.detail
    return outcome.status != "passed" and not missing


# ---------------------------------------------------------------------------
# Code


def _plan_code(sample: Sample, answer: str, execute: bool) -> Plan:
    kind = sample.metadata.task_type
    tests = runnable_tests(sample.tests)
    runs = kind not in ("documentation", *_UNVERIFIED_TYPES) and tests is not None
    decided = kind == "documentation" or (execute and runs)
    # An answer that cannot even be run has failed the tests that were waiting for it.
    failed = Verdict(
        passed=False if execute and runs else None, correct=False if decided else None, reason="no_code"
    )
    code = fenced_code(answer)
    if code is None:
        return Plan(failed)
    tree = parse(code)
    if isinstance(tree, Problem):
        wrong = replace(failed, reason="syntax", format_ok=True, syntax_ok=False)
        return Plan(replace(wrong, error_class=tree.error_class, detail=tree.detail))
    read = Verdict(passed=None, reason="ok", format_ok=True, syntax_ok=True)
    if kind == "documentation":
        return Plan(_read_documentation(sample, tree, read))
    if kind in _UNVERIFIED_TYPES:
        return Plan(replace(read, reason="not_verified"))
    if not execute:
        return Plan(read)
    if tests is None:
        return Plan(replace(read, reason="no_tests"))
    trial = Trial(_program(code, sample.tests), "pass", "tests_failed")
    return Plan(read, (trial,), sample.metadata.entry_point)


def _program(code: str, tests: str) -> str:
    return f"{code}\n\n{runnable_tests(tests) or ''}\n"


def parse(code: str) -> ast.Module | Problem:
    """The syntax tree of `code`, or why there is none; nothing is executed."""
    if len(code) > MAX_CODE_CHARACTERS:
        return Problem("", f"longer than {MAX_CODE_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
            # The compiler refuses more than the parser does: `return` outside a function, for one.
            compile(tree, "<answer>", "exec", dont_inherit=True)
            return tree
    except SyntaxError as error:
        return Problem(type(error).__name__, f"{error.msg} (line {error.lineno})"[:300])
    except (ValueError, RecursionError, MemoryError) as error:
        return Problem("SyntaxError", f"{type(error).__name__}: {error}"[:300])


def runnable_tests(tests: str) -> str | None:
    """`tests` with calls of its uncalled test functions appended; None where running it checks nothing."""
    if not tests.strip():
        return None
    tree = parse(tests)
    if isinstance(tree, Problem):
        return tests  # running it says what is wrong
    named = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    calls = []
    checks = False
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name not in named:
            arguments = statement.args
            needed = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
            needed += sum(default is None for default in arguments.kw_defaults)
            if needed or not statement.name.startswith("test"):
                continue
            calls.append(f"{statement.name}()")
        elif isinstance(statement, ast.ClassDef | ast.AsyncFunctionDef) and statement.name not in named:
            continue
        checks = checks or any(_is_check(node) for node in ast.walk(statement))
    return "\n".join([tests, *calls]) if checks else None


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return "assert" in name.lower() or name == "fail"
    return isinstance(node, ast.Assert | ast.Raise)


# ---------------------------------------------------------------------------
# What reading alone proves


def _read_documentation(sample: Sample, tree: ast.Module, read: Verdict) -> Verdict:
    before = parse(fenced_code(sample.input) or sample.input)
    if isinstance(before, Problem) or not before.body:
        return replace(read, reason="no_input")
    added = _docstrings(tree) - _docstrings(before)
    wanted = sample.metadata.entry_point
    documented = {name for name, _ in _docstrings(tree)}
    try:
        same = ast.dump(_undocumented(tree)) == ast.dump(_undocumented(before))
    except RecursionError:
        same = False
    if not same:
        return replace(read, correct=False, reason="code_changed")
    if not added or (wanted is not None and wanted not in documented):
        return replace(read, correct=False, reason="no_docstring")
    return replace(read, correct=True)


def _documentable(tree: ast.Module) -> Iterator[Any]:
    return (node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED))


def _docstrings(tree: ast.Module) -> set[tuple[str, str]]:
    found = ((getattr(node, "name", ""), ast.get_docstring(node) or "") for node in _documentable(tree))
    return {(name, text) for name, text in found if text.strip()}


def _undocumented(tree: ast.Module) -> ast.Module:
    """The tree with docstrings taken out in place; a body that held nothing else counts as `pass`."""
    for node in _documentable(tree):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def _read_json(sample: Sample, answer: str) -> Verdict:
    review = sample.metadata.task_type == "code_review"
    failed = Verdict(passed=None, reason="not_json", correct=False if review else None, json_ok=False)
    try:
        value = json.loads(answer.strip(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return replace(failed, detail=str(error)[:300])
    read = Verdict(passed=None, reason="ok", format_ok=True, json_ok=True)
    if not review:
        kind = sample.metadata.task_type
        return replace(read, reason="not_verified") if kind in _UNVERIFIED_TYPES else read
    try:
        findings = Review.model_validate(value).findings
    except ValidationError as error:
        return replace(failed, reason="wrong_schema", detail=describe(error)[:300], format_ok=True)
    planted = (sample.metadata.model_extra or {}).get("planted_lines")
    if not isinstance(planted, list) or not planted:
        return read
    if not any(finding.line in planted for finding in findings):
        return replace(read, correct=False, reason="wrong_line")
    if len(findings) > MAX_FINDINGS:
        return replace(read, correct=False, reason="too_many_findings")
    return replace(read, correct=True)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _read_text(answer: str) -> Verdict:
    if not answer.strip():
        return Verdict(passed=None, reason="empty_text")
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list):
        return Verdict(passed=None, reason="json_text")
    return Verdict(passed=None, reason="ok", format_ok=True)
