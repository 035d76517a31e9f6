"""Stage 04 beside `trl sft` on the embedded model; and what an architecture takes of a card, beside the estimate."""

import argparse
import json
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from autotrain.config import CARD_GB, EMBEDDED_MODEL, PRESETS, Settings
from autotrain.errors import SettingsError
from autotrain.generate.builtin import builtin_samples, only
from autotrain.jsonl import write_jsonl
from autotrain.sample import Sample, TaskType
from autotrain.train.memory import GIB, estimate, shape_of
from autotrain.train.models import load_tokenizer, resolve_base
from autotrain.train.render import render, user_message
from benches.table import Cell, Measurement
from benches.watch import watch_command

HERE = Path(__file__).resolve().parent
STAGE = HERE.parent / "04_train_qlora.py"
LOSS = HERE / "adapter_loss.py"
SECONDS_BETWEEN_LOOKS = 0.2
COLUMNS = ("who", "steps", "training, s", "tokens/s", "÷ trl", "peak MiB", "validation loss")
# The kinds of task of the cpu preset that have code as answer, and are short.
KINDS: dict[TaskType, float] = {"algorithm_implementation": 2.0, "code_completion": 1.0, "bug_fixing": 1.0}


def add_command(commands: Any) -> None:
    """Add `train` to bench.py's commands."""
    parser = commands.add_parser("train", help="stage 04 beside trl sft; or an architecture's memory by preset")
    parser.add_argument("--samples", type=int, default=200, help="to train on, once (default: 200)")
    parser.add_argument("--held-out", type=int, default=40, help="to measure the loss on (default: 40)")
    parser.add_argument("--batch", type=int, default=8, help="samples a step, for both (default: 8, TRL's own)")
    parser.add_argument("--lr", type=float, default=5e-4, help="learning rate, for both (default: 5e-4)")
    parser.add_argument(
        "--default-steps", type=int, default=0,
        help="steps of trl sft in bfloat16, its default: a step takes minutes on most processors (default: 0)",
    )  # fmt: skip
    parser.add_argument("--base-model", default=EMBEDDED_MODEL, help="folder of a model (default: the embedded one)")
    parser.add_argument(
        "--architecture", choices=sorted(ARCHITECTURES), help="estimate its memory at each preset instead"
    )
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """Both trainings one after the other, each in a process of its own, then the losses of what they made."""
    if options.architecture is not None:
        return _memory_by_preset(options.architecture)
    if min(options.samples, options.held_out, options.batch) < 1:
        raise SettingsError("--samples, --held-out and --batch take numbers from 1")
    base = resolve_base(options.base_model)
    made = builtin_samples(options.samples + options.held_out, 11, 1, only((), KINDS))
    samples = list(made)
    train, held_out = samples[: options.samples], samples[options.samples :]
    steps = -(-options.samples // options.batch)
    with TemporaryDirectory(prefix="autotrain-bench-") as name:
        folder = Path(name)
        write_jsonl(folder / "train.jsonl", (one.to_json() for one in train))
        write_jsonl(folder / "held_out.jsonl", (one.to_json() for one in held_out))
        tokens = _token_count(base, train)
        rows = [
            _ours(folder, base, options, steps),
            _trl("trl sft, float32", ["--bf16", "false"], folder, base, options, steps, train, tokens),
        ]
        if options.default_steps:
            one_step = tokens / options.samples * options.batch
            rows.append(
                _trl(
                    "trl sft", [], folder, base, options, options.default_steps, train, one_step * options.default_steps
                )
            )
    for row in rows:
        row["÷ trl"] = float(row["tokens/s"]) / float(rows[-1]["tokens/s"])
    notes = [
        f"{options.samples} samples once, {options.batch} a step, {steps} steps, rate {options.lr:g}, rank 16, "
        "NF4 with double quantization; losses of the answers of "
        f"{options.held_out} other samples, on the base in float32. Tokens are prompts and answers without padding.",
        "trl sft: its own defaults else (gradient checkpointing, padded batches; bfloat16 where not said otherwise).",
    ]
    return Measurement(f"Stage 04 on {options.base_model}", COLUMNS, rows, rows, notes)


def _ours(folder: Path, base: str, options: argparse.Namespace, steps: int) -> dict[str, Cell]:
    adapter = folder / "ours"
    command = [sys.executable, str(STAGE), "--data", str(folder / "train.jsonl"), "--output", str(adapter)]
    command += ["--base-model", base, "--device", "cpu", "--batch-size", str(options.batch), "--grad-accum", "1"]
    command += ["--lora-r", "16", "--lr", str(options.lr), "--seq-len", "1024", "--train-steps", str(steps)]
    command += ["--early-stop", "0", "--out-dir", str(folder / "out")]
    _, _, everything, _ = watch_command(command, folder, SECONDS_BETWEEN_LOOKS)
    training = json.loads((adapter / "manifest.json").read_text(encoding="utf-8"))["training"]
    return _row("autotrain", steps, training["seconds"], training["tokens"], everything, folder, base, adapter)


def _token_count(base: str, samples: list[Sample]) -> float:
    tokenizer = load_tokenizer(base, Settings())
    return float(sum(len(render(tokenizer, one)) for one in samples))


def _trl(
    who: str, extra: list[str], folder: Path, base: str, options: argparse.Namespace, steps: int,
    samples: list[Sample], tokens: float,
) -> dict[str, Cell]:  # fmt: skip
    data, adapter = folder / "data", folder / who
    data.mkdir(exist_ok=True)
    write_jsonl(
        data / "train.jsonl",
        (
            {
                "prompt": [{"role": "user", "content": user_message(one)}],
                "completion": [{"role": "assistant", "content": one.output.strip()}],
            }
            for one in samples
        ),
    )
    command = [sys.executable, "-m", "trl.scripts.sft", "--model_name_or_path", base, "--dataset_name", str(data)]
    command += ["--output_dir", str(adapter), "--use_peft", "--lora_r", "16", "--lora_alpha", "32"]
    command += ["--lora_dropout", "0"]
    command += ["--lora_target_modules", "all-linear", "--load_in_4bit", "--use_bnb_nested_quant"]
    command += ["--max_steps", str(steps), "--per_device_train_batch_size", str(options.batch)]
    command += ["--learning_rate", str(options.lr), "--report_to", "none", "--save_strategy", "no", "--use_cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    _, _, everything, said = watch_command(command + extra, folder, SECONDS_BETWEEN_LOOKS, environment)
    found = re.search(r"'train_runtime': '?([0-9.]+)", said)
    if found is None:
        raise SettingsError(f"trl sft did not say how long it took: {said[-300:]}")
    return _row(who, steps, float(found[1]), tokens, everything, folder, base, adapter)


def _row(
    who: str, steps: int, seconds: float, tokens: float, memory: list[int], folder: Path, base: str, adapter: Path
) -> dict[str, Cell]:
    command = [sys.executable, str(LOSS), base, str(adapter), str(folder / "held_out.jsonl")]
    *_, said = watch_command(command, folder, SECONDS_BETWEEN_LOOKS)
    found = re.search(r"loss ([0-9.]+)", said)
    assert found is not None
    return {
        "who": who, "steps": steps, "training, s": seconds, "tokens/s": tokens / seconds, "÷ trl": "",
        "peak MiB": f"{max(memory, default=0) / 2**20:.0f}", "validation loss": float(found[1]),
    }  # fmt: skip


# ---------------------------------------------------------------------------------------------------
# Memory by preset


def _phi_2() -> Any:
    from transformers import PhiConfig

    return PhiConfig(
        vocab_size=51200, hidden_size=2560, intermediate_size=10240, num_hidden_layers=32, num_attention_heads=32,
        partial_rotary_factor=0.4, max_position_embeddings=2048,
    )  # fmt: skip


def _llama_8b() -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=128256, hidden_size=4096, intermediate_size=14336, num_hidden_layers=32, num_attention_heads=32,
        num_key_value_heads=8, max_position_embeddings=8192,
    )  # fmt: skip


ARCHITECTURES = {"phi-2": _phi_2, "llama-8b": _llama_8b}


def _memory_by_preset(architecture: str) -> Measurement:
    shape = shape_of(ARCHITECTURES[architecture]())
    columns = ("preset", "card, GB", "settings", "estimated GiB", "weights", "adapter", "activations", "verdict")
    rows: list[dict[str, Cell]] = []
    for preset, size in CARD_GB.items():
        settings = Settings(**PRESETS[preset])
        parts = estimate(shape, settings)
        rows.append(
            {
                "preset": preset,
                "card, GB": size,
                "settings": f"{settings.batch_size} × {settings.seq_len}, rank {settings.lora_r}",
                "estimated GiB": parts.total / GIB,
                "weights": parts.weights / GIB,
                "adapter": (parts.adapter + parts.optimizer) / GIB,
                "activations": (parts.activations + parts.logits) / GIB,
                "verdict": parts.verdict(size * GIB),
            }
        )
    notes = ["Estimated from the architecture; nothing of it was measured on a card."]
    return Measurement(f"Memory of training {architecture}, by preset", columns, rows, rows, notes)
