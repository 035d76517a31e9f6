"""One function for each task type: from a verified problem to a sample's texts."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from textwrap import fill
from typing import Any

from autotrain.gate.edits import show_files
from autotrain.gate.mutation import MAX_LISTED
from autotrain.generate.builtin import wording
from autotrain.generate.builtin.bugs import plant_bug, plant_bugs
from autotrain.generate.builtin.clumsy import make_clumsy
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.running import Verified
from autotrain.generate.builtin.workspace import draw_change, edits_between
from autotrain.sample import ResponseFormat, in_fence


@dataclass(frozen=True)
class Task:
    """What a task type makes of a problem."""

    instruction: str
    output: str
    input: str = ""
    tests: str = ""
    response_format: ResponseFormat = "code"
    entry_point: str | None = None
    """Where it is not the problem's function."""
    extra: dict[str, Any] = field(default_factory=dict)


def algorithm_implementation(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    annotated = dice.chance(0.3)
    parts = [
        wording.fill_frame(dice.one(wording.write_frames(problem)), problem, annotated),
        *problem.notes,
        problem.manner,
    ]
    if dice.chance(0.5):
        parts.append(wording.example_sentence(dice, verified))
    code = problem.code(dice.one(problem.bodies), annotated)
    return Task(" ".join(filter(None, parts)), in_fence(code), tests=verified.tests)


def code_completion(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    annotated = dice.chance(0.5)
    docstring = make_docstring(dice, problem, verified)
    code = problem.code(dice.one(problem.bodies), annotated, docstring)
    stub = code[: code.index('"""', code.index('"""') + 3) + 3]
    return Task(wording.fill_frame(dice.one(wording.COMPLETE), problem), in_fence(code), stub, verified.tests)


def bug_fixing(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    code = problem.code(dice.one(problem.bodies), dice.chance(0.2))
    planted = plant_bug(dice, code, verified, visible=False)
    if planted is None:
        return None
    edit, buggy = planted
    parts = [wording.fill_frame(dice.one(wording.FIX), problem), *problem.notes]
    if dice.chance(0.3):
        parts.append(wording.example_sentence(dice, verified))
    extra = {"mutation": edit.operator}
    return Task(" ".join(filter(None, parts)), in_fence(code), buggy, verified.tests, extra=extra)


def refactoring(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    annotated = dice.chance(0.2)
    clean = problem.code(problem.bodies[0], annotated)
    sequences = frozenset(
        item.name for item in problem.parameters if item.annotation.startswith(("list", "str", "tuple"))
    )
    fewest = 3 - len(problem.bodies)
    clumsy = make_clumsy(dice, problem.code(problem.bodies[-1], annotated), sequences, fewest)
    if clumsy is None or not verified.agrees(clumsy):
        return None
    instruction = wording.fill_frame(dice.one(wording.REFACTOR), problem)
    return Task(instruction, in_fence(clean), clumsy, verified.tests)


def code_review(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    planted = plant_bug(dice, problem.code(dice.one(problem.bodies), dice.chance(0.2)), verified, visible=True)
    if planted is None:
        return None
    edit, buggy = planted
    findings = {"findings": [{"line": edit.line, "severity": edit.severity, "message": edit.message}]}
    asked = wording.fill_frame(dice.one(wording.REVIEW), problem)
    return Task(
        " ".join((asked, *problem.notes, dice.one(wording.REVIEW_FORMAT))),
        json.dumps(findings, ensure_ascii=False),
        buggy,
        response_format="json",
        extra={"planted_lines": [edit.line], "mutation": edit.operator},
    )


def code_explanation(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    takes = wording.enumerated([item.phrase for item in problem.parameters])
    does = wording.enumerated([wording.third_person(clause) for clause in problem.task])
    if problem.kind == "class":
        sentences = [f"`{problem.name}` is a class that {does}."]
    elif not takes:
        sentences = [f"`{problem.name}` {does}."]
    else:
        opening = dice.one(("`{n}` takes {t} and {d}.", "The function `{n}` {d}. It takes {t}.",
                            "Given {t}, `{n}` {d}."))  # fmt: skip
        sentences = [opening.replace("{n}", problem.name).replace("{t}", takes).replace("{d}", does)]
    if len(problem.task) == 1 and len(problem.steps) > 2:
        first, *others = (f"it {wording.third_person(step)}" for step in problem.steps[:-1])
        sentences.append(f"First {first}; then {', '.join(others)}.")
    sentences += [note for note in problem.notes if not note.startswith("Keep")]
    sentences.append(wording.example_sentence(dice, verified))
    code = problem.code(dice.one(problem.bodies), dice.chance(0.2))
    instruction = wording.fill_frame(dice.one(wording.EXPLAIN), problem)
    return Task(instruction, " ".join(filter(None, sentences)), code, response_format="text")


def unit_test_generation(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    code = problem.code(dice.one(problem.bodies), dice.chance(0.3))
    mutants = [mutant for _, mutant in plant_bugs(dice, code, verified.tells_apart, most=MAX_LISTED)]
    if not mutants:
        return None
    parts = [wording.fill_frame(dice.one(wording.TEST), problem), *problem.notes]
    if dice.chance(0.5):
        parts.append(dice.one(wording.TEST_FUNCTIONS))
        tests = verified.tests_in_functions(problem.name)
    else:
        parts.append(dice.one(wording.TEST_PLAIN))
        tests = verified.tests
    return Task(" ".join(parts), in_fence(tests), code, extra={"mutants": mutants})


def documentation(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    body, annotated = dice.one(problem.bodies), dice.chance(0.3)
    parts = [wording.fill_frame(dice.one(wording.DOCUMENT), problem)]
    # What is only said to those who write it anew is no part of its description.
    notes = tuple(note for note in problem.notes if not note.endswith("may have any message."))
    described = replace(problem, manner="", notes=notes)
    if problem.parameters and dice.chance(0.4):
        parts.append(dice.one(wording.DOCUMENT_SECTIONS))
        docstring = docstring_in_sections(described)
    else:
        docstring = make_docstring(dice, described, verified)
    documented = problem.code(body, annotated, ("r" if "\\" in docstring else "") + docstring)
    return Task(" ".join(parts), in_fence(documented), problem.code(body, annotated))


def agent_edit(dice: Dice, problem: Problem, verified: Verified) -> Task | None:
    change = draw_change(dice, problem, verified)
    if change is None:
        return None
    asked = wording.fill_slots(dice.one(change.frames), problem, change.slots)
    return Task(
        " ".join((asked, *change.notes, dice.one(wording.EDIT_FORMAT))),
        json.dumps({"edits": edits_between(change.before, change.after)}, ensure_ascii=False),
        show_files(change.before),
        change.tests,
        response_format="json",
        entry_point=change.entry_point,
        extra={"edit": change.kind, **change.extra},
    )


MAKERS: dict[str, Callable[[Dice, Problem, Verified], Task | None]] = {
    "algorithm_implementation": algorithm_implementation,
    "code_completion": code_completion,
    "bug_fixing": bug_fixing,
    "refactoring": refactoring,
    "code_review": code_review,
    "code_explanation": code_explanation,
    "unit_test_generation": unit_test_generation,
    "documentation": documentation,
    "agent_edit": agent_edit,
}
# New types go to the end: what is drawn of the others must not change by them.
SHARES = {
    "algorithm_implementation": 35.0,
    "code_completion": 20.0,
    "bug_fixing": 20.0,
    "refactoring": 12.0,
    "code_review": 8.0,
    "code_explanation": 5.0,
    "unit_test_generation": 15.0,
    "documentation": 10.0,
    "agent_edit": 15.0,
}


def make_docstring(dice: Dice, problem: Problem, verified: Verified) -> str:
    """A docstring with all that the instruction of an implementation task would say."""
    do = wording.enumerated(problem.task)
    text = fill(" ".join(filter(None, (f"{do[:1].upper()}{do[1:]}.", *problem.notes, problem.manner))), 88)
    example = wording.draw_example(dice, verified) if dice.chance(0.5) else None
    if example:
        text += f"\n\n>>> {example[0]}\n{example[1]}"
    end = "\n" if "\n" in text else ""
    return f'"""{text}{end}"""'


def docstring_in_sections(problem: Problem) -> str:
    """A docstring in Google style."""
    do = wording.enumerated(problem.task)
    lines = [fill(f"{do[:1].upper()}{do[1:]}.", 88), "", "Args:"]
    lines += [f"    {item.name}: {item.description[:1].upper()}{item.description[1:]}." for item in problem.parameters]
    last = problem.task[-1]
    if problem.returns.startswith("Iterator"):
        lines += ["", "Yields:", "    The values, one after another."]
    elif last.startswith("return "):
        result = last.removeprefix("return ")
        text = f"{result[:1].upper()}{result[1:]}."
        lines += ["", "Returns:", fill(text, 88, initial_indent="    ", subsequent_indent="    ")]
    else:
        lines += ["", "Returns:", f"    The result, of type {problem.returns}."]
    if problem.notes:
        lines += ["", fill(" ".join(problem.notes), 88)]
    return '"""' + "\n".join(lines) + '\n"""'
