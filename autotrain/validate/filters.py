"""Samples in, clean ones out: each filter keeps a sample or says why it is dropped."""

import hmac
import secrets
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError
from autotrain.files import replacing
from autotrain.jsonl import BadLine, to_line
from autotrain.redact import redact
from autotrain.sample import Sample, read_samples
from autotrain.validate.duplicates import ExactIndex
from autotrain.validate.schema import schema_problem
from autotrain.validate.secrets import Scanner, text_of

REASONS = ("schema", "length", "secret", "duplicate")


@dataclass(frozen=True)
class Drop:
    """Why a sample goes: one of REASONS, and a detail that never quotes the sample."""

    reason: str
    detail: str


Filter = Callable[[Sample], Drop | None]


@dataclass(frozen=True)
class Funnel:
    """What became of a file's lines: read = kept + the sum of dropped, which names every reason."""

    read: int
    kept: int
    dropped: dict[str, int]


def validate_file(
    source: Path,
    clean: Path,
    rejected: Path,
    *,
    earlier: Sequence[Path],
    max_chars: int,
    on_progress: Callable[[Funnel], None] | None = None,
    scanner: Scanner | None = None,
) -> Funnel:
    """Write the good samples of `source` to `clean` and every other line, with its reason, to `rejected`.

    Questions asked before, here or in the `earlier` files, are dropped. `on_progress` gets what became of the
    lines so far and may raise to stop: then neither file is touched. Without a `scanner` one is loaded.
    Raises Refused if it does not work, AutotrainError if a file is missing.
    """
    for path in (source, *earlier):
        if not path.is_file():
            raise AutotrainError(f"{path}: no such file to validate; name a file of samples, one JSON a line")
    scanner = scanner or Scanner()
    index = ExactIndex()
    for path in earlier:
        for _, sample in read_samples(path):
            if not isinstance(sample, BadLine):
                index.add(sample, f"{sample.id} of {path.name}")
    # Length first: it is the cheapest, and keeps monsters from the parsers.
    filters = (length_filter(max_chars), check_schema, secret_filter(scanner), duplicate_filter(index))
    # Drawn for this one file and kept nowhere: digests tell two rejects apart and nothing else.
    key = secrets.token_bytes(32)
    read, kept, dropped = 0, 0, dict.fromkeys(REASONS, 0)
    with replacing(clean) as keep, replacing(rejected) as reject:
        for number, sample in read_samples(source):
            read += 1
            if isinstance(sample, BadLine):
                drop: Drop | None = Drop("schema", redact(sample.reason, 300))
            else:
                sample = tidy(sample)
                drop = first_drop(sample, filters)
            if drop is None and isinstance(sample, Sample):
                kept += 1
                keep.write(to_line(sample.to_json()))
            elif drop is not None:
                dropped[drop.reason] += 1
                reject.write(rejected_line(number, sample, drop, scanner, key))
            if on_progress is not None:
                on_progress(Funnel(read, kept, dict(dropped)))
    return Funnel(read, kept, dropped)


def first_drop(sample: Sample, filters: Sequence[Filter]) -> Drop | None:
    """What the first filter that objects says; later filters do not see the sample."""
    for check in filters:
        drop = check(sample)
        if drop is not None:
            return drop
    return None


def tidy(sample: Sample) -> Sample:
    """The sample with all its text in Unicode NFC and with LF line ends."""
    return Sample.model_validate(_tidy_text(sample.to_json()))


def rejected_line(number: int, sample: Sample | BadLine, drop: Drop, scanner: Scanner, key: bytes) -> str:
    """A dropped sample as a JSON line, its text only where the scanner finds nothing in it.

    In place of the text stands a digest of it under `key`.
    """
    line: dict[str, Any] = {"line": number, "id": None, "reason": drop.reason, "detail": drop.detail}
    if isinstance(sample, Sample):
        if _scan_problem(scanner, sample.id) is None:
            line["id"] = sample.id
        text = text_of(sample)
        problem = drop.detail if drop.reason == "secret" else _scan_problem(scanner, text)
        if problem is None:
            line["sample"] = sample.to_json()
        else:
            line["withheld"] = problem
            line["digest"] = hmac.new(key, text.encode("utf-8"), "sha256").hexdigest()[:16]
    return to_line(line)


# ---------------------------------------------------------------------------------------------------
# The filters, cheap to dear


def length_filter(max_chars: int) -> Filter:
    """Drops samples whose instruction, input, output and tests are longer than `max_chars` together."""

    def check(sample: Sample) -> Drop | None:
        length = sum(map(len, (sample.instruction, sample.input, sample.output, sample.tests)))
        return Drop("length", f"{length} characters, at most {max_chars}") if length > max_chars else None

    return check


def check_schema(sample: Sample) -> Drop | None:
    """Drops samples whose content is not what their fields say."""
    problem = schema_problem(sample)
    return Drop("schema", redact(problem, 300)) if problem else None


def secret_filter(scanner: Scanner) -> Filter:
    """Drops samples with a secret in any string, and those that could not be scanned."""

    def check(sample: Sample) -> Drop | None:
        problem = _scan_problem(scanner, text_of(sample))
        return Drop("secret", problem) if problem else None

    return check


def duplicate_filter(index: ExactIndex) -> Filter:
    """Drops questions that `index` holds and adds the others: goes last, so that it learns kept ones only."""

    def check(sample: Sample) -> Drop | None:
        first = index.add(sample, sample.id)
        return Drop("duplicate", redact(f"asks the same as {first}", 300)) if first is not None else None

    return check


def _scan_problem(scanner: Scanner, text: str) -> str | None:
    try:
        return scanner.scan(text)
    except Exception as error:
        return f"scanner failed: {type(error).__name__}"


def _tidy_text(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).replace("\r\n", "\n")
    if isinstance(value, list):
        return [_tidy_text(item) for item in value]
    if isinstance(value, dict):
        return {_tidy_text(key): _tidy_text(item) for key, item in value.items()}
    return value
