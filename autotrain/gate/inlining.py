"""Test functions turned into statements of the module, where that changes nothing about what they do.

A function is put in the place of its one call, with fresh names for its own. What could tell the difference
(a `return`, functions inside it, `global`, `locals()`, …) stays the function that it is.
"""

import ast
from collections import Counter
from collections.abc import Collection, Iterator

from autotrain.gate.names import bound_by, facts_of, walk

# Through these a program sees names as text, or its scopes.
REFLECTING = frozenset(
    {"globals", "locals", "vars", "eval", "exec", "dir", "super", "__class__", "__name__", "__qualname__", "compile"}
)
_FORBIDDEN = (
    *(ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal, ast.Match),
    *(ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith),
)


def inlined(body: list[ast.stmt], code_names: Collection[str]) -> list[ast.stmt]:
    """The statements of the tests with what they call once put in place; `code_names` are the code's."""
    statements = list(_unguarded(body))
    facts = list(map(facts_of, statements))
    mentions = Counter(name for fact in facts for name in fact.mentioned)
    bound = Counter(name for fact in facts for name in fact.bound)
    functions: dict[str, ast.FunctionDef] = {}
    result: list[ast.stmt] = []
    for number, statement in enumerate(statements):
        match statement:
            case ast.FunctionDef(name=name) if mentions[name] == bound[name] == 1 and name not in code_names:
                functions[name] = statement
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=values, keywords=[])) if name in functions:
                function = functions[name]
                placed = _placed(function, values, f"_{number}_")
                if placed is not None:
                    result.remove(function)
                    result += placed
                    continue
        result.append(statement)
    return result


def _unguarded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements, with those under `if __name__ == "__main__":` as if they stood alone."""
    for statement in body:
        match statement:
            case ast.If(test=test, body=inner, orelse=[]) if ast.unparse(test) == "__name__ == '__main__'":
                yield from inner
            case _:
                yield statement


def _placed(function: ast.FunctionDef, values: list[ast.expr], prefix: str) -> list[ast.stmt] | None:
    """The function's body as statements of the module, its own names with the prefix; None where it has to stay."""
    arguments, nodes = function.args, [node for statement in function.body for node in walk(statement)]
    special = (arguments.posonlyargs, arguments.kwonlyargs, arguments.defaults, arguments.vararg, arguments.kwarg)
    if any(special) or function.decorator_list or len(values) != len(arguments.args):
        return None
    # What comprehensions count by and lambdas are given is their own.
    inner = {part for node in nodes if isinstance(node, ast.comprehension) for part in walk(node.target)}
    inner |= {node for node in nodes if isinstance(node, ast.arg)}
    own = {argument.arg for argument in arguments.args}.union(*(bound_by(node) for node in nodes if node not in inner))
    if any(isinstance(value, ast.Starred) for value in values) or not all(_is_plain(node, own) for node in nodes):
        return None
    names = {name: prefix + name for name in own}
    for node in nodes:
        _rename(node, names)
    given: list[ast.stmt] = [
        ast.Assign([ast.Name(names[argument.arg], ast.Store())], value, lineno=function.lineno)
        for argument, value in zip(arguments.args, values, strict=True)
    ]
    return given + function.body


def _is_plain(node: ast.AST, own: set[str]) -> bool:
    """Whether the node means the same outside of the function, whose own names are `own`."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name not in REFLECTING
        case ast.alias(name=name, asname=None):
            return "." not in name
        case ast.arg(arg=name):  # of a lambda
            return name not in own
    return not isinstance(node, _FORBIDDEN)


def _rename(node: ast.AST, names: dict[str, str]) -> None:
    match node:
        case ast.Name(id=name):
            node.id = names.get(name, name)
        case ast.ExceptHandler(name=str(name)):
            node.name = names.get(name, name)
        case ast.alias(name=name, asname=asname):
            node.asname = names.get(asname or name, asname)
