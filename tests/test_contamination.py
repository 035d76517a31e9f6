"""A benchmark's problems are found however they are dressed up, and other tasks are left alone."""

import ast
import bisect
import inspect
import pickle
import re
import statistics
import string
import textwrap
from collections.abc import Callable

import pytest

from autotrain.generate.builtin import builtin_samples
from autotrain.sample import Sample, in_fence
from autotrain.validate.contamination import Benchmarks, Overlap, Signature, found_by_problem, signatures
from autotrain.validate.fingerprints import read
from autotrain.validate.problems import Problem, problems_of, read_human_eval

NEW_NAMES = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"]
ELSEWHERE = in_fence("def helper(lst, n):\n    return None")
FRAME = """You are helping with the back end of a library. Read everything first, then answer with one block of Python.

{}

Keep to the style of the project: short functions, no print. You may use `def normalise(record, values): return values`.
"""
DOCSTRING = re.compile(r'("""(?:.|\n)*?"""|\'\'\'(?:.|\n)*?\'\'\')')


@pytest.fixture(scope="module")
def human_eval() -> list[Problem]:
    return read_human_eval()


@pytest.fixture(scope="module")
def benchmarks(human_eval: list[Problem]) -> Benchmarks:
    return Benchmarks(human_eval)


def sample(instruction: str, output: str, given: str = "") -> Sample:
    return Sample(id="r1-1", instruction=instruction, input=given, output=output)


# ---------------------------------------------------------------------------------------------------
# HumanEval in other clothes


def find(benchmarks: Benchmarks, sample: Sample) -> Overlap | None:
    return benchmarks.find([read(sample)])[0]


def renaming(problem: Problem) -> Callable[[str], str]:
    functions = [node for node in ast.parse(problem.code).body if isinstance(node, ast.FunctionDef)]
    names = [name for node in functions for name in (node.name, *(arg.arg for arg in node.args.args))]
    new = dict(zip(dict.fromkeys(names), NEW_NAMES, strict=False))
    return lambda text: re.sub(r"\b\w+\b", lambda found: new.get(found[0], found[0]), text)


def renamed_in_code(problem: Problem) -> Callable[[str], str]:
    """Sentences go on speaking of the old names; headers, examples and bodies have the new ones."""
    rename = renaming(problem)

    def reword(text: str) -> str:
        parts = DOCSTRING.split(text)
        for place, part in enumerate(parts):
            lines = part.split("\n")
            parts[place] = "\n".join(
                rename(line) if place % 2 == 0 or line.lstrip().startswith(">>>") else line for line in lines
            )
        return "".join(parts)

    return reword


def reworded(text: str) -> str:
    """Other white space and the other kind of quotes."""
    text = text.replace("    ", "\t").replace(", ", " ,  ").replace("\n", "\n\n")
    text = text.replace('"""', "\0").replace("'''", "\0")
    return text.translate(str.maketrans("'\"", "\"'")).replace("\0", "'''")


CLOTHES: dict[str, Callable[[Problem], Callable[[str], str]]] = {
    "verbatim": lambda problem: str,
    "reworded": lambda problem: lambda text: reworded(renaming(problem)(text)),
    "reworded in code only": lambda problem: lambda text: reworded(renamed_in_code(problem)(text)),
}
PLACES: dict[str, Callable[[str, str], Sample]] = {
    "whole": lambda text, code: sample(text, in_fence(code)),
    "only the question": lambda text, code: sample(text, ELSEWHERE),
    "in a longer task": lambda text, code: sample(FRAME.format(text), in_fence(code)),
    "only the question, in a longer task": lambda text, code: sample(FRAME.format(text), ELSEWHERE),
    "in the input": lambda text, code: sample("Complete the function.", ELSEWHERE, text),
    "in the answer": lambda text, code: sample("Solve the task.", in_fence(code)),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("clothes", CLOTHES)
def test_each_of_human_evals_problems_is_caught(
    clothes: str, place: str, human_eval: list[Problem], benchmarks: Benchmarks
) -> None:
    missed = []
    for problem in human_eval:
        change = CLOTHES[clothes](problem)
        if find(benchmarks, PLACES[place](change(problem.text), change(problem.code))) is None:
            missed.append(problem.name)
    assert missed == []


def test_a_solution_of_some_size_is_caught_on_its_own(human_eval: list[Problem], benchmarks: Benchmarks) -> None:
    caught = []
    for problem in human_eval:
        code = renaming(problem)(DOCSTRING.sub("", problem.code))
        caught.append(find(benchmarks, sample("Write the code.", in_fence(code))))
    assert sum(overlap is not None and overlap.how == "code" for overlap in caught) >= 140


# ---------------------------------------------------------------------------------------------------
# What is none of its problems


def test_of_builtin_samples_hardly_one_is_flagged(benchmarks: Benchmarks) -> None:
    flagged = [overlap for each in builtin_samples(400, 42, 1) if (overlap := find(benchmarks, each))]
    assert len(flagged) <= 4
    # The builtin teacher does ask for such classics.
    assert {overlap.problem for overlap in flagged} <= {"HumanEval/31", "HumanEval/55"}


def test_the_standard_library_shares_nothing(benchmarks: Benchmarks) -> None:
    flagged = []
    for module in (textwrap, statistics, bisect, string):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            asked = f"Write a Python function `{name}`.\n{inspect.getdoc(function)}"
            if find(benchmarks, sample(asked, in_fence(inspect.getsource(function)))):
                flagged.append(name)
    assert flagged == []


OTHERS = [
    ("find the n-th power of the elements of a list", "def nth_nums(nums, n):\n    return [x**n for x in nums]"),
    ("check whether two numbers differ at one bit position only", "def differ_at_one_bit(a, b):\n    return a ^ b"),
    ("add a tax to a price", "def add(price):\n    return price * 1.19"),
    ("add two numbers", "def add(x, y):\n    return x + y"),
    ("sort a dictionary by value", "def sort_dict(d):\n    return sorted(d.items(), key=lambda item: item[1])"),
    ("tell the median of the sizes of files", "def median(l):\n    return statistics.median(map(size, l))"),
    ("sort an array of dates, the newest first", "def sort_array(arr):\n    return sorted(arr, reverse=True)"),
]


@pytest.mark.parametrize(("text", "code"), OTHERS)
def test_other_tasks_share_nothing(text: str, code: str, benchmarks: Benchmarks) -> None:
    assert find(benchmarks, sample(f"Write a function to {text}.", in_fence(code))) is None


# ---------------------------------------------------------------------------------------------------
# Other benchmarks

CLAMP = "def clamp_all(values, low, high):\n    return [max(low, min(high, value)) for value in values]"
ASKED = "Return the numbers of a list with those outside the limits replaced by the nearer limit."


def test_a_function_of_the_same_name_counts_with_the_words_of_the_task() -> None:
    benchmarks = Benchmarks([Problem("mine/1", ASKED, CLAMP, "clamp_all")])
    code = "def clampAll(xs, a, b):\n    return [a if x < a else b if x > b else x for x in xs]"
    words = "Given numbers, list those outside replaced by their nearer limit."
    found = find(benchmarks, sample(words, in_fence(code)))
    assert found == Overlap("mine/1", "signature", "its function, with 3 parameters, and 8 of its 10 longer words")
    assert find(benchmarks, sample("Colour the picture.", in_fence(code))) is None
    fewer = code.replace("xs, a, b", "xs, a").replace(" b ", " a ")
    assert find(benchmarks, sample(words, in_fence(fewer))) is None


def test_a_short_problem_counts_by_all_its_words() -> None:
    benchmarks = Benchmarks([Problem("mine/1", "Reverse the words of a sentence.")])
    found = find(benchmarks, sample("Please reverse: the words of a sentence!", "Done."))
    assert found == Overlap("mine/1", "words", "100% of its runs of words")
    assert find(benchmarks, sample("Reverse the letters of a sentence.", "Done.")) is None


def test_phrases_that_many_problems_share_do_not_count() -> None:
    phrase = "Write a Python function that takes the list below and returns what is asked for, without any import."
    tasks = [
        "Sort it by size, then colour.",
        "Count the odd ones there.",
        "Drop the first three of them.",
        "Join it up.",
    ]
    benchmarks = Benchmarks([Problem(f"mine/{n}", f"{phrase} {task} {task}") for n, task in enumerate(tasks)])
    assert find(benchmarks, sample(f"{phrase} Shuffle everything, twice if you must.", "Done.")) is None
    assert find(benchmarks, sample(f"{phrase} {tasks[1]} {tasks[1]}", "Done.")) is not None


def test_a_runs_own_validation_set_is_a_benchmark() -> None:
    samples = list(builtin_samples(60, 9, 1))
    benchmarks = Benchmarks(problems_of(samples[:30], "validation"), share=0.5)
    assert all(find(benchmarks, each) for each in samples[:30])
    assert sum(find(benchmarks, each) is None for each in samples[30:]) >= 25


def test_a_worker_finds_the_same(benchmarks: Benchmarks, human_eval: list[Problem]) -> None:
    sent = pickle.loads(pickle.dumps(benchmarks))
    each = sample(human_eval[3].text, ELSEWHERE)
    assert find(sent, each) == find(benchmarks, each) is not None


def test_without_problems_nothing_is_found() -> None:
    assert find(Benchmarks([]), sample("Sort.", in_fence(CLAMP))) is None
    assert find(Benchmarks([Problem("mine/1", "")]), sample("Sort.", "Done.")) is None


def test_signatures_are_read_without_annotations_and_defaults() -> None:
    text = (
        "def f(self, a: dict[str, tuple[int, ...]], b=(1, 2), *c, d: int = 3, **e) -> int:\nclass A: ...\ndef g(): pass"
    )
    assert signatures(text) == [Signature("f", ("a", "b", "c", "d", "e")), Signature("g", ())]


def test_what_was_found_is_counted_by_problem() -> None:
    overlaps = [Overlap("B/10", "words", ""), Overlap("B/9", "code", ""), Overlap("B/10", "code", "")]
    assert list(found_by_problem([*overlaps, overlaps[0]]).items()) == [
        ("B/9", {"code": 1}),
        ("B/10", {"code": 1, "words": 2}),
    ]
