"""Functions that call themselves: on the rest of a list, of a text, of a number, on nested lists."""

from autotrain.generate.builtin import values
from autotrain.generate.builtin.constants import draw_change, draw_condition
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.parameters import arguments_of, function, parameters_of
from autotrain.generate.builtin.problem import Problem

RECURSE = ("Use recursion.", "Solve it recursively.", "Do it recursively, without loops.")


def on_list(dice: Dice) -> Problem:
    """Sum, count, list or maximum over a list by way of its head and its rest."""
    (parameter,) = parameters_of(dice, "ints", ("first", "rest"))
    p = parameter.name
    condition, change = draw_condition(dice, "int"), draw_change(dice, "int", "int")
    head = dice.one(("{p}[0]", "first")).replace("{p}", p)
    test, element = condition.code(head), change.code(head)
    where = f" in `{p}`"
    phrase = f"the {condition.noun('numbers', where)}"
    rest = f"{{f}}({p}[1:])"
    goal = dice.one(("sum", "count", "list", "changed", "sum_changed", "product", "member"))
    empty, gain, skip, words, names = {
        "sum": ("0", f"{head} + rest", "rest", f"return the sum of {phrase}", "sum_of total sum_numbers"),
        "count": ("0", "1 + rest", "rest", f"return the number of {phrase[4:]}", "count number_of tally"),
        "list": ("[]", f"[{head}] + rest", "rest", f"return a list of {phrase}", "keep select chosen"),
        "changed": ("[]", f"[{element}] + rest", "rest", f"return a list of {change.many(phrase)}",
                    "transform change_all apply"),
        "sum_changed": ("0", f"{element} + rest", "rest", f"return the sum of {change.many(phrase)}",
                        "sum_changed total_of add_up"),
        "product": ("1", f"{head} * rest", "rest", f"return the product of {phrase} (1 if there are none)",
                    "product multiply"),
        "member": ("False", "True", "rest", f"return True if any of the numbers in `{p}` {condition.verb}, "
                   "otherwise False", "has any_of contains"),
    }[goal]  # fmt: skip
    opening = f"first = {p}[0]\n" if head == "first" else ""
    gain, skip = gain.replace("rest", rest), skip.replace("rest", rest)
    step = f"if {test}:\n    return {gain}\nreturn {skip}"
    short = f"return {gain} if {test} else {skip}"
    guard = dice.one((f"if not {p}:\n    return {empty}\n", f"if len({p}) == 0:\n    return {empty}\n"))
    body = guard + opening + (short if dice.chance(0.3) else step)
    arguments = [(row,) for row in values.integers(dice, condition.numbers)]
    returns = {"[]": "list[int]", "False": "bool"}.get(empty, "int")
    return function(dice, "recursion_on_lists", names, (parameter,), returns, (words,), (body,), arguments,
                    manner=dice.one(RECURSE), difficulty="medium")  # fmt: skip


def on_text(dice: Dice) -> Problem:
    """Counting, removing, changing or reversing the characters of a text, one at a time."""
    (parameter,) = parameters_of(dice, "text", ("first", "rest"))
    p = parameter.name
    condition, change = draw_condition(dice, "char"), draw_change(dice, "char", "word")
    test, element = condition.code("first"), change.code("first")
    where = f" in `{p}`"
    phrase = condition.noun("characters", where)
    rest = f"{{f}}({p}[1:])"
    goal = dice.one(("count", "remove", "keep", "change", "double", "reverse"))
    empty, names, words, step = {
        "count": ("0", "count tally number_of", f"return the number of {phrase}",
                  f"if {test}:\n    return 1 + {rest}\nreturn {rest}"),
        "remove": ('""', "remove strip_all without", f"return `{p}` without the {phrase}",
                   f"if {test}:\n    return {rest}\nreturn first + {rest}"),
        "keep": ('""', "keep only filter_text", f"return a string of the {phrase}",
                 f"return (first if {test} else \"\") + {rest}"),
        "change": ('""', "change rewrite convert", f"return `{p}` with each character that {condition.verb} replaced "
                   f"by {change.its}", f"if {test}:\n    first = {element}\nreturn first + {rest}"),
        "double": ('""', "double stretch repeat", f"return `{p}` with each character that {condition.verb} doubled",
                   f"return first * (2 if {test} else 1) + {rest}"),
        "reverse": ('""', "reverse backwards flip", f"return a string of the {phrase}, in reverse order",
                    f"return {rest} + (first if {test} else \"\")"),
    }[goal]  # fmt: skip
    body = f"if not {p}:\n    return {empty}\nfirst = {p}[0]\n{step}"
    edges = tuple(str(edge) for edge in condition.constant.edges)
    arguments = [(text,) for text in values.texts(dice, [letter for edge in edges for letter in edge])]
    return function(dice, "recursion_on_text", names, (parameter,), "int" if empty == "0" else "str", (words,), (body,),
                    arguments, manner=dice.one(RECURSE), difficulty="medium")  # fmt: skip


def on_digits(dice: Dice) -> Problem:
    """Sums and counts over the digits of a number by dividing it by ten."""
    (parameter,) = parameters_of(dice, "long_nat", ("digit",))
    p = parameter.name
    condition, change = draw_condition(dice, "digit"), draw_change(dice, "digit", "int")
    phrase = f"the {condition.noun('digits', f' of `{p}`')}"
    rest = f"{{f}}({p} // 10)"
    gain, words, names = dice.one((
        ("digit", f"return the sum of {phrase}", "sum_digits digit_total add_digits"),
        ("1", f"return the number of {phrase[4:]}", "count_digits digit_count how_many"),
        (change.code("digit"), f"return the sum of {change.many(phrase)}", "sum_changed_digits digit_score"),
    ))  # fmt: skip
    body = f"if {p} == 0:\n    return 0\ndigit = {p} % 10\nif {condition.code('digit')}:\n    return {gain} + {rest}\nreturn {rest}"
    return function(dice, "recursion_on_digits", names, (parameter,), "int", (words,), (body,),
                    arguments_of(dice, "long_nat"), ("Treat 0 as having no digits.",), manner=dice.one(RECURSE),
                    difficulty="medium")  # fmt: skip


def on_nested(dice: Dice) -> Problem:
    """Sums, counts, depth and flattening of lists in lists."""
    (parameter,) = parameters_of(dice, "nested", ("item", "result", "total"))
    p = parameter.name
    condition, change = draw_condition(dice, "int"), draw_change(dice, "int", "int")
    phrase = f"the {condition.noun('integers', f' in `{p}`')}"
    test, element = condition.code("item"), change.code("item")
    goal = dice.one(("sum", "count", "flatten", "depth", "all", "map"))
    inner, outcome, words, names, returns = {
        "sum": (f"elif {test}:\n        result += item", "0", f"return the sum of {phrase}, however deep they are",
                "nested_sum deep_sum sum_nested", "int"),
        "count": (f"elif {test}:\n        result += 1", "0", f"return the number of {phrase[4:]}, however deep they are",
                  "nested_count deep_count count_nested", "int"),
        "flatten": (f"elif {test}:\n        result.append(item)", "[]", f"return a flat list of {phrase}, in order",
                    "flatten flat_list collect_nested", "list[int]"),
        "all": (f"else:\n        result.append({element})", "[]", f"return a flat list of "
                f"{change.many(f'the integers in `{p}`')}, in order", "flatten_changed flat_changed", "list[int]"),
        "map": (f"else:\n        result.append({element})", "[]", f"return {change.many(f'the integers in `{p}`')}, "
                "in lists nested just as in the argument", "deep_map map_nested change_nested", "list"),
        "depth": ("", "0", f"return how deep the lists in `{p}` are nested; a list without lists in it has depth 1",
                  "depth nesting_depth max_depth", "int"),
    }[goal]  # fmt: skip
    join = "result.append({f}(item))" if goal == "map" else "result += {f}(item)"
    body = f"result = {outcome}\nfor item in {p}:\n    if isinstance(item, list):\n        {join}\n    {inner}\nreturn result"
    if goal == "depth":
        body = f"deepest = 0\nfor item in {p}:\n    if isinstance(item, list):\n        deepest = max(deepest, {{f}}(item))\nreturn deepest + 1"
    return function(dice, "nested_lists", names, (parameter,), returns, (words,), (body,), arguments_of(dice, "nested"),
                    difficulty="hard")  # fmt: skip


def spoken(factor: int) -> str:
    return "" if factor == 1 else f"{factor} times "


def recurrence(dice: Dice) -> Problem:
    """Sequences whose next number follows from the one or two before."""
    (parameter,) = parameters_of(dice, "few", ("a", "b"))
    p = parameter.name
    first, second = dice.whole(0, 4), dice.whole(1, 5)
    one, two = dice.whole(1, 3), dice.whole(1, 3)
    times = "" if one == 1 else f"{one} * "
    before = "" if two == 1 else f"{two} * "
    sign = dice.one(("+", "+", "-"))
    if dice.chance(0.5):
        extra = dice.whole(1, 5)
        words = (f"return the number with index `{p}` of the sequence that starts with {first} (index 0) and goes on with "
                 f"{spoken(one)}the number before {'plus' if sign == '+' else 'minus'} {extra}")  # fmt: skip
        bodies = (f"a = {first}\nfor _ in range({p}):\n    a = {times}a {sign} {extra}\nreturn a",
                  f"if {p} == 0:\n    return {first}\nreturn {times}{{f}}({p} - 1) {sign} {extra}")  # fmt: skip
    else:
        words = (f"return the number with index `{p}` of the sequence {first}, {second}, … in which each further number is "
                 f"{spoken(one)}the one before {'plus' if sign == '+' else 'minus'} {spoken(two)}the one before that; "
                 "the index starts at 0")  # fmt: skip
        bodies = (f"a, b = {first}, {second}\nfor _ in range({p}):\n    a, b = b, {times}b {sign} {before}a\nreturn a",
                  f"if {p} == 0:\n    return {first}\nif {p} == 1:\n    return {second}\n"
                  f"return {times}{{f}}({p} - 1) {sign} {before}{{f}}({p} - 2)")  # fmt: skip
    return function(dice, "recurrences", "sequence nth_term term series nth_number", (parameter,), "int", (words,),
                    bodies, [(n,) for n in (0, 1, 2, 3, 5, 7)], difficulty="medium")  # fmt: skip
