"""Values that can be told from the syntax tree alone: of literals, and of a few operations and builtins on literals."""

import ast
import math
import operator
from collections.abc import Collection, Mapping
from typing import Any

from autotrain.gate.encoding import MAX_CHARACTERS, encode

# A value equal to a literal of this size has a text as well, whatever types its numbers are of.
MAX_LITERAL = MAX_CHARACTERS // 4
# What multiplying, raising to a power or going through a range may make of a short text.
MAX_BITS = 4096
MAX_WRITTEN = 10_000
MAX_ITEMS = 1000

_OPERATIONS: dict[type[ast.AST], Any] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
    ast.USub: operator.neg, ast.Not: operator.not_,
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Is: operator.is_, ast.IsNot: operator.is_not,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
_DISPLAYS: dict[type[ast.expr], Any] = {ast.Tuple: tuple, ast.List: list, ast.Set: set}
_TYPES = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range)
_BUILTINS: dict[str, Any] = {item.__name__: item for item in (*_TYPES, abs, isinstance, sorted)}
_MATH = frozenset({"e", "inf", "isclose", "pi", "sqrt"})


class NotLiteral(Exception):
    """The expression's value cannot be told without running it."""


def literal(node: ast.expr, known: Mapping[Any, Any], shadowed: Collection[str]) -> Any:
    """The value of an expression, as `evaluate`, if it is data.

    Raises NotLiteral where it is none, where it has no text (`encode`) or holds a NaN, which only its identity
    makes equal to anything.
    """
    try:
        value = evaluate(node, known, shadowed)
    except NotLiteral:
        raise
    except Exception as error:  # the expression fails: whoever runs it will see
        raise NotLiteral(type(error).__name__) from None
    text = encode(value)
    if text is None or len(text) > MAX_LITERAL or '"nan"' in text:
        raise NotLiteral
    return value


def is_immutable(value: Any) -> bool:
    """Whether nobody who gets hold of this literal can change it."""
    return all(map(is_immutable, value)) if isinstance(value, tuple) else not isinstance(value, list | dict | set)


def evaluate(node: ast.expr, known: Mapping[Any, Any], shadowed: Collection[str] = ()) -> Any:
    """The value of an expression, given the values of names and of parts (nodes) of it.

    Names that are `shadowed` are no builtins. Raises NotLiteral where more than literals and what is known is
    needed, and whatever the expression itself raises.
    """

    def of(part: ast.expr) -> Any:
        return evaluate(part, known, shadowed)

    if node in known:
        return known[node]
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name) if name in known:
            return known[name]
        case ast.Name(id=name) if name in _BUILTINS and name not in shadowed:
            return _BUILTINS[name]
        case ast.Attribute(value=ast.Name(id=name), attr=attribute) if known.get(name) is math and attribute in _MATH:
            return getattr(math, attribute)
        case ast.Tuple(elts=items) | ast.List(elts=items) | ast.Set(elts=items):
            return _DISPLAYS[type(node)](map(of, items))
        case ast.Dict(keys=keys, values=items) if None not in keys:
            return {of(key): of(item) for key, item in zip(keys, items, strict=True) if key is not None}
        case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATIONS:
            return _OPERATIONS[type(sign)](of(operand))
        case ast.BinOp(left=left, op=sign, right=right):
            return _computed(type(sign), of(left), of(right))
        case ast.Compare(left=left, ops=signs, comparators=others):
            operands = [of(left), *map(of, others)]
            return all(map(_compared, signs, operands, operands[1:]))
        case ast.Call(func=function, args=arguments, keywords=named):
            return _called(of(function), [*map(of, arguments)], {item.arg or "": of(item.value) for item in named})
    raise NotLiteral


def _computed(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """The result of an operation that is sure to be small."""
    if isinstance(left, int | float | complex) and isinstance(right, int | float | complex):
        bits = left.bit_length() * abs(right) if isinstance(left, int) and isinstance(right, int) else 0
        if kind in _OPERATIONS and not (kind is ast.Pow and bits > MAX_BITS):
            return _OPERATIONS[kind](left, right)
    elif kind is ast.Sub:
        return left - right
    elif kind is ast.Mult:
        number, items = (left, right) if isinstance(left, int) else (right, left)
        fits = isinstance(items, str | bytes | list | tuple) and len(repr(items)) * number <= MAX_WRITTEN
        # Of a list that holds lists, all of the result's would be the same ones.
        if fits and all(map(is_immutable, items)):
            return items * number
    raise NotLiteral


def _compared(sign: ast.cmpop, left: Any, right: Any) -> bool:
    if not isinstance(sign, ast.In | ast.NotIn):
        return bool(_OPERATIONS[type(sign)](left, right))
    if type(right) is range and type(left) not in (int, bool):
        # Python would go through all of the range, which may be endless for all purposes.
        found = type(left) is float and left.is_integer() and int(left) in right
    else:
        found = left in right
    return found == isinstance(sign, ast.In)


def _called(function: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
    # Of these few only bytes and ranges can give something much longer than what they are given; "" is for `**`.
    if "" in named or function is bytes or any(isinstance(item, range) and len(item) > MAX_ITEMS for item in arguments):
        raise NotLiteral
    return function(*arguments, **named)
