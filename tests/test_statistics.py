"""Intervals and tests agree with figures published elsewhere."""

import pytest

from autotrain.evaluate.statistics import compare, rate


def test_wilson_interval_of_a_textbook_example() -> None:
    # 15 of 148 (Newcombe 1998, Statistics in Medicine 17:857, table I, method 3): 0.0624 to 0.1605.
    result = rate([True] * 15 + [False] * 133)
    assert result is not None
    assert (result.hits, result.n) == (15, 148)
    assert result.low == pytest.approx(0.0624, abs=1e-4)
    assert result.high == pytest.approx(0.1605, abs=1e-4)


def test_no_items_give_no_figure() -> None:
    assert rate([]) is None


def test_extremes_stay_between_zero_and_one() -> None:
    none, all_of_them = rate([False] * 5), rate([True] * 5)
    assert none is not None
    assert all_of_them is not None
    assert none.low == 0
    assert none.high > 0.3
    assert all_of_them.high == 1


def test_exact_mcnemar() -> None:
    # 10 discordant pairs, all one way: 2 · 0.5**10.
    result = compare([True] * 10 + [True, False], [False] * 10 + [True, False])
    assert (result.wins, result.losses, result.ties) == (10, 0, 2)
    assert result.p == pytest.approx(2 * 0.5**10, abs=1e-5)
    assert result.verdict == "better"


@pytest.mark.parametrize(
    ("new", "old", "verdict"),
    [
        ([False] * 8, [True] * 8, "worse"),
        ([True, False, True], [False, True, True], "no evidence"),
        ([True] * 5, [False] * 5, "no evidence"),
        ([], [], "no evidence"),
    ],
)
def test_verdicts(new: list[bool], old: list[bool], verdict: str) -> None:
    assert compare(new, old).verdict == verdict


def test_unpaired_outcomes_are_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        compare([True], [True, False])
