"""Filling templates, and the constants that conditions and changes are drawn with."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autotrain.generate.builtin.atoms import CHANGES, PREDICATES, Change, Predicate
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Parameter

_SLOT = re.compile(r"\{(\w+)\}")


def fill(template: str, values: Mapping[str, str]) -> str:
    """The template with each {name} that is known replaced; other braces stay."""
    return _SLOT.sub(lambda match: values.get(match[1], match[0]), template)


@dataclass(frozen=True)
class Constant:
    """What {k} stands for in an atom: a literal, or a parameter of the function."""

    code: str
    words: str
    edges: tuple[int | str, ...] = ()
    parameter: Parameter | None = None
    values: tuple[int | str, ...] = ()

    def in_code(self, template: str) -> str:
        if self.parameter:
            template = template.replace('"{k}"', "{k}")
        return fill(template, {"k": self.code, "j": self.words})

    def in_words(self, template: str) -> str:
        if self.parameter:
            template = template.replace("'{k}'", "{k}")
            return fill(template, {"k": f"`{self.code}`"})
        return fill(template, {"k": self.code, "j": self.words})


def draw_constant(dice: Dice, spec: tuple[int, int] | str | None, code: str, allow_parameter: bool) -> Constant:
    if spec is None:
        return Constant("", "")
    fixed = "{j}" in code or "20{k}" in code or not allow_parameter or not dice.chance(0.22)
    if isinstance(spec, str):
        pool = spec.split("|") if "|" in spec else list(spec)
        text = dice.one(pool)
        if fixed:
            return Constant(text, text, edges=(*pool[:2], text))
        name = dice.one(("letter", "mark", "part", "piece", "symbol"))
        return Constant(name, name, (text,), Parameter(name, "str", "a string"), (text, *dice.some(pool, 2)))
    number = dice.whole(*spec)
    upper = number + dice.whole(2, 8)
    edges = (number - 1, number, number + 1, upper, upper + 1)
    if fixed:
        return Constant(str(number), str(upper), edges)
    name = dice.one(("limit", "k", "bound", "threshold", "step", "amount", "size"))
    numbers = (number, min(number + 1, spec[1]), spec[0])
    return Constant(name, name, edges, Parameter(name, "int", "an integer"), numbers)


@dataclass(frozen=True)
class Condition:
    """A predicate with its constant filled in: words with {noun}, code with {x}."""

    item: Predicate
    constant: Constant

    @property
    def verb(self) -> str:
        return self.constant.in_words(self.item.verb)

    def noun(self, phrase: str, where: str = "") -> str:
        noun = self.constant.in_words(self.item.noun)
        return fill(noun, {"noun": phrase + where}) if "{noun}" in noun else noun + where

    def code(self, x: str) -> str:
        return fill(self.constant.in_code(self.item.code), {"x": x})

    @property
    def numbers(self) -> tuple[int, ...]:
        """The integers on both sides of the condition."""
        return tuple(edge for edge in self.constant.edges if isinstance(edge, int))


@dataclass(frozen=True)
class Alteration:
    """A change with its constant filled in."""

    item: Change
    constant: Constant

    def many(self, of: str) -> str:
        return fill(self.constant.in_words(self.item.many), {"of": of})

    @property
    def its(self) -> str:
        return self.constant.in_words(self.item.its)

    def code(self, x: str) -> str:
        return fill(self.constant.in_code(self.item.code), {"x": x})


def draw_condition(dice: Dice, kind: str) -> Condition:
    item = dice.one(PREDICATES[kind])
    return Condition(item, draw_constant(dice, item.k, item.code, False))


def draw_change(dice: Dice, kind: str, gives: str) -> Alteration:
    item = dice.one([change for change in CHANGES[kind] if change.gives == gives])
    return Alteration(item, draw_constant(dice, item.k, item.code, False))
