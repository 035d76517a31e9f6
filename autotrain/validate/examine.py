"""Lines in, what each one says by itself out: parsed, tidied, filtered, fingerprinted. Over all cores, in order.

Nothing here depends on another line, so it can be done anywhere; what does is decided in funnel.py.
"""

import gc
import hmac
import multiprocessing
import os
import signal
import unicodedata
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from autotrain.errors import AutotrainError
from autotrain.jsonl import BadLine, parse_line, to_line
from autotrain.redact import redact
from autotrain.sample import Sample, parse_sample
from autotrain.validate.contamination import Benchmarks, Overlap
from autotrain.validate.filters import Drop, first_drops, own_filters
from autotrain.validate.fingerprints import Fingerprint, Reading, fingerprints, read
from autotrain.validate.secrets import Scanner


class TooLate(BaseException):
    """The alarm went off. No Exception, because the scanner takes every one of these for a sample's fault."""


# Python's parser turns an exception raised within it into one of its own.
TOO_LATE = (TooLate, SystemError)
# What the scanner has not seen yet when it is dropped.
UNSCANNED = ("schema", "length")
LINES_A_CHUNK = 200
BYTES_A_CHUNK = 2 << 20
# Fewer lines are done sooner here than other processes have started.
LINES_ALONE = 2000
# Far more than the longest sample takes; what takes longer was written to.
SECONDS_A_LINE = 20


@dataclass(frozen=True)
class Checks:
    """What one sample may be; `tokenizer` is a tokenizer.json to count `max_tokens` by."""

    max_chars: int
    pii: bool = True
    benchmarks: tuple[Benchmarks, ...] = ()
    tokenizer: Path | None = None
    max_tokens: int = 0


class Examined(NamedTuple):
    """A line by itself: `text` is its line in the clean file, or in the rejected one where it is dropped.

    `id` is withheld where it may be a secret. Kept ones have a fingerprint; `overlap` is with a benchmark.
    """

    number: int
    id: str | None
    text: str
    drop: Drop | None
    fingerprint: Fingerprint | None = None
    overlap: Overlap | None = None


Line = tuple[int, bytes | BadLine]


def examine(lines: Iterable[Line], checks: Checks, key: bytes) -> Generator[Examined, None, None]:
    """Examine lines in their order; memory holds some thousands of them. `key` makes the digests of what is withheld.

    Raises Refused where the scanner does not work, AutotrainError when a process that examines dies.
    """
    lines = iter(lines)
    first = list(islice(lines, LINES_ALONE))
    if len(first) < LINES_ALONE:
        examiner = _Examiner(checks, key)
        for chunk in _chunks(first):
            yield from examiner(chunk)
        return
    _Examiner(checks, key)  # what it refuses is said here, not by every process
    workers = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    context = multiprocessing.get_context("spawn")
    pending: deque[Future[list[Examined]]] = deque()
    with ProcessPoolExecutor(workers, context, _prepare, (checks, key)) as pool:
        try:
            for chunk in _chunks(chain(first, lines)):
                pending.append(pool.submit(_examine_chunk, chunk))
                if len(pending) > 3 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BrokenProcessPool:
            raise AutotrainError(
                "a process that examines samples died, perhaps for want of memory; try again, or with a lower "
                "MAX_SAMPLE_CHARS"
            ) from None
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for number, raw in lines:
        chunk.append((number, raw))
        size += len(raw) if isinstance(raw, bytes) else 0
        if len(chunk) == LINES_A_CHUNK or size > BYTES_A_CHUNK:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


_examiner: "_Examiner"


def _prepare(checks: Checks, key: bytes) -> None:
    global _examiner
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    _examiner = _Examiner(checks, key)
    # Syntax trees are many objects and no cycles: looking for some after every 700 takes a third of the time.
    gc.freeze()
    gc.set_threshold(100_000)


def _examine_chunk(lines: list[Line]) -> list[Examined]:
    return _examiner(lines)


@cache
def _scanner(pii: bool) -> Scanner:
    """Loaded once a process: it takes a second."""
    return Scanner(pii=pii)


class _Examiner:
    """The loaded filters."""

    def __init__(self, checks: Checks, key: bytes) -> None:
        self._scanner = _scanner(checks.pii)
        count_tokens = _token_counter(checks.tokenizer) if checks.tokenizer is not None else None
        self._filters = own_filters(checks.max_chars, self._scanner, count_tokens, checks.max_tokens)
        self._benchmarks = checks.benchmarks
        self._key = key

    def __call__(self, lines: Sequence[Line]) -> list[Examined]:
        """Step by step all lines together; one by one where that takes suspiciously long."""
        if len(lines) > 1:
            try:
                with _at_most(SECONDS_A_LINE):
                    return self._examine(lines)
            except TOO_LATE:
                return [self._alone(line) for line in lines]
        return [self._alone(line) for line in lines]

    def _alone(self, line: Line) -> Examined:
        try:
            with _at_most(SECONDS_A_LINE):
                return self._examine([line])[0]
        except TOO_LATE:
            drop = Drop("secret", f"not examined within {SECONDS_A_LINE} s")
            return Examined(line[0], None, rejected_line(line[0], None, drop), drop)

    def _examine(self, lines: Sequence[Line]) -> list[Examined]:
        parsed = [(number, _parsed(number, raw)) for number, raw in lines]
        verdicts = iter(self._judge([sample for _, sample in parsed if isinstance(sample, Sample)]))
        return [
            self._written(number, sample, next(verdicts)) if isinstance(sample, Sample) else _bad(number, sample.reason)
            for number, sample in parsed
        ]

    def _judge(self, samples: Sequence[Sample]) -> list["_Verdict"]:
        verdicts = [_Verdict(drop) for drop in first_drops(samples, self._filters)]
        kept = [place for place, verdict in enumerate(verdicts) if verdict.drop is None]
        readings = [read(samples[place]) for place in kept]
        for place, marks, overlap in zip(kept, fingerprints(readings), self._overlaps(readings), strict=True):
            if overlap is None:
                verdicts[place] = _Verdict(None, marks=marks)
            else:
                drop = Drop("contaminated", f"{overlap.problem}: {overlap.detail}")
                verdicts[place] = _Verdict(drop, overlap=overlap)
        # Those that went before they were scanned are shown only if they pass that, too.
        unscanned = [place for place, (drop, *_) in enumerate(verdicts) if drop and drop.reason in UNSCANNED]
        hits = self._scanner.scan_samples([samples[place] for place in unscanned])
        for place, hit in zip(unscanned, hits, strict=True):
            if hit is not None:
                verdicts[place] = verdicts[place]._replace(withheld=hit.rule)
        return verdicts

    def _overlaps(self, readings: Sequence[Reading]) -> list[Overlap | None]:
        found: list[Overlap | None] = [None] * len(readings)
        for benchmarks in self._benchmarks:
            found = [known or new for known, new in zip(found, benchmarks.find(readings), strict=True)]
        return found

    def _written(self, number: int, sample: Sample, verdict: "_Verdict") -> Examined:
        """As a line for one of the two files: a dropped one with its text only if nothing was found in that."""
        line = to_line(sample.to_json())
        drop, withheld = verdict.drop, verdict.withheld
        if drop is None:
            return Examined(number, sample.id, line, None, verdict.marks)
        if drop.reason in ("secret", "pii"):
            withheld = drop.detail
        if withheld is None:
            shown = rejected_line(number, sample.id, drop, line)
            return Examined(number, sample.id, shown, drop, None, verdict.overlap)
        name = sample.id if self._is_clean(sample.id) else None
        digest = hmac.new(self._key, line.encode(), "sha256").hexdigest()[:16]
        return Examined(number, name, rejected_line(number, name, drop, withheld=withheld, digest=digest), drop)

    def _is_clean(self, text: str) -> bool:
        try:
            return self._scanner.scan(text) is None
        except Exception:
            return False


class _Verdict(NamedTuple):
    """What becomes of a sample: `withheld` is the rule for which its text is not shown."""

    drop: Drop | None
    marks: Fingerprint | None = None
    overlap: Overlap | None = None
    withheld: str | None = None


def _parsed(number: int, raw: bytes | BadLine) -> Sample | BadLine:
    if isinstance(raw, BadLine):
        return raw
    value = parse_line(raw, number)
    sample = value if isinstance(value, BadLine) else parse_sample(value, number)
    return sample if isinstance(sample, BadLine) else tidy(sample, raw)


def _bad(number: int, reason: str) -> Examined:
    drop = Drop("schema", redact(reason, 300))
    return Examined(number, None, rejected_line(number, None, drop), drop)


def rejected_line(number: int, name: str | None, drop: Drop, sample: str = "", **more: str) -> str:
    """A line of the rejected file; `sample` is the whole sample as JSON."""
    line = to_line({"line": number, "id": name, "reason": drop.reason, "detail": drop.detail, **more})
    return f'{line[:-2]}, "sample": {sample.rstrip()}}}\n' if sample else line


def tidy(sample: Sample, raw: bytes) -> Sample:
    """The sample, read from the line `raw`, with all its text in Unicode NFC and with LF line ends."""
    if b"\\r" not in raw and b"\\u" not in raw:
        text = raw.decode("utf-8")
        if text.isascii() or unicodedata.is_normalized("NFC", text):
            return sample
    return Sample.model_validate(_tidy_text(sample.to_json()))


def _tidy_text(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, list):
        return [_tidy_text(item) for item in value]
    if isinstance(value, dict):
        return {_tidy_text(key): _tidy_text(item) for key, item in value.items()}
    return value


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    """Raise TooLate in the block after so many seconds, also within a regular expression."""

    def expire(*_: object) -> NoReturn:
        raise TooLate

    before = signal.signal(signal.SIGALRM, expire)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _token_counter(tokenizer: Path) -> Callable[[str], int]:
    """Raises AutotrainError where the file is no tokenizer."""
    from tokenizers import Tokenizer

    try:
        loaded = Tokenizer.from_file(str(tokenizer))
    except Exception as error:  # the library raises nothing narrower
        raise AutotrainError(f"{tokenizer}: {error}; it should be the base model's tokenizer.json") from None
    return lambda text: len(loaded.encode(text, add_special_tokens=False))
