"""How much a sample's tests prove: how many small bugs in its solution they find, and whether they find any.

    plan = plan_sample_strength(sample)
    endings = {}
    while jobs := next_jobs(plan, endings):          # a few at a time, as time and number allow
        endings.update(zip(jobs, run(jobs.values())))
    strength = strength_of(plan, endings)

Nothing is run here. A mutant that the tests let through is asked what they never asked (probes.py): if it answers
all of it as the solution does, it counts as equivalent, which is no fault of the tests. A stub, the solution without
its bodies, is the negative control: tests that pass on it, where it is not right, prove nothing.

Not seen: what a mutant changes for inputs far from those of the tests (it counts as equivalent, and the value is the
higher for it); a mutant that no test could kill where there are no probes, as of methods or of arguments that are
computed (it counts as live, and the value is the lower for it).
"""

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol

from autotrain.gate.edits import Unusable, apply_edits, read_edits, read_files, with_files
from autotrain.gate.encoding import decode
from autotrain.gate.mutation import Text, mutants_of
from autotrain.gate.probes import probes_of
from autotrain.gate.program import Problem, parse
from autotrain.gate.steps import Program, judge, split
from autotrain.sample import Sample, fenced_code

# Task types whose tests come with the sample, so that they can be too weak.
MEASURED_TYPES = frozenset({"algorithm_implementation", "code_completion", "bug_fixing", "refactoring", "agent_edit"})
MAX_MUTANTS = 12
MIN_TEST_STRENGTH = 0.5
# How many mutants are tried before the time is looked at again.
MUTANTS_AT_ONCE = 4

# An answer as data: what was returned or raised, what became of the arguments, and what was printed.
_OBSERVER = """
def _observed(function, *arguments, **named):
    import contextlib, io, itertools, re
    written = io.StringIO()
    try:
        with contextlib.redirect_stdout(written):
            answer = function(*arguments, **named)
            if hasattr(answer, "__next__"):
                answer = ["iterator", *itertools.islice(answer, 200)]
            elif type(answer).__module__ not in ("builtins", "collections"):
                shown = repr(answer), repr(getattr(answer, "__dict__", ""))
                answer = [type(answer).__name__, *(re.sub(" at 0x[0-9a-f]+", "", text) for text in shown)]
    except BaseException as error:
        return ["raised", type(error).__name__]
    return [answer, arguments, named, written.getvalue()]
"""

Step = dict[str, str]


class Ended(Protocol):
    """How a program ended; `replies` are the runner's, one a step, as far as it came."""

    @property
    def status(self) -> str: ...
    @property
    def replies(self) -> Sequence[dict[str, Any]]: ...
    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True)
class Budget:
    """What one sample may cost.

    Past `seconds`, counted as programs end, no more mutants are tried; those that got through are still asked.
    """

    mutants: int = MAX_MUTANTS
    seconds: float = 20.0


@dataclass(frozen=True)
class Variant:
    """The solution with one small bug, or without its bodies; `program` is the tests on it."""

    kind: Literal["stub", "mutant"]
    code: str
    program: Program


@dataclass(frozen=True)
class StrengthPlan:
    """What is to be run: the tests on every variant, then the probes on the solution and on what got through."""

    code: str
    variants: tuple[Variant, ...]
    probes: tuple[str, ...]
    imports: str
    """What the tests import: the probes need it too."""
    budget: Budget


class Job(NamedTuple):
    """One program of a plan: the tests, or the probes, on a variant (SOLUTION: on the solution itself)."""

    asks: Literal["tests", "probes"]
    of: int


SOLUTION = -1
Endings = Mapping[Job, Ended]


@dataclass(frozen=True)
class Strength:
    """How many mutants the tests killed, and how many they should have; `value` is None where there is none.

    `equivalent` are those that no probe tells from the solution. `vacuous`: the tests pass on a stub that does
    not answer as the solution does. `partial`: time was up before all mutants were tried.
    """

    killed: int
    live: int
    equivalent: int
    value: float | None
    vacuous: bool
    partial: bool
    programs: int
    seconds: float


def fault_of(strength: Strength, least: float = MIN_TEST_STRENGTH) -> Literal["", "vacuous_tests", "weak_tests"]:
    """Why tests of this strength are not good enough; "" if they are, or if nothing could be measured."""
    if strength.vacuous:
        return "vacuous_tests"
    return "weak_tests" if strength.value is not None and strength.value < least else ""


# ---------------------------------------------------------------------------
# What to run


def plan_sample_strength(
    sample: Sample, budget: Budget | None = None, program: Program | None = None
) -> StrengthPlan | None:
    """The plan for a sample whose answer passes its tests; None where there is nothing to measure.

    `program` is the one that they passed in, where it is at hand: it takes a while to make.
    """
    metadata = sample.metadata
    if metadata.task_type not in MEASURED_TYPES or not sample.tests.strip():
        return None
    if metadata.task_type == "agent_edit":
        return _plan_edit(sample, budget, program)
    code = fenced_code(sample.output)
    if code is None:
        return None
    return plan_strength(code, sample.tests, metadata.entry_point, budget, program=program)


def plan_strength(
    code: str,
    tests: str,
    entry_point: str | None,
    budget: Budget | None = None,
    *,
    inside: Callable[[str], str] = str,
    program: Program | None = None,
) -> StrengthPlan:
    """What to run to learn how strong the `tests` of the solution `code` are.

    `inside` makes of a version of `code` the program that comes before the tests, where that is more than the code:
    one that writes files, for example. `program` is what `split` makes of that and the tests, where it is at hand.
    """
    budget = budget or Budget()
    versions: list[tuple[Literal["stub", "mutant"], str]] = [("stub", stub) for stub in stubs(code, entry_point)]
    versions += [("mutant", mutant) for mutant in mutants_of(code, budget.mutants)]
    # Taken apart once: what is in a function makes no difference to that.
    program = program or split(inside(code), tests)
    placed = ((kind, inside(version)) for kind, version in versions)
    variants = tuple(
        Variant(kind, text, replace(program, steps=({"run": text}, *program.steps[1:]))) for kind, text in placed
    )
    probes = tuple(probes_of(tests, entry_point, code)) if entry_point else ()
    return StrengthPlan(inside(code), variants, probes, _imports(tests), budget)


def next_jobs(plan: StrengthPlan, endings: Endings) -> dict[Job, Sequence[Step]]:
    """What to run next, given how all that was handed out before has ended; empty when nothing is left to learn."""
    untried = [job for job in _jobs(plan, "stub") if job not in endings]
    if not _is_spent(plan, endings):
        untried += [job for job in _jobs(plan, "mutant") if job not in endings][:MUTANTS_AT_ONCE]
    if untried:
        return {job: plan.variants[job.of].program.steps for job in untried}
    through = [number for number in range(len(plan.variants)) if _got_through(plan, endings, number)]
    if not plan.probes or not through:
        return {}
    solution = Job("probes", SOLUTION)
    if solution not in endings:
        return {solution: _asking(plan, plan.code, plan.probes)}
    probes = [plan.probes[number] for number in _answers(endings[solution])]
    unasked = [number for number in through if probes and Job("probes", number) not in endings]
    return {Job("probes", number): _asking(plan, plan.variants[number].code, probes) for number in unasked}


def _jobs(plan: StrengthPlan, kind: Literal["stub", "mutant"]) -> list[Job]:
    return [Job("tests", number) for number, variant in enumerate(plan.variants) if variant.kind == kind]


def _is_spent(plan: StrengthPlan, endings: Endings) -> bool:
    return sum(ending.seconds for ending in endings.values()) >= plan.budget.seconds


def _asking(plan: StrengthPlan, code: str, probes: Sequence[str]) -> list[Step]:
    """The program that asks a version of the solution what the probes ask."""
    asked = (probe.replace("(", ", ", 1) for probe in probes)
    return [{"run": code}, {"run": plan.imports + _OBSERVER}, *({"value": f"_observed({item}"} for item in asked)]


def _imports(tests: str) -> str:
    tree = parse(tests)
    found = [] if isinstance(tree, Problem) else tree.body
    return "\n".join(ast.unparse(node) for node in found if isinstance(node, ast.Import | ast.ImportFrom))


# ---------------------------------------------------------------------------
# What came of it


def strength_of(plan: StrengthPlan, endings: Endings) -> Strength:
    """How strong the tests are, by how the programs ended that `next_jobs` gave."""
    tried = [job for job in _jobs(plan, "mutant") if job in endings and not _is_broken(endings[job])]
    through = [job.of for job in tried if _got_through(plan, endings, job.of)]
    live = sum(not _is_equivalent(plan, endings, number) for number in through)
    killed = len(tried) - len(through)
    passing = (job.of for job in _jobs(plan, "stub") if _got_through(plan, endings, job.of))
    return Strength(
        killed=killed,
        live=live,
        equivalent=len(through) - live,
        value=killed / (killed + live) if killed + live else None,
        vacuous=any(not _is_equivalent(plan, endings, number) for number in passing),
        partial=any(job not in endings for job in _jobs(plan, "mutant")),
        programs=len(endings),
        seconds=sum(ending.seconds for ending in endings.values()),
    )


def _got_through(plan: StrengthPlan, endings: Endings, number: int) -> bool:
    """Whether the tests pass on a variant; one that runs out of time or memory, or dies, has been found."""
    ending = endings.get(Job("tests", number))
    return (
        ending is not None and ending.status == "done" and judge(plan.variants[number].program, ending.replies).passed
    )


def _is_broken(ending: Ended) -> bool:
    """Whether the code could not even be compiled, which says nothing of the tests."""
    kind, *_ = ending.replies[0].get("error", [""]) if ending.replies else [""]
    return kind in ("SyntaxError", "IndentationError", "TabError")


def _is_equivalent(plan: StrengthPlan, endings: Endings, number: int) -> bool:
    """Whether a variant answers all that was asked as the solution does; never where nothing was asked."""
    solution, variant = endings.get(Job("probes", SOLUTION)), endings.get(Job("probes", number))
    if solution is None or variant is None:
        return False
    wanted, found = list(_answers(solution).values()), _answers(variant)
    return bool(wanted) and all(n in found and _same(answer, found[n]) for n, answer in enumerate(wanted))


def _answers(ending: Ended) -> dict[int, str]:
    """The encoded answers by the numbers of their probes; those of foreign classes tell nothing."""
    return {reply["step"] - 2: reply["value"] for reply in ending.replies if "value" in reply}


def _same(left: str, right: str) -> bool:
    """Whether two encoded answers are equal, as an assert would see it, and nan like nan."""
    try:
        return left == right or bool(decode(left) == decode(right))
    except ValueError:
        return False


# ---------------------------------------------------------------------------
# Variants


def stubs(code: str, entry_point: str | None) -> list[str]:
    """The code with `return None` for the body of its entry point, or of each method if that is a class.

    `pass` would do the same. Where the body yields there is a second one, which yields nothing. An entry point
    `A.b` is one method; without one, or with one that the code does not define, all functions are meant.
    """
    tree = parse(code)
    if isinstance(tree, Problem):
        return []
    name, _, method = (entry_point or "").partition(".")
    named = [node for node in tree.body if getattr(node, "name", None) == name]
    functions = [
        node
        for top in named or tree.body
        for node in _functions(top)
        if not (named and method and node is not top) or node.name == method
    ]
    if not functions:
        return []
    bodies = ["return None"]
    if any(isinstance(node, ast.Yield | ast.YieldFrom) for item in functions for node in _own_nodes(item)):
        bodies.append("return; yield")
    text = Text(code, tree)
    made = (_with_bodies(text, functions, body) for body in bodies)
    return [stub for stub in made if stub != code and not isinstance(parse(stub), Problem)]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def _functions(node: ast.stmt) -> Iterator[Function]:
    if isinstance(node, Function):
        yield node
    elif isinstance(node, ast.ClassDef):
        for item in node.body:
            yield from _functions(item)


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """What is in a function, without what is in functions inside it."""
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            waiting += ast.iter_child_nodes(node)


def _with_bodies(text: Text, functions: Sequence[Function], body: str) -> str:
    source = text.source
    for function in sorted(functions, key=lambda item: item.lineno, reverse=True):
        first = function.body[0]
        decorators = getattr(first, "decorator_list", [])
        start = text.span(decorators[0])[0] - 1 if decorators else text.span(first)[0]
        source = source[:start] + body + source[text.span(function.body[-1])[1] :]
    return source


def _plan_edit(sample: Sample, budget: Budget | None, program: Program | None) -> StrengthPlan | None:
    """The plan for the definition that the edits are about, in the files as edited."""
    try:
        before = read_files(sample.input)
        files = apply_edits(before, read_edits(sample.output))
    except (Unusable, ValueError):
        return None
    entry_point = sample.metadata.entry_point
    for path, source in files.items():
        tree = parse(source)
        for node in [] if isinstance(tree, Problem) else tree.body:
            if not isinstance(node, Function | ast.ClassDef):
                continue
            definition = ast.get_source_segment(source, node) or ""
            name = (entry_point or "").partition(".")[0]
            if node.name != name if name else definition in before[path]:
                continue
            start, end = source.find(definition), source.find(definition) + len(definition)

            def inside(text: str, path: str = path, source: str = source, start: int = start, end: int = end) -> str:
                return with_files({**files, path: source[:start] + text + source[end:]})

            name = entry_point or node.name
            return plan_strength(definition, sample.tests, name, budget, inside=inside, program=program)
    return None
