"""What one assert demands of one value, told from the assert's syntax tree and decided where the value cannot
interfere: on data of exact built-in types."""

import ast
import builtins
import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from autotrain.gate.literals import NotLiteral, literal
from autotrain.gate.names import children

_TYPES: dict[str, type] = {
    kind.__name__: kind for kind in (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range)
}
_OPERATORS: dict[type[ast.cmpop], str] = {
    ast.Eq: "equal",
    ast.NotEq: "not_equal",
    ast.Is: "is",
    ast.IsNot: "is_not",
    ast.In: "in",
    ast.NotIn: "not_in",
    ast.Lt: "less",
    ast.LtE: "less_equal",
    ast.Gt: "greater",
    ast.GtE: "greater_equal",
}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "equal": operator.eq,
    "not_equal": operator.ne,
    "is": operator.is_,
    "is_not": operator.is_not,
    "in": lambda left, right: left in right,
    "not_in": lambda left, right: left not in right,
    "less": operator.lt,
    "less_equal": operator.le,
    "greater": operator.gt,
    "greater_equal": operator.ge,
}
_DISTANCES = ("abs", "math.fabs")
_NUMBER_TYPES = (bool, int, float, complex)


class _Hole:
    def __repr__(self) -> str:
        return "…"


# Where the value goes among the operands.
HOLE = _Hole()


@dataclass(frozen=True)
class Condition:
    """What a value has to fulfil.

    kind "compare": the chain `operands` joined by `operators` holds, with the value in place of HOLE, or its
    distance from `distance` where that is not None; "truth": it counts as true; "close": math.isclose to the
    operand with `tolerances`; "type": it is an instance of one of the operands, or (`exact`) of that very type;
    "constant": there is no value, `operands` holds whether it is fulfilled. `negated` turns all of them around.
    """

    kind: Literal["compare", "truth", "close", "type", "constant"]
    operands: tuple[Any, ...] = ()
    operators: tuple[str, ...] = ()
    distance: Any = None
    tolerances: tuple[tuple[str, float], ...] = ()
    exact: bool = False
    negated: bool = False

    @property
    def needs_object(self) -> bool:
        """Whether something that is no data may rightly fulfil it: then only its own code can say."""
        if self.kind in ("truth", "type"):
            return True
        pairs = zip(self.operators, self.operands[1:], strict=False)
        return self.kind == "compare" and any(name in ("in", "not_in") and right is HOLE for name, right in pairs)


@dataclass
class Scope:
    """What the names in an expression are known to be, at one place of the tests."""

    values: dict[str, Any] = field(default_factory=dict)
    shadowed: set[str] = field(default_factory=set)
    modules: dict[str, str] = field(default_factory=dict)
    subjects: set[str] = field(default_factory=set)

    def copy(self) -> "Scope":
        return Scope(dict(self.values), self.shadowed, dict(self.modules), set(self.subjects))

    def builtin(self, name: str) -> bool:
        return name not in self.shadowed and name not in self.values and hasattr(builtins, name)

    def function(self, node: ast.expr) -> str:
        """The full name of a builtin or an imported function, else ""."""
        if isinstance(node, ast.Name):
            return self.modules.get(node.id, node.id if self.builtin(node.id) else "")
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in self.modules:
            return f"{self.modules[node.value.id]}.{node.attr}"
        return ""

    def literal(self, node: ast.expr, named: bool = True) -> Any:
        return literal(node, self.values if named else {}, self.shadowed)


def read_condition(node: ast.expr, scope: Scope) -> tuple[Condition, ast.expr | None] | None:
    """What `node` demands, and of the value of which expression; None where it cannot be told apart.

    The expression is None for a constant.
    """
    negated = False
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node, negated = node.operand, not negated
    try:
        found: tuple[Condition, ast.expr | None] | None = _read_constant(node, scope, negated)
        if found is None and isinstance(node, ast.Compare):
            found = _read_type(node, scope, negated) or _read_chain(node, scope, negated)
        elif found is None and isinstance(node, ast.Call):
            found = _read_call(node, scope, negated)
    except NotLiteral:
        return None
    if found is None and is_direct(node, scope):
        found = Condition("truth", negated=negated), node
    if found is not None and found[1] is not None and _decides(found[1]):
        return None
    return found


def fulfils(condition: Condition, value: Any) -> bool:
    """Whether a value of exact built-in types fulfils the condition; raises what the comparison raises."""
    return _holds(condition, value) != condition.negated


def _holds(condition: Condition, value: Any) -> bool:
    kind, operands = condition.kind, condition.operands
    if kind == "constant":
        return bool(operands[0])
    if kind == "truth":
        return bool(value)
    if kind == "type":
        return type(value) in operands if condition.exact else isinstance(value, operands)
    if kind == "close":
        return math.isclose(value, operands[0], **dict(condition.tolerances))
    if condition.distance is not None:
        if type(value) not in _NUMBER_TYPES:
            raise TypeError(f"a {type(value).__name__} has no distance from a number")
        value = abs(value - condition.distance)
    filled = [value if operand is HOLE else operand for operand in operands]
    return all(
        _compared(name, left, right) for name, left, right in zip(condition.operators, filled, filled[1:], strict=False)
    )


def _compared(name: str, left: Any, right: Any) -> bool:
    if name in ("in", "not_in") and type(right) is range and type(left) not in (int, bool):
        # Python would go through all of the range, which may be endless for all purposes.
        whole = type(left) is float and left.is_integer()
        return (name == "in") == (whole and int(left) in right)
    return bool(_COMPARE[name](left, right))


# ---------------------------------------------------------------------------
# Reading


def _read_constant(node: ast.expr, scope: Scope, negated: bool) -> tuple[Condition, None] | None:
    try:
        return Condition("constant", (bool(scope.literal(node, named=False)),), negated=negated), None
    except NotLiteral:
        return None


def _read_chain(node: ast.Compare, scope: Scope, negated: bool) -> tuple[Condition, ast.expr | None] | None:
    nodes = [node.left, *node.comparators]
    operators = tuple(_OPERATORS[type(name)] for name in node.ops)
    hole = _hole(nodes, scope)
    if hole is None or hole > 1:
        return None
    operands = tuple(HOLE if i == hole else scope.literal(part) for i, part in enumerate(nodes))
    for position, name in enumerate(operators):
        pair = operands[position : position + 2]
        if name in ("is", "is_not") and not any(item is None or item is True or item is False for item in pair):
            return None
    subject, distance = _measured(nodes[hole], scope)
    computed = distance is None and isinstance(_inside(nodes[hole], scope), ast.BinOp | ast.UnaryOp)
    if computed and (negated or not set(operators) <= {"equal", "is", "in"}):
        return None  # an object's own arithmetic could come out as something small, whatever is asked
    return Condition("compare", operands, operators, distance, negated=negated), subject


def _hole(nodes: list[ast.expr], scope: Scope) -> int | None:
    """Which one of the operands is no literal; a name that stands for a literal counts as one if it has to."""
    for named in (False, True):
        unknown = [number for number, part in enumerate(nodes) if not _is_literal(part, scope, named)]
        if len(unknown) == 1:
            return unknown[0]
        if not unknown:
            return 0
    return None


def _is_literal(node: ast.expr, scope: Scope, named: bool) -> bool:
    try:
        scope.literal(node, named)
    except NotLiteral:
        return False
    return True


def _measured(node: ast.expr, scope: Scope) -> tuple[ast.expr, Any]:
    """For `abs(expression - literal)`, either way around, both of them; else the node and None."""
    if isinstance(node, ast.Call) and scope.function(node.func) in _DISTANCES and len(node.args) == 1:
        inner = node.args[0]
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Sub) and not node.keywords:
            hole = _hole([inner.left, inner.right], scope)
            if hole is not None:
                subject, other = (inner.left, inner.right) if hole == 0 else (inner.right, inner.left)
                distance = scope.literal(other)
                if type(distance) in _NUMBER_TYPES:
                    return subject, distance
    return node, None


def _inside(node: ast.expr, scope: Scope) -> ast.expr:
    """What builtin functions are called on."""
    while isinstance(node, ast.Call) and node.args and scope.function(node.func):
        node = node.args[0]
    return node


def _read_call(node: ast.Call, scope: Scope, negated: bool) -> tuple[Condition, ast.expr] | None:
    function = scope.function(node.func)
    if len(node.args) != 2:
        return None
    if function == "isinstance" and not node.keywords:
        kinds = _types(node.args[1], scope)
        return (Condition("type", kinds, negated=negated), node.args[0]) if kinds else None
    if function == "math.isclose":
        tolerances = []
        for keyword in node.keywords:
            amount = scope.literal(keyword.value)
            if keyword.arg not in ("rel_tol", "abs_tol") or type(amount) not in (int, float):
                return None
            tolerances.append((keyword.arg, float(amount)))
        hole = _hole(node.args, scope)
        if hole is not None:
            other = scope.literal(node.args[1 - hole])
            return Condition("close", (other,), tolerances=tuple(tolerances), negated=negated), node.args[hole]
    return None


def _read_type(node: ast.Compare, scope: Scope, negated: bool) -> tuple[Condition, ast.expr] | None:
    """`type(expression) is T`, also with `is not`, `==` and `!=`."""
    call = node.left
    if len(node.ops) != 1 or not isinstance(call, ast.Call) or scope.function(call.func) != "type":
        return None
    name = _OPERATORS[type(node.ops[0])]
    kinds = _types(node.comparators[0], scope)
    if len(kinds) != 1 or len(call.args) != 1 or name not in ("is", "is_not", "equal", "not_equal"):
        return None
    return Condition("type", kinds, exact=True, negated=negated != (name in ("is_not", "not_equal"))), call.args[0]


def _types(node: ast.expr, scope: Scope) -> tuple[type, ...]:
    """The builtin types that a name, a tuple of names or `a | b` means; empty if it is anything else."""
    if isinstance(node, ast.Name) and scope.builtin(node.id) and node.id in _TYPES:
        return (_TYPES[node.id],)
    parts: list[ast.expr] = []
    if isinstance(node, ast.Tuple):
        parts = node.elts
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        parts = [node.left, node.right]
    found = [_types(part, scope) for part in parts]
    return tuple(kind for kinds in found for kind in kinds) if all(found) else ()


def is_direct(node: ast.expr, scope: Scope) -> bool:
    """Whether the value is what the code under test hands over, untouched by anything it could lie to."""
    if isinstance(node, ast.Name):
        return node.id in scope.subjects
    if isinstance(node, ast.Attribute | ast.Subscript):
        return is_direct(node.value, scope)
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Name):
        return node.func.id in scope.subjects
    return isinstance(node.func, ast.Attribute) and _is_owner(node.func.value, scope)


def _is_owner(node: ast.expr, scope: Scope) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and is_direct(node, scope)


def _decides(node: ast.expr) -> bool:
    """Whether part of the decision would be taken where the expression is evaluated."""
    waiting: list[ast.AST] = [node]
    while waiting:
        part = waiting.pop()
        if isinstance(part, ast.Compare | ast.BoolOp) or (
            isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.Not)
        ):
            return True
        if not isinstance(part, ast.Lambda):
            waiting += children(part)
    return False
