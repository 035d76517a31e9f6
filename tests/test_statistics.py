"""Intervals and tests agree with figures published elsewhere."""

import random
from itertools import combinations
from statistics import fmean

import pytest
from scipy.stats import binom, binomtest

from autotrain.evaluate.statistics import compare, corrected, holm, pass_at_k, rate


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


def test_holms_correction() -> None:
    # By hand: four, three, two and one times the p-values in rising order, and never less than the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_what_was_said_of_a_round_is_never_taken_back() -> None:
    first = compare([True] * 9 + [False] * 3, [False] * 12)
    second = compare([True] * 20, [False] * 20)
    alone = corrected([first], 3)[0]
    both = corrected([first, second], 3)[0]
    assert alone.p_corrected == pytest.approx(3 * first.p, rel=1e-2)
    assert both.p_corrected is not None
    assert alone.p_corrected is not None
    assert both.p_corrected <= alone.p_corrected


def simulated(rng: random.Random, count: int, wins: float, losses: float) -> tuple[list[bool], list[bool]]:
    """Outcomes of two models on the same items, which differ on a share of them each way."""
    new, old = [], []
    for _ in range(count):
        dice = rng.random()
        both = rng.random() < 0.4
        new.append(True if dice < wins else False if dice < wins + losses else both)
        old.append(False if dice < wins else True if dice < wins + losses else both)
    return new, old


def test_without_a_difference_better_is_said_in_at_most_one_run_of_twenty() -> None:
    rng, runs, rounds = random.Random(1), 2000, 3
    said = 0
    for _ in range(runs):
        found = [compare(*simulated(rng, 96, 0.15, 0.15)) for _ in range(rounds)]
        # As a run does: after every round, with the rounds known by then.
        verdicts = [one.verdict for known in range(1, rounds + 1) for one in corrected(found[:known], rounds)]
        said += "better" in verdicts
    assert 0 < said <= 0.05 * runs


def power(count: int, wins: float, losses: float) -> float:
    """The chance that the exact test finds a difference: summed over how many items differ, and which way."""
    found = 0.0
    for differing in range(1, count + 1):
        share = binom.pmf(differing, count, wins + losses)
        if share > 1e-9:
            found += share * sum(
                binom.pmf(won, differing, wins / (wins + losses))
                for won in range(differing // 2 + 1, differing + 1)
                if binomtest(won, differing, 0.5).pvalue < 0.05
            )
    return found


def test_ten_points_on_two_hundred_items_are_found_as_often_as_theory_says() -> None:
    rng, runs = random.Random(2), 2000
    found = sum(compare(*simulated(rng, 200, 0.18, 0.08)).verdict == "better" for _ in range(runs)) / runs
    expected = power(200, 0.18, 0.08)
    assert 0.7 < expected < 0.8
    # Three standard errors of 2,000 runs.
    assert found == pytest.approx(expected, abs=0.03)


def test_pass_at_k_is_the_share_of_all_choices_that_hold_a_right_answer() -> None:
    items = [[True, False, False, False, False], [False] * 5, [True, True, False, True, False]]
    found = pass_at_k([(sum(item), len(item)) for item in items])
    assert list(found) == ["1", "2", "5"]
    for k, estimate in found.items():
        exact = fmean(fmean(any(choice) for choice in combinations(item, int(k))) for item in items)
        assert estimate.value == pytest.approx(exact, abs=1e-4)
        assert (estimate.n, estimate.low <= estimate.value <= estimate.high) == (3, True)
    assert pass_at_k([]) == {}


def test_pass_at_k_of_outcomes_has_the_interval_of_a_rate_and_nothing_is_never_sure() -> None:
    plain = rate([True] * 15 + [False] * 133)
    assert plain is not None
    estimate = pass_at_k([(1, 1)] * 15 + [(0, 1)] * 133)["1"]
    assert (estimate.low, estimate.high) == pytest.approx((plain.low, plain.high), abs=1e-4)
    assert pass_at_k([(0, 2)] * 8)["2"].high > 0.3
