"""What goes through the model at once: the samples of an optimizer step, in as few pieces as memory allows.

A step's gradient is the sum of its pieces', each divided by the answer tokens of the whole step; so how a step is
divided changes how fast it is, and nothing that is learned.
"""

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.train.render import Rendered

if TYPE_CHECKING:
    import torch
    from datasets import Dataset

IGNORED = -100


def reading_order(count: int, steps: int, settings: Settings, processes: int = 1) -> list[int]:
    """The index of every sample in the order it is trained on, for `steps` optimizer steps: each epoch shuffled anew.

    Laid out beforehand, so that a resumed training reads on where it was.
    """
    rng = random.Random(settings.seed)
    wanted = steps * settings.batch_size * settings.grad_accum * processes
    order: list[int] = []
    while len(order) < wanted:
        order += rng.sample(range(count), count)
    return order[:wanted]


def dataset_of(rendered: Sequence[Rendered]) -> "Dataset":
    """Samples as the trainer reads them; loss is on the answers alone."""
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [item.prompt + item.answer for item in rendered],
            "labels": [[IGNORED] * len(item.prompt) + item.answer for item in rendered],
        }
    )


def in_one_row(examples: Sequence[dict[str, Any]]) -> "dict[str, torch.Tensor]":
    """Samples one after the other, shape (1, tokens); a position of 0 tells where each begins."""
    import torch

    def row(parts: list[list[int]]) -> torch.Tensor:
        return torch.tensor([[number for part in parts for number in part]])

    return {
        "input_ids": row([example["input_ids"] for example in examples]),
        # Nothing before it says what a sample's first token is.
        "labels": row([[IGNORED, *example["labels"][1:]] for example in examples]),
        "position_ids": row([list(range(len(example["input_ids"]))) for example in examples]),
    }


def in_pieces(
    batch: "dict[str, torch.Tensor]", budget: int, packed: bool, at_least: int = 1
) -> "list[dict[str, torch.Tensor]]":
    """The samples of a row in pieces of at most `budget` tokens, or of one sample that is longer.

    Packed, a piece is a row of its own, shape (1, tokens). Otherwise it is samples of like length side by side,
    shape (samples, longest), with an attention mask, and padding counts as tokens.
    """
    import torch

    positions = batch["position_ids"][0]
    starts = (positions == 0).nonzero().flatten().tolist()
    ends = [*starts[1:], len(positions)]
    lengths = [end - start for start, end in zip(starts, ends, strict=True)]
    pieces = []
    for members in groups(lengths, budget, packed, at_least):
        parts = {
            name: [batch[name][0, starts[place] : ends[place]] for place in members] for name in ("input_ids", "labels")
        }
        if packed:
            rows = {name: torch.cat(some).unsqueeze(0) for name, some in parts.items()}
            rows["position_ids"] = torch.cat([positions[starts[place] : ends[place]] for place in members]).unsqueeze(0)
        else:
            rows = {
                # The padding is masked, so that it may be any token.
                name: torch.nn.utils.rnn.pad_sequence(some, batch_first=True, padding_value=filler)
                for (name, some), filler in zip(parts.items(), (0, IGNORED), strict=True)
            }
            ones = [torch.ones_like(part) for part in parts["input_ids"]]
            rows["attention_mask"] = torch.nn.utils.rnn.pad_sequence(ones, batch_first=True)
        pieces.append(rows)
    return pieces


def groups(lengths: Sequence[int], budget: int, packed: bool, at_least: int = 1) -> list[list[int]]:
    """The places of lengths that go together: first fit, longest first, when packed; else side by side by length.

    There are `at_least` so many groups, as long as there are as many lengths.
    """
    by_length = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    found: list[list[int]] = []
    room: list[int] = []
    for place in by_length:
        if packed:
            fitting = next((number for number, left in enumerate(room) if left >= lengths[place]), None)
        else:
            longest = lengths[found[-1][0]] if found else 0
            fitting = len(found) - 1 if found and (len(found[-1]) + 1) * longest <= budget else None
        if fitting is None:
            found.append([])
            room.append(budget)
            fitting = len(found) - 1
        found[fitting].append(place)
        room[fitting] -= lengths[place]
    while len(found) < min(at_least, len(lengths)):
        largest = max(found, key=len)
        found.append([largest.pop()])
    return found


def keeps_apart(model: Any) -> bool:
    """Whether the model computes each sample of one row as if it were alone: tried, not looked up.

    Some attention implementations, and some architectures' own, ignore where samples begin.
    """
    import torch

    device = next(model.parameters()).device
    rng = random.Random(1)
    first, second = ([rng.randrange(3, model.config.vocab_size) for _ in range(12)] for _ in range(2))

    def outputs(ids: list[int], positions: list[int]) -> torch.Tensor:
        logits = model(
            input_ids=torch.tensor([ids], device=device),
            position_ids=torch.tensor([positions], device=device),
            use_cache=False,
        ).logits
        return torch.as_tensor(logits[0, -len(second) :]).float()

    training = model.training
    model.eval()
    with torch.no_grad():
        alone = outputs(second, list(range(12)))
        together = outputs(first + second, [*range(12), *range(12)])
        mixed = outputs(first + second, list(range(24)))
    model.train(training)
    return bool((together - alone).abs().max() < 0.05 * (mixed - alone).abs().max())
