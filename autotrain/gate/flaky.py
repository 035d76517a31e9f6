"""Tests that pass now and fail another time: what can be run to catch them.

Tests that have passed once are run again, and have to pass again. Where the code or the tests show a sign of chance
(`signs_of`), four more times, each under other circumstances: `random` starts from another seed, the clock is in
another year, and sets are gone through the other way round. Several test functions are also called last one first.
Strings should hash differently in these runs; that is up to where they are run.

What this sees: `random` without a seed, secrets, uuid and os.urandom, as often as the outcome changes (what fails once
in a hundred times mostly goes unseen); the date and the time of day by time and datetime; the order of sets of texts
where code loops over one, makes a list of it, joins it, unpacks it, or takes its least, greatest or any one item.
What it does not see: races that do not happen; speed, unless a run takes too long; a clock read below Python; anything
that only another machine or another version of Python would show.
"""

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from autotrain.gate.edits import Unusable, apply_edits, read_edits, read_files, with_files
from autotrain.gate.program import Problem, parse, uncalled_tests
from autotrain.gate.steps import Program, judge, split
from autotrain.gate.strength import MEASURED_TYPES, Ended
from autotrain.sample import Sample, fenced_code

Sign = Literal["random", "time", "set order", "identity", "threads"]

RUNS_WITH_SIGNS = 4
_MODULES: dict[str, Sign] = {
    "random": "random", "secrets": "random", "uuid": "random", "time": "time", "datetime": "time",
    "calendar": "time", "threading": "threads", "asyncio": "threads", "concurrent": "threads",
    "multiprocessing": "threads", "queue": "threads",
}  # fmt: skip
# Which of their arguments' order shows in what they give, or may.
_ORDERED = frozenset(
    ("list", "tuple", "enumerate", "iter", "zip", "map", "filter", "max", "min", "sorted", "sum", "reduce", "deque",
     "chain", "islice", "join", "extend", "fromkeys", "accumulate", "permutations", "combinations", "product",
     "Counter", "dict", "groupby", "most_common")
)  # fmt: skip

_SEED = "import random\nrandom.seed({seed})\ndel random\n"
# The numbers that a set of numbers holds say where they stand in it: their order is the same in every process.
_SETS = """
def _turn_sets():
    import builtins
    def seeded(item):
        return any(map(seeded, item)) if type(item) in (tuple, frozenset) else type(item) not in (bool, int, float)
    def reordered(items):
        return list(items)[::-1] if type(items) in (set, frozenset) and any(map(seeded, items)) else items
    def popped(items):
        if type(items) is not set or not items:
            return items.pop()
        item = [*reordered(items)][0]
        items.remove(item)
        return item
    builtins._reordered, builtins._popped = reordered, popped


_turn_sets()
del _turn_sets
"""
_CLOCK = """
def _shift_clock(seconds):
    import datetime, time
    now, now_ns, strftime = time.time, time.time_ns, time.strftime
    def shifted(function):
        return lambda moment=None: function(time.time() if moment is None else moment)
    time.time = lambda: now() + seconds
    time.time_ns = lambda: now_ns() + seconds * 10**9
    time.localtime, time.gmtime, time.ctime = map(shifted, (time.localtime, time.gmtime, time.ctime))
    time.strftime = lambda form, moment=None: strftime(form, time.localtime() if moment is None else moment)

    class Kind(type):
        def __instancecheck__(kind, value):
            return isinstance(value, kind.__dict__.get("_real") or ()) or type.__instancecheck__(kind, value)

    class Date(datetime.date, metaclass=Kind):
        _real = datetime.date
        today = classmethod(lambda kind: kind.fromtimestamp(time.time()))

    class Datetime(datetime.datetime, metaclass=Kind):
        _real = datetime.datetime
        now = classmethod(lambda kind, tz=None: kind.fromtimestamp(time.time(), tz))
        utcnow = classmethod(lambda kind: kind.fromtimestamp(time.time(), datetime.timezone.utc).replace(tzinfo=None))
        today = classmethod(lambda kind: kind.fromtimestamp(time.time()))

    def named(kind, real):
        kind.__module__, kind.__name__, kind.__qualname__ = "datetime", real.__name__, real.__name__
        kind.__repr__ = lambda moment: "datetime." + real.__repr__(moment)
        setattr(datetime, real.__name__, kind)
    named(Date, datetime.date)
    named(Datetime, datetime.datetime)


_shift_clock({seconds})
del _shift_clock
"""
_DAY = 86400


@dataclass(frozen=True)
class FlakyPlan:
    """Further runs of tests that have passed once; all of them have to pass. `signs` say why there are so many."""

    programs: tuple[Program, ...]
    signs: tuple[Sign, ...]


def plan_sample_flaky(sample: Sample, program: Program | None = None) -> FlakyPlan | None:
    """The runs that a sample needs whose answer has passed its tests; None where it has no tests of its own.

    `program` is the one that they passed in, where it is at hand: it takes a while to make.
    """
    if sample.metadata.task_type not in MEASURED_TYPES or not sample.tests.strip():
        return None
    if sample.metadata.task_type != "agent_edit":
        code = fenced_code(sample.output)
        return None if code is None else plan_flaky(code, sample.tests, program)
    try:
        files = apply_edits(read_files(sample.input), read_edits(sample.output))
    except (Unusable, ValueError):
        return None

    def build(texts: list[str]) -> str:
        return with_files(dict(zip(files, texts, strict=True)))

    return _plan(list(files.values()), sample.tests, build, program)


def plan_flaky(code: str, tests: str, program: Program | None = None) -> FlakyPlan:
    """The further runs of `tests` after `code`: one, or four where either of them shows a sign of chance.

    One more where there are several test functions: called in the other order.
    """
    return _plan([code], tests, lambda texts: texts[0], program)


def is_flaky(plan: FlakyPlan, endings: Sequence[Ended]) -> bool:
    """Whether one of the plan's programs that were run has not passed; fewer endings than programs are fine."""
    ended = zip(plan.programs, endings, strict=False)
    return any(ending.status != "done" or not judge(program, ending.replies).passed for program, ending in ended)


def signs_of(*sources: str) -> tuple[Sign, ...]:
    """What in the sources may make their outcome change from run to run."""
    found: set[Sign] = set()
    for source in sources:
        tree = parse(source)
        if not isinstance(tree, Problem):
            for node in ast.walk(tree):
                found |= _signs_in(node)
    return tuple(sorted(found))


def _signs_in(node: ast.AST) -> set[Sign]:
    match node:
        case ast.Import(names=names):
            modules = [item.name.split(".")[0] for item in names]
        case ast.ImportFrom(module=str(module), names=names):
            modules = [module.split(".")[0]]
            if module == "os" and any(item.name == "urandom" for item in names):
                return {"random"}
        case ast.Attribute(attr="urandom"):
            return {"random"}
        case ast.Call(func=ast.Name(id="id" | "hash")):
            return {"identity"}
        case (
            ast.Set()
            | ast.SetComp()
            | ast.Name(id="set" | "frozenset")
            | ast.Attribute(attr="intersection" | "union" | "difference" | "symmetric_difference")
        ):
            return {"set order"}
        case _:
            return set()
    return {_MODULES[name] for name in modules if name in _MODULES}


def _plan(codes: list[str], tests: str, build: Callable[[list[str]], str], plain: Program | None) -> FlakyPlan:
    signs = signs_of(*codes, tests)
    plain = plain or split(build(codes), tests)
    backwards = tuple(split(build(codes), text) for text in _backwards(tests))
    if not signs:
        return FlakyPlan((plain, *backwards), ())
    turned = plain
    if "set order" in signs:
        turned = split(build([_turned(code) for code in codes]), _turned(tests))
    programs = []
    for number in range(1, RUNS_WITH_SIGNS + 1):
        # Apart first, all at once last.
        prelude = _SEED.format(seed=number) if "random" in signs else ""
        program = turned if number % 2 == 0 else plain
        prelude += _SETS if program is not plain else ""
        if "time" in signs and number > RUNS_WITH_SIGNS // 2:
            # Another year, month, weekday and time of day.
            prelude += _CLOCK.replace("{seconds}", str(number * 100 * _DAY + number * 5 * 3600))
        programs.append(_after(prelude, program) if prelude else program)
    return FlakyPlan((*programs, *backwards), signs)


def _backwards(tests: str) -> list[str]:
    """The tests with their test functions called last one first; empty where that changes nothing."""
    tree = parse(tests)
    names = [] if isinstance(tree, Problem) else uncalled_tests(tree)
    return ["\n".join([tests, *(f"{name}()" for name in reversed(names))])] if len(names) > 1 else []


def _after(prelude: str, program: Program) -> Program:
    """The program with one step more at its beginning."""
    checks = (replace(check, step=check.step + 1) if check.step >= 0 else check for check in program.checks)
    return Program(({"run": prelude}, *program.steps), tuple(checks))


# ---------------------------------------------------------------------------
# Sets the other way round


def _turned(source: str) -> str:
    """The source, going through sets in another order; as it is where that changes nothing."""
    tree = parse(source)
    if isinstance(tree, Problem):
        return source
    try:
        return ast.unparse(ast.fix_missing_locations(_Turner().visit(tree)))
    except (RecursionError, ValueError):
        return source


class _Turner(ast.NodeTransformer):
    """Puts `_reordered(…)` around what is gone through in order."""

    def visit_For(self, node: ast.For) -> ast.AST:
        self.generic_visit(node)
        node.iter = _wrapped(node.iter)
        return node

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        self.generic_visit(node)
        if not node.is_async:
            node.iter = _wrapped(node.iter)
        return node

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.ctx, ast.Load):
            node.value = _wrapped(node.value)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        self.generic_visit(node)
        if any(isinstance(target, ast.Tuple | ast.List) for target in node.targets):
            node.value = _wrapped(node.value)
        return node

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.AST:
        self.generic_visit(node)
        node.value = _wrapped(node.value)
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name == "pop" and isinstance(node.func, ast.Attribute) and not node.args and not node.keywords:
            return _call("_popped", node.func.value)
        if name in _ORDERED:
            node.args = [item if isinstance(item, ast.Starred) else _wrapped(item) for item in node.args]
        return node


def _wrapped(node: ast.expr) -> ast.expr:
    """`_reordered(node)`, unless it can be seen that this is no set."""
    plain = ast.Constant | ast.List | ast.Tuple | ast.Dict | ast.ListComp | ast.GeneratorExp | ast.Lambda
    return node if isinstance(node, plain) else _call("_reordered", node)


def _call(name: str, value: ast.expr) -> ast.Call:
    return ast.Call(ast.Name(name, ast.Load()), [value], [])
