"""Inputs that nobody wrote a test for: the calls that a sample's tests make, with their arguments varied.

A probe is an expression, such as `f([1, 2], 3)`; what it answers tells a mutant that no test could ever kill from
one that these tests merely miss. Only calls whose arguments are all literals are varied: those of a method, of
a loop over cases or of arguments that are computed give none.
"""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from math import isfinite
from typing import Any

from autotrain.gate.program import Problem, parse

MAX_PROBES = 80
# Of these, calls that the tests make themselves: a test may look at only a part of what it is answered.
MAX_REPEATED = 8
MAX_HINTS = 9
# Changes of the first and of the last item of a list, for each.
MAX_OF_ITEM = 8
_LARGEST = 1000  # items, characters or, of a number, bits: longer ones are not doubled


@dataclass(frozen=True)
class _Call:
    function: str
    arguments: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...]

    @property
    def values(self) -> list[Any]:
        return [*self.arguments, *(value for _, value in self.named)]

    def having(self, place: int, value: Any) -> "_Call":
        values = [*self.values[:place], value, *self.values[place + 1 :]]
        count = len(self.arguments)
        names = (name for name, _ in self.named)
        return _Call(self.function, tuple(values[:count]), tuple(zip(names, values[count:], strict=True)))

    def __str__(self) -> str:
        given = [*map(_literal, self.arguments), *(f"{name}={_literal(value)}" for name, value in self.named)]
        return f"{self.function}({', '.join(given)})"


def probes_of(tests: str, entry_point: str, code: str = "", most: int = MAX_PROBES) -> list[str]:
    """Up to `most` different calls of `entry_point`, those of the tests first; the same ones every time.

    Numbers in `code`, and those next to them, are tried as arguments: that is where it decides something.
    """
    tree = parse(tests)
    if isinstance(tree, Problem):
        return []
    aliases = _aliases(tree, entry_point)
    calls = list({str(call): call for call in _literal_calls(tree, entry_point, aliases)}.values())
    repeated = [str(call) for call in calls[:MAX_REPEATED]]
    seen_negative = any(_is_negative(value) for call in calls for value in call.values)
    varied: list[str] = []
    risky: list[str] = []
    for call, is_new in _variations(calls, _numbers_in(code)):
        # A loop down to zero may never end from below it: what comes after would never be asked.
        (risky if is_new and not seen_negative else varied).append(str(call))
    found = dict.fromkeys([*repeated, *varied[: most - len(repeated) - min(4, len(risky))], *risky])
    return list(found)[:most]


def _aliases(tree: ast.Module, entry_point: str) -> set[str]:
    """The names by which the tests call the entry point, such as `candidate` in check(candidate)."""
    functions = {node.name: node.args.args for node in tree.body if isinstance(node, ast.FunctionDef)}
    aliases = {entry_point}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name) and node.value.id == entry_point:
            aliases.update(target.id for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in functions:
            for parameter, value in zip(functions[node.func.id], node.args, strict=False):
                if isinstance(value, ast.Name) and value.id == entry_point:
                    aliases.add(parameter.arg)
    return aliases


def _literal_calls(tree: ast.Module, entry_point: str, aliases: set[str]) -> Iterator[_Call]:
    modules = {
        (item.asname or item.name).split(".")[0]
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for item in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        match node.func:
            case ast.Name(id=name) if name in aliases:
                function = entry_point
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name == entry_point and module in modules:
                function = f"{module}.{name}"
            case _:
                continue
        try:
            arguments = tuple(map(ast.literal_eval, node.args))
            named = tuple((str(item.arg), ast.literal_eval(item.value)) for item in node.keywords)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
        if all(item.arg for item in node.keywords):
            yield _Call(function, arguments, named)


def _numbers_in(code: str) -> tuple[int, ...]:
    """The first few numbers in the code, each with its neighbours; no others than small ones."""
    tree = parse(code)
    if isinstance(tree, Problem):
        return ()
    numbers = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and type(node.value) is int)
    near = (item for number in numbers if 1 < number < 10_000 for item in (number, number + 1, number - 1))
    return tuple(dict.fromkeys(near))[:MAX_HINTS]


def _variations(calls: list[_Call], hints: tuple[int, ...]) -> Iterator[tuple[_Call, bool]]:
    """Calls with one argument changed, and whether that made a number negative: a change of every place first.

    Places begin with different kinds of change, so that few probes hold many kinds.
    """
    places = [
        (call, place, list(_vary(call.values[place], hints))) for call in calls for place in range(len(call.values))
    ]
    deepest = max((len(values) for *_, values in places), default=0)
    for depth in range(deepest):
        for number, (call, place, values) in enumerate(places):
            if depth < len(values):
                value = values[(depth + number) % len(values)]
                yield call.having(place, value), _is_negative(value)


def _is_negative(value: Any) -> bool:
    if isinstance(value, list | tuple | set):
        return any(map(_is_negative, value))
    return isinstance(value, int | float) and value < 0


def _literal(value: Any) -> str:
    """repr, but for sets, which it gives in an order that differs from process to process."""
    if isinstance(value, set):
        return f"{{{', '.join(sorted(map(_literal, value)))}}}" if value else "set()"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(_literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(item)}' for key, item in value.items())}}}"
    return repr(value)


def _vary(value: Any, hints: tuple[int, ...]) -> Iterator[Any]:
    """Values of the same type near `value`, or at the ends of what the type holds; never the value itself."""
    for other in _others(value, hints):
        if type(other) is not type(value) or other != value:
            yield other


def _others(value: Any, hints: tuple[int, ...]) -> Iterator[Any]:
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int):
        yield from (value + 1, value - 1, *hints[:3], 0, 1, *hints[3:], -1)
        if value.bit_length() < _LARGEST:
            yield from (-value, value * 2)
    elif isinstance(value, float):
        yield from (item for item in (value + 0.5, value - 1, 0.0, -value, value * 2) if isfinite(item))
    elif isinstance(value, str):
        yield from (value[::-1], value[:1], value.swapcase(), "", value[:-1], f" {value}", value[:_LARGEST] * 2)
    elif isinstance(value, bytes):
        yield from (value[::-1], value[:1], b"", value[:_LARGEST] * 2)
    elif isinstance(value, list | tuple):
        kind = type(value)
        shapes = (kind(reversed(value)), value[:1], value[:_LARGEST] * 2, value[:-1], kind())
        yield from _alternating(shapes, _with_items_changed(value, kind, hints))
    elif isinstance(value, dict):
        pairs = list(value.items())
        smaller: tuple[dict[Any, Any], ...] = (dict(pairs[:1]), dict(pairs[1:]), dict(pairs[::-1]), {})
        changed = ({**value, key: item} for key, old in pairs[:2] for item in islice(_vary(old, hints), MAX_OF_ITEM))
        yield from _alternating(smaller, changed)
    elif isinstance(value, set):
        ordered = sorted(value, key=repr)
        yield from (set(ordered[:1]), set(ordered[1:]), set())


def _with_items_changed(value: Any, kind: type, hints: tuple[int, ...]) -> Iterator[Any]:
    """The list or tuple with its last or first item changed, and with nothing but that item."""
    for place in sorted({0, len(value) - 1} if value else (), reverse=True):
        for number, item in enumerate(islice(_vary(value[place], hints), MAX_OF_ITEM)):
            alone = number % 2 and kind is list
            yield [item] if alone else kind([*value[:place], item, *value[place + 1 :]])


def _alternating(first: Iterable[Any], second: Iterable[Any]) -> Iterator[Any]:
    missing = object()
    for pair in zip_longest(first, second, fillvalue=missing):
        yield from (item for item in pair if item is not missing)
