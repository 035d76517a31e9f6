"""Values that can be told from the syntax tree alone: literals, and arithmetic and a few builtins of literals."""

import ast
import operator
from collections.abc import Callable, Collection, Mapping
from typing import Any

from autotrain.gate.encoding import MAX_CHARACTERS, encode

# A value equal to a literal of this size has a text as well, whatever types its numbers are of.
MAX_LITERAL = MAX_CHARACTERS // 4
MAX_BITS = 4096
MAX_ITEMS = 4096

_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_SIGNS: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
_NUMBERS = (bool, int, float, complex)
_SEQUENCES = (str, bytes, list, tuple)
_COLLECTING: dict[str, Callable[[Any], Any]] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "sorted": sorted,
    "dict": dict,
}
_SCALAR: dict[str, Callable[[Any], Any]] = {"float": float, "int": int, "str": str, "bool": bool, "abs": abs}


class NotLiteral(Exception):
    """The expression's value cannot be told without running it."""


def literal(node: ast.expr, names: Mapping[str, Any], shadowed: Collection[str] = ()) -> Any:
    """The value of an expression that holds no other names than `names` and builtins that are not `shadowed`.

    Raises NotLiteral where that cannot be told, where the value has no text (`encode`) or holds a NaN, which
    only its identity makes equal to anything.
    """
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    try:
        value = _value(node, names, shadowed)
    except NotLiteral:
        raise
    except Exception as error:  # the expression fails: whoever runs it will see
        raise NotLiteral(type(error).__name__) from None
    text = encode(value)
    if text is None or len(text) > MAX_LITERAL or '"nan"' in text:
        raise NotLiteral
    return value


def _value(node: ast.expr, names: Mapping[str, Any], shadowed: Collection[str]) -> Any:
    def of(part: ast.expr) -> Any:
        return _value(part, names, shadowed)

    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in names:
        return names[node.id]
    if isinstance(node, ast.Tuple):
        return tuple(map(of, node.elts))
    if isinstance(node, ast.List):
        return list(map(of, node.elts))
    if isinstance(node, ast.Set):
        return set(map(of, node.elts))
    if isinstance(node, ast.Dict) and None not in node.keys:
        return {of(key): of(value) for key, value in zip(node.keys, node.values, strict=True) if key is not None}
    if isinstance(node, ast.UnaryOp) and type(node.op) in _SIGNS:
        operand = of(node.operand)
        if type(operand) in _NUMBERS:
            return _SIGNS[type(node.op)](operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _arithmetic(type(node.op), of(node.left), of(node.right))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.keywords:
        if node.func.id in shadowed or node.func.id in names:
            raise NotLiteral
        return _call(node.func.id, [of(argument) for argument in node.args])
    raise NotLiteral


def _arithmetic(kind: type[ast.operator], left: Any, right: Any) -> Any:
    """The result of an operation that is sure to be small."""
    if type(left) in _NUMBERS and type(right) in _NUMBERS:
        bits = max(_bits(left), _bits(right))
        if kind is ast.Pow and type(right) is int:
            bits = _bits(left) * abs(right)
        if bits <= MAX_BITS:
            return _ARITHMETIC[kind](left, right)
    elif kind is ast.Add and type(left) is type(right) and type(left) in _SEQUENCES:
        return left + right
    elif kind is ast.Mult:
        number, items = (left, right) if type(left) is int else (right, left)
        if type(number) is int and type(items) in _SEQUENCES and len(items) * number <= MAX_CHARACTERS:
            return items * number
    raise NotLiteral


def _bits(number: complex) -> int:
    return number.bit_length() if isinstance(number, int) else 1


def _call(name: str, arguments: list[Any]) -> Any:
    if name == "range" and arguments and all(type(number) is int for number in arguments):
        return range(*arguments)
    if name in _COLLECTING and len(arguments) <= 1:
        items = arguments[0] if arguments else ()
        if hasattr(items, "__len__") and len(items) <= MAX_ITEMS:
            return _COLLECTING[name](items)
    if name in _SCALAR and len(arguments) == 1 and type(arguments[0]) in (*_NUMBERS, str):
        return _SCALAR[name](arguments[0])
    raise NotLiteral
