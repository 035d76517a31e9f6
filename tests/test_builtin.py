"""The builtin teacher's promises: its answers pass, its bugs fail, nothing repeats, and a seed is a seed."""

import ast
import builtins
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from difflib import ndiff
from typing import get_args

import pytest

from autotrain.gate.edits import Edits, apply_edits, read_files
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.program import runnable_tests
from autotrain.gate.verify import verify_samples
from autotrain.generate.builtin import builtin_samples, only
from autotrain.generate.builtin.bugs import plant_bug
from autotrain.generate.builtin.concepts import BUILDERS, CONCEPT_SHARES
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.running import TooManySteps, verify, with_limit
from autotrain.generate.builtin.workspace import edits_between
from autotrain.jsonl import to_line
from autotrain.sample import TESTED_TYPES, Sample, TaskType, fenced_code, parse_sample
from autotrain.train.render import user_message
from autotrain.validate.schema import schema_problem

COUNT = 600


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return list(builtin_samples(COUNT, seed=42, round_number=1))


def code_of(sample: Sample) -> str:
    code = fenced_code(sample.output)
    assert code is not None, sample.id
    return code


def passes(code: str, tests: str) -> bool:
    """Whether the tests pass after the code; endless loops count as failing."""
    program = compile(f"{code}\n{tests}", "<sample>", "exec")
    try:
        with_limit(lambda: exec(program, {}))  # noqa: S102
    except (Exception, TooManySteps):
        return False
    return True


def structure(code: str) -> str:
    """The shape of the code: names of its own, constants, annotations and docstrings left out."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            node.name = "f"
            if ast.get_docstring(node) is not None and len(node.body) > 1:
                node.body = node.body[1:]
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.arg, node.annotation = "v", None
        if isinstance(node, ast.Name) and not hasattr(builtins, node.id):
            node.id = "v"
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return ast.dump(tree)


def shingles(sample: Sample) -> frozenset[tuple[str, ...]]:
    words = f"{sample.instruction} {sample.input} {sample.output}".split()
    return frozenset(tuple(words[start : start + 5]) for start in range(max(1, len(words) - 4)))


def test_ids_count_up_within_the_round(samples: list[Sample]) -> None:
    assert [sample.id for sample in samples] == [f"r1-{number:05d}" for number in range(1, COUNT + 1)]


def test_a_sample_survives_the_way_through_a_file(samples: list[Sample]) -> None:
    for sample in samples:
        assert parse_sample(json.loads(to_line(sample.to_json())), 1) == sample


def test_every_tested_answer_passes_its_tests(samples: list[Sample]) -> None:
    failing = [
        sample.id
        for sample in samples
        if sample.metadata.task_type in TESTED_TYPES and not passes(code_of(sample), sample.tests)
    ]
    assert failing == []


def test_samples_with_tests_have_several_assertions_and_the_others_none(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.metadata.task_type in TESTED_TYPES:
            assert 4 <= sample.tests.count("assert ") + sample.tests.count("raise Assertion") <= 8, sample.id
        elif sample.metadata.task_type == "agent_edit":
            assert sample.tests.count("assert ") + sample.tests.count("raise Assertion") >= 3, sample.id
        else:
            assert sample.tests == ""


def test_written_tests_pass_on_the_code_and_fail_on_every_mutant(samples: list[Sample]) -> None:
    writing = [sample for sample in samples if sample.metadata.task_type == "unit_test_generation"]
    styles = Counter("def test_" in sample.output for sample in writing)
    assert len(styles) == 2
    for sample in writing:
        tests = runnable_tests(code_of(sample))
        mutants = (sample.metadata.model_extra or {})["mutants"]
        assert tests is not None
        assert passes(sample.input, tests), sample.id
        assert 1 <= len(mutants) <= 3
        assert not any(passes(mutant, tests) for mutant in mutants), sample.id


def test_documentation_adds_a_docstring_and_nothing_else(samples: list[Sample]) -> None:
    documented = [sample for sample in samples if sample.metadata.task_type == "documentation"]
    assert any("Args:" in sample.output for sample in documented)
    assert any("Args:" not in sample.output for sample in documented)
    for sample in documented:
        assert '"""' not in sample.input
        before, after = sample.input.splitlines(), code_of(sample).splitlines()
        added = [line.removeprefix("+ ") for line in ndiff(before, after) if line.startswith(("+ ", "- "))]
        assert '"""' in added[0]
        assert added[-1].endswith('"""')


def test_the_executed_types_pass_the_gate_in_the_sandbox() -> None:
    kinds: dict[TaskType, float] = {"unit_test_generation": 1, "agent_edit": 2, "documentation": 1}
    made = list(builtin_samples(60, 7, 1, only((), kinds)))
    with Jail(Limits()) as jail:
        verdicts = verify_samples(made, jail)
    assert [verdict.reason for verdict in verdicts] == ["ok"] * len(made)
    assert all(verdict.correct for verdict in verdicts)
    for sample, verdict in zip(made, verdicts, strict=True):
        executed = sample.metadata.task_type != "documentation"
        assert verdict.passed is (True if executed else None)
        assert schema_problem(sample) is None
    assert {(sample.metadata.model_extra or {}).get("edit") for sample in made} >= {"fix", "write", "rename", "change"}


@pytest.mark.parametrize("kind", ["unit_test_generation", "documentation", "agent_edit"])
def test_tasks_are_put_in_many_words(kind: TaskType) -> None:
    made = builtin_samples(80, 3, 1, only((), {kind: 1}))
    openings = Counter(re.sub(r"`[^`]*`", "", sample.instruction)[:16] for sample in made)
    assert len(openings) >= 6


def test_the_prompt_of_an_edit_holds_the_files_and_the_form_of_the_answer(samples: list[Sample]) -> None:
    edits = [sample for sample in samples if sample.metadata.task_type == "agent_edit"]
    assert Counter(len(read_files(sample.input)) for sample in edits).keys() == {1, 2, 3}
    for sample in edits:
        prompt = user_message(sample)
        assert all(word in prompt for word in ('"edits"', '"path"', '"search"', '"replace"', "# file: "))
        assert sample.metadata.entry_point in prompt
        assert "assert" not in prompt


def test_an_edit_replaces_the_smallest_stretch_that_is_unique() -> None:
    before = {"a.py": "x = 1\ny = 2\nx = 1\nz = 3\n", "b.py": "import a\n"}

    def edits(text: str) -> list[tuple[str, str]]:
        made = edits_between(before, {**before, "a.py": text})
        assert all(edit["path"] == "a.py" for edit in made)
        return [(edit["search"], edit["replace"]) for edit in made]

    assert edits("x = 1\ny = 5\nx = 1\nz = 3\n") == [("y = 2", "y = 5")]
    assert edits("x = 1\ny = 2\nx = 4\nz = 3\n") == [("y = 2\nx = 1", "y = 2\nx = 4")]
    # Lines that go, or that are new, need one beside them to be found by.
    assert edits("x = 1\nx = 1\nz = 3\n") == [("x = 1\ny = 2", "x = 1")]
    assert edits("x = 1\ny = 2\nx = 1\nw = 0\nz = 3\n") == [("z = 3", "w = 0\nz = 3")]
    # Each edit is unique in the file as the ones before it left it.
    assert edits("y = 2\ny = 2\nx = 1\nz = 4\n") == [("x = 1\ny = 2", "y = 2\ny = 2"), ("z = 3", "z = 4")]


def test_edits_between_any_two_versions_of_a_file_lead_from_one_to_the_other() -> None:
    dice = random.Random(1)
    pool = ["x = 1", "    x = 1", "xx = 1", "", "y = 2", "z"]
    for _ in range(300):
        before = ["first", *(dice.choice(pool) for _ in range(8)), "last", ""]
        after = [line for line in before if not line or dice.random() < 0.8]
        after[1:1] = dice.choices(pool, k=dice.randrange(3))
        old, new = ({"a.py": "\n".join(lines)} for lines in (before, ["first", *after]))
        edits = edits_between(old, new)
        assert not edits or apply_edits(old, Edits.model_validate({"edits": edits})) == new


def test_every_buggy_input_fails_and_every_clumsy_input_passes(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.metadata.task_type == "bug_fixing":
            assert not passes(sample.input, sample.tests), sample.id
        if sample.metadata.task_type == "refactoring":
            assert passes(sample.input, sample.tests), sample.id
            assert sample.input.strip() != code_of(sample).strip()


@pytest.mark.parametrize("visible", [True, False])
def test_every_planted_bug_is_shown_by_a_test(visible: bool) -> None:
    dice = Dice(f"bugs {visible}")
    operators = set()
    for _ in range(250):
        problem = BUILDERS[dice.named(CONCEPT_SHARES)](dice)
        verified = verify(problem) if problem else None
        planted = problem and verified and plant_bug(dice, problem.code(problem.bodies[-1]), verified, visible)
        if problem and verified and planted:
            operators.add(planted[0].operator)
            exec(f"{problem.code(problem.bodies[-1])}\n{verified.tests}", {})  # noqa: S102
            assert not passes(planted[1], verified.tests), planted
    assert len(operators) >= 12


def test_a_completion_starts_with_its_stub(samples: list[Sample]) -> None:
    stubs = [sample for sample in samples if sample.metadata.task_type == "code_completion"]
    assert stubs
    for sample in stubs:
        assert code_of(sample).startswith(sample.input)
        assert not passes(sample.input, sample.tests)


def test_code_answers_define_the_entry_point(samples: list[Sample]) -> None:
    for sample in samples:
        if sample.metadata.response_format == "code" and sample.metadata.task_type != "unit_test_generation":
            names = [getattr(node, "name", "") for node in ast.parse(code_of(sample)).body]
            assert sample.metadata.entry_point in names


def test_a_review_names_the_line_that_was_changed(samples: list[Sample]) -> None:
    reviews = [sample for sample in samples if sample.metadata.task_type == "code_review"]
    assert reviews
    for sample in reviews:
        (finding,) = json.loads(sample.output)["findings"]
        assert [finding["line"]] == (sample.metadata.model_extra or {})["planted_lines"]
        assert finding["severity"] in ("low", "medium", "high")
        line = sample.input.splitlines()[finding["line"] - 1]
        quoted = finding["message"].split("`")[1::2]
        if "where" in finding["message"]:
            assert quoted[0] in line, sample.id


def test_the_bugs_are_of_many_kinds(samples: list[Sample]) -> None:
    planted = Counter((sample.metadata.model_extra or {}).get("mutation") for sample in samples)
    assert len(planted) >= 12


def test_no_sample_occurs_twice_and_few_resemble_another(samples: list[Sample]) -> None:
    assert len({(sample.instruction, sample.input) for sample in samples}) == COUNT
    sets = [shingles(sample) for sample in samples]
    near = sum(
        any(len(one & other) / len(one | other) >= 0.8 for other in sets[:index]) for index, one in enumerate(sets)
    )
    assert near < 0.02 * COUNT


def test_most_answers_have_a_structure_of_their_own(samples: list[Sample]) -> None:
    others = ("unit_test_generation",)  # tests all have the same few shapes
    codes = [
        code_of(sample)
        for sample in samples
        if sample.metadata.response_format == "code" and sample.metadata.task_type not in others
    ]
    assert len(set(map(structure, codes))) >= 0.6 * len(codes)


def test_the_mix_of_tasks_and_concepts(samples: list[Sample]) -> None:
    types = Counter(sample.metadata.task_type for sample in samples)
    assert set(types) == set(get_args(TaskType))
    assert 0.18 < types["algorithm_implementation"] / COUNT < 0.32
    assert 0.015 < types["code_explanation"] / COUNT < 0.07
    for kind in ("unit_test_generation", "documentation", "agent_edit"):
        assert types[kind] > 0.04 * COUNT
    assert len(CONCEPT_SHARES) >= 60
    assert {sample.metadata.concepts[0] for sample in samples} <= set(CONCEPT_SHARES)
    assert len({sample.metadata.concepts[0] for sample in samples}) >= 50


def test_the_same_seed_gives_the_same_lines_in_another_process(samples: list[Sample]) -> None:
    program = (
        "import json, sys; from autotrain.generate.builtin import builtin_samples\n"
        "print(json.dumps([sample.to_json() for sample in builtin_samples(150, 42, 1)]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert json.loads(done.stdout) == [sample.to_json() for sample in samples[:150]]


def test_another_round_or_seed_gives_other_samples(samples: list[Sample]) -> None:
    known = {(sample.instruction, sample.input) for sample in samples}
    for seed, round_number in ((42, 2), (43, 1)):
        other = list(builtin_samples(100, seed, round_number))
        assert other[0].id == f"r{round_number}-00001"
        assert sum((sample.instruction, sample.input) in known for sample in other) < 5


def test_weights_steer_and_unknown_names_are_ignored() -> None:
    weights = {"bug_fixing": 50.0, "dates": 1000.0, "no such concept": 9.0}
    steered = list(builtin_samples(60, 1, 1, weights))
    assert sum(sample.metadata.task_type == "bug_fixing" for sample in steered) > 40
    assert sum("dates" in sample.metadata.concepts for sample in steered) > 40


def test_endless_and_exploding_code_is_stopped() -> None:
    swallowing = "while True:\n    try:\n        pass\n    except Exception:\n        pass"
    growing = "def f():\n    text = 'x'\n    while True:\n        text += text\nf()"
    for source in ("while True:\n    pass", "n = 3\nwhile n:\n    n *= n", swallowing, growing):
        with pytest.raises(TooManySteps):
            with_limit(lambda source=source: exec(source, {}))  # type: ignore[misc] # noqa: S102


def test_code_whose_limit_is_reached_while_a_generator_is_thrown_away_is_stopped() -> None:
    # There, what the tracing raises ends nothing: without more care the loop goes on for ever, untraced.
    program = (
        "from autotrain.generate.builtin.running import TooManySteps, with_limit\n"
        "def loop():\n    while True:\n        any(number == 1 for number in (1, 2))\n"
        "for before in range(20):\n"
        "    try:\n        with_limit(lambda: [list(range(before)), *(0 for _ in range(before)), loop()])\n"
        "    except TooManySteps:\n        pass\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
