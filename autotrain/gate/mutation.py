"""Planted bugs: small edits of a source text, found in its syntax tree.

An operator looks at one node and yields edits. Edits change the text in place, so that layout and line
numbers stay as they were and the line of the bug is the line of the edit. Who wants bugs says in which
order to take them: the builtin teacher by its dice, the gate by the source itself (`mutants_of`).
"""

import ast
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from autotrain.gate.program import Problem, parse, tree_of

# How many mutants a sample lists at most.
MAX_LISTED = 3

# All of the items, in an order of the caller's.
Shuffle = Callable[[list[Any]], list[Any]]

_LINE = re.compile(r".*?(?:\r\n|\r|\n)|.+", re.DOTALL)
_LARGEST = 10**18


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
    """A source, which parses, with its syntax tree and the offsets of its lines."""

    def __init__(self, source: str, tree: ast.Module | None = None) -> None:
        self.source = source
        self.tree = tree or tree_of(source)
        # Lines as the parser counts them: other separators, such as a form feed, end none.
        self._lines = _LINE.findall(source)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def _offset(self, line: int, column: int) -> int:
        """The index in the source of a place in the tree, whose columns count bytes of UTF-8."""
        text = self._lines[line - 1]
        if not text.isascii():
            column = len(text.encode()[:column].decode())
        return self._starts[line - 1] + column

    def span(self, node: Any) -> tuple[int, int]:
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def of(self, node: ast.AST) -> str:
        start, end = self.span(node)
        return self.source[start:end]

    def lines(self, node: Any) -> tuple[int, int]:
        """The span of the node's whole lines, line end included."""
        return self._starts[node.lineno - 1], self._starts[node.end_lineno]

    def between(self, left: ast.AST, right: ast.AST) -> tuple[int, int]:
        return self.span(left)[1], self.span(right)[0]

    def replaced(self, operator: str, node: Any, text: str, message: str, severity: str = "high") -> Edit:
        start, end = self.span(node)
        return Edit(operator, start, end, text, node.lineno, message, severity)


# ---------------------------------------------------------------------------
# The operators

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
            left, right = operands[index : index + 2]
            yield from _symbol(text, left, right, old, table[old], operator, f"The comparison {says}.")


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
    if isinstance(node, ast.Constant) and type(node.value) is int and node.value < _LARGEST:
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
        says = f"`{text.of(node.targets[0])}` starts from the wrong value: {new} should be {text.of(node.value)}."
        yield text.replaced("initial", node.value, new, says)


def dropped(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, (ast.For, ast.While, ast.If, ast.FunctionDef)) and len(node.body) > 1:
        for statement in node.body:
            if isinstance(statement, (ast.AugAssign, ast.Assign, ast.Expr)) and not _is_docstring(statement):
                start, end = text.lines(statement)
                yield Edit("dropped", start, end, "", 0, "A statement is missing.")


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def base_case(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.FunctionDef):
        for statement in node.body[:-1]:
            if isinstance(statement, ast.If) and isinstance(statement.body[-1], (ast.Return, ast.Raise)):
                start, end = text.lines(statement)
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
        kept = text.source[end_of_arguments:start]
        says = f"The default `{name}={value}` is created once and shared by all calls."
        yield Edit("mutable_default", end_of_arguments, end, f", {name}={value}{kept}", node.lineno, says)


def bounds(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range" and node.args:
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
    if isinstance(node, ast.AugAssign) and type(node.op) in _SYMBOLS:
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


def returned(text: Text, node: ast.AST) -> Iterator[Edit]:
    if isinstance(node, ast.Return) and node.value is not None and text.of(node.value) != "None":
        start, end = text.span(node.value)
        gap = " " if text.source[start - 1].isalnum() else ""  # `return[1]`
        yield Edit("returned", start, end, f"{gap}None", node.lineno, "The result is not returned.")


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
# What only the gate looks for: a bug too plain to be planted, and the teacher's draws stay what they are.
GATE_OPERATORS = {**OPERATORS, ast.Return: (returned,)}


# ---------------------------------------------------------------------------
# Finding them


def find_edits(
    text: Text,
    visible: bool,
    shuffle: Shuffle,
    operators: Mapping[type[ast.AST], tuple[Operator, ...]] = OPERATORS,
) -> list[Edit]:
    """All edits of the source, one of each operator first, then a second of each, and so on.

    `visible` leaves out those that remove something, for they have no line to point at.
    """
    found: dict[str, list[Edit]] = {}
    for node in _nodes(text.tree):
        for operator in operators.get(type(node), ()):
            for edit in operator(text, node):
                if edit.line or not visible:
                    found.setdefault(edit.operator, []).append(edit)
    groups = [shuffle(group) for group in shuffle(list(found.values()))]
    deepest = max(map(len, groups), default=0)
    return [group[depth] for depth in range(deepest) for group in groups if depth < len(group)]


def mutants_of(source: str, most: int) -> list[str]:
    """Up to `most` different versions of the source with one planted bug each, the same ones every time.

    Empty where the source does not parse. Nothing says that a bug shows: some may behave like the source.
    """
    tree = parse(source)
    shape = _shape(tree)
    if isinstance(tree, Problem) or shape is None:
        return []
    dice = random.Random(source)
    edits = find_edits(Text(source, tree), False, lambda items: dice.sample(items, len(items)), GATE_OPERATORS)
    mutants: dict[str, None] = {}
    for edit in edits[: 4 * most]:
        mutant = edit.apply(source)
        # A change of nothing but a comment is none.
        if len(mutants) < most and _shape(parse(mutant)) not in (None, shape):
            mutants[mutant] = None
    return list(mutants)


def _shape(tree: ast.Module | Problem) -> str | None:
    """What two sources have in common that differ in comments and layout only."""
    try:
        return None if isinstance(tree, Problem) else ast.dump(tree)
    except (RecursionError, ValueError):  # too deep, or a number too long to be shown
        return None


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """ast.walk, and faster, without what is in f-strings, whose places Python tells right only from 3.12 on."""
    waiting: list[ast.AST] = [tree]
    for node in waiting:
        yield node
        if isinstance(node, ast.JoinedStr):
            continue
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list):
                waiting += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                waiting.append(value)
