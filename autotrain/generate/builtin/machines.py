"""Simulations, small classes, closures and generators: things with a state."""

from autotrain.generate.builtin import values
from autotrain.generate.builtin.constants import draw_change, draw_condition
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.parameters import arguments_of, function, parameters_of
from autotrain.generate.builtin.problem import Parameter, Problem


def counter_commands(dice: Dice) -> Problem:
    """A number driven by one-letter commands."""
    (parameter,) = parameters_of(dice, "text", ("c", "x"))
    p = parameter.name
    start = dice.whole(0, 5)
    effects = dice.some((
        ("adds 1", "x += 1"), ("subtracts 1", "x -= 1"), ("doubles it", "x *= 2"), ("sets it to 0", "x = 0"), ("adds 10", "x += 10"),
        ("negates it", "x = -x"), ("halves it, rounding down", "x //= 2"), ("subtracts 5", "x -= 5"), ("adds 3", "x += 3"),
        ("triples it", "x *= 3"), ("limits it to at most 9", "x = min(x, 9)"), ("raises it to at least 0", "x = max(x, 0)"),
    ), dice.whole(2, 4))  # fmt: skip
    letters = dice.some(dice.one(("+-*0^", "udzrh", "IDRXN", "abcde", "<>!=?")), len(effects))
    told = ", ".join(f"'{letter}' {effect[0]}" for letter, effect in zip(letters, effects, strict=True))
    goal, outcome, extra = dice.one((("the final number", "x", ""), ("the final number", "x", ""), ("the largest number reached (the start included)", "best", "best = max(best, x)"),
                                     ("how often the number is negative after a command", "count", "if x < 0:\n        count += 1")))  # fmt: skip
    branches = "".join(f'    {"if" if i == 0 else "elif"} c == "{letter}":\n        {effect[1]}\n'
                       for i, (letter, effect) in enumerate(zip(letters, effects, strict=True)))  # fmt: skip
    setup = {"best": f"\nbest = {start}", "count": "\ncount = 0"}.get(outcome, "")
    body = f"x = {start}{setup}\nfor c in {p}:\n{branches}" + (f"    {extra}\n" if extra else "") + f"return {outcome}"
    words = f"start with the number {start}||carry out the characters of `{p}` one after the other ({told}; others do nothing)||return {goal}"
    texts = ["".join(dice.one([*letters, "?"]) for _ in range(size)) for size in (3, 5, 8, 6, 4)]
    return function(dice, "commands", "run execute simulate counter process apply_commands", (parameter,), "int", (words,), (body,),
                    [(text,) for text in (*texts, "", letters[0] * 3)], difficulty="medium", more=("simulation",))  # fmt: skip


def robot(dice: Dice) -> Problem:
    """A robot on a grid that follows letters."""
    (parameter,) = parameters_of(dice, "text", ("x", "y", "c"))
    p = parameter.name
    letters = dice.one(("NSEW", "UDRL", "^v><", "nsew", "udrl"))
    size = dice.whole(1, 3)
    goal, setup, extra, outcome, returns = dice.one((
        ("its final position as a tuple (x, y)", "", "", "x, y", "tuple[int, int]"),
        ("its final Manhattan distance from the start", "", "", "abs(x) + abs(y)", "int"),
        ("True if it ends where it started, otherwise False", "", "", "x == 0 and y == 0", "bool"),
        ("the number of different positions it has been at, the start included", "seen = {(0, 0)}\n", "    seen.add((x, y))\n", "len(seen)", "int"),
        ("the largest y it reaches (at least 0)", "top = 0\n", "    top = max(top, y)\n", "top", "int"),
        ("how often it comes back to the start", "count = 0\n", "    if (x, y) == (0, 0):\n        count += 1\n", "count", "int"),
    ))  # fmt: skip
    n, s, e, w = list(letters)
    if dice.chance(0.5):
        moves = (f'    if c == "{n}":\n        y += {size}\n    elif c == "{s}":\n        y -= {size}\n    elif c == "{e}":\n'
                 f'        x += {size}\n    elif c == "{w}":\n        x -= {size}\n')  # fmt: skip
        start = "x = y = 0\n"
    else:
        start = (
            f'moves = {{"{n}": (0, {size}), "{s}": (0, -{size}), "{e}": ({size}, 0), "{w}": (-{size}, 0)}}\nx = y = 0\n'
        )
        moves = "    dx, dy = moves[c]\n    x += dx\n    y += dy\n"
    words = (f"move a robot that starts at (0, 0) by the characters of `{p}` ('{n}': y grows by {size}, '{s}': y shrinks by {size}, "
             f"'{e}': x grows by {size}, '{w}': x shrinks by {size}) and return {goal}")  # fmt: skip
    body = f"{start}{setup}for c in {p}:\n{moves}{extra}return {outcome}"
    texts = ["".join(dice.one(letters) for _ in range(size)) for size in (3, 4, 6, 5)] + [
        "",
        n + s,
        e + n + w + s,
        n * 3,
    ]
    return function(dice, "robots", "walk robot follow final_place move_robot track", (parameter,), returns, (words,), (body,),
                    [(text,) for text in texts], difficulty="medium", more=("simulation",))  # fmt: skip


def balance(dice: Dice) -> Problem:
    """A running level with limits: accounts, batteries, queues."""
    (parameter,) = parameters_of(dice, "ints", ("level", "change", "refused"))
    p = parameter.name
    start, cap = dice.whole(0, 10), dice.whole(12, 30)
    rule, step = dice.one((
        ("a change that would make it negative is left out", "if level + change >= 0:\n        level += change"),
        ("it never falls below 0 (it stays at 0 instead)", "level = max(0, level + change)"),
        (f"it never rises above {cap} (it stays at {cap} instead)", f"level = min({cap}, level + change)"),
        (f"it stays between 0 and {cap} (the nearest limit is taken instead)", f"level = max(0, min({cap}, level + change))"),
        (f"a change that would bring it above {cap} is left out", f"if level + change <= {cap}:\n        level += change"),
        ("it stops for good as soon as it is negative", "level += change\n    if level < 0:\n        break"),
    ))  # fmt: skip
    goal, setup, extra, outcome, returns = dice.one((
        ("the final level", "", "", "level", "int"), ("the list of levels after each change", "levels = []\n", "    levels.append(level)\n", "levels", "list[int]"),
        ("the highest level after any change (the start included)", f"best = {start}\n", "    best = max(best, level)\n", "best", "int"),
        ("how often the level is 0 after a change", "count = 0\n", "    if level == 0:\n        count += 1\n", "count", "int"),
    ))  # fmt: skip
    if "break" in step and extra:
        goal, setup, extra, outcome, returns = "the final level", "", "", "level", "int"
    words = f"start with the level {start}||add the changes in `{p}` one after the other ({rule})||return {goal}"
    body = f"level = {start}\n{setup}for change in {p}:\n    {step}\n{extra}return {outcome}"
    arguments = [(row,) for row in values.integers(dice, (-start, -start - 1, cap), -12, 15)]
    return function(dice, "levels", "simulate balance track final_level run_changes account", (parameter,), returns, (words,), (body,),
                    arguments, difficulty="medium", more=("simulation",))  # fmt: skip


def stack_machine(dice: Dice) -> Problem:
    """Tokens that push to and pop from a stack or a queue."""
    (parameter,) = parameters_of(dice, "text", ("stack", "token", "a", "b"))
    p = parameter.name
    tokens = dice.some((
        ("+", "replaces the two top numbers by their sum", "a, b = stack.pop(), stack.pop()\n        stack.append(a + b)"),
        ("*", "replaces the two top numbers by their product", "a, b = stack.pop(), stack.pop()\n        stack.append(a * b)"),
        ("dup", "pushes the top number once more", "stack.append(stack[-1])"), ("pop", "removes the top number", "stack.pop()"),
        ("neg", "negates the top number", "stack.append(-stack.pop())"), ("inc", "adds 1 to the top number", "stack.append(stack.pop() + 1)"),
    ), dice.whole(1, 3))  # fmt: skip
    goal, outcome = dice.one(
        (
            ("the stack as a list, its top last", "stack"),
            ("the sum of the stack", "sum(stack)"),
            ("the top of the stack", "stack[-1]"),
            ("the number of elements on the stack", "len(stack)"),
        )
    )
    told = ", ".join(f"'{name}' {effect}" for name, effect, _ in tokens)
    branches = "".join(
        f'    {"if" if i == 0 else "elif"} token == "{name}":\n        {code}\n'
        for i, (name, _, code) in enumerate(tokens)
    )
    words = f"run the whitespace-separated tokens of `{p}` on an empty stack (an integer is pushed, {told}) and return {goal}"
    body = f"stack = []\nfor token in {p}.split():\n{branches}    else:\n        stack.append(int(token))\nreturn {outcome}"
    names = [name for name, _, _ in tokens]
    programs = [
        f"{dice.whole(1, 9)} {dice.whole(1, 9)} {dice.whole(2, 7)} {' '.join(dice.one(names) for _ in range(size))}".strip()
        for size in (0, 1, 1, 2, 2)
    ]
    return function(dice, "stacks", "evaluate run_stack execute stack_result compute", (parameter,), "list[int]" if outcome == "stack" else "int",
                    (words,), (body,), [(text,) for text in (*programs, "4 5 6 7", f"3 8 {names[0]}")], difficulty="hard", more=("simulation",))  # fmt: skip


def generators(dice: Dice) -> Problem:
    """Generators over a list or without end."""
    condition, change = draw_condition(dice, "int"), draw_change(dice, "int", "int")
    if dice.chance(0.4):
        (parameter,) = parameters_of(dice, "few", ("n", "value"))
        p = parameter.name
        start = dice.whole(0, 5)
        words = f"yield the first `{p}` integers from {start} upwards of which it is true that each {condition.verb}, as {change.its}"
        words = f"yield {change.its} for each of the first `{p}` integers from {start} upwards for which it holds that it {condition.verb}"
        body = f"value = {start}\nfound = 0\nwhile found < {p}:\n    if {condition.code('value')}:\n        yield {change.code('value')}\n        found += 1\n    value += 1"
        bounded = any(word in condition.item.tag for word in ("negative", "below", "at_most", "between", "two_digit"))
        if bounded:
            words, body = (
                f"yield {change.its} for each integer from 0 up to but not including `{p}`",
                f"for value in range({p}):\n    yield {change.code('value')}",
            )
        return function(dice, "generators", "generate first_values produce stream numbers_from", (parameter,), "Iterator[int]", (words,), (body,),
                        [(n,) for n in (0, 1, 2, 3, 5)], manner="Make it a generator.", around="list({})", difficulty="medium", more=("lazy_numbers",))  # fmt: skip
    (parameter,) = parameters_of(dice, "ints", ("item", "total", "previous"))
    p = parameter.name
    words, body = dice.one((
        (f"yield the running total of `{p}` after each number that {condition.verb} (only these are added)",
         f"total = 0\nfor item in {p}:\n    if {condition.code('item')}:\n        total += item\n        yield total"),
        (f"yield the numbers of `{p}` in order and end before the first one that {condition.verb}",
         f"for item in {p}:\n    if {condition.code('item')}:\n        return\n    yield item"),
        (f"yield each number of `{p}` and, right after it, {change.its}", f"for item in {p}:\n    yield item\n    yield {change.code('item')}"),
        (f"yield each number of `{p}` twice if it {condition.verb}, otherwise once", f"for item in {p}:\n    yield item\n    if {condition.code('item')}:\n        yield item"),
        (f"yield a tuple (position from 0, number) for each number in `{p}` that {condition.verb}", f"for i, item in enumerate({p}):\n    if {condition.code('item')}:\n        yield i, item"),
        (f"yield the numbers of `{p}` from the last to the first, each replaced by {change.its}", f"for item in reversed({p}):\n    yield {change.code('item')}"),
        (f"yield the numbers of `{p}` that differ from the number before them; the first one always counts",
         f"previous = None\nfor item in {p}:\n    if item != previous:\n        yield item\n    previous = item"),
    ))  # fmt: skip
    arguments = [(row,) for row in values.integers(dice, condition.numbers)]
    return function(dice, "generators", "generate iterate stream produce walk_items each", (parameter,), "Iterator", (words,), (body,), arguments,
                    manner="Make it a generator.", around="list({})", difficulty="medium")  # fmt: skip


def closures(dice: Dice) -> Problem:
    """Functions that return or take functions."""
    change, condition = draw_change(dice, "int", "int"), draw_condition(dice, "int")
    goal = dice.one(("adder", "twice", "map", "filter", "counter", "compose", "limit"))
    given = Parameter("function", "Callable[[int], int]", "a function of one integer")
    whole = Parameter("n", "int", "an integer")
    many = Parameter("values", "list[int]", "a list of integers")
    table: dict[str, tuple[str, tuple[Parameter, ...], str, str, list[str]]] = {
        "adder": ("make_function make_adder build", (whole,), f"return a function of one integer that adds `n` to it and returns {change.its}",
                  f"def inner(x):\n    x += n\n    return {change.code('x')}\nreturn inner", ["(3)(4)", "(0)(5)", "(-2)(7)", "(1)(1)", "(10)(2)"]),
        "twice": ("apply_twice repeat_call call_again", (given, whole), f"call `function` on `n` and again on the result if the result {condition.verb}, and return the last result",
                  f"result = function(n)\nif {condition.code('result')}:\n    result = function(result)\nreturn result", ["(abs, -3)", "(lambda x: x + 2, 4)", "(lambda x: x * 3, 1)", "(lambda x: -x, 6)", "(lambda x: x - 1, 0)"]),
        "map": ("map_if apply_where transform_some", (given, many), f"return the numbers in `values` with `function` applied to each that {condition.verb}",
                f"return [function(item) if {condition.code('item')} else item for item in values]", ["(abs, [-3, 4, -5])", "(lambda x: x + 100, [1, 2, 3, 8, 12])", "(str, [7, 10, 0])", "(lambda x: -x, [])", "(lambda x: x * 2, [-4, 5, 6, 9])"]),
        "filter": ("keep_if select_by filter_results", (given, many), f"return a list of the results of `function` on each number in `values`, but only those where the result {condition.verb}",
                   f"results = [function(item) for item in values]\nreturn [item for item in results if {condition.code('item')}]", ["(abs, [-3, 4, -5])", "(lambda x: x + 3, [1, 2, 3, 8, 12])", "(lambda x: x * 2, [7, 10, 0])", "(lambda x: -x, [])", "(lambda x: x - 4, [-4, 5, 6, 9])"]),
        "counter": ("make_counter new_counter counter_from", (whole,), f"return a function without arguments that returns `n` on its first call and on each further call {dice.whole(2, 5)} more",
                    "", ["(3)()", "(0)()", "", "", ""]),
        "compose": ("compose chain pipe", (given, Parameter("other", "Callable[[int], int]", "another one")), f"return a function that applies `function`, then `other`, and returns for that result {change.its}",
                    f"def inner(x):\n    result = other(function(x))\n    return {change.code('result')}\nreturn inner", ["(abs, lambda x: x + 1)(-3)", "(lambda x: x * 2, abs)(5)", "(lambda x: x - 9, lambda x: x * 3)(4)", "(abs, abs)(0)", "(lambda x: -x, lambda x: x + 2)(6)"]),
        "limit": ("repeat_while apply_until iterate", (given, whole), f"apply `function` to `n` again and again, at most 5 times, as long as the number {condition.verb}, and return the number",
                  f"for _ in range(5):\n    if not ({condition.code('n')}):\n        break\n    n = function(n)\nreturn n", ["(lambda x: x + 1, 4)", "(lambda x: x * 2, 1)", "(abs, -2)", "(lambda x: x - 3, 9)", "(lambda x: x // 2, 20)"]),
    }  # fmt: skip
    names, parameters, words, body, suffixes = table[goal]
    name = dice.one(names.split())
    calls = tuple(f"{name}{suffix}" for suffix in suffixes)
    if goal == "counter":
        step = words.split()[-2]
        body = f"n -= {step}\n\ndef step():\n    nonlocal n\n    n += {step}\n    return n\n\nreturn step"
        calls = tuple(
            f"tick = {name}({n})\n[tick() for _ in range({size})]" for n, size in ((0, 3), (5, 2), (-4, 4), (100, 1))
        )
    return Problem(("closures", goal), name, parameters, "object", (words,), (body,), calls, difficulty="medium")


def class_problem(dice: Dice) -> Problem:
    """A small class with a state and two or three methods."""
    condition, change = draw_condition(dice, "int"), draw_change(dice, "int", "int")
    add = dice.one(("add", "put", "push", "record", "insert", "store"))
    methods = dice.some((
        ("total", "returns the sum of the kept numbers", "return sum(self.items)"), ("size", "returns how many numbers are kept", "return len(self.items)"),
        ("largest", "returns the largest kept number or None if there is none", "return max(self.items, default=None)"),
        ("last", "returns the number kept last or None if there is none", "return self.items[-1] if self.items else None"),
        ("clear", "removes all numbers and returns how many there were", "count = len(self.items)\n        self.items = []\n        return count"),
        ("count", f"returns how many kept numbers satisfy: the number {condition.verb}", f"return sum(1 for item in self.items if {condition.code('item')})"),
        ("changed", f"returns a list that holds for each kept number {change.its}", f"return [{change.code('item')} for item in self.items]"),
        ("pop", "removes and returns the number kept last; raises ValueError if there is none", 'if not self.items:\n            raise ValueError("empty")\n        return self.items.pop()'),
        ("first", "removes and returns the number kept first, or returns None if there is none", "return self.items.pop(0) if self.items else None"),
        ("average", "returns the mean of the kept numbers or 0.0 if there is none", "return sum(self.items) / len(self.items) if self.items else 0.0"),
    ), dice.whole(1, 2))  # fmt: skip
    guard, rule = dice.one((("", ""), ("", ""), (f"if not ({condition.code('item')}):\n            return\n        ", f" if it {condition.verb}"),
                            ("if item in self.items:\n            return\n        ", " if it is not there yet"), ("item = " + change.code("item") + "\n        ", f" as {change.its}")))  # fmt: skip
    name = dice.one(("Store", "Box", "Numbers", "Collection", "Register", "Tracker", "Bag", "History", "Basket"))
    body = f"def __init__(self):\n    self.items = []\n\ndef {add}(self, item):\n    {guard}self.items.append(item)\n"
    body = (
        body.replace("\n            ", "\n        ")
        .replace("\n        self", "\n    self")
        .replace("\n        item", "\n    item")
    )
    for method, _, code in methods:
        body += f"\ndef {method}(self):\n    {code}\n".replace("\n        ", "\n    ").replace(
            "\n        raise", "\n        raise"
        )
    body = body.replace(":\n    raise", ":\n        raise").replace(":\n    return\n", ":\n        return\n")
    told = "; ".join(f"`{method}()` {what}" for method, what, _ in methods)
    calls = []
    for row in values.integers(dice, condition.numbers):
        setup = f"box = {name}()\nfor item in {row}:\n    box.{add}(item)"
        calls += [f"{setup}\nbox.{method}()" for method, _, _ in methods]
    return Problem(("classes", methods[0][0]), name, (), "None", (f"keep integers: `{add}(item)` keeps an integer{rule}; {told}",), (body.rstrip(),),
                   tuple(calls), (f"A new `{name}()` is empty.",), kind="class", difficulty="hard")  # fmt: skip


def account_class(dice: Dice) -> Problem:
    """A small class around one number."""
    start, step, cap = dice.whole(0, 10), dice.whole(1, 5), dice.whole(15, 40)
    name = dice.one(("Account", "Counter", "Meter", "Tank", "Score", "Battery", "Wallet", "Gauge"))
    up, down = dice.one(
        (
            ("add", "remove"),
            ("deposit", "withdraw"),
            ("increase", "decrease"),
            ("fill", "drain"),
            ("gain", "lose"),
        )
    )
    up_told, up_code = dice.one((("adds it", "self.value += amount"), (f"adds it, but never beyond {cap}", f"self.value = min({cap}, self.value + amount)"),
                                 (f"adds {step} times it", f"self.value += {step} * amount"), ("adds it if it is positive", "if amount > 0:\n        self.value += amount")))  # fmt: skip
    down_told, down_code = dice.one((("subtracts it", "self.value -= amount"), ("subtracts it, but never below 0", "self.value = max(0, self.value - amount)"),
                                     ("subtracts it; raises ValueError if it is more than the value", 'if amount > self.value:\n        raise ValueError("too much")\n    self.value -= amount'),
                                     ("subtracts it and returns True if it is at most the value, otherwise returns False", "if amount > self.value:\n        return False\n    self.value -= amount\n    return True")))  # fmt: skip
    body = f"def __init__(self, value={start}):\n    self.value = value\n\ndef {up}(self, amount):\n    {up_code}\n\ndef {down}(self, amount):\n    {down_code}"
    words = f"hold a number `value`, given to the constructor (default {start}): `{up}(amount)` {up_told}; `{down}(amount)` {down_told}"
    calls = [f"a = {name}()\na.value", f"a = {name}(7)\na.value"]
    calls += [f"a = {name}({first})\na.{up}({more})\na.value" for first, more in ((5, 3), (cap - 1, 4), (2, -3))]
    calls += [f"a = {name}({first})\na.{down}({less})\na.value" for first, less in ((9, 4), (3, 3))]
    calls += (
        [f"a = {name}(4)\na.{down}(6)"]
        if "rais" in down_told or "False" in down_told
        else [f"a = {name}(4)\na.{down}(6)\na.value"]
    )
    return Problem(
        ("account_classes", "classes"),
        name,
        (),
        "None",
        (words,),
        (body,),
        tuple(calls),
        kind="class",
        difficulty="medium",
    )


def date_math(dice: Dice) -> Problem:
    """Dates in ISO form: shifted, compared, taken apart."""
    (parameter,) = parameters_of(dice, "date", ("moment",))
    p = parameter.name
    days, form = (
        dice.whole(1, 45),
        dice.one(
            (
                ("DD.MM.YYYY", "%d.%m.%Y"),
                ("MM/DD/YYYY", "%m/%d/%Y"),
                ("YYYYMMDD", "%Y%m%d"),
                ("DD-MM-YY", "%d-%m-%y"),
            )
        ),
    )
    condition, change = draw_condition(dice, "date"), draw_change(dice, "date", "int")
    sign, told = dice.one((("+", "after"), ("-", "before")))
    m = f"date.fromisoformat({p})"
    shifted = f"{m} {sign} timedelta(days={days})"
    words, body, returns = dice.one((
        (f"return the date {days} days {told} `{p}` in ISO form", f"return ({shifted}).isoformat()", "str"),
        (f"return the date {days} days {told} `{p}` in the form {form[0]}", f'return ({shifted}).strftime("{form[1]}")', "str"),
        (f"return `{p}` in the form {form[0]}", f'return {m}.strftime("{form[1]}")', "str"),
        (f"return True if the date `{p}` {condition.verb}, otherwise False", f"moment = {m}\nreturn {condition.code('moment')}", "bool"),
        (f"return True if the day {days} days {told} `{p}` {condition.verb}, otherwise False", f"moment = {shifted}\nreturn {condition.code('moment')}", "bool"),
        (f"take the date {days} days {told} `{p}` and return {change.its}", f"moment = {shifted}\nreturn {change.code('moment')}", "int"),
        (f"return how many of the {days} days from `{p}` on (that day included) are such that each {condition.verb}",
         f"first = {m}\nmoments = [first + timedelta(days=i) for i in range({days})]\nreturn sum(1 for moment in moments if {condition.code('moment')})", "int"),
        (f"return the quarter (1 to 4) in which `{p}` lies", f"return ({m}.month - 1) // 3 + 1", "int"),
        (f"return the number of days from the first of January of its year to `{p}`", f"moment = {m}\nreturn (moment - moment.replace(month=1, day=1)).days", "int"),
        (f"return the first date after `{p}`, in ISO form, that {condition.verb}",
         f"moment = {m} + timedelta(days=1)\nwhile not ({condition.code('moment')}):\n    moment += timedelta(days=1)\nreturn moment.isoformat()", "str"),
    ))  # fmt: skip
    if "while" in body and condition.item.tag == "since":
        body, words, returns = f"return {m}.year", f"return the year of `{p}`", "int"
    prelude = "from datetime import date, timedelta" if "timedelta" in body else "from datetime import date"
    return function(dice, "dates", "shift_date date_info next_day day_result check_date when", (parameter,), returns, (words,), (body,),
                    arguments_of(dice, "date"), prelude=prelude, difficulty="medium" if "\n" in body else "easy")  # fmt: skip
