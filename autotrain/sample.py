"""The one record that flows through every stage."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.errors import AutotrainError, Refused
from autotrain.jsonl import BadLine, read_jsonl, readable

TaskType = Literal[
    "algorithm_implementation",
    "code_completion",
    "bug_fixing",
    "refactoring",
    "unit_test_generation",
    "documentation",
    "code_review",
    "agent_edit",
    "code_explanation",
]
ResponseFormat = Literal["code", "json", "text"]
Difficulty = Literal["easy", "medium", "hard"]

# Task types whose claim is proved by running the sample's tests after the answer's code.
TESTED_TYPES: frozenset[str] = frozenset(
    {"algorithm_implementation", "code_completion", "bug_fixing", "refactoring"}
)
# Those, and the ones whose answers are run in another way: as tests, and as edits of files.
EXECUTED_TYPES: frozenset[str] = TESTED_TYPES | {"unit_test_generation", "agent_edit"}

_FENCE = re.compile(r"^```[ \t]*([A-Za-z0-9_+-]*)[^`\n]*\n(.*?)^```[ \t\r]*$", re.DOTALL | re.MULTILINE)


class Metadata(BaseModel):
    """What is known about a sample besides its text; unknown keys are kept."""

    model_config = ConfigDict(extra="allow")

    task_type: TaskType | None = None
    response_format: ResponseFormat = "text"
    entry_point: str | None = None
    concepts: list[str] = Field(default_factory=list)
    difficulty: Difficulty | None = None
    round: int | None = None
    created_at: str | None = None
    teacher_model: str | None = None
    prompt_version: str | None = None
    usage: dict[str, int] | None = None


class Sample(BaseModel):
    """One task with its answer and the tests that prove it."""

    model_config = ConfigDict(extra="forbid")

    id: str
    instruction: str
    input: str = ""
    output: str
    tests: str = ""
    metadata: Metadata = Field(default_factory=Metadata)

    def to_json(self) -> dict[str, Any]:
        """The sample as one JSON object, fields that are not known left out."""
        return self.model_dump(exclude_none=True)


_FIELDS = tuple(Sample.model_fields)


def fenced_code(text: str) -> str | None:
    """The body of the first fenced Python (or unlabelled) block of `text`, or None."""
    for language, body in _FENCE.findall(text):
        if language.lower() in ("", "python", "py", "python3"):
            return str(body)
    return None


def in_fence(code: str) -> str:
    """`code` as the one fenced block that code answers consist of."""
    body = code.strip("\r\n").rstrip()
    return f"```python\n{body}\n```"


def input_code(sample: Sample) -> str:
    """The code in a sample's input, whether or not it stands in a fence."""
    return fenced_code(sample.input) or sample.input


def strict_json(text: str) -> Any:
    """The value of a text that is nothing but JSON; raise ValueError if it is more, less or else."""
    try:
        return json.loads(text.strip(), parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON value")


def read_samples(path: Path) -> Iterator[tuple[int, Sample | BadLine]]:
    """Yield (line number, Sample or why there is none) for each line of a JSONL file.

    Reads our own format, Alpaca (instruction, input, output) and chat (`messages`, of which the
    last user turn before the last assistant turn is taken). Raises AutotrainError if the file cannot be read.
    """
    with readable(path):
        for number, value in read_jsonl(path):
            yield number, value if isinstance(value, BadLine) else parse_sample(value, number)


def load_samples(path: Path) -> list[Sample]:
    """All samples of a validated file; raise AutotrainError at a bad line, Refused if there is no sample."""
    samples = []
    for number, sample in read_samples(path):
        if isinstance(sample, BadLine):
            raise AutotrainError(f"{path} line {number}: {sample.reason}; 02_validate.py drops such lines")
        samples.append(sample)
    if not samples:
        raise Refused(f"{path} holds no sample")
    return samples


def parse_sample(value: dict[str, Any], number: int) -> Sample | BadLine:
    if "messages" in value:
        converted = _from_messages(value)
        if converted is None:
            return BadLine(number, "messages holds no user turn followed by an assistant turn")
        value = converted
    # Exports of tables write null for an absent text, and a number as the id.
    given = {key: value[key] for key in _FIELDS if value.get(key) is not None}
    known = {"id": f"line-{number:05d}", **given}
    if isinstance(known["id"], int):
        known["id"] = str(known["id"])
    extra = {key: value[key] for key in value if key not in _FIELDS}
    if extra and isinstance(known.get("metadata", {}), dict):
        known["metadata"] = {**extra, **known.get("metadata", {})}
    try:
        return Sample.model_validate(known, strict=True)
    except ValidationError as error:
        return BadLine(number, describe(error))


def describe(error: ValidationError) -> str:
    """All problems of a validation error in one line, without the values."""
    parts = [f"{'.'.join(str(place) for place in item['loc'])}: {item['msg']}" for item in error.errors()]
    return "; ".join(parts)


def _from_messages(value: dict[str, Any]) -> dict[str, Any] | None:
    messages = value["messages"]
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        return None
    roles = [turn.get("role") for turn in messages]
    if "assistant" not in roles:
        return None
    answer = len(roles) - 1 - roles[::-1].index("assistant")
    if "user" not in roles[:answer]:
        return None
    question = answer - 1 - roles[:answer][::-1].index("user")
    rest = {key: item for key, item in value.items() if key != "messages"}
    return {
        **rest,
        "instruction": messages[question].get("content"),
        "output": messages[answer].get("content"),
    }
