"""Which names Python text mentions and binds. All of this runs for every sample and every candidate."""

import ast
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LEAVES = frozenset({"ctx", "op", "ops", "kind", "type_comment", "lineno", "id", "attr"})


@dataclass
class Facts:
    """What a statement says of names, in whatever scope.

    mentioned: read, bound or deleted, as often as they are; bound: given a meaning or deprived of it; hidden:
    mentioned in functions and classes, which may be called at any time.
    """

    mentioned: list[str] = field(default_factory=list)
    bound: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)


@dataclass
class CodeNames:
    """What code does with the names of its module: looks them up, binds them, defines them by `def` and `class`."""

    mentioned: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    defined: set[str] = field(default_factory=set)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes in and under this one, but for constants, operators and contexts; twice as fast as ast.walk."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        parts = [getattr(node, name, None) for name in node._fields if name not in _LEAVES]
        items = [item for part in parts for item in (part if part.__class__ is list else (part,))]
        waiting += [item for item in items if isinstance(item, ast.AST) and item.__class__ is not ast.Constant]


def names_in(node: ast.AST) -> set[str]:
    """The names of variables in and under the node."""
    return {part.id for part in walk(node) if isinstance(part, ast.Name)}


def bound_by(node: ast.AST) -> set[str]:
    """The names that the node itself, not what is under it, gives a meaning or deprives of it."""
    if isinstance(node, ast.expr | ast.keyword):
        return {node.id} if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load) else set()
    # Definitions, imports, parameters, handlers and patterns: all of them have their names as texts.
    texts = (getattr(node, name, None) for name in ("asname", "name", "arg", "rest"))
    return {text.split(".")[0] for text in [*filter(None, texts)][:1] if isinstance(text, str)}


def facts_of(tree: ast.AST) -> Facts:
    """The facts of a statement or an expression."""
    facts = Facts()
    for node in walk(tree):
        facts.bound |= bound_by(node)
        if isinstance(node, ast.Name):
            facts.mentioned.append(node.id)
        elif isinstance(node, _SCOPES):
            facts.hidden |= names_in(node)
    return facts


def names_of_code(code: str) -> CodeNames:
    """What `code`, which parses, does with names; those that are local to a function do not count."""
    found = CodeNames()
    tables = [symtable.symtable(code, "<answer>", "exec")]
    for table in tables:
        tables += table.get_children()
        for symbol in table.get_symbols():
            if table is tables[0] or symbol.is_global():
                found.mentioned.add(symbol.get_name())
                if symbol.is_assigned() or symbol.is_imported():
                    found.bound.add(symbol.get_name())
    found.defined = {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_namespace()}
    return found
