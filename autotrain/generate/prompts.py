"""What the teacher is asked: a plan of requests drawn from the seed, and the words of each."""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, get_args

from autotrain.sample import Difficulty, ResponseFormat, TaskType

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
cover ordinary cases, edges and errors; each must hold for the output. "" for tasks not \
answered with code.
- entry_point: the name of the function or class that the tests call; "" for tasks not answered with code.
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
- code_review: input is code with one bug; the instruction asks for a review as JSON; output is that JSON \
as a string and nothing else: {"findings": [{"line": 3, "severity": "high", "message": "..."}]}, with 1 to \
3 findings, severity low, medium or high, lines counted from 1 in input, the line of the bug among them.
- code_explanation: input is code; the instruction asks something about what it does or why; output explains \
it in a few precise sentences of plain text.

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
    "code_review": "json",
    "code_explanation": "text",
}

TASK_WEIGHTS: dict[TaskType, float] = {
    "algorithm_implementation": 0.35,
    "code_completion": 0.15,
    "bug_fixing": 0.2,
    "refactoring": 0.1,
    "code_review": 0.1,
    "code_explanation": 0.1,
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


@dataclass(frozen=True)
class Request:
    """One request to the teacher: `count` samples of one task type, concept and difficulty."""

    index: int
    round_number: int
    task_type: TaskType
    concept: str
    difficulty: Difficulty
    count: int

    def messages(self) -> list[dict[str, str]]:
        """The chat messages to send."""
        many = f"{self.count} samples that differ from one another in subject, names and approach"
        user = (
            f"Write exactly {'1 sample' if self.count == 1 else many}.\n"
            f"Task type: {self.task_type}\nConcept: {self.concept}\nDifficulty: {self.difficulty}\n"
            "Reply with the JSON object only."
        )
        return [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": user}]


def plan_requests(
    count: int,
    samples_per_request: int,
    seed: int,
    round_number: int,
    weights: Mapping[TaskType, float] | None = None,
    concepts: Sequence[str] = (),
) -> list[Request]:
    """Plan requests for `count` samples; `weights` are the shares of the task types, `concepts` what they are about.

    A plan for more samples begins with the same requests as one for fewer (but for the size of
    the last), so further requests can be added later. Raises ValueError if no weight is positive or
    a task type is none that a teacher is asked for.
    """
    weights = weights or TASK_WEIGHTS
    if not any(weight > 0 for weight in weights.values()) or not weights.keys() <= RESPONSE_FORMATS.keys():
        raise ValueError(
            f"weights {dict(weights)}: give a positive weight to some of {list(RESPONSE_FORMATS)}"
        )
    rng = random.Random(f"{seed}/{round_number}")
    known = concepts or load_concepts()
    order = rng.sample(known, len(known))
    task_types = _in_shares(weights, rng)
    requests = []
    for index, start in enumerate(range(0, count, samples_per_request)):
        requests.append(
            Request(
                index=index,
                round_number=round_number,
                task_type=next(task_types),
                concept=order[index % len(order)],
                difficulty=rng.choice(get_args(Difficulty)),
                count=min(samples_per_request, count - start),
            )
        )
    return requests


@cache
def load_concepts() -> list[str]:
    """The programming concepts that tasks are drawn from."""
    text = files("autotrain.generate").joinpath("concepts.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]


def _in_shares(weights: Mapping[TaskType, float], rng: random.Random) -> Iterator[TaskType]:
    """Yield task types so that every stretch has about their shares, where independent draws would clump."""
    credit = {name: rng.random() * weight for name, weight in weights.items() if weight > 0}
    total = sum(weight for weight in weights.values() if weight > 0)
    while True:
        for name in credit:
            credit[name] += weights[name]
        chosen = max(credit, key=lambda name: credit[name])
        credit[chosen] -= total
        yield chosen
