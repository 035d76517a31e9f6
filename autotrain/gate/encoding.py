"""Values as text: what a job says of a result, and what the parent builds from it.

Only values of exact built-in types have a text, so a value that came back cannot have code of its own. Three
dictionaries of the standard library count as the dict that they compare equal to. Loaded inside jobs as well:
nothing but the standard library here.
"""

import json
import math
import re
from collections import Counter, OrderedDict, defaultdict
from typing import Any

MAX_DEPTH = 50
MAX_CHARACTERS = 65536
_PLAIN_BITS = 63
_HEXADECIMAL = re.compile(r"-?0x[0-9a-f]+")

# Bound here, once: a job's code may have put something else in their places by the time they are needed.
_type, _len, _quote = type, len, json.encoder.encode_basestring_ascii
_items, _dict_len = dict.items, dict.__len__


class _Foreign(Exception):
    """There is no text for this value."""


def encode(value: object) -> str | None:
    """The text of a value; None for one that is not of exact built-in types, too deep, or over 64 KB as text.

    Calls nothing that the value's own class defines.
    """
    try:
        return _text(value, MAX_DEPTH, [MAX_CHARACTERS])
    except _Foreign:
        return None


def decode(text: str) -> Any:
    """The value that `encode` made the text of; raises ValueError for every other text."""
    if type(text) is not str or len(text) > MAX_CHARACTERS:
        raise ValueError("no text, or too long a one")
    try:
        return _value(json.loads(text, parse_int=_read_int, parse_constant=_refuse), MAX_DEPTH)
    except (RecursionError, TypeError) as error:  # nested too deep; something unhashable in a set
        raise ValueError(f"no value: {type(error).__name__}") from None


def _text(value: Any, depth: int, room: list[int]) -> str:
    """The text of a value whose containers nest at most `depth` deep; what it takes is taken off `room`."""
    kind = _type(value)
    if kind is int:
        text = _int_text(value)
    elif kind is str:
        if _len(value) > room[0]:
            raise _Foreign
        text = _str_text(value)
    elif value is None or kind is bool:
        text = "null" if value is None else "true" if value else "false"
    elif kind is float:
        text = _float_text(value)
    elif kind is bytes:
        if _len(value) > room[0]:
            raise _Foreign
        text = f'{{"b":"{value.hex()}"}}'
    elif kind is complex:
        text = f'{{"c":[{_float_text(value.real)},{_float_text(value.imag)}]}}'
    elif kind is range:
        text = f'{{"r":[{_int_text(value.start)},{_int_text(value.stop)},{_int_text(value.step)}]}}'
    else:
        return _container_text(value, kind, depth - 1, room)
    _take(_len(text) + 1, room)
    return text


def _container_text(value: Any, kind: type, depth: int, room: list[int]) -> str:
    if depth < 0:
        raise _Foreign
    _take(8, room)
    if kind is dict or kind is defaultdict or kind is OrderedDict or kind is Counter:
        if _dict_len(value) > room[0]:
            raise _Foreign
        pairs = [f"[{_text(key, depth, room)},{_text(item, depth, room)}]" for key, item in list(_items(value))]
        _take(3 * _len(pairs), room)
        return f'{{"d":[{",".join(pairs)}]}}'
    if kind is not list and kind is not tuple and kind is not set and kind is not frozenset:
        raise _Foreign
    if _len(value) > room[0]:
        raise _Foreign
    texts = [_text(item, depth, room) for item in tuple(value)]
    if kind is list:
        return f"[{','.join(texts)}]"
    if kind is tuple:
        return f'{{"t":[{",".join(texts)}]}}'
    # Sorted: the same set has the same text in every process.
    return f'{{"{"s" if kind is set else "z"}":[{",".join(sorted(texts))}]}}'


def _take(characters: int, room: list[int]) -> None:
    room[0] -= characters
    if room[0] < 0:
        raise _Foreign


def _int_text(number: int) -> str:
    # Not in decimal: that is slow for long numbers, and Python refuses to from some length on.
    bits = number.bit_length()
    if bits > 4 * MAX_CHARACTERS:
        raise _Foreign
    return f"{number}" if bits <= _PLAIN_BITS else f'{{"i":"{number:#x}"}}'


def _str_text(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:  # halves of a surrogate pair: JSON would join them
        return f'{{"u":"{text.encode("utf-8", "surrogatepass").hex()}"}}'
    return _quote(text)


def _float_text(number: float) -> str:
    # The one number that differs from itself, and the two that are infinite.
    return repr(number) if number - number == 0.0 else f'{{"f":"{number!r}"}}'


def _read_int(digits: str) -> int:
    if len(digits) > 20:
        raise ValueError("a number too long to be written like this")
    return int(digits)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _value(tree: Any, depth: int) -> Any:
    if tree is None or isinstance(tree, bool | int | str):
        return tree
    if isinstance(tree, float):
        if not math.isfinite(tree):
            raise ValueError("a number too large")
        return tree
    if isinstance(tree, dict):
        if len(tree) != 1:
            raise ValueError("an object that is no tagged value")
        tag, content = next(iter(tree.items()))
        return _tagged(tag, content, depth)
    return _list(tree, depth)


def _list(tree: Any, depth: int) -> list[Any]:
    if not isinstance(tree, list) or depth == 0:
        raise ValueError("no list, or nested too deep")
    return [_value(item, depth - 1) for item in tree]


def _tagged(tag: str, content: Any, depth: int) -> Any:
    if tag == "t":
        return tuple(_list(content, depth))
    if tag == "s":
        return set(_list(content, depth))
    if tag == "z":
        return frozenset(_list(content, depth))
    if tag == "d" and isinstance(content, list) and depth > 0:
        pairs = [(_value(key, depth - 1), _value(item, depth - 1)) for key, item in map(_pair, content)]
        return dict(pairs)
    if tag == "i" and isinstance(content, str) and _HEXADECIMAL.fullmatch(content):
        return int(content, 16)
    if tag == "f" and content in ("nan", "inf", "-inf"):
        return float(content)
    if tag == "b" and isinstance(content, str):
        return bytes.fromhex(content)
    if tag == "u" and isinstance(content, str):
        return bytes.fromhex(content).decode("utf-8", "surrogatepass")
    if tag == "c":
        real, imaginary = (_value(part, 0) for part in _pair(content))
        if type(real) is float and type(imaginary) is float:
            return complex(real, imaginary)
    if tag == "r" and isinstance(content, list) and len(content) == 3:
        numbers = [_value(number, 0) for number in content]
        if all(type(number) is int for number in numbers):
            return range(*numbers)
    raise ValueError("an unknown tag, or the wrong content for it")


def _pair(tree: Any) -> list[Any]:
    if not isinstance(tree, list) or len(tree) != 2:
        raise ValueError("no pair")
    return tree
