"""The whole loop on the real embedded model, as a user starts it: few samples, few steps, every stage for real."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autotrain.run.events import sum_deltas
from autotrain.run.paths import OutPaths
from autotrain.run.state import STAGES, load_state

ROOT = Path(__file__).parent.parent


@pytest.mark.real_model
def test_smoke_run_on_the_embedded_model(tmp_path: Path) -> None:
    out = tmp_path / "out dir"
    small = ["--samples", "12", "--val-ratio", "0.25", "--train-steps", "2", "--batch-size", "2"]
    done = subprocess.run(
        ["bash", "scripts/loop.sh", "--preset", "smoke", "--out-dir", str(out), "--eval-max-new-tokens", "24", *small],
        cwd=ROOT,
        env={**os.environ, "AUTOTRAIN_VENV": "", "VIRTUAL_ENV": sys.prefix},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (run_id,) = OutPaths(out).run_ids()
    run = OutPaths(out).run(run_id)
    state = load_state(run.state)
    assert state.status == "completed"
    assert {name: record.status for name, record in state.stages["1"].items()} == dict.fromkeys(STAGES, "completed")
    assert state.counters["train_step"] == 2
    assert sum_deltas(run.events)[0] == state.counters
    report = json.loads(run.report(1).read_text())
    assert report["items"] == state.counters["val_samples"] > 0
    assert "summary of" in done.stdout
    assert f"{report['models']['base']['total']['pass_at_1']['value']:.1%}" in done.stdout
    assert (out / "data").resolve() == run.data.resolve()

    adapter = run.adapter(1)
    manifest = json.loads((adapter / "manifest.json").read_text())
    assert manifest["base_model"].startswith("embedded:")
    script = (
        "import sys\n"
        "from peft import AutoPeftModelForCausalLM\n"
        "from transformers import AutoTokenizer\n"
        "model = AutoPeftModelForCausalLM.from_pretrained(sys.argv[1])\n"
        "tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])\n"
        "turns = [{'role': 'user', 'content': 'Say hello.'}]\n"
        "prompt = tokenizer.apply_chat_template("
        "turns, add_generation_prompt=True, return_tensors='pt', return_dict=True)\n"
        "answer = model.generate(**prompt, max_new_tokens=8, do_sample=False)\n"
        "print('answer:', tokenizer.decode(answer[0, prompt['input_ids'].shape[1]:], skip_special_tokens=True))\n"
    )
    plain = subprocess.run(
        [sys.executable, "-c", script, str(adapter)], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    assert plain.returncode == 0, plain.stderr
    assert len(plain.stdout.split("answer:")[1].strip()) > 0
