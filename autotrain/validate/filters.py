"""What a sample's own text says about it: each filter keeps a sample or says why it is dropped.

Filters of samples by themselves stand here, cheap ones first (`own_filters`); what depends on other samples is decided
in funnel.py, in the order of the file. They take many samples at once, since that is several times as fast.
"""

import warnings
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


Filter = Callable[[Sequence[Sample]], list[Drop | None]]
"""Takes samples, and says for each why it goes, or None."""


def own_filters(
    max_chars: int, scanner: Scanner, count_tokens: Callable[[str], int] | None = None, max_tokens: int = 0
) -> tuple[Filter, ...]:
    """All of them. Length first: it is the cheapest, and keeps monsters from the parsers."""
    lengths: tuple[Filter, ...] = (length_filter(max_chars),)
    if count_tokens is not None:
        lengths += (token_filter(count_tokens, max_tokens),)
    return (*lengths, schema_filter, secret_filter(scanner))


def first_drops(samples: Sequence[Sample], filters: Sequence[Filter]) -> list[Drop | None]:
    """For each sample what the first filter that objects says; later filters do not see it."""
    drops: list[Drop | None] = [None] * len(samples)
    left = list(range(len(samples)))
    for check in filters:
        for place, drop in zip(left, check([samples[place] for place in left]), strict=True):
            drops[place] = drop
        left = [place for place in left if drops[place] is None]
    return drops


def length_filter(max_chars: int) -> Filter:
    """Drops samples whose instruction, input, output and tests are longer than `max_chars` together."""

    def check(sample: Sample) -> Drop | None:
        length = len(sample.instruction) + len(sample.input) + len(sample.output) + len(sample.tests)
        return Drop("length", f"{length} characters, at most {max_chars}") if length > max_chars else None

    return lambda samples: list(map(check, samples))


def token_filter(count_tokens: Callable[[str], int], max_tokens: int) -> Filter:
    """Drops samples whose question and answer are longer than `max_tokens`: they could not be trained on whole."""

    def check(sample: Sample) -> Drop | None:
        text = f"{sample.instruction}\n{sample.input}\n{sample.output}"
        # No tokenizer makes more tokens than the text has bytes.
        if len(text.encode()) <= max_tokens:
            return None
        length = count_tokens(text)
        return Drop("length", f"{length} tokens, at most {max_tokens}") if length > max_tokens else None

    return lambda samples: list(map(check, samples))


def schema_filter(samples: Sequence[Sample]) -> list[Drop | None]:
    """Drops samples whose content is not what their fields say."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problems = list(map(schema_problem, samples))
    return [Drop("schema", redact(problem, 300)) if problem else None for problem in problems]


def secret_filter(scanner: Scanner) -> Filter:
    """Drops samples with a secret, or somebody's data, in any string, and those that could not be scanned."""

    def check(samples: Sequence[Sample]) -> list[Drop | None]:
        return [Drop(hit.kind, hit.rule) if hit is not None else None for hit in scanner.scan_samples(samples)]

    return check
