"""The report's schema is the published one, and its page for people says what the figures say."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from autotrain.config import Settings
from autotrain.evaluate.answers import Answer
from autotrain.evaluate.assembly import History, Outcomes, make_report
from autotrain.evaluate.benchmarks import Benchmark, Item
from autotrain.evaluate.metrics import Graded
from autotrain.evaluate.report import AGAINST_BASE, AGAINST_BEST, BEST_AGAINST_BASE, Report, schema, to_markdown
from autotrain.gate.verdict import Verdict
from autotrain.sample import Sample

ROOT = Path(__file__).resolve().parent.parent


def outcomes(passed: list[bool], name: str) -> Outcomes:
    """A model's answers: every other item is about dates, the rest about loops."""
    graded = []
    for place, right in enumerate(passed):
        metadata = {"task_type": "bug_fixing", "concepts": ["dates" if place % 2 else "loops"], "difficulty": "easy"}
        sample = Sample.model_validate({"id": str(place), "instruction": "i", "output": "o", "metadata": metadata})
        answer = Answer(name, sample.id, "greedy", "text", 5, False, 1.0, 10)
        verdict = Verdict(right, "ok" if right else "tests_failed", error_class="" if right else "AssertionError")
        graded.append(Graded(sample, answer, verdict))
    return Outcomes(name, graded)


def report(history: History, new: list[bool], best: list[bool] | None = None, **settings: Any) -> Report:
    models = {"base": outcomes([False] * len(new), "base"), "new": outcomes(new, "adapter n")}
    if best is not None:
        models["best"] = outcomes(best, "adapter b")
    item = Item(models["base"].graded[0].sample, "")
    bench = Benchmark("humaneval:1", [item])
    return make_report(Settings(**settings), history, models, [(bench, "chat", models)], "all were run")


def test_the_published_schema_is_that_of_the_code() -> None:
    assert json.loads((ROOT / "docs" / "report.schema.json").read_text()) == schema()


def test_a_report_fits_the_schema_and_is_read_back_as_it_was() -> None:
    from pydantic import TypeAdapter

    made = report(History("run_x", 1, 3, focus={"dates": 2.0}), [True] * 8 + [False] * 8)
    text = json.dumps(asdict(made))
    assert TypeAdapter(Report).validate_json(text) == made


def test_verdicts_are_corrected_for_the_rounds_of_the_run() -> None:
    """Six wins and no loss: p = 0.031 alone, no evidence as one of three rounds."""
    new = [True] * 6 + [False] * 4
    alone, planned = report(History(None, 1, 1), new), report(History(None, 1, 3), new)
    assert (alone.comparisons[AGAINST_BASE].verdict, planned.comparisons[AGAINST_BASE].verdict) == (
        "better",
        "no evidence",
    )
    assert planned.comparisons[AGAINST_BASE].p_corrected == 0.09375
    # Promoted by the usual rule all the same, and not by the strict one.
    assert planned.decision.promoted
    assert not report(History(None, 1, 3), new, promotion="significant").decision.promoted


def test_later_rounds_know_the_earlier_ones() -> None:
    first = report(History(None, 1, 2), [True] * 6 + [False] * 4)
    second = report(History(None, 2, 2, [asdict(first)]), [True] * 9 + [False], best=[True] * 6 + [False] * 4)
    assert [one.round for one in second.rounds] == [1, 2]
    assert [one.verdict for one in second.rounds] == ["better", "better"]
    assert second.comparisons[BEST_AGAINST_BASE].p_corrected == 0.0625
    (bench,) = second.benchmarks.values()
    assert {title: one.p_corrected for title, one in bench.comparisons.items()} == {
        AGAINST_BASE: second.comparisons[AGAINST_BASE].p_corrected,
        AGAINST_BEST: second.comparisons[AGAINST_BEST].p_corrected,
        BEST_AGAINST_BASE: 0.0625,
    }
    assert (second.comparisons[AGAINST_BEST].wins, second.comparisons[AGAINST_BEST].verdict) == (3, "no evidence")


def test_the_next_round_is_told_by_the_model_that_goes_on_learning() -> None:
    half = [place % 2 == 0 for place in range(10)]
    promoted = report(History(None, 1, 2, focus={}), half)
    assert promoted.focus is not None
    assert promoted.focus.student == "new"
    assert promoted.focus.next["dates"] > 1 > promoted.focus.next["loops"]
    missed = report(History(None, 2, 2, focus={"dates": 2.0}), half, best=[True] * 9 + [False])
    assert missed.focus is not None
    assert missed.focus.student == "best"
    aim = missed.focus.names["dates"]
    assert aim.before is not None
    assert aim.after is not None
    assert (aim.before.hits, aim.after.hits, aim.after.n) == (4, 0, 5)
    assert report(History(None, 1, 2), half).focus is None


def test_the_page_for_people_holds_every_part() -> None:
    made = report(History("run_x", 1, 3, focus={"dates": 2.0}), [True, False] * 3 + [True] * 3 + [False])
    text = to_markdown(asdict(made))
    for part in (
        "| pass@1 (executed) | 0.0% (0/10: ±28 points) | 60.0% (6/10: ±29 points) |",
        "Only 10 items were executed: this round's rate may be off by 29 points.",
        "6 wins, 0 losses, 4 ties, McNemar p = 0.0312, 0.0938 after Holm's correction: no evidence",
        "## humaneval:1", "asked as a user's turn", "## pass@1 by difficulty", "## pass@1 by concept",
        "- base: wrong answer 10", "| dates | × 2 |", "The next round asks more of: dates × ",
    ):  # fmt: skip
        assert part in text
