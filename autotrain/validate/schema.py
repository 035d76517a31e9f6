"""Content checks: is a sample what its own fields say it is? Reads the text, executes nothing."""

import ast
import re
from collections.abc import Iterator

from autotrain.gate.edits import Unusable, apply_edits, broken_file, read_edits, read_files
from autotrain.gate.program import binds
from autotrain.gate.reading import read_json
from autotrain.sample import TESTED_TYPES, Sample, fenced_code, input_code, strict_json
from autotrain.validate.syntax import parse_python

# How chat models open a refusal.
_REFUSAL = re.compile(
    r"\s*(?:i['’]?m sorry|i am sorry|sorry[,.]|i apologi[sz]e"
    r"|i (?:can(?:no|['’])t|can not|am (?:unable|not able)|won['’]t be able)"
    r" (?:to )?(?:help|assist|provide|comply|fulfil|complete|answer|generate|create|write|do)\b"
    r"|as an ai\b|as a(?:n ai)? (?:large )?language model)",
    re.IGNORECASE,
)
_SELF_REFERENCE = re.compile(r"\bas an ai (?:language )?(?:model|assistant)\b", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"(?:todo|tbd|fixme|n/?a|none|null|placeholder|answer|output|solution|response|string"
    r"|lorem ipsum.*|(?:your|the|(?:insert|write|put|add)(?: your| the)?)"
    r" (?:code|answer|solution|output)(?: goes)?(?: here)?)",
    re.IGNORECASE | re.DOTALL,
)
_LEFT_OUT = re.compile(
    r"#\s*(?:\.\.\.\s*)?"
    r"(?:(?:your|insert|add|write)(?: your)? (?:code|implementation|solution) (?:goes )?here"
    r"|(?:the )?(?:rest|remainder) of (?:the|your) (?:code|function|implementation|class)"
    r"|existing code|implementation (?:goes )?here|same as (?:before|above))",
    re.IGNORECASE,
)
_EDGE = " \t\r\n`*_#<>[](){}.…!:-\"'"


def schema_problem(sample: Sample) -> str | None:
    """Why the sample's content is not usable, or None; never quotes the sample."""
    for field in ("instruction", "input", "output", "tests"):
        if "\0" in getattr(sample, field):
            return f"{field} holds a NUL character"
    for field in ("instruction", "output"):
        if not getattr(sample, field).strip():
            return f"{field} is empty"
    if _is_placeholder(sample.instruction):
        return "instruction is a placeholder"
    # A JSON answer may well be [].
    if _is_placeholder(sample.output) and sample.metadata.response_format != "json":
        return "output is a placeholder"
    if _REFUSAL.match(sample.output) or _SELF_REFERENCE.search(sample.output):
        return "the answer is a refusal"
    problem = _answer_problem(sample)
    if problem is not None:
        return problem
    if sample.metadata.task_type == "unit_test_generation":
        return _written_tests_problem(sample)
    if sample.metadata.task_type == "agent_edit":
        return _edits_problem(sample)
    if sample.metadata.task_type in TESTED_TYPES and sample.tests.strip():
        return _tests_problem(sample.tests, sample.metadata.entry_point)
    return None


def _is_placeholder(text: str) -> bool:
    core = text.strip(_EDGE)
    return not core or _PLACEHOLDER.fullmatch(core) is not None


def _answer_problem(sample: Sample) -> str | None:
    if sample.metadata.response_format == "json":
        return _json_problem(sample)
    if sample.metadata.response_format == "text":
        return None
    code = fenced_code(sample.output)
    if code is None:
        return "the answer holds no closed fenced Python block"
    tree = parse_python(code)
    if isinstance(tree, str):
        return f"the answer's code does not parse: {tree}"
    if _is_stub(tree) or _LEFT_OUT.search(code):
        return "the answer's code is a placeholder"
    return None


def _json_problem(sample: Sample) -> str | None:
    try:
        value = strict_json(sample.output)
    except ValueError as error:
        return f"the answer is not JSON: {error}"
    if not isinstance(value, dict | list):
        return f"the answer is a JSON {type(value).__name__} where an object or a list was expected"
    verdict = read_json(sample, sample.output)
    return f"the answer's JSON is not of the right shape: {verdict.detail}" if verdict.json_ok is False else None


def _is_stub(tree: ast.Module) -> bool:
    """No statement at all, or functions that all do nothing; abstract methods and overloads may."""
    if any(isinstance(node, ast.FunctionDef) and not _does_nothing(node.body[-1]) for node in tree.body):
        return False  # true of nearly every answer, and told without a look at every node
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    found = False
    for function in functions:
        found = True
        if function.decorator_list or not all(_does_nothing(statement) for statement in function.body):
            return False
    return found or all(_does_nothing(statement) for statement in tree.body)


def _does_nothing(statement: ast.stmt) -> bool:
    match statement:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Raise(exc=ast.Name(id="NotImplementedError")):
            return True
        case ast.Raise(exc=ast.Call(func=ast.Name(id="NotImplementedError"))):
            return True
    return False


def _written_tests_problem(sample: Sample) -> str | None:
    """Of an answer that is itself tests, of the code in the input."""
    code = fenced_code(sample.output)
    if code is None:
        return "the answer holds no closed fenced Python block"
    reference = parse_python(input_code(sample))
    if isinstance(reference, str):
        return f"the input is no code to test: {reference}"
    if not reference.body:
        return "the input is no code to test"
    mutants = (sample.metadata.model_extra or {}).get("mutants", [])
    # The gate leaves out those that do not parse.
    if not isinstance(mutants, list) or not all(isinstance(mutant, str) for mutant in mutants):
        return "mutants is no list of code"
    entry_point = sample.metadata.entry_point
    problem = _tests_problem(code, entry_point)
    if problem is None and entry_point and binds(code, entry_point.split(".")[0]):
        return "the tests redefine the entry point"
    return problem


def _edits_problem(sample: Sample) -> str | None:
    try:
        files = read_files(sample.input)
    except Unusable as error:
        return f"the input holds no files to edit: {error}"
    try:
        edits = read_edits(sample.output)
    except Unusable as error:
        return f"the answer's edits are not of the right shape: {error}"
    except ValueError as error:
        return f"the answer is not JSON: {error}"
    try:
        edited = apply_edits(files, edits)
    except Unusable as error:
        return f"the answer's edits do not apply: {error}"
    broken = broken_file(edited)
    if broken is not None:
        return f"the edited files do not parse: {broken.detail}"
    if not sample.tests.strip():
        return "there are no tests of the edited files"
    return _tests_problem(sample.tests, sample.metadata.entry_point)


def _tests_problem(tests: str, entry_point: str | None) -> str | None:
    tree = parse_python(tests)
    if isinstance(tree, str):
        return f"the tests do not parse: {tree}"
    if entry_point and not _calls(tree, entry_point.rsplit(".", 1)[-1]):
        return "the tests never call the entry point"
    if not any(_asserts(node) for node in _walk(tree)):
        return "the tests assert nothing"
    return None


def _walk(tree: ast.Module) -> Iterator[ast.AST]:
    """All nodes, statement by statement: what is looked for mostly stands in the first one."""
    for statement in tree.body:
        yield from ast.walk(statement)


def _calls(tree: ast.Module, name: str) -> bool:
    """Whether `name` is called or handed to a call, as in `map(name, …)` or `check(name)`."""
    for call in _walk(tree):
        match call:
            case ast.Assert(test=ast.Compare(left=ast.Call(func=ast.Name(id=called)))) if called == name:
                return True
        if isinstance(call, ast.Call):
            handed = [call.func, *call.args, *(keyword.value for keyword in call.keywords)]
            if any(_names(node) == name for node in handed):
                return True
    return False


def _names(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return None


def _asserts(node: ast.AST) -> bool:
    match node:
        case ast.Assert(test=ast.Constant()):
            return False
        case ast.Assert() | ast.Raise():
            return True
        case ast.Call(func=func):
            return (_names(func) or "").startswith(("assert", "raises", "fail"))
    return False
