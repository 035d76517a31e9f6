"""Running our own generated code: what it answers, and whether a changed version answers the same."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any

from autotrain.generate.builtin.problem import Problem, literal

STEP_LIMIT = 3000
SIZE_LIMIT = 20_000
EXPECTED_ERRORS = ("ValueError", "KeyError", "IndexError", "TypeError", "ZeroDivisionError")


class TooManySteps(Exception):
    """The code ran for longer than any of ours does, or its values grew without end."""


@dataclass(frozen=True)
class Outcome:
    """What one call gave: a value, or the name of the exception it raised."""

    value: Any = None
    error: str = ""


@dataclass(frozen=True)
class Verified:
    """A problem's calls, compiled once, with what the reference answers to each."""

    calls: tuple[str, ...]
    compiled: tuple[tuple[CodeType | None, CodeType], ...]
    outcomes: tuple[Outcome, ...]

    @property
    def tests(self) -> str:
        """The calls as assertions."""
        return "\n".join(map(assertion, self.calls, self.outcomes))

    def agrees(self, source: str) -> bool:
        """Whether the code in `source` gives the same outcome for every call."""
        try:
            code = compile(source, "<generated>", "exec")
        except SyntaxError:
            return False
        namespace: dict[str, Any] = {}
        try:
            with_limit(lambda: exec(code, namespace))  # noqa: S102
        except Exception:
            return False
        return all(
            same(answer(pair, namespace, limited=True), wanted)
            for pair, wanted in zip(self.compiled, self.outcomes, strict=True)
        )


def verify(problem: Problem) -> Verified | None:
    """Run the reference on the problem's calls; None where the calls tell too little.

    A call on which the reference fails is kept only if the problem's notes speak of the exception.
    """
    namespace: dict[str, Any] = {}
    exec(compile(problem.code(problem.bodies[0]), "<reference>", "exec"), namespace)  # noqa: S102
    told = " ".join(problem.notes)
    kept: list[tuple[str, tuple[CodeType | None, CodeType], Outcome]] = []
    for call in problem.calls:
        pair = compile_call(call)
        outcome = answer(pair, namespace)
        if not outcome.error or outcome.error in told:
            kept.append((call, pair, outcome))
    kept = kept[:8]
    if len(kept) < 4 or len({repr(item[2]) for item in kept}) < 2:
        return None
    calls, compiled, outcomes = zip(*kept, strict=True)
    return Verified(calls, compiled, outcomes)


def compile_call(call: str) -> tuple[CodeType | None, CodeType]:
    setup, _, expression = call.rpartition("\n")
    return compile(setup, "<call>", "exec") if setup else None, compile(expression, "<call>", "eval")


def answer(
    pair: tuple[CodeType | None, CodeType], namespace: dict[str, Any], limited: bool = False
) -> Outcome:
    def call() -> Any:
        if pair[0] is not None:
            exec(pair[0], namespace)  # noqa: S102
        return eval(pair[1], namespace)  # noqa: S307

    try:
        return Outcome(with_limit(call) if limited else call())
    except Exception as error:
        return Outcome(error=type(error).__name__)


def same(one: Outcome, other: Outcome) -> bool:
    return one.error == other.error and bool(one.value == other.value)


def assertion(call: str, outcome: Outcome) -> str:
    setup, newline, expression = call.rpartition("\n")
    if not outcome.error:
        return f"{setup}{newline}assert {expression} == {literal(outcome.value)}"
    return (
        f"{setup}{newline}try:\n    {expression}\nexcept {outcome.error}:\n    pass\n"
        f'else:\n    raise AssertionError("{outcome.error} was not raised")'
    )


def with_limit(work: Callable[[], Any]) -> Any:
    """Do `work`, ending it with TooManySteps if it runs on and on.

    Mutated loops may never end, and a mutated loop that squares a number would fill the memory long
    before its step limit: so the sizes of the local values are looked at now and then as well.
    """
    steps = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > STEP_LIMIT or (steps % 50 == 0 and any(map(is_huge, frame.f_locals.values()))):
            raise TooManySteps
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        return work()
    finally:
        sys.settrace(before)


def is_huge(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() > SIZE_LIMIT
    return isinstance(value, (str, list, tuple)) and len(value) > SIZE_LIMIT
