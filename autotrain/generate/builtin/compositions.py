"""Compositions: a helper applied to every element and collected; steps on a text or a list, one after the other."""

from dataclasses import dataclass
from textwrap import indent
from typing import Any

from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.parameters import arguments_of, function, parameters_of
from autotrain.generate.builtin.problem import Problem


@dataclass(frozen=True)
class Helper:
    """A function of one element {x}; `note` explains what it gives, or states what holds where it gives a bool."""

    name: str
    one: str
    many: str
    returns: str
    bodies: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Step:
    """Something done to the whole, {x}; steps of one group undo or repeat each other."""

    tag: str
    clause: str
    code: str
    group: str = ""
    k: tuple[Any, ...] = ("",)


H, S = Helper, Step

NUMBER_HELPERS = (
    H("digit_sum", "digit sum", "digit sums", "int", ("return sum(int(d) for d in str(abs({x})))", "total, rest = 0, abs({x})\nwhile rest:\n    total += rest % 10\n    rest //= 10\nreturn total"), "The digit sum is the sum of the decimal digits, the sign ignored."),
    H("digit_count", "number of digits", "numbers of digits", "int", ("return len(str(abs({x})))", "count, rest = 1, abs({x})\nwhile rest > 9:\n    rest //= 10\n    count += 1\nreturn count"), "A sign is no digit; 0 has one digit."),
    H("largest_digit", "largest digit", "largest digits", "int", ("return max(int(d) for d in str(abs({x})))", "best, rest = 0, abs({x})\nwhile rest:\n    best = max(best, rest % 10)\n    rest //= 10\nreturn best"), "The sign is ignored."),
    H("ones", "number of ones in binary", "numbers of ones in binary", "int", ("return bin(abs({x})).count(\"1\")", "count, rest = 0, abs({x})\nwhile rest:\n    count += rest % 2\n    rest //= 2\nreturn count"), "The sign is ignored."),
    H("divisor_count", "number of positive divisors", "numbers of positive divisors", "int", ("return sum(1 for d in range(1, abs({x}) + 1) if {x} % d == 0)", "count = 0\nfor d in range(1, abs({x}) + 1):\n    if {x} % d == 0:\n        count += 1\nreturn count"), "For 0, take 0 as the number of divisors."),
    H("halvings", "number of halvings", "numbers of halvings", "int", ("count, rest = 0, abs({x})\nwhile rest and rest % 2 == 0:\n    rest //= 2\n    count += 1\nreturn count", "if {x} == 0 or {x} % 2:\n    return 0\nreturn 1 + {h}({x} // 2)"), "The number of halvings is how often the number can be halved without a remainder (0 for 0)."),
    H("is_prime", "", "", "bool", ("return {x} > 1 and all({x} % d for d in range(2, {x}))", "if {x} < 2:\n    return False\nfor d in range(2, {x}):\n    if {x} % d == 0:\n        return False\nreturn True"), "the number is prime"),
    H("is_square", "", "", "bool", ("return any(i * i == {x} for i in range(abs({x}) + 1))", "root = 0\nwhile root * root < {x}:\n    root += 1\nreturn root * root == {x}"), "the number is a perfect square (0 and 1 included)"),
    H("has_even_digits", "", "", "bool", ("return all(d in \"02468\" for d in str(abs({x})))", "for d in str(abs({x})):\n    if int(d) % 2 == 1:\n        return False\nreturn True"), "all decimal digits of the number are even (the sign ignored)"),
    H("is_mirrored", "", "", "bool", ("digits = str(abs({x}))\nreturn digits == digits[::-1]", "digits = list(str(abs({x})))\nreturn digits == list(reversed(digits))"), "the decimal digits of the number read the same backwards (the sign ignored)"),
)  # fmt: skip
TEXT_HELPERS = (
    H("vowels", "number of vowels", "numbers of vowels", "int", ("return sum(c in \"aeiou\" for c in {x}.lower())", "count = 0\nfor c in {x}:\n    if c.lower() in \"aeiou\":\n        count += 1\nreturn count"), "Vowels are a, e, i, o and u in either case."),
    H("distinct_letters", "number of different characters", "numbers of different characters", "int", ("return len(set({x}))", "seen = \"\"\nfor c in {x}:\n    if c not in seen:\n        seen += c\nreturn len(seen)"), "Upper and lower case are different characters."),
    H("longest_run", "longest run", "longest runs", "int", ("best = current = 0\nfor i, c in enumerate({x}):\n    current = current + 1 if i and {x}[i - 1] == c else 1\n    best = max(best, current)\nreturn best", "return max((size for size in range(1, len({x}) + 1) for c in {x} if c * size in {x}), default=0)"), "The longest run is the length of the longest stretch of equal characters (0 for an empty string)."),
    H("byte_length", "length in bytes", "lengths in bytes", "int", ("return len({x}.encode())", "return sum(len(c.encode()) for c in {x})"), "The length in bytes is that of the UTF-8 form."),
    H("sorted_letters", "sorted form", "sorted forms", "str", ("return \"\".join(sorted({x}))", "letters = list({x})\nletters.sort()\nreturn \"\".join(letters)"), "The sorted form is the string with its characters in ascending order."),
    H("skeleton", "skeleton", "skeletons", "str", ("return \"\".join(c for c in {x} if c not in \"aeiou\")", "result = {x}\nfor vowel in \"aeiou\":\n    result = result.replace(vowel, \"\")\nreturn result"), "The skeleton is the string without the lowercase vowels a, e, i, o and u."),
    H("shape", "shape", "shapes", "str", ("return \"\".join(\"A\" if c.isupper() else \"a\" if c.islower() else \"9\" if c.isdigit() else \"?\" for c in {x})", "result = \"\"\nfor c in {x}:\n    if c.isupper():\n        result += \"A\"\n    elif c.islower():\n        result += \"a\"\n    elif c.isdigit():\n        result += \"9\"\n    else:\n        result += \"?\"\nreturn result"), "The shape has 'A' for each uppercase letter, 'a' for each lowercase one, '9' for each digit and '?' for any other character."),
    H("is_palindrome", "", "", "bool", ("lowered = {x}.lower()\nreturn lowered == lowered[::-1]", "lowered = {x}.lower()\nfor i in range(len(lowered) // 2):\n    if lowered[i] != lowered[-1 - i]:\n        return False\nreturn True"), "the string reads the same backwards, ignoring case"),
    H("all_different", "", "", "bool", ("return len(set({x})) == len({x})", "for i, c in enumerate({x}):\n    if c in {x}[:i]:\n        return False\nreturn True"), "no character occurs twice in the string"),
    H("is_ascending", "", "", "bool", ("return list({x}) == sorted({x})", "return all(a <= b for a, b in zip({x}, {x}[1:]))"), "the characters of the string are in ascending order"),
)  # fmt: skip
ROW_HELPERS = (
    H("spread", "spread", "spreads", "int", ("return max({x}) - min({x}) if {x} else 0", "ordered = sorted({x})\nreturn ordered[-1] - ordered[0] if ordered else 0"), "The spread is the largest number minus the smallest one (0 for an empty list)."),
    H("steps_up", "number of rises", "numbers of rises", "int", ("return sum(b > a for a, b in zip({x}, {x}[1:]))", "count = 0\nfor i in range(1, len({x})):\n    if {x}[i] > {x}[i - 1]:\n        count += 1\nreturn count"), "A rise is a number that is greater than the one before it."),
    H("distinct", "number of different numbers", "numbers of different numbers", "int", ("return len(set({x}))", "return sum({x}.index(item) == i for i, item in enumerate({x}))")),
    H("alternating_sum", "alternating sum", "alternating sums", "int", ("return sum({x}[::2]) - sum({x}[1::2])", "total = 0\nfor i, item in enumerate({x}):\n    total += item if i % 2 == 0 else -item\nreturn total"), "The alternating sum adds the first number, subtracts the second one, and so on."),
    H("is_sorted", "", "", "bool", ("return {x} == sorted({x})", "return all(a <= b for a, b in zip({x}, {x}[1:]))"), "the list is in ascending order (equal neighbours are fine)"),
    H("has_twins", "", "", "bool", ("return any(a == b for a, b in zip({x}, {x}[1:]))", "for i in range(1, len({x})):\n    if {x}[i] == {x}[i - 1]:\n        return True\nreturn False"), "the list has two equal neighbours"),
)  # fmt: skip
ELEMENTS = {
    "int": ("ints", "number", "numbers", NUMBER_HELPERS, "n"),
    "str": ("uwords", "string", "strings", TEXT_HELPERS, "s"),
    "list[int]": ("int_rows", "list", "lists", ROW_HELPERS, "row"),
}

TEXT_STEPS = (
    S("strip", "strip whitespace from both its ends", "{x}.strip()"), S("lower", "convert it to lowercase", "{x}.lower()", "case"),
    S("upper", "convert it to uppercase", "{x}.upper()", "case"), S("swap", "swap the case of its letters", "{x}.swapcase()", "case"),
    S("reverse", "reverse it", "{x}[::-1]", "order"), S("sort", "sort its characters in ascending order", '"".join(sorted({x}))', "order"),
    S("cut", "cut it to its first {k} characters", "{x}[:{k}]", "size", (3, 4, 5, 6, 8)), S("tail", "keep only its last {k} characters", "{x}[-{k}:]", "size", (3, 4, 5, 6)),
    S("letters", "keep only its letters", '"".join(c for c in {x} if c.isalpha())', "kind"),
    S("digits", "remove its digits", '"".join(c for c in {x} if not c.isdigit())', "kind"),
    S("words", "reverse the order of its words, joined by single blanks", '" ".join(reversed({x}.split()))', "words"),
    S("join", "join its words with '{k}'", '"{k}".join({x}.split())', "words", ("-", "_", "+", "")),
    S("replace", "replace each 'o' in it by '{k}'", '{x}.replace("o", "{k}")', "swap", ("0", "*", "oo")),
    S("drop", "remove each '{k}' from it", '{x}.replace("{k}", "")', "drop", ("a", "e", "l", " ", "n")),
    S("double", "write each of its characters twice", '"".join(c * 2 for c in {x})'),
    S("unique", "keep only the first occurrence of each of its characters", '"".join(dict.fromkeys({x}))', "unique"),
    S("frame", "put '{k}' in front of it and behind it", 'f"{k}{{x}}{k}"', "", ("*", "|", "-")),
    S("second", "keep only its characters at even positions (0, 2, …)", "{x}[::2]", "size"),
)  # fmt: skip
LIST_STEPS = (
    S("positive", "remove its numbers that are not positive", "[n for n in {x} if n > 0]", "sign"),
    S("even", "keep only its {k} numbers", "[n for n in {x} if n % 2 == {c}]", "parity", ("even", "odd")),
    S("limit", "remove its numbers greater than {k}", "[n for n in {x} if n <= {k}]", "limit", (5, 8, 10, 12)),
    S("sort", "sort it in ascending order", "sorted({x})", "order"), S("down", "sort it in descending order", "sorted({x}, reverse=True)", "order"),
    S("reverse", "reverse it", "{x}[::-1]", "order"), S("unique", "remove repeated numbers, keeping the first of each", "list(dict.fromkeys({x}))", "unique"),
    S("first", "keep its first {k} numbers", "{x}[:{k}]", "size", (2, 3, 4)), S("skip", "drop its first {k} numbers", "{x}[{k}:]", "size", (1, 2)),
    S("second", "keep every second number of it, beginning with the first", "{x}[::2]", "size"),
    S("double", "multiply each of its numbers by {k}", "[n * {k} for n in {x}]", "scale", (2, 3, 5, 10)), S("add", "add {k} to each of its numbers", "[n + {k} for n in {x}]", "shift", (1, 2, 5, 10)),
    S("square", "square each of its numbers", "[n * n for n in {x}]", "sign"), S("absolute", "replace each of its numbers by the absolute value", "[abs(n) for n in {x}]", "sign"),
    S("totals", "replace it by the list of its running totals", "list(accumulate({x}))", "sums"),
    S("gaps", "replace it by the list of the differences of neighbours (second minus first)", "[b - a for a, b in zip({x}, {x}[1:])]", "sums"),
    S("clip", "replace each of its numbers above {k} by {k}", "[min(n, {k}) for n in {x}]", "limit", (5, 8, 10)),
)  # fmt: skip
TEXT_ENDS = (
    ("return the result", "{x}", "str"),
    ("return the result", "{x}", "str"),
    ("return its length", "len({x})", "int"),
)
LIST_ENDS = (
    ("return the result", "{x}", "list[int]"), ("return the result", "{x}", "list[int]"), ("return its sum", "sum({x})", "int"),
    ("return its largest number, or None if it is empty", "max({x}, default=None)", "int | None"),
    ("return how many numbers are left", "len({x})", "int"),
)  # fmt: skip


def element_functions(dice: Dice) -> Problem:
    """A helper function applied to each element of a list, and what is made of its results."""
    kind, one, many, helpers, x = ELEMENTS[dice.one(tuple(ELEMENTS))]
    helper = dice.one(helpers)
    (parameter,) = parameters_of(dice, kind, (x, "item", "result", "found", "n", "s", "row", helper.name))
    p, h = parameter.name, helper.name
    element = {"number": "int", "string": "str", "list": "list[int]"}[one]
    call = f"{h}({x})"
    if helper.returns == "bool":
        test, told, note = call, f"for which this holds: {helper.note}", ""
    else:
        k = dice.whole(1, 4)
        test, words = dice.one((
            (f"{call} > {k}", f"is greater than {k}"), (f"{call} == {k}", f"is {k}"), (f"{call} % 2 == 0", "is even"), (f"{call} < {k}", f"is less than {k}"),
        )) if helper.returns == "int" else (f"{call} == {x}", f"is the {one} itself")  # fmt: skip
        told, note = f"whose {helper.one} {words}", helper.note
    all_of = f"the {many} in `{p}`"
    goals = {
        "keep": (f"return a list of those {many} in `{p}` {told}", f"return [{x} for {x} in {p} if {test}]", "[]", f"if {test}:\n    result.append({x})", f"list[{element}]"),
        "count": (f"return how many {many} there are in `{p}` {told}", f"return sum(1 for {x} in {p} if {test})", "0", f"if {test}:\n    result += 1", "int"),
        "places": (f"return a list of the positions (from 0) of those {many} in `{p}` {told}", f"return [i for i, {x} in enumerate({p}) if {test}]", "[]", f"if {test}:\n    result.append(i)", "list[int]"),
        "every": (f"return True if there are only {many} in `{p}` {told}, otherwise False", f"return all({test} for {x} in {p})", "True", f"if {f'not {test}' if test == call else f'not ({test})'}:\n    return False", "bool"),
        "results": (f"return a list of the {helper.many} of {all_of}", f"return [{call} for {x} in {p}]", "[]", f"result.append({call})", f"list[{helper.returns}]"),
        "sort": (f"return a list of {all_of}, sorted by their {helper.many} in ascending order; {many} that are equal in this respect keep their order", f"return sorted({p}, key={h})", "", "", f"list[{element}]"),
        "best": (f"return the first of those {many} in `{p}` that have the largest {helper.one}, or None if `{p}` is empty", f"return max({p}, key={h}, default=None)", "None", f"if result is None or {call} > {h}(result):\n    result = {x}", f"{element} | None"),
        "sum": (f"return the sum of the {helper.many} of {all_of}", f"return sum({call} for {x} in {p})", "0", f"result += {call}", "int"),
        "group": (f"group {all_of} by their {helper.many} and return a dictionary from each of these to the list of its {many}, in order", "", "{}", f"result.setdefault({call}, []).append({x})", f"dict[{helper.returns}, list[{element}]]"),
        "table": (f"return a dictionary that tells for each {helper.one} how many of {all_of} have it", f"return dict(Counter({call} for {x} in {p}))", "{}", f"result[{call}] = result.get({call}, 0) + 1", f"dict[{helper.returns}, int]"),
        "distinct": (f"return a sorted list of the different {helper.many} of {all_of}", f"return sorted({{{call} for {x} in {p}}})", "[]", f"if {call} not in result:\n    result.append({call})", f"list[{helper.returns}]"),
    }  # fmt: skip
    usable = ["keep", "count", "places", "every"]
    if helper.returns != "bool":
        usable += ["results", "sort", "best", "group", "table", "distinct"] + (
            ["sum"] if helper.returns == "int" else []
        )
    goal = dice.one(usable)
    words, clean, start, update, returns = goals[goal]
    loop = f"for i, {x} in enumerate({p})" if goal == "places" else f"for {x} in {p}"
    end = "sorted(result)" if goal == "distinct" else "True" if goal == "every" else "result"
    begin = "" if goal == "every" else f"result = {start}\n"
    explicit = (
        f"{begin}{loop}:\n{indent(update, '    ')}\nreturn {end}"
        if update
        else f"result = list({p})\nresult.sort(key={h})\nreturn result"
    )
    insides = [body.replace("{x}", x).replace("{h}", h) for body in helper.bodies]
    helps = [f"def {h}({x}):\n{indent(inside, '    ')}\n\n" for inside in insides]
    bodies = (*(helps[0] + body for body in (clean, explicit) if body), helps[-1] + explicit)
    verb = {"keep": "keep select", "count": "count number_of", "places": "positions indices", "every": "all only", "sort": "sort order", "best": "best top",
            "sum": "total sum", "group": "group", "table": "tally count", "results": "list compute", "distinct": "distinct unique"}[goal]  # fmt: skip
    names = " ".join(f"{word}_{tail}" for word in verb.split() for tail in (f"by_{h}", f"{h}_{many}", f"{many}_by_{h}"))
    return function(dice, "element_functions", names, (parameter,), returns, (words,), tuple(dict.fromkeys(bodies)), arguments_of(dice, kind),
                    (note, "An empty list gives True." if goal == "every" else ""), prelude="from collections import Counter", difficulty="medium", more=("helper_function",))  # fmt: skip


def text_steps(dice: Dice) -> Problem:
    """Two or three changes of a text, one after the other."""
    return _steps(
        dice,
        "text_steps",
        "utext_long",
        "text",
        TEXT_STEPS,
        TEXT_ENDS,
        "clean normalize process transform convert prepare",
    )


def list_steps(dice: Dice) -> Problem:
    """Two or three changes of a list, one after the other."""
    return _steps(
        dice, "list_steps", "ints", "list", LIST_STEPS, LIST_ENDS, "process transform refine prepare run_steps reshape"
    )


def _steps(
    dice: Dice,
    concept: str,
    kind: str,
    what: str,
    steps: tuple[Step, ...],
    ends: tuple[tuple[str, str, str], ...],
    names: str,
) -> Problem:
    (parameter,) = parameters_of(dice, kind, ("result", "n", "c", "a", "b"))
    p = parameter.name
    chosen: list[Step] = []
    for step in dice.some(steps, 8):
        if (
            len(chosen) < 3
            and step.tag not in (one.tag for one in chosen)
            and (not step.group or step.group not in (one.group for one in chosen))
        ):
            chosen.append(step)
    if dice.chance(0.45):
        del chosen[2]
    told, codes = [], []
    for step in chosen:
        k = str(dice.one(step.k))
        told.append(step.clause.replace("{k}", k))
        codes.append(step.code.replace("{k}", k).replace("{c}", "1" if k == "odd" else "0"))
    ending, last, returns = dice.one(ends)
    if last != "{x}":
        codes.append(last)
    nested = p
    for code in codes:
        # In an f-string of older Pythons no quotes may be nested.
        fits = nested and code.count("{x}") == 1 and not ("{{x}}" in code and '"' in nested)
        nested = code.replace("{x}", nested) if fits else ""
    lines = [f"result = {code.replace('{x}', 'result' if place else p)}" for place, code in enumerate(codes)]
    lines[-1] = "return" + lines[-1].removeprefix("result =")
    bodies = ("\n".join(lines), f"return {nested}") if nested and len(nested) < 90 else ("\n".join(lines),)
    name = dice.one(names.split())
    tag = dice.one([step.tag for step in chosen])
    words = "||".join((f"take the {what} `{p}`", *told, ending))
    return function(dice, concept, f"{name}_{what} {tag}_and_{chosen[-1].tag if chosen[-1].tag != tag else chosen[0].tag} {name}_{tag}", (parameter,), returns, (words,), bodies,
                    arguments_of(dice, kind), prelude="from itertools import accumulate", difficulty="medium", more=("composition",))  # fmt: skip
