"""A model's answers to samples, decoded greedily in batches, and its loss on the reference answers."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.jsonl import read_objects, to_line
from autotrain.sample import Sample, fenced_code
from autotrain.train.models import load_base, pick_device
from autotrain.train.render import Rendered, render, stop_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LOSS_TOKENS_AT_ONCE = 4096


@dataclass(frozen=True)
class Answer:
    """What a model answered to one item. `loss` is the mean over the reference answer's `reference_tokens`."""

    model: str
    item: str
    decoding: str
    text: str
    tokens: int
    truncated: bool
    loss: float
    reference_tokens: int

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def read_answers(paths: Sequence[Path]) -> dict[tuple[str, str, str], Answer]:
    """The answers already decoded, by (model, item, decoding)."""
    names = Answer.__dataclass_fields__.keys()
    found = {}
    for path in paths:
        if path.exists():
            for value in read_objects(path):
                answer = Answer(**{name: value[name] for name in names})
                found[answer.model, answer.item, answer.decoding] = answer
    return found


def append_answers(path: Path, answers: Sequence[Answer]) -> None:
    """Keep answers as soon as they are decoded, so that an interruption costs one batch."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write("".join(to_line(answer.to_json()) for answer in answers))


def load_for_answers(base: str, adapter: Path | None, settings: Settings) -> Any:
    """The base model, with the adapter if one is given, ready to answer.

    On a CPU the weights are float32 and the adapter is merged into them, which is how it runs
    fastest; on a GPU the base is quantized as in training, to fit where the training fitted.
    """
    from peft import PeftModel

    device = pick_device(settings)
    bits = 16 if device == "cpu" else settings.quantization_bits
    model: Any = load_base(base, settings, device, bits)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
        if bits == 16:
            model = model.merge_and_unload()
    return model.eval()


def answer_batches(
    model: Any,
    model_name: str,
    tokenizer: "PreTrainedTokenizerBase",
    samples: Sequence[Sample],
    decoding: str,
    settings: Settings,
) -> Iterator[list[Answer]]:
    """Decode answers batch by batch, samples of like length together; yields in that order."""
    rendered = {sample.id: render(tokenizer, sample) for sample in samples}
    ordered = sorted(samples, key=lambda sample: len(rendered[sample.id].prompt), reverse=True)
    for start in range(0, len(ordered), settings.eval_batch_size):
        batch = ordered[start : start + settings.eval_batch_size]
        prompts = [rendered[sample.id].prompt for sample in batch]
        wants_code = [sample.metadata.response_format == "code" for sample in batch]
        decoded = _generate(model, tokenizer, prompts, wants_code, settings.eval_max_new_tokens)
        losses = _losses(model, [rendered[sample.id] for sample in batch], int(tokenizer.pad_token_id or 0))
        yield [
            Answer(
                model=model_name,
                item=sample.id,
                decoding=decoding,
                text=tokenizer.decode(ids, skip_special_tokens=True),
                tokens=len(ids),
                truncated=truncated,
                loss=round(loss, 6),
                reference_tokens=len(rendered[sample.id].answer),
            )
            for sample, (ids, truncated), loss in zip(batch, decoded, losses, strict=True)
        ]


def _generate(
    model: Any,
    tokenizer: "PreTrainedTokenizerBase",
    prompts: Sequence[list[int]],
    wants_code: Sequence[bool],
    max_new_tokens: int,
) -> list[tuple[list[int], bool]]:
    """Token ids of each answer without its stop token, and whether it was cut off at `max_new_tokens`.

    A code answer is complete with its first closed block: only that is ever run.
    """
    import torch

    stops = stop_ids(tokenizer)
    pad = stops[0]
    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device
    )
    with torch.inference_mode():
        output = model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            num_beams=1,
            eos_token_id=stops,
            pad_token_id=pad,
            stopping_criteria=[_closed_block(tokenizer, width, wants_code)],
        )
    answers = []
    for row in output[:, width:].tolist():
        end = next((position for position, token in enumerate(row) if token in stops), None)
        # A batch whose last row ends with a closed block has no stop token after it.
        answers.append((row[:end], end is None and len(row) == max_new_tokens))
    return answers


def _closed_block(tokenizer: "PreTrainedTokenizerBase", width: int, wants_code: Sequence[bool]) -> Any:
    """A stopping criterion: which rows, of those that want code, hold a closed code block."""
    import torch
    from transformers import StoppingCriteria

    class ClosedBlock(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
            closed = [
                wanted and "`" in tokenizer.decode(row[-1:]) and fenced_code(tokenizer.decode(row)) is not None
                for row, wanted in zip(input_ids[:, width:].tolist(), wants_code, strict=True)
            ]
            return torch.tensor(closed, device=input_ids.device)

    return ClosedBlock()


def _losses(model: Any, batch: Sequence[Rendered], pad: int) -> list[float]:
    """Mean negative log-likelihood, in nats a token, of each reference answer with its end of turn."""
    import torch

    losses: list[float] = []
    rows = max(1, LOSS_TOKENS_AT_ONCE // max(len(item) for item in batch))
    for start in range(0, len(batch), rows):
        part = batch[start : start + rows]
        width = max(len(item) for item in part)
        # Answers end flush right, so that the costly vocabulary layer is computed for their columns alone.
        columns = max(len(item.answer) for item in part) + 1
        ids = torch.tensor([[pad] * (width - len(item)) + item.prompt + item.answer for item in part])
        mask = torch.tensor([[0] * (width - len(item)) + [1] * len(item) for item in part])
        with torch.inference_mode():
            logits = model(
                input_ids=ids.to(model.device),
                attention_mask=mask.to(model.device),
                position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0).to(model.device),
                logits_to_keep=columns,
            ).logits
        for row, item in zip(logits, part, strict=True):
            predictions = row[-len(item.answer) - 1 : -1].float()
            target = torch.tensor(item.answer, device=model.device)
            losses.append(float(torch.nn.functional.cross_entropy(predictions, target)))
    return losses


class Clock:
    """Says how long is left, from what was done so far."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.started = total, 0, time.monotonic()

    def add(self, count: int) -> float:
        """Count what was done; return the seconds left."""
        self.done += count
        return (self.total - self.done) * (time.monotonic() - self.started) / self.done
