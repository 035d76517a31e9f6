"""Well-known small functions: each a name, words, code and kinds of parameters in one entry."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autotrain.generate.builtin.constants import fill
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.kinds import KINDS, draw_parameter
from autotrain.generate.builtin.problem import Problem, calls_of
from autotrain.generate.builtin.running import MOST_TESTS

_LOCAL = re.compile(r"(?<![\w{.])[a-z_]\w*")


@dataclass(frozen=True)
class Classic:
    """Templates use {p}, {q} and {r} for the parameters, {k} for a drawn constant, {f} for the name."""

    concept: str
    names: str
    """Names to choose from; a class has names that start with a capital letter."""
    kinds: str
    """A "!" at the end: `tries` are all the arguments there are."""
    returns: str
    tasks: tuple[str, ...]
    """Each from its verb on; "||" separates clauses."""
    bodies: tuple[str, ...]
    notes: str = ""
    prelude: str = ""
    k: Sequence[Any] = ()
    tries: Sequence[tuple[Any, ...]] = ()
    """Arguments that matter and that chance would rarely hit."""
    around: str = "{}"
    difficulty: Literal["easy", "medium", "hard"] = "easy"
    choices: Sequence[Sequence[Mapping[str, str]]] = ()
    """Groups of ways to fill further slots; one of each group is drawn."""
    scripts: Sequence[str] = ()
    """Calls in full, for classes and for functions that take functions; {a} to {d} are drawn integers."""


def ways(**slots: str | tuple[str, ...]) -> tuple[dict[str, str], ...]:
    """A group of choices: `ways(A="largest|smallest", B="max|min")` fills both slots side by side.

    Texts that hold a "|" themselves are given as tuples.
    """
    columns = (texts.split("|") if isinstance(texts, str) else texts for texts in slots.values())
    return tuple(dict(zip(slots, row, strict=True)) for row in zip(*columns, strict=True))


def filled(arguments: tuple[Any, ...], slots: Mapping[str, str]) -> tuple[Any, ...]:
    return tuple(fill(item, slots) if isinstance(item, str) else item for item in arguments)


def build_classic(dice: Dice, entries: Sequence[Classic]) -> Problem:
    """One of the entries with its names, words, constants and arguments drawn."""
    entry = dice.one(entries)
    chosen = {name: text for group in entry.choices for name, text in dice.one(group).items()}
    chosen = {name: fill(text, chosen) for name, text in chosen.items()}
    bodies = [fill(body, chosen) for body in entry.bodies]
    taken = {word for body in bodies for word in _LOCAL.findall(body)}
    parameters = tuple(draw_parameter(dice, kind, taken) for kind in entry.kinds.rstrip("!").split())
    forms = dict.fromkeys(KINDS[kind].form for kind in entry.kinds.rstrip("!").split())
    name = fill(dice.one(entry.names.split()), chosen)
    slots = dict(zip("pqr", (item.name for item in parameters), strict=False)) | {"f": name}
    slots["k"] = str(dice.one(entry.k) if entry.k else None)
    words = {**slots, **{key: f"`{slots[key]}`" for key in "pqr" if key in slots}}
    if len(bodies) > 1 and dice.chance(0.3):
        bodies = dice.some(bodies, len(bodies))
    return Problem(
        concepts=(entry.concept,),
        name=name,
        parameters=parameters,
        returns=fill(entry.returns, chosen),
        task=tuple(fill(fill(dice.one(entry.tasks), chosen), words).split("||")),
        bodies=tuple(fill(body, slots) for body in bodies),
        calls=draw_calls(dice, entry, name, {**chosen, "k": slots["k"]}),
        notes=tuple(filter(None, (*forms, fill(fill(entry.notes, chosen), words)))),
        prelude=entry.prelude,
        kind="class" if name[:1].isupper() else "function",
        difficulty=entry.difficulty,
    )


def draw_calls(dice: Dice, entry: Classic, name: str, slots: Mapping[str, str]) -> tuple[str, ...]:
    """The entry's own scripts or arguments first, then what its kinds of parameters are tried on."""
    if entry.scripts:
        numbers = [{letter: str(dice.whole(1, 9)) for letter in "abcd"} for _ in entry.scripts]
        return tuple(
            fill(fill(script, slots), {**drawn, "f": name})
            for script, drawn in zip(entry.scripts, numbers, strict=True)
        )
    if entry.kinds.endswith("!"):
        return calls_of(name, [filled(given, slots) for given in entry.tries], entry.around)
    columns = [KINDS[kind].draw(dice) for kind in entry.kinds.split()]
    own = [filled(given, slots) for given in entry.tries[:5]]
    return calls_of(name, [*own, *zip(*columns, strict=False)], entry.around)[:MOST_TESTS]
