"""How sure one can be of a count, and of a difference between two models."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

SIGNIFICANT = 0.05


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
    """Two models on the same items: items only the first got right (wins), only the second (losses), the rest."""

    wins: int
    losses: int
    ties: int
    p: float
    verdict: Literal["better", "no evidence", "worse"]


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
    verdict: Literal["better", "no evidence", "worse"] = "no evidence"
    if p < SIGNIFICANT:
        verdict = "better" if wins > losses else "worse"
    return Comparison(wins, losses, len(new) - wins - losses, float(f"{p:.3g}"), verdict)
