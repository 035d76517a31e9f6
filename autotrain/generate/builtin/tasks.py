"""One function for each task type: from a verified problem to a sample's texts."""

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from textwrap import fill
from typing import Any

from autotrain.generate.builtin import wording
from autotrain.generate.builtin.clumsy import make_clumsy
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.mutation import Edit, Text, find_edits
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.running import Verified
from autotrain.sample import ResponseFormat, in_fence

ATTEMPTS = 8


@dataclass(frozen=True)
class Task:
    """What a task type makes of a problem."""

    instruction: str
    output: str
    input: str = ""
    tests: str = ""
    response_format: ResponseFormat = "code"
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
    clumsy, changes = make_clumsy(dice, problem.code(problem.bodies[-1], annotated), sequences)
    if changes + len(problem.bodies) < 3 or not verified.agrees(clumsy):
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


MAKERS: dict[str, Callable[[Dice, Problem, Verified], Task | None]] = {
    "algorithm_implementation": algorithm_implementation,
    "code_completion": code_completion,
    "bug_fixing": bug_fixing,
    "refactoring": refactoring,
    "code_review": code_review,
    "code_explanation": code_explanation,
}
SHARES = {
    "algorithm_implementation": 35.0,
    "code_completion": 20.0,
    "bug_fixing": 20.0,
    "refactoring": 12.0,
    "code_review": 8.0,
    "code_explanation": 5.0,
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


def plant_bug(dice: Dice, code: str, verified: Verified, visible: bool) -> tuple[Edit, str] | None:
    """An edit that makes a test fail, and the code with it; None where none of the first few does."""
    text = Text(code)
    for edit in find_edits(dice, text, visible)[:ATTEMPTS]:
        buggy = edit.apply(code)
        if parses(buggy) and not verified.agrees(buggy):
            return edit, buggy
    return None


def parses(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True
