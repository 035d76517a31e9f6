"""The student learns from its own answers where running them proved them right, and from nothing it is measured on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autotrain.config import Settings
from autotrain.errors import SettingsError
from autotrain.evaluate.answers import Answer
from autotrain.evaluate.student import choose_tasks, learn_from_own, require_proof, right_answers, share_of_own
from autotrain.gate.jail import Jail, Limits
from autotrain.jsonl import write_jsonl
from autotrain.run.stage import Stage
from autotrain.sample import Sample, in_fence

LONG = "def larger(a, b):\n    if a > b:\n        return a\n    return b"
SHORT = "def larger(a, b):\n    return max(a, b)"


def task(name: str, kind: str = "algorithm_implementation") -> Sample:
    return Sample.model_validate(
        {
            "id": name, "instruction": "Write larger(a, b).", "output": in_fence(LONG),
            "tests": "assert larger(1, 2) == 2\nassert larger(3, 2) == 3",
            "metadata": {"task_type": kind, "response_format": "code", "entry_point": "larger"},
        }
    )  # fmt: skip


def answer(item: str, draw: int, text: str, truncated: bool = False) -> Answer:
    return Answer("adapter abc", item, "t", text, 5, truncated, None, 0, "q", draw)


@pytest.fixture(scope="module")
def jail() -> Iterator[Jail]:
    with Jail(Limits()) as jail:
        yield jail


def test_only_different_right_whole_answers_are_kept_the_shortest_first(jail: Jail) -> None:
    texts = [
        in_fence(LONG),
        in_fence(SHORT),
        in_fence(SHORT.replace("max(a, b)", "max( a,  b )")),
        in_fence(SHORT.replace("max", "min")),
        "return max(a, b)",
        in_fence("def larger(a, b):\n    return b if b > a else a"),
    ]
    answers = {
        "t1": [answer("t1", draw, text) for draw, text in enumerate(texts, start=1)],
        "t2": [answer("t2", 1, in_fence(SHORT), truncated=True), answer("t2", 2, in_fence("larger = 3"))],
    }
    kept = right_answers(Stage("gate", Settings()), [task("t1"), task("t2")], answers, jail)
    assert [sample.id for sample in kept] == ["t1-own2", "t1-own6"]
    first = kept[0]
    assert first.output == in_fence(SHORT)
    assert first.metadata.teacher_model == "self: adapter abc"
    assert first.tests == task("t1").tests


def test_no_answer_to_a_held_out_task_is_learned(tmp_path: Path, jail: Jail) -> None:
    tasks = [task("t1"), task("t2")]
    answers = {one.id: [answer(one.id, 1, in_fence(SHORT))] for one in tasks}
    own = right_answers(Stage("gate", Settings()), tasks, answers, jail)
    write_jsonl(tmp_path / "own.jsonl", (sample.to_json() for sample in own))
    train = [tasks[0]]
    assert [one.id for one in learn_from_own(train, tmp_path / "own.jsonl", alone=False)] == ["t1", "t1-own1"]
    assert [one.id for one in learn_from_own(train, tmp_path / "own.jsonl", alone=True)] == ["t1-own1"]
    (tmp_path / "none.jsonl").write_text("")
    assert learn_from_own(train, tmp_path / "none.jsonl", alone=True) == []


def test_the_tasks_are_a_share_of_those_that_can_be_run() -> None:
    samples = [task(f"t{number}") for number in range(20)] + [task("text", "code_explanation")]
    chosen = choose_tasks(samples, 0.5, seed=1)
    assert len(chosen) == 10
    assert chosen == choose_tasks(samples, 0.5, seed=1) != choose_tasks(samples, 0.5, seed=2)
    assert [one.id for one in choose_tasks(samples, 1.0, seed=1)] == [f"t{number}" for number in range(20)]


def test_without_running_anything_nothing_is_known_to_be_right() -> None:
    assert share_of_own(Settings(teacher_model="self")) == 1
    require_proof(Settings(self_ratio=0.5, run_unit_tests=True))
    require_proof(Settings())
    for settings in (Settings(self_ratio=0.5), Settings(teacher_model="self")):
        with pytest.raises(SettingsError, match="RUN_UNIT_TESTS=1"):
            require_proof(settings)
