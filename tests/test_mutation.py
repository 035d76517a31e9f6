"""Planted bugs: each changes one place of any source, whatever is in it, and is the same every time."""

import ast
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from autotrain.gate.mutation import OPERATORS, Edit, Text, find_edits, mutants_of

SOURCE = """\
def f(xs, k, unit="€"):
    total = 0
    for x in xs:
        if x > k and x % 2 == 0:
            total += x * min(x, k)
    return f"{total + 1} {unit}"
"""
# One place for every operator.
EVERY = """\
def f(items, n=3):
    found = []
    if not items:
        return None
    total = 0
    for i in range(n):
        if i < 2 and n - i > 1 or i in items:
            continue
        total += items[i]
    while True:
        found.append(max(total, n))
        break
    ordered = sorted(found, key=len)
    return ordered


def g(items):
    found = []
    for item in items:
        found.append(item)
    return found
"""


def edits_of(source: str, visible: bool = False) -> list[Edit]:
    return find_edits(Text(source), visible, lambda items: list(items))


def test_there_are_many_operators_and_each_finds_its_place() -> None:
    named = {operator.__name__ for operators in OPERATORS.values() for operator in operators}
    assert len(named) >= 12
    assert {edit.operator for edit in edits_of(EVERY)} == named


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_edit_changes_only_the_line_it_names(line_end: str) -> None:
    source = SOURCE.replace("\n", line_end)
    edits = edits_of(source, visible=True)
    assert len({edit.operator for edit in edits}) >= 8
    for edit in edits:
        before, after = source.split(line_end), edit.apply(source).split(line_end)
        assert len(before) == len(after)
        assert [number for number in range(len(before)) if before[number] != after[number]] == [edit.line - 1]


def test_letters_beyond_ascii_do_not_move_the_place() -> None:
    for source in ('x = "äöü€😀"; y = a < b', 'ß = 1\n"😀" if ß < 2 else "ü"  # ü', '"ü" "\x0c\u2028"; z = a < b'):
        (edit,) = (item for item in edits_of(source) if item.operator == "boundary")
        assert edit.apply(source) == source.replace("<", "<=")


def test_what_is_in_an_f_string_stays_as_it_is() -> None:
    assert edits_of('y = f"{a + 1} {b:>10} {min(c)}"') == []


@pytest.mark.parametrize(
    "source",
    [
        "range()\nrange(*x)\nx |= 1\nx @= y\nx <<= 2",
        "def f(*, a=0x" + "f" * 5000 + "): return a[0]",
        "async def f(x):\n    async for a in b:\n        await a\n    return x",
        "class A:\n\tx: int = 1\n\tdef f(self): return self.x is not None or not self.x",
        "x = a if b else c; y = [1 for d in e if not d]; del x; assert y",
        "match x:\n    case {'a': 1, **rest} if rest:\n        pass\n    case _:\n        x = 2",
        "(yield) if (a := 1) else lambda b, /, *c: b - 1",
        "x = 1" + " + 1" * 2000,
        "",
        "not python",
        "x = '\ud800'",
        "-" * 200_000 + "1",
    ],
)
def test_any_source_gives_mutants_that_parse_or_none(source: str) -> None:
    for mutant in mutants_of(source, 8):
        assert mutant != source
        ast.parse(mutant)


def test_mutants_are_different_few_and_the_same_every_time() -> None:
    mutants = mutants_of(SOURCE, 8)
    assert len(set(mutants)) == 8
    assert mutants_of(SOURCE, 3) == mutants[:3]
    program = (
        f"import json; from autotrain.gate.mutation import mutants_of; print(json.dumps(mutants_of({SOURCE!r}, 8)))"
    )
    environment: dict[str, Any] = {**os.environ, "PYTHONHASHSEED": "7"}
    root = Path(__file__).parent.parent
    done = subprocess.run([sys.executable, "-c", program], env=environment, cwd=root, capture_output=True, check=True)
    assert ast.literal_eval(done.stdout.decode()) == mutants


def test_a_change_of_a_comment_is_no_mutant() -> None:
    assert edits_of("a = (b  # x < y\n     < c)")
    assert mutants_of("a = (b  # x < y\n     < c)", 8) == []


def test_every_operator_comes_first_now_and_then() -> None:
    dice = random.Random(1)
    first = {
        find_edits(Text(EVERY), False, lambda items: dice.sample(items, len(items)))[0].operator for _ in range(200)
    }
    assert len(first) >= 12
