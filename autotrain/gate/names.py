"""Which names Python statements mention and bind, found in one pass: this runs for every sample and candidate."""

import ast
import symtable
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_LEAVES = frozenset({"ctx", "op", "ops", "kind", "type_comment", "lineno", "id", "attr", "value_type"})
_NAMELESS = frozenset({ast.Call, ast.Compare, ast.List, ast.Tuple, ast.Expr, ast.UnaryOp, ast.BinOp, ast.Attribute})


@dataclass
class Facts:
    """What a statement says of names, in whatever scope.

    mentioned: every name that is read, bound or deleted, as often as it is; bound: given a meaning or deprived of
    it; hidden: mentioned in functions and classes, which may be called at any time; declared: `global`.
    """

    mentioned: list[str] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    hidden: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    asserts: int = 0


def walk(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """All nodes in and under these, but for constants, operators and contexts; far faster than ast.walk."""
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)


def children(node: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    for name in node._fields:
        if name in _LEAVES:
            continue
        part = getattr(node, name, None)
        if part.__class__ is list:
            found += [item for item in part if item.__class__ is not ast.Constant and isinstance(item, ast.AST)]
        elif part.__class__ is not ast.Constant and isinstance(part, ast.AST):
            found.append(part)
    return found


def facts_of(tree: ast.AST) -> Facts:
    facts = Facts()
    mentioned, bound = facts.mentioned, facts.bound
    for node in walk([tree]):
        if node.__class__ in _NAMELESS:
            continue
        if isinstance(node, ast.Name):
            mentioned.append(node.id)
            if not isinstance(node.ctx, ast.Load):
                bound.append(node.id)
        elif isinstance(node, ast.Assert):
            facts.asserts += 1
        elif isinstance(node, ast.alias):
            bound.append((node.asname or node.name).split(".")[0])
        elif isinstance(node, SCOPES):
            if not isinstance(node, ast.Lambda):
                bound.append(node.name)
            facts.hidden.update(part.id for part in walk([node]) if isinstance(part, ast.Name))
        elif isinstance(node, ast.arg):
            bound.append(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            bound += [node.name] if node.name else []
        elif isinstance(node, ast.MatchMapping):
            bound += [node.rest] if node.rest else []
        elif isinstance(node, ast.Global | ast.Nonlocal):
            bound += node.names
            facts.declared.update(node.names)
    return facts


@dataclass
class CodeNames:
    """bound: names that the module has, counted once for the module and once for each function that declares
    them global; mentioned: those that it or its functions look up in the module; declared: by `global`."""

    bound: list[str] = field(default_factory=list)
    mentioned: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)


def names_of_code(code: str) -> CodeNames:
    """What `code`, which parses, does with the names of its module; names that are local to a function do not count."""
    found = CodeNames()
    module = symtable.symtable(code, "<answer>", "exec")
    tables = [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols():
            name = symbol.get_name()
            declared = table is not module and symbol.is_declared_global()
            if table is module or symbol.is_global():
                found.mentioned.add(name)
                if (table is module or declared) and (symbol.is_assigned() or symbol.is_imported()):
                    found.bound.append(name)
            if declared:
                found.declared.add(name)
    return found
