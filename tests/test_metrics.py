"""Figures are what was counted; what was not measured is absent; promotion follows the figures."""

from typing import Any

import pytest

from autotrain.evaluate.answers import Answer
from autotrain.evaluate.metrics import Graded, Metrics, concepts, failure, measure, measure_by, repeats, task_type
from autotrain.evaluate.promotion import decide, strictly
from autotrain.evaluate.report import show_rate
from autotrain.evaluate.statistics import compare
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.verdict import Verdict
from autotrain.gate.verify import verify_answers
from autotrain.sample import Sample

MUTANT = "def larger(a, b):\n    return b if b < a else a"


def graded(passed: bool | None, *, kind: str = "algorithm_implementation", loss: float = 1.0, **verdict: Any) -> Graded:
    sample = Sample.model_validate({"id": "a", "instruction": "i", "output": "o", "metadata": {"task_type": kind}})
    answer = Answer("m", "a", "greedy", "text", 5, False, loss, 10)
    return Graded(sample, answer, Verdict(passed=passed, reason="ok" if passed else "tests_failed", **verdict))


def test_items_that_were_not_executed_do_not_count_as_failures() -> None:
    metrics = measure([graded(True), graded(False), graded(None, kind="code_explanation")])
    assert metrics.items == 3
    assert metrics.pass_at_1 is not None
    assert (metrics.pass_at_1.hits, metrics.pass_at_1.n) == (1, 2)
    assert metrics.json_parse_rate is None


def test_loss_is_weighted_by_tokens() -> None:
    heavy = graded(None, loss=2.0)
    heavy = Graded(heavy.sample, Answer("m", "a", "greedy", "", 1, False, 2.0, 30), heavy.verdict)
    assert measure([graded(None, loss=1.0), heavy]).validation_loss == pytest.approx((10 + 60) / 40)


def test_nothing_gives_no_figure() -> None:
    metrics = measure([])
    assert metrics.pass_at_1 is None
    assert metrics.validation_loss is None
    assert metrics.mean_tokens is None


def test_task_types_are_told_apart() -> None:
    parts = measure_by(task_type, [graded(True), graded(False, kind="bug_fixing")])
    assert parts["algorithm_implementation"].pass_at_1 != parts["bug_fixing"].pass_at_1


def test_written_tests_and_edits_count_as_executed_answers() -> None:
    def item(kind: str, form: str, given: str, text: str, tests: str = "") -> Graded:
        metadata = {"task_type": kind, "response_format": form, "entry_point": "larger", "mutants": [MUTANT]}
        sample = Sample.model_validate(
            {"id": kind, "instruction": "i", "input": given, "output": "o", "tests": tests, "metadata": metadata}
        )
        with Jail(Limits()) as jail:
            (verdict,) = verify_answers([(sample, text)], jail)
        return Graded(sample, Answer("m", kind, "greedy", text, 5, False, 1.0, 10), verdict)

    code = "def larger(a, b):\n    return b if b > a else a"
    edit = '{"edits": [{"path": "a.py", "search": "b < a", "replace": "b > a"}]}'
    files, tests = f"# file: a.py\n{MUTANT}", "from a import larger\nassert larger(1, 2) == 2"
    metrics = measure(
        [
            item("unit_test_generation", "code", code, "```python\nassert larger(1, 2) == 2\n```"),
            item("unit_test_generation", "code", code, "```python\nassert larger(2, 2) == 2\n```"),
            item("agent_edit", "json", files, edit, tests),
            item("agent_edit", "json", files, edit[:-1], tests),
            item("agent_edit", "json", files, edit.replace("search", "find"), tests),
            item("agent_edit", "json", files, edit.replace("b < a", "c < a"), tests),
        ]
    )
    for rate, hits, n in (
        (metrics.pass_at_1, 2, 6),
        (metrics.json_parse_rate, 2, 4),
        (metrics.format_compliance, 5, 6),
        (metrics.syntax_valid_rate, 3, 3),
    ):
        assert rate is not None
        assert (rate.hits, rate.n) == (hits, n)
    assert metrics.failures == {"wrong JSON": 2, "mutant survived": 1, "edit not applicable": 1}


def test_an_item_counts_for_each_of_its_concepts() -> None:
    one, other = graded(True), graded(False)
    one.sample.metadata.concepts, other.sample.metadata.concepts = ["sum", "words"], ["sum"]
    parts = measure_by(concepts, [one, other])
    rates = {name: metrics.pass_at_1 for name, metrics in parts.items()}
    assert {name: (rate.hits, rate.n) for name, rate in rates.items() if rate} == {"sum": (1, 2), "words": (1, 1)}


@pytest.mark.parametrize(
    ("reason", "error_class", "truncated", "expected"),
    [
        ("no_code", "", False, "no code"),
        ("no_code", "", True, "cut off"),
        ("syntax", "SyntaxError", False, "syntax error"),
        ("tests_failed", "AssertionError", False, "wrong answer"),
        ("tests_failed", "NameError", True, "name error"),
        ("tests_failed", "TypeError", False, "TypeError"),
        ("timeout", "", False, "timeout"),
        ("not_json", "", False, "wrong JSON"),
    ],
)
def test_failures_are_counted_by_what_went_wrong(reason: str, error_class: str, truncated: bool, expected: str) -> None:
    answer = Answer("m", "a", "greedy", "text", 5, truncated, None, 0)
    verdict = Verdict(passed=False, reason=reason, error_class=error_class)
    assert failure(Graded(graded(False).sample, answer, verdict)) == expected


def test_drawn_answers_give_pass_at_k_and_nothing_else() -> None:
    drawn = [
        Graded(graded(True).sample, Answer("m", item, "t", "text", 5, False, None, 0, draw=draw), Verdict(passed, "ok"))
        for item, outcomes in (("a", (True, False)), ("b", (False, False)))
        for draw, passed in enumerate(outcomes, start=1)
    ]
    metrics = measure([graded(True), graded(True)], drawn)
    assert {k: estimate.value for k, estimate in metrics.pass_at_k.items()} == {"1": 0.25, "2": 0.5}
    assert metrics.pass_at_1 is not None
    assert metrics.pass_at_1.value == 1


def test_repetition_needs_a_run_three_times() -> None:
    run = "one two three four five six seven eight "
    assert repeats(run * 3)
    assert not repeats(run * 2)
    assert not repeats("short")


def with_rate(hits: int, n: int = 10, loss: float = 1.0) -> Metrics:
    return measure([graded(index < hits, loss=loss) for index in range(n)])


@pytest.mark.parametrize(
    ("base", "best", "new", "promoted"),
    [(3, None, 4, True), (3, None, 3, False), (3, 5, 5, False), (3, 5, 6, True), (6, 5, 6, False), (7, 5, 6, False)],
)
def test_only_a_strictly_higher_score_is_promoted(base: int, best: int | None, new: int, promoted: bool) -> None:
    decision = decide(with_rate(base), None if best is None else with_rate(best), with_rate(new))
    assert decision.promoted is promoted
    assert decision.metric == "pass_at_1"


def test_a_promotion_says_how_many_passes_only_their_own_process_judged() -> None:
    inside = [graded(passed, outside=3, inside=2) for passed in (True, False)]
    new = measure([graded(True), *inside])
    assert (new.asserts_outside, new.asserts_inside, new.passes_inside) == (6, 4, 1)
    reason = decide(with_rate(0, 3), None, new).reason
    assert reason.endswith("1 of its 2 passes rest on asserts judged inside the answer's process")


def test_the_strict_rule_takes_what_chance_hardly_explains() -> None:
    decision = decide(with_rate(3), None, with_rate(9))
    sure = compare([True] * 9 + [False], [True] * 3 + [False] * 7)
    unsure = compare([True, True, False], [True, False, False])
    assert (sure.verdict, unsure.verdict) == ("better", "no evidence")
    assert strictly(decision, {"base": sure}) == decision
    refused = strictly(decision, {"base": sure, "best so far": unsure})
    assert not refused.promoted
    assert "higher than the best so far, but p = 1" in refused.reason
    assert not strictly(decision, {}).promoted


def test_without_execution_loss_and_form_decide() -> None:
    def unexecuted(loss: float, form: bool) -> Metrics:
        return measure([graded(None, loss=loss, format_ok=form)])

    assert decide(unexecuted(1.0, True), None, unexecuted(0.5, True)).promoted
    assert not decide(unexecuted(1.0, True), None, unexecuted(0.5, False)).promoted
    assert not decide(unexecuted(1.0, True), None, unexecuted(1.0, True)).promoted


def test_a_rate_is_shown_with_its_counts_and_a_missing_one_as_a_dash() -> None:
    shown = show_rate(measure([graded(True), graded(False)]).to_json()["pass_at_1"])
    assert shown == "50.0% (1/2: ±41 points)"
    assert show_rate(measure([graded(True)] * 30 + [graded(False)] * 30).to_json()["pass_at_1"]).startswith(
        "50.0% (30/60, "
    )
    assert show_rate(None) == "–"
