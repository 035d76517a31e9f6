"""Tests that demand an exception: what is run, and which classes will do."""

import ast
import builtins

from autotrain.gate.checks import PYTEST, Scope

# Handlers of these would catch the failure of a test that has it inside its `try`.
_FAILURES = {"AssertionError", "Exception", "BaseException"}


def read_raising(node: ast.stmt, scope: Scope) -> tuple[list[ast.stmt], tuple[str, ...]] | None:
    """The statements of which one has to raise, and the names of the classes of which it has to be one.

    None where `node` demands anything else or more than that, or where it is not sure what a class is.
    """
    too_wide: set[str] = set()
    match node:
        case ast.With(items=[ast.withitem(context_expr=call, optional_vars=None)], body=body):
            kind = _class_that_raises_takes(call, scope)
        case ast.Try(
            body=[*body, last], handlers=[ast.ExceptHandler(type=kind, body=[ast.Pass()])], orelse=[], finalbody=[]
        ) if _is_failure(last):
            too_wide = _FAILURES
        case ast.Try(
            body=body, handlers=[ast.ExceptHandler(type=kind, body=[ast.Pass()])], orelse=[last], finalbody=[]
        ) if _is_failure(last):
            pass
        case _:
            return None
    names = _class_names(kind, scope)
    asserts = any(isinstance(part, ast.Assert) for statement in body for part in ast.walk(statement))
    return (body, names) if body and names and not asserts and too_wide.isdisjoint(names) else None


def _class_that_raises_takes(call: ast.expr, scope: Scope) -> ast.expr | None:
    match call:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="raises"), args=[kind], keywords=[]):
            return kind if scope.known.get(name) is PYTEST else None
    return None


def _is_failure(node: ast.stmt) -> bool:
    """Whether the statement does nothing but fail the test."""
    match node:
        case ast.Assert(test=ast.Constant(value=value)):
            return not value
        case ast.Raise(exc=ast.Name(id="AssertionError") | ast.Call(func=ast.Name(id="AssertionError"))):
            return True
        case ast.Expr(value=ast.Call(func=ast.Attribute(value=ast.Name(id="pytest"), attr="fail"))):
            return True
    return False


def _class_names(node: ast.expr | None, scope: Scope) -> tuple[str, ...]:
    """The names of the classes that an expression names; empty where one of them is not sure to be what it seems."""
    parts = node.elts if isinstance(node, ast.Tuple) else [node]
    found = []
    for part in parts:
        name = part.id if isinstance(part, ast.Name) else ""
        kind = getattr(builtins, name, None) if scope.is_builtin(name) else None
        if isinstance(kind, type) and issubclass(kind, BaseException):
            found.append(kind.__name__)
        elif name in scope.classes:
            found.append(name)
    return tuple(found) if len(found) == len(parts) else ()
