"""Dictionaries, sets and sorting: entries chosen and changed, lists compared, orders by key."""

from collections.abc import Callable, Sequence
from typing import Any

from autotrain.generate.builtin import values
from autotrain.generate.builtin.constants import draw_change, draw_condition
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.parameters import arguments_of, function, parameters_of
from autotrain.generate.builtin.problem import Problem


def dict_entries(dice: Dice) -> Problem:
    """A dictionary made from another: entries kept, keys and values changed."""
    (parameter,) = parameters_of(dice, "table", ("key", "value", "result"))
    p = parameter.name
    on_key = dice.chance(0.4)
    condition = draw_condition(dice, "word" if on_key else "int")
    test = condition.code("key" if on_key else "value")
    told = [f"whose {'key' if on_key else 'value'} {condition.verb}"]
    key, value = "key", "value"
    if dice.chance(0.6):
        change = draw_change(dice, "int", "int")
        value = change.code("value")
        told.append(f"with each value replaced by {change.its}")
    if dice.chance(0.35):
        change = draw_change(dice, "word", "word")
        key = change.code("key")
        told.append(f"with each key replaced by {change.its}")
    if dice.chance(0.2) and len(told) > 1:
        test, told = "", told[1:]
    suffix = f" if {test}" if test else ""
    inner = f"result[{key}] = {value}"
    loop = f"    if {test}:\n        {inner}" if test else f"    {inner}"
    words = (f"return a dictionary of the entries of `{p}` {' and '.join(told)}",
             f"build a dictionary from the entries of `{p}` {' and '.join(told)}, and return it")  # fmt: skip
    bodies = (f"return {{{key}: {value} for key, value in {p}.items(){suffix}}}",
              f"result = {{}}\nfor key, value in {p}.items():\n{loop}\nreturn result")  # fmt: skip
    arguments = [(row,) for row in values.tables(dice, () if on_key else condition.numbers)]
    notes = ("If two keys become equal, the later entry wins.",) if key != "key" else ()
    return function(dice, "dict_entries", "select_entries update_entries filter_dict convert_table rebuild", (parameter,),
                    "dict[str, int]", words, bodies, arguments, notes, more=("dictionaries",))  # fmt: skip


def dict_merge(dice: Dice) -> Problem:
    """Two dictionaries into one, with a rule for common keys."""
    parameters = parameters_of(dice, "table more_table", ("key", "value", "result"))
    p, q = (item.name for item in parameters)
    rule, expression = dice.one((
        ("the sum of both values", "{o} + value"), ("the larger value", "max({o}, value)"), ("the smaller value", "min({o}, value)"),
        ("the value of `{q}`", "value"), ("the value of `{p}`", "{o}"), ("the product of both values", "{o} * value"),
        ("the value of `{p}` minus that of `{q}`", "{o} - value"), ("the absolute difference of both values", "abs({o} - value)"),
    ))  # fmt: skip
    expression = expression.replace("{o}", "result[key]")
    rule = rule.replace("{p}", p).replace("{q}", q)
    only = dice.one(("merge", "merge", "common"))
    if only == "merge":
        words = f"merge `{p}` and `{q}` into a new dictionary and return it; a key in both gets {rule}"
        body = (f"result = dict({p})\nfor key, value in {q}.items():\n    if key in result:\n        result[key] = {expression}\n"
                "    else:\n        result[key] = value\nreturn result")  # fmt: skip
    else:
        words = f"return a dictionary of the keys that are in both `{p}` and `{q}`; each gets {rule}"
        inline = expression.replace("result[key]", f"{p}[key]").replace("value", f"{q}[key]")
        body = f"return {{key: {inline} for key in {p} if key in {q}}}"
    tries = [
        ({"a": 1, "b": 2}, {"b": 5, "c": 3}),
        ({"x": 4}, {"x": 4}),
        ({}, {"k": 1}),
        ({"m": 7}, {}),
        ({"a": 9, "b": 1}, {"a": 2, "b": 6}),
    ]
    return function(dice, "dict_merging", "merge combine_tables join_dicts merge_counts unite", parameters, "dict[str, int]",
                    (words,), (body,), [*tries, *arguments_of(dice, "table more_table")[:2]])  # fmt: skip


def set_operations(dice: Dice) -> Problem:
    """What two lists have in common, or not, with a condition or a change."""
    kind, kinds = dice.one((("int", "ints more_ints"), ("word", "words words")))
    parameters = parameters_of(dice, kinds, ("item", "result"))
    p, q = (item.name for item in parameters)
    noun = "numbers" if kind == "int" else "strings"
    symbol, told = dice.one((
        ("&", f"{noun} that occur in both `{p}` and `{q}`"), ("-", f"{noun} that occur in `{p}` but not in `{q}`"),
        ("|", f"{noun} that occur in `{p}` or in `{q}` or in both"), ("^", f"{noun} that occur in exactly one of `{p}` and `{q}`"),
    ))  # fmt: skip
    both = f"set({p}) {symbol} set({q})"
    condition, change = draw_condition(dice, kind), draw_change(dice, kind, "int")
    goal = dice.one(("sorted", "count", "changed", "chosen", "bool", "chosen_count"))
    words, body, returns = {
        "sorted": (f"return a sorted list of the different {told}", f"return sorted({both})", f"list[{'int' if kind == 'int' else 'str'}]"),
        "count": (f"return the number of different {told}", f"return len({both})", "int"),
        "bool": (f"return True if there are {told}, otherwise False", f"return bool({both})", "bool"),
        "changed": (f"return the sum of {change.many(f'the different {told}')}", f"return sum({change.code('item')} for item in {both})", "int"),
        "chosen": (f"return a sorted list of the different {told} and of which it is true that each {condition.verb}",
                   f"return sorted(item for item in {both} if {condition.code('item')})", f"list[{'int' if kind == 'int' else 'str'}]"),
        "chosen_count": (f"return how many different {told} there are such that each {condition.verb}",
                         f"return sum(1 for item in {both} if {condition.code('item')})", "int"),
    }[goal]  # fmt: skip
    bodies: tuple[str, ...] = (body,)
    if goal == "sorted" and symbol in "&-":
        bodies = (body, f"result = []\nfor item in {p}:\n    if item {'not in' if symbol == '-' else 'in'} {q} and item not in result:\n"
                  "        result.append(item)\nreturn sorted(result)")  # fmt: skip
    rows: Sequence[list[Any]] = (
        values.integers(dice, condition.numbers, 0, 9) if kind == "int" else values.word_lists(dice)
    )
    shared = [(one, other + one[:2]) for one, other in zip(rows, rows[::-1], strict=True)]
    return function(dice, "set_operations", "common compare_lists overlap set_result differences shared_items", parameters,
                    returns, (words,), bodies, shared)  # fmt: skip


ORDERS = {
    "int": (("absolute value", "abs({x})"), ("last digit", "abs({x}) % 10"), ("remainder by 3", "{x} % 3"), ("distance from 5", "abs({x} - 5)"),
            ("remainder by 4", "{x} % 4"), ("square", "{x} * {x}"), ("number of digits", "len(str(abs({x})))"), ("distance from 10", "abs({x} - 10)")),
    "word": (("length", "len({x})"), ("last character", "{x}[-1:]"), ("lowercase form", "{x}.lower()"), ("number of 'e'", "{x}.count(\"e\")"),
             ("reverse", "{x}[::-1]"), ("number of 'a'", "{x}.count(\"a\")"), ("second character", "{x}[1:2]")),
    "pair": (("number", "{x}[1]"), ("name", "{x}[0]"), ("length of the name", "len({x}[0])"), ("absolute number", "abs({x}[1])"),
             ("last digit of the number", "abs({x}[1]) % 10")),
}  # fmt: skip


def sort_by(dice: Dice) -> Problem:
    """Sorting with a key, a direction, a second key, or only the first few."""
    kind, name, noun = dice.one((("int", "ints", "numbers"), ("word", "words", "strings"), ("pair", "pairs", "tuples")))
    (parameter,) = parameters_of(dice, name)
    p = parameter.name
    x = {"int": "n", "word": "s", "pair": "pair"}[kind]
    x = x if x != p else "item"
    first, second = dice.some(ORDERS[kind], 2)
    key, told = first[1], f"by the {first[0]}" if " of " in first[0] else f"by their {first[0]}"
    down = dice.chance(0.35)
    note = "Elements that are equal in this respect keep their order."
    if not down and dice.chance(0.4):
        key, told, note = (
            f"({first[1]}, {second[1]})",
            f"{told}, and where that is equal by {second[0]}",
            note,
        )
    code = f"sorted({p}, key=lambda {x}: {key.replace('{x}', x)}{', reverse=True' if down else ''})"
    if key == "len({x})" and not down:
        code = f"sorted({p}, key=len)"
    direction = "descending" if down else "ascending"
    outcome, prefix = f"return {code}", f"the {noun} in `{p}` sorted {told}, {direction}"
    goal = dice.one(("all", "all", "few", "first", "project"))
    names = "sort_by sorted_items order arrange rank"
    returns = {"int": "list[int]", "word": "list[str]", "pair": "list[tuple[str, int]]"}[kind]
    words = f"return a list of {prefix}"
    if goal == "few":
        k = dice.whole(2, 3)
        outcome, words, names = (
            f"{outcome}[:{k}]",
            f"return the first {k} of {prefix} (all if there are fewer)",
            "first_few top leading best_of",
        )
    elif goal == "first":
        outcome = f"ordered = {code}\nreturn ordered[0] if ordered else None"
        words, names, returns = (
            f"return the first of {prefix}, or None if `{p}` is empty",
            "first_by best pick_first",
            returns[5:-1] + " | None",
        )
    elif goal == "project" and kind == "pair":
        part, told_part = dice.one((("name", "names"), ("number", "numbers")))
        outcome = f"return [{part} for name, number in {code}]"
        words, returns = f"return only the {told_part} of {prefix}, as a list", "list"
    bodies: tuple[str, ...] = (outcome,)
    if goal == "all":
        arguments = f"key=lambda {x}: {key.replace('{x}', x)}{', reverse=True' if down else ''}"
        bodies = (outcome, f"result = list({p})\nresult.sort({arguments})\nreturn result")
    draws: dict[str, Callable[[Dice], Sequence[Any]]] = {
        "int": values.integers,
        "word": values.word_lists,
        "pair": values.pair_lists,
    }
    data = draws[kind](dice)
    return function(dice, "sorting", names, (parameter,), returns, (words,), bodies, [(row,) for row in data], (note,),
                    difficulty="medium", more=(f"sort_{kind}s",))  # fmt: skip


def indexing(dice: Dice) -> Problem:
    """A dictionary made from a list of strings or numbers by a key."""
    kind = dice.one(("int", "word"))
    (parameter,) = parameters_of(dice, "ints" if kind == "int" else "words", ("item", "result", "key"))
    p = parameter.name
    change = draw_change(dice, kind, dice.one(("int", "word")))
    code, noun = change.code("item"), "numbers" if kind == "int" else "strings"
    key = f"result[{code}]"
    goal = dice.one(("group", "count", "last", "sum" if kind == "int" else "longest", "positions"))
    words, step = {
        "group": (f"the list of those {noun}, in order", f"result.setdefault({code}, []).append(item)"),
        "count": (f"how many {noun} have it", f"{key} = result.get({code}, 0) + 1"),
        "last": (f"the last of the {noun} that have it", f"{key} = item"),
        "sum": (f"the sum of the {noun} that have it", f"{key} = result.get({code}, 0) + item"),
        "longest": (f"the length of the longest of the {noun} that have it", f"{key} = max(result.get({code}, 0), len(item))"),
        "positions": (f"the list of the positions (from 0) of those {noun} in `{p}`", f"result.setdefault({code}, []).append(i)"),
    }[goal]  # fmt: skip
    loop = f"for i, item in enumerate({p})" if goal == "positions" else f"for item in {p}"
    bodies: tuple[str, ...] = (f"result = {{}}\n{loop}:\n    {step}\nreturn result",)
    data = values.integers(dice) if kind == "int" else values.word_lists(dice)
    noun_one = "number" if kind == "int" else "string"
    told = (
        f"compute for each {noun_one} in `{p}` {change.its}, and return a dictionary from each such result to {words}"
    )
    return function(dice, "indexing", "index_by table_of by_key build_index grouped", (parameter,), "dict", (told,), bodies,
                    [(row,) for row in data], difficulty="medium")  # fmt: skip
