"""Where the elements of a pipeline come from: how it reads, how it is iterated, what to try it on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from autotrain.generate.builtin import values
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Parameter


@dataclass(frozen=True)
class Source:
    """Templates use {p} (and {q}) for the parameters' names."""

    kind: str
    noun: str
    where: str
    loop: str
    variables: tuple[str, ...]
    parameters: tuple[tuple[str, str, str], ...]
    """Names to choose from (separated by blanks), annotation, description."""
    arguments: Callable[[Dice, Sequence[Any]], list[tuple[Any, ...]]]
    note: str = ""
    prelude: str = ""
    difficulty: int = 0
    only: str = ""
    """A condition that makes the elements what they are."""
    plain: bool = False
    """Whether the loop runs over the parameter itself."""

    def draw_parameters(self, dice: Dice) -> tuple[Parameter, ...]:
        return tuple(
            Parameter(dice.one(names.split()), annotation, description)
            for names, annotation, description in self.parameters
        )


def one_each(items: Sequence[Any]) -> list[tuple[Any, ...]]:
    return [(item,) for item in items]


def _multi_digit(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
    return one_each([dice.whole(100, 99999), 0, *(dice.whole(10, 9999) for _ in range(4)), dice.whole(1, 9), 7070])


def _limits(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
    return one_each(values.whole_numbers(dice, 0, 25))


def _bounds(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
    starts = [dice.whole(-5, 12) for _ in range(6)]
    return [(start, start + gap) for start, gap in zip(starts, (9, 0, 1, 5, 14, -3), strict=True)]


def _sentences(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
    return one_each([" ".join(words) for words in values.word_lists(dice, edges)])


def _two_lists(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
    lists = values.integers(dice, edges)
    return [(one[:size], other[:size]) for one, other in zip(lists, lists[::-1], strict=True)
            for size in [min(len(one), len(other))]] + [([3, 1, 2, 5], [1, 3, 2, 9])]  # fmt: skip


def _number_text(separator: str) -> Callable[[Dice, Sequence[Any]], list[tuple[Any, ...]]]:
    def draw(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
        return one_each([separator.join(map(str, row)) for row in values.integers(dice, edges) if row])

    return draw


def _date_lists(dice: Dice, edges: Sequence[Any]) -> list[tuple[Any, ...]]:
    days = values.dates(dice)
    return one_each([days[:4], [], days[4:5], days[3:], days[::2], [days[5], days[5], days[0]]])


NUMBERS = "numbers values nums items data scores xs readings amounts entries"
TEXT = "text s string phrase line message content"
INT_LIST = (NUMBERS, "list[int]", "a list of integers")

SOURCES: dict[str, Source] = {
    "list_numbers": Source(
        "int", "numbers", "in `{p}`", "{p}", ("n x value number item num v",), (INT_LIST,),
        lambda dice, edges: one_each(values.integers(dice, edges)), plain=True),
    "digits": Source(
        "digit", "digits", "of `{p}`", "map(int, str({p}))", ("d digit",),
        (("n number value num", "int", "a non-negative integer"),), _multi_digit),
    "range_numbers": Source(
        "int", "integers", "from 1 to `{p}` (inclusive)", "range(1, {p} + 1)", ("i n k x",),
        (("limit top count stop size", "int", "a non-negative integer"),), _limits),
    "bounded_range": Source(
        "int", "integers", "from `{p}` up to but not including `{q}`", "range({p}, {q})", ("i n k x",),
        (("start low first begin", "int", "an integer"), ("stop high end last", "int", "an integer")),
        _bounds),
    "divisors": Source(
        "int", "positive divisors", "of `{p}`", "range(1, {p} + 1)",
        ("divisor x k factor",), (("n number value num", "int", "a positive integer"),),
        lambda dice, edges: one_each(values.whole_numbers(dice, 1, 60)), difficulty=1, only="{p} % {x} == 0"),
    "characters": Source(
        "char", "characters", "in `{p}`", "{p}", ("c ch char letter",), ((TEXT, "str", "a string"),),
        lambda dice, edges: one_each(values.texts(dice, edges)), plain=True),
    "sentence_words": Source(
        "word", "words", "in `{p}` (separated by whitespace)", "{p}.split()", ("word w token part",),
        (("sentence text line phrase message", "str", "a string"),), _sentences),
    "word_list": Source(
        "word", "strings", "in `{p}`", "{p}", ("word w s item name",),
        (("words strings names items tokens labels", "list[str]", "a list of strings"),),
        lambda dice, edges: one_each(values.word_lists(dice, edges)), plain=True),
    "dict_values": Source(
        "int", "values", "of the dictionary `{p}`", "{p}.values()", ("value v amount x",),
        (("table scores stock prices counts ages", "dict[str, int]", "a dictionary from strings to integers"),),
        lambda dice, edges: one_each(values.tables(dice, edges))),
    "dict_keys": Source(
        "word", "keys", "of the dictionary `{p}`", "{p}", ("key name k",),
        (("table scores stock prices counts ages", "dict[str, int]", "a dictionary from strings to integers"),),
        lambda dice, edges: one_each(values.tables(dice))),
    "pair_scores": Source(
        "int", "scores", "in the (name, score) pairs of `{p}`", "{p}", ("_, score", "_, points"),
        (("pairs records results players entries", "list[tuple[str, int]]", "a list of (name, score) pairs"),),
        lambda dice, edges: one_each(values.pair_lists(dice, edges)), plain=True),
    "pair_names": Source(
        "word", "names", "in the (name, score) pairs of `{p}`", "{p}", ("name, _", "person, _"),
        (("pairs records results players entries", "list[tuple[str, int]]", "a list of (name, score) pairs"),),
        lambda dice, edges: one_each(values.pair_lists(dice)), plain=True),
    "record_fields": Source(
        "int", "prices", "of the items in `{p}` (each a dict with the key 'price')",
        '(item["price"] for item in {p})', ("price p cost",),
        (("items products orders goods", "list[dict]", "a list of dicts with an integer 'price'"),),
        lambda dice, edges: one_each([[{"price": n} for n in row] for row in values.integers(dice, edges, 0)]),
        difficulty=1),
    "grid_numbers": Source(
        "int", "numbers", "in the matrix `{p}`", "{p}|row", ("x cell value n",),
        (("grid matrix table board", "list[list[int]]", "a matrix (list of rows) of integers"),),
        lambda dice, edges: one_each(values.grids(dice, edges)), difficulty=1),
    "grid_rows": Source(
        "row", "rows", "of the matrix `{p}`", "{p}", ("row line r",),
        (("grid matrix table board", "list[list[int]]", "a matrix (list of non-empty rows) of integers"),),
        lambda dice, edges: one_each(values.grids(dice, edges)), difficulty=1, plain=True),
    "neighbours": Source(
        "steps", "pairs of neighbouring numbers", "in `{p}`", "zip({p}, {p}[1:])",
        ("a, b", "left, right", "first, second", "previous, current"), (INT_LIST,),
        lambda dice, edges: one_each(values.integers(dice, edges)), difficulty=1),
    "two_lists": Source(
        "steps", "pairs of numbers", "at equal positions in `{p}` and `{q}`", "zip({p}, {q})",
        ("a, b", "x, y", "left, right"),
        (("first left xs a_list", "list[int]", "a list of integers"),
         ("second right ys b_list", "list[int]", "a list of integers of the same length")),
        _two_lists, difficulty=1),
    "positions": Source(
        "indexed", "numbers", "in `{p}`", "enumerate({p})", ("i, x", "index, value", "i, n", "position, number"),
        (INT_LIST,), lambda dice, edges: one_each(values.integers(dice, edges)), difficulty=1),
    "comma_numbers": Source(
        "int", "integers", "in the comma-separated string `{p}`", 'map(int, {p}.split(","))', ("n x value number",),
        (("line text row field csv", "str", "a non-empty string of integers separated by commas"),),
        _number_text(",")),
    "spaced_numbers": Source(
        "int", "integers", "in the whitespace-separated string `{p}`", "map(int, {p}.split())",
        ("n x value number",),
        (("line text row data", "str", "a string of integers separated by blanks"),), _number_text(" ")),
    "iso_dates": Source(
        "date", "dates", "in `{p}` (strings in ISO form, YYYY-MM-DD)", "map(date.fromisoformat, {p})",
        ("day d moment",), (("dates days stamps events", "list[str]", "a list of ISO date strings"),),
        _date_lists, prelude="from datetime import date", difficulty=1),
}  # fmt: skip
