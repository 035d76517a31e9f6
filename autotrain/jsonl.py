"""JSON lines, read tolerantly and written whole."""

import gzip
import io
import json
import math
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from autotrain.errors import AutotrainError
from autotrain.files import replacing


@dataclass(frozen=True)
class BadLine:
    """A line that is not one JSON object."""

    number: int
    reason: str


# Longer ones are no sample, and would have to be held whole.
MAX_LINE_BYTES = 32 << 20
# As deep as pydantic's parser goes; what goes on from there, Python's own could read and few could write again.
MAX_DEPTH = 200


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any] | BadLine]]:
    """Yield (line number from 1, object or BadLine) for every line that is not blank."""
    for number, raw in read_lines(path):
        yield number, raw if isinstance(raw, BadLine) else parse_line(raw, number)


def read_lines(path: Path) -> Iterator[tuple[int, bytes | BadLine]]:
    """Yield (line number from 1, line) for every line that is not blank; the file may be gzip or zstd.

    A line of more than MAX_LINE_BYTES, and the place where a compressed file is broken, are a BadLine each.
    """
    number = 0
    opened, damage = _opened(path)
    try:
        with opened as stream:
            while raw := stream.readline(MAX_LINE_BYTES):
                number += 1
                if len(raw) < MAX_LINE_BYTES or raw.endswith(b"\n"):
                    if raw.strip():
                        yield number, raw
                    continue
                while raw and not raw.endswith(b"\n"):
                    raw = stream.readline(MAX_LINE_BYTES)
                yield number, BadLine(number, f"longer than {MAX_LINE_BYTES >> 20} MiB")
    except damage as error:
        yield number + 1, BadLine(number + 1, f"the compressed file breaks off or is damaged here: {error}")


def _opened(path: Path) -> tuple[io.BufferedIOBase, tuple[type[Exception], ...]]:
    """The file's content, unpacked where its first bytes say so, and what is raised where it is damaged."""
    with path.open("rb") as stream:
        head = stream.read(4)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path), (EOFError, zlib.error, gzip.BadGzipFile)
    if head == b"\x28\xb5\x2f\xfd":
        from backports import zstd

        return zstd.open(path), (EOFError, zstd.ZstdError)
    return path.open("rb"), ()


def parse_line(raw: bytes, number: int) -> dict[str, Any] | BadLine:
    """The object in a line, or what is wrong with it: also NaN, infinite numbers and halves of surrogate pairs."""
    form = raw.translate(_FORM)
    if not any(huge in form for huge in _HUGE):
        try:
            # Three times as fast as Python's own, which is asked only what is wrong.
            value = from_json(raw, allow_inf_nan=False)
            if isinstance(value, dict):
                return value
        except ValueError:
            pass
    return _parse_carefully(raw, number)


# The shape of a line: what of it may be a number that is infinite as a float has one of these.
_FORM = bytes.maketrans(b"123456789E", b"000000000e")
_HUGE = (b"e000", b"e+000", b"0" * 300)


def _parse_carefully(raw: bytes, number: int) -> dict[str, Any] | BadLine:
    try:
        value = _DECODER.decode(raw.decode("utf-8-sig"))
        if b"\\u" in raw:
            to_line(value).encode("utf-8")
    except UnicodeDecodeError as error:
        return BadLine(number, f"not UTF-8 at byte {error.start}")
    except UnicodeEncodeError:
        return BadLine(number, "holds half of a surrogate pair, which is no character")
    except (ValueError, RecursionError) as error:
        return BadLine(number, f"not JSON: {error}")
    if not isinstance(value, dict):
        return BadLine(number, f"a JSON {type(value).__name__} where an object was expected")
    return BadLine(number, f"nested more than {MAX_DEPTH} deep") if _is_deep(value) else value


def _is_deep(value: dict[str, Any]) -> bool:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [part for one in level for part in (one.values() if isinstance(one, dict) else one)]
        level = [part for part in level if isinstance(part, dict | list)]
        if not level:
            return False
    return True


def _finite(text: str) -> float:
    """NaN, Infinity and 1e999 would be written as what other readers of JSON refuse."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number of JSON")
    return value


_ENCODER = json.JSONEncoder(ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_constant=_finite, parse_float=_finite)


def read_objects(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of ours; a torn or foreign line is skipped.

    Raises AutotrainError if the file cannot be read.
    """
    with readable(path):
        for _, value in read_jsonl(path):
            if not isinstance(value, BadLine):
                yield value


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Where `path` is read, raise AutotrainError naming it if it cannot be."""
    try:
        yield
    except OSError as error:
        raise AutotrainError(f"{path} cannot be read: {error.strerror or error}") from None


def write_jsonl(path: Path, objects: Iterable[dict[str, Any]]) -> int:
    """Write one object a line, all or nothing; return how many."""
    count = 0
    with replacing(path) as stream:
        for value in objects:
            stream.write(to_line(value))
            count += 1
    return count


def to_line(value: dict[str, Any]) -> str:
    return _ENCODER.encode(value) + "\n"
