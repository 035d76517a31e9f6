"""What can be said of an answer without running anything: documentation, reviews and plain text."""

import ast
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.gate.program import Problem, parse
from autotrain.gate.verdict import Verdict
from autotrain.sample import Sample, describe, input_code, strict_json

MAX_FINDINGS = 3
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


class Finding(BaseModel):
    """One remark of a code review; `line` counts from 1."""

    model_config = ConfigDict(extra="forbid", strict=True)

    line: int = Field(ge=1)
    severity: Literal["low", "medium", "high"]
    message: str = Field(min_length=1)


class Review(BaseModel):
    """The answer to a code review."""

    model_config = ConfigDict(extra="forbid", strict=True)

    findings: list[Finding]


def read_documentation(sample: Sample, tree: ast.Module, read: Verdict) -> Verdict:
    """Whether the answer in `tree` is the sample's input with a docstring more, and no other code."""
    before = parse(input_code(sample))
    if isinstance(before, Problem) or not before.body:
        return replace(read, reason="no_input")
    added = _docstrings(tree) - _docstrings(before)
    wanted = sample.metadata.entry_point
    documented = {name for name, _ in _docstrings(tree)}
    try:
        same = ast.dump(_undocumented(tree)) == ast.dump(_undocumented(before))
    except (RecursionError, ValueError):  # too deep, or a number too long to be shown
        same = False
    if not same:
        return replace(read, correct=False, reason="code_changed")
    if not added or (wanted is not None and wanted not in documented):
        return replace(read, correct=False, reason="no_docstring")
    return replace(read, correct=True)


def _documentable(tree: ast.Module) -> Iterator[Any]:
    return (node for node in ast.walk(tree) if isinstance(node, _DOCUMENTED))


def _docstrings(tree: ast.Module) -> set[tuple[str, str]]:
    found = ((getattr(node, "name", ""), ast.get_docstring(node) or "") for node in _documentable(tree))
    return {(name, text) for name, text in found if text.strip()}


def _undocumented(tree: ast.Module) -> ast.Module:
    """The tree with docstrings taken out in place; a body that held nothing else counts as `pass`."""
    for node in _documentable(tree):
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return tree


def read_json(sample: Sample, answer: str) -> Verdict:
    """Whether the answer is JSON, and for a review whether it names the planted bug's line."""
    review = sample.metadata.task_type == "code_review"
    failed = Verdict(passed=None, reason="not_json", correct=False if review else None, json_ok=False)
    try:
        value = strict_json(answer)
    except ValueError as error:
        return replace(failed, detail=str(error)[:300])
    read = Verdict(passed=None, reason="ok", format_ok=True, json_ok=True)
    if not review:
        return read
    try:
        findings = Review.model_validate(value).findings
    except ValidationError as error:
        return replace(failed, reason="wrong_schema", detail=describe(error)[:300], format_ok=True)
    planted = (sample.metadata.model_extra or {}).get("planted_lines")
    if not isinstance(planted, list) or not planted:
        return read
    if not any(finding.line in planted for finding in findings):
        return replace(read, correct=False, reason="wrong_line")
    if len(findings) > MAX_FINDINGS:
        return replace(read, correct=False, reason="too_many_findings")
    return replace(read, correct=True)


def read_text(answer: str) -> Verdict:
    """Whether the answer is plain text: not empty, and no JSON."""
    if not answer.strip():
        return Verdict(passed=None, reason="empty_text")
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict | list):
        return Verdict(passed=None, reason="json_text")
    return Verdict(passed=None, reason="ok", format_ok=True)
