"""Probes: calls near those that the tests make, each a literal expression, the same ones every time."""

import ast
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autotrain.gate.probes import MAX_PROBES, probes_of


def arguments(probes: list[str]) -> list[Any]:
    """The first argument of every probe."""
    return [ast.literal_eval(ast.parse(probe, mode="eval").body.args[0]) for probe in probes]  # type: ignore[attr-defined]


def test_numbers_get_their_neighbours_and_the_ends() -> None:
    found = arguments(probes_of("assert f(7) == 1", "f"))
    assert found[0] == 7
    assert {6, 8, 0, 1, -1} <= set(found)
    assert len(found) == len(set(found))


def test_numbers_below_zero_come_last_where_the_tests_have_none() -> None:
    found = arguments(probes_of("assert f(7) == 1\nassert f(0) == 0", "f"))
    first = next(place for place, value in enumerate(found) if value < 0)
    assert all(value < 0 for value in found[first:])
    assert -2 in arguments(probes_of("assert f(-1) == 1", "f"))


def test_lists_get_shorter_longer_and_turned_around() -> None:
    found = arguments(probes_of("assert f([3, 1, 2]) == 1", "f"))
    for wanted in ([], [3], [2, 1, 3], [3, 1, 2, 3, 1, 2], [3, 1], [4, 1, 2]):
        assert wanted in found


def test_texts_dictionaries_sets_and_truths_are_varied_too() -> None:
    found = arguments(probes_of("f('aB')\nf({'x': 1, 'y': 2})\nf({1, 2})\nf(True)\nf(b'ab')\nf(1.5)", "f"))
    for wanted in ("", "Ab", "Ba", {}, {"x": 2, "y": 2}, set(), {2}, False, b"ba", 2.0):
        assert wanted in found


def test_a_value_keeps_its_type_and_none_is_never_made_up() -> None:
    found = arguments(probes_of("assert f([1, 'a'], None) == 1", "f"))
    assert all(isinstance(value, list) for value in found)
    assert not any("None" in probe for probe in probes_of("assert f([1, 'a']) == 1", "f"))
    assert all(", None)" in probe for probe in probes_of("assert f(1, None) == 1", "f"))


def test_names_of_arguments_stay() -> None:
    found = probes_of("assert f(1, key='a') == 1", "f")
    assert "f(1, key='a')" in found
    assert "f(2, key='a')" in found
    assert "f(1, key='')" in found


@pytest.mark.parametrize(
    "tests",
    [
        "for x in [1, 2]:\n    assert f(x) == x",
        "assert f(*[1]) == 1",
        "assert f(**{'a': 1}) == 1",
        "assert f(2 * 3) == 1",
        "assert g(1) == 1",
        "assert thing.f(1) == 1",
        "not python",
        "x = '\0'",
        "",
    ],
)
def test_calls_that_are_not_literal_give_none(tests: str) -> None:
    assert probes_of(tests, "f") == []


def test_the_entry_point_is_known_by_other_names() -> None:
    check = "def check(candidate):\n    assert candidate(4) == 1\n\ncheck(f)"
    assert "f(5)" in probes_of(check, "f")
    assert "f(5)" in probes_of("g = f\nassert g(4) == 1", "f")
    assert "tools.f(5)" in probes_of("import tools\nassert tools.f(4) == 1", "f")


def test_there_are_few_and_all_are_different_expressions() -> None:
    tests = "\n".join(f"assert f([{number}, 1], 'a', {number}) == 1" for number in range(30))
    found = probes_of(tests, "f")
    assert len(found) == len(set(found)) == MAX_PROBES
    assert probes_of(tests, "f", most=5) == found[:5]
    for probe in found:
        ast.parse(probe, mode="eval")


def test_no_argument_makes_one_probe() -> None:
    assert probes_of("assert f() == 1", "f") == ["f()"]


def test_huge_values_are_not_made_larger() -> None:
    assert max(map(len, probes_of(f"assert f('{'a' * 5000}', {10**400}) == 1", "f"))) < 7000


def test_they_are_the_same_in_every_process() -> None:
    tests = "assert f({'a', 'b', 'c', 'd'}, ('x',)) == 1"
    program = f"from autotrain.gate.probes import probes_of; print(probes_of({tests!r}, 'f'))"
    environment: dict[str, Any] = {**os.environ, "PYTHONHASHSEED": "7"}
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=root, capture_output=True, check=True)
    assert ast.literal_eval(done.stdout.decode()) == probes_of(tests, "f")
