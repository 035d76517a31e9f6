"""What a round's model failed at → what the next round asks more of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotrain.evaluate.metrics import Graded, concepts, task_type
from autotrain.evaluate.statistics import Rate, rate

# A name's failure rate is mixed with that of all items, as if so many more of it had been seen.
PRIOR_ITEMS = 4.0
# Nothing is ever asked for less often than this share of its usual, so that it is not forgotten; nor oftener than so.
LEAST, MOST = 0.5, 3.0


@dataclass(frozen=True)
class Aim:
    """What a round asked more (or less) of, and how its items went before that round and after, on the same ones."""

    weight: float
    before: Rate | None
    after: Rate | None


def next_weights(graded: Sequence[Graded]) -> dict[str, float]:
    """For each concept and task type, how much more of it is wanted than usual: 1.0 where it fails as often as all do.

    The smoothed failure rate over the mean one, within LEAST and MOST. Items that nothing decides do not count.
    """
    decided = [item for item in graded if outcome(item) is not None]
    failed = sum(outcome(item) is False for item in decided)
    if not failed:
        return {}
    mean = failed / len(decided)
    weights = {}
    for name, items in _by_name(decided).items():
        misses = sum(outcome(item) is False for item in items)
        smoothed = (misses + PRIOR_ITEMS * mean) / (len(items) + PRIOR_ITEMS)
        weights[name] = round(min(MOST, max(LEAST, smoothed / mean)), 3)
    return weights


def aims(weights: Mapping[str, float], before: Sequence[Graded], after: Sequence[Graded]) -> dict[str, Aim]:
    """What a round aimed at, the most wanted first, with the pass rates of the model before it and of its own."""
    sides = [_by_name([item for item in part if outcome(item) is not None]) for part in (before, after)]
    return {
        name: Aim(weights[name], *(rate([outcome(item) is True for item in side.get(name, [])]) for side in sides))
        for name in sorted(weights, key=lambda name: (-weights[name], name))
    }


def outcome(item: Graded) -> bool | None:
    """Whether an answer is right: by running it, else by what reading proves; None where neither can say."""
    return item.verdict.correct if item.verdict.passed is None else item.verdict.passed


def _by_name(graded: Sequence[Graded]) -> dict[str, list[Graded]]:
    groups: dict[str, list[Graded]] = {}
    for item in graded:
        for name in dict.fromkeys([*concepts(item), *task_type(item)]):
            groups.setdefault(name, []).append(item)
    return groups
