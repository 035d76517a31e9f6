"""From the text of a teacher's reply to samples: pure functions of what the ledger holds."""

import ast
import json
import re
from typing import Any

from json_repair import repair_json
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.generate.ledger import Reply
from autotrain.generate.plan import Request
from autotrain.generate.prompts import PROMPT_VERSION, RESPONSE_FORMATS
from autotrain.sample import EXECUTED_TYPES, TESTED_TYPES, Metadata, Sample, fenced_code, in_fence

_THOUGHTS = re.compile(r"\A.*</think>", re.DOTALL)
# Where the samples of a reply begin: the object that was asked for or a bare list; else one sample alone.
_MANY = re.compile(r'\{\s*"samples"\s*:|\[\s*\{')
# Real replies begin once or twice; text full of beginnings is not worth trying them all.
_MOST_STARTS = 10
# Repair takes time quadratic in the depth: seconds for thousands of brackets, of which samples have a few each.
_MOST_BRACKETS = 2_000
_ONE = re.compile(r'\{\s*"(?:instruction|task_type)"\s*:')


_WITH_TESTS = TESTED_TYPES | {"agent_edit"}


class _Item(BaseModel):
    """One sample as a teacher writes it; keys that the request fixed are not read from it."""

    model_config = ConfigDict(strict=True)

    instruction: str = Field(pattern=r"\S")
    input: str = ""
    output: str = Field(pattern=r"\S")
    tests: str = ""
    entry_point: str = ""
    concepts: list[str] = Field(default_factory=list)


def parse_reply(reply: Reply, request: Request) -> tuple[list[Sample], int]:
    """The usable samples of a reply, ids still empty, and how many were lost.

    Lost are those that break the contract of their task type, and those asked for that are not there.
    """
    items = find_items(reply.text, cut_off=reply.finish_reason == "length")
    samples = [sample for item in items if (sample := _to_sample(item, reply, request)) is not None]
    lost = max(len(items) - len(samples), request.count - len(samples))
    return samples[: request.count], lost


def number_samples(samples: list[Sample], round_number: int) -> list[Sample]:
    """The samples with their ids, counted from 0 in the order given."""
    return [sample.model_copy(update={"id": f"r{round_number}-{index:05d}"}) for index, sample in enumerate(samples)]


def find_items(text: str, cut_off: bool = False) -> list[Any]:
    """The samples in a reply's text, whatever is around them and however broken its JSON is.

    `cut_off` says that the text ends before its end: the last sample of repaired JSON is then
    dropped, because repair closes what was half written.
    """
    items = _items_of(_loads(text))
    if items is not None:
        return items
    text = _THOUGHTS.sub("", text, count=1).strip()
    starts = [match.start() for match in _MANY.finditer(text)] or [match.start() for match in _ONE.finditer(text)]
    decoder = json.JSONDecoder(strict=False)
    for start in starts[:_MOST_STARTS]:
        try:
            items = _items_of(decoder.raw_decode(text, start)[0])
        except (ValueError, RecursionError):
            continue
        if items is not None:
            return items
    return _repaired(text[starts[0] :], cut_off) if starts else []


def _repaired(text: str, cut_off: bool) -> list[Any]:
    text = text.removesuffix("```").rstrip()
    if text.count("[") + text.count("{") > _MOST_BRACKETS:
        return []
    try:
        items = _items_of(repair_json(text, return_objects=True, skip_json_loads=True)) or []
    except (ValueError, RecursionError):
        return []
    if cut_off or not text.endswith(("}", "]")):
        return items[:-1]
    return items


def _loads(text: str) -> Any:
    try:
        # Not strict: raw newlines inside strings are the commonest fault of models, and unambiguous.
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def _items_of(value: Any) -> list[Any] | None:
    """The list of samples in a decoded value, or None if it is something else."""
    if isinstance(value, dict):
        if isinstance(value.get("samples"), list):
            return list(value["samples"])
        return [value] if "instruction" in value else None
    if isinstance(value, list) and any(isinstance(item, dict) and "instruction" in item for item in value):
        return value
    return None


def _to_sample(item: Any, reply: Reply, request: Request) -> Sample | None:
    if not isinstance(item, dict):
        return None
    answer_format = RESPONSE_FORMATS[request.task_type]
    item = {key: value for key, value in item.items() if value is not None}
    if answer_format == "json" and isinstance(item.get("output"), dict):
        item["output"] = json.dumps(item["output"])
    try:
        fields = _Item.model_validate(item)
    except ValidationError:
        return None
    output = _as_code_answer(fields.output) if answer_format == "code" else fields.output.strip()
    extra: dict[str, Any] = {"planted_lines": _planted_lines(output)} if request.task_type == "code_review" else {}
    sample = Sample(
        id="",
        instruction=fields.instruction.strip(),
        input=_without_fence(fields.input),
        output=output,
        tests=_without_fence(fields.tests) if request.task_type in _WITH_TESTS else "",
        metadata=Metadata(
            task_type=request.task_type,
            response_format=answer_format,
            entry_point=fields.entry_point.strip() or None,
            # The concept asked for comes first: it is what the plan, the reports and the next round count by.
            concepts=list(dict.fromkeys([request.concept, *fields.concepts])),
            difficulty=request.difficulty,
            round=request.round_number,
            created_at=reply.created_at,
            teacher_model=reply.model,
            prompt_version=PROMPT_VERSION,
            **extra,
        ),
    )
    return sample if _keeps_contract(sample) else None


def _keeps_contract(sample: Sample) -> bool:
    """Whether a sample has what its task type needs. Whether it is true is for later stages to try."""
    task_type, answer_format = sample.metadata.task_type, sample.metadata.response_format
    if task_type in EXECUTED_TYPES and not (sample.metadata.entry_point or "").isidentifier():
        return False
    if task_type in _WITH_TESTS and not sample.tests:
        return False
    if task_type != "algorithm_implementation" and not sample.input.strip():
        return False
    if answer_format == "code" and fenced_code(sample.output) is None:
        return False
    if answer_format == "json" and not _listed(sample.output, "edits" if task_type == "agent_edit" else "findings"):
        return False
    try:
        json.dumps(sample.to_json(), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _listed(text: str, key: str) -> list[Any]:
    """The list under `key` of a JSON answer; what is in it is for later stages to check."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, list) else []


def _planted_lines(review: str) -> list[int]:
    """Where a teacher says that it put the bug: nobody else can know."""
    lines = [finding.get("line") for finding in _listed(review, "findings")[:1] if isinstance(finding, dict)]
    return [line for line in lines if isinstance(line, int)]


def _as_code_answer(text: str) -> str:
    """The answer as it is, or in a fence if it is bare Python."""
    if fenced_code(text) is None and _is_python(text):
        return in_fence(text)
    return text.strip()


def _without_fence(text: str) -> str:
    """Code that a model fenced where plain code was asked for."""
    code = fenced_code(text)
    return (text if code is None else code).strip("\n")


def _is_python(text: str) -> bool:
    try:
        return bool(ast.parse(text).body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
