"""Inside a job: carry out a program of steps in one namespace and say after each what came of it.

A step is {"run": source}, {"value": expression} or {"raises": source}; what is said of it is a dict of plain
data. After an error the rest is left out. Nothing but the standard library and encoding.py here.
"""

from collections.abc import Callable, Sequence
from types import CodeType
from typing import Any

from autotrain.gate.encoding import encode

MESSAGE_CHARACTERS = 2000

# As above in encoding.py: not what the job's code has made of them meanwhile.
_type, _exec, _eval, _compile, _str = type, exec, eval, compile, str
_name_of = type.__dict__["__name__"].__get__
_mro_of = type.__dict__["__mro__"].__get__


def run_steps(
    steps: Sequence[dict[str, str]], emit: Callable[[dict[str, Any]], None], namespace: dict[str, Any] | None = None
) -> None:
    """Run the steps in order and pass each one's reply to `emit`, until one ends in an error."""
    scope = {"__name__": "__main__"} if namespace is None else namespace
    for number, step in enumerate(steps):
        reply = {"step": number, **_reply(step, scope)}
        emit(reply)
        if "error" in reply:
            return


def _reply(step: dict[str, str], scope: dict[str, Any]) -> dict[str, Any]:
    try:
        if "value" in step:
            value = _eval(_compiled(step["value"], "eval"), scope)
            text = encode(value)
            return {"foreign": _class_name(_type(value))} if text is None else {"value": text}
        _exec(_compiled(step["raises"] if "raises" in step else step["run"], "exec"), scope)
        return {"ok": True}
    except BaseException as error:
        kind = _type(error)
        if "raises" in step:
            return {"raised": [[_class_name(parent) for parent in _mro_of(kind)], _message(error)]}
        return {"error": [_class_name(kind), _message(error)]}


def _compiled(source: str, mode: str) -> CodeType:
    try:
        return _compile(source, "<program>", mode, dont_inherit=True)
    except (ValueError, RecursionError) as error:  # a NUL or a surrogate; nested too deep
        raise SyntaxError(f"{_class_name(_type(error))}: {error}") from None


def _class_name(kind: type) -> str:
    return _str.__str__(_name_of(kind))[:200]


def _message(error: BaseException) -> str:
    try:
        return _str.__str__(_str(error))[:MESSAGE_CHARACTERS]
    except BaseException:  # its own doing: a message that cannot be had
        return ""
