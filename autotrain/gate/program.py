"""Python text that nobody has vouched for: whether it parses, and what to run to have it checked."""

import ast
import symtable
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

# Read by our own process; longer code is not worth what parsing it may cost.
MAX_CODE_CHARACTERS = 1_000_000
TRIES = 20


@dataclass(frozen=True)
class Problem:
    """Why a text is no Python."""

    error_class: str
    detail: str


def parse(code: str) -> ast.Module | Problem:
    """The syntax tree of `code`, or why there is none; nothing is executed."""
    found = _read(code, tree_of)
    assert isinstance(found, ast.Module | Problem)
    return found


def syntax_problem(code: str) -> Problem | None:
    """Why `code` is no Python, or None; no tree is made for it."""
    found = _read(code, lambda _: None)
    return found if isinstance(found, Problem) else None


def tree_of(code: str) -> ast.Module:
    """`ast.parse` that may be called in several threads; raises what it raises."""
    # CPython 3.11 counts for all threads in one place how deep it is, and may find the count wrong at the end.
    for _ in range(TRIES - 1):
        with suppress(SystemError):
            return ast.parse(code)
    return ast.parse(code)


def _read(code: str, how: Callable[[str], ast.Module | None]) -> ast.Module | Problem | None:
    if len(code) > MAX_CODE_CHARACTERS:
        return Problem("", f"longer than {MAX_CODE_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # The compiler refuses more than the parser does: `return` outside a function, for one.
            compile(code, "<answer>", "exec", dont_inherit=True)
            return how(code)
    except SyntaxError as error:
        return Problem(type(error).__name__, f"{error.msg} (line {error.lineno})"[:300])
    except (ValueError, RecursionError, MemoryError, SystemError) as error:
        return Problem("SyntaxError", f"{type(error).__name__}: {error}"[:300])


def parses(code: str) -> bool:
    return syntax_problem(code) is None


def runnable_tests(tests: str) -> str | None:
    """`tests` with calls of its uncalled test functions appended; None where running it checks nothing."""
    if not tests.strip():
        return None
    tree = parse(tests)
    if isinstance(tree, Problem):
        return tests  # running it says what is wrong
    named = _names(tree)
    calls = _uncalled(tree, named)
    checks = False
    for statement in tree.body:
        defined = getattr(statement, "name", None)  # of functions and classes, which only count when they are used
        if defined is None or defined in named or defined in calls:
            checks = checks or any(_is_check(node) for node in ast.walk(statement))
    return "\n".join([tests, *(f"{name}()" for name in calls)]) if checks else None


def uncalled_tests(tree: ast.Module) -> list[str]:
    """The test functions that nothing calls, and that can be called without arguments, in order."""
    return _uncalled(tree, _names(tree))


def _uncalled(tree: ast.Module, named: set[str]) -> list[str]:
    found = []
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name.startswith("test") and statement.name not in named:
            arguments = statement.args
            needed = len(arguments.posonlyargs + arguments.args) - len(arguments.defaults)
            needed += sum(default is None for default in arguments.kw_defaults)
            found += [] if needed else [statement.name]
    return found


def _names(tree: ast.Module) -> set[str]:
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        function = node.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return "assert" in name.lower() or name in ("fail", "raises")
    return isinstance(node, ast.Assert | ast.Raise)


def binds(code: str, name: str) -> bool:
    """Whether `code` gives the module's `name` another meaning: by def, class, import, =, for, …"""
    try:
        module = symtable.symtable(code, "<answer>", "exec")
    except SyntaxError:
        return False
    tables = [module]
    while tables:
        table = tables.pop()
        tables += table.get_children()
        if name not in table.get_identifiers():
            continue
        symbol = table.lookup(name)
        if (table is module or symbol.is_declared_global()) and (symbol.is_assigned() or symbol.is_imported()):
            return True
    return False
