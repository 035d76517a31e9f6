"""What fails more is asked more, what is rare is not believed at once, and nothing is forgotten."""

from autotrain.evaluate.answers import Answer
from autotrain.evaluate.focus import LEAST, MOST, aims, next_weights
from autotrain.evaluate.metrics import Graded
from autotrain.gate.verdict import Verdict
from autotrain.sample import Sample


def graded(passed: bool | None, *concepts: str, kind: str = "bug_fixing", correct: bool | None = None) -> Graded:
    metadata = {"task_type": kind, "concepts": list(concepts)}
    sample = Sample.model_validate({"id": "a", "instruction": "i", "output": "o", "metadata": metadata})
    return Graded(sample, Answer("m", "a", "greedy", "text", 5, False, 1.0, 10), Verdict(passed, "ok", correct))


def items(concept: str, passed: int, failed: int) -> list[Graded]:
    return [graded(place < passed, concept) for place in range(passed + failed)]


def test_what_fails_oftener_than_the_rest_is_wanted_more() -> None:
    weights = next_weights([*items("loops", 18, 2), *items("dates", 2, 18)])
    assert LEAST <= weights["loops"] < 1 < weights["dates"] <= MOST
    # All items are of this type, which therefore fails as often as all do.
    assert weights["bug_fixing"] == 1


def test_one_failure_says_little() -> None:
    weights = next_weights([*items("loops", 10, 10), *items("rare", 0, 1), *items("dates", 0, 20)])
    assert 1 < weights["rare"] < weights["dates"]


def test_nothing_is_asked_for_less_than_its_floor_or_more_than_the_ceiling() -> None:
    weights = next_weights([*items("easy", 500, 0), *items("hard", 0, 20)])
    assert (weights["easy"], weights["hard"]) == (LEAST, MOST)


def test_without_failures_or_items_there_is_nothing_to_aim_at() -> None:
    assert next_weights([]) == {}
    assert next_weights(items("easy", 5, 0)) == {}


def test_what_only_reading_judges_counts_and_what_nothing_judges_does_not() -> None:
    reviews = [graded(None, "dates", kind="code_review", correct=False)] * 10
    texts = [graded(None, "prose", kind="code_explanation")] * 10
    weights = next_weights([*items("loops", 10, 0), *reviews, *texts])
    assert weights["code_review"] > 1
    assert "prose" not in weights


def test_aims_are_told_on_the_same_items_before_and_after() -> None:
    found = aims({"dates": 2.0, "gone": 3.0, "loops": 0.5}, items("dates", 1, 3), items("dates", 3, 1))
    assert list(found) == ["gone", "dates", "loops"]
    before, after = found["dates"].before, found["dates"].after
    assert before is not None
    assert after is not None
    assert (before.hits, after.hits, after.n) == (1, 3, 4)
    assert found["gone"].before is None
