"""Branching: thresholds, rules with words, formulas with cases, errors and defaults."""

from typing import Any

from autotrain.generate.builtin import values
from autotrain.generate.builtin.constants import draw_change, draw_condition
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.parameters import arguments_of, function, parameters_of
from autotrain.generate.builtin.problem import Problem

SCALES = (
    ("low", "medium", "high", "extreme"), ("cold", "mild", "warm", "hot"), ("F", "C", "B", "A"), ("small", "medium", "large", "huge"),
    ("child", "teen", "adult", "senior"), ("slow", "normal", "fast", "furious"), ("poor", "fair", "good", "excellent"),
    ("free", "cheap", "fair", "expensive"), ("empty", "few", "some", "many"), ("bronze", "silver", "gold", "platinum"),
)  # fmt: skip


def thresholds(dice: Dice) -> Problem:
    """A label that depends on which range a number is in."""
    (parameter,) = parameters_of(dice, "int")
    p = parameter.name
    labels = dice.one(SCALES)[: dice.whole(2, 4)]
    limits = sorted(dice.some(range(2, 60), len(labels) - 1))
    upward = dice.chance(0.5)
    sign, word = dice.one((("<", "less than"), ("<=", "at most"))) if upward else dice.one(
        ((">=", "at least"), (">", "greater than")))  # fmt: skip
    ordered, bounds = (labels, limits) if upward else (labels[::-1], limits[::-1])
    rules = [f"'{label}' if it is {word} {limit}" for label, limit in zip(ordered, bounds, strict=False)]
    words = f"return a label for `{p}`: {', else '.join(rules)}, else '{ordered[-1]}'"
    tests = list(zip(ordered, bounds, strict=False))
    early = "".join(f'if {p} {sign} {limit}:\n    return "{label}"\n' for label, limit in tests)
    chained = "".join(f'{"if" if i == 0 else "elif"} {p} {sign} {limit}:\n    return "{label}"\n'
                      for i, (label, limit) in enumerate(tests)) + f'else:\n    return "{ordered[-1]}"'  # fmt: skip
    bodies = (f'{early}return "{ordered[-1]}"', chained)
    numbers = [number for limit in limits for number in (limit - 1, limit, limit + 1)]
    arguments = [(number,) for number in (*numbers[:6], -5, 100)]
    return function(dice, "thresholds", "classify label category grade level rate_value", (parameter,), "str", (words,),
                    bodies, arguments)  # fmt: skip


def word_rules(dice: Dice) -> Problem:
    """FizzBuzz and its relatives."""
    (parameter,) = parameters_of(dice, "pos")
    p = parameter.name
    first, second = dice.some((("Fizz", 3), ("Buzz", 5), ("Bang", 7), ("Pop", 4), ("Zip", 2), ("Hop", 6)), 2)
    (one, a), (two, b) = first, second
    rest = dice.one((("str(n)", f"the decimal string of `{p}`"), ('"-"', "'-'"), ('""', "an empty string")))
    other = rest[0].replace("n", p) if "str" in rest[0] else rest[0]
    style = dice.chance(0.5)
    if style:
        words = f"return '{one}' if `{p}` is divisible by {a}, '{two}' if by {b}, '{one}{two}' if by both, and {rest[1]} otherwise"
        body = f'result = ""\nif {p} % {a} == 0:\n    result += "{one}"\nif {p} % {b} == 0:\n    result += "{two}"\nreturn result'
        if other != '""':
            body += f" or {other}"
    else:
        words = f"return '{one}' if `{p}` is divisible by {a}, else '{two}' if it is divisible by {b}, else {rest[1]}"
        body = f'if {p} % {a} == 0:\n    return "{one}"\nif {p} % {b} == 0:\n    return "{two}"\nreturn {other}'
    arguments = [(n,) for n in (a, b, a * b, 1, a + 1, b * 2, 11)]
    return function(dice, "word_rules", "fizz_word say rule_word call_out number_word", (parameter,), "str", (words,), (body,),
                    arguments)  # fmt: skip


def cases(dice: Dice) -> Problem:
    """One change for numbers that meet a condition, another for the rest."""
    (parameter,) = parameters_of(dice, "int")
    p = parameter.name
    condition = draw_condition(dice, "int")
    yes, no = draw_change(dice, "int", "int"), draw_change(dice, "int", "int")
    then, other = yes.code(p), no.code(p)
    words = (f"return {yes.its} if `{p}` {condition.verb}, otherwise {no.its}",
             f"check whether `{p}` {condition.verb}; if so, return {yes.its}, else return {no.its}")  # fmt: skip
    test = condition.code(p)
    bodies = (f"return {then} if {test} else {other}", f"if {test}:\n    return {then}\nreturn {other}",
              f"if {test}:\n    return {then}\nelse:\n    return {other}")  # fmt: skip
    numbers = [*condition.numbers[:3], -7, 0, 1, 4, 12, 25]
    return function(dice, "conditional_values", "adjust transform compute convert change_if step_value", (parameter,), "int",
                    words, bodies, [(n,) for n in numbers])  # fmt: skip


def two_conditions(dice: Dice) -> Problem:
    """Conditions on two numbers, combined."""
    parameters = parameters_of(dice, "int more_int")
    p, q = (item.name for item in parameters)
    one, two = draw_condition(dice, "int"), draw_condition(dice, "int")
    connective, words = dice.one((("and", "both {a} and {b}"), ("or", "{a} or {b} (or both)")))
    first, second = one.code(p), two.code(q)
    if connective == "and":
        first, second = (f"({item})" if " or " in item else item for item in (first, second))
    told = words.replace("{a}", f"`{p}` {one.verb}").replace("{b}", f"`{q}` {two.verb}")
    test = f"{first} {connective} {second}"
    bodies = (f"return {test}", f"if {test}:\n    return True\nreturn False")
    left, right = [*one.numbers[:3], 4, -3], [*two.numbers[:3], 6, -8]
    arguments = [(a, b) for a in left[-3:] for b in right[-3:]]
    return function(dice, "combined_conditions", "check both_fit matches is_accepted qualifies", parameters, "bool",
                    (f"return True if {told}, otherwise False",), bodies, arguments)  # fmt: skip


def strict_input(dice: Dice) -> Problem:
    """An exception for arguments that are not allowed, a result for the others."""
    (parameter,) = parameters_of(dice, "int")
    p = parameter.name
    condition, change = draw_condition(dice, "int"), draw_change(dice, "int", "int")
    error = dice.one(("ValueError", "ValueError", "TypeError"))
    words = (f"return {change.its} for `{p}`||raise {error} instead if it {condition.verb}",
             f"raise {error} if `{p}` {condition.verb}||return {change.its} otherwise")  # fmt: skip
    message = dice.one(("not allowed", "invalid value", "bad argument", "out of range"))
    body = f'if {condition.code(p)}:\n    raise {error}("{message}")\nreturn {change.code(p)}'
    numbers = [*condition.numbers[:4], -7, 0, 1, 6, 12, 25]
    return function(dice, "raising_errors", "checked validated safe_compute strict require", (parameter,), "int", words, (body,),
                    [(n,) for n in numbers], (f"The {error} may have any message.",))  # fmt: skip


def validated_list(dice: Dice) -> Problem:
    """An exception if a list is empty or holds something that is not allowed."""
    (parameter,) = parameters_of(dice, "ints", ("item",))
    p = parameter.name
    condition = draw_condition(dice, "int")
    goal, outcome = dice.one((("sum", f"sum({p})"), ("largest number", f"max({p})"), ("smallest number", f"min({p})"),
                              ("length", f"len({p})"), ("last number", f"{p}[-1]"), ("first number", f"{p}[0]")))  # fmt: skip
    test = condition.code("item")
    words = (
        f"return the {goal} of `{p}`||raise ValueError instead if it is empty or if any number in it {condition.verb}"
    )
    bodies = (f'if not {p} or any({test} for item in {p}):\n    raise ValueError("bad list")\nreturn {outcome}',
              f'if not {p}:\n    raise ValueError("empty")\nfor item in {p}:\n    if {test}:\n        '
              f'raise ValueError("bad number")\nreturn {outcome}')  # fmt: skip
    arguments = [(row,) for row in values.integers(dice, condition.numbers)]
    return function(dice, "validation", "checked_total validate strict_list verified require_all", (parameter,), "int", (words,),
                    bodies, arguments, ("The ValueError may have any message.",), difficulty="medium")  # fmt: skip


def safe_convert(dice: Dice) -> Problem:
    """try/except around a conversion, a division or a lookup, with a default."""
    default = dice.one(("None", "0", "-1", "100"))
    change = draw_change(dice, "int", "int")
    what = dice.one(("int", "divide", "index", "key", "sum"))
    if what == "int":
        (parameter,) = parameters_of(dice, "text", ("number",))
        p = parameter.name
        words = f"convert `{p}` to an integer and return {change.its}; return {default} if it is not an integer"
        body = f"try:\n    number = int({p})\nexcept ValueError:\n    return {default}\nreturn {change.code('number')}"
        return function(dice, "default_on_error", "parse_or_default to_int safe_int read_number", (parameter,), "int | None", (words,),
                        (body,), [("12",), ("x",), ("-5",), ("",), ("3.5",), (" 7 ",)])  # fmt: skip
    if what == "sum":
        (parameter,) = parameters_of(dice, "words", ("item", "total"))
        p = parameter.name
        body = (f"total = 0\nfor item in {p}:\n    try:\n        number = int(item)\n    except ValueError:\n        continue\n"
                f"    total += {change.code('number')}\nreturn total")  # fmt: skip
        words = f"return the total over all strings in `{p}` that `int` accepts: for each, take {change.its} as a number and add it; skip the others"
        return function(dice, "default_on_error", "sum_valid total_of_numbers add_numeric", (parameter,), "int", (words,), (body,),
                        [(["1", "x", "3"],), ([],), (["a"],), (["-2", "7"],), (["10", "", "5.5"],)], difficulty="medium")  # fmt: skip
    kinds = {"divide": "int more_int", "index": "ints int", "key": "table word"}[what]
    parameters = parameters_of(dice, kinds)
    p, q = (item.name for item in parameters)
    expression, error, told = {
        "divide": (f"{p} {dice.one(('//', '%'))} {q}", "ZeroDivisionError", ""),
        "index": (f"{p}[{q}]", "IndexError", f"the number at position `{q}` of `{p}`"),
        "key": (f"{p}[{q}]", "KeyError", f"the value of `{q}` in `{p}`"),
    }[what]  # fmt: skip
    told = told or f"`{expression}`"
    reason = {"divide": f"`{q}` is 0", "index": "there is none (IndexError)", "key": "it is missing"}[what]
    body = f"try:\n    return {expression}\nexcept {error}:\n    return {default}"
    bodies = (body, f"if {q} == 0:\n    return {default}\nreturn {expression}") if what == "divide" else (body,)
    tries: dict[str, list[tuple[Any, ...]]] = {
        "divide": [(7, 2), (7, 0), (0, 3), (-9, 4)],
        "index": [([4, 5], 1), ([4, 5], 2), ([], 0), ([6], -1)],
        "key": [({"a": 1}, "a"), ({"a": 1}, "b"), ({}, "x"), ({"k": 7, "l": 2}, "l")],
    }
    return function(dice, "default_on_error", "safe_get try_get or_default safe_result", parameters, "int | None",
                    (f"return {told}, or {default} if {reason}",), bodies, [*tries[what], *arguments_of(dice, kinds)][:8])  # fmt: skip
