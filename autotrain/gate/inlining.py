"""Test functions turned into statements of the module, where that changes nothing about what they do.

A function is put in the place of its one call, with fresh names for its own. What could tell the difference
(a `return` in the middle, classes, generators, `global`, `locals()`, …) stays the function that it is.
"""

import ast
from collections import Counter
from collections.abc import Iterator

from autotrain.gate.names import SCOPES, children, facts_of, walk

# Through these a program sees names as text, or its scopes.
REFLECTING = frozenset(
    {"globals", "locals", "vars", "eval", "exec", "dir", "super", "__class__", "__name__", "__qualname__", "compile"}
)
_FORBIDDEN = (
    *(ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.ClassDef),
    *(ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Match),
)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def inlined(body: list[ast.stmt], code_names: set[str]) -> list[ast.stmt]:
    """The statements of the tests with what they call once put in place; `code_names` are the code's."""
    statements = list(_unguarded(body))
    facts = list(map(facts_of, statements))
    mentions = Counter(name for fact in facts for name in fact.mentioned)
    bound = Counter(name for fact in facts for name in fact.bound)
    functions: dict[str, tuple[ast.FunctionDef, set[str]]] = {}
    result: list[ast.stmt] = []
    for number, statement in enumerate(statements):
        if isinstance(statement, ast.FunctionDef):
            name = statement.name
            own = set(_own_names(statement))
            if (
                mentions[name] == 1
                and bound[name] == 1
                and name not in code_names
                and _is_plain(statement, own, code_names)
            ):
                functions[name] = statement, own
        called = _called(statement)
        if called is not None and called[0] in functions:
            function, own = functions[called[0]]
            if len(function.args.args) == len(called[1]):
                result = [other for other in result if other is not function]
                result += _placed(function, called[1], {name: f"_{number}_{name}" for name in own})
                continue
        result.append(statement)
    return result


def _unguarded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, with those under `if __name__ == "__main__":` as if they stood alone."""
    for statement in body:
        if (
            isinstance(statement, ast.If)
            and not statement.orelse
            and ast.unparse(statement.test) == "__name__ == '__main__'"
        ):
            yield from statement.body
        else:
            yield statement


def _called(statement: ast.stmt) -> tuple[str, list[ast.expr]] | None:
    """The function and the arguments of a statement that is a plain call."""
    if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Call):
        return None
    call = statement.value
    if not isinstance(call.func, ast.Name) or call.keywords or any(isinstance(a, ast.Starred) for a in call.args):
        return None
    return call.func.id, call.args


def _is_plain(function: ast.FunctionDef, own: set[str], code_names: set[str]) -> bool:
    """Whether nothing in the function depends on its being one; `own` are the names of its scope."""
    arguments = function.args
    special = (arguments.posonlyargs, arguments.kwonlyargs, arguments.defaults, arguments.vararg, arguments.kwarg)
    if function.decorator_list or any(special):
        return False
    inner = [node for node in walk(_body(function)) if isinstance(node, ast.FunctionDef)]
    returns = {id(node) for item in inner for node in walk([item]) if isinstance(node, ast.Return)}
    nested = False
    for node in walk(_body(function)):
        if isinstance(node, _FORBIDDEN) and id(node) not in returns:
            return False
        if isinstance(node, ast.alias) and ("." in node.name and node.asname is None):
            return False
        if isinstance(node, ast.Name) and node.id in REFLECTING:
            return False
        if isinstance(node, ast.Attribute) and node.attr in REFLECTING:
            return False
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            nested = nested or isinstance(node, ast.FunctionDef)
            # A comprehension's name in a scope of its own: too subtle to rename.
            if any(name in own for name in _comprehended(node)):
                return False
    return not (nested and code_names & {"__name__", "__qualname__"})


def _body(function: ast.FunctionDef) -> list[ast.stmt]:
    """The function's statements without its docstring and a bare `return` at the end."""
    body = function.body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    if body and isinstance(body[-1], ast.Return) and body[-1].value is None:
        body = body[:-1]
    return body


def _own_names(function: ast.FunctionDef | ast.Lambda) -> Iterator[str]:
    """The names of the function's own scope, its parameters among them."""
    arguments = function.args
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if argument is not None:
            yield argument.arg
    waiting: list[ast.AST] = list(function.body) if isinstance(function, ast.FunctionDef) else [function.body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, SCOPES):
            continue
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.alias):
            yield (node.asname or node.name).split(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        # What a comprehension counts by is its own.
        waiting.extend([node.iter, *node.ifs] if isinstance(node, ast.comprehension) else children(node))


def _comprehended(tree: ast.AST) -> Iterator[str]:
    for node in walk([tree]):
        if isinstance(node, _COMPREHENSIONS):
            for generator in node.generators:
                yield from (part.id for part in ast.walk(generator.target) if isinstance(part, ast.Name))


def _placed(function: ast.FunctionDef, values: list[ast.expr], names: dict[str, str]) -> list[ast.stmt]:
    """The function's body as statements of the module, its own names replaced."""
    given: list[ast.stmt] = [
        ast.Assign([ast.Name(names[argument.arg], ast.Store())], value, lineno=function.lineno)
        for argument, value in zip(function.args.args, values, strict=True)
    ]
    body = _body(function)
    nodes = list(walk(body))
    if any(isinstance(node, SCOPES) for node in nodes):
        renamer = _Renamer(names)
        return given + [renamer.visit(statement) for statement in body]
    for node in nodes:
        _rename(node, names)
    return given + body


def _rename(node: ast.AST, names: dict[str, str]) -> None:
    if isinstance(node, ast.Name):
        node.id = names.get(node.id, node.id)
    elif isinstance(node, ast.ExceptHandler) and node.name:
        node.name = names.get(node.name, node.name)
    elif isinstance(node, ast.alias):
        name = node.asname or node.name
        node.asname = names.get(name, node.asname)


class _Renamer(ast.NodeTransformer):
    """Gives the names of one scope their new ones, and leaves those that an inner scope has for itself."""

    def __init__(self, names: dict[str, str]) -> None:
        self.names = names

    def generic_visit(self, node: ast.AST) -> ast.AST:
        _rename(node, self.names)
        return super().generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.name = self.names.get(node.name, node.name)
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        node.returns = self.visit(node.returns) if node.returns else None
        self._visit_arguments(node.args)
        inner = self._inner(node)
        node.body = [inner.visit(statement) for statement in node.body]
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self._visit_arguments(node.args)
        node.body = self._inner(node).visit(node.body)
        return node

    def _visit_arguments(self, arguments: ast.arguments) -> None:
        """What is evaluated in the outer scope; the parameters' names stay."""
        self.generic_visit(arguments)

    def _inner(self, node: ast.FunctionDef | ast.Lambda) -> "_Renamer":
        taken = set(_own_names(node))
        return _Renamer({name: new for name, new in self.names.items() if name not in taken})
