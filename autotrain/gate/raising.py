"""Tests that demand an exception: what is run, which classes will do, and what its message has to be."""

import ast
import builtins
from dataclasses import dataclass

from autotrain.gate.checks import Condition, Scope, read_condition

# What a failing `assert` or a call of `fail` inside the `try` would itself raise.
_FAILURE_PARENTS = {"AssertionError", "Exception", "BaseException", "Failed"}


@dataclass(frozen=True)
class Expected:
    """`body` has to raise one of the classes named, with a message (`str(error)`) that fulfils `messages`."""

    body: list[ast.stmt]
    names: tuple[str, ...]
    messages: tuple[Condition, ...] = ()


def read_raising(node: ast.stmt, scope: Scope, classes: set[str]) -> Expected | None:
    """What a `try` or a `with raises(…)` demands; None where it is anything else or too subtle.

    `classes` are those that the code or the tests define, once.
    """
    if isinstance(node, ast.With):
        return _read_with(node, scope, classes)
    if isinstance(node, ast.Try):
        return _read_try(node, scope, classes)
    return None


def _read_with(node: ast.With, scope: Scope, classes: set[str]) -> Expected | None:
    call = node.items[0].context_expr
    if len(node.items) != 1 or node.items[0].optional_vars is not None or not isinstance(call, ast.Call):
        return None
    if scope.function(call.func) != "pytest.raises" or len(call.args) != 1 or call.keywords:
        return None
    names = _class_names(call.args[0], scope, classes)
    return Expected(node.body, names) if names and not _asserts(node.body) else None


def _read_try(node: ast.Try, scope: Scope, classes: set[str]) -> Expected | None:
    body = node.body
    inner = len(body) > 1 and is_failure(body[-1])
    if inner:
        body = body[:-1]
    if node.finalbody or not node.handlers or _asserts(body):
        return None
    if not inner and not (node.orelse and is_failure(node.orelse[0])):
        return None
    names: tuple[str, ...] = ()
    messages: tuple[Condition, ...] = ()
    handlers = list(node.handlers)
    while len(handlers) > 1 and is_failure(handlers[-1].body[0]):
        handlers.pop()  # whatever else is raised is a failure either way
    for handler in handlers:
        found = _class_names(handler.type, scope, classes)
        demanded = _messages(handler, scope)
        if not found or demanded is None or (demanded and len(handlers) > 1):
            return None
        names, messages = names + found, messages + demanded
    if inner and _FAILURE_PARENTS & set(names):
        return None  # it would catch its own failure
    return Expected(body, names, messages)


def is_failure(node: ast.stmt) -> bool:
    """Whether the statement does nothing but fail the test."""
    if isinstance(node, ast.Assert):
        return isinstance(node.test, ast.Constant) and not node.test.value
    if isinstance(node, ast.Raise):
        raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return isinstance(raised, ast.Name) and raised.id == "AssertionError"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        function = node.value.func
        return isinstance(function, ast.Attribute) and ast.unparse(function) == "pytest.fail"
    return False


def _asserts(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Assert) for statement in body for node in ast.walk(statement))


def _class_names(node: ast.expr | None, scope: Scope, classes: set[str]) -> tuple[str, ...]:
    """The names of the classes that an `except` names; empty where one of them is not sure to be what it seems."""
    if node is None:
        return ("BaseException",)
    if isinstance(node, ast.Tuple):
        found = [_class_names(part, scope, classes) for part in node.elts]
        return tuple(name for names in found for name in names) if all(found) else ()
    if not isinstance(node, ast.Name):
        return ()
    if node.id in classes:
        return (node.id,)
    kind = getattr(builtins, node.id, None) if scope.builtin(node.id) else None
    return (kind.__name__,) if isinstance(kind, type) and issubclass(kind, BaseException) else ()


def _messages(handler: ast.ExceptHandler, scope: Scope) -> tuple[Condition, ...] | None:
    """What the handler asserts of the message; None where it does anything else."""
    found = []
    wanted = f"str({handler.name})"
    for statement in handler.body:
        if isinstance(statement, ast.Pass) or _is_constant(statement):
            continue
        read = read_condition(statement.test, scope) if isinstance(statement, ast.Assert) else None
        if read is None or read[1] is None or ast.unparse(read[1]) != wanted or not scope.builtin("str"):
            return None
        found.append(read[0])
    return tuple(found)


def _is_constant(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
