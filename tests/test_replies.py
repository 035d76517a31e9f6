"""From a teacher's text to samples: what is found, what is repaired, what is thrown away."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from teacher_server import samples_for

from autotrain.generate.ledger import Reply
from autotrain.generate.plan import Request
from autotrain.generate.prompts import RESPONSE_FORMATS, messages
from autotrain.generate.replies import find_items, number_samples, parse_reply
from autotrain.sample import Sample, TaskType

CODE = "```python\ndef double(x):\n    return 2 * x\n```"
GOOD: dict[str, Any] = {
    "instruction": "Write double(x).",
    "input": "",
    "output": CODE,
    "tests": "assert double(2) == 4",
    "entry_point": "double",
    "concepts": ["arithmetic"],
}


def a_request(task_type: TaskType = "algorithm_implementation", count: int = 2) -> Request:
    return Request(3, 1, task_type, "arithmetic", "easy", "terse", count)


def a_reply(text: str, finish_reason: str = "stop") -> Reply:
    return Reply(
        request_hash="h",
        request_index=3,
        text=text,
        finish_reason=finish_reason,
        model="teacher",
        input_tokens=10,
        output_tokens=20,
        created_at="2026-01-01T00:00:00+00:00",
    )


def parse(item: Any, task_type: TaskType = "algorithm_implementation") -> Sample | None:
    samples, lost = parse_reply(a_reply(json.dumps({"samples": [item]})), a_request(task_type, count=1))
    assert len(samples) + lost == 1
    return samples[0] if samples else None


def test_a_sample_carries_what_is_known_about_it() -> None:
    sample = parse(GOOD)
    assert sample is not None
    (sample,) = number_samples([sample], round_number=2)
    assert sample.id == "r2-00000"
    version = sample.metadata.prompt_version
    assert version
    assert sample.to_json() == {
        "id": "r2-00000",
        "instruction": "Write double(x).",
        "input": "",
        "output": CODE,
        "tests": "assert double(2) == 4",
        "metadata": {
            "task_type": "algorithm_implementation",
            "response_format": "code",
            "entry_point": "double",
            "concepts": ["arithmetic"],
            "difficulty": "easy",
            "round": 1,
            "created_at": "2026-01-01T00:00:00+00:00",
            "teacher_model": "teacher",
            "prompt_version": version,
        },
    }


WHOLE = json.dumps({"samples": [GOOD, GOOD]})


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        json.dumps([GOOD, GOOD]),
        f"```json\n{WHOLE}\n```",
        f"Sure, here they are [as {{asked}}]:\n\n{WHOLE}\n\nTell me if you need more!",
        f"<think>maybe {WHOLE[:50]}</think>\n{WHOLE}",
        WHOLE.replace("\\n", "\n"),
        WHOLE[:-2] + ",]}",
        WHOLE[:-2],
        WHOLE.replace('"tests":', "'tests':"),
        f"```json\n{WHOLE[:-2]},]}}\n```",
        WHOLE.replace('"entry_point"', "entry_point"),
    ],
    ids=[
        "as asked",
        "bare list",
        "fenced",
        "in prose",
        "after thoughts",
        "raw newlines",
        "trailing comma",
        "closing brackets forgotten",
        "single quotes",
        "fenced and broken",
        "bare key",
    ],
)
def test_finds_the_samples_in(text: str) -> None:
    assert find_items(text) == [GOOD, GOOD]


def test_finds_one_sample_alone() -> None:
    assert find_items(json.dumps(GOOD)) == [GOOD]
    assert find_items(f"Here: {json.dumps(GOOD)} Bye") == [GOOD]


@pytest.mark.parametrize("share", [0.55, 0.75, 0.95])
@pytest.mark.parametrize("finish_reason", ["length", "stop"])
def test_a_half_written_sample_is_never_completed(share: float, finish_reason: str) -> None:
    cut = WHOLE[: int(len(WHOLE) * share)]
    samples, lost = parse_reply(a_reply(cut, finish_reason), a_request())
    assert [sample.output for sample in samples] == [CODE]
    assert lost == 1


@pytest.mark.parametrize("text", ["", "I cannot help.", "{}", "[]", "null", "[1, 2]", '{"samples": "none"}'])
def test_no_samples_are_all_samples_lost(text: str) -> None:
    assert parse_reply(a_reply(text), a_request()) == ([], 2)


def test_more_than_asked_for_is_left_out_and_bad_ones_are_counted() -> None:
    text = json.dumps({"samples": [GOOD, "nonsense", GOOD, GOOD]})
    samples, lost = parse_reply(a_reply(text), a_request(count=2))
    assert (len(samples), lost) == (2, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"instruction": " \n"},
        {"output": None},
        {"output": ["code"]},
        {"output": "Two times x."},
        {"tests": ""},
        {"entry_point": ""},
        {"entry_point": "double(x)"},
        {"instruction": "half a pair \ud800"},
    ],
)
def test_a_sample_that_breaks_its_contract_is_lost(change: dict[str, Any]) -> None:
    assert parse({**GOOD, **change}) is None


@pytest.mark.parametrize("task_type", ["bug_fixing", "refactoring", "code_completion"])
def test_a_task_about_code_needs_the_code(task_type: TaskType) -> None:
    assert parse(GOOD, task_type) is None
    assert parse({**GOOD, "input": "def double(x): return x"}, task_type) is not None


def test_a_review_is_json() -> None:
    findings = {"findings": [{"line": 1, "severity": "low", "message": "short name"}]}
    review = {"instruction": "Review.", "input": "x = 1", "output": json.dumps(findings), "tests": None}
    sample = parse(review, "code_review")
    assert sample is not None
    assert parse({**review, "output": findings}, "code_review") == sample, "an object where its text was asked"
    assert (sample.metadata.response_format, sample.tests, sample.metadata.entry_point) == ("json", "", None)
    for output in ("Looks good.", "{}", '{"findings": []}', "```json\n{}\n```"):
        assert parse({**review, "output": output}, "code_review") is None


def test_fences_are_put_where_they_belong() -> None:
    bare = "def double(x):\n    return 2 * x"
    fenced = {"output": bare, "tests": "```python\nassert double(2) == 4\n```", "input": f"```\n{bare}\n```"}
    sample = parse({**GOOD, **fenced}, "refactoring")
    assert sample is not None
    assert (sample.output, sample.tests, sample.input) == (CODE, "assert double(2) == 4", bare)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='{}[]",:\\ \n`samplesinstruction', max_size=300))
def test_no_text_is_too_strange(text: str) -> None:
    samples, lost = parse_reply(a_reply('{"samples": [' + text), a_request())
    assert (samples, lost >= 2) == ([], True)


@pytest.mark.parametrize("text", ['{"samples": [' + "[{" * 1000, '{"samples":' * 2000, '[{"a": "' + '\\"' * 20_000])
def test_text_nested_too_deep_or_quoted_without_end_holds_nothing(text: str) -> None:
    assert find_items(text) == []


@pytest.mark.parametrize("task_type", RESPONSE_FORMATS)
def test_the_servers_good_samples_are_good(task_type: TaskType) -> None:
    request = a_request(task_type, count=3)
    text = json.dumps({"samples": samples_for({"messages": messages(request)})})
    samples, lost = parse_reply(a_reply(text), request)
    assert (len(samples), lost) == (3, 0)
