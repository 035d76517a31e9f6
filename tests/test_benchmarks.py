"""Other people's problems: their own solutions pass through the way that answers take, and nothing else does."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_tokenizer

from autotrain.config import Settings
from autotrain.errors import AutotrainError, SettingsError
from autotrain.evaluate.benchmarks import (
    Item,
    Style,
    answer_as_run,
    question_for,
    read_benchmarks,
    read_items,
    style_for,
)
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.verdict import Verdict
from autotrain.gate.verify import verify_answers
from autotrain.jsonl import write_jsonl
from autotrain.sample import fenced_code, in_fence
from autotrain.train.render import complete_tokenizer
from autotrain.validate.fingerprints import read
from autotrain.validate.stage import _benchmarks

# In MBPP's format.
MBPP = {
    "task_id": 7,
    "text": "Write a function that counts how often a letter stands in a text.",
    "code": "def count_letter(text, letter):\n    return sum(one == letter for one in text)",
    "test_list": ['assert count_letter("hello", "l") == 2', 'assert count_letter("", "a") == 0'],
    "test_setup_code": "",
}


def judge(items: list[Item], answers: list[str], style: Style) -> list[Verdict]:
    with Jail(Limits(seconds=5)) as jail:
        pairs = [(item.sample, answer_as_run(item, text, style)) for item, text in zip(items, answers, strict=True)]
        return verify_answers(pairs, jail)


@pytest.fixture(scope="module")
def human_eval() -> list[Item]:
    (found,) = read_benchmarks(Settings(benchmarks="humaneval"))
    assert found.name == "humaneval"
    return list(found.items)


def solution(item: Item, style: Style) -> str:
    """The canonical solution as a model would answer it."""
    if style == "chat":
        return f"Here it is:\n{item.sample.output}\nIt works."
    code = fenced_code(item.sample.output)
    assert code is not None
    opening = item.opening.strip()
    assert code.startswith(opening)
    return code[len(opening) :]


@pytest.mark.parametrize("style", ["chat", "completion"])
def test_all_of_human_evals_solutions_pass_and_none_that_does_nothing(human_eval: list[Item], style: Style) -> None:
    assert len(human_eval) == 164
    right = judge(human_eval, [solution(item, style) for item in human_eval], style)
    assert [item.sample.id for item, verdict in zip(human_eval, right, strict=True) if not verdict.passed] == []
    idle = [
        f"    return {item.sample.metadata.entry_point}" if style == "completion" else in_fence(idle_version(item))
        for item in human_eval
    ]
    wrong = judge(human_eval, idle, style)
    assert [item.sample.id for item, verdict in zip(human_eval, wrong, strict=True) if verdict.passed] == []


def idle_version(item: Item) -> str:
    """The function that is asked for, doing nothing."""
    return item.opening.rstrip() + "\n    return ...\n"


def test_an_answer_in_chat_may_use_what_the_prompt_defines(human_eval: list[Item]) -> None:
    """HumanEval/38 decodes what a function in its prompt encodes; its answer need not repeat that one."""
    (item,) = (one for one in human_eval if one.sample.id == "HumanEval/38")
    code = fenced_code(item.sample.output)
    assert code is not None
    alone = code[code.index("def decode_cyclic") :]
    (verdict,) = judge([item], [in_fence(alone)], "chat")
    assert verdict.passed


def test_a_subset_is_drawn_by_the_seed(human_eval: list[Item]) -> None:
    def drawn(seed: int) -> list[str]:
        (found,) = read_benchmarks(Settings(benchmarks="humaneval:40", seed=seed))
        assert found.name == "humaneval:40"
        return [item.sample.id for item in found.items]

    assert drawn(1) == drawn(1)
    assert len(set(drawn(1))) == 40
    assert drawn(1) != drawn(2)
    order = [item.sample.id for item in human_eval]
    assert drawn(1) == sorted(drawn(1), key=order.index)


@pytest.mark.parametrize("style", ["chat", "completion"])
@pytest.mark.parametrize("field", ["text", "prompt"])
def test_mbpps_solutions_pass_and_broken_ones_do_not(tmp_path: Path, style: Style, field: str) -> None:
    problem = {**MBPP, field: MBPP["text"]}
    write_jsonl(tmp_path / "mbpp.jsonl", [problem])
    (found,) = read_benchmarks(Settings(benchmarks=str(tmp_path / "mbpp.jsonl")))
    (item,) = found.items
    assert (found.name, item.sample.id) == ("mbpp", "mbpp/7")
    assert 'assert count_letter("hello", "l") == 2' in item.sample.instruction
    good, bad = str(MBPP["code"]), str(MBPP["code"]).replace("==", "!=")
    answers = [good, bad] if style == "completion" else [in_fence(good), in_fence(bad)]
    assert [one.passed for one in judge([item, item], answers, style)] == [True, False]


def test_how_a_model_is_asked_goes_by_its_own_template() -> None:
    chat, plain = build_tokenizer(), build_tokenizer(None)
    complete_tokenizer(plain)
    assert (style_for(chat), style_for(plain)) == ("chat", "completion")


def test_what_is_asked(human_eval: list[Item]) -> None:
    tokenizer, item = build_tokenizer(), human_eval[0]
    asked = question_for(tokenizer, item, "chat").request
    assert asked.ending == "block"
    assert item.opening.strip() in tokenizer.decode(asked.prompt)
    assert tokenizer.decode(asked.prompt).startswith("<|im_start|>user")
    asked = question_for(tokenizer, item, "completion").request
    assert (tokenizer.decode(asked.prompt), asked.ending, asked.reference) == (item.opening, "function", ())


@pytest.mark.parametrize(
    "name", ["humanevil", "humaneval:0", "humaneval:x", "humaneval:", "humaneval:165", "no/such/file.jsonl"]
)
def test_a_benchmark_that_cannot_be_is_named(name: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(name)):
        read_benchmarks(Settings(benchmarks=name))


@pytest.mark.parametrize(
    "line",
    [
        {"prompt": "def f():\n", "canonical_solution": "    return 1"},
        {"prompt": "def f(:\n", "canonical_solution": "    return 1", "test": "", "entry_point": "f"},
        {"text": "Do it.", "code": "x = 1"},
        {"instruction": "Do it."},
    ],
)
def test_a_line_that_is_no_problem_is_named(tmp_path: Path, line: dict[str, Any]) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_text("\n" + json.dumps(line) + "\n")
    with pytest.raises(AutotrainError, match=r"bench\.jsonl line 2: .*test_list"):
        read_items(path, "bench")


def test_what_is_measured_on_is_kept_out_of_training(tmp_path: Path, human_eval: list[Item]) -> None:
    write_jsonl(tmp_path / "mine.jsonl", [MBPP])
    settings = Settings(benchmarks=f"humaneval:2, {tmp_path / 'mine.jsonl'}", decontaminate="")
    (found,) = _benchmarks(settings, [])
    for item in (human_eval[7], *read_items(tmp_path / "mine.jsonl", "mine")):
        assert found.find([read(item.sample)])[0] is not None
