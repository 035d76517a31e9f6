"""The catalogue of the builtin teacher: every entry is solvable, its solutions agree, and its words are filled in."""

import pytest

from autotrain.gate.jail import Jail, Limits
from autotrain.gate.verify import verify_samples
from autotrain.generate.builtin import CONCEPTS, builtin_samples, compositions
from autotrain.generate.builtin.classics import Classic, build_classic
from autotrain.generate.builtin.concepts import BUILDERS, CLASSICS, CONCEPT_SHARES
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.running import Verified, verify
from autotrain.generate.builtin.values import TEXTS, WORDS

DRAWS = 4


def drawn(entry: Classic) -> list[tuple[Problem, Verified | None]]:
    problems = [build_classic(Dice(f"{entry.names}/{number}"), [entry]) for number in range(DRAWS)]
    return [(problem, verify(problem)) for problem in problems]


def slots_left(problem: Problem) -> list[str]:
    told = " ".join((*problem.task, *problem.notes, problem.name, problem.returns, *problem.bodies))
    left = [f"{{{letter}}}" for letter in "pqrkABCDEGHIJKMNOTUVW"]
    return [slot for slot in left if slot in told]


@pytest.fixture(scope="module")
def catalogue() -> list[tuple[Classic, list[tuple[Problem, Verified | None]]]]:
    return [(entry, drawn(entry)) for entry in CLASSICS]


def test_there_are_many_concepts_and_each_has_a_share() -> None:
    assert len(CONCEPT_SHARES) >= 150
    assert set(CONCEPT_SHARES) <= CONCEPTS
    assert all(share > 0 for share in CONCEPT_SHARES.values())
    assert all(name == name.lower() and name.isidentifier() for name in CONCEPTS)


def test_every_entry_gives_problems_with_telling_tests(
    catalogue: list[tuple[Classic, list[tuple[Problem, Verified | None]]]],
) -> None:
    dull = [entry.names for entry, cases in catalogue if sum(verified is None for _, verified in cases) > 1]
    assert dull == []


def test_all_solutions_of_an_entry_agree(
    catalogue: list[tuple[Classic, list[tuple[Problem, Verified | None]]]],
) -> None:
    differing = [
        (problem.name, body)
        for _, cases in catalogue
        for problem, verified in cases
        for body in problem.bodies
        if verified and not verified.agrees(problem.code(body))
    ]
    assert differing == []


def test_the_tests_of_an_entry_pass_as_text(
    catalogue: list[tuple[Classic, list[tuple[Problem, Verified | None]]]],
) -> None:
    for _, cases in catalogue:
        problem, verified = cases[0]
        if verified:
            exec(f"{problem.code(problem.bodies[-1])}\n{verified.tests}", {})  # noqa: S102


def test_no_slot_of_a_template_is_left_open(
    catalogue: list[tuple[Classic, list[tuple[Problem, Verified | None]]]],
) -> None:
    assert [
        (problem.name, slots_left(problem)) for _, cases in catalogue for problem, _ in cases if slots_left(problem)
    ] == []


def test_most_entries_know_more_than_one_way() -> None:
    assert sum(len(entry.bodies) > 1 for entry in CLASSICS) >= 0.85 * len(CLASSICS)


def test_the_calls_reach_beyond_the_plain_cases(
    catalogue: list[tuple[Classic, list[tuple[Problem, Verified | None]]]],
) -> None:
    calls = [call for _, cases in catalogue for _, verified in cases if verified for call in verified.calls]
    for mark in ("([])", "('')", "-", "0", "None", "é", "ß", "日", "😀"):
        assert any(mark in call for call in calls), mark
    assert any(not call.isascii() for call in calls)
    assert "" not in WORDS
    assert "x" in TEXTS


@pytest.mark.parametrize("build", [compositions.element_functions, compositions.text_steps, compositions.list_steps])
def test_compositions_vary_and_their_solutions_agree(build: object) -> None:
    assert callable(build)
    problems: list[Problem] = [build(Dice(f"composed {number}")) for number in range(120)]
    assert len({problem.bodies for problem in problems}) > 100
    proved = 0
    for problem in problems:
        verified = verify(problem)
        if verified:
            proved += 1
            assert all(verified.agrees(problem.code(body)) for body in problem.bodies), problem.bodies
    assert proved > 100


def test_every_concept_can_be_asked_for_alone() -> None:
    for name, builder in BUILDERS.items():
        attempts = [builder(Dice(f"{name} {number}")) for number in range(12)]
        solvable = [problem for problem in attempts if problem and verify(problem)]
        assert solvable, name
        assert all(problem.concepts[0] == name for problem in solvable)


def test_the_gate_keeps_samples_of_all_concepts() -> None:
    samples = list(builtin_samples(80, 5, 1))
    with Jail(Limits()) as jail:
        verdicts = verify_samples(samples, jail)
    assert [
        (one.id, verdict.reason) for one, verdict in zip(samples, verdicts, strict=True) if verdict.reason != "ok"
    ] == []
