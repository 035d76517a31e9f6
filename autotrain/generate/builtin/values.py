"""Arguments worth trying: empty, single, negative, repeated and boundary values, some Unicode."""

from collections.abc import Sequence

from autotrain.generate.builtin.dice import Dice

WORDS = (
    "apple", "bob", "cat", "level", "Noon", "river", "stone", "Otto", "zebra", "igloo", "a", "Tea", "eye",
    "UP", "mango", "kiwi", "echo", "under", "Lime", "radar", "ox", "tree", "moon", "7", "42", "abc", "Paris",
    "blue", "green", "sky", "data", "map", "list", "ant", "owl", "été", "über", "go", "run", "to", "it",
)  # fmt: skip
NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana", "Ivo", "Zoë", "al", "Max", "Olga", "Uma")
TEXTS = (
    "Hello World", "aAbBcC 123", "the quick brown fox", "  two  spaces ", "Été à Paris", "noon", "A1b2C3",
    "Mississippi", "x", "a-b-c", "UPPER lower", "naïve café", "one, two; three", "OOP is fun", "e", "42",
    "level up", "Tic tac toe!", "Zebra", "banana split", "AEIOU xyz", "no news is good news",
)  # fmt: skip


def integers(dice: Dice, edges: Sequence[int] = (), low: int = -9, high: int = 20) -> list[list[int]]:
    """Lists of integers around the values that matter (`edges`)."""
    near = [edge for edge in edges if low <= edge <= 10 * abs(high)]

    def drawn(size: int) -> list[int]:
        return [dice.one(near) if near and dice.chance(0.4) else dice.whole(low, high) for _ in range(size)]

    repeated = dice.whole(max(1, low), high)
    other = dice.whole(low, high)
    lists = [
        drawn(dice.whole(4, 6)),
        [],
        drawn(1),
        [repeated, other, repeated, repeated],
        drawn(dice.whole(3, 5)),
        sorted(drawn(5)),
        [-abs(value) - 1 for value in drawn(3)] if low < 0 else drawn(3),
    ]
    if near:
        lists.insert(1, list(dict.fromkeys(near))[:6])
    return lists


def whole_numbers(dice: Dice, low: int = 0, high: int = 60) -> list[int]:
    picks = {low, low + 1, high} | {dice.whole(low, high) for _ in range(6)}
    return dice.some(sorted(picks), min(7, len(picks)))


def texts(dice: Dice, edges: Sequence[str] = ()) -> list[str]:
    made = " ".join(dice.one(WORDS) for _ in range(dice.whole(3, 4)))
    mixed = "".join(dice.one(list("aeB cD1k!Z") + list(edges)) for _ in range(8))
    return [made, "", mixed, *dice.some(TEXTS, 4)]


def word_lists(dice: Dice, edges: Sequence[str] = ()) -> list[list[str]]:
    def drawn(size: int) -> list[str]:
        return [dice.one(edges) if edges and dice.chance(0.3) else dice.one(WORDS) for _ in range(size)]

    twice = dice.one(WORDS)
    return [
        drawn(4), [], drawn(1), [twice, dice.one(WORDS), twice], drawn(5), drawn(3), sorted(drawn(4)),
    ]  # fmt: skip


def tables(dice: Dice, edges: Sequence[int] = ()) -> list[dict[str, int]]:
    """Dictionaries from short names to integers."""
    return [
        {name: numbers[index] for index, name in enumerate(dice.some(NAMES, len(numbers)))}
        for numbers in (row[:4] for row in integers(dice, edges))
    ]


def pair_lists(dice: Dice, edges: Sequence[int] = ()) -> list[list[tuple[str, int]]]:
    return [[(dice.one(NAMES), number) for number in row[:4]] for row in integers(dice, edges)]


def grids(dice: Dice, edges: Sequence[int] = (), low: int = -5, high: int = 9) -> list[list[list[int]]]:
    """Matrices of integers, rows of equal length, none of them empty but the first-level list."""

    def grid(rows: int, columns: int) -> list[list[int]]:
        return [
            [dice.one(edges) if edges and dice.chance(0.3) else dice.whole(low, high) for _ in range(columns)]
            for _ in range(rows)
        ]

    return [grid(2, 3), [], grid(1, 1), grid(3, 2), grid(2, 2), grid(3, 3), grid(1, 4)]


def dates(dice: Dice) -> list[str]:
    """Dates in ISO form, month ends and leap days among them."""
    plain = [f"{dice.whole(1999, 2026)}-{dice.whole(1, 12):02d}-{dice.whole(1, 28):02d}" for _ in range(5)]
    return plain + dice.some(("2024-02-29", "2023-12-31", "2000-01-01", "2021-03-01", "2019-06-30"), 2)
