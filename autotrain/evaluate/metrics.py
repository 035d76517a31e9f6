"""Answers with their verdicts → the figures of a report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from autotrain.evaluate.answers import Answer
from autotrain.evaluate.statistics import Rate, rate
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
    asserts_outside: int
    """Fulfilled asserts that were judged outside of the answer's process; the others only by itself."""
    asserts_inside: int
    passes_inside: int
    """Passes that rest on an assert of the second kind."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(graded: Sequence[Graded]) -> Metrics:
    """Count everything. Validation loss is per token of the reference answers, in nats."""
    verdicts = [item.verdict for item in graded]
    reference_tokens = sum(item.answer.reference_tokens for item in graded)
    loss = sum(item.answer.loss * item.answer.reference_tokens for item in graded)
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
        failures=dict(
            Counter(_failure(verdict) for verdict in verdicts if verdict.passed is False).most_common()
        ),
        asserts_outside=sum(verdict.outside for verdict in verdicts),
        asserts_inside=sum(verdict.inside for verdict in verdicts),
        passes_inside=sum(verdict.passed is True and verdict.inside > 0 for verdict in verdicts),
    )


def by_task_type(graded: Sequence[Graded]) -> dict[str, Metrics]:
    """`measure` for each task type that occurs."""
    kinds = sorted({item.sample.metadata.task_type or "unknown" for item in graded})
    return {
        kind: measure([item for item in graded if (item.sample.metadata.task_type or "unknown") == kind])
        for kind in kinds
    }


def repeats(text: str) -> bool:
    """Whether some run of 8 words stands in the text three times or more: the mark of a model gone in circles."""
    words = text.split()
    runs = Counter(tuple(words[i : i + REPEATED_WORDS]) for i in range(len(words) - REPEATED_WORDS + 1))
    return bool(runs) and max(runs.values()) >= REPEATED_TIMES


def _failure(verdict: Verdict) -> str:
    if verdict.reason == "tests_failed" and verdict.error_class:
        return f"tests_failed: {verdict.error_class}"
    return verdict.reason
