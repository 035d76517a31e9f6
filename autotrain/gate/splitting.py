"""Tests taken apart: statement by statement, what a job has to carry out and what is to be checked of it."""

import ast
import builtins
import copy
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from autotrain.gate.checks import IMPORTED, Condition, Scope, is_direct, read_condition
from autotrain.gate.inlining import REFLECTING, inlined
from autotrain.gate.literals import NotLiteral, is_immutable
from autotrain.gate.names import facts_of, names_in, names_of_code, walk
from autotrain.gate.raising import read_raising

Step = dict[str, str]

MAX_STEPS = 2000
MAX_UNROLLED = 200
_KEPT = "_checked_value"


@dataclass(frozen=True)
class Check:
    """What one assert demands of the reply to step number `step` (from 0).

    kind "value": the value fulfils `condition`, and where it is no data, the next step says; "raises": an
    exception of one of the classes in `names` was raised; "ran": the step came to its end. `line` and `text` are
    the assert's in the tests, `asserts` how many the step holds.
    """

    kind: Literal["value", "raises", "ran"]
    line: int
    text: str
    step: int = -1
    condition: Condition | None = None
    names: tuple[str, ...] = ()
    asserts: int = 1

    @property
    def trust(self) -> Literal["outside", "inside"]:
        """Where it is decided, as long as what comes back is data."""
        return "inside" if self.kind == "ran" else "outside"


@dataclass(frozen=True)
class Program:
    """What a job has to do, and what is demanded of its replies, of each at most once."""

    steps: tuple[Step, ...]
    checks: tuple[Check, ...]


def parts_of(code: str, tests: ast.Module, source: str) -> Program:
    """The program of code that parses and its tests, whose tree and source these are.

    Raises ValueError or RecursionError where they cannot be taken apart.
    """
    return _Splitter(code, tests, source).program(code)


@dataclass
class _Part:
    """A step to be: its source, the names that this mentions, and the name that it binds if that is all it does."""

    action: Literal["run", "value", "raises"]
    source: str
    mentioned: set[str]
    check: Check | None = None
    binds: str = ""


class _Splitter:
    """Goes through the statements of tests once, in order, and keeps what is known of names at each place."""

    def __init__(self, code: str, tests: ast.Module, source: str) -> None:
        of_code = names_of_code(code)
        self.body = inlined(tests.body, of_code.mentioned)
        self.lines = source.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        facts = list(map(facts_of, self.body))
        self.mentions = Counter(name for fact in facts for name in fact.mentioned)
        bound = {name for fact in facts for name in fact.bound}
        # Of what functions see nobody can say when it changes.
        self.unsteady = of_code.bound.union(*(fact.hidden for fact in facts))
        self.scope = Scope({}, set(of_code.defined), of_code.defined - bound, of_code.bound | bound)
        if "*" in bound:
            self.scope.shadowed |= set(dir(builtins))
        self.parts: list[_Part] = []
        # Names whose literals are in conditions.
        self.substituted: set[str] = set()

    def program(self, code: str) -> Program:
        for statement in self.body:
            self._statement(statement)
        mentioned = {name for part in self.parts if not part.binds for name in part.mentioned}
        # To bind these would only tell the job what is expected.
        idle = self.substituted - mentioned if REFLECTING.isdisjoint(self.mentions) else set()
        return _numbered(code, [part for part in self.parts if part.binds not in idle])

    def _statement(self, node: ast.stmt) -> None:
        if len(self.parts) > MAX_STEPS:
            raise ValueError("too many steps")
        taken = False
        match node:
            case ast.Assert(test=ast.BoolOp(op=ast.And(), values=tests)):
                for test in tests:  # one after the other means the same
                    self._statement(ast.copy_location(ast.Assert(test, None), node))
                return
            case ast.Import(names=[_, _, *_] as names):
                for alias in names:
                    self._statement(ast.copy_location(ast.Import([alias]), node))
                return
            case ast.Assert(test=test):
                taken = self._assert(node, test)
            case ast.Assign(targets=[target], value=value):
                taken = self._assign(target, value)
            case ast.For(orelse=[]):
                taken = self._unroll(node)
            case ast.Try() | ast.With():
                taken = self._raises(node)
        if not taken:
            self._run(node)

    # -- Statements that are run as they are

    def _run(self, node: ast.stmt) -> None:
        asserts = sum(isinstance(part, ast.Assert) for part in walk(node)) or int(any(map(_fails, walk(node))))
        self._add("run", [node], self._check("ran", node, asserts=asserts) if asserts else None)
        self._learn(node)

    def _learn(self, node: ast.stmt) -> None:
        """What the names stand for that an import or an assignment has bound."""
        match node:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                for alias in names:
                    name, full = alias.asname or alias.name, module + alias.name
                    if full in IMPORTED:
                        self.scope.known[name] = IMPORTED[full]
                    elif full.split(".")[0] not in sys.stdlib_module_names:
                        self.scope.subjects.add(name)
                    if full == "pytest":  # for `raises` alone the job can do without it
                        self.parts[-1].binds = name
                        self.substituted.add(name)
            case ast.Assign(targets=targets, value=value) if is_direct(value, self.scope):
                self.scope.subjects |= {target.id for target in targets if isinstance(target, ast.Name)}

    def _check(self, kind: Literal["value", "raises", "ran"], node: ast.stmt, **more: Any) -> Check:
        return Check(kind, node.lineno, self.lines[node.lineno - 1].strip()[:200], **more)

    def _add(self, action: Literal["run", "value", "raises"], nodes: Sequence[ast.AST], check: Check | None) -> None:
        facts = list(map(facts_of, nodes))
        mentioned = {name for fact in facts for name in fact.mentioned}
        self.parts.append(_Part(action, "\n".join(map(ast.unparse, nodes)), mentioned, check))
        self._forget({name for fact in facts for name in fact.bound})
        for name in mentioned:  # the job gets hold of it
            if not is_immutable(self.scope.known.get(name)):
                del self.scope.known[name]

    def _forget(self, names: set[str]) -> None:
        """These names are bound anew."""
        for name in names:
            self.scope.known.pop(name, None)
            self.scope.subjects.discard(name)

    # -- Asserts. These take a statement apart, or return False where that cannot be done.

    def _assert(self, node: ast.stmt, test: ast.expr) -> bool:
        condition = read_condition(test, self.scope)
        if condition is None:
            return False
        subject, check = condition.subject, self._check("value", node, condition=condition)
        self.substituted |= condition.names.keys() - names_in(subject)
        if condition.needs_object:
            # A copy of the test, with a name for the copy of its subject.
            kept = copy.deepcopy(test, {id(subject): ast.Name(_KEPT, ast.Load())})
            self._add("value", [ast.NamedExpr(ast.Name(_KEPT, ast.Store()), subject)], check)
            self._add("run", [ast.Assert(kept, None)], None)
        else:
            self._add("value", [subject], check)
        return True

    def _raises(self, node: ast.stmt) -> bool:
        read = read_raising(node, self.scope)
        if read is None:
            return False
        body, classes = read
        self._add("raises", body, self._check("raises", node, names=classes))
        return True

    # -- Names of literals, and loops over them

    def _assign(self, target: ast.expr, value: ast.expr) -> bool:
        try:
            self._bind(target, self._own_literal(value))
        except NotLiteral:
            return False
        return True

    def _own_literal(self, node: ast.expr) -> Any:
        """The literal's value; raises NotLiteral where it is one that can change and that another name stands for."""
        value = self.scope.literal(node)
        if names_in(node) & self.scope.known.keys() and not is_immutable(value):
            raise NotLiteral
        return value

    def _bind(self, target: ast.expr, value: Any) -> None:
        """Keep in mind what names stand for; raises NotLiteral where that cannot be written down."""
        for name, part in list(_unpacked(target, value)):
            self.parts.append(_Part("run", f"{name} = {part!r}", set(), binds=name))
            self._forget({name})
            if name not in self.unsteady:
                self.scope.known[name] = part

    def _unroll(self, node: ast.For) -> bool:
        """Run a loop over literals as what it does, one round after the other, if that takes asserts apart."""
        before = len(self.parts), self.scope.copy(), set(self.substituted)
        try:
            items = self._items(node.iter)
            jumps = any(isinstance(part, ast.Break | ast.Continue) for part in ast.walk(node))
            if jumps or len(items) * len(node.body) > MAX_UNROLLED:
                return False
            for item in items:
                self._bind(node.target, item)
                for statement in node.body:
                    self._statement(statement)
                if not any(part.check and part.check.trust == "outside" for part in self.parts[before[0] :]):
                    raise NotLiteral
        except NotLiteral:
            del self.parts[before[0] :]
            _, self.scope, self.substituted = before
            return False
        self.substituted |= names_in(node.iter)
        return True

    def _items(self, node: ast.expr) -> list[Any]:
        """What a loop goes through; raises NotLiteral where it is no list of literals that nothing else can see."""
        # A name that is mentioned nowhere else cannot show what this loop has done to the items.
        last = isinstance(node, ast.Name) and self.mentions[node.id] == 2
        value = self.scope.literal(node) if last else self._own_literal(node)
        if not isinstance(value, list | tuple | range):
            raise NotLiteral
        return list(value[: MAX_UNROLLED + 1])


def _numbered(code: str, parts: list[_Part]) -> Program:
    """Parts as steps; neighbours that only prepare something are one."""
    steps: list[Step] = [{"run": code}]
    checks: list[Check] = []
    mergeable = False
    for part in parts:
        plain = part.action == "run" and part.check is None
        if plain and mergeable:
            steps[-1] = {"run": f"{steps[-1]['run']}\n{part.source}"}
        else:
            steps.append({part.action: part.source})
        mergeable = plain
        if part.check is not None:
            checks.append(replace(part.check, step=len(steps) - 1))
    return Program(tuple(steps), tuple(checks))


def _fails(node: ast.AST) -> bool:
    """Whether this is no `assert` but can fail like one: it raises an AssertionError, or its name says so."""
    match node:
        case ast.Raise(exc=ast.Name(id=name)) | ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return "assert" in name.lower() or name == "fail"
    return False


def _unpacked(target: ast.expr, value: Any) -> Iterator[tuple[str, Any]]:
    """What each name of a target gets."""
    match target:
        case ast.Name(id=name) if _is_writable(value):
            yield name, value
        case ast.Tuple(elts=parts) | ast.List(elts=parts) if isinstance(value, tuple | list) and len(value) == len(
            parts
        ):
            for part, item in zip(parts, value, strict=True):
                yield from _unpacked(part, item)
        case _:
            raise NotLiteral


def _is_writable(value: Any) -> bool:
    """Whether its `repr` stands for the value: not for one that is infinite, for a range or for a very long number."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except (ValueError, SyntaxError):
        return False
