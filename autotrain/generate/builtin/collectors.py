"""What a pipeline makes of its elements: one number, a list, a dictionary, an answer, a generator.

Code templates: {e} the element's expression, {t} the loop's target, {x} its variable, {it} the iterable,
{c} the condition, {if} " if condition" or nothing, {gen} a generator expression or the bare iterable,
{pgen} the same in parentheses, {acc} the accumulator's name, {k} a drawn constant. Word templates: {of} "the even
numbers in `x`", {bare} the same without "the", {all} the elements before the condition, {verb} the condition,
{its} what becomes of one element.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Collector:
    tag: str
    needs: str
    """The kind of element it takes: int, word or any."""
    form: str
    """filter: a condition and no change; map: a change and no condition; both; free; either."""
    asks: tuple[str, ...]
    """The task, from its verb on."""
    last_step: str
    """The last clause of a task told step by step, or "" where it cannot be told so."""
    clean: str
    init: str = ""
    update: str = ""
    result: str = ""
    returns: str = "int"
    note: str = ""
    prelude: str = ""
    names: tuple[str, ...] = ()
    k: tuple[int, int] | str | None = None
    around: str = "{}"
    single: bool = False
    """Whether it needs a source with one loop variable."""
    ordinal: bool = False
    """Whether positions make sense, so that the elements must be those of a list or string."""
    whole: bool = False
    """Whether it also looks at the elements that do not meet the condition."""
    share: float = 1.0
    difficulty: int = 0


K = Collector
NONE = "If there are none, return {d}."

COLLECTORS: dict[str, Collector] = {
    item.tag: item
    for item in (
        K("sum", "int", "free", ("return the sum of {of}", "return the total of {of}"), "return their sum",
          "return sum({gen})", "{acc} = 0", "{acc} += {e}", "{acc}", names=("sum", "total", "add")),
        K("count", "any", "filter", ("return the number of {bare}", "return the count of {bare}",
          "count the {bare} and return the count"), "return how many there are",
          "return sum(1 for {t} in {it} if {c})", "{acc} = 0", "{acc} += 1", "{acc}",
          names=("count", "number_of", "how_many")),
        K("collect", "any", "either", ("return a list of {of}", "return {of} as a list",
          "build and return a list of {of}"), "return the results as a list",
          "return [{e} for {t} in {it}{if}]", "{acc} = []", "{acc}.append({e})", "{acc}", "list[{o}]",
          "Keep the original order.", names=("list", "keep", "select", "collect"), share=1.6),
        K("maximum", "int", "free", ("return the largest of {of}", "return the maximum of {of}"),
          "return the largest result", "return max({pgen}, default={d})",
          "{acc} = {d}", "if {acc} is None or {e} > {acc}:\n    {acc} = {e}", "{acc}", "int | None", NONE,
          names=("max", "largest", "highest")),
        K("minimum", "int", "free", ("return the smallest of {of}", "return the minimum of {of}"),
          "return the smallest result", "return min({pgen}, default={d})",
          "{acc} = {d}", "if {acc} is None or {e} < {acc}:\n    {acc} = {e}", "{acc}", "int | None", NONE,
          names=("min", "smallest", "lowest")),
        K("product", "int", "free", ("return the product of {of}",), "return their product",
          "return math.prod({gen})", "{acc} = 1", "{acc} *= {e}", "{acc}", note="The empty product is 1.",
          prelude="import math", names=("product", "multiply")),
        K("any", "any", "filter", ("return True if any of the {all} {verb}, otherwise False",
          "check whether at least one of the {all} {verb} and return True or False"), "",
          "return any({c} for {t} in {it})", "", "return True", "False", "bool",
          names=("has", "any", "contains")),
        K("every", "any", "filter", ("return True if every one of the {all} {verb}, otherwise False",
          "check whether each of the {all} {verb} and return True or False"), "",
          "return all({c} for {t} in {it})", "", "return False", "True", "bool", "If there are none at all, return True.",
          whole=True, names=("all", "every", "only")),
        K("none_of", "any", "filter", ("return True if none of the {all} {verb}, otherwise False",), "",
          "return not any({c} for {t} in {it})", "", "return False", "True", "bool",
          names=("no", "none", "without")),
        K("first", "any", "filter", ("return the first of {of}", "find the first of {of} and return it"), "",
          "return next(({e} for {t} in {it} if {c}), {d})", "", "return {e}", "{d}", "{o} | None", NONE,
          names=("first", "find_first")),
        K("last", "any", "filter", ("return the last of {of}", "find the last of {of} and return it"), "",
          "found = [{e} for {t} in {it} if {c}]\nreturn found[-1] if found else {d}",
          "{acc} = {d}", "{acc} = {e}", "{acc}", "{o} | None", NONE, names=("last", "find_last")),
        K("average", "int", "free", ("return the average of {of}", "return the arithmetic mean of {of}"),
          "return their average", "found = [{e} for {t} in {it}{if}]\nreturn sum(found) / len(found) if found else 0.0",
          "{acc} = 0\ncount = 0", "{acc} += {e}\ncount += 1", "{acc} / count if count else 0.0", "float",
          "If there are none, return 0.0.", names=("average", "mean"), difficulty=1),
        K("distinct", "one", "free", ("return a sorted list of the distinct values among {of}",
          "return {of} without duplicates, as a sorted list"), "return the distinct results as a sorted list",
          "return sorted({{e} for {t} in {it}{if}})", "{acc} = set()", "{acc}.add({e})", "sorted({acc})",
          "list[{o}]", names=("unique", "distinct")),
        K("distinct_count", "one", "free", ("return the number of different values among {of}",
          "count the distinct values among {of} and return the count"), "return how many different results there are",
          "return len({{e} for {t} in {it}{if}})", "{acc} = set()", "{acc}.add({e})", "len({acc})",
          names=("count_distinct", "count_unique")),
        K("as_set", "one", "either", ("return a set of {of}", "return the set that consists of {of}"),
          "return the results as a set", "return {{e} for {t} in {it}{if}}", "{acc} = set()",
          "{acc}.add({e})", "{acc}", "set[{o}]", names=("set_of", "gather")),
        K("ascending", "one", "free", ("return a list of {of} in ascending order",
          "sort {of} in ascending order and return the list"), "return the results as a list in ascending order",
          "return sorted({gen})", "{acc} = []", "{acc}.append({e})", "sorted({acc})", "list[{o}]",
          names=("sorted", "sort", "ordered")),
        K("descending", "one", "free", ("return a list of {of} in descending order",
          "sort {of} in descending order and return the list"), "return the results as a list in descending order",
          "return sorted({pgen}, reverse=True)", "{acc} = []", "{acc}.append({e})",
          "sorted({acc}, reverse=True)", "list[{o}]", names=("descending", "sorted_down")),
        K("backwards", "any", "either", ("return a list of {of} in reverse order",
          "return {of} as a list, the last one first"), "return the results as a list in reverse order",
          "return [{e} for {t} in {it}{if}][::-1]", "{acc} = []", "{acc}.insert(0, {e})", "{acc}", "list[{o}]",
          names=("backwards", "reverse")),
        K("joined", "word", "free", ("return {of} joined with {k!r} into one string",
          "join {of} with {k!r} and return the string"), "return the results joined with {k!r}",
          'return "{k}".join({gen})', "{acc} = []", "{acc}.append({e})", '"{k}".join({acc})', "str",
          k="-|, |_|/|+| | and |;|:", names=("join", "joined"), share=1.3),
        K("concatenated", "word", "either", ("return the string made by concatenating {of}",
          "concatenate {of} into one string and return it"), "return the results as one string without separators",
          'return "".join({gen})', '{acc} = ""', "{acc} += {e}", "{acc}", "str", names=("concat", "merge", "text_of")),
        K("longest", "word", "free", ("return the longest of {of}", "find the longest of {of} and return it"),
          "return the longest result", 'return max({pgen}, key=len, default="")',
          '{acc} = ""', "if len({e}) > len({acc}):\n    {acc} = {e}", "{acc}", "str",
          'If several are equally long, take the first one; if there are none, return "".',
          names=("longest", "find_longest"), share=0.6),
        K("total_length", "word", "free", ("return the total length of {of}",
          "return the sum of the lengths of {of}"), "return the sum of their lengths",
          "return sum(len({e}) for {t} in {it}{if})", "{acc} = 0", "{acc} += len({e})", "{acc}",
          names=("total_length", "combined_length"), share=0.6),
        K("largest_few", "int", "free", ("return a list of the {k} largest of {of}, largest first",),
          "return a list of the {k} largest results, largest first", "return sorted({pgen}, reverse=True)[:{k}]",
          "{acc} = []", "{acc}.append({e})", "sorted({acc}, reverse=True)[:{k}]", "list[int]",
          "If there are fewer, return all of them.", k=(2, 4), names=("top", "largest_few", "biggest"), difficulty=1),
        K("indices", "any", "filter", ("return a list of the positions (counted from 0) of {of}",), "",
          "return [i for i, {t} in enumerate({it}) if {c}]", "{acc} = []\ni = 0",
          "", "", "list[int]", names=("indices", "positions"), single=True, ordinal=True, difficulty=1),
        K("mapping", "any", "map", ("return a dictionary that maps each of {of} to {its}",
          "build and return a dictionary with {of} as keys, each mapped to {its}"), "",
          "return {{x}: {e} for {t} in {it}{if}}", "{acc} = {}", "{acc}[{x}] = {e}", "{acc}", "dict[{s}, {o}]",
          names=("map", "table", "lookup"), single=True, difficulty=1),
        K("counts", "one", "free", ("return a dictionary that tells how often each value occurs among {of}",
          "count how often each value occurs among {of} and return the counts as a dictionary"),
          "return a dictionary from each result to how often it occurs", "return dict(Counter({gen}))",
          "{acc} = {}", "{acc}[{e}] = {acc}.get({e}, 0) + 1", "{acc}", "dict[{o}, int]",
          prelude="from collections import Counter", names=("frequencies", "tally", "count_each"), difficulty=1),
        K("groups", "one", "map", ("group {of} in lists and return a dictionary of them; the key of each is {its}",
          "return a dictionary that groups {of} in lists; the key of each is {its}"), "", "",
          "{acc} = {}", "{acc}.setdefault({e}, []).append({x})", "{acc}", "dict[{o}, list[{s}]]",
          names=("group", "group_by", "bucket"), single=True, difficulty=2),
        K("partition", "any", "filter", ("return a tuple of two lists: first {of}, then the other ones",), "",
          "first = [{e} for {t} in {it} if {c}]\nrest = [{e} for {t} in {it} if not ({c})]\nreturn first, rest",
          "", "", "", "tuple[list[{o}], list[{o}]]", "Keep the original order in both.",
          whole=True, names=("split", "partition", "separate"), difficulty=1),
        K("running", "int", "free", ("return a list of the running totals of {of}",
          "return the cumulative sums of {of} as a list"), "return a list of their running totals",
          "return list(accumulate({gen}))", "{acc} = []\ntotal = 0", "total += {e}\n{acc}.append(total)", "{acc}",
          "list[int]", prelude="from itertools import accumulate", names=("running_totals", "cumulative", "prefix_sums"),
          difficulty=1),
        K("spread", "int", "free", ("return the difference between the largest and the smallest of {of}",),
          "return the largest result minus the smallest",
          "found = [{e} for {t} in {it}{if}]\nreturn max(found) - min(found) if found else 0",
          "{acc} = []", "{acc}.append({e})", "max({acc}) - min({acc}) if {acc} else 0",
          note="If there are none, return 0.", names=("spread", "extent", "difference"), difficulty=1),
        K("prefix", "any", "filter", ("return a list of the {all}, in order, up to but not including the first one "
          "for which it is not true that it {verb}",), "", "return list(takewhile(lambda {t}: {c}, {it}))", "{acc} = []",
          "", "", "list[{o}]", prelude="from itertools import takewhile", whole=True, names=("leading", "prefix", "take_while"),
          single=True, share=0.7, difficulty=1),
        K("streak", "any", "filter", ("return the length of the longest run of consecutive elements among the {all} "
          "where each {verb}",), "", "best = current = 0\nfor {t} in {it}:\n    current = current + 1 if {c} else 0\n"
          "    best = max(best, current)\nreturn best", "", "", "", whole=True, names=("longest_run", "streak"), share=0.7,
          difficulty=2),
        K("signed", "int", "filter", ("return the sum of {of} minus the sum of the other ones",), "",
          "return sum({e} if {c} else -{e} for {t} in {it})", "", "", "", whole=True, names=("balance", "signed_sum"),
          difficulty=1),
        K("replaced", "one", "both", ("return a list of the {all} in which each one that {verb} is replaced by {its}",
          ), "", "return [{e} if {c} else {x} for {t} in {it}]", "", "", "", "list[{o}]",
          "Leave the others unchanged.", whole=True, names=("replace", "update", "adjust"), single=True, difficulty=1),
        K("labelled", "any", "filter", ("return a list with {yes} for each of the {all} that {verb} and {no} for "
          "every other one",), "", "return [{yes} if {c} else {no} for {t} in {it}]",
          "", "", "", "list", whole=True, names=("label", "mark", "flag"), difficulty=1),
        K("lazily", "any", "free", ("yield {of} one by one", "yield {of} in order"), "", "",
          "", "yield {e}", "", "Iterator[{o}]", "", names=("iter", "generate", "each"),
          around="list({})", share=1.2, difficulty=1),
        K("sum_and_count", "int", "free", ("return a tuple of the sum of {of} and their number",), "",
          "found = [{e} for {t} in {it}{if}]\nreturn sum(found), len(found)", "{acc} = 0\ncount = 0",
          "{acc} += {e}\ncount += 1", "{acc}, count", "tuple[int, int]", names=("sum_and_count", "summary"),
          share=0.6, difficulty=1),
        K("extremes", "int", "free", ("return a tuple of the smallest and the largest of {of}",),
          "return a tuple of the smallest and the largest result",
          "found = [{e} for {t} in {it}{if}]\nreturn (min(found), max(found)) if found else None",
          "{acc} = []", "{acc}.append({e})", "(min({acc}), max({acc})) if {acc} else None",
          "tuple[int, int] | None", "If there are none, return None.", names=("extremes", "bounds", "min_and_max"),
          share=0.6, difficulty=1),
    )
}  # fmt: skip
COLLECTOR_SHARES = {name: item.share for name, item in COLLECTORS.items()}
