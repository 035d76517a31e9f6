"""BENCHMARKS: other people's problems, HumanEval's or in files like its own or MBPP's, as items to answer and run."""

import ast
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from autotrain.config import Settings, split_list
from autotrain.errors import AutotrainError, SettingsError
from autotrain.evaluate.answers import Question, ask
from autotrain.evaluate.decoding import Request
from autotrain.jsonl import BadLine, read_jsonl
from autotrain.redact import plain
from autotrain.sample import Sample, fenced_code, in_fence
from autotrain.train.render import PLAIN_TEMPLATE, render_prompt
from autotrain.validate.problems import human_eval_file

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

HUMAN_EVAL = "humaneval"
# chat: an instruction, answered with the whole function. completion: the code itself, to be gone on with.
Style = Literal["chat", "completion"]
STYLES: dict[Style, str] = {
    "chat": "as a user's turn in the base model's own chat template; the first code block of the answer is run",
    "completion": "as code to go on with, because the base model has no chat template of its own; the answer ends "
    "with its function",
}


@dataclass(frozen=True)
class Item:
    """A problem: the sample it is judged as, and the code it begins with (HumanEval) or is described in (MBPP).

    `before` is what of that code is put before an answer in chat: the imports and functions that it may use.
    """

    sample: Sample
    opening: str
    before: str = ""


@dataclass(frozen=True)
class Benchmark:
    """Problems under a name of their own, as the report calls them."""

    name: str
    items: Sequence[Item]


def read_benchmarks(settings: Settings) -> list[Benchmark]:
    """What BENCHMARKS names. Raises SettingsError for what there is not, AutotrainError for a bad file."""
    found: dict[str, Benchmark] = {}
    for word in split_list(settings.benchmarks):
        name, count = _named(word)
        path = human_eval_file() if name == HUMAN_EVAL else Path(name)
        items = read_items(path, name if name == HUMAN_EVAL else path.stem)
        if count is not None:
            if count > len(items):
                raise SettingsError(f"BENCHMARKS = {word}: there are only {len(items)} problems")
            chosen = set(random.Random(settings.seed).sample(range(len(items)), count))
            items = [item for place, item in enumerate(items) if place in chosen]
        title = word if name == HUMAN_EVAL or path.stem in found else path.stem
        found[title] = Benchmark(title, items)
    return list(found.values())


def benchmark_files(settings: Settings) -> list[Path]:
    """The files behind BENCHMARKS, whole, for keeping training samples apart from them. Raises as `read_benchmarks`."""
    names = [_named(word)[0] for word in split_list(settings.benchmarks)]
    return [human_eval_file() if name == HUMAN_EVAL else Path(name) for name in names]


def _named(word: str) -> tuple[str, int | None]:
    name, _, count = word.partition(":")
    if name == HUMAN_EVAL and (not count or re.fullmatch("0*[1-9][0-9]{0,8}", count)) and (count or name == word):
        return name, int(count) if count else None
    if Path(word).is_file():
        return word, None
    raise SettingsError(f"BENCHMARKS: {word} is neither {HUMAN_EVAL}, {HUMAN_EVAL}:N nor a file")


def read_items(path: Path, bench: str) -> list[Item]:
    """The problems of a file in HumanEval's or MBPP's format, packed or not. Raises AutotrainError at a bad line."""
    items = []
    try:
        for number, value in read_jsonl(path):
            item = value if isinstance(value, BadLine) else _item(value, bench, number)
            if isinstance(item, BadLine):
                raise AutotrainError(
                    f"{path} line {number}: {item.reason}; a problem has the fields task_id, prompt, "
                    "canonical_solution, test, entry_point (HumanEval's) or task_id, text or prompt, code, test_list "
                    "(MBPP's)"
                )
            items.append(item)
    except OSError as error:
        raise AutotrainError(f"{path}: {error}; a benchmark is a file of JSON lines") from None
    if not items:
        raise AutotrainError(f"{path} holds no problem; a benchmark is a file of JSON lines, one problem each")
    return items


def _item(value: dict[str, Any], bench: str, number: int) -> Item | BadLine:
    name = str(value.get("task_id", number))
    name = name if "/" in name else f"{bench}/{name}"
    try:
        if "canonical_solution" in value:
            return _of_human_eval(value, name)
        if "code" in value and isinstance(value.get("test_list"), list):
            return _of_mbpp(value, name)
    # Python's parser has three more ways to refuse a text.
    except (KeyError, TypeError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return BadLine(number, plain(f"{type(error).__name__}: {error}", 300))
    return BadLine(number, "neither canonical_solution nor code and test_list")


def _of_human_eval(value: dict[str, Any], name: str) -> Item:
    prompt, solution, entry_point = (_text(value, key) for key in ("prompt", "canonical_solution", "entry_point"))
    test = _text(value, "test") if "test" in value else "\n".join(_texts(value, "test_list"))
    calls = re.search(r"^check\(", test, re.MULTILINE)
    tests = test if calls or "def check" not in test else f"{test}\n\ncheck({entry_point})\n"
    sample = _sample(
        name,
        "Complete the following Python function. Give the whole function, with the imports it needs.",
        prompt, prompt + solution, tests, entry_point,
    )  # fmt: skip
    return Item(sample, prompt, _before(prompt, entry_point))


def _of_mbpp(value: dict[str, Any], name: str) -> Item:
    text = _text(value, "text" if value.get("text") else "prompt")
    asserts = "\n".join(_texts(value, "test_list"))
    imports = _texts(value, "test_imports") if value.get("test_imports") else []
    setup = "\n".join([*imports, _text(value, "test_setup_code") if value.get("test_setup_code") else ""]).strip()
    tests = f"{setup}\n\n{asserts}" if setup else asserts
    instruction = f"{text.strip()}\n\nYour code should pass these tests:\n\n{asserts}"
    sample = _sample(name, instruction, "", _text(value, "code"), tests, None)
    return Item(sample, f'"""\n{text.strip()}\n{asserts}\n"""\n')


def _text(value: dict[str, Any], key: str) -> str:
    if not isinstance(value[key], str):
        raise TypeError(f"{key} is no text")
    return str(value[key])


def _texts(value: dict[str, Any], key: str) -> list[str]:
    if not isinstance(value[key], list) or not all(isinstance(one, str) for one in value[key]):
        raise TypeError(f"{key} is no list of texts")
    return list(value[key])


def _sample(name: str, instruction: str, given: str, solution: str, tests: str, entry_point: str | None) -> Sample:
    metadata = {"task_type": "code_completion", "response_format": "code", "entry_point": entry_point}
    return Sample.model_validate(
        {
            "id": name, "instruction": instruction, "input": given, "output": in_fence(solution), "tests": tests,
            "metadata": metadata,
        }
    )  # fmt: skip


def _before(prompt: str, entry_point: str) -> str:
    """What stands in the prompt before the function that is asked for. Raises SyntaxError if it is no Python."""
    for node in ast.parse(prompt.rstrip() + "\n    pass\n").body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == entry_point:
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            return "".join(prompt.splitlines(keepends=True)[: first - 1])
    return ""


# ---------------------------------------------------------------------------------------------------
# Asking and reading answers


def style_for(tokenizer: "PreTrainedTokenizerBase") -> Style:
    """How a base model is asked, and with it every adapter of it: in chat where it was made for that."""
    return "completion" if tokenizer.chat_template == PLAIN_TEMPLATE else "chat"


def question_for(tokenizer: "PreTrainedTokenizerBase", item: Item, style: Style) -> Question:
    """The question an item is put as. It has no reference whose loss would be measured."""
    if style == "chat":
        return ask(item.sample.id, Request(render_prompt(tokenizer, item.sample), "block"))
    return ask(item.sample.id, Request(list(tokenizer.encode(item.opening)), "function"))


def answer_as_run(item: Item, text: str, style: Style) -> str:
    """A model's answer as the block of code that is run: with what it goes on from, or may use."""
    if style == "completion":
        return in_fence(item.opening + text)
    code = fenced_code(text)
    return text if code is None else in_fence(f"{item.before}\n{code}" if item.before.strip() else code)
