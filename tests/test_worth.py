"""What tests that pass are worth, found out by real programs."""

from collections.abc import Iterator

import pytest

from autotrain.gate.jail import Jail, Limits
from autotrain.gate.steps import split
from autotrain.gate.worth import Worth, weigh
from autotrain.sample import Metadata, Sample, in_fence

COUNT_DOWN = "def f(n):\n    steps = 0\n    while n > 0:\n        n -= 1\n        steps += 1\n    return steps"


@pytest.fixture(scope="module")
def jails() -> Iterator[tuple[Jail, Jail]]:
    limits = Limits(seconds=30, memory_mb=256)
    with Jail(limits, workers=2) as jail, Jail(limits, workers=1, tier=jail.tier, hash_seed=1) as other:
        yield jail, other


def weighed(jails: tuple[Jail, Jail], code: str, tests: str, least: float = 0.5) -> Worth:
    metadata = Metadata(task_type="algorithm_implementation", response_format="code", entry_point="f")
    sample = Sample(id="s", instruction="Do it.", output=in_fence(code), tests=tests, metadata=metadata)
    return weigh(sample, split(code, tests), 0.01, *jails, least)


def test_an_endless_version_costs_a_second_not_the_whole_limit(jails: tuple[Jail, Jail]) -> None:
    worth = weighed(jails, COUNT_DOWN, "assert f(3) == 3\nassert f(0) == 0")
    assert worth.reason == ""
    assert worth.strength is not None
    # `n -= 1` gone and `n += 1` never end, and count as found.
    assert worth.strength.killed >= 4
    assert 1 < worth.strength.seconds < 20


@pytest.mark.parametrize(
    ("code", "tests", "reason", "measured"),
    [
        ("def f(a, b):\n    return a if a > b else b", "assert f(1, 2) == 2\nassert f(2, 1) == 2", "", True),
        ("def f(a):\n    return a + 1", "assert f(1) is not Ellipsis", "vacuous_tests", True),
        ("def f(a):\n    return a * 2 + a % 3 + a // 5", "assert type(f(1)) is int", "weak_tests", True),
        ("def f(words):\n    return str(set(words))", "assert f('abcdefgh') == '{}'", "flaky", False),
        ("X = 1", "assert X == 1", "", True),
    ],
)
def test_tests_that_prove_little_are_told_from_good_ones(
    jails: tuple[Jail, Jail], code: str, tests: str, reason: str, measured: bool
) -> None:
    (ending,) = jails[0].run([[{"value": "str(set('abcdefgh'))"}]])
    worth = weighed(jails, code, tests.replace("'{}'", ending.replies[0]["value"]))
    assert (worth.reason, worth.strength is not None) == (reason, measured)
    assert bool(worth.detail) == bool(reason)


def test_how_strong_is_strong_enough_is_up_to_the_caller(jails: tuple[Jail, Jail]) -> None:
    code, tests = "def f(a, b):\n    return a if a > b else b", "assert f(2, 2) == 2"
    worth = weighed(jails, code, tests, least=1)
    assert worth.reason == "weak_tests"
    assert "small bugs fail the tests" in worth.detail
    assert weighed(jails, code, tests, least=0).reason == ""
