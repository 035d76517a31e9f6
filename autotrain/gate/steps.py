"""A sample's tests as steps for a job that is not told what is expected, and the verdict on its replies.

`assert f(2) == 4` becomes the step {"value": "f(2)"}; the 4 stays here. The job says what came out, as data of
exact built-in types, and `judge` compares. So an answer cannot pass by what its objects say of themselves, nor
by reading or patching the tests. What cannot be taken apart is run by the job as it is, and counts as "inside".
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autotrain.gate.checks import Condition, fulfils
from autotrain.gate.encoding import decode
from autotrain.gate.program import Problem, parse, runnable_tests
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
    if not isinstance(tree, Problem) and len(text) <= MAX_TESTS_CHARACTERS:
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
    checks: dict[int, list[Check]] = {}
    for check in program.checks:
        checks.setdefault(check.step, []).append(check)
    outside = inside = 0
    for number in range(-1, len(program.steps)):
        # Constants of the tests are no step's.
        reply = _reply(replies, number) if number >= 0 else {}
        if reply is None:
            detail = f"no usable reply to step {number + 1} of {len(program.steps)}"
            return Judged(False, "crashed", "", detail, outside, inside)
        if "error" in reply:
            return replace(_errored(reply["error"], checks.get(number, ())), outside=outside, inside=inside)
        for check in checks.get(number, ()):
            failure = _failure(check, reply)
            if failure is not None:
                return replace(failure, outside=outside, inside=inside)
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


def _errored(error: Any, checks: Iterable[Check]) -> Judged:
    name, message = _pair_of_texts(error)
    if not message:
        message = next((f"line {check.line}: {check.text}" for check in checks), "")
    lines = [line for line in message.splitlines() if line.strip()]
    detail = f"{name}: {lines[-1].strip()}" if lines else name
    return Judged(False, "memory" if name == "MemoryError" else "tests_failed", _clean(name), _clean(detail))


def _failure(check: Check, reply: dict[str, Any]) -> Judged | None:
    """Why the reply does not fulfil the check, if it does not."""
    if check.kind == "ran":
        return None if reply.get("ok") is True else _refused(check, "no usable reply")
    if check.kind == "raises":
        return _raise_failure(check, reply)
    condition = check.condition
    assert condition is not None
    if "foreign" in reply:
        if condition.needs_object:
            return None
        return _demand(check, condition, object(), f"an object of class {reply['foreign']}, which equals no literal")
    try:
        value = None if condition.kind == "constant" else decode(reply.get("value", ""))
    except ValueError:
        return _refused(check, "what came back is no value")
    return _demand(check, condition, value, "" if condition.kind == "constant" else _shown(value))


def _raise_failure(check: Check, reply: dict[str, Any]) -> Judged | None:
    raised = reply.get("raised")
    if raised is None:
        return _refused(check, "nothing was raised")
    if not isinstance(raised, list) or len(raised) != 2 or not isinstance(raised[0], list) or not raised[0]:
        return _refused(check, "no usable reply")
    names, message = raised
    if not any(name in names for name in check.names):
        return _errored([names[0], message], ())
    for condition in check.messages:
        failure = _demand(check, condition, str(message), _shown(message))
        if failure is not None:
            return failure
    return None


def _demand(check: Check, condition: Condition, value: Any, shown: str) -> Judged | None:
    try:
        if fulfils(condition, value):
            return None
    except Exception as error:
        name = type(error).__name__
        return Judged(False, "tests_failed", name, _clean(f"{name}: {error} (line {check.line}: {check.text})"))
    return _refused(check, f"got {shown}" if shown else "")


def _refused(check: Check, why: str) -> Judged:
    detail = f"line {check.line}: {check.text}" + (f" ({why})" if why else "")
    return Judged(False, "tests_failed", "AssertionError", _clean(f"AssertionError: {detail}"))


def _shown(value: Any) -> str:
    try:
        text = repr(value)
    except ValueError:  # a number too long to be shown
        return "a very long number"
    return text if len(text) <= 100 else text[:99] + "…"


def _pair_of_texts(pair: Any) -> tuple[str, str]:
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(item, str) for item in pair):
        return pair[0], pair[1]
    return "", ""


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:DETAIL_CHARACTERS]
