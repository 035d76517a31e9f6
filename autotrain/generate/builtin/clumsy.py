"""Clumsy rewrites: the same behaviour, written the way a review would ask to clean up."""

import ast
import re

from autotrain.generate.builtin.dice import Dice

_TUPLE = r"\(((?:[^()\n]|\([^()\n]*\))*,(?:[^()\n]|\([^()\n]*\))*)\)"
_TARGETS = re.compile(rf"(^ *|\bfor ){_TUPLE}(?= = | in )|(?<= = ){_TUPLE}(?= = )", re.MULTILINE)


class Rewriter(ast.NodeTransformer):
    """Applies each rewrite where it fits, with a drawn probability, and counts them."""

    def __init__(self, dice: Dice, sequences: frozenset[str]) -> None:
        self.changes = 0
        self._dice = dice
        self._sequences = sequences
        self._habits = {name: dice.chance(0.75) for name in ("index", "augmented", "temporary", "truth", "nested",
                                                              "else", "length", "ternary", "listed")}  # fmt: skip
        self._serial = 0

    def _has(self, habit: str) -> bool:
        return self._habits[habit]

    def _fresh(self, stem: str) -> str:
        self._serial += 1
        return stem if self._serial == 1 else f"{stem}{self._serial}"

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if not self._has("augmented") or not isinstance(node.target, (ast.Name, ast.Attribute)):
            return node
        self.changes += 1
        left = ast.parse(ast.unparse(node.target), mode="eval").body
        return ast.Assign([node.target], ast.BinOp(left, node.op, node.value))

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        named = isinstance(node.iter, ast.Name) and node.iter.id in self._sequences
        if (
            not self._has("index")
            or not named
            or "i" in {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
        ):
            return node
        self.changes += 1
        source = ast.unparse(node.iter)
        first = ast.parse(f"{ast.unparse(node.target)} = {source}[i]").body[0]
        ranged = ast.parse(f"range(len({source}))", mode="eval").body
        return ast.For(ast.Name("i", ast.Store()), ranged, [first, *node.body], node.orelse)

    def visit_If(self, node: ast.If) -> ast.AST:
        self.generic_visit(node)
        if (
            self._has("nested")
            and not node.orelse
            and isinstance(node.test, ast.BoolOp)
            and isinstance(node.test.op, ast.And)
        ):
            self.changes += 1
            body = node.body
            for test in reversed(node.test.values):
                body = [ast.If(test, body, [])]
            return body[0]
        if self._has("truth") and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
            self.changes += 1
            node.test = ast.Compare(node.test, [ast.Eq()], [ast.Constant(True)])
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        operand = node.operand
        named = isinstance(operand, ast.Name) and operand.id in self._sequences
        if self._has("length") and isinstance(node.op, ast.Not) and named:
            self.changes += 1
            return ast.parse(f"len({ast.unparse(operand)}) == 0", mode="eval").body
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST | list[ast.stmt]:
        self.generic_visit(node)
        value = node.value
        if value is None or isinstance(value, (ast.Name, ast.Constant)):
            return node
        if self._has("truth") and is_truth(value):
            self.changes += 1
            return ast.If(value, [ast.Return(ast.Constant(True))], [ast.Return(ast.Constant(False))])
        if self._has("ternary") and isinstance(value, ast.IfExp):
            self.changes += 1
            return ast.If(value.test, [ast.Return(value.body)], [ast.Return(value.orelse)])
        if self._has("listed") and isinstance(value, ast.ListComp) and len(value.generators) == 1:
            self.changes += 1
            return self._unrolled(value)
        if self._has("temporary"):
            self.changes += 1
            name = self._fresh(self._dice.one(("answer", "temp", "ret", "final_value", "return_value")))
            return [ast.Assign([ast.Name(name, ast.Store())], value), ast.Return(ast.Name(name, ast.Load()))]
        return node

    def _unrolled(self, value: ast.ListComp) -> list[ast.stmt]:
        part = value.generators[0]
        name = self._fresh("new_list")
        body: list[ast.stmt] = ast.parse(f"{name}.append({ast.unparse(value.elt)})").body
        for test in reversed(part.ifs):
            body = [ast.If(test, body, [])]
        loop = ast.For(part.target, part.iter, body, [])
        return [*ast.parse(f"{name} = []").body, loop, *ast.parse(f"return {name}").body]

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        if self._has("else") and len(node.body) > 1:
            guard, rest = node.body[-2], node.body[-1]
            if isinstance(guard, ast.If) and not guard.orelse and isinstance(guard.body[-1], ast.Return):
                self.changes += 1
                node.body[-2:] = [ast.If(guard.test, guard.body, [rest])]
        return node


def is_truth(value: ast.expr) -> bool:
    """Whether the expression is a comparison or a combination of them, so that it gives a bool."""
    if isinstance(value, ast.BoolOp):
        return all(map(is_truth, value.values))
    return isinstance(value, ast.Compare) or (isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not))


def make_clumsy(dice: Dice, source: str, sequences: frozenset[str], fewest: int) -> str | None:
    """The rewritten source, None if fewer rewrites fit; `sequences` are the names of lists and strings."""
    rewriter = Rewriter(dice, sequences)
    tree = rewriter.visit(ast.parse(source))
    if rewriter.changes < fewest:
        return None
    text = ast.unparse(ast.fix_missing_locations(tree))
    # Python 3.10 and 3.13 differ in the parentheses around the targets of an assignment.
    return _TARGETS.sub(r"\1\2\3", text)
