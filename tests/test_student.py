"""The student learns from its own answers where running them proved them right, and from nothing it is measured on."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from test_stages import make_run
from test_train_stages import IN_RUN, run_here
from tiny_model import build_model, build_tokenizer

from autotrain.config import Settings
from autotrain.errors import SettingsError
from autotrain.evaluate.answers import Answer
from autotrain.evaluate.student import choose_tasks, learn_from_own, require_proof, right_answers, share_of_own
from autotrain.gate.jail import Jail, Limits
from autotrain.jsonl import write_jsonl
from autotrain.run.stage import Stage
from autotrain.run.state import load_state
from autotrain.sample import Sample, in_fence, load_samples

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


# ---------------------------------------------------------------------------------------------------
# A whole round of a student that is its own teacher


@contextmanager
def student(tested: Path) -> Iterator[str]:
    """A server whose model solves every other of the tasks in `tested` at its second attempt; its address."""
    tokenizer = build_tokenizer()
    attempts: dict[str, int] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.reply({"object": "list", "data": [{"id": "student", "object": "model"}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked = tokenizer.decode(body["prompt"])
            place, task = next(
                (place, one) for place, one in enumerate(load_samples(tested)) if one.instruction.strip() in asked
            )
            attempts[task.id] = attempts.get(task.id, 0) + 1
            right = place % 2 == 0 and attempts[task.id] == 2
            choice = {"index": 0, "text": task.output if right else "I give up.", "finish_reason": "stop"}
            part = json.dumps({"id": "c", "object": "text_completion", "created": 0, "model": "m", "choices": [choice]})
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(f"data: {part}\n\ndata: [DONE]\n\n".encode())

        def reply(self, value: object) -> None:
            data = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_a_student_that_is_its_own_teacher_trains_on_nothing_else(tmp_path: Path) -> None:
    base = build_model(tmp_path / "model")
    changes = {**IN_RUN, "train_steps": 2, "val_ratio": 0.25, "eval_max_new_tokens": 1024, "eval_batch_size": 1}
    changes |= {"teacher_model": "self", "samples_per_round": 24, "run_unit_tests": True, "self_attempts": 2}
    changes |= {"task_types": "algorithm_implementation=3,code_explanation=1", "base_model": str(base)}
    with student(tmp_path / "run_20260101_000000_abcdef" / "data" / "tested_round_1.jsonl") as address:
        paths = make_run(tmp_path, eval_engine=address, **changes)
        for name in ("01_teacher_generate.py", "02_validate.py", "03_unit_gate.py", "04_train_qlora.py"):
            done = run_here(name, "--run", paths.root, "--round", 1)
            assert done.returncode == 0, done.stderr
    tasks = [task for task in load_samples(paths.tested(1)) if task.metadata.task_type != "code_explanation"]
    own, train, val = (load_samples(path) for path in (paths.own(1), paths.train(1), paths.val(1)))
    counters = load_state(paths.state).counters
    assert counters["own_tasks"] == len(tasks)
    assert counters["own_answers"] == 2 * len(tasks)
    assert counters["own_tasks_solved"] == counters["own_kept"] == len(own) > 0
    held_out = {task.id for task in val}
    assert train
    assert all(sample.id.endswith("-own2") for sample in train)
    assert {sample.id.removesuffix("-own2") for sample in train}.isdisjoint(held_out)
    # What the student cannot do yet is measured all the same.
    solved = {sample.id.removesuffix("-own2") for sample in own}
    assert held_out - solved
