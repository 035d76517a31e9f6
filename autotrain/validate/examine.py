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
from collections.abc import Callable, Generator, Iterable, Iterator
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
from autotrain.validate.filters import Drop, first_drop, own_filters
from autotrain.validate.fingerprints import Fingerprint, fingerprint, read
from autotrain.validate.secrets import Scanner

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
        yield from _Examiner(checks, key)(first)
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
    return list(_examiner(lines))


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

    def __call__(self, lines: Iterable[Line]) -> Iterator[Examined]:
        for number, raw in lines:
            yield self._examine(number, raw)

    def _examine(self, number: int, raw: bytes | BadLine) -> Examined:
        value = raw if isinstance(raw, BadLine) else parse_line(raw, number)
        sample = value if isinstance(value, BadLine) else parse_sample(value, number)
        if isinstance(sample, BadLine):
            return self._rejected(number, None, Drop("schema", redact(sample.reason, 300)))
        overlap: Overlap | None = None
        try:
            with _at_most(SECONDS_A_LINE):
                sample = tidy(sample)
                drop = first_drop(sample, self._filters)
                if drop is None:
                    reading = read(sample)
                    marks = fingerprint(reading)
                    overlap = next(filter(None, (one.find(reading) for one in self._benchmarks)), None)
        except TimeoutError:
            drop = Drop("secret", f"not examined within {SECONDS_A_LINE} s")
        if overlap is not None:
            drop = Drop("contaminated", f"{overlap.problem}: {overlap.detail}")
        if drop is not None:
            return self._rejected(number, sample, drop)._replace(overlap=overlap)
        return Examined(number, sample.id, to_line(sample.to_json()), None, marks)

    def _rejected(self, number: int, sample: Sample | None, drop: Drop) -> Examined:
        """A dropped line: its text only where the scanner finds nothing in it, else a digest of it."""
        if sample is None:
            return Examined(number, None, rejected_line(number, None, drop), drop)
        name = sample.id if self._problem(sample.id) is None else None
        withheld = drop.detail if drop.reason in ("secret", "pii") else self._problem(sample)
        if withheld is None:
            return Examined(number, name, rejected_line(number, name, drop, to_line(sample.to_json())), drop)
        digest = hmac.new(self._key, to_line(sample.to_json()).encode(), "sha256").hexdigest()[:16]
        return Examined(number, name, rejected_line(number, name, drop, withheld=withheld, digest=digest), drop)

    def _problem(self, what: Sample | str) -> str | None:
        """What the scanner says against showing it."""
        try:
            with _at_most(SECONDS_A_LINE):
                if isinstance(what, str):
                    return self._scanner.scan(what)
                hit = self._scanner.scan_sample(what)
                return hit.rule if hit is not None else None
        except Exception as error:
            return f"scanner failed: {type(error).__name__}"


def rejected_line(number: int, name: str | None, drop: Drop, sample: str = "", **more: str) -> str:
    """A line of the rejected file; `sample` is the whole sample as JSON."""
    line = to_line({"line": number, "id": name, "reason": drop.reason, "detail": drop.detail, **more})
    return f'{line[:-2]}, "sample": {sample.rstrip()}}}\n' if sample else line


def tidy(sample: Sample) -> Sample:
    """The sample with all its text in Unicode NFC and with LF line ends."""
    text = to_line(sample.to_json())
    if text.isascii() and "\\r" not in text:
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
    """Raise TimeoutError in the block after so many seconds, also within a regular expression."""

    def expire(*_: object) -> NoReturn:
        raise TimeoutError

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
