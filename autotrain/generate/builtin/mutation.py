"""Planted bugs: small edits of a source text, found in its syntax tree.

An operator looks at one node and yields edits. Edits change the text in place, so that layout and line
numbers stay as they were and the line of the bug is the line of the edit.
"""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autotrain.generate.builtin.dice import Dice


@dataclass(frozen=True)
class Edit:
    """Replace source[start:end] by `text`; `line` is where a reader sees it, 0 where something is missing."""

    operator: str
    start: int
    end: int
    text: str
    line: int
    message: str
    severity: str = "high"

    def apply(self, source: str) -> str:
        return source[: self.start] + self.text + source[self.end :]


class Text:
    """A source with its syntax tree and the offsets of its lines. The source has to be ASCII."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.tree = ast.parse(source)
        self._starts = [0]
        for line in source.splitlines(keepends=True):
            self._starts.append(self._starts[-1] + len(line))

    def span(self, node: Any) -> tuple[int, int]:
        start = self._starts[node.lineno - 1] + int(node.col_offset)
        return start, self._starts[node.end_lineno - 1] + int(node.end_col_offset)

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def lines(self, node: Any) -> tuple[int, int]:
        """The span of the node's whole lines, indentation excluded, line end included."""
        return self.span(node)[0], self._starts[node.end_lineno]

    def between(self, left: ast.AST, right: ast.AST) -> tuple[int, int]:
        return self.span(left)[1], self.span(right)[0]

    def replaced(self, operator: str, node: Any, text: str, message: str, severity: str = "high") -> Edit:
        start, end = self.span(node)
        return Edit(operator, start, end, text, node.lineno, message, severity)


_SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.In: "in",
    ast.NotIn: "not in", ast.Is: "is", ast.IsNot: "is not", ast.Add: "+", ast.Sub: "-", ast.Mult: "*",
    ast.FloorDiv: "//", ast.Mod: "%", ast.Div: "/", ast.Pow: "**",
}  # fmt: skip
_BOUNDARY = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "!=", "!=": "==", "in": "not in", "not in": "in",
            "is": "is not", "is not": "is"}  # fmt: skip
_SWAPPED = {"+": "-", "-": "+", "*": "+", "//": "/", "%": "//", "/": "//", "**": "*"}
# No `sorted` here: the order of a set of strings changes from process to process.
_NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "upper": "lower", "lower": "upper",
    "startswith": "endswith", "endswith": "startswith", "append": "extend", "isupper": "islower",
    "islower": "isupper", "keys": "values", "values": "keys", "isdigit": "isalpha", "isalpha": "isdigit",
    "sum": "len", "len": "sum", "intersection": "union", "lstrip": "rstrip", "rstrip": "lstrip",
    "popleft": "pop", "month": "day", "day": "month", "isalnum": "isalpha", "find": "rfind",
}  # fmt: skip


def boundary(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        yield from _comparison(
            text, node, _BOUNDARY, "boundary", "is off by one: it uses `{new}` where `{old}` is needed"
        )


def flipped(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Compare):
        yield from _comparison(text, node, _FLIPPED, "flipped", "is the wrong way round: `{new}` should be `{old}`")


def _comparison(text: Text, node: ast.Compare, table: dict[str, str], operator: str, says: str) -> Iterator[Edit]:
    operands = [node.left, *node.comparators]
    for index, kind in enumerate(node.ops):
        old = _SYMBOLS[type(kind)]
        if old in table:
            yield from _symbol(text, operands[index], operands[index + 1], old, table[old], operator,
                               "The comparison " + says + ".")  # fmt: skip


def arithmetic(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, (ast.BinOp, ast.AugAssign)):
        old = _SYMBOLS.get(type(node.op), "")
        left, right = (node.left, node.right) if isinstance(node, ast.BinOp) else (node.target, node.value)
        if old in _SWAPPED and not isinstance(right, ast.List):
            says = "The wrong arithmetic operator is used: `{new}` should be `{old}`."
            yield from _symbol(text, left, right, old, _SWAPPED[old], "arithmetic", says)


def _symbol(text: Text, left: ast.AST, right: ast.AST, old: str, new: str, operator: str, says: str) -> Iterator[Edit]:
    start, end = text.between(left, right)
    gap = text.source[start:end]
    at = gap.find(f" {old}")
    if at >= 0:
        start += at + 1
        line = text.source.count("\n", 0, start) + 1
        yield Edit(operator, start, start + len(old), new, line, says.replace("{new}", new).replace("{old}", old))


def constant(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        for new in (node.value + 1, node.value - 1):
            if new >= 0:
                says = f"The constant is wrong: {new} should be {node.value}."
                yield text.replaced("constant", node, str(new), says, "medium")


def truth(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        says = f"The boolean is wrong: {not node.value} should be {node.value}."
        yield text.replaced("truth", node, str(not node.value), says)


def connective(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        says = "The conditions are combined with `{new}` where `{old}` is needed."
        yield from _symbol(text, node.values[0], node.values[1], old, new, "connective", says)


def negation(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, (ast.If, ast.IfExp, ast.While)):
        test = node.test
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            yield text.replaced("negation", test, text.of(test.operand), "The condition lacks a `not`.")
        elif not isinstance(test, ast.Compare):
            yield text.replaced("negation", test, f"not ({text.of(test)})", "The condition is negated by mistake.")


def initial(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and type(node.value.value) is int:
        new = {0: "1", 1: "0"}.get(node.value.value, "0")
        says = f"`{text.of(node.targets[0])}` starts from the wrong value: {new} should be {node.value.value}."
        yield text.replaced("initial", node.value, new, says)


def dropped(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, (ast.For, ast.While, ast.If, ast.FunctionDef)) and len(node.body) > 1:
        for statement in node.body:
            if isinstance(statement, (ast.AugAssign, ast.Assign, ast.Expr)) and not _is_docstring(statement):
                start, end = text.lines(statement)
                start = text.source.rfind("\n", 0, start) + 1
                yield Edit("dropped", start, end, "", 0, "A statement is missing.")


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def base_case(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.FunctionDef):
        for statement in node.body[:-1]:
            if isinstance(statement, ast.If) and isinstance(statement.body[-1], (ast.Return, ast.Raise)):
                start, end = text.lines(statement)
                start = text.source.rfind("\n", 0, start) + 1
                yield Edit("base_case", start, end, "", 0, "A case that has to be handled first is missing.")


def arguments(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords:
        first, second = map(text.of, node.args)
        start, end = text.span(node.args[0])[0], text.span(node.args[1])[1]
        if first != second and not isinstance(node.args[0], ast.GeneratorExp):
            says = f"The arguments of `{text.of(node.func)}` are in the wrong order."
            yield Edit("arguments", start, end, f"{second}, {first}", node.lineno, says)


def operands(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Sub, ast.FloorDiv, ast.Mod, ast.Div)):
        left, right = node.left, node.right
        if all(isinstance(item, (ast.Name, ast.Constant, ast.Call, ast.Subscript)) for item in (left, right)):
            sign = _SYMBOLS[type(node.op)]
            says = f"The operands of `{sign}` are swapped."
            yield text.replaced("operands", node, f"{text.of(right)} {sign} {text.of(left)}", says)


def mutable_default(text: Text, node: ast.AST) -> Iterator[Edit]:
    if not isinstance(node, ast.FunctionDef) or not node.args.args or node.args.defaults or len(node.body) < 2:
        return
    if node.args.args[0].arg == "self":
        return
    first = node.body[0]
    if isinstance(first, ast.Assign) and isinstance(first.value, (ast.List, ast.Dict)):
        name, value = text.of(first.targets[0]), text.of(first.value)
        end_of_arguments = text.span(node.args.args[-1])[1]
        start, end = text.lines(first)
        kept = text.source[end_of_arguments : text.source.rfind("\n", 0, start) + 1]
        says = f"The default `{name}={value}` is created once and shared by all calls."
        yield Edit("mutable_default", end_of_arguments, end, f", {name}={value}{kept}", node.lineno, says)


def bounds(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range":
        stop = node.args[min(1, len(node.args) - 1)]
        says = "The range is off by one at its end."
        old = text.of(stop)
        yield text.replaced("bounds", stop, old[:-4] if old.endswith(" + 1") else f"{old} - 1", says)
        if isinstance(stop, ast.Name):
            yield text.replaced("bounds", stop, f"{old} + 1", says)


def slices(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, (ast.Name, ast.Constant)):
        old = text.of(node.slice)
        if isinstance(node.slice, ast.Name) and len(old) == 1:
            yield text.replaced("slices", node.slice, f"{old} - 1", "The index is off by one.")


def called(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
        old = node.id if isinstance(node, ast.Name) else node.attr
        if old in _NAMES:
            end = text.span(node)[1]
            says = f"`{_NAMES[old]}` is used where `{old}` is needed."
            yield Edit("called", end - len(old), end, _NAMES[old], node.end_lineno or node.lineno, says)


def early_return(text: Text, node: ast.AST) -> Iterator[Edit]:
    if not isinstance(node, ast.FunctionDef) or len(node.body) < 2:
        return
    loop, last = node.body[-2:]
    if isinstance(last, ast.Return) and isinstance(loop, (ast.For, ast.While)):
        start = text.span(last)[0]
        says = "The `return` is indented too far: it ends the loop in its first pass."
        yield Edit("early_return", start, start, "    ", last.lineno, says)


def lost_update(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.AugAssign):
        start, end = text.between(node.target, node.value)
        says = f"`{text.of(node.target)}` is overwritten: `=` should be `{_SYMBOLS[type(node.op)]}=`."
        yield Edit("lost_update", start, end, " = ", node.lineno, says)


def order(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Call):
        for item in node.keywords:
            if item.arg == "key":
                start = text.source.rfind(",", 0, text.span(item)[0])
                if start > text.span(node)[0]:
                    says = "The `key` argument is missing."
                    yield Edit("order", start, text.span(item)[1], "", node.lineno, says, "medium")


def exit_loop(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, (ast.Break, ast.Continue)):
        old, new = ("break", "continue") if isinstance(node, ast.Break) else ("continue", "break")
        yield text.replaced("exit_loop", node, new, f"`{new}` is used where `{old}` is needed.")


Operator = Callable[[Text, Any], Iterator[Edit]]
OPERATORS: dict[type[ast.AST], tuple[Operator, ...]] = {
    ast.Compare: (boundary, flipped),
    ast.BinOp: (arithmetic, operands),
    ast.AugAssign: (arithmetic, lost_update),
    ast.Constant: (constant, truth),
    ast.BoolOp: (connective,),
    ast.If: (negation, dropped),
    ast.IfExp: (negation,),
    ast.While: (negation, dropped),
    ast.For: (dropped,),
    ast.Assign: (initial,),
    ast.FunctionDef: (dropped, base_case, mutable_default, early_return),
    ast.Call: (arguments, bounds, order),
    ast.Subscript: (slices,),
    ast.Name: (called,),
    ast.Attribute: (called,),
    ast.Break: (exit_loop,),
    ast.Continue: (exit_loop,),
}


def find_edits(dice: Dice, text: Text, visible: bool) -> list[Edit]:
    """All edits of the source in a random order that mixes the operators.

    `visible` leaves out those that remove something, for they have no line to point at.
    """
    found: dict[str, list[Edit]] = {}
    for node in ast.walk(text.tree):
        for operator in OPERATORS.get(type(node), ()):
            for edit in operator(text, node):
                if edit.line or not visible:
                    found.setdefault(edit.operator, []).append(edit)
    groups = [dice.some(group, len(group)) for group in dice.some(list(found.values()), len(found))]
    deepest = max(map(len, groups), default=0)
    return [group[depth] for depth in range(deepest) for group in groups if depth < len(group)]
