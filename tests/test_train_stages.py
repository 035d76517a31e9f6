"""Stages 04 and 05 as programs on a user's files, and two rounds of all stages, all on a tiny model.

What a process of its own shows is shown once: torch takes seconds to load, each time.
"""

import io
import json
import pickle
import runpy
import shutil
import subprocess
import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from itertools import accumulate
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from test_stages import make_run
from tiny_model import CHATML, build_model, build_tokenizer

from autotrain.config import Settings
from autotrain.errors import Refused
from autotrain.generate.builtin import builtin_samples, only
from autotrain.jsonl import write_jsonl
from autotrain.run.control import write_request
from autotrain.run.events import sum_deltas
from autotrain.run.paths import RunPaths
from autotrain.run.rounds import finish, round_end, round_start
from autotrain.run.state import load_state
from autotrain.train.models import load_base, load_tokenizer, sha256_of

ROOT = Path(__file__).parent.parent
SMALL = ["--device", "cpu", "--seq-len", "1024", "--lora-r", "4", "--lr", "0.01", "--train-steps", "4"]
SMALL += ["--batch-size", "4", "--grad-accum", "1", "--eval-max-new-tokens", "16"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "samples.jsonl"
    short = only((), {"algorithm_implementation": 1, "bug_fixing": 1})
    write_jsonl(path, (sample.to_json() for sample in builtin_samples(16, 1, 1, short)))
    return path


@pytest.fixture(scope="module")
def adapter(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("trained") / "adapter"
    done = program("04_train_qlora.py", "--base-model", base, "--data", data, "--val", data, "--output", output)
    assert done.returncode == 0, done.stderr
    assert "4 steps on 16 samples" in done.stdout
    assert "validation loss" in done.stdout
    return output


Done = subprocess.CompletedProcess[str]


def program(name: str, *words: object) -> Done:
    """The script in a process of its own."""
    command = [sys.executable, str(ROOT / "scripts" / name), *SMALL, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def script(name: str, *words: object) -> Done:
    """The same in this process."""
    return run_here(name, *SMALL, *words)


def run_here(name: str, *words: object) -> Done:
    out, err = io.StringIO(), io.StringIO()
    path = ROOT / "scripts" / name
    command = [str(path), *map(str, words)]
    with patch.object(sys, "argv", command), redirect_stdout(out), redirect_stderr(err):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as ended:
            return Done(command, int(ended.code or 0), out.getvalue(), err.getvalue())
    raise AssertionError(f"{name} did not end with a status")


def test_adapter_folder_says_what_it_is(adapter: Path, base: Path, data: Path) -> None:
    manifest = json.loads((adapter / "manifest.json").read_text())
    assert manifest["base_model"] == str(base)
    assert list(manifest["data"]) == [data.name]
    assert manifest["training"]["steps"] == 4
    assert manifest["training"]["val_loss"] > 0
    assert "openai_api_key" not in manifest["settings"]
    card = (adapter / "README.md").read_text()
    assert card.startswith("---\nbase_model: ")
    assert "4 optimizer steps" in card
    assert not list(adapter.glob("*.bin")), "adapters are safetensors"
    assert [path.name for path in adapter.parent.iterdir()] == ["adapter"], "checkpoints are gone"


def test_training_does_not_touch_an_output_that_exists(adapter: Path, base: Path, data: Path) -> None:
    before = (adapter / "manifest.json").read_bytes()
    done = script("04_train_qlora.py", "--base-model", base, "--data", data, "--output", adapter)
    assert done.returncode == 1
    assert "exists already" in done.stderr
    assert (adapter / "manifest.json").read_bytes() == before


def test_evaluation_of_an_adapter_on_files(adapter: Path, base: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.json"
    bench = tmp_path / "mine.jsonl"
    problem = {"task_id": 1, "text": "Return one.", "code": "def one(): return 1", "test_list": ["assert one()"]}
    write_jsonl(bench, [problem])
    words: tuple[object, ...] = ("--base-model", base, "--data", data, "--adapter", adapter, "--output", output)
    words += ("--benchmarks", bench, "--eval-samples", 2)
    done = program("05_eval.py", *words)
    assert done.returncode == 0, done.stderr
    report = json.loads(output.read_text())
    assert report["items"] == 16
    total = report["models"]["new"]["total"]
    assert total["pass_at_1"]["hits"] == 0, "a random model solves nothing"
    assert total["validation_loss"] < report["models"]["base"]["total"]["validation_loss"]
    assert not report["decision"]["promoted"]
    assert "| pass@1 (executed) | 0.0%" in output.with_suffix(".md").read_text()
    # The answers are kept: evaluating again decodes nothing.
    again = script("05_eval.py", *words)
    assert again.returncode == 0, again.stderr
    assert "answers" not in again.stdout.replace("answers that", "")
    assert json.loads(output.read_text()) == report
    assert report["benchmarks"]["mine"]["items"] == 1
    assert report["benchmarks"]["mine"]["models"]["new"]["total"]["pass_at_1"]["hits"] == 0
    assert list(total["pass_at_k"]) == ["1", "2"]


def test_an_adapter_of_another_template_is_refused_by_name(
    adapter: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    other = build_model(tmp_path / "model", CHATML.replace("<|im_start|>assistant", "<|im_start|>model"))
    manifest = json.loads((adapter / "manifest.json").read_text())
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "manifest.json").write_text(json.dumps({**manifest, "base_model": str(other)}))
    words = ("--base-model", other, "--data", data, "--output", tmp_path / "report.json")
    done = script("05_eval.py", *words, "--adapter", copy)
    assert done.returncode == 1
    assert "another chat template" in done.stderr
    done = script("05_eval.py", *words, "--adapter", adapter)
    assert f"was trained on {base}" in done.stderr


def test_an_adapter_of_pickles_or_with_other_weights_is_refused(
    adapter: Path, base: Path, data: Path, tmp_path: Path
) -> None:
    words = ("--base-model", base, "--data", data, "--output", tmp_path / "report.json")
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in adapter.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "adapter_config.json").write_bytes(bytes(300))
    done = script("05_eval.py", *words, "--adapter", copy)
    assert done.returncode == 4
    assert f"the adapter {copy} cannot be loaded" in done.stderr
    weights = copy / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    assert "it is damaged, or of another training" in script("05_eval.py", *words, "--adapter", copy).stderr
    # What is in it would be done, if it were unpickled.
    weights.unlink()
    marked = tmp_path / "mark"
    for name in ("adapter_model.bin", "adapter_model.pt", "pytorch_model.bin"):
        (copy / name).write_bytes(pickle.dumps(Mark(str(marked))))
    done = script("05_eval.py", *words, "--adapter", copy)
    assert done.returncode == 1
    assert "weights of other kinds are never read" in done.stderr
    # Nor is it under the name of weights, though the manifest says that it belongs there.
    weights.write_bytes(pickle.dumps(Mark(str(marked))))
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps({**manifest, "adapter_sha256": sha256_of(weights)}))
    done = script("05_eval.py", *words, "--adapter", copy)
    assert done.returncode == 1
    assert "is no safetensors file" in done.stderr
    assert not marked.exists()


def test_a_damaged_base_model_is_told_and_nothing_of_it_is_unpickled(base: Path, tmp_path: Path) -> None:
    copy, marked = tmp_path / "copy", tmp_path / "mark"
    settings = Settings(base_model=str(copy), device="cpu")
    for damage in ("weights", "pickle", "config", "tokenizer"):
        shutil.copytree(base, copy)
        weights = copy / "model.safetensors"
        if damage == "weights":
            weights.write_bytes(weights.read_bytes()[:-100])
        elif damage == "pickle":
            weights.unlink()
            (copy / "pytorch_model.bin").write_bytes(pickle.dumps(Mark(str(marked))))
        else:
            (copy / f"{damage}.json").write_text("[]")
        with pytest.raises(Refused, match=f"{copy} cannot be loaded: .*check the name"):
            load_tokenizer(str(copy), settings) if damage == "tokenizer" else load_base(str(copy), settings, "cpu", 16)
        assert not marked.exists()
        shutil.rmtree(copy)


class Mark:
    """Makes a file where it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> "tuple[Any, ...]":
        return Path.touch, (Path(self.path),)


def test_training_and_evaluation_that_were_stopped_count_as_if_they_had_not_been(
    data: Path, base: Path, tmp_path: Path
) -> None:
    paths = make_run(tmp_path, base_model=str(base), **IN_RUN)
    paths.tested(1).write_bytes(data.read_bytes())
    stop_and_go_on("04_train_qlora.py", paths, "train_step", 3)
    stop_and_go_on("05_eval.py", paths, "answers", 1)
    counters = load_state(paths.state).counters
    assert sum_deltas(paths.events)[0] == counters
    manifest = json.loads((paths.adapter(1) / "manifest.json").read_text())
    assert counters["train_tokens"] == manifest["training"]["tokens"]
    assert counters["train_step"] == counters["train_steps_planned"] == IN_RUN["train_steps"]
    assert counters["answers"] == counters["answers_planned"] == 2 * counters["val_samples"]
    assert counters["answer_tokens"] == sum(json.loads(line)["tokens"] for line in paths.answers(1).open())
    rates = [json.loads(line)["counters_delta"].get("learning_rate", 0) for line in paths.events.open()]
    assert 0.009 < max(accumulate(rates)) <= 0.01


IN_RUN: dict[str, Any] = {
    "device": "cpu", "seq_len": 1024, "lora_r": 4, "lr": 0.01, "batch_size": 4, "grad_accum": 1,
    "eval_max_new_tokens": 64, "eval_batch_size": 1, "val_ratio": 0.5, "train_steps": 60, "max_epochs": 100,
    "eval_execute": "0",
}  # fmt: skip


def stop_and_go_on(name: str, paths: RunPaths, counter: str, stop_at: int) -> None:
    """Do a stage of round 1 to its end, with a stop when the counter has come so far."""
    words = ["--run", str(paths.root), "--round", "1"]
    with subprocess.Popen([sys.executable, str(ROOT / "scripts" / name), *words]) as process:
        while load_state(paths.state).counters.get(counter, 0) < stop_at:
            assert process.poll() is None
            time.sleep(0.005)
        write_request(paths.control, "stop")
        assert process.wait(timeout=120) == 3
    write_request(paths.control, "run")
    done = run_here(name, *words)
    assert done.returncode == 0, done.stderr


def test_two_rounds_on_a_model_without_a_template(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is executed, so the loss decides; round 2 goes on from round 1's adapter and sees new held-out items."""
    base = build_model(tmp_path / "model", template=None)
    assert build_tokenizer(None).chat_template is None
    out = tmp_path / "out"
    changes = {**IN_RUN, "val_ratio": 0.25, "train_steps": 4, "eval_max_new_tokens": 16, "eval_batch_size": 8}
    run = make_run(
        out / "runs", base_model=str(base), teacher_model="builtin", rounds=2, samples_per_round=24, **changes
    )
    # What loop.sh does, as test_loop.py sees it do; each of these would load torch anew.
    for number in (1, 2):
        assert round_start(run.root, number) == 0
        for path in sorted((ROOT / "scripts").glob("0?_*.py")):
            done = run_here(path.name, "--run", run.root, "--round", number)
            assert done.returncode == 0, done.stderr
        assert round_end(run.root, number) == 0
    assert finish(run.root, 0) == 0
    state = load_state(run.state)
    assert state.status == "completed"
    first, second = (json.loads(run.report(number).read_text()) for number in (1, 2))
    assert first["models"]["new"]["total"]["pass_at_1"] is None
    assert first["decision"]["promoted"], "a trained tokenizer-level loss falls at once"
    assert second["models"]["best"]["name"] == first["models"]["new"]["name"]
    assert second["items"] > first["items"]
    manifest = json.loads((run.adapter(2) / "manifest.json").read_text())
    assert manifest["start_from"]["round"] == 1
    assert state.best is not None
    assert run.best_adapter.resolve() == run.adapter(state.best.round).resolve()
    assert (out / "best_adapter").resolve() == run.best_adapter.resolve()
    assert sum_deltas(run.events)[0] == state.counters
    # Round 2 asks again only what nobody answered in round 1: base and best its new items, its own adapter all.
    asked = second["items"] + 2 * (second["items"] - first["items"])
    assert state.counters["answers_planned"] == state.stages["2"]["evaluate"].counts["answers"] == asked
    assert "validation loss" in capsys.readouterr().out

    held_out = ids(run.val(2))
    assert ids(run.val(1)) <= held_out
    assert not held_out & (ids(run.train(1)) | ids(run.train(2)))
    assert ids(run.train(1)) & ids(run.train(2)), "earlier samples are replayed"


def ids(path: Path) -> set[Any]:
    return {json.loads(line)["id"] for line in path.read_text().splitlines()}


def test_two_processes_train_as_one_does(base: Path, data: Path, tmp_path: Path) -> None:
    """Over gloo, each half of every step's samples; a stop reaches both, and what they go on with is the same."""
    words: list[object] = ["--base-model", base, "--data", data, "--quantization-bits", "16"]
    words += ["--train-steps", "6", "--max-epochs", "9"]
    one = script("04_train_qlora.py", *words, "--val", data, "--output", tmp_path / "one")
    assert one.returncode == 0, one.stderr
    together = [*words, "--processes", "2", "--batch-size", "2"]
    two = program("04_train_qlora.py", *together, "--val", data, "--output", tmp_path / "two")
    assert two.returncode == 0, two.stderr
    assert two.stdout.count("6 steps on 16 samples") == 1, "the first alone speaks"
    first, second = (
        json.loads((tmp_path / name / "manifest.json").read_text())["training"] for name in ("one", "two")
    )
    assert second["processes"] == 2
    assert second["tokens"] == first["tokens"]
    assert second["loss"] == pytest.approx(first["loss"], abs=2e-4)
    assert second["val_loss"] == pytest.approx(first["val_loss"], abs=0.01)
    refused = program("04_train_qlora.py", *together, "--seq-len", "64", "--output", tmp_path / "none")
    assert refused.returncode == 4
    assert "raise SEQ_LEN" in refused.stderr


def test_two_processes_stop_together_and_go_on(base: Path, data: Path, tmp_path: Path) -> None:
    changes = {**IN_RUN, "processes": 2, "batch_size": 2}
    paths = make_run(tmp_path, base_model=str(base), **changes)
    paths.tested(1).write_bytes(data.read_bytes())
    stop_and_go_on("04_train_qlora.py", paths, "train_step", 3)
    state = load_state(paths.state)
    assert state.is_complete(1, "train")
    assert state.counters["train_step"] == IN_RUN["train_steps"]
    assert sum_deltas(paths.events)[0] == state.counters
    assert json.loads((paths.adapter(1) / "manifest.json").read_text())["training"]["processes"] == 2
