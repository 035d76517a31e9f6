"""Every task type is proved, and disproved, by real programs."""

import json
from functools import cache
from typing import Any

import pytest

from autotrain.gate.jail import Jail, Limits
from autotrain.gate.program import runnable_tests
from autotrain.gate.verdict import Verdict
from autotrain.gate.verify import mutants_for, verify_answers, verify_samples
from autotrain.sample import Metadata, Sample, in_fence

LIMITS = Limits(seconds=5, memory_mb=256)
RIGHT = "def add(a, b):\n    return a + b"
WRONG = "def add(a, b):\n    return a - b"
TESTS = "assert add(1, 2) == 3"


def make(output: str, **fields: Any) -> Sample:
    known: dict[str, Any] = {"task_type": "algorithm_implementation", "response_format": "code"}
    known.update(fields.pop("metadata", {}))
    values = {"id": "s-1", "instruction": "Do it.", "tests": TESTS, **fields}
    return Sample(output=output, metadata=Metadata(**known), **values)


@cache
def jail() -> Jail:
    """One for all tests of this file: its servers end with this process."""
    return Jail(LIMITS, workers=2)


def verify(sample: Sample, execute: bool = True) -> Verdict:
    return verify_samples([sample], jail() if execute else None)[0]


def answered(answer: str, execute: bool = True, **fields: Any) -> Verdict:
    return verify_answers([(make("unused", **fields), answer)], jail() if execute else None)[0]


@pytest.mark.parametrize("kind", ["algorithm_implementation", "code_completion"])
def test_code_passes_when_its_tests_pass(kind: str) -> None:
    verdict = verify(make(f"Here:\n\n{in_fence(RIGHT)}\n", metadata={"task_type": kind}))
    assert (verdict.passed, verdict.correct, verdict.reason) == (True, True, "ok")
    assert verdict.format_ok
    assert verdict.syntax_ok
    assert verdict.json_ok is None
    assert verdict.seconds > 0


@pytest.mark.parametrize(
    ("code", "reason", "error_class"),
    [
        (WRONG, "tests_failed", "AssertionError"),
        ("def sub(a, b): return a", "tests_failed", "NameError"),
        ("def add(a, b):\n    while True: pass", "timeout", ""),
        ("def add(a, b): return 'x' * 10**10", "memory", "MemoryError"),
        ("import ctypes\ndef add(a, b): ctypes.string_at(0)", "crashed", ""),
        ("import os\nos._exit(0)", "crashed", ""),
        ("raise SystemExit(0)", "tests_failed", "SystemExit"),
    ],
)
def test_code_fails_for_a_reason(code: str, reason: str, error_class: str) -> None:
    verdict = answered(in_fence(code))
    assert (verdict.passed, verdict.correct) == (False, False)
    assert (verdict.reason, verdict.error_class) == (reason, error_class)
    assert verdict.detail
    assert verdict.syntax_ok


@pytest.mark.parametrize("answer", ["", RIGHT, "```bash\nls\n```", "```python\ndef add(a, b): return a + b"])
def test_an_answer_without_a_whole_fenced_block_fails(answer: str) -> None:
    verdict = answered(answer)
    assert (verdict.passed, verdict.reason) == (False, "no_code")
    assert not verdict.format_ok
    assert verdict.syntax_ok is None


@pytest.mark.parametrize(
    "code", ["def add(a, b:", "return 1", "x = '\ud800'", "x = 1\0", "-" * 200_000 + "1", "#" * 1_100_000]
)
def test_what_is_no_python_fails_without_being_run(code: str) -> None:
    verdict = answered(in_fence(code))
    assert (verdict.passed, verdict.reason, verdict.seconds) == (False, "syntax", 0.0)
    assert verdict.format_ok
    assert verdict.syntax_ok is False


@pytest.mark.parametrize("kind", ["algorithm_implementation", "bug_fixing", "refactoring"])
def test_without_execution_nothing_is_run_and_nothing_passes(kind: str) -> None:
    endless = in_fence("while True: pass")
    verdict = verify(make(endless, metadata={"task_type": kind}), execute=False)
    assert (verdict.passed, verdict.correct, verdict.reason, verdict.seconds) == (None, None, "ok", 0.0)
    broken = answered(in_fence("def f(:"), execute=False)
    assert (broken.passed, broken.reason, broken.syntax_ok) == (None, "syntax", False)
    assert answered("no code", execute=False).passed is None


@pytest.mark.parametrize(
    "tests",
    [
        "",
        "  \n",
        "# add(1, 2) == 3",
        "print(add(1, 2))",
        "def check(f):\n    assert f(1, 2) == 3",
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(1, 2)",
    ],
)
def test_tests_that_check_nothing_never_count_as_executed(tests: str) -> None:
    verdict = answered(in_fence(RIGHT), tests=tests)
    assert (verdict.passed, verdict.correct, verdict.reason) == (None, None, "no_tests")


@pytest.mark.parametrize(
    "tests",
    [
        "def test_add():\n    assert add(1, 2) == {}",
        "def check(f):\n    assert f(1, 2) == {}\ncheck(add)",
        "for a in (1,):\n    if add(a, 2) != {}: raise ValueError",
        "import unittest\nunittest.TestCase().assertEqual(add(1, 2), {})",
        "if __name__ == '__main__':\n    assert add(1, 2) == {}",
    ],
)
def test_tests_of_many_shapes_are_really_run(tests: str) -> None:
    verdicts = [answered(in_fence(RIGHT), tests=tests.format(expected)) for expected in (3, 4)]
    assert [verdict.passed for verdict in verdicts] == [True, False]


def test_a_test_function_that_is_called_already_is_not_called_again() -> None:
    assert runnable_tests("def test_a():\n    assert x\ntest_a()") == "def test_a():\n    assert x\ntest_a()"
    assert runnable_tests("def test_a():\n    assert x") == "def test_a():\n    assert x\ntest_a()"
    assert runnable_tests("with pytest.raises(ValueError):\n    f(-1)") is not None


def test_broken_tests_fail_the_tests_and_not_the_answers_syntax() -> None:
    verdict = answered(in_fence(RIGHT), tests="assert add(1, 2 == 3")
    assert (verdict.passed, verdict.reason, verdict.error_class) == (False, "tests_failed", "SyntaxError")
    assert verdict.syntax_ok


FIX = {"task_type": "bug_fixing", "entry_point": "add"}


def test_a_bug_fix_needs_tests_that_fail_on_the_buggy_input() -> None:
    assert verify(make(in_fence(RIGHT), input=WRONG, metadata=FIX)).passed is True
    assert verify(make(in_fence(RIGHT), input=in_fence(WRONG), metadata=FIX)).passed is True
    assert verify(make(in_fence(RIGHT), input="def add(a, b):\n    while True: pass", metadata=FIX)).passed


@pytest.mark.parametrize(
    ("given", "reason"),
    [(RIGHT, "bug_not_shown"), ("def other(): pass", "bug_not_shown"), (" ", "no_input")],
)
def test_a_bug_that_is_not_shown_is_refused(given: str, reason: str) -> None:
    verdict = verify(make(in_fence(RIGHT), input=given, metadata=FIX))
    assert (verdict.passed, verdict.correct, verdict.reason) == (False, False, reason)


def test_a_wrong_fix_fails_its_tests() -> None:
    assert verify(make(in_fence(WRONG), input=WRONG, metadata=FIX)).reason == "tests_failed"


def test_refactoring_needs_tests_that_pass_before_and_after() -> None:
    kind = {"task_type": "refactoring"}
    before = "def add(a, b):\n    c = a\n    c = c + b\n    return c"
    assert verify(make(in_fence(RIGHT), input=before, metadata=kind)).passed is True
    assert verify(make(in_fence(RIGHT), input=WRONG, metadata=kind)).reason == "behaviour_changed"
    assert verify(make(in_fence(WRONG), input=before, metadata=kind)).reason == "tests_failed"


def test_an_answer_is_judged_without_the_samples_claim() -> None:
    assert answered(in_fence(RIGHT), input=RIGHT, metadata=FIX).passed is True


DOC = {"task_type": "documentation", "entry_point": "add"}


@pytest.mark.parametrize(
    ("code", "correct", "reason"),
    [
        ('def add(a, b):\n    """Add."""\n    # plainly\n    return a + b', True, "ok"),
        ('def add(a, b):\n    """Subtract."""\n    return a - b', False, "code_changed"),
        (RIGHT, False, "no_docstring"),
        (f'"""A module."""\n{RIGHT}', False, "no_docstring"),
        ("def add(a, b:", False, "syntax"),
    ],
)
@pytest.mark.parametrize("execute", [True, False])
def test_documentation_is_proved_by_reading(code: str, correct: bool, reason: str, execute: bool) -> None:
    verdict = answered(in_fence(code), execute, input=RIGHT, metadata=DOC)
    assert (verdict.passed, verdict.correct, verdict.reason) == (None, correct, reason)


def test_documenting_an_empty_function_keeps_its_code() -> None:
    code = in_fence('def add(a, b):\n    """Add."""')
    assert answered(code, input="def add(a, b): pass", metadata=DOC).correct is True


def test_documentation_of_code_that_cannot_be_compared_is_not_proved() -> None:
    code = f"def add(a, b):\n    return 0x{'f' * 5000}"
    documented = code.replace("return", '"""Add."""\n    return')
    assert answered(in_fence(documented), input=code, metadata=DOC).reason == "code_changed"


REVIEW = {"task_type": "code_review", "response_format": "json", "planted_lines": [2]}


def review(*lines: int, **changed: Any) -> str:
    findings = [{"line": line, "severity": "high", "message": "Wrong sign.", **changed} for line in lines]
    return json.dumps({"findings": findings})


@pytest.mark.parametrize(
    ("answer", "correct", "reason"),
    [
        (review(2), True, "ok"),
        (review(1, 2, 7), True, "ok"),
        (review(3), False, "wrong_line"),
        (review(), False, "wrong_line"),
        (review(1, 2, 3, 4), False, "too_many_findings"),
        (review(2, severity="fatal"), False, "wrong_schema"),
        (review(2, line="2"), False, "wrong_schema"),
        (review(2, extra=1), False, "wrong_schema"),
        ("[]", False, "wrong_schema"),
        (f"```json\n{review(2)}\n```", False, "not_json"),
        ('{"findings": [],}', False, "not_json"),
        ('{"findings": NaN}', False, "not_json"),
        ("[" * 100_000, False, "not_json"),
        ("", False, "not_json"),
    ],
)
def test_a_review_must_name_the_planted_line(answer: str, correct: bool, reason: str) -> None:
    verdict = answered(answer, metadata=REVIEW)
    assert (verdict.passed, verdict.correct, verdict.reason) == (None, correct, reason)
    assert verdict.json_ok is (reason not in ("not_json", "wrong_schema"))
    assert verdict.format_ok is (reason != "not_json")


def test_a_review_without_planted_lines_is_only_checked_for_its_form() -> None:
    verdict = answered(review(5), metadata={**REVIEW, "planted_lines": None})
    assert (verdict.json_ok, verdict.correct, verdict.reason) == (True, None, "ok")


CLAMP = "def clamp(x, top):\n    if x > top:\n        return top\n    return x"
MUTANTS = [CLAMP.replace("x > top", "x < top"), CLAMP.replace("return x", "return top")]
WRITE_TESTS = {"task_type": "unit_test_generation", "entry_point": "clamp", "mutants": MUTANTS}
GOOD_TESTS = "assert clamp(1, 2) == 1\nassert clamp(3, 2) == 2"


def written(tests: str, execute: bool = True, **metadata: Any) -> Verdict:
    return answered(in_fence(tests), execute, tests="", input=CLAMP, metadata={**WRITE_TESTS, **metadata})


@pytest.mark.parametrize(
    "tests",
    [
        GOOD_TESTS,
        "def test_small():\n    assert clamp(1, 2) == 1\n\n\ndef test_large():\n    assert clamp(3, 2) == 2",
        "def check(clamp):\n    assert clamp(1, 2) == 1 and clamp(3, 2) == 2\ncheck(clamp)",
    ],
)
def test_written_tests_are_run_on_the_code_and_on_every_mutant(tests: str) -> None:
    verdict = written(tests)
    assert (verdict.passed, verdict.correct, verdict.reason) == (True, True, "ok")
    assert verdict.killed == (0, 1)
    assert verdict.format_ok
    assert verdict.syntax_ok


@pytest.mark.parametrize(
    ("tests", "reason"),
    [
        ("assert clamp(1, 2) == 2", "tests_failed"),
        ("assert clamp(3, 2) == 2\nassert clamp(2, 2) == 2", "mutant_survived"),
        ("assert True", "mutant_survived"),
        ("assert missing(1, 2) == 1", "tests_failed"),
        ("while True:\n    assert clamp(1, 2) == 1", "timeout"),
        ("clamp(1, 2)", "no_tests"),
        ("def test_it():\n    print(clamp(1, 2))", "no_tests"),
        (
            "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        assert clamp(1, 2) == 1",
            "no_tests",
        ),
        (f"{CLAMP}\n{GOOD_TESTS}", "wrong_schema"),
        (f"from elsewhere import clamp\n{GOOD_TESTS}", "wrong_schema"),
        (f"def test_it():\n    global clamp\n    clamp = max\n{GOOD_TESTS}", "wrong_schema"),
        ("assert clamp(1, 2 == 1", "syntax"),
    ],
)
def test_tests_that_prove_nothing_are_wrong_for_a_reason(tests: str, reason: str) -> None:
    verdict = written(tests)
    assert (verdict.passed, verdict.correct, verdict.reason) == (False, False, reason)
    unrun = written(tests, execute=False)
    assert unrun.passed is None
    assert unrun.reason == (reason if reason in ("no_tests", "wrong_schema", "syntax") else "ok")


def test_tests_that_never_reach_a_mutant_do_not_kill_it() -> None:
    verdict = written(GOOD_TESTS, mutants=["def other(): pass"])
    assert (verdict.passed, verdict.reason) == (False, "mutant_survived")


def test_mutants_of_a_sample_that_lists_none_are_made_by_the_gate() -> None:
    bare = {"task_type": "unit_test_generation", "entry_point": "clamp"}
    sample = make(in_fence(GOOD_TESTS), tests="", input=CLAMP, metadata=bare)
    first, second = verify_samples([sample, sample], jail())
    assert first.passed is True
    assert first.killed == second.killed
    made, enough = mutants_for(sample)
    assert len(made) >= 2
    assert len(first.killed) >= enough >= 1
    # Weak tests kill fewer than half, and none at all is never enough.
    assert (
        verify(make(in_fence("assert clamp(2, 2) == 2"), tests="", input=CLAMP, metadata=bare)).reason
        == "mutant_survived"
    )
    # What cannot be changed cannot be tested this way.
    empty = make(in_fence("assert clamp(1, 2) is None"), tests="", input="def clamp(x, top): ...", metadata=bare)
    assert (verify(empty).passed, verify(empty).reason) == (None, "no_mutants")


@pytest.mark.parametrize("given", ["", "def clamp(x", "It is called clamp."])
def test_tests_of_no_code_are_not_judged(given: str) -> None:
    verdict = answered(in_fence(GOOD_TESTS), tests="", input=given, metadata=WRITE_TESTS)
    assert (verdict.passed, verdict.reason) == (None, "no_input")


FILES = """\
# file: shop/rules.py
def total(prices):
    return max(prices)

# file: app.py
from shop.rules import total


def show(prices):
    return f"{total(prices)}"
"""
EDIT = {"task_type": "agent_edit", "response_format": "json", "entry_point": "total"}
EDIT_TESTS = "from shop.rules import total\nfrom app import show\nassert total([1, 2]) == 3\nassert show([1, 2]) == '3'"
FIXED = {"path": "shop/rules.py", "search": "max(prices)", "replace": "sum(prices)"}


def edited(answer: str, execute: bool = True, **fields: Any) -> Verdict:
    return answered(answer, execute, **{"tests": EDIT_TESTS, "input": FILES, "metadata": EDIT, **fields})


def as_json(*edits: dict[str, Any]) -> str:
    return json.dumps({"edits": edits})


@pytest.mark.parametrize(
    "answer",
    [
        as_json(FIXED),
        as_json({**FIXED, "replace": "min(prices)"}, {**FIXED, "search": "min(", "replace": "sum("}),
        as_json({**FIXED, "search": "def total(prices):\n    return max(prices)", "replace": "total = sum"}),
    ],
)
def test_edits_are_right_when_the_tests_pass_on_the_edited_files(answer: str) -> None:
    verdict = edited(answer)
    assert (verdict.passed, verdict.correct, verdict.reason) == (True, True, "ok")
    assert (verdict.json_ok, verdict.format_ok, verdict.syntax_ok) == (True, True, True)
    unrun = edited(answer, execute=False)
    assert (unrun.passed, unrun.correct, unrun.reason, unrun.seconds) == (None, None, "ok", 0.0)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (as_json({**FIXED, "replace": "min(prices)"}), "tests_failed"),
        (as_json({**FIXED, "replace": "sum(iter(int, 1))"}), "timeout"),
        (as_json({**FIXED, "search": "prices"}), "edit_not_applicable"),
        (as_json({**FIXED, "search": "Max(prices)"}), "edit_not_applicable"),
        (as_json({**FIXED, "path": "rules.py"}), "edit_not_applicable"),
        (as_json(FIXED, FIXED), "edit_not_applicable"),
        (as_json({**FIXED, "replace": "sum(prices"}), "syntax"),
        (as_json(), "wrong_schema"),
        (as_json(*[FIXED] * 11), "wrong_schema"),
        (as_json({**FIXED, "search": ""}), "wrong_schema"),
        (as_json({**FIXED, "why": "It adds."}), "wrong_schema"),
        (as_json({"path": "app.py", "search": "x"}), "wrong_schema"),
        (json.dumps([FIXED]), "wrong_schema"),
        (f"```json\n{as_json(FIXED)}\n```", "not_json"),
        (f"{as_json(FIXED)} Done.", "not_json"),
        ("", "not_json"),
    ],
)
def test_edits_fail_for_a_reason(answer: str, reason: str) -> None:
    verdict = edited(answer)
    assert (verdict.passed, verdict.correct, verdict.reason) == (False, False, reason)
    assert verdict.json_ok is (reason not in ("not_json", "wrong_schema"))
    assert verdict.format_ok is (reason != "not_json")
    unrun = edited(answer, execute=False)
    assert unrun.passed is None
    assert unrun.reason == ("ok" if reason in ("tests_failed", "timeout") else reason)


def test_an_edit_sample_needs_tests_that_fail_before_it() -> None:
    fields: dict[str, Any] = {"input": FILES, "tests": EDIT_TESTS, "metadata": EDIT}
    assert verify(make(as_json(FIXED), **fields)).passed is True
    renaming = as_json(FIXED | {"search": "def total", "replace": "def add_up"})
    renamed = "from shop.rules import add_up\nassert add_up([2]) == 2"
    assert verify(make(renaming, **{**fields, "tests": renamed})).passed is True
    shown = "from shop.rules import total\nassert total([3]) == 3"
    verdict = verify(make(as_json(FIXED), **{**fields, "tests": shown}))
    assert (verdict.passed, verdict.reason) == (False, "bug_not_shown")


def test_edits_of_no_files_are_not_judged() -> None:
    verdict = edited(as_json(FIXED), input="def total(prices): ...")
    assert (verdict.passed, verdict.reason) == (None, "no_input")
    assert edited(as_json(FIXED), tests="").reason == "no_tests"


def test_files_may_be_called_like_modules_that_are_loaded_already() -> None:
    files = "# file: types.py\ndef double(x):\n    return x"
    edit = as_json({"path": "types.py", "search": "return x", "replace": "return 2 * x"})
    tests = "from types import double\nassert double(2) == 4"
    assert edited(edit, input=files, tests=tests).passed is True


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("It adds.", "ok"), ("42", "ok"), ("", "empty_text"), (" \n", "empty_text"), ('{"a": 1}', "json_text")],
)
def test_text_is_checked_for_its_form_and_never_passed(answer: str, reason: str) -> None:
    verdict = answered(answer, metadata={"task_type": "code_explanation", "response_format": "text"})
    assert (verdict.passed, verdict.correct, verdict.reason) == (None, None, reason)
    assert verdict.format_ok is (reason == "ok")


def test_verdicts_keep_their_order_and_are_told_one_by_one() -> None:
    told: list[int] = []
    pairs = [
        (make("unused"), in_fence(RIGHT)),
        (make("unused"), "no code"),
        (make("unused"), in_fence(WRONG)),
        (make("unused", tests=""), in_fence(WRONG)),
        (make("unused"), in_fence(RIGHT)),
    ]
    verdicts = verify_answers(pairs, jail(), told.append)
    assert [verdict.passed for verdict in verdicts] == [True, False, False, None, True]
    assert told == [0, 1, 2, 3, 4]


def test_what_on_result_raises_stops_the_rest() -> None:
    pairs = [(make("unused"), in_fence(RIGHT))] * 100

    def stop(index: int) -> None:
        raise KeyboardInterrupt(index)

    with pytest.raises(KeyboardInterrupt, match="0"):
        verify_answers(pairs, jail(), stop)
