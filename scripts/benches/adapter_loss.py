"""Started by train.py: an adapter's loss on a file of samples, whoever trained it. adapter_loss.py BASE ADAPTER FILE"""

import sys
from pathlib import Path


def main(base: str, adapter: str, file: str) -> None:
    """Print the mean loss of all answer tokens, on the base model in full precision."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from autotrain.config import Settings
    from autotrain.sample import load_samples
    from autotrain.train.batches import IGNORED, dataset_of, in_one_row, in_pieces
    from autotrain.train.models import load_tokenizer
    from autotrain.train.render import render

    tokenizer = load_tokenizer(base, Settings())
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = PeftModel.from_pretrained(model, adapter).eval()
    examples = list(dataset_of([render(tokenizer, sample) for sample in load_samples(Path(file))]))
    total, count = 0.0, 0
    with torch.no_grad():
        for piece in in_pieces(in_one_row(examples), 1024, packed=False):
            labels = piece.pop("labels")[:, 1:].flatten()
            logits = model(**piece).logits[:, :-1].flatten(0, 1)
            total += float(torch.nn.functional.cross_entropy(logits, labels, ignore_index=IGNORED, reduction="sum"))
            count += int((labels != IGNORED).sum())
    print(f"loss {total / count:.4f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
