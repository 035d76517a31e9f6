"""What lies beside an adapter's weights: the manifest that identifies it and the card that explains it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError
from autotrain.files import replace_text, sha256_of

MANIFEST_VERSION = 1
# What tells an adapter from another, and what it belongs to.
IDENTITY = ("adapter_sha256", "base_model", "render_sha256")


def write_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Write manifest.json, last of all: an adapter folder without it is unfinished."""
    replace_text(
        folder / "manifest.json",
        json.dumps({"manifest_version": MANIFEST_VERSION, **content}, indent=2) + "\n",
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read manifest.json; raise AutotrainError if the folder is no whole adapter of ours."""
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise AutotrainError(
            f"{path} cannot be read ({error}); {folder} is not a finished adapter of autotrain"
        ) from None
    if not isinstance(content, dict) or content.get("manifest_version") != MANIFEST_VERSION:
        raise AutotrainError(f"{path} is not a manifest of version {MANIFEST_VERSION}")
    if lacking := [name for name in IDENTITY if not isinstance(content.get(name), str)]:
        raise AutotrainError(
            f"{path} is damaged: it does not tell {', '.join(lacking)}; restore it from a backup or train again"
        )
    return content


def check_weights(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise AutotrainError unless the adapter's weights are the safetensors that its manifest speaks of.

    Looked at before any library is: where these are missing, it would unpickle what else is there.
    """
    from safetensors import SafetensorError, safe_open

    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        raise AutotrainError(f"{folder} holds no adapter_model.safetensors, and weights of other kinds are never read")
    if sha256_of(path) != manifest["adapter_sha256"]:
        raise AutotrainError(f"{path} is not what its manifest.json says: it is damaged, or of another training")
    try:
        with safe_open(path, "numpy"):
            pass
    except (OSError, SafetensorError) as error:
        raise AutotrainError(f"{path} is no safetensors file ({error}); train the adapter again") from None


def write_card(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the model card as README.md, in the Hub's format, from the manifest's facts alone."""
    training = manifest["training"]
    settings = manifest["settings"]
    replace_text(
        folder / "README.md",
        f"""---
base_model: {manifest["base_model"]}
library_name: peft
pipeline_tag: text-generation
tags: [lora, qlora, code, heidi-autotrain]
---

# LoRA adapter, round {manifest["round"]} of {manifest["run_id"]}

Trained with QLoRA on {training["samples"]} samples written by the teacher `{settings["teacher_model"]}`:
{training["steps"]} optimizer steps ({training["epochs"]} epochs, bounded by {training["bound"]}),
{training["tokens"]} tokens, mean training loss {training["loss"]}.
{_origin(manifest)}
How it compares with the base model on held-out tasks stands in the run's `eval/report_round_{manifest["round"]}.md`,
not here: a card cannot vouch for itself.

| setting | value |
|---|---|
| rank | {settings["lora_r"]} |
| learning rate | {settings["lr"]:g} |
| batch × accumulation | {settings["batch_size"]} × {settings["grad_accum"]} |
| longest sample | {settings["seq_len"]} tokens |
| base weights while training | {settings["quantization_bits"]} bits |
| computed in | {training["dtype"]} on {training["device"]} |
| seed | {settings["seed"]} |

## Use

```python
from peft import AutoPeftModelForCausalLM
from transformers import AutoTokenizer

model = AutoPeftModelForCausalLM.from_pretrained("path/to/this/folder")
tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")
turns = [{{"role": "user", "content": "Write a Python function `double(x)` that returns twice x.\\n\\n"
          "Answer with one ```python code block and nothing else."}}]
prompt = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_tensors="pt", return_dict=True)
answer = model.generate(**prompt, max_new_tokens=200, do_sample=False)
print(tokenizer.decode(answer[0, prompt["input_ids"].shape[1]:], skip_special_tokens=True))
```
""",
    )


def _origin(manifest: Mapping[str, Any]) -> str:
    if manifest["start_from"] is None:
        return "It was trained from the base model.\n"
    return f"It continues the adapter of round {manifest['start_from']['round']}.\n"
