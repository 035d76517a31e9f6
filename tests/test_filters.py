import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autotrain.errors import AutotrainError, StopRequested
from autotrain.jsonl import write_jsonl
from autotrain.sample import Metadata, Sample, in_fence
from autotrain.validate.filters import Funnel, validate_file
from autotrain.validate.schema import schema_problem
from autotrain.validate.secrets import Scanner

Validate = Callable[..., Funnel]

# Put together here, so that this file holds nothing that a scanner would find.
GITHUB = "gh" + "p_" + "a1B2" * 9
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


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner()


@pytest.fixture
def validate(tmp_path: Path, scanner: Scanner) -> Validate:
    paths = (tmp_path / name for name in ("raw.jsonl", "clean.jsonl", "rejected.jsonl"))
    return functools.partial(validate_file, *paths, earlier=[], max_chars=4000, scanner=scanner)


def write_raw(folder: Path, *samples: Sample, lines: str = "") -> None:
    write_jsonl(folder / "raw.jsonl", [each.to_json() for each in samples])
    with (folder / "raw.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(lines)


def rejected(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]


def clean(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "clean.jsonl").read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------------------------------------------
# The funnel


def test_every_line_is_either_kept_or_kept_with_its_reason(tmp_path: Path, validate: Validate) -> None:
    write_raw(
        tmp_path,
        sample(1),
        sample(2, output=""),
        sample(3, input="x" * 5000),
        sample(4, input=f"key = {GITHUB!r}"),
        sample(5, instruction="write ADD  number 1."),
        sample(6),
        lines='{"torn": \n\n[1, 2]\n{"instruction": "no output"}\n',
    )
    funnel = validate()
    assert funnel == Funnel(9, 2, {"schema": 4, "length": 1, "secret": 1, "duplicate": 1})
    assert [line["id"] for line in clean(tmp_path)] == ["r1-00001", "r1-00006"]
    assert [(line["line"], line["id"], line["reason"]) for line in rejected(tmp_path)] == [
        (2, "r1-00002", "schema"),
        (3, "r1-00003", "length"),
        (4, "r1-00004", "secret"),
        (5, "r1-00005", "duplicate"),
        (7, None, "schema"),
        (9, None, "schema"),
        (10, None, "schema"),
    ]
    assert all(line["detail"] for line in rejected(tmp_path))


def test_a_duplicate_says_of_what(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(7))
    write_jsonl(tmp_path / "clean_round_1.jsonl", [sample(7, id="r1-00099").to_json()])
    assert validate(earlier=[tmp_path / "clean_round_1.jsonl"]).dropped["duplicate"] == 1
    assert rejected(tmp_path)[0]["detail"] == "asks the same as r1-00099 of clean_round_1.jsonl"


def test_a_dropped_sample_does_not_make_a_later_one_a_duplicate(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, output="TODO"), sample(1))
    assert validate().kept == 1


def test_kept_text_has_one_unicode_form_and_one_line_end(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, input="cafe\u0301\r\nend", concepts=["e\u0301"]))
    validate()
    assert clean(tmp_path)[0]["input"] == "caf\xe9\nend"
    assert clean(tmp_path)[0]["metadata"]["concepts"] == ["\xe9"]


def test_a_dropped_sample_can_be_read_again(tmp_path: Path, validate: Validate) -> None:
    bad = sample(1, output="no code here")
    write_raw(tmp_path, bad)
    validate()
    assert rejected(tmp_path)[0]["sample"] == bad.to_json()


def test_a_file_of_instruction_and_output_alone_is_enough(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, lines='{"instruction": "What is a list?", "output": "A sequence."}\n')
    assert validate().kept == 1


# ---------------------------------------------------------------------------------------------------
# Secrets never reach a file


@pytest.mark.parametrize(
    "changes",
    [
        {"input": GITHUB},
        {"id": GITHUB},
        # Dropped for another reason before anything looked for secrets.
        {"output": f"no code, but {GITHUB}"},
        {"input": GITHUB + "x" * 5000},
        {"output": f"```python\ndef f(:\n    {GITHUB}\n```"},
    ],
)
def test_no_output_holds_the_secret_of_a_dropped_sample(
    tmp_path: Path, validate: Validate, changes: dict[str, Any]
) -> None:
    line = json.dumps(sample(1, **changes).to_json())
    write_raw(tmp_path, sample(2), lines=line + "\n")
    assert validate().kept == 1
    assert GITHUB[4:] not in (tmp_path / "rejected.jsonl").read_text() + (tmp_path / "clean.jsonl").read_text()
    (reject,) = rejected(tmp_path)
    assert "sample" not in reject
    assert "github" in reject["withheld"]


def test_the_digest_of_a_withheld_sample_is_keyed_anew_each_time(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, input=GITHUB), sample(1, input=GITHUB), sample(2, input=GITHUB))
    digests = []
    for _ in range(2):
        validate()
        digests.append([line["digest"] for line in rejected(tmp_path)])
    assert digests[0][0] == digests[0][1] != digests[0][2]
    assert not set(digests[0]) & set(digests[1])


# ---------------------------------------------------------------------------------------------------
# Stopping and failing


def test_a_stop_leaves_the_files_as_they_were(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, *(sample(number) for number in range(5)))
    (tmp_path / "clean.jsonl").write_text("before")
    seen: list[int] = []

    def stop_at_three(funnel: Funnel) -> None:
        seen.append(funnel.read)
        if funnel.read == 3:
            raise StopRequested("stop")

    with pytest.raises(StopRequested):
        validate(on_progress=stop_at_three)
    assert seen == [1, 2, 3]
    assert (tmp_path / "clean.jsonl").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.jsonl", "raw.jsonl"]


def test_a_missing_file_is_named(tmp_path: Path, validate: Validate) -> None:
    with pytest.raises(AutotrainError, match=r"raw\.jsonl: no such file"):
        validate()


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
        ({**WRITTEN, "mutants": ["def add(:"]}, "mutants is no list of code"),
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
