"""What one assert demands of one value: the assert with the value's place left open.

Of `assert 0 <= f(2) < 9` the part f(2) is the subject. A job evaluates it; `fulfils` puts what came back, data of
exact built-in types, in its place and evaluates the rest here, where the value cannot interfere.
"""

import ast
import builtins
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from autotrain.gate.literals import NotLiteral, evaluate, literal
from autotrain.gate.names import names_in

# Stands for the module pytest, which is never imported here.
PYTEST = object()
# What is known of what tests import.
IMPORTED: dict[str, Any] = {"math": math, "math.isclose": math.isclose, "pytest": PYTEST}


@dataclass(frozen=True)
class Condition:
    """What a value has to fulfil: `test` is true with it in the place of `subject`, given what the names stand for.

    needs_object: something that is no data may rightly fulfil it, and only its own code can say.
    """

    # Nodes equal nothing but themselves; what two checks of different tests differ in is their text.
    test: ast.expr = field(compare=False)
    subject: ast.expr = field(compare=False)
    names: dict[str, Any]
    needs_object: bool


@dataclass
class Scope:
    """What names stand for, at one place of the tests.

    known: literals, and what is in IMPORTED; subjects: what the code under test defines or has handed over;
    classes: those of its definitions that are nothing else; shadowed: names that are no builtins here.
    """

    known: dict[str, Any]
    subjects: set[str]
    classes: set[str]
    shadowed: set[str]

    def copy(self) -> "Scope":
        return replace(self, known=dict(self.known), subjects=set(self.subjects))

    def literal(self, node: ast.expr) -> Any:
        """The value of the expression; raises NotLiteral."""
        return literal(node, self.known, self.shadowed)

    def is_builtin(self, name: str) -> bool:
        return name not in self.shadowed and hasattr(builtins, name)

    def calls(self, node: ast.expr, function: Any) -> bool:
        """Whether the node is a call of this builtin, or of math.isclose."""
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in self.known or self.is_builtin(name):
                return self.known.get(name, getattr(builtins, name, None)) is function
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="isclose")):
                return function is math.isclose and self.known.get(name) is math
        return False


def fulfils(condition: Condition, value: Any) -> bool:
    """Whether a value of exact built-in types fulfils the condition; raises what the comparison raises."""
    return bool(evaluate(condition.test, {**condition.names, condition.subject: value}))


def read_condition(test: ast.expr, scope: Scope) -> Condition | None:
    """What `test` demands of the value of the one part of it that is no literal; None where it cannot be told apart."""
    inner = test
    while isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not):
        inner = inner.operand
    places = list(_places(inner, scope))
    unknown = [place for place in places if not _is_literal(place, scope)]
    subject = (unknown or places)[0]
    names = {name: scope.known[name] for name in names_in(test) & scope.known.keys()}
    if len(unknown) > 1 or _decides(subject) or not _is_portable(inner):
        return None
    if unknown and not _is_firm(test, inner, subject, scope):
        return None
    try:
        evaluate(test, {**names, subject: None}, scope.shadowed)
    except NotLiteral:
        return None
    except Exception:  # None stands for the value, and is less than nothing
        pass
    match inner:
        case ast.Compare(ops=[*_, ast.In() | ast.NotIn()], comparators=[*_, container]):
            needs_object = container is subject
        case ast.Compare():
            needs_object = False
        case _:
            needs_object = not scope.calls(inner, math.isclose)
    return Condition(test, subject, names, needs_object)


def _places(test: ast.expr, scope: Scope) -> Iterator[ast.expr]:
    """The parts of a test that could be its subject."""
    match test:
        case ast.Compare(left=left, comparators=[right, *_]):
            for operand in (left, right):
                match operand:
                    case ast.Call(args=[ast.BinOp(left=one, op=ast.Sub(), right=other)]) if scope.calls(operand, abs):
                        yield from (one, other)
                    case _:
                        yield operand
        case ast.Call(args=[one, other]) if scope.calls(test, math.isclose):
            yield from (one, other)
        case ast.Call(args=[one, _]) if scope.calls(test, isinstance):
            yield one
        case _:
            yield test


def _is_literal(node: ast.expr, scope: Scope) -> bool:
    try:
        scope.literal(node)
    except NotLiteral:
        return False
    return True


def _is_portable(test: ast.expr) -> bool:
    """Whether the test means the same for a copy of the value: identity is asked only of what there is one of."""
    match test:
        case (
            ast.Compare(left=ast.Constant(value=None | True | False), ops=[_])
            | ast.Compare(ops=[_], comparators=[ast.Constant(value=None | True | False)])
        ):
            return True
        case ast.Compare(ops=signs):
            return not any(isinstance(sign, ast.Is | ast.IsNot) for sign in signs)
    return True


def _is_firm(test: ast.expr, inner: ast.expr, subject: ast.expr, scope: Scope) -> bool:
    """Whether no object can pass by what it makes of being asked, without knowing what is expected.

    `inner` is the test without `not`.
    """
    if isinstance(inner, ast.Compare):
        if inner is test and all(isinstance(sign, ast.Eq | ast.Is | ast.In) for sign in inner.ops):
            return True
        while isinstance(subject, ast.Call) and subject.args and isinstance(subject.func, ast.Name):
            if not scope.is_builtin(subject.func.id):
                break
            subject = subject.args[0]
    return is_direct(subject, scope)


def is_direct(node: ast.expr, scope: Scope) -> bool:
    """Whether the value is what the code under test hands over, not what an object of it makes of a question."""
    match node:
        case ast.Name(id=name):
            return name in scope.subjects
        case ast.Attribute(value=owner) | ast.Subscript(value=owner):
            return is_direct(owner, scope)
        case ast.Call(func=function):
            while isinstance(function, ast.Attribute):
                function = function.value
            return isinstance(function, ast.Name) and function.id in scope.subjects
    return False


def _decides(node: ast.AST) -> bool:
    """Whether part of the decision would be taken where the expression is evaluated."""
    if isinstance(node, ast.Compare | ast.BoolOp | ast.Not):
        return True
    return not isinstance(node, ast.Lambda) and any(map(_decides, ast.iter_child_nodes(node)))
