"""Small programs of one to three files around a problem's function, and changes to ask for in them."""

import ast
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from textwrap import indent
from typing import Any

from autotrain.gate.edits import occurs_once
from autotrain.generate.builtin import wording
from autotrain.generate.builtin.bugs import plant_bugs
from autotrain.generate.builtin.concepts import BUILDERS, CONCEPT_SHARES
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.running import Outcome, Verified, assertion

MODULES = ("rules", "tools", "helpers", "core", "logic", "formulas", "basics", "parts", "steps", "lib")
FOLDERS = ("shop", "game", "bank", "school", "garden", "office")
USERS = ("report", "main", "app", "service", "summary", "views", "jobs", "export", "overview", "page")
CALLERS = ("present", "report_on", "summarize", "outcome_of", "build_entry", "show_result", "prepare", "deliver")
LOOPS = ("run_all", "for_each", "all_results", "process_all", "collect_results")
LABELS = ("total", "result", "answer", "value", "score", "found", "status", "outcome", "output", "figure")
FEWEST_DIRECT = 3


@dataclass(frozen=True)
class Change:
    """Files as they are and as they should be, the tests that tell them apart, and the words to ask for it."""

    kind: str
    before: dict[str, str]
    after: dict[str, str]
    tests: str
    entry_point: str
    frames: tuple[str, ...]
    slots: Mapping[str, str]
    notes: tuple[str, ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What a caller makes of the function's value: in words, in code, and for real."""

    words: str
    code: str
    of: Callable[[Any], Any]


@dataclass(frozen=True)
class Caller:
    """A function in another file that calls the problem's function."""

    path: str
    name: str
    imports: str
    call: str
    parameters: str
    result: Result
    in_two_lines: bool

    def source(self) -> str:
        if self.in_two_lines:
            body = f"value = {self.call}\nreturn {self.result.code.replace('{call}', 'value')}"
        else:
            body = f"return {self.result.code.replace('{call}', self.call)}"
        return f"{self.imports}\n\n\ndef {self.name}({self.parameters}):\n{indent(body, '    ')}\n"


@dataclass(frozen=True)
class Workspace:
    """The program: where the problem's function is, what stands beside it, and who calls it."""

    path: str
    neighbours: tuple[str, ...]
    """Code in the same file, before the function."""
    caller: Caller | None
    loop: str
    """The name of a function that calls it for every item of a list, or ""."""
    others: dict[str, str]
    """Further files, complete."""

    def files(self, code: str) -> dict[str, str]:
        """All files, with `code` as the problem's function."""
        files = {self.path: joined((*self.neighbours, code))}
        if self.caller:
            files[self.caller.path] = self.caller.source()
        return files | self.others


def draw_change(dice: Dice, problem: Problem, verified: Verified) -> Change | None:
    """A program around the problem and something to change in it; None where nothing fits."""
    direct = direct_calls(problem, verified)
    workspace = draw_workspace(dice, problem, direct)
    kinds = [fix, fix, write] if problem.kind == "function" else [fix]
    if workspace.caller:
        kinds += [rename, change]
    return dice.one(kinds)(dice, problem, verified, workspace, direct)


def direct_calls(problem: Problem, verified: Verified) -> list[tuple[str, Any]]:
    """The arguments and values of the calls that are nothing but a call of the function."""
    start = f"{problem.name}("
    plain = [
        (call, outcome.value)
        for call, outcome in zip(verified.calls, verified.outcomes, strict=True)
        if call.startswith(start) and not outcome.error and "\n" not in call
    ]
    found = []
    for (call, value), statement in zip(plain, ast.parse("\n".join(call for call, _ in plain)).body, strict=True):
        match statement:
            case ast.Expr(value=ast.Call(func=ast.Name())):
                found.append((call.removeprefix(start)[:-1], value))
    return found if len(found) >= FEWEST_DIRECT else []


# ---------------------------------------------------------------------------
# The program


def draw_workspace(dice: Dice, problem: Problem, direct: list[tuple[str, Any]]) -> Workspace:
    stem, folder = dice.one(MODULES), f"{dice.one(FOLDERS)}/" if dice.chance(0.15) else ""
    neighbour = BUILDERS[dice.named(CONCEPT_SHARES)](dice) if dice.chance(0.6) else None
    if neighbour and neighbour.name == problem.name:
        neighbour = None
    beside = neighbour is not None and dice.chance(0.75)
    neighbours = (neighbour.code(dice.one(neighbour.bodies)),) if neighbour and beside else ()
    caller, loop, others = None, "", {}
    if direct and dice.chance(0.8):
        names = [item.name for item in problem.parameters]
        taken = {stem, problem.name, *names}
        caller = draw_caller(dice, problem, module_of(folder + stem), taken)
        if len(names) == 1 and dice.chance(0.25):
            loop = dice.one([name for name in LOOPS if name not in taken])
            path = dice.one([name for name in USERS if f"{name}.py" != caller.path]) + ".py"
            others[path] = (
                f"from {module_of(folder + stem)} import {problem.name}\n\n\n"
                f"def {loop}(cases):\n    return [{problem.name}(case) for case in cases]\n"
            )
    if neighbour and not beside and not loop:
        path = dice.one([name for name in MODULES if name != stem]) + ".py"
        others[path] = joined((neighbour.code(dice.one(neighbour.bodies)),))
    return Workspace(f"{folder}{stem}.py", neighbours, caller, loop, others)


def draw_caller(dice: Dice, problem: Problem, module: str, taken: set[str]) -> Caller:
    parameters = ", ".join(item.name for item in problem.parameters)
    call = f"{problem.name}({parameters})"
    imports = f"from {module} import {problem.name}"
    folder, _, stem = module.rpartition(".")
    if dice.chance(0.3) and stem not in (item.name for item in problem.parameters):
        imports, call = f"from {folder} import {stem}" if folder else f"import {stem}", f"{stem}.{call}"
    return Caller(
        path=f"{dice.one(USERS)}.py",
        name=dice.one([name for name in CALLERS if name not in taken]),
        imports=imports,
        call=call,
        parameters=parameters,
        result=dice.one(results(dice, problem)),
        in_two_lines="value" not in parameters and dice.chance(0.4),
    )


def results(dice: Dice, problem: Problem) -> list[Result]:
    """What a caller may make of the function's value."""
    label, name = dice.one(LABELS), f"`{problem.name}`"
    shapes = [
        Result(f"what {name} returns, as it is", "{call}", lambda value: value),
        Result(f'a dictionary with the result of {name} under "{label}"', f'{{"{label}": {{call}}}}',
               lambda value: {label: value}),
        Result(f'a tuple of "{label}" and the result of {name}', f'("{label}", {{call}})', lambda value: (label, value)),
        Result(f"a list with the result of {name} as its only element", "[{call}]", lambda value: [value]),
    ]  # fmt: skip
    # The order in which a set is printed differs from process to process.
    if "set" not in problem.returns:
        shapes += [
            Result(f'the text "{label}: " followed by the result of {name}', f'f"{label}: {{{{call}}}}"',
                   lambda value: f"{label}: {value}"),
            Result(f"the result of {name} as a string", "str({call})", str),
        ]  # fmt: skip
    return shapes


def joined(sources: Iterable[str]) -> str:
    """One file of several sources, all imports at its top."""
    imports: set[str] = set()
    blocks = []
    for source in sources:
        lines = source.splitlines()
        head = next(number for number, line in enumerate(lines) if not line.startswith(("import ", "from ")))
        imports.update(lines[:head])
        blocks.append("\n".join(lines[head:]).strip("\n"))
    return "\n\n\n".join((["\n".join(sorted(imports))] if imports else []) + blocks) + "\n"


def module_of(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


# ---------------------------------------------------------------------------
# The changes

Direct = list[tuple[str, Any]]


def fix(dice: Dice, problem: Problem, verified: Verified, workspace: Workspace, direct: Direct) -> Change | None:
    code = problem.code(dice.one(problem.bodies), dice.chance(0.2))
    planted = plant_bugs(dice, code, verified.tells_apart)
    if not planted:
        return None
    ((edit, buggy),) = planted
    return Change(
        "fix",
        workspace.files(buggy),
        workspace.files(code),
        tests_of(problem.name, verified.tests, workspace, direct),
        problem.name,
        wording.EDIT_FIX,
        {"path": workspace.path},
        problem.notes,
        {"mutation": edit.operator},
    )


def write(dice: Dice, problem: Problem, verified: Verified, workspace: Workspace, direct: Direct) -> Change:
    body = dice.one(problem.bodies)
    code = problem.code(body, dice.chance(0.3))
    stub = code.removesuffix(indent(body, "    ")) + "    raise NotImplementedError"
    return Change(
        "write",
        workspace.files(stub),
        workspace.files(code),
        tests_of(problem.name, verified.tests, workspace, direct),
        problem.name,
        wording.EDIT_WRITE,
        {"path": workspace.path},
        tuple(filter(None, (*problem.notes, problem.manner))),
    )


def rename(dice: Dice, problem: Problem, verified: Verified, workspace: Workspace, direct: Direct) -> Change | None:
    old = problem.name
    new = dice.one((f"calc_{old}", f"get_{old}", f"{old}_value", f"{old}_result", f"do_{old}", f"my_{old}"))
    before = workspace.files(problem.code(dice.one(problem.bodies), dice.chance(0.2)))
    word = re.compile(rf"\b{old}\b")
    if any(new in text or len(word.findall(text)) != uses(text, old) for text in before.values()):
        return None
    return Change(
        "rename",
        before,
        {path: word.sub(new, text) for path, text in before.items()},
        tests_of(new, "\n".join(check(new, *item) for item in direct[:4]), workspace, direct),
        new,
        wording.EDIT_RENAME,
        {"path": workspace.path, "new": new},
    )


def uses(source: str, name: str) -> int:
    """How often a name stands for a function defined in the source or imported by it, and for nothing else."""
    number = 0
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.FunctionDef(name=found) | ast.alias(name=found) | ast.Name(id=found, ctx=ast.Load()):
                number += found == name
            case ast.Attribute(value=ast.Name(id=module), attr=found):
                number += found == name and module in MODULES
    return number


def change(dice: Dice, problem: Problem, verified: Verified, workspace: Workspace, direct: Direct) -> Change:
    caller = workspace.caller
    assert caller is not None
    others = [
        result
        for result in results(dice, problem)
        if any(result.of(value) != caller.result.of(value) for _, value in direct)
    ]
    wanted = replace(caller, result=dice.one(others))
    code = problem.code(dice.one(problem.bodies), dice.chance(0.2))
    tests = "\n".join(check(caller.name, arguments, wanted.result.of(value)) for arguments, value in direct)
    return Change(
        "change",
        workspace.files(code),
        replace(workspace, caller=wanted).files(code),
        f"from {module_of(caller.path)} import {caller.name}\n\n{tests}",
        caller.name,
        wording.EDIT_CHANGE,
        {"path": caller.path, "user": caller.name, "wanted": wanted.result.words},
    )


def tests_of(name: str, tests: str, workspace: Workspace, direct: Direct) -> str:
    """The tests with the imports they need, and one for each function that calls the one under test."""
    imports = [f"from {module_of(workspace.path)} import {name}"]
    more = []
    if workspace.caller:
        caller = workspace.caller
        imports.append(f"from {module_of(caller.path)} import {caller.name}")
        arguments, value = direct[0]
        more.append(check(caller.name, arguments, caller.result.of(value)))
    if workspace.loop:
        path = next(iter(workspace.others))
        imports.append(f"from {module_of(path)} import {workspace.loop}")
        given = ", ".join(arguments for arguments, _ in direct[:2])
        more.append(check(workspace.loop, f"[{given}]", [value for _, value in direct[:2]]))
    return "\n".join([*imports, "", tests, *more])


def check(name: str, arguments: str, value: Any) -> str:
    return assertion(f"{name}({arguments})", Outcome(value))


# ---------------------------------------------------------------------------
# Edits


def edits_between(before: Mapping[str, str], after: Mapping[str, str]) -> list[dict[str, str]]:
    """The edits that turn some files into others: for each change the smallest unique stretch of whole lines."""
    edits = []
    for path, text in before.items():
        if text == after[path]:
            continue
        lines, wanted = text.split("\n"), after[path].split("\n")
        shift = 0
        for tag, start, end, first, last in SequenceMatcher(None, lines, wanted, autojunk=False).get_opcodes():
            if tag == "equal":
                continue
            old = lines[start + shift : end + shift]
            low, high = stretch(lines, start + shift, end + shift, bool(wanted[first:last]))
            search = lines[low:high]
            lines[start + shift : end + shift] = wanted[first:last]
            shift += (last - first) - len(old)
            high += (last - first) - len(old)
            edits.append({"path": path, "search": "\n".join(search), "replace": "\n".join(lines[low:high])})
    return edits


def stretch(lines: list[str], start: int, end: int, replaced: bool) -> tuple[int, int]:
    """The smallest stretch of lines around start:end that occurs once; one more where nothing would be left of it."""
    text = "\n".join(lines)
    for size in range(max(1, end - start + (not replaced)), len(lines) + 1):
        for low in range(max(0, end - size), min(start, len(lines) - size) + 1):
            part = "\n".join(lines[low : low + size])
            if part.strip() and occurs_once(text, part):
                return low, low + size
    raise ValueError("nothing is left of the text, so there is no line to replace")
