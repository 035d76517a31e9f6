"""The strength of tests: which bugs they miss, which of those nobody could find, and tests that find nothing."""

import json
from dataclasses import replace
from typing import Any

import pytest
from program_runner import Ending, run_programs

from autotrain.gate.mutation import GATE_OPERATORS, mutants_of
from autotrain.gate.steps import split
from autotrain.gate.strength import (
    MAX_MUTANTS,
    SOLUTION,
    Budget,
    Job,
    Strength,
    StrengthPlan,
    fault_of,
    next_jobs,
    plan_sample_strength,
    plan_strength,
    strength_of,
    stubs,
)
from autotrain.sample import Metadata, Sample, in_fence

CLAMP = """\
def grade(points):
    if points >= 50:
        return "pass"
    return "fail"
"""
SORT = "def tidy(items):\n    items.sort()\n    items.reverse()\n"


def measured(plan: StrengthPlan, seconds: float = 1.0) -> Strength:
    endings: dict[Job, Ending] = {}
    while jobs := next_jobs(plan, endings):
        endings.update(zip(jobs, run_programs(jobs.values(), seconds), strict=True))
    return strength_of(plan, endings)


def strength(code: str, tests: str, entry_point: str | None, **more: Any) -> Strength:
    return measured(plan_strength(code, tests, entry_point, **more))


def test_tests_that_look_at_the_boundary_are_strong() -> None:
    tests = "assert grade(50) == 'pass'\nassert grade(49) == 'fail'\nassert grade(80) == 'pass'"
    found = strength(CLAMP, tests, "grade")
    assert (found.live, found.value, found.vacuous, found.partial) == (0, 1.0, False, False)
    assert found.killed >= 5
    assert fault_of(found) == ""


def test_tests_that_miss_the_boundary_are_weaker() -> None:
    found = strength(CLAMP, "assert grade(90) == 'pass'\nassert grade(10) == 'fail'", "grade")
    assert found.live >= 2
    assert found.value is not None
    assert 0.5 <= found.value < 0.8


def test_tests_that_hardly_look_are_weak() -> None:
    code = "def total(items):\n    count = 0\n    for item in items:\n        count += item * 2\n    return count + 1\n"
    found = strength(code, "assert total([]) == 1\nassert isinstance(total([3]), int)", "total")
    assert not found.vacuous
    assert fault_of(found, 0.8) == "weak_tests"
    assert fault_of(found, 0.1) == ""
    weak = strength(code, "assert total([1]) > 0", "total")
    assert weak.value is not None
    assert weak.value < 0.5
    assert fault_of(weak) == "weak_tests"


def test_a_mutant_that_no_test_could_kill_is_no_fault_of_the_tests() -> None:
    # `>` for `>=` changes nothing: what is equal may be taken or left.
    code = "def largest(items):\n    best = items[0]\n    for item in items:\n        if item > best:\n"
    code += "            best = item\n    return best\n"
    assert any(">= best" in mutant for mutant in mutants_of(code, MAX_MUTANTS))
    found = strength(code, "assert largest([1, 3, 2]) == 3\nassert largest([-5]) == -5", "largest")
    assert (found.live, found.value) == (0, 1.0)
    assert found.equivalent >= 1


def test_without_literal_calls_nothing_counts_as_equivalent() -> None:
    code = "def largest(items):\n    best = items[0]\n    for item in items:\n        if item > best:\n"
    code += "            best = item\n    return best\n"
    found = strength(code, "items = [1, 3, 2]\nassert largest(items) == 3\nassert largest(items[:1]) == 1", "largest")
    assert found.equivalent == 0
    assert found.live >= 1


def test_a_mutant_that_never_ends_is_killed() -> None:
    code = "def count(number):\n    while number > 0:\n        number -= 1\n    return number\n"
    plan = plan_strength(code, "assert count(3) == 0", "count")
    looping = [n for n, variant in enumerate(plan.variants) if "number += 1" in variant.code]
    assert looping
    (ending,) = run_programs([plan.variants[looping[0]].program.steps], 0.5)
    assert ending.status == "timeout"
    only = replace(plan, variants=(plan.variants[looping[0]],))
    assert strength_of(only, {Job("tests", 0): ending}).killed == 1


def test_what_does_not_compile_is_no_mutant() -> None:
    plan = plan_strength(CLAMP, "assert grade(50) == 'pass'", "grade")
    broken = Ending("done", [{"step": 0, "error": ["SyntaxError", "invalid syntax"]}])
    found = strength_of(plan, {Job("tests", number): broken for number in range(len(plan.variants))})
    assert (found.killed, found.live, found.value) == (0, 0, None)
    assert fault_of(found) == ""


def test_what_becomes_of_the_arguments_and_what_is_printed_are_answers() -> None:
    unsorted = plan_strength(SORT, "items = [2, 1]\ntidy(items)\nassert tidy([3, 1]) is None", "tidy")
    found = measured(unsorted)
    assert found.vacuous
    assert found.live >= 1
    printing = "def show(name):\n    text = name.upper()\n    print(text)\n"
    assert strength(printing, "assert show('a') is None", "show").live >= 1


def test_mutants_of_what_is_in_a_generator_are_told_apart() -> None:
    code = "def upto(n):\n    for i in range(n):\n        yield i * 2\n"
    found = strength(code, "assert next(upto(1)) == 0", "upto")
    assert found.live >= 1


# ---------------------------------------------------------------------------
# Stubs


@pytest.mark.parametrize(
    ("code", "entry_point", "wanted"),
    [
        ("def f(x):\n    y = x\n    return y\n", "f", ["def f(x):\n    return None\n"]),
        ("def f(x): return x", "f", ["def f(x): return None"]),
        ("def f():\n    yield 1", "f", ["def f():\n    return None", "def f():\n    return; yield"]),
        ("async def f(ä):\n    return 'ü'", "f", ["async def f(ä):\n    return None"]),
        ("def g(): return 1\ndef f(): return g()", "f", ["def g(): return 1\ndef f(): return None"]),
        (
            "class A:\n    x = 1\n    def f(self): return 1\n    def g(self): return 2",
            "A",
            ["class A:\n    x = 1\n    def f(self): return None\n    def g(self): return None"],
        ),
        (
            "class A:\n    def f(self): return 1\n    def g(self): return 2",
            "A.g",
            ["class A:\n    def f(self): return 1\n    def g(self): return None"],
        ),
        (
            "def f():\n    @wrap\n    def g(): return 1\n    return g",
            "f",
            ["def f():\n    return None"],
        ),
        ("def f(): return 1\ndef g(): return 2", None, ["def f(): return None\ndef g(): return None"]),
        ("def f():\n    return None", "f", []),
        ("f = abs", "f", []),
        ("not python", "f", []),
    ],
)
def test_a_stub_has_nothing_in_it(code: str, entry_point: str | None, wanted: list[str]) -> None:
    assert stubs(code, entry_point) == wanted


@pytest.mark.parametrize("tests", ["assert grade is not None", "grade(1)\nassert True", "assert callable(grade)"])
def test_tests_that_pass_on_a_stub_are_vacuous(tests: str) -> None:
    found = strength(CLAMP, tests, "grade")
    assert found.vacuous
    assert fault_of(found) == "vacuous_tests"


def test_a_solution_that_rightly_answers_none_is_not_vacuous() -> None:
    code = (
        "def nothing(items):\n    for item in items:\n        if item > 2:\n            return None\n    return None\n"
    )
    found = strength(code, "assert nothing([1, 3]) is None\nassert nothing([]) is None", "nothing")
    assert not found.vacuous
    assert (found.value, fault_of(found)) == (None, "")


def test_tests_of_a_class_are_vacuous_if_its_methods_may_be_empty() -> None:
    code = "class Counter:\n    def __init__(self):\n        self.n = 0\n    def up(self):\n        self.n += 1\n"
    code += "        return self.n\n"
    assert strength(code, "c = Counter()\nc.up()\nassert isinstance(c, Counter)", "Counter").vacuous
    assert not strength(code, "c = Counter()\nassert c.up() == 1\nassert c.up() == 2", "Counter").vacuous


# ---------------------------------------------------------------------------
# Budget and samples


def test_a_budget_ends_it_and_the_strength_says_so() -> None:
    tests = "assert grade(50) == 'pass'\nassert grade(49) == 'fail'"
    few = strength(CLAMP, tests, "grade", budget=Budget(mutants=2))
    assert few.killed + few.live + few.equivalent == 2
    assert not few.partial
    slow = strength(CLAMP, tests, "grade", budget=Budget(seconds=0.04))
    assert slow.partial
    assert 0 < slow.killed < strength(CLAMP, tests, "grade").killed


def test_few_programs_are_needed() -> None:
    found = strength(CLAMP, "assert grade(50) == 'pass'\nassert grade(49) == 'fail'", "grade")
    assert found.programs <= MAX_MUTANTS + 2
    assert found.seconds > 0


def test_the_solution_is_asked_once_and_only_if_something_got_through() -> None:
    plan = plan_strength(CLAMP, "assert grade(90) == 'pass'", "grade")
    seen: dict[Job, Ending] = {}
    asked = []
    while jobs := next_jobs(plan, seen):
        asked += list(jobs)
        seen.update(zip(jobs, run_programs(jobs.values()), strict=True))
    assert asked.count(Job("probes", SOLUTION)) == 1
    assert len(asked) == len(set(asked))


def test_a_program_that_is_at_hand_gives_the_same_plan() -> None:
    tests = "assert grade(50) == 'pass'\nassert grade(49) == 'fail'"
    assert plan_strength(CLAMP, tests, "grade", program=split(CLAMP, tests)) == plan_strength(CLAMP, tests, "grade")


def sample(task_type: str, output: str, tests: str, **fields: Any) -> Sample:
    metadata = Metadata.model_validate({"task_type": task_type, "entry_point": "grade"})
    return Sample(id="one", instruction="do it", output=output, tests=tests, metadata=metadata, **fields)


def test_only_types_whose_tests_come_with_them_are_measured() -> None:
    tests = "assert grade(50) == 'pass'\nassert grade(49) == 'fail'"
    for task_type in ("algorithm_implementation", "code_completion", "bug_fixing", "refactoring"):
        plan = plan_sample_strength(sample(task_type, in_fence(CLAMP), tests))
        assert plan is not None
        assert plan.variants
    for task_type in ("documentation", "code_review", "unit_test_generation", "code_explanation"):
        assert plan_sample_strength(sample(task_type, in_fence(CLAMP), tests)) is None
    assert plan_sample_strength(sample("bug_fixing", "no code", tests)) is None
    assert plan_sample_strength(sample("bug_fixing", in_fence(CLAMP), "")) is None


def test_of_edited_files_the_edited_definition_is_measured() -> None:
    files = f"# file: school.py\ndef other(x):\n    return x + 1\n\n\n{CLAMP.replace('>= 50', '> 50')}"
    edit = {"path": "school.py", "search": "points > 50", "replace": "points >= 50"}
    tests = "from school import grade\n\nassert grade(50) == 'pass'\nassert grade(49) == 'fail'"
    made = sample("agent_edit", json.dumps({"edits": [edit]}), tests, input=files)
    plan = plan_sample_strength(made)
    assert plan is not None
    assert all("return x + 1" in variant.code for variant in plan.variants)
    found = measured(plan)
    assert (found.value, found.vacuous) == (1.0, False)
    assert found.killed >= 5
    assert plan_sample_strength(made.model_copy(update={"output": "{}"})) is None


def test_the_gate_mutates_more_than_the_teacher_plants() -> None:
    assert {kind.__name__ for kind in GATE_OPERATORS} >= {"Return", "Compare", "BinOp", "Constant", "If", "Call"}
    assert "def f(x):\n    return None\n" in mutants_of("def f(x):\n    return x\n", 4)
    assert "def f(x):\n    return None\n" in mutants_of("def f(x):\n    return[x]\n", 4)
