"""What a sample's own text says against it."""

import json
from typing import Any

import pytest

from autotrain.sample import Metadata, Sample, in_fence
from autotrain.validate.filters import length_filter, token_filter
from autotrain.validate.schema import schema_problem

CODE = "def add(a, b):\n    return a + b"


def sample(number: int = 1, **changes: Any) -> Sample:
    known = {"task_type", "response_format", "entry_point", "concepts", "mutants"}
    metadata: dict[str, Any] = {
        "task_type": "algorithm_implementation",
        "response_format": "code",
        "entry_point": "add",
    }
    metadata |= {key: value for key, value in changes.items() if key in known}
    fields = {key: value for key, value in changes.items() if key not in known}
    return Sample(
        **{
            "id": f"r1-{number:05d}",
            "instruction": f"Write add number {number}.",
            "output": in_fence(CODE),
            "tests": "assert add(1, 2) == 3",
            "metadata": Metadata(**metadata),
            **fields,
        }
    )


def test_what_is_too_long_is_told_with_its_length() -> None:
    long, short = length_filter(100)([sample(1, tests="x" * 100), sample(1, input="", tests="")])
    assert long is not None
    assert short is None
    drop, kept = token_filter(lambda text: len(text.split()), 50)([sample(1, input="word " * 60), sample(1)])
    assert drop is not None
    assert drop.reason == "length"
    assert drop.detail.endswith("tokens, at most 50")
    assert kept is None


# ---------------------------------------------------------------------------------------------------
# Content


WRITTEN: dict[str, Any] = {
    "task_type": "unit_test_generation",
    "input": CODE,
    "output": in_fence("assert add(1, 2) == 3"),
    "tests": "",
}
EDITED: dict[str, Any] = {
    "task_type": "agent_edit",
    "response_format": "json",
    "input": "# file: shop.py\ndef add(a, b):\n    return a - b",
    "output": '{"edits": [{"path": "shop.py", "search": "a - b", "replace": "a + b"}]}',
    "tests": "from shop import add\nassert add(1, 2) == 3",
}


def edits(**changes: str) -> dict[str, Any]:
    edit = {"path": "shop.py", "search": "a - b", "replace": "a + b", **changes}
    return {**EDITED, "output": json.dumps({"edits": [edit]})}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"instruction": " \n"}, "instruction is empty"),
        ({"instruction": "TODO"}, "instruction is a placeholder"),
        ({"output": "```python\n# your code here\n```"}, "the answer's code is a placeholder"),
        (
            {"output": in_fence("def add(a, b):\n    '''Add.'''\n    pass")},
            "the answer's code is a placeholder",
        ),
        ({"output": in_fence("def add(a, b):\n    ...")}, "the answer's code is a placeholder"),
        ({"output": in_fence("def add(a, b):\n    raise NotImplementedError")}, "placeholder"),
        ({"output": "<your code here>"}, "output is a placeholder"),
        ({"output": "I'm sorry, but I can't help with that."}, "the answer is a refusal"),
        ({"output": "As an AI language model I have no opinion."}, "the answer is a refusal"),
        ({"output": CODE}, "no closed fenced Python block"),
        ({"output": f"```python\n{CODE}"}, "no closed fenced Python block"),
        ({"output": in_fence("def add(a, b:\n    return a")}, "the answer's code does not parse: line 1"),
        ({"output": in_fence("x = " + "(" * 3000)}, "the answer's code does not parse"),
        ({"input": "a\0b"}, "input holds a NUL"),
        ({"tests": "assert add(1, 2 == 3"}, "the tests do not parse: line 1"),
        ({"tests": "assert sum([1, 2]) == 3"}, "the tests never call the entry point"),
        ({"tests": "assert add"}, "the tests never call the entry point"),
        ({"tests": "add(1, 2)"}, "the tests assert nothing"),
        ({"tests": "add(1, 2)\nassert True"}, "the tests assert nothing"),
        ({"response_format": "json", "output": '{"a": 1,}'}, "the answer is not JSON"),
        ({"response_format": "json", "output": "[NaN]"}, "the answer is not JSON"),
        ({"response_format": "json", "output": "[" * 100_000}, "the answer is not JSON"),
        ({"response_format": "json", "output": '"text"'}, "the answer is a JSON str"),
        ({**WRITTEN, "input": ""}, "the input is no code to test"),
        ({**WRITTEN, "input": "It adds."}, "the input is no code to test"),
        ({**WRITTEN, "output": in_fence("assert add(1, 2 == 3")}, "the answer's code does not parse"),
        ({**WRITTEN, "output": in_fence("add(1, 2)")}, "the tests assert nothing"),
        ({**WRITTEN, "output": in_fence("assert sum([1, 2]) == 3")}, "the tests never call the entry point"),
        ({**WRITTEN, "output": in_fence(f"{CODE}\nassert add(1, 2) == 3")}, "the tests redefine the entry point"),
        ({**WRITTEN, "response_format": "text", "output": "assert add(1, 2)"}, "no closed fenced Python block"),
        ({**WRITTEN, "mutants": CODE}, "mutants is no list of code"),
        ({**EDITED, "input": CODE}, "the input holds no files to edit"),
        ({**EDITED, "output": '{"edits": []}'}, "the answer's edits are not of the right shape"),
        ({**EDITED, "output": '[{"path": "shop.py"}]'}, "the answer's edits are not of the right shape"),
        ({**EDITED, "response_format": "text", "output": "Change the sign."}, "the answer is not JSON"),
        (edits(search="a", replace="b"), "the answer's edits do not apply: edit 1: `search` occurs more than once"),
        (edits(path="app.py"), "the answer's edits do not apply: edit 1: there is no such file"),
        (edits(replace="a +"), "the edited files do not parse"),
        ({**EDITED, "tests": " "}, "there are no tests of the edited files"),
        ({**EDITED, "tests": "from shop import add\nassert add(1, 2 == 3"}, "the tests do not parse"),
        ({**EDITED, "tests": "import shop\nassert shop"}, "the tests never call the entry point"),
        ({**EDITED, "tests": "from shop import add\nadd(1, 2)"}, "the tests assert nothing"),
    ],
)
def test_content_that_is_not_what_it_says(changes: dict[str, Any], problem: str) -> None:
    assert problem in (schema_problem(sample(**changes)) or "kept")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"tests": ""},
        {"tests": "for a in range(3):\n    assert add(a, 1) == a + 1"},
        {"tests": "import unittest\nunittest.TestCase().assertEqual(add(1, 2), 3)"},
        {"tests": "assert list(map(add, [1], [2])) == [3]"},
        {"tests": "try:\n    add(None, 1)\nexcept TypeError:\n    pass\nelse:\n    raise AssertionError"},
        {"entry_point": "Adder.add", "tests": "assert Adder().add(1, 2) == 3"},
        {**WRITTEN, "tests": "nothing ( that parses"},
        {**WRITTEN, "output": in_fence("def test_add():\n    for a in range(3):\n        assert add(a, 1) == a + 1")},
        {**WRITTEN, "input": in_fence(CODE), "mutants": ["def add(a, b):\n    return a - b"]},
        EDITED,
        {**EDITED, "tests": "import shop\nassert list(map(shop.add, [1], [2])) == [3]"},
        {"output": f"Here it is:\n\n```python\n{CODE}\n```\n\nIt adds."},
        {"output": in_fence("from abc import *\nclass A(ABC):\n    @abstractmethod\n    def f(self):\n        ...")},
        {"response_format": "json", "output": '{"findings": []}'},
        {"response_format": "json", "output": "[]"},
        {"response_format": "text", "output": "A loop. I can not see any fault."},
        {"response_format": "text", "output": "Sorted data is needed; sorry states arise otherwise."},
    ],
)
def test_good_content_passes(changes: dict[str, Any]) -> None:
    assert schema_problem(sample(**changes)) is None
