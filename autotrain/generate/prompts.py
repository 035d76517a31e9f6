"""The words of a request to the teacher, and the shape of what it is to answer."""

import hashlib
from collections.abc import Sequence
from typing import Any

from autotrain.generate.plan import Request
from autotrain.sample import ResponseFormat, TaskType

# First in every request and the same in all of them, so that a server can cache it.
SYSTEM_PROMPT = """\
You write training tasks for a small Python coding model. Every claim you make is checked by running it: \
tests are executed, buggy code must fail them, right code must pass them. What does not hold is thrown away.

Reply with one JSON object and nothing else, no text or fence around it:
{"samples": [{"instruction": "...", "input": "...", "output": "...", "tests": "...", "entry_point": "...", \
"concepts": ["..."]}]}

The fields of a sample:
- instruction: what the model is asked, in full sentences, complete without any other sample. For tasks \
answered with code it names the function or class to write and says what it takes, returns and raises.
- input: the code or context that the task is about, as plain text without a fence; "" if there is none.
- output: the model's whole answer. An answer of code is exactly one fenced block, which starts with \
```python and ends with ```, and nothing outside it.
- tests: plain Python assert statements that call the entry point, without a fence, imports of a test \
framework or prints. They run right after the answer's code in the same module. Give 4 to 8 asserts that \
cover ordinary cases, edges and errors; each must hold for the output. "" where the task type says so.
- entry_point: the name of the function or class that the tests call or that the task is about.
- concepts: 1 to 4 short names of what the task practises.

The task types:
- algorithm_implementation: the instruction specifies a function; input is ""; output is the whole function.
- code_completion: input is the beginning of a function (imports, signature, docstring, perhaps some lines) \
without the rest; output is the complete code, input included.
- bug_fixing: input is code with one realistic bug that runs but fails at least one of the tests; the \
instruction describes what it should do and what goes wrong, not where; output is the corrected code, which \
passes all tests.
- refactoring: input is working but clumsy code; the instruction says what to improve; output behaves the \
same; both the input and the output pass the same tests.
- unit_test_generation: input is a correct function or class (entry_point names it); the instruction asks for \
tests of it; output is one fenced block of plain Python tests (assert statements, alone or in functions named \
test_...), without an import of the code or of a test framework, thorough enough to fail on small mutations of \
the code; tests is "".
- documentation: input is correct code without docstrings; the instruction asks to document it; output is the \
same code with docstrings (and comments) added and nothing else changed; tests is "".
- code_review: input is code with one bug; the instruction asks for a review as JSON and states its form; \
output is that JSON as a string and nothing else: \
{"findings": [{"line": 3, "severity": "high", "message": "..."}]}, with 1 to 3 findings, severity low, medium \
or high, lines counted from 1 in input, the first finding the bug's line; tests is "".
- agent_edit: input is 1 to 3 small Python files in one text, each begun by a line "# file: NAME.py"; the \
instruction asks for a change or the repair of a fault in them as JSON edits and states their form; output is \
that JSON as a string and nothing else: {"edits": [{"path": "NAME.py", "search": "...", "replace": "..."}]}, \
with 1 to 5 edits, search a stretch of whole lines that occurs exactly once in that file; tests import from the \
files ("from NAME import ..."), fail on the files as they are and pass after the edits; entry_point is the \
function that the tests call.
- code_explanation: input is code; the instruction asks something about what it does or why; output explains \
it in a few precise sentences of plain text; tests is "".

Rules for all code: Python 3.10, the standard library only, no input from the user, files, network, \
subprocesses, threads, clock or unseeded randomness; it ends by itself in well under a second. Escape \
quotes, backslashes and newlines inside JSON strings as JSON demands.
"""

PROMPT_VERSION = hashlib.sha256(SYSTEM_PROMPT.encode()).hexdigest()[:8]

RESPONSE_FORMATS: dict[TaskType, ResponseFormat] = {
    "algorithm_implementation": "code",
    "code_completion": "code",
    "bug_fixing": "code",
    "refactoring": "code",
    "unit_test_generation": "code",
    "documentation": "code",
    "code_review": "json",
    "agent_edit": "json",
    "code_explanation": "text",
}

# The shape of a reply, for servers that hold the model to a schema. Strict mode wants every key required.
_TEXT = {"type": "string"}
_FIELDS: dict[str, Any] = {
    "instruction": _TEXT,
    "input": _TEXT,
    "output": _TEXT,
    "tests": _TEXT,
    "entry_point": _TEXT,
    "concepts": {"type": "array", "items": _TEXT},
}
REPLY_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "samples": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": _FIELDS,
                "required": list(_FIELDS),
                "additionalProperties": False,
            },
        }
    },
    "required": ["samples"],
    "additionalProperties": False,
}

# Enough to steer away from what was written before, few enough to stay cheap.
MOST_RECENT = 8
RECENT_CHARACTERS = 160


def messages(request: Request, recent: Sequence[str] = ()) -> list[dict[str, str]]:
    """The chat messages to send; `recent` are instructions of the same cell that are not to come again."""
    many = f"{request.count} samples that differ from one another in subject, names and approach"
    lines = [
        f"Write exactly {'1 sample' if request.count == 1 else many}.",
        f"Task type: {request.task_type}",
        f"Concept: {request.concept}",
        f"Difficulty: {request.difficulty}",
        f"Style of the instruction: {request.style}",
    ]
    if recent:
        lines.append("Do not repeat or merely reword these tasks, which were written before:")
        lines += [f"- {_shortened(instruction)}" for instruction in recent[-MOST_RECENT:]]
    lines.append("Reply with the JSON object only.")
    return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": "\n".join(lines)}]


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= RECENT_CHARACTERS else line[:RECENT_CHARACTERS] + " …"
