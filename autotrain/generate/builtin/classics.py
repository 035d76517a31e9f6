"""Well-known small functions: each a name, words, code and kinds of parameters in one entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autotrain.generate.builtin.constants import fill
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.kinds import KINDS, draw_parameter
from autotrain.generate.builtin.problem import Problem, calls_of


@dataclass(frozen=True)
class Classic:
    """Templates use {p}, {q} and {r} for the parameters, {k} for a drawn constant, {f} for the name."""

    concept: str
    names: str
    kinds: str
    returns: str
    tasks: tuple[str, ...]
    bodies: tuple[str, ...]
    notes: str = ""
    prelude: str = ""
    k: Sequence[Any] = ()
    tries: Sequence[tuple[Any, ...]] = ()
    """Arguments that matter and that chance would rarely hit."""
    around: str = "{}"
    difficulty: Literal["easy", "medium", "hard"] = "easy"


def filled(arguments: tuple[Any, ...], slots: dict[str, str]) -> tuple[Any, ...]:
    return tuple(fill(item, {"k": slots["k"]}) if isinstance(item, str) else item for item in arguments)


def build_classic(dice: Dice, entries: Sequence[Classic]) -> Problem:
    """One of the entries with its names, words, constants and arguments drawn."""
    entry = dice.one(entries)
    kinds = entry.kinds.split()
    locals_used = {word for body in entry.bodies for word in body.replace(",", " ").replace("(", " ").split()}
    taken = set(locals_used)
    parameters = tuple(draw_parameter(dice, kind, taken) for kind in kinds)
    name = dice.one(entry.names.split())
    slots = dict(zip("pqr", (item.name for item in parameters), strict=False)) | {"f": name}
    drawn = dice.one(entry.k) if entry.k else None
    slots["k"] = str(drawn)
    words = {**slots, **{key: f"`{slots[key]}`" for key in "pqr" if key in slots}}
    columns = [KINDS[kind].draw(dice) for kind in kinds]
    arguments = [*(filled(given, slots) for given in entry.tries[:5]), *zip(*columns, strict=False)]
    bodies = dice.some(entry.bodies, len(entry.bodies)) if dice.chance(0.3) else entry.bodies
    return Problem(
        concepts=(entry.concept,),
        name=fill(name, slots),
        parameters=parameters,
        returns=entry.returns,
        task=(fill(dice.one(entry.tasks), words),),
        bodies=tuple(fill(body, slots) for body in bodies),
        calls=calls_of(name, arguments, entry.around),
        notes=(fill(entry.notes, words),) if entry.notes else (),
        prelude=entry.prelude,
        difficulty=entry.difficulty,
    )
