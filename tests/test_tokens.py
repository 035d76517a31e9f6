"""Code that differs in what does not matter reads the same, and only that."""

import random

import pytest

from autotrain.validate.tokens import code_chunks, without_values

TOTAL = '''
def total(values: list[int]) -> int:
    """Add them."""
    result = 0
    for value in values:
        result += value
    return result
'''


@pytest.mark.parametrize(
    "other",
    [
        "def add_up(xs):\n  # sums\n  acc = 0\n  for x in xs: acc += x\n  return acc\n",
        "import os\n\ndef f(a: 'List[int]') -> int:\n\n\tb: int = 0\n\tfor c in a:\n\t\tb += c\n\treturn b",
        "def sum(total):\n    acc = 0\n    for x in total:\n        acc += x\n    return acc",
    ],
)
def test_names_layout_annotations_comments_and_docstrings_do_not_count(other: str) -> None:
    assert code_chunks(other) == code_chunks(TOTAL)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f(a, b): return a - b", "def f(a, b): return b - a"),
        ("def f(x): return sum(x)", "def f(x): return max(x)"),
        ("def f(x): x.append(1)", "def f(x): x.remove(1)"),
        ("def f(x): return sorted(x, reverse=True)", "def f(x): return sorted(x, key=True)"),
        ("class A:\n    x: int\n    y: int", "class A:\n    x: int"),
        ("def f(x): raise KeyError(x)", "def f(x): raise ValueError(x)"),
        ("def f(x): return x <= 1", "def f(x): return x < 1"),
    ],
)
def test_what_the_code_does_counts(one: str, other: str) -> None:
    assert list(map(without_values, code_chunks(one))) != list(map(without_values, code_chunks(other)))


def test_literals_count_until_their_values_are_left_out() -> None:
    one, other = code_chunks("def f(x): return x + 5, 'a'"), code_chunks('def f(x): return x + 17, "bc"')
    assert one != other
    assert list(map(without_values, one)) == list(map(without_values, other))
    assert code_chunks("f('a')") == code_chunks('f("a")')


def test_a_function_reads_the_same_wherever_it_stands() -> None:
    alone = code_chunks(TOTAL)[0]
    program = f"import os\n\nLIMIT = 3\n\n@cached\ndef first(a):\n    return a[:LIMIT]\n\n{TOTAL}\nclass B:\n    pass\n"
    chunks = code_chunks(program)
    assert len(chunks) == 4
    assert chunks[2] == alone


def test_a_parameter_may_have_the_name_of_a_builtin() -> None:
    assert code_chunks("def f(dict): return dict.keys()") == code_chunks("def g(d): return d.keys()")


def test_headers_of_any_kind_lose_their_annotations() -> None:
    noted = 'async def f(a: dict[str, int] = {}, *b: "x", c: int = 3, **d) -> tuple[int, ...]:\n    return a'
    assert code_chunks(noted) == code_chunks("async def f(a={}, *b, c=3, **d):\n    return a")


def test_no_text_breaks_it() -> None:
    rng = random.Random(5)
    pieces = [
        "def ",
        "f(",
        ")",
        ":",
        "=",
        '"""',
        "'",
        "\\",
        "\n",
        "    ",
        "x",
        "7",
        "é",
        "#",
        "@",
        "->",
        "[",
        "}",
        ";",
        "\0",
    ]
    for _ in range(3000):
        code_chunks("".join(rng.choice(pieces) for _ in range(rng.randrange(40))))
