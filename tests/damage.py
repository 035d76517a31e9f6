"""What happens to files: cut off, bits flipped, zeroed by a power cut, edited by hand, written by something else.

OUTSIDE_TIMES=20 makes the tests that stand on it look at 20 times as many examples, other ones each time.
"""

import json
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

TIMES = int(os.environ.get("OUTSIDE_TIMES", "1"))

# Whole files that no writer of ours writes.
STRANGERS = {
    "empty": b"",
    "blank": b"\n\n \n",
    "zeroes": bytes(4096),
    "null": b"null\n",
    "number": b"3\n",
    "endless number": b"9" * 5000,
    "infinite": b"1e999\n",
    "not a number": b"NaN\n",
    "text": b'"text"\n',
    "list": b"[]\n",
    "list in a list": b"[[1, 2]]\n",
    "empty object": b"{}\n",
    "object of objects": b'{"a": {"b": {}}}\n',
    "deep list": b"[" * 100_000,
    "deep list, closed": b"[" * 5_000 + b"]" * 5_000,
    "rather deep object": b'{"a":' * 600 + b"1" + b"}" * 600,
    "deep object": b'{"a":' * 100_000,
    "no text": bytes(range(256)),
    "UTF-16": '{"a": 1}\n'.encode("utf-16"),
    "pickle": b"\x80\x04\x95\x11\x00\x00\x00\x00\x00\x00\x00}\x94\x8c\x01a\x94K\x01s.",
    "begins as gzip does": b"\x1f\x8b\x08\x00\x00",
    "begins as zstd does": b"\x28\xb5\x2f\xfd\x00",
    "line without end": b'{"a": "' + b"x" * 300_000,
}


def examples(count: int) -> settings:
    """So many examples, the same ones everywhere; TIMES as many by chance."""
    return settings(max_examples=count * TIMES, derandomize=TIMES == 1)


def damaged(content: bytes) -> st.SearchStrategy[bytes]:
    """`content` after an accident."""
    size = len(content)
    place = st.integers(0, size)
    bits = st.lists(st.integers(0, max(8 * size - 1, 0)), min_size=1, max_size=8)
    return st.one_of(
        place.map(lambda end: content[:end]),
        bits.map(lambda found: _flipped(content, found)),
        st.tuples(place, place).map(lambda ends: _replaced(content, ends, bytes(abs(ends[1] - ends[0])))),
        st.tuples(place, place).map(lambda ends: _replaced(content, ends, b"")),
        st.tuples(place, place).map(lambda ends: content + content[min(ends) : max(ends)]),
        st.tuples(place, _INTRUDERS).map(lambda pair: content[: pair[0]] + pair[1] + content[pair[0] :]),
        st.permutations(content.splitlines(keepends=True)[:20]).map(b"".join),
        st.sampled_from([b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"), content.replace(b"\n", b"\r")]),
    )


_INTRUDERS = st.sampled_from(
    (b"\0", b"\xff", b"\xed\xa0\x80", b"\n", b"\r", b"\t", b'"', b"{", b"]", b"\\", b"-", b"9" * 30, b"e999", b"#")
)


def _flipped(content: bytes, bits: list[int]) -> bytes:
    changed = bytearray(content)
    for bit in bits if content else ():
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _replaced(content: bytes, ends: tuple[int, int], by: bytes) -> bytes:
    return content[: min(ends)] + by + content[max(ends) :]


# What may stand where something else belongs, as JSON. A name given twice, and one taken away, come on top.
_ODD = (
    "null", "true", "0", "-1", "-0.5", "3", "1e308", "1e999", "NaN", "-Infinity", "9" * 400, "9" * 5000,
    '""', '"x"', '"1"', '"\\u0000"', '"\\ud800"', '"\\u001b[31m"', '"../../x"',
    "[]", "[null]", "{}", '{"": null}', '{"x": [1, {"y": 2}]}', "[" * 300 + "]" * 300,
)  # fmt: skip


def foreign(value: Any) -> st.SearchStrategy[bytes]:
    """`value` as JSON with something else at one or two of its places, or a name missing or given twice."""
    changes = st.tuples(st.sampled_from(list(_places(value))), st.sampled_from([*_ODD, "missing", "twice"]))
    return st.lists(changes, min_size=1, max_size=2).map(lambda found: _to_json(value, dict(found), ()).encode())


def with_a_foreign_line(lines: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """A file of JSON lines, one of which is foreign."""

    def put(new: bytes, place: int) -> bytes:
        return b"".join([*lines[:place], new, b"\n", *lines[place + 1 :]])

    return st.one_of([foreign(json.loads(line)).map(partial(put, place=place)) for place, line in enumerate(lines)])


def _places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield here
    for key, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(part, (*here, key))


def _to_json(value: Any, changes: dict[tuple[Any, ...], str], here: tuple[Any, ...]) -> str:
    change = changes.get(here)
    if change not in (None, "missing", "twice"):
        return str(change)
    if isinstance(value, dict):
        parts = []
        for key, part in value.items():
            inner = (*here, key)
            item = f"{json.dumps(key)}: {_to_json(part, changes, inner)}"
            parts += {"missing": [], "twice": [f"{json.dumps(key)}: 7", item]}.get(changes.get(inner, ""), [item])
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_to_json(part, changes, (*here, place)) for place, part in enumerate(value)) + "]"
    return json.dumps(value)
