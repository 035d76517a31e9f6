"""Shortcuts for builders that compose a function themselves."""

from collections.abc import Iterable
from typing import Any, Literal

from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.kinds import KINDS, draw_parameter
from autotrain.generate.builtin.problem import Parameter, Problem, calls_of


def parameters_of(dice: Dice, kinds: str, taken: Iterable[str] = ()) -> tuple[Parameter, ...]:
    """Parameters of the kinds (separated by blanks), with different names."""
    names = set(taken)
    return tuple(draw_parameter(dice, kind, names) for kind in kinds.split())


def arguments_of(dice: Dice, kinds: str) -> list[tuple[Any, ...]]:
    return list(zip(*(KINDS[kind].draw(dice) for kind in kinds.split()), strict=False))


def function(
    dice: Dice,
    concept: str,
    names: str,
    parameters: tuple[Parameter, ...],
    returns: str,
    tasks: tuple[str, ...],
    bodies: tuple[str, ...],
    arguments: Iterable[tuple[Any, ...]],
    notes: tuple[str, ...] = (),
    manner: str = "",
    prelude: str = "",
    around: str = "{}",
    difficulty: Literal["easy", "medium", "hard"] = "easy",
    more: tuple[str, ...] = (),
) -> Problem:
    """A function problem; one of the names (separated by blanks) and of the tasks is drawn.

    In a body "{f}" stands for the function's name; "||" separates the clauses of a task.
    """
    name = dice.one(names.split())
    return Problem(
        concepts=(concept, *more),
        name=name,
        parameters=parameters,
        returns=returns,
        task=tuple(dice.one(tasks).split("||")),
        bodies=tuple(body.replace("{f}", name) for body in bodies),
        calls=calls_of(name, arguments, around),
        notes=tuple(note for note in notes if note),
        manner=manner,
        prelude=prelude,
        difficulty=difficulty,
    )
