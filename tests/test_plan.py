"""The plan of requests and the words of each: varied, steered, the same for the same seed."""

from collections import Counter

import pytest

from autotrain.generate.plan import Request, load_concepts, plan_requests
from autotrain.generate.prompts import RESPONSE_FORMATS, messages
from autotrain.sample import TaskType


def test_the_plan_keeps_the_shares_and_does_not_repeat_itself() -> None:
    plan = plan_requests(800, 4, seed=1, round_number=1)
    shares = Counter(request.task_type for request in plan)
    assert sum(request.count for request in plan) == 800
    assert shares["algorithm_implementation"] == pytest.approx(60, abs=2)
    assert set(shares) == set(RESPONSE_FORMATS)
    assert {request.difficulty for request in plan} == {"easy", "medium", "hard"}
    assert len({request.concept for request in plan[:120]}) == 120 <= len(set(load_concepts()))


def test_the_plan_follows_from_the_seed_and_can_be_continued() -> None:
    plan = plan_requests(10, 4, seed=1, round_number=1)
    assert [request.count for request in plan] == [4, 4, 2]
    assert plan_requests(100, 4, seed=1, round_number=1)[:2] == plan[:2]
    assert plan_requests(10, 4, seed=2, round_number=1) != plan
    assert [one.concept for one in plan_requests(10, 4, 1, 2)] != [one.concept for one in plan]


def test_shares_and_focus_steer_the_plan() -> None:
    shares: dict[TaskType, float] = {"bug_fixing": 3, "refactoring": 1, "code_review": 0}
    plan = plan_requests(40, 4, 1, 1, shares)
    assert Counter(request.task_type for request in plan) == pytest.approx(
        {"bug_fixing": 7.5, "refactoring": 2.5}, abs=1
    )
    plan = plan_requests(400, 4, 1, 1, shares, ["sets", "dicts"], {"refactoring": 3, "dicts": 4, "nonesuch": 9})
    assert Counter(request.task_type for request in plan) == pytest.approx({"bug_fixing": 50, "refactoring": 50}, abs=1)
    assert Counter(request.concept for request in plan) == pytest.approx({"dicts": 80, "sets": 20}, abs=1)
    with pytest.raises(ValueError, match="no weight of sets is above 0"):
        plan_requests(40, 4, 1, 1, concepts=["sets"], focus={"sets": 0})


def test_the_plan_reaches_every_cell_before_it_comes_back_to_one() -> None:
    plan = plan_requests(16, 1, 1, 1, {"bug_fixing": 1, "refactoring": 1}, ["sets", "dicts", "lists", "tuples"])
    assert len({request.cell for request in plan[:8]}) == 8
    plan = plan_requests(1500, 1, 1, 1)
    of_types = Counter(request.task_type for request in plan)
    most = sum(min(count, len(load_concepts())) for count in of_types.values())
    assert len({request.cell for request in plan}) == most


def test_what_was_written_before_is_not_to_be_repeated() -> None:
    request = Request(3, 1, "bug_fixing", "arithmetic", "easy", "terse", 2)
    before = ["Write a\nsum.", "long " * 100, *(f"Task {number}" for number in range(7))]
    system, user = messages(request, before)
    assert system == messages(request)[0], "the static part comes first and stays the same"
    assert "Write a sum." not in user["content"], "only the newest few are named"
    assert "- Task 6\n" in user["content"]
    assert len(user["content"]) < 1000
