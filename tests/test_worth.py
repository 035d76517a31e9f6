"""What tests that pass are worth, found out by real programs."""

from collections.abc import Iterator

import pytest

from autotrain.gate.jail import Jail, Limits
from autotrain.gate.steps import split
from autotrain.gate.worth import Passed, Worth, weigh
from autotrain.sample import Metadata, Sample, in_fence

COUNT_DOWN = "def f(n):\n    steps = 0\n    while n > 0:\n        n -= 1\n        steps += 1\n    return steps"


@pytest.fixture(scope="module")
def jails() -> Iterator[tuple[Jail, Jail]]:
    limits = Limits(seconds=30, memory_mb=256)
    with Jail(limits, workers=2) as jail, Jail(limits, workers=1, tier=jail.tier, hash_seed=1) as other:
        yield jail, other


def passed(code: str, tests: str, seconds: float = 0.01) -> Passed:
    metadata = Metadata(task_type="algorithm_implementation", response_format="code", entry_point="f")
    sample = Sample(id="s", instruction="Do it.", output=in_fence(code), tests=tests, metadata=metadata)
    return Passed(sample, split(code, tests), seconds)


def test_an_endless_version_costs_a_second_not_the_whole_limit(jails: tuple[Jail, Jail]) -> None:
    (worth,) = weigh([passed(COUNT_DOWN, "assert f(3) == 3\nassert f(0) == 0")], *jails, 0.5, lambda: None)
    assert worth.reason == ""
    assert worth.strength is not None
    # `n -= 1` gone and `n += 1` never end, and count as found.
    assert worth.strength.killed >= 4
    assert 1 < worth.strength.seconds < 10


def test_samples_are_weighed_side_by_side_each_by_itself(jails: tuple[Jail, Jail]) -> None:
    several = [
        passed("def f(a, b):\n    return a if a > b else b", "assert f(1, 2) == 2\nassert f(2, 1) == 2"),
        passed("def f(a):\n    return a + 1", "assert f(1) is not Ellipsis"),
        passed("def f(a):\n    return a * 2 + a % 3 + a // 5", "assert type(f(1)) is int"),
        passed(
            "def f(a):\n    return [*{a, 'b', 'c', 'd', 'e'}]", "assert f('a')[0] == f('a')[0] != [*{'a', 'b', 'c'}]"
        ),
        passed("def f(words):\n    return str(set(words))", "assert f('abcdefgh') == '{}'"),
        passed("X = 1", "assert X == 1"),
    ]
    told: list[None] = []
    worths = weigh(several, *jails, 0.5, lambda: told.append(None))
    # The one that does not pass now counts as one that passed before.
    assert [worth.reason for worth in worths] == ["", "vacuous_tests", "weak_tests", "", "flaky", ""]
    assert [worth.strength is not None for worth in worths] == [True, True, True, True, False, True]
    assert len(told) == sum(worth.strength.programs for worth in worths if worth.strength) + 4 + 4 + 4
    assert weigh([], *jails, 0.5, lambda: None) == []


def test_what_is_asked_for_is_up_to_the_caller(jails: tuple[Jail, Jail]) -> None:
    half = passed("def f(a, b):\n    return a if a > b else b", "assert f(2, 2) == 2")
    (worth,) = weigh([half], *jails, 1, lambda: None)
    assert worth.reason == "weak_tests"
    assert "small bugs fail the tests" in worth.detail
    (worth,) = weigh([half], *jails, 0, lambda: None)
    assert worth.reason == ""


def test_it_can_be_stopped_between_programs(jails: tuple[Jail, Jail]) -> None:
    told: list[Worth | None] = []

    def stop() -> None:
        told.append(None)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        weigh([passed(COUNT_DOWN, "assert f(3) == 3")] * 5, *jails, 0.5, stop)
    assert len(told) == 3
    (worth,) = weigh([passed("def f(a):\n    return a + 1", "assert f(1) == 2")], *jails, 0.5, lambda: None)
    assert worth.reason == ""
