"""How sure one can be of a count, and of a difference between two models."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Literal

SIGNIFICANT = 0.05
# Half the width of an interval is said in words where fewer items than this were counted.
SMALL = 30
USUAL_K = (1, 2, 5, 10, 20, 50, 100)


@dataclass(frozen=True)
class Rate:
    """`hits` of `n`, with the 95 % Wilson score interval."""

    hits: int
    n: int
    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two models on the same items: items only the first got right (wins), only the second (losses), the rest.

    `p_corrected` is what is left of the evidence after all that was tried; where it is known, the verdict goes by it.
    """

    wins: int
    losses: int
    ties: int
    p: float
    verdict: Literal["better", "no evidence", "worse"]
    p_corrected: float | None = None


@dataclass(frozen=True)
class Estimate:
    """A mean of shares over `n` items, with a 95 % interval that is Wilson's for so many items, so none too narrow."""

    value: float
    n: int
    low: float
    high: float


def rate(outcomes: Sequence[bool]) -> Rate | None:
    """The share of true outcomes; None where there are none, as 0 of 0 is no figure."""
    from scipy.stats import binomtest

    n = len(outcomes)
    if n == 0:
        return None
    hits = sum(outcomes)
    interval = binomtest(hits, n).proportion_ci(confidence_level=0.95, method="wilson")
    return Rate(hits, n, round(hits / n, 4), round(float(interval.low), 4), round(float(interval.high), 4))


def compare(new: Sequence[bool], old: Sequence[bool]) -> Comparison:
    """The exact (binomial, two-sided) McNemar test on paired outcomes."""
    from scipy.stats import binomtest

    wins = sum(a and not b for a, b in zip(new, old, strict=True))
    losses = sum(b and not a for a, b in zip(new, old, strict=True))
    p = float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0
    return Comparison(wins, losses, len(new) - wins - losses, float(f"{p:.6g}"), _verdict(wins, losses, p))


def corrected(comparisons: Sequence[Comparison], planned: int) -> list[Comparison]:
    """The comparisons of a run so far, `planned` of which there will be, their verdicts by p-values after Holm.

    Those still to come count as if they had found nothing: what was said once is never taken back. (Holm 1979,
    Scandinavian Journal of Statistics 6:65.)
    """
    adjusted = holm([one.p for one in comparisons] + [1.0] * (planned - len(comparisons)))
    return [
        replace(one, p_corrected=float(f"{p:.6g}"), verdict=_verdict(one.wins, one.losses, p))
        for one, p in zip(comparisons, adjusted, strict=False)
    ]


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given."""
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _verdict(wins: int, losses: int, p: float) -> Literal["better", "no evidence", "worse"]:
    if p >= SIGNIFICANT:
        return "no evidence"
    return "better" if wins > losses else "worse"


def pass_at_k(hits: Sequence[tuple[int, int]]) -> dict[str, Estimate]:
    """Unbiased pass@k for each usual k, from (right answers, answers) of each item; none where there is no item.

    1 - C(n - c, k) / C(n, k), meaned over the items (Chen et al. 2021, arXiv 2107.03374).
    """
    most = min((count for _, count in hits), default=0)
    return {
        str(k): _estimate([1 - math.comb(count - right, k) / math.comb(count, k) for right, count in hits])
        for k in USUAL_K
        if k <= most
    }


def _estimate(values: Sequence[float]) -> Estimate:
    # Shares vary at most as outcomes do whose mean is theirs; and where all are alike, this is still an interval.
    mean, n, z = fmean(values), len(values), 1.96
    middle = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(mean * (1 - mean) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return Estimate(round(mean, 4), n, round(max(0.0, middle - half), 4), round(min(1.0, middle + half), 4))
