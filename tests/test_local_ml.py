"""The five lines for a file of one's own, from data to adapter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_model import build_model

from autotrain.generate.builtin import builtin_samples, only

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / ".local" / "ml" / "scripts"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The same scripts in a folder of their own, so that nothing is written to this one."""
    root = tmp_path / "a checkout"
    (root / ".local" / "ml").mkdir(parents=True)
    for name in ("autotrain", "scripts", "pyproject.toml", "requirements.lock"):
        (root / name).symlink_to(ROOT / name)
    (root / ".local" / "ml" / "scripts").mkdir()
    for path in SCRIPTS.iterdir():
        (root / ".local" / "ml" / "scripts" / path.name).write_bytes(path.read_bytes())
    return root


def run(checkout: Path, script: str, *words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["bash", str(checkout / ".local" / "ml" / "scripts" / script), *map(str, words)],
        env={**os.environ, "VIRTUAL_ENV": sys.prefix, "AUTOTRAIN_VENV": ""},
        cwd=checkout.parent,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_file_becomes_data_and_data_an_adapter(checkout: Path) -> None:
    raw = checkout / "raw.jsonl"
    made = builtin_samples(30, 3, 1, only((), {"algorithm_implementation": 1}))
    raw.write_text("".join(json.dumps(sample.to_json()) + "\n" for sample in made) + '{"torn": \n')
    prepared = run(checkout, "prepare_data.sh", raw, "--val-ratio", "0.2")
    assert prepared.returncode == 0, prepared.stderr
    data = checkout / ".local" / "ml" / "data"
    counts = {name: len((data / f"{name}.jsonl").read_text().splitlines()) for name in ("clean", "train", "val")}
    assert counts["train"] + counts["val"] == counts["clean"] >= 25
    assert 4 <= counts["val"] <= 7
    assert json.loads((data / "clean.report.json").read_text())["dropped"]["schema"] == 1
    base = build_model(checkout / "base")
    trained = run(
        checkout, "train_adapter.sh", "--smoke-cpu", "--train-steps", "3", "--base-model", base, "--seq-len", "1024"
    )
    assert trained.returncode == 0, trained.stderr
    assert "3 steps on" in trained.stdout
    (adapter,) = (checkout / ".local" / "ml" / "runs").iterdir()
    assert (adapter / "adapter_model.safetensors").is_file()


def test_without_a_file_it_says_how_it_is_used(checkout: Path) -> None:
    result = run(checkout, "prepare_data.sh")
    assert result.returncode == 2
    assert "prepare_data.sh RAW.jsonl" in result.stderr
