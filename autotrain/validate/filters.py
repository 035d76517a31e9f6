"""What a sample's own text says about it: each filter keeps a sample or says why it is dropped.

Filters of one sample stand here, cheap ones first (`own_filters`); what depends on other samples is decided in
funnel.py, in the order of the file.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from autotrain.redact import redact
from autotrain.sample import Sample
from autotrain.validate.schema import schema_problem
from autotrain.validate.secrets import Scanner

# In the order of the filters; every dropped line counts under exactly one.
REASONS = ("schema", "length", "secret", "pii", "duplicate", "contaminated")


class Drop(NamedTuple):
    """Why a sample goes: one of REASONS, and a detail that never quotes the sample."""

    reason: str
    detail: str


Filter = Callable[[Sample], Drop | None]


def own_filters(
    max_chars: int, scanner: Scanner, count_tokens: Callable[[str], int] | None = None, max_tokens: int = 0
) -> tuple[Filter, ...]:
    """All of them. Length first: it is the cheapest, and keeps monsters from the parsers."""
    lengths: tuple[Filter, ...] = (length_filter(max_chars),)
    if count_tokens is not None:
        lengths += (token_filter(count_tokens, max_tokens),)
    return (*lengths, check_schema, secret_filter(scanner))


def first_drop(sample: Sample, filters: Sequence[Filter]) -> Drop | None:
    """What the first filter that objects says; later filters do not see the sample."""
    for check in filters:
        drop = check(sample)
        if drop is not None:
            return drop
    return None


def length_filter(max_chars: int) -> Filter:
    """Drops samples whose instruction, input, output and tests are longer than `max_chars` together."""

    def check(sample: Sample) -> Drop | None:
        length = sum(map(len, (sample.instruction, sample.input, sample.output, sample.tests)))
        return Drop("length", f"{length} characters, at most {max_chars}") if length > max_chars else None

    return check


def token_filter(count_tokens: Callable[[str], int], max_tokens: int) -> Filter:
    """Drops samples whose question and answer are longer than `max_tokens`: they could not be trained on whole."""

    def check(sample: Sample) -> Drop | None:
        text = f"{sample.instruction}\n{sample.input}\n{sample.output}"
        # No tokenizer makes more tokens than the text has bytes.
        if len(text) * 4 <= max_tokens:
            return None
        length = count_tokens(text)
        return Drop("length", f"{length} tokens, at most {max_tokens}") if length > max_tokens else None

    return check


def check_schema(sample: Sample) -> Drop | None:
    """Drops samples whose content is not what their fields say."""
    problem = schema_problem(sample)
    return Drop("schema", redact(problem, 300)) if problem else None


def secret_filter(scanner: Scanner) -> Filter:
    """Drops samples with a secret, or somebody's data, in any string, and those that could not be scanned."""

    def check(sample: Sample) -> Drop | None:
        hit = scanner.scan_sample(sample)
        return Drop(hit.kind, hit.rule) if hit is not None else None

    return check
