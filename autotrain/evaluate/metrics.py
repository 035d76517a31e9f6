"""Answers with their verdicts → the figures of a report."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autotrain.evaluate.answers import Answer
from autotrain.evaluate.statistics import Estimate, Rate, pass_at_k, rate
from autotrain.gate.verdict import Verdict
from autotrain.sample import Sample

REPEATED_WORDS = 8
REPEATED_TIMES = 3


@dataclass(frozen=True)
class Graded:
    """One item, one model's answer to it, and what came of it."""

    sample: Sample
    answer: Answer
    verdict: Verdict


@dataclass(frozen=True)
class Metrics:
    """The figures of one model on some items. A rate over no items is None, not zero."""

    items: int
    pass_at_1: Rate | None
    findings_correct_rate: Rate | None
    json_parse_rate: Rate | None
    format_compliance: Rate | None
    syntax_valid_rate: Rate | None
    repetition_rate: Rate | None
    truncated_rate: Rate | None
    mean_tokens: float | None
    validation_loss: float | None
    failures: dict[str, int]
    pass_at_k: dict[str, Estimate]
    """By k, of answers drawn at random."""
    asserts_outside: int
    """Fulfilled asserts that were judged outside of the answer's process; the others only by itself."""
    asserts_inside: int
    passes_inside: int
    """Passes that rest on an assert of the second kind."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(graded: Sequence[Graded], drawn: Sequence[Graded] = ()) -> Metrics:
    """Count everything, of one answer an item, and of those `drawn` at random besides.

    Validation loss is per token of the reference answers, in nats.
    """
    verdicts = [item.verdict for item in graded]
    measured = [(item.answer.loss, item.answer.reference_tokens) for item in graded if item.answer.loss is not None]
    reference_tokens = sum(tokens for _, tokens in measured)
    loss = sum(loss * tokens for loss, tokens in measured)
    return Metrics(
        items=len(graded),
        pass_at_1=rate([verdict.passed for verdict in verdicts if verdict.passed is not None]),
        findings_correct_rate=rate(
            [
                item.verdict.correct
                for item in graded
                if item.sample.metadata.task_type == "code_review" and item.verdict.correct is not None
            ]
        ),
        json_parse_rate=rate([verdict.json_ok for verdict in verdicts if verdict.json_ok is not None]),
        format_compliance=rate([verdict.format_ok for verdict in verdicts]),
        syntax_valid_rate=rate([verdict.syntax_ok for verdict in verdicts if verdict.syntax_ok is not None]),
        repetition_rate=rate([repeats(item.answer.text) for item in graded]),
        truncated_rate=rate([item.answer.truncated for item in graded]),
        mean_tokens=round(sum(item.answer.tokens for item in graded) / len(graded), 1) if graded else None,
        validation_loss=round(loss / reference_tokens, 4) if reference_tokens else None,
        failures=dict(Counter(failure(item) for item in graded if item.verdict.passed is False).most_common()),
        pass_at_k=_pass_at_k(drawn),
        asserts_outside=sum(verdict.outside for verdict in verdicts),
        asserts_inside=sum(verdict.inside for verdict in verdicts),
        passes_inside=sum(verdict.passed is True and verdict.inside > 0 for verdict in verdicts),
    )


Names = Callable[[Graded], Sequence[str]]


def task_type(item: Graded) -> Sequence[str]:
    return [item.sample.metadata.task_type or "unknown"]


def concepts(item: Graded) -> Sequence[str]:
    return item.sample.metadata.concepts


def difficulty(item: Graded) -> Sequence[str]:
    return [item.sample.metadata.difficulty or "unknown"]


def measure_by(names: Names, graded: Sequence[Graded], drawn: Sequence[Graded] = ()) -> dict[str, Metrics]:
    """`measure` for each of an item's `names` that occurs; an item with several counts for each."""
    groups: defaultdict[str, tuple[list[Graded], list[Graded]]] = defaultdict(lambda: ([], []))
    for place, part in enumerate((graded, drawn)):
        for item in part:
            for name in names(item):
                groups[name][place].append(item)
    return {name: measure(*groups[name]) for name in sorted(groups)}


def _pass_at_k(drawn: Sequence[Graded]) -> dict[str, Estimate]:
    outcomes: defaultdict[str, list[bool]] = defaultdict(list)
    for item in drawn:
        if item.verdict.passed is not None:
            outcomes[item.answer.item].append(item.verdict.passed)
    return pass_at_k([(sum(passed), len(passed)) for passed in outcomes.values()])


def repeats(text: str) -> bool:
    """Whether some run of 8 words stands in the text three times or more: the mark of a model gone in circles."""
    words = text.split()
    runs = Counter(tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1))
    return bool(runs) and max(runs.values()) >= REPEATED_TIMES


CLASSES = {
    "no_code": "no code",
    "syntax": "syntax error",
    "not_json": "wrong JSON",
    "wrong_schema": "wrong JSON",
    "AssertionError": "wrong answer",
    "NameError": "name error",
}


def failure(item: Graded) -> str:
    """Why an answer failed, in the few words by which failures are counted; errors by their names."""
    verdict = item.verdict
    if item.answer.truncated and verdict.reason in ("no_code", "syntax", "not_json", "empty_text"):
        return "cut off"
    kind = verdict.error_class if verdict.reason == "tests_failed" and verdict.error_class else verdict.reason
    return CLASSES.get(kind, kind.replace("_", " "))
