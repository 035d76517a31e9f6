"""A model's answers to samples, decoded greedily in batches, and its loss on the reference answers."""

import copy
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.jsonl import read_objects, to_line
from autotrain.sample import Sample, fenced_code
from autotrain.train.models import load_base, pick_device
from autotrain.train.render import render, stop_ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


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
    """Decode answers greedily, batch by batch, samples of like length together; yields in that order."""
    import torch

    rendered = {sample.id: render(tokenizer, sample) for sample in samples}
    ordered = sorted(samples, key=lambda sample: len(rendered[sample.id].prompt), reverse=True)
    for start in range(0, len(ordered), settings.eval_batch_size):
        batch = ordered[start : start + settings.eval_batch_size]
        with torch.inference_mode():
            prompts = _read_prompts(model, [rendered[sample.id].prompt for sample in batch])
            losses = _losses(model, prompts, [rendered[sample.id].answer for sample in batch])
            decoded = _decode(model, prompts, tokenizer, batch, settings.eval_max_new_tokens)
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


@dataclass
class _Prompts:
    """A batch of prompts as the model has read them: keys and values, which columns count, what comes next."""

    cache: Any
    mask: "torch.Tensor"  # (rows, columns), 0 where a shorter prompt was padded on its left
    logits: "torch.Tensor"  # (rows, vocabulary), for the first token of each answer


def _read_prompts(model: Any, prompts: Sequence[list[int]]) -> _Prompts:
    import torch

    width = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[0] * (width - len(prompt)) + prompt for prompt in prompts], device=model.device)
    mask = torch.tensor(
        [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts], device=model.device
    )
    output = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
        use_cache=True,
        logits_to_keep=1,
    )
    return _Prompts(output.past_key_values, mask, output.logits[:, -1])


def _losses(model: Any, prompts: _Prompts, answers: Sequence[list[int]]) -> list[float]:
    """Mean negative log-likelihood, in nats a token, of each reference answer with its end of turn."""
    import torch

    width = max(len(answer) for answer in answers)
    ids = torch.tensor([answer + [0] * (width - len(answer)) for answer in answers], device=model.device)
    columns = torch.arange(width, device=model.device)
    logits = model(
        input_ids=ids,
        attention_mask=torch.cat([prompts.mask, torch.ones_like(ids)], dim=1),
        position_ids=prompts.mask.sum(dim=1, keepdim=True) + columns,
        # Decoding still needs the prompts as they were.
        past_key_values=copy.deepcopy(prompts.cache),
        use_cache=True,
    ).logits
    losses = []
    for first, rest, answer in zip(prompts.logits, logits, answers, strict=True):
        predictions = torch.cat([first[None], rest[: len(answer) - 1]]).float()
        target = torch.tensor(answer, device=model.device)
        losses.append(float(torch.nn.functional.cross_entropy(predictions, target)))
    return losses


def _decode(
    model: Any, prompts: _Prompts, tokenizer: "PreTrainedTokenizerBase", samples: Sequence[Sample], limit: int
) -> list[tuple[list[int], bool]]:
    """Token ids of each answer without its stop token, and whether it was cut off at `limit` tokens.

    A code answer is complete with its first closed block: only that is ever run. Rows that are
    complete leave the batch, so that one rambling answer does not hold up the others.
    """
    import torch

    stops = stop_ids(tokenizer)
    answers: list[list[int]] = [[] for _ in samples]
    truncated = [False] * len(samples)
    rows = list(range(len(samples)))
    cache, mask, logits = prompts.cache, prompts.mask, prompts.logits
    while rows:
        staying = []
        for place, (row, token) in enumerate(zip(rows, logits.argmax(dim=-1).tolist(), strict=True)):
            if token in stops:
                continue
            answers[row].append(token)
            if samples[row].metadata.response_format == "code" and _closes_block(tokenizer, answers[row]):
                continue
            truncated[row] = len(answers[row]) == limit
            if not truncated[row]:
                staying.append(place)
        if len(staying) < len(rows):
            kept = torch.tensor(staying, dtype=torch.long, device=model.device)
            cache.batch_select_indices(kept)
            mask, rows = mask[kept], [rows[place] for place in staying]
        if rows:
            ids = torch.tensor([[answers[row][-1]] for row in rows], device=model.device)
            position = mask.sum(dim=1, keepdim=True)
            mask = torch.cat([mask, torch.ones_like(position)], dim=1)
            output = model(
                input_ids=ids, attention_mask=mask, position_ids=position, past_key_values=cache, use_cache=True
            )
            logits = output.logits[:, -1]
    return list(zip(answers, truncated, strict=True))


def _closes_block(tokenizer: "PreTrainedTokenizerBase", answer: list[int]) -> bool:
    return "`" in tokenizer.decode(answer[-1:]) and fenced_code(tokenizer.decode(answer)) is not None


class Clock:
    """Says how long is left, from what was done so far."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.started = total, 0, time.monotonic()

    def add(self, count: int) -> float:
        """Count what was done; return the seconds left."""
        self.done += count
        return (self.total - self.done) * (time.monotonic() - self.started) / self.done
