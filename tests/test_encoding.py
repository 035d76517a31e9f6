"""What comes back from a job is data or nothing."""

import math
import subprocess
import sys
from collections import Counter, OrderedDict, defaultdict, namedtuple
from enum import IntEnum
from fractions import Fraction
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotrain.gate.encoding import MAX_CHARACTERS, MAX_DEPTH, decode, encode

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=[]), max_size=20)
    | st.text("\ud800\udfff\x00é", max_size=4)
    | st.binary(max_size=20)
    | st.complex_numbers(allow_nan=False)
    | st.builds(range, st.integers(), st.integers(), st.integers(1, 9))
)
HASHABLE = st.recursive(SCALARS, lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=5)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.sets(HASHABLE, max_size=4)
        | st.dictionaries(HASHABLE, inner, max_size=4)
    ),
    max_leaves=12,
)


def same(left: Any, right: Any) -> bool:
    """Equal, and of the same types all the way down."""
    if type(left) is not type(right) or left != right:
        return False
    if isinstance(left, list | tuple):
        return all(map(same, left, right))
    if isinstance(left, dict):
        return all(same(left[key], right[key]) for key in left)
    return not isinstance(left, float) or math.copysign(1, left) == math.copysign(1, right)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


def coded(value: Any) -> Any:
    text = encode(value)
    assert text is not None
    assert text.isascii()
    assert "\n" not in text
    return decode(text)


@given(VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    assert same(coded(value), value)


ODD = [
    *(-0.0, math.inf, -math.inf, 10**5000, -(2**63), 2**63 - 1, "\ud800\udfff\x00", "\ud800", complex(-0.0, math.inf)),
    *((), {}, set(), frozenset(), {(1, frozenset({2})): [b"\xff"]}, range(0, 10**30, 7), {1: {1: {}}}),
]


@pytest.mark.parametrize("number", range(len(ODD)))
def test_odd_values_come_back_as_they_were(number: int) -> None:
    assert same(coded(ODD[number]), ODD[number])


def test_not_a_number_comes_back() -> None:
    assert math.isnan(coded([math.nan])[0])
    assert math.isnan(coded(complex(math.nan, 1.0)).real)


def test_a_set_has_one_text_in_whatever_process() -> None:
    source = "from autotrain.gate.encoding import encode; print(encode({'a', 'b', 'c', 'd', ('e', 1), None}))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", source], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(texts) == 1


def test_dictionaries_of_the_standard_library_come_back_as_the_dict_they_equal() -> None:
    counted = defaultdict(list, {"a": [1]})
    for value in (Counter("aab"), counted, OrderedDict(b=1, a=2)):
        assert same(coded(value), dict(value))


class Lying:
    """Fails the test as soon as anything of its class is called."""

    def _called(self, *_: object) -> NoReturn:
        raise AssertionError("a method of the value's own was called")

    __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __int__ = __str__ = __repr__ = _called  # type: ignore[assignment]
    __getattribute__ = __reduce_ex__ = __index__ = __float__ = items = hex = bit_length = _called  # type: ignore[assignment]


class LyingMeta(type):
    def __hash__(cls) -> int:
        raise AssertionError("a method of the value's own class was called")

    def __eq__(cls, other: object) -> bool:
        return True


class LyingInt(Lying, int): ...


class LyingFloat(Lying, float): ...


class LyingText(Lying, str): ...


class LyingBytes(Lying, bytes): ...


class LyingList(Lying, list[int]): ...


class LyingDict(Lying, dict[str, int]): ...


class LyingTuple(Lying, tuple[int, ...]): ...


class LyingSet(Lying, set[int]): ...


class LyingCounter(Lying, Counter[str]): ...


class OfLyingClass(metaclass=LyingMeta): ...


class Number(IntEnum):
    ONE = 1


Point = namedtuple("Point", "x")
FOREIGN = [
    *(Lying, LyingInt, LyingFloat, LyingText, LyingBytes, LyingList, LyingDict, LyingTuple, LyingSet),
    *(
        lambda: LyingCounter.__new__(LyingCounter),
        OfLyingClass,
        object,
        lambda: int,
        lambda: len,
        lambda: Number.ONE,
        lambda: Point(1),
        lambda: bytearray(b"x"),
    ),
    *(lambda: iter([]), lambda: {}.keys(), lambda: ..., lambda: (1j).conjugate, lambda: 1 / Fraction(2)),
]


@pytest.mark.parametrize("number", range(len(FOREIGN)))
def test_what_is_not_exactly_built_in_has_no_text(number: int) -> None:
    value = FOREIGN[number]()
    assert encode(value) is None
    assert encode([1, (value,)]) is None
    assert encode({"key": value}) is None


def test_what_is_too_deep_has_no_text() -> None:
    assert same(coded(nested(MAX_DEPTH)), nested(MAX_DEPTH))
    assert encode(nested(MAX_DEPTH + 1)) is None
    assert encode(nested(100_000)) is None
    assert encode({1: nested(MAX_DEPTH)}) is None


def test_what_holds_itself_has_no_text() -> None:
    items: list[Any] = [1]
    items.append(items)
    table: dict[str, Any] = {}
    table["self"] = (table,)
    assert encode(items) is None
    assert encode(table) is None


@pytest.mark.parametrize(
    "value",
    ["x" * MAX_CHARACTERS, "é" * 20_000, b"x" * 40_000, [1] * 40_000, list(range(10**6)), {i: i for i in range(9000)}],
    ids=["text", "accents", "bytes", "list", "longer list", "dict"],
)
def test_what_is_too_big_has_no_text(value: Any) -> None:
    assert encode(value) is None


def test_what_is_far_too_big_is_given_up_at_once() -> None:
    doubled: list[Any] = []
    for _ in range(MAX_DEPTH - 1):
        doubled = [doubled, doubled]  # 2 ** 49 lists, if one went through them
    assert encode(doubled) is None
    assert encode(1 << 10**8) is None


@given(VALUES)
def test_texts_keep_to_their_size(value: Any) -> None:
    text = encode([value] * 500)
    assert text is None or len(text) <= MAX_CHARACTERS


@pytest.mark.parametrize(
    "text",
    [
        *("", "nothing", "[1", "[1] 2", "NaN", "Infinity", "1e999", "9" * 5000, '{"i":"9"}', '{"i":"0x_1"}', "\ufeff1"),
        *(
            '{"s":[[1]]}',
            '{"d":[[{"s":[]},1]]}',
            '{"d":[[1]]}',
            '{"d":{}}',
            '{"t":1}',
            '{"x":1}',
            "{}",
            '{"t":[],"s":[]}',
        ),
        *(
            '{"f":"1"}',
            '{"f":[]}',
            '{"b":"0"}',
            '{"b":"zz"}',
            '{"b":1}',
            '{"c":[1.0]}',
            '{"c":["a","b"]}',
            '{"c":[1,2]}',
        ),
        *(
            '{"r":[1,2,0]}',
            '{"r":[1,2]}',
            '{"r":["a",2,3]}',
            '{"r":[1.0,2.0,3.0]}',
            '{"i":1}',
            '{"z":"ab"}',
            '{"d":"ab"}',
        ),
        "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1),
        "[" * 30_000 + "]" * 30_000,
        '{"t":' * 10_000 + "1" + "}" * 10_000,
        '"' + "x" * MAX_CHARACTERS + '"',
    ],
    ids=lambda text: ascii(text[:20]),
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        decode(text)


@given(st.text(max_size=20) | st.text('[]{}"tsdzfbicr:,0123456789.-einulaxf ', max_size=20))
def test_whatever_text_comes_is_a_value_or_refused(text: str) -> None:
    try:
        value = decode(text)
    except ValueError:
        return
    assert encode(value) is not None
