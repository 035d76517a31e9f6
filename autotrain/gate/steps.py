"""A sample's tests as steps for a job that is not told what is expected, and the verdict on its replies.

    the tests                          what the job is sent                what stays here
    assert f(2) == 4                   {"value": "f(2)"}                   it equals 4
    for a, b in [(1, 2), (3, 6)]:      {"run": "a = 1"} {"value": "f(a)"}  it equals 2
        assert f(a) == b               {"run": "a = 3"} {"value": "f(a)"}  it equals 6
    with pytest.raises(KeyError):      {"raises": "f(0)"}                  a KeyError is raised
        f(0)
    assert f(1) == f(2)                {"run": "assert f(1) == f(2)"}      it comes to its end ("inside")

The job says what came out, as data of exact built-in types, and `judge` compares. So an answer cannot pass by what
its objects say of themselves, nor by reading or patching the tests. What cannot be taken apart is run by the job as
it is, and counts as "inside".
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from autotrain.gate.checks import fulfils
from autotrain.gate.encoding import decode
from autotrain.gate.program import Problem, parse, parses, runnable_tests
from autotrain.gate.splitting import Check, Program, parts_of

__all__ = ["Check", "Judged", "Program", "judge", "split"]

DETAIL_CHARACTERS = 300
# Longer tests are run as they are: taking them apart could take longer.
MAX_TESTS_CHARACTERS = 100_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True)
class Judged:
    """The verdict on a program's replies; `reason` is "ok", "tests_failed", "memory" or "crashed".

    `outside` and `inside` count the asserts that were fulfilled, by where that was decided.
    """

    passed: bool
    reason: str
    error_class: str = ""
    detail: str = ""
    outside: int = 0
    inside: int = 0


def split(code: str, tests: str) -> Program:
    """The program that runs `tests` after `code`, taken apart."""
    text = runnable_tests(tests) or ""
    tree = parse(text)
    if not isinstance(tree, Problem) and parses(code) and len(text) <= MAX_TESTS_CHARACTERS:
        try:
            return parts_of(code, tree, text)
        except (ValueError, RecursionError):  # too many steps, or something that cannot be written down again
            pass
    check = Check("ran", 1, "the tests", 1, asserts=max(1, len(re.findall(r"\bassert\b", text))))
    return Program(({"run": code}, {"run": text}), (check,))


def judge(program: Program, replies: Sequence[dict[str, Any]]) -> Judged:
    """The verdict on what a job replied to `program`, whatever that is.

    Replies that end early are "crashed"; who saw the job end may know better, a time limit for one. A program
    without checks passes by coming to its end.
    """
    checks = {check.step: check for check in program.checks}
    outside = inside = 0
    for number in range(len(program.steps)):
        reply, check = _reply(replies, number), checks.get(number)
        if reply is None:
            detail = f"no usable reply to step {number + 1} of {len(program.steps)}"
            return Judged(False, "crashed", "", detail, outside, inside)
        if "error" in reply:
            failure: Judged | None = _errored(reply["error"], check)
        else:
            failure = _failure(check, reply) if check else None
        if failure is not None:
            return replace(failure, outside=outside, inside=inside)
        if check is None:
            continue
        if check.trust == "inside" or (check.condition and check.condition.needs_object and "foreign" in reply):
            inside += check.asserts
        else:
            outside += check.asserts
    return Judged(True, "ok", "", "", outside, inside)


# ---------------------------------------------------------------------------
# Replies


def _reply(replies: Sequence[Any], number: int) -> dict[str, Any] | None:
    """The reply to a step, if it is one."""
    reply = replies[number] if number < len(replies) else None
    if isinstance(reply, dict) and type(reply.get("step")) is int and reply["step"] == number:
        return reply
    return None


def _errored(error: Any, check: Check | None) -> Judged:
    name, message = error if isinstance(error, list) and [*map(type, error)] == [str, str] else ("", "")
    if not message and check is not None:
        message = f"line {check.line}: {check.text}"
    lines = [line for line in message.splitlines() if line.strip()]
    detail = f"{name}: {lines[-1].strip()}" if lines else name
    return Judged(False, "memory" if name == "MemoryError" else "tests_failed", _clean(name), _clean(detail))


def _failure(check: Check, reply: dict[str, Any]) -> Judged | None:
    """Why the reply does not fulfil the check, if it does not."""
    match check.kind, reply:
        case "ran", {"ok": True}:
            return None
        case "raises", {"ok": True}:
            return _refused(check, "nothing was raised")
        case "raises", {"raised": [[name, *parents], message]}:
            return None if any(kind in (name, *parents) for kind in check.names) else _errored([name, message], None)
        case "value", {"foreign": name}:
            if check.condition and check.condition.needs_object:
                return None
            return _demand(check, object(), f"an object of class {name}, which equals no literal")
        case "value", {"value": text}:
            try:
                value = decode(text)
            except ValueError:
                return _refused(check, "what came back is no value")
            return _demand(check, value, _shown(value))
    return _refused(check, "no usable reply")


def _demand(check: Check, value: Any, shown: str) -> Judged | None:
    try:
        if check.condition is None or fulfils(check.condition, value):
            return None
    except Exception as error:
        name = type(error).__name__
        return Judged(False, "tests_failed", name, _clean(f"{name}: {error} (line {check.line}: {check.text})"))
    return _refused(check, f"got {shown}")


def _refused(check: Check, why: str) -> Judged:
    detail = f"AssertionError: line {check.line}: {check.text} ({why})"
    return Judged(False, "tests_failed", "AssertionError", _clean(detail))


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number too long to be shown
        return "a very long number"
    return text if len(text) <= 100 else text[:99] + "…"


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:DETAIL_CHARACTERS]
