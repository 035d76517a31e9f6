"""Tests taken apart: statement by statement, what a job has to carry out and what is to be checked of it."""

import ast
import builtins
import copy
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from autotrain.gate.checks import Condition, Scope, is_direct, read_condition
from autotrain.gate.inlining import REFLECTING, inlined
from autotrain.gate.literals import NotLiteral
from autotrain.gate.names import CodeNames, Facts, facts_of, names_of_code, walk
from autotrain.gate.program import Problem, parse
from autotrain.gate.raising import Expected, is_failure, read_raising

Step = dict[str, str]

MAX_STEPS = 2000
MAX_UNROLLED = 200
_KEPT = "_checked_value"


@dataclass(frozen=True)
class Check:
    """What one assert demands of the reply to step number `step` (from 0).

    kind "value": the value fulfils `condition`, and where it is no data, the next step says; "raises": an
    exception of one of the classes in `names` was raised, its message fulfilling `messages`; "ran": the step
    came to its end. `line` and `text` are the assert's in the tests, `asserts` how many the step holds.
    """

    kind: Literal["value", "raises", "ran"]
    line: int
    text: str
    step: int = -1
    condition: Condition | None = None
    names: tuple[str, ...] = ()
    messages: tuple[Condition, ...] = ()
    asserts: int = 1

    @property
    def trust(self) -> Literal["outside", "inside"]:
        """Where it is decided, as long as what comes back is data."""
        return "inside" if self.kind == "ran" else "outside"


@dataclass(frozen=True)
class Program:
    """What a job has to do, and what is demanded of its replies."""

    steps: tuple[Step, ...]
    checks: tuple[Check, ...]


def parts_of(code: str, tests: ast.Module, source: str) -> Program:
    """The program of code and its tests, whose tree and source these are.

    Raises ValueError or RecursionError where they cannot be taken apart.
    """
    return _Splitter(code, tests, source).program()


@dataclass
class _Part:
    """A step to be, the names that its source mentions, and the name that it binds to a literal if that is all."""

    action: Literal["run", "value", "raises"]
    source: str
    mentioned: set[str]
    checks: tuple[Check, ...] = ()
    binds: str = ""
    apart: bool = False


class _Splitter:
    """Goes through the statements of tests once, in order, and keeps what is known of names at each place."""

    def __init__(self, code: str, tests: ast.Module, source: str) -> None:
        self.code, self.lines = code, source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.parts: list[_Part] = []
        self.constants: list[Check] = []
        self.nodes: dict[str, ast.expr] = {}
        self.substituted: set[str] = set()
        tree = parse(code)
        of_code = [] if isinstance(tree, Problem) else tree.body
        known = CodeNames() if isinstance(tree, Problem) else names_of_code(code)
        by_name = {name for name in ("__name__", "__qualname__") if name in code}
        self.body = inlined(tests.body, known.mentioned | by_name)
        self.facts = {id(statement): facts_of(statement) for statement in self.body}
        of_tests = [name for facts in self.facts.values() for name in facts.bound]
        self.mentions = Counter(name for facts in self.facts.values() for name in facts.mentioned)
        self.code_bound = set(known.bound)
        self.hidden = set().union(*(facts.hidden for facts in self.facts.values()))
        self.globals = known.declared.union(*(facts.declared for facts in self.facts.values()))
        self.reflects = not REFLECTING.isdisjoint(self.mentions)
        self.scope = Scope(shadowed=self.code_bound | set(of_tests))
        if any(isinstance(node, ast.ImportFrom) and node.names[0].name == "*" for node in (*of_code, *self.body)):
            self.scope.shadowed |= set(dir(builtins))
        for statement in of_code:
            self._define(statement)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                self.scope.subjects.add(statement.name)
        bound = Counter([*known.bound, *of_tests])
        defined = (node.name for node in (*of_code, *self.body) if isinstance(node, ast.ClassDef))
        self.classes = {name for name in defined if bound[name] == 1}

    def program(self) -> Program:
        for statement in self.body:
            self._statement(statement)
        return _numbered(self.code, self._needed(), self.constants)

    def _needed(self) -> Iterator[_Part]:
        """The parts without those that would only tell the job what is expected."""
        mentioned = {name for part in self.parts if not part.binds for name in part.mentioned}
        for part in self.parts:
            used = part.binds in mentioned | self.code_bound or part.binds not in self.substituted
            if not part.binds or used or self.reflects:
                yield part

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assert) and self._assert(node, node.test):
            return
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and self._bind(node.targets[0], node.value):
            return
        if isinstance(node, ast.For) and self._unroll(node):
            return
        if isinstance(node, ast.Import) and self._drop_pytest(node):
            return
        expected = read_raising(node, self.scope, self.classes)
        if expected is not None:
            self._raises(node, expected)
        else:
            self._run(node)

    def _facts(self, node: ast.AST) -> Facts:
        return self.facts.get(id(node)) or facts_of(node)

    def _text(self, node: ast.stmt) -> str:
        """The statement's first line as it stands in the tests."""
        return self.lines[node.lineno - 1].strip()[:200]

    def _run(self, node: ast.stmt) -> None:
        facts = self._facts(node)
        asserts = facts.asserts or int(_checks_something(node))
        checks = (Check("ran", node.lineno, self._text(node), asserts=asserts),) if asserts else ()
        self._add(_Part("run", ast.unparse(node), set(facts.mentioned), checks))
        self._forget(facts)
        self._define(node)

    def _define(self, node: ast.stmt) -> None:
        """Where the names that a statement binds come from: an imported module, or the code under test."""
        scope = self.scope
        names: Iterable[ast.alias] = node.names if isinstance(node, ast.Import | ast.ImportFrom) else ()
        module = (node.module or "") if isinstance(node, ast.ImportFrom) else ""
        for alias in names:
            full = f"{module}.{alias.name}".lstrip(".")
            if full.split(".")[0] in sys.stdlib_module_names | {"pytest"}:
                scope.modules[alias.asname or alias.name] = full
            else:
                scope.subjects.add(alias.asname or alias.name)
        if isinstance(node, ast.Assign) and is_direct(node.value, scope):
            scope.subjects |= {target.id for target in node.targets if isinstance(target, ast.Name)}

    def _add(self, part: _Part) -> None:
        self.parts.append(part)
        if len(self.parts) > MAX_STEPS:
            raise ValueError("too many steps")

    def _forget(self, facts: Facts) -> None:
        """What is no longer known once the job has run this: names bound, and lists that it got hold of."""
        for name in facts.bound:
            self.scope.values.pop(name, None)
            self.scope.modules.pop(name, None)
            self.scope.subjects.discard(name)
        for name in facts.mentioned:
            if name in self.scope.values and not _is_immutable(self.scope.values[name]):
                del self.scope.values[name]

    # -- asserts

    def _assert(self, node: ast.Assert, test: ast.expr) -> bool:
        """Take an assert apart; False where that cannot be done."""
        if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And):
            return self._conjunction(node, test)
        read = read_condition(test, self.scope)
        if read is None:
            return False
        condition, subject = read
        check = Check("value", node.lineno, self._text(node), condition=condition)
        if subject is None:
            self.constants.append(check)
            return True
        facts = facts_of(subject)
        names = set(facts.mentioned)
        self.substituted |= (_names(test) - names) & self.scope.values.keys()
        source = ast.unparse(subject)
        if condition.needs_object:
            self._add(_Part("value", f"({_KEPT} := ({source}))", names, (check,), apart=True))
            self._add(_Part("run", f"assert {_with_kept(test, subject)}", _names(test), apart=True))
        else:
            self._add(_Part("value", source, names, (check,)))
        self._forget(facts)
        return True

    def _conjunction(self, node: ast.Assert, test: ast.BoolOp) -> bool:
        """`assert a and b` is `assert a` and then `assert b`."""
        for part in test.values:
            if not self._assert(node, part):
                single = ast.copy_location(ast.Assert(part, None), node)
                self._run(single)
        return True

    def _raises(self, node: ast.stmt, expected: Expected) -> None:
        source = "\n".join(map(ast.unparse, expected.body))
        check = Check("raises", node.lineno, self._text(node), names=expected.names, messages=expected.messages)
        mentioned = {name for statement in expected.body for name in _names(statement)}
        self._add(_Part("raises", source, mentioned, (check,)))
        self._forget(self._facts(node))

    # -- names and loops

    def _bind(self, target: ast.expr, value: ast.expr) -> bool:
        """Keep in mind what a name stands for; False where it is no literal."""
        try:
            known = self.scope.literal(value, named=False)
        except NotLiteral:
            return False
        pairs = list(_unpacked(target, value))
        if not pairs or not all(isinstance(name, ast.Name) for name, _ in pairs):
            return False
        for name, part in pairs:
            assert isinstance(name, ast.Name)
            known = self.scope.literal(part, named=False)
            self._add(_Part("run", f"{name.id} = {ast.unparse(part)}", set(), binds=name.id))
            self._forget(Facts(bound=[name.id]))
            immutable = _is_immutable(known)
            if name.id not in self.globals and (immutable or name.id not in self.hidden | self.code_bound):
                self.scope.values[name.id] = known
                self.nodes[name.id] = part
        return True

    def _unroll(self, node: ast.For) -> bool:
        """Run a loop over literals as what it does, one round after the other, if that takes asserts apart."""
        items = self._items(node.iter)
        jumps = any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node))
        if items is None or node.orelse or jumps or len(items) * len(node.body) > MAX_UNROLLED:
            return False
        parts, constants = len(self.parts), len(self.constants)
        scope, substituted = self.scope.copy(), set(self.substituted)
        for number, item in enumerate(items):
            useful = self._bind(node.target, item)
            for statement in node.body if useful else ():
                self._statement(statement)
            made = [check for part in self.parts[parts:] for check in part.checks]
            if not useful or (number == 0 and not any(check.trust == "outside" for check in made)):
                del self.parts[parts:], self.constants[constants:]
                self.scope, self.substituted = scope, substituted
                return False
        self.substituted |= _names(node.iter)
        return True

    def _items(self, node: ast.expr) -> list[ast.expr] | None:
        """The expressions that a loop goes through, all of them literals."""
        if isinstance(node, ast.Name) and node.id in self.scope.values:
            # Another mention could see what this loop has done to the items.
            if self.mentions[node.id] > 2 and not _is_immutable(self.scope.values[node.id]):
                return None
            return self._items(self.nodes[node.id])
        if isinstance(node, ast.List | ast.Tuple):
            return list(node.elts)
        if not isinstance(node, ast.Call) or node.keywords:
            return None
        if isinstance(node.func, ast.Attribute) and node.func.attr == "items" and not node.args:
            owner = node.func.value
            owner = self.nodes[owner.id] if isinstance(owner, ast.Name) and owner.id in self.scope.values else owner
            return _dict_items(owner)
        function = self.scope.function(node.func)
        if function == "range":
            try:
                numbers = self.scope.literal(node)
            except NotLiteral:
                return None
            return [ast.Constant(number) for number in numbers[: MAX_UNROLLED + 1]]
        columns = [self._items(argument) for argument in node.args]
        if function == "enumerate" and len(columns) == 1 and columns[0] is not None:
            return [ast.Tuple([ast.Constant(i), item], ast.Load()) for i, item in enumerate(columns[0])]
        if function == "zip" and columns and all(column is not None for column in columns):
            rows = zip(*(column for column in columns if column is not None), strict=False)
            return [ast.Tuple(list(row), ast.Load()) for row in rows]
        return None

    def _drop_pytest(self, node: ast.Import) -> bool:
        """Where pytest is only asked for `raises`, the job does without it."""
        if [(alias.name, alias.asname) for alias in node.names] != [("pytest", None)]:
            return False
        scope = Scope(shadowed=self.scope.shadowed, modules={"pytest": "pytest"})
        read = sum(
            read_raising(part, scope, self.classes) is not None for part in self.body if isinstance(part, ast.With)
        )
        self.scope.modules["pytest"] = "pytest"
        return self.mentions["pytest"] == read


def _numbered(code: str, parts: Iterable[_Part], constants: list[Check]) -> Program:
    """Parts as steps; neighbours that only prepare something are one."""
    steps: list[Step] = [{"run": code}]
    checks = list(constants)
    mergeable = False
    for part in parts:
        plain = part.action == "run" and not part.checks and not part.apart
        if plain and mergeable:
            steps[-1] = {"run": f"{steps[-1]['run']}\n{part.source}"}
        else:
            steps.append({part.action: part.source})
        mergeable = plain
        checks += [replace(check, step=len(steps) - 1) for check in part.checks]
    return Program(tuple(steps), tuple(checks))


def _names(node: ast.AST) -> set[str]:
    return {part.id for part in walk([node]) if isinstance(part, ast.Name)}


def _checks_something(statement: ast.stmt) -> bool:
    """Whether a statement without an `assert` checks: it raises AssertionError, or calls a function that asserts."""
    for node in walk([statement]):
        if isinstance(node, ast.stmt) and is_failure(node):
            return True
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if "assert" in name.lower() or name == "fail":
                return True
    return False


def _is_immutable(value: object) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_immutable, value))
    return not isinstance(value, list | dict | set)


def _unpacked(target: ast.expr, value: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What each name of a target gets; a target that takes something else apart is given back whole."""
    names, items = getattr(target, "elts", []), getattr(value, "elts", [])
    if names and len(names) == len(items) and not isinstance(value, ast.Set):
        for part, item in zip(names, items, strict=True):
            yield from _unpacked(part, item)
    else:
        yield target, value


def _dict_items(node: ast.expr) -> list[ast.expr] | None:
    if not isinstance(node, ast.Dict):
        return None
    keys = [key for key in node.keys if isinstance(key, ast.Constant)]
    if len({key.value for key in keys}) < len(node.keys):
        return None
    return [ast.Tuple([key, value], ast.Load()) for key, value in zip(keys, node.values, strict=True)]


def _with_kept(test: ast.expr, subject: ast.expr) -> str:
    """The test's text with the value that was kept in the place of its subject."""
    number = next(number for number, node in enumerate(ast.walk(test)) if node is subject)
    twin = copy.deepcopy(test)
    wanted = next(node for position, node in enumerate(ast.walk(twin)) if position == number)

    class Replacing(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return ast.Name(_KEPT, ast.Load()) if node is wanted else self.generic_visit(node)

    return ast.unparse(Replacing().visit(twin))
