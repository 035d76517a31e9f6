"""Instructions in varied words: frames for each task type, filled from a problem."""

from collections.abc import Mapping

from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.problem import Problem
from autotrain.generate.builtin.running import Verified

WRITE = (
    "Write a Python function `{sig}` that {does}.",
    "Implement `{sig}`. It should {do}.",
    "Define a function called `{name}` that takes {takes} and {does}.",
    "Given {takes}, {do}. Name the function `{name}`.",
    "I need a Python function `{sig}`: it {does}.",
    "Create the function `{sig}` in Python. The function {does}.",
    "{Do}. Put this in a Python function `{sig}`.",
    "Please code `{sig}`, which {does}.",
    "Write `{name}`, a function of {takes}. It {does}.",
    "Task: {do}. Signature: `{sig}`.",
)
WRITE_CLASS = (
    "Write a Python class `{name}` that {does}.",
    "Implement a class `{name}`. It should {do}.",
    "Define a class called `{name}`, which {does}.",
    "Create the Python class `{name}`: it {does}.",
    "I need a class `{name}` that {does}.",
    "Please code the class `{name}`. It {does}.",
)
COMPLETE = (
    "Complete the function `{name}`.",
    "Fill in the body of `{name}` so that it does what its docstring says.",
    "Finish this Python code. Return the whole of `{name}`.",
    "The code below stops after the docstring. Write all of `{name}`.",
    "Complete the code according to the docstring and give it in full.",
    "Implement `{name}` as its docstring describes; keep the signature.",
    "Continue this stub and answer with the complete code of `{name}`.",
    "Here is the start of `{name}`. Write the complete version.",
)
FIX = (
    "`{name}` should {do}, but it has a bug. Fix it.",
    "Find and fix the bug in this code. What `{name}` has to do: {do}.",
    "This code is wrong. `{name}` is meant to {do}. Correct it.",
    "Repair `{name}`. Expected behaviour: {do}.",
    "The tests of `{name}` fail. It should {do}. Give the corrected code.",
    "A colleague wrote `{name}` to {do}; it does not work. Debug it.",
    "Correct the mistake in `{name}` so that it {does}.",
    "There is one bug in the code below. When it is right, `{name}` {does}. Write the fixed version.",
)
REFACTOR = (
    "Refactor `{name}` so that it is shorter and more idiomatic. Keep its behaviour.",
    "Clean up this Python code without changing what `{name}` does.",
    "Simplify `{name}`. Its results must stay the same.",
    "Rewrite `{name}` in idiomatic Python; same name, same parameters, same results.",
    "This code works but is clumsy. Tidy up `{name}`, which {does}.",
    "Make `{name}` more readable and more Pythonic. It {does} and must go on doing so.",
    "`{name}` is needlessly complicated. Write a simpler version that behaves identically.",
    "Improve the style of the code below. `{name}` must still {do}.",
)
REVIEW = (
    "Review this code. `{name}` should {do}.",
    "Find the bug in `{name}`, which is meant to {do}.",
    "Code review: `{name}` ought to {do}, but one line is wrong.",
    "Which line of `{name}` is wrong? It should {do}.",
    "Inspect the code below. Specification of `{name}`: {do}.",
    "`{name}` does not {do} as it should. Review it.",
)
REVIEW_FORMAT = (
    'Answer with JSON only: {"findings": [{"line": int, "severity": "low|medium|high", "message": str}]}. '
    "Lines are numbered from 1.",
    'Reply with one JSON object {"findings": [{"line": …, "severity": "low", "medium" or "high", "message": …}]}, '
    "lines counted from 1.",
    'Give the result as JSON of the form {"findings": [{"line": number from 1, "severity": "low|medium|high", '
    '"message": text}]} and nothing else.',
)
EXPLAIN = (
    "Explain what `{name}` does.",
    "Describe in a few sentences how this code works.",
    "What does the function below do? Explain it briefly.",
    "Explain this Python code to a beginner.",
    "Summarize the purpose of `{name}` and how it gets there.",
    "In plain words, what is `{name}` for?",
)
TEST = (
    "Write tests for `{name}`, which {does}.",
    "`{name}` has no tests yet. It should {do}. Write some.",
    "Test the code below. `{name}` is meant to {do}.",
    "Write unit tests that fail if `{name}` does not {do}.",
    "What has to hold for `{name}`: it {does}. Put that into tests.",
    "Cover `{name}` with tests, corner cases included. It {does}.",
    "Before `{name}` is changed it needs tests. It {does}.",
    "Give tests that tell the right `{name}` from a wrong one. Specification: {do}.",
)
TEST_PLAIN = (
    "Use bare assert statements only; the code itself is run before them, do not repeat it.",
    "Plain `assert` lines, no functions and no framework. Do not repeat the code: it is already loaded.",
    "One `assert` a line, nothing imported. The tests run right after the code, so leave the code out.",
)
TEST_FUNCTIONS = (
    "Write functions named `test_...` with asserts in them, no framework; the code itself is run before them, do not repeat it.",
    "Group the asserts in `test_...` functions without arguments. Do not repeat the code: it is already loaded.",
    "Use `test_` functions and plain `assert`, nothing imported. The tests run right after the code, so leave the code out.",
)
DOCUMENT = (
    "Add a docstring to `{name}`. Change nothing else.",
    "Document `{name}` with a docstring and leave its code as it is.",
    "`{name}` lacks a docstring. Write one and give the whole code with it.",
    "Write the missing docstring of `{name}`; the code must stay the same.",
    "Return this code with a docstring that says what `{name}` does.",
    "Nobody knows what `{name}` is for. Explain it in a docstring, without touching the code.",
    "Give `{name}` a helpful docstring. Do not change what it does.",
    "Insert a docstring below the first line of `{name}` and keep the rest.",
)
DOCUMENT_SECTIONS = (
    "Use Google style, with the sections Args and Returns.",
    "Follow the Google style: a summary, then Args and Returns.",
    "Describe arguments and result under `Args:` and `Returns:`.",
)
EDIT_FIX = (
    "`{name}` in `{path}` should {do}, but it has a bug. Fix it.",
    "The tests of `{name}` fail. It is meant to {do}. Find the bug in these files and correct it.",
    "There is one bug in `{path}`. What `{name}` has to do: {do}. Repair it.",
    "A user reports wrong results of `{name}`, which should {do}. Mend the code.",
    "Correct `{path}` so that `{name}` {does}.",
    "Debug these files: `{name}` does not {do} as it should.",
    "Something is wrong with `{name}` in `{path}`. When it is right, it {does}. Edit the file.",
)
EDIT_RENAME = (
    "Rename the function `{name}` to `{new}` in all files.",
    "`{name}` is a poor name. Call the function `{new}` instead, wherever it is defined or used.",
    "Change the name of `{name}` to `{new}` throughout, and nothing else.",
    "From now on `{name}` has to be called `{new}`. Adapt every file that mentions it.",
    "Refactor: `{name}` becomes `{new}`. Everything must go on working.",
    "Give the function `{name}` of `{path}` the name `{new}` and update all callers.",
)
EDIT_CHANGE = (
    "Change `{user}` in `{path}`: it should return {wanted}.",
    "`{user}` has to return {wanted} from now on. Edit `{path}`.",
    "Make `{user}` return {wanted}.",
    "The callers of `{user}` now expect {wanted}. Adapt the function.",
    "Adjust `{path}` so that `{user}` returns {wanted}. Leave everything else alone.",
    "New requirement: the result of `{user}` is {wanted}. Implement it.",
)
EDIT_WRITE = (
    "`{name}` in `{path}` is not written yet. It should {do}. Write it.",
    "Implement `{name}` in `{path}`: it {does}.",
    "Replace the `raise NotImplementedError` in `{path}` by code that lets `{name}` {do}.",
    "Finish `{path}`. What is missing is `{name}`, which {does}.",
    "Fill in the body of `{name}`. It has to {do}.",
    "`{name}` only raises NotImplementedError so far. Make it {do}.",
)
EDIT_FORMAT = (
    'Answer with JSON only: {"edits": [{"path": str, "search": str, "replace": str}]}. '
    "Each `search` is text that occurs exactly once in its file.",
    'Reply with one JSON object {"edits": [{"path": …, "search": …, "replace": …}]}; the edits are applied in order, '
    "and every `search` must stand exactly once in the file.",
    'Give the edits as JSON of the form {"edits": [{"path": file, "search": lines as they are, "replace": lines as they '
    "should be}]} and nothing else. What is searched for must be unique in the file.",
)
EXAMPLES = (
    "For example, `{call}` returns `{value}`.",
    "Example: `{call}` gives `{value}`.",
    "`{call}` should be `{value}`.",
    "E.g. `{call}` → `{value}`.",
    "So `{call}` returns `{value}`.",
)

LONGEST_EXAMPLE = 64
_THIRD = {"do": "does", "go": "goes", "have": "has", "be": "is"}


def third_person(clause: str) -> str:
    """The clause with its verbs, the first word and the one after "and", as in "it returns"."""
    verb, _, rest = clause.partition(" ")
    for word in ("return", "sort"):
        rest = rest.replace(f" and {word} ", f" and {word}s ")
    return f"{conjugated(verb)} {rest}"


def conjugated(verb: str) -> str:
    if verb in _THIRD:
        return _THIRD[verb]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z")) else "s")


def enumerated(parts: list[str] | tuple[str, ...]) -> str:
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def fill_frame(frame: str, problem: Problem, annotated: bool = False) -> str:
    """The frame with the problem's words in its places."""
    do = enumerated(problem.task)
    text = frame
    for slot, words in (
        ("{sig}", problem.signature(annotated)),
        ("{name}", problem.name),
        ("{takes}", enumerated([item.phrase for item in problem.parameters]) or "no arguments"),
        ("{does}", enumerated([third_person(clause) for clause in problem.task])),
        ("{do}", do),
        ("{Do}", do[:1].upper() + do[1:]),
    ):
        text = text.replace(slot, words)
    return text


def fill_slots(frame: str, problem: Problem, slots: Mapping[str, str]) -> str:
    """The frame with slots of its own filled, and the problem's words in the others."""
    for name, words in slots.items():
        frame = frame.replace("{" + name + "}", words)
    return fill_frame(frame, problem)


def write_frames(problem: Problem) -> tuple[str, ...]:
    return WRITE_CLASS if problem.kind == "class" else WRITE


def draw_example(dice: Dice, verified: Verified) -> tuple[str, str] | None:
    """One short call and its value in source form, or None where every call is long or fails."""
    fitting = [
        (call, repr(outcome.value))
        for call, outcome in zip(verified.calls, verified.outcomes, strict=True)
        if not outcome.error and "\n" not in call and len(call) < LONGEST_EXAMPLE and is_telling(outcome.value)
    ]
    return dice.one(fitting) if fitting else None


def is_telling(value: object) -> bool:
    """Whether the value shows something, and is printed the same everywhere."""
    dull = value is None or value in ("", 0) or value == [] or value == {}
    return not dull and not isinstance(value, (set, frozenset)) and len(repr(value)) < LONGEST_EXAMPLE


def example_sentence(dice: Dice, verified: Verified) -> str:
    """An example in words, or "" where there is none."""
    example = draw_example(dice, verified)
    if example is None:
        return ""
    return dice.one(EXAMPLES).replace("{call}", example[0]).replace("{value}", example[1])
