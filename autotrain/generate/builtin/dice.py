"""Seeded choices that lean towards what a caller wants more of."""

import random
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """One stream of random choices; the same seed gives the same choices on every Python."""

    def __init__(self, seed: str, weights: Mapping[str, float] | None = None) -> None:
        self._random = random.Random(seed)
        self._weights = dict(weights or {})
        self._weighed: dict[int, tuple[Mapping[str, float], list[str], list[float]]] = {}

    def one(self, options: Sequence[T]) -> T:
        return options[int(self._random.random() * len(options))]

    def some(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different options, in random order."""
        return self._random.sample(options, count)

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability

    def whole(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return low + int(self._random.random() * (high - low + 1))

    def named(self, options: Mapping[str, float]) -> str:
        """One of the names, by its own share times the weight that the caller gave the name."""
        # Weighed once for each mapping; keeping the mapping keeps its id from being given to another.
        if id(options) not in self._weighed:
            shares = [share * max(0.0, self._weights.get(name, 1.0)) for name, share in options.items()]
            if not any(shares):
                shares = list(options.values())
            self._weighed[id(options)] = (options, list(options), list(accumulate(shares)))
        _, names, sums = self._weighed[id(options)]
        return self._random.choices(names, cum_weights=sums)[0]
