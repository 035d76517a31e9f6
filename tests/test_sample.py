"""Samples in every form that users and teachers write them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotrain.errors import AutotrainError, Refused
from autotrain.jsonl import BadLine, write_jsonl
from autotrain.sample import (
    Sample,
    fenced_code,
    in_fence,
    load_samples,
    parse_sample,
    read_samples,
)

FULL: dict[str, Any] = {
    "id": "r1-00042",
    "instruction": "Fix it.",
    "input": "def f(): return 2",
    "output": "```python\ndef f(): return 1\n```",
    "tests": "assert f() == 1",
    "metadata": {
        "task_type": "bug_fixing",
        "response_format": "code",
        "entry_point": "f",
        "concepts": ["functions"],
        "difficulty": "easy",
        "round": 1,
        "created_at": "2026-01-01T00:00:00+00:00",
        "teacher_model": "builtin",
        "prompt_version": "1",
        "usage": {"input_tokens": 3},
    },
}


def parsed(value: dict[str, Any]) -> Sample:
    sample = parse_sample(value, 7)
    assert isinstance(sample, Sample), sample
    return sample


def refused(value: dict[str, Any]) -> str:
    bad = parse_sample(value, 7)
    assert isinstance(bad, BadLine), bad
    assert bad.number == 7
    return bad.reason


def test_a_sample_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    write_jsonl(path, [FULL])
    (sample,) = load_samples(path)
    assert sample.to_json() == FULL
    write_jsonl(path, [sample.to_json()])
    assert load_samples(path) == [sample]


def test_a_file_of_instructions_and_outputs_is_read() -> None:
    sample = parsed({"instruction": "Say hi.", "input": "", "output": "hi"})
    assert (sample.id, sample.instruction, sample.input, sample.output, sample.tests) == (
        "line-00007",
        "Say hi.",
        "",
        "hi",
        "",
    )
    assert (sample.metadata.response_format, sample.metadata.task_type) == ("text", None)


def test_absent_values_of_table_exports_are_absent() -> None:
    sample = parsed({"id": 12, "instruction": "Say hi.", "input": None, "output": "hi", "metadata": None})
    assert (sample.id, sample.input) == ("12", "")
    assert parsed({"id": None, "instruction": "a", "output": "b"}).id == "line-00007"


def test_what_is_not_known_is_kept_in_the_metadata() -> None:
    sample = parsed({"instruction": "a", "output": "b", "source": "web", "metadata": {"stars": 5}})
    assert sample.to_json()["metadata"]["source"] == "web"
    assert sample.to_json()["metadata"]["stars"] == 5
    both = parsed({"instruction": "a", "output": "b", "stars": 1, "metadata": {"stars": 5}})
    assert both.to_json()["metadata"]["stars"] == 5


def test_of_a_conversation_the_last_question_that_was_answered_counts() -> None:
    turns = [
        ("system", "Be brief."),
        ("user", "1"),
        ("assistant", "one"),
        ("user", "2"),
        ("assistant", "two"),
    ]
    messages = [{"role": role, "content": content} for role, content in turns]
    sample = parsed({"messages": [*messages, {"role": "user", "content": "3"}], "id": "x", "lang": "en"})
    assert (sample.id, sample.instruction, sample.output) == ("x", "2", "two")
    assert sample.to_json()["metadata"]["lang"] == "en"


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "text",
        None,
        {"role": "user"},
        ["text"],
        [{"role": "user", "content": "a"}],
        [{"role": "assistant", "content": "a"}],
        [{"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}],
        [{"content": "a"}, {"content": "b"}],
        [{"role": ["user"]}, {"role": {}}],
    ],
)
def test_a_conversation_without_an_answered_question_is_told(messages: Any) -> None:
    assert refused({"messages": messages}) == "messages holds no user turn followed by an assistant turn"


def test_content_that_is_no_text_is_told() -> None:
    parts = [{"type": "text", "text": "a"}]
    messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": None}]
    reason = refused({"messages": messages})
    assert "instruction: Input should be a valid string" in reason
    assert "output: Field required" in reason


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"instruction": None}, "instruction: Field required"),
        ({"output": 5}, "output: Input should be a valid string"),
        ({"tests": ["assert True"]}, "tests: Input should be a valid string"),
        ({"metadata": "none"}, "metadata: "),
        ({"metadata": {"task_type": "poetry"}}, "metadata.task_type: "),
        ({"metadata": {"response_format": "xml"}}, "metadata.response_format: "),
        ({"metadata": {"round": "1"}}, "metadata.round: "),
        ({"metadata": {"concepts": "lists"}}, "metadata.concepts: "),
        ({"id": ["a"]}, "id: "),
    ],
)
def test_a_malformed_field_is_named_without_its_value(change: dict[str, Any], place: str) -> None:
    reason = refused({**FULL, **change})
    assert reason.startswith(place)
    assert "poetry" not in reason


def test_all_that_a_line_lacks_is_told_at_once() -> None:
    reason = refused({"text": "hello"})
    assert "instruction: Field required" in reason
    assert "output: Field required" in reason


def test_each_line_stands_alone(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text(f'{json.dumps(FULL)}\n{{"torn\n\n{json.dumps(FULL)}', encoding="utf-8")
    found = list(read_samples(path))
    assert [number for number, _ in found] == [1, 2, 4]
    assert [isinstance(value, Sample) for _, value in found] == [True, False, True]
    with pytest.raises(AutotrainError, match=r"samples\.jsonl line 2: not JSON.*02_validate\.py"):
        load_samples(path)


def test_a_file_without_a_sample_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "samples.jsonl"
    path.write_text("\n")
    with pytest.raises(Refused, match="holds no sample"):
        load_samples(path)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("```python\nx = 1\n```", "x = 1\n"),
        ("Here:\n\n``` py title\nx = 1\n```\nDone.", "x = 1\n"),
        ("```\nx = 1\n```", "x = 1\n"),
        ("```PYTHON\r\nx = 1\r\n```\r\nDone.", "x = 1\r\n"),
        ("```json\n{}\n```\n```python\nx = 1\n```", "x = 1\n"),
        ("```python\n```", ""),
        ("```python\nx = '''\n  ```\n'''\n```", "x = '''\n  ```\n'''\n"),
        ("Write ```x``` as follows:\n```python\nx = 1\n```", "x = 1\n"),
        ("```python x = 1```\n```python\nx = 2\n```", "x = 2\n"),
        ("```bash\nls\n```", None),
        ("```python\nx = 1", None),
        ("x = 1", None),
        ("", None),
    ],
)
def test_the_first_block_of_python_is_found(text: str, code: str | None) -> None:
    assert fenced_code(text) == code


@given(st.text(alphabet="abc =():\n\t 'ü", min_size=1))
def test_code_put_in_a_fence_is_found_again(code: str) -> None:
    found = fenced_code(in_fence(code))
    assert found is not None
    assert found.strip() == code.strip()


def test_a_fence_keeps_the_indentation_of_the_first_line() -> None:
    assert fenced_code(in_fence("\n    a = 1\n    b = 2\n\n")) == "    a = 1\n    b = 2\n"
