"""Pipelines: elements of a source, a condition, a change, a collector; in words and in code."""

import re
from dataclasses import dataclass
from textwrap import indent

from autotrain.generate.builtin.atoms import CHANGES, PREDICATES, Change, Predicate
from autotrain.generate.builtin.collectors import COLLECTOR_SHARES, COLLECTORS, Collector
from autotrain.generate.builtin.constants import Constant, draw_constant, fill
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Parameter, Problem, calls_of
from autotrain.generate.builtin.sources import SOURCES, Source

_ASSIGNED = re.compile(r"^ *(\w+(?:, \w+)*) \+?= ", re.MULTILINE)
_LOOPED = re.compile(r"^ +(\w+) = \w+\[i\]$", re.MULTILINE)
_ANNOTATIONS = {
    "int": "int",
    "digit": "int",
    "char": "str",
    "word": "str",
    "row": "list[int]",
    "date": "date",
}
_ACCUMULATORS = {
    "[]": ("result", "found", "out", "kept", "collected"),
    "0": ("total", "result", "acc", "count"),
    "set()": ("seen", "found", "unique"),
    "{}": ("table", "result", "mapping"),
    "None": ("best", "result", "found"),
}


@dataclass(frozen=True)
class Parts:
    """One drawn pipeline, before words and code are made of it."""

    source: Source
    collector: Collector
    predicates: tuple[tuple[Predicate, Constant], ...]
    change: tuple[Change, Constant] | None
    constant: Constant
    parameters: tuple[Parameter, ...]
    target: str
    default: str
    labels: tuple[str, str]

    @property
    def extras(self) -> tuple[Constant, ...]:
        drawn = [constant for _, constant in self.predicates] + ([self.change[1]] if self.change else [])
        return tuple(constant for constant in drawn if constant.parameter)


def build_pipeline(dice: Dice, source_name: str) -> Problem | None:
    """A problem on the elements of the named source; None where the drawn parts do not fit."""
    source = SOURCES[source_name]
    collector = COLLECTORS[dice.named(COLLECTOR_SHARES)]
    parts = draw_parts(dice, source, collector)
    if parts is None:
        return None
    code = code_slots(dice, parts)
    bodies = tuple(filter(None, (clean_body(parts, code), loop_body(parts, code))))
    if not bodies or clashes(bodies, parts):
        return None
    tag = [item.tag for item, _ in parts.predicates]
    changed = [parts.change[0].tag] if parts.change else []
    name = draw_name(dice, source, collector, tag, changed)
    parameters = parts.parameters + tuple(item.parameter for item in parts.extras if item.parameter)
    if (
        len({item.name for item in parameters} | set(code["t"].split(", ")))
        < len(parameters) + code["t"].count(",") + 1
    ):
        return None
    score = source.difficulty + collector.difficulty + len(tag) // 2 + (1 if tag and changed else 0)
    preludes = sorted({item for item in (source.prelude, collector.prelude) if item})
    if collector.prelude and len(bodies) > 1 and dice.chance(0.5):
        bodies = bodies[1:]
        preludes.remove(collector.prelude)
    return Problem(
        concepts=(
            source_name,
            collector.tag,
            *(["condition"] if tag else []),
            *(["change"] if changed else []),
        ),
        name=name,
        parameters=parameters,
        returns=code["returns"],
        task=draw_task(dice, parts),
        notes=tuple(filter(None, (fill(collector.note, {"d": parts.default}),))),
        bodies=bodies,
        manner="Make it a generator." if collector.tag == "lazily" else "",
        calls=calls_of(name, draw_arguments(dice, parts), collector.around),
        prelude="\n".join(preludes),
        steps=step_clauses(parts, "return the outcome"),
        difficulty=("easy", "easy", "medium", "hard", "hard", "hard")[score],
    )


def clashes(bodies: tuple[str, ...], parts: Parts) -> bool:
    """Whether a body assigns to one of the function's parameters or of the loop's variables."""
    taken = {item.name for item in parts.parameters} | {item.code for item in parts.extras}
    assigned = {word for body in bodies for names in _ASSIGNED.findall(body) for word in names.split(", ")}
    return bool(assigned & (taken | set(parts.target.split(", ")) - set(_LOOPED.findall(bodies[-1]))))


def draw_parts(dice: Dice, source: Source, collector: Collector) -> Parts | None:
    if source.only and collector.whole:
        return None
    double = "," in source.variables[0] and source.kind in ("steps", "indexed")
    nested = "|" in source.loop
    if (collector.single or collector.ordinal) and (double or nested or source.kind in ("row", "date")):
        return None
    if collector.ordinal and not source.plain:
        return None
    conditions = {"filter": 1.0, "both": 1.0, "map": 0.25, "free": 0.55, "either": 0.6}[collector.form]
    changes = {"filter": 0.0, "both": 1.0, "map": 1.0, "free": 0.5, "either": 0.55}[collector.form]
    # A second number to compute with is what most numeric collectors lack on such sources.
    wanted = collector.needs
    needs_change = double or source.kind in ("row", "date")
    change = None
    if dice.chance(changes) or (needs_change and wanted != "any") or not fits(source.kind, wanted):
        fitting = [item for item in CHANGES[source.kind] if fits(item.gives, wanted)]
        if not fitting or collector.form == "filter":
            return None
        drawn = dice.one(fitting)
        change = drawn, draw_constant(dice, drawn.k, drawn.code, True)
    elif source.kind == "date" and collector.tag not in (
        "any",
        "every",
        "none_of",
        "count",
        "streak",
        "labelled",
    ):
        return None
    predicates = []
    if dice.chance(conditions) or (collector.form == "either" and change is None):
        for item in draw_predicates(dice, source.kind):
            predicates.append((item, draw_constant(dice, item.k, item.code, change is None or not change[1].parameter)))
    if collector.tag == "replaced" and change and change[0].gives != result_kind(source.kind):
        return None
    parameters = source.draw_parameters(dice)
    taken = {item.name for item in parameters}
    targets = [one for option in source.variables for one in ([option] if "," in option else option.split())]
    targets = [one for one in targets if not taken & set(one.split(", "))]
    if collector.ordinal:
        targets = [one for one in targets if one != "i"]
    labels = dice.one(
        (('"yes"', '"no"'), ("1", "0"), ("True", "False"), ("1", "-1"), ('"x"', '"."'), ('"hit"', '"miss"'))
    )
    default = "None"
    if collector.tag in ("first", "last") and dice.chance(0.3):
        default = '""' if result_kind(source.kind) == "word" else "-1" if result_kind(source.kind) == "int" else "None"
    return Parts(
        source, collector, tuple(predicates), change, draw_constant(dice, collector.k, "{j}", False), parameters,
        dice.one(targets), default, labels,
    )  # fmt: skip


def draw_predicates(dice: Dice, kind: str) -> list[Predicate]:
    pool = PREDICATES[kind]
    first = dice.one(pool)
    if not dice.chance(0.25) or kind in ("char", "row", "steps"):
        return [first]
    second = dice.one([item for item in pool if item.noun.startswith("{noun} ") and item.tag != first.tag] or [first])
    conflicting = {"between", "outside", "other", "two_digit", "ending"}
    if second is first or " or " in first.code + second.code or {first.tag, second.tag} & conflicting:
        return [first]
    return [first, second]


def result_kind(kind: str) -> str:
    return {"digit": "int", "char": "word"}.get(kind, kind)


def fits(kind: str, wanted: str) -> bool:
    kind = result_kind(kind)
    if wanted == "one":
        return kind in ("int", "word")
    return wanted == "any" or kind == wanted


def code_slots(dice: Dice, parts: Parts) -> dict[str, str]:
    """The values of the code templates' slots."""
    source, collector, target = parts.source, parts.collector, parts.target
    names = target.split(", ")
    variables = {"x": names[0]}
    if len(names) == 2:
        variables = {"a": names[0], "b": names[1], "x": names[1] if names[0] == "_" else names[0]}
    element = f"({target})" if len(names) == 2 and source.kind in ("steps", "indexed") else variables["x"]
    origin = result_kind(source.kind)
    outcome = origin
    bare = element == target
    if parts.change:
        element = fill(parts.change[1].in_code(parts.change[0].code), variables)
        outcome, bare = parts.change[0].gives, element == target
    conditions = [fill(constant.in_code(item.code), variables) for item, constant in parts.predicates]
    places = dict(zip("pq", (item.name for item in parts.parameters), strict=False))
    if source.only:
        conditions.insert(0, fill(source.only, {**variables, **places}))
    condition = " and ".join(conditions)
    outer, _, row = source.loop.partition("|")
    iterable = fill(outer, places)
    clause = f"{target} in {iterable}"
    if row:
        clause = f"{row} in {iterable} for {target} in {row}"
        bare = False
    test = f" if {condition}" if condition else ""
    generator = f"{element} for {clause}{test}"
    # Counter takes the values of a dictionary for counts.
    bare = bare and not test and not (collector.tag == "counts" and source.loop == "{p}")
    pair = "tuple[int, int]"
    kinds = {"o": _ANNOTATIONS.get(outcome, pair), "s": _ANNOTATIONS.get(origin, pair)}
    initial = collector.init.split("\n")[0].rpartition("= ")[2]
    pool = _ACCUMULATORS.get(initial.replace("{d}", "None"), ("result", "out", "acc"))
    taken = {item.name for item in parts.parameters} | set(names) | {extra.code for extra in parts.extras}
    taken |= {word for line in collector.init.split("\n")[1:] for word in line.split(" = ")}
    return {
        **variables, "e": element, "t": target, "it": iterable, "row": row, "c": condition, "if": test,
        "clause": clause, "gen": iterable if bare else generator, "pgen": iterable if bare else f"({generator})",
        "acc": dice.one([name for name in pool if name not in taken] or ["out"]), "k": parts.constant.code,
        "d": parts.default, "yes": parts.labels[0], "no": parts.labels[1],
        "returns": fill(collector.returns, kinds),
    }  # fmt: skip


def clean_body(parts: Parts, code: dict[str, str]) -> str:
    template = parts.collector.clean.replace("{t} in {it}", "{clause}") if code["row"] else parts.collector.clean
    if code["row"] and "\nfor {clause}:" in template:
        return ""
    if template == "return [{e} for {t} in {it}{if}]" and code["gen"] == code["it"]:
        return f"return list({code['it']})"
    return fill(template, code)


def loop_body(parts: Parts, code: dict[str, str]) -> str:
    """The same with an explicit loop; "" where the collector has no such form."""
    collector = parts.collector
    init, update, result = collector.init, collector.update, collector.result
    condition = code["c"]
    if collector.tag == "every":
        condition = f"not ({condition})" if " and " in condition or " or " in condition else f"not {condition}"
    if collector.tag == "prefix":
        init, update, result, condition = (
            init,
            f"if not ({condition}):\n    break\n{{acc}}.append({{e}})",
            "{acc}",
            "",
        )
    if collector.tag == "indices":
        return fill(f"{{acc}} = []\nfor i in range(len({{it}})):\n    {{x}} = {{it}}[i]\n    if {condition}:\n"
                    "        {acc}.append(i)\nreturn {acc}", code)  # fmt: skip
    if not update:
        return ""
    inner = fill(update, code)
    if condition:
        inner = f"if {condition}:\n{indent(inner, '    ')}"
    loop = f"for {code['t']} in {code['it']}:\n{indent(inner, '    ')}"
    if code["row"]:
        loop = f"for {code['row']} in {code['it']}:\n    for {code['t']} in {code['row']}:\n{indent(inner, '        ')}"
    end = f"return {fill(result, code)}" if result else ""
    return "\n".join(filter(None, (fill(init, code), loop, end)))


def plain_phrase(parts: Parts) -> str:
    """The elements before the condition: "numbers in `values`"."""
    places = dict(zip("pq", (item.name for item in parts.parameters), strict=False))
    return f"{parts.source.noun} {fill(parts.source.where, places)}"


def bare_phrase(parts: Parts) -> str:
    """The elements that meet the condition, without an article."""
    phrase = plain_phrase(parts)
    where = phrase[len(parts.source.noun) :]
    for number, (item, constant) in enumerate(parts.predicates):
        noun = constant.in_words(item.noun)
        if number and parts.predicates[0][0].noun.startswith("{noun} "):
            noun = noun.replace("{noun} ", "{noun} and ", 1)
        phrase = fill(noun, {"noun": phrase}) if "{noun}" in noun else noun + where
    return phrase


def draw_task(dice: Dice, parts: Parts) -> tuple[str, ...]:
    collector = parts.collector
    if collector.last_step and (parts.change or parts.predicates) and dice.chance(0.35):
        return step_clauses(parts, fill(collector.last_step, {"k": parts.constant.code}).replace(
            "{k!r}", repr(parts.constant.code)))  # fmt: skip
    bare = bare_phrase(parts)
    of = f"the {bare}"
    its = ""
    if parts.change:
        change, constant = parts.change
        its = constant.in_words(change.its)
        if "{its}" not in collector.asks[0]:
            of = fill(constant.in_words(change.many), {"of": of})
    verb = " and ".join(constant.in_words(item.verb) for item, constant in parts.predicates)
    asked = dice.one(collector.asks).replace("{k!r}", repr(parts.constant.code))
    slots = {"of": of, "bare": bare, "all": plain_phrase(parts), "verb": verb, "its": its,
             "k": parts.constant.code, "yes": parts.labels[0], "no": parts.labels[1]}  # fmt: skip
    return (fill(asked, slots),)


def step_clauses(parts: Parts, last: str) -> tuple[str, ...]:
    bare = bare_phrase(parts)
    first = f"keep only the {bare}" if parts.predicates else f"take the {bare}"
    middle = (parts.change[1].in_words(parts.change[0].step),) if parts.change else ()
    return (first, *middle, last)


def draw_name(dice: Dice, source: Source, collector: Collector, tags: list[str], changed: list[str]) -> str:
    verb = dice.one(collector.names)
    noun = changed[0] if changed else source.noun.replace("positive ", "").split()[0]
    middle = "_".join(tags[: dice.whole(1, 2)])
    options = [
        "_".join(filter(None, (verb, middle, noun))),
        "_".join(filter(None, (middle, noun, verb))),
        "_".join(filter(None, ("get", verb, middle, noun))),
        "_".join(filter(None, (verb, noun, middle))),
        "_".join(filter(None, (verb, "of", middle, noun))),
        "_".join((verb, noun)),
        "_".join(filter(None, ("compute", verb, middle))),
    ]
    return dice.one(options).replace("-", "_")


def draw_arguments(dice: Dice, parts: Parts) -> list[tuple[object, ...]]:
    edges: list[int | str] = [edge for _, constant in parts.predicates for edge in constant.edges]
    edges += parts.change[1].edges if parts.change else ()
    letters = [edge for edge in edges if isinstance(edge, str)]
    near: list[int] | list[str] = [edge for edge in edges if isinstance(edge, int)]
    if parts.source.kind == "word":
        near = [f"{edge}og" for edge in letters] + [f"fa{edge}" for edge in letters] + ["Abe"]
    elif parts.source.kind == "char":
        near = list("".join(letters))
    given = parts.source.arguments(dice, near)
    extras = parts.extras
    return [
        arguments + tuple(extra.values[index % len(extra.values)] for extra in extras)
        for index, arguments in enumerate(given)
    ]
