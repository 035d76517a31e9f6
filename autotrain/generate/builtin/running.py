"""Running our own generated code: what it answers, and whether a changed version answers the same."""

import re
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from inspect import CO_OPTIMIZED
from itertools import groupby
from textwrap import indent
from types import CodeType, FrameType
from typing import Any

from autotrain.generate.builtin.problem import Problem, literal

_EMPTY = re.compile(r"""\((?:\[\]|''|""|\{\})[,)]""")

STEP_LIMIT = 3000
SIZE_LIMIT = 20_000
FEWEST_TESTS, MOST_TESTS, MOST_CALLS = 4, 8, 10


class TooManySteps(BaseException):
    """The code ran for longer than any of ours does, or its values grew without end.

    No Exception, because code that catches every one of these would go on.
    """


@dataclass(frozen=True)
class Outcome:
    """What one call gave: a value, or the name of the exception it raised."""

    value: Any = None
    error: str = ""
    bases: tuple[str, ...] = ()
    """The names by which the exception can be caught."""


@dataclass(frozen=True)
class Verified:
    """A problem's calls, compiled once as functions, with what the reference answers to each."""

    calls: tuple[str, ...]
    code: CodeType
    numbers: tuple[int, ...]
    """Which of the compiled calls were kept."""
    outcomes: tuple[Outcome, ...]

    @property
    def tests(self) -> str:
        """The calls as assertions."""
        return "\n".join(map(assertion, self.calls, self.outcomes))

    def tests_in_functions(self, name: str) -> str:
        """The same assertions in the same order, in functions called after what they try."""
        groups = [
            (topic, [assertion(*item) for item in items])
            for topic, items in groupby(zip(self.calls, self.outcomes, strict=True), lambda item: topic_of(*item))
        ]
        taken: Counter[str] = Counter()
        functions = []
        for topic, assertions in groups:
            taken[topic] += 1
            number = f"_{taken[topic]}" if taken[topic] > 1 else ""
            body = indent("\n".join(assertions), "    ")
            functions.append(f"def test_{name.lower()}_{topic}{number}():\n{body}")
        return "\n\n\n".join(functions)

    def agrees(self, source: str | CodeType) -> bool:
        """Whether the code gives the same outcome for every call."""
        namespace = self._loaded(source)
        return namespace is not None and all(
            same(answer(namespace[f"call_{number}"], limited=True), wanted)
            for number, wanted in zip(self.numbers, self.outcomes, strict=True)
        )

    def tells_apart(self, source: str | CodeType) -> bool:
        """Whether the code is wrong in a way worth testing for: a call has another outcome, but it still works.

        Code that runs on and on before it shows, or fails in every call, is none of that kind.
        """
        namespace = self._loaded(source)
        if namespace is None:
            return False
        differs = works = False
        for number, wanted in zip(self.numbers, self.outcomes, strict=True):
            found = answer(namespace[f"call_{number}"], limited=True)
            if found.error == TooManySteps.__name__:
                return False
            differs = differs or not same(found, wanted)
            works = works or not found.error
            if differs and works:
                return True
        return False

    def _loaded(self, source: str | CodeType) -> dict[str, Any] | None:
        """The names that the code defines, and the calls; None where it cannot be loaded."""
        namespace: dict[str, Any] = {}
        try:
            code = compile(source, "<generated>", "exec") if isinstance(source, str) else source
            with_limit(lambda: exec(code, namespace))  # noqa: S102
        except (Exception, TooManySteps):
            return None
        exec(self.code, namespace)  # noqa: S102
        return namespace


def verify(problem: Problem) -> Verified | None:
    """Run the reference on the problem's calls; None where the calls tell too little.

    A call on which the reference fails is kept only if the problem's notes or its task speak of the exception.
    """
    namespace: dict[str, Any] = {}
    calls = problem.calls[:MOST_CALLS]
    code = compile("\n".join(map(as_function, range(len(calls)), calls)), "<calls>", "exec")
    exec(compile(problem.code(problem.bodies[0]), "<reference>", "exec"), namespace)  # noqa: S102
    exec(code, namespace)  # noqa: S102
    told = " ".join(problem.notes + problem.task)
    outcomes = [answer(namespace[f"call_{number}"]) for number in range(len(calls))]
    kept = [number for number, outcome in enumerate(outcomes) if not outcome.error or outcome.error in told]
    kept = kept[:MOST_TESTS]
    if len(kept) < FEWEST_TESTS or len({(repr(outcomes[number].value), outcomes[number].error) for number in kept}) < 2:
        return None
    return Verified(
        tuple(calls[number] for number in kept), code, tuple(kept), tuple(outcomes[number] for number in kept)
    )


def as_function(number: int, call: str) -> str:
    """The call as a function, so that all calls of a problem can be compiled at once."""
    setup, newline, expression = call.rpartition("\n")
    if not newline:
        return f"call_{number} = lambda: {expression}"
    return f"def call_{number}():\n" + indent(f"{setup}\nreturn {expression}", "    ")


def answer(call: Callable[[], Any], limited: bool = False) -> Outcome:
    try:
        return Outcome(with_limit(call) if limited else call())
    except (Exception, TooManySteps) as error:
        kinds = type(error).__mro__
        return Outcome(error=kinds[0].__name__, bases=tuple(kind.__name__ for kind in kinds))


def same(found: Outcome, wanted: Outcome) -> bool:
    """Whether an assertion made of `wanted` passes for what was found."""
    if wanted.error:
        return wanted.error in found.bases
    return not found.error and bool(found.value == wanted.value)


def assertion(call: str, outcome: Outcome) -> str:
    setup, newline, expression = call.rpartition("\n")
    if not outcome.error:
        return f"{setup}{newline}assert {expression} == {literal(outcome.value)}"
    return (
        f"{setup}{newline}try:\n    {expression}\nexcept {outcome.error}:\n    pass\n"
        f'else:\n    raise AssertionError("{outcome.error} was not raised")'
    )


def topic_of(call: str, outcome: Outcome) -> str:
    """What a call tries, as part of a test's name."""
    if outcome.error:
        return "raises_" + re.sub(r"(?<=[a-z])(?=[A-Z])", "_", outcome.error).lower()
    return "empty_input" if _EMPTY.search(call) else "results"


def with_limit(work: Callable[[], Any]) -> Any:
    """Do `work`, ending it with TooManySteps if it runs on and on.

    Mutated loops may never end, and a mutated loop that squares a number would fill the memory long
    before its step limit: so the sizes of the local values are looked at now and then as well.
    """
    steps = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > STEP_LIMIT or (steps % 16 == 0 and any(map(is_huge, local_values(frame)))):
            raise TooManySteps
        return trace

    def swallowed(what: "sys.UnraisableHookArgs") -> None:
        # Raised while a generator was thrown away, the exception ends nothing but the tracing.
        if what.exc_type is TooManySteps:
            sys.settrace(trace)
        else:
            hook_before(what)

    before, hook_before = sys.gettrace(), sys.unraisablehook
    sys.settrace(trace)
    sys.unraisablehook = swallowed
    try:
        return work()
    finally:
        sys.settrace(before)
        sys.unraisablehook = hook_before


def local_values(frame: FrameType) -> list[Any]:
    """What the frame's variables hold, but for those that it shares with functions inside it.

    Python 3.13.0 dies of looking at one of these while a comprehension is about to make it.
    """
    code = frame.f_code
    if not code.co_flags & CO_OPTIMIZED:
        return list(frame.f_globals.values())
    known = frame.f_locals
    names = (*code.co_varnames, *code.co_freevars)
    return [known[name] for name in names if name not in code.co_cellvars and name in known]


def is_huge(value: Any) -> bool:
    if isinstance(value, int):
        return value.bit_length() > SIZE_LIMIT
    return isinstance(value, (str, list, tuple)) and len(value) > SIZE_LIMIT
