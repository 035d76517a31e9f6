"""Bugs planted in our own code, each shown by a call."""

from collections.abc import Callable
from types import CodeType

from autotrain.gate.mutation import Edit, Text, find_edits
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.running import Verified

ATTEMPTS = 8


def plant_bug(dice: Dice, code: str, verified: Verified, visible: bool) -> tuple[Edit, str] | None:
    """An edit that makes a test fail, and the code with it; None where none of the first few does."""
    planted = plant_bugs(dice, code, lambda buggy: not verified.agrees(buggy), visible=visible)
    return planted[0] if planted else None


def plant_bugs(
    dice: Dice, code: str, shows: Callable[[CodeType], bool], *, visible: bool = False, most: int = 1
) -> list[tuple[Edit, str]]:
    """Up to `most` edits, of the first few, for whose compiled code `shows` holds; each with its source."""
    edits = find_edits(Text(code), visible, lambda items: dice.some(items, len(items)))
    planted: dict[str, Edit] = {}
    for edit in edits[:ATTEMPTS]:
        buggy = edit.apply(code)
        if buggy not in planted and (compiled := compiled_or_none(buggy)) and shows(compiled):
            planted[buggy] = edit
        if len(planted) == most:
            break
    return [(edit, buggy) for buggy, edit in planted.items()]


def compiled_or_none(source: str) -> CodeType | None:
    try:
        return compile(source, "<generated>", "exec")
    except SyntaxError:
        return None
