"""How a step's samples are put together changes nothing that is learned."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import build_model

from autotrain.config import Settings
from autotrain.train.batches import groups, in_one_row, in_pieces, keeps_apart, reading_order


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load(build_model(tmp_path_factory.mktemp("tiny") / "model"))


def load(folder: Path, **changes: Any) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **changes)


def examples(count: int, seed: int = 1) -> list[dict[str, list[int]]]:
    rng = random.Random(seed)
    made = []
    for _ in range(count):
        ids = [rng.randrange(4, 200) for _ in range(rng.randrange(8, 60))]
        made.append({"input_ids": ids, "labels": [-100] * 5 + ids[5:]})
    return made


def loss_of(model: Any, pieces: list[dict[str, torch.Tensor]]) -> torch.Tensor:
    """Mean loss of all answer tokens."""
    total, count = torch.tensor(0.0), 0
    for piece in pieces:
        inputs = {name: value for name, value in piece.items() if name != "labels"}
        logits = model(**inputs, use_cache=False).logits[:, :-1].flatten(0, 1)
        labels = piece["labels"][:, 1:].flatten()
        total = total + torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100, reduction="sum")
        count += int((labels != -100).sum())
    return total / count


@torch.no_grad()
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_loss_is_the_same_packed_padded_and_one_by_one(model: Any, attention: str) -> None:
    model.set_attn_implementation(attention)
    row = in_one_row(examples(9))
    alone = loss_of(model, in_pieces(row, 1, packed=True))
    for budget, packed in ((10_000, True), (150, True), (10_000, False), (150, False)):
        assert loss_of(model, in_pieces(row, budget, packed)) == pytest.approx(alone.item(), abs=1e-5)
    # Without the positions the samples of a row see one another, and it shows.
    blind = {name: value for name, value in row.items() if name != "position_ids"}
    assert loss_of(model, [blind]).item() != pytest.approx(alone.item(), abs=1e-4)


def test_a_model_that_ignores_where_samples_begin_is_found_out(model: Any) -> None:
    assert keeps_apart(model)

    class Blind(torch.nn.Module):
        """Takes positions, as GPT-2's kind does, and lets every token see all before it."""

        def __init__(self) -> None:
            super().__init__()
            self.inner, self.config = model, model.config

        def forward(self, input_ids: Any, position_ids: Any, use_cache: bool) -> Any:
            everything = torch.ones_like(input_ids)
            return self.inner(
                input_ids=input_ids, position_ids=position_ids, attention_mask=everything, use_cache=use_cache
            )

    assert not keeps_apart(Blind())


def test_every_sample_is_in_one_piece_that_fits() -> None:
    rng = random.Random(3)
    for _ in range(200):
        lengths = [rng.randrange(1, 100) for _ in range(rng.randrange(1, 20))]
        budget = rng.randrange(1, 300)
        for packed in (True, False):
            found = groups(lengths, budget, packed)
            assert sorted(place for members in found for place in members) == list(range(len(lengths)))
            for members in found:
                size = sum(lengths[place] for place in members)
                if not packed:
                    size = len(members) * max(lengths[place] for place in members)
                assert size <= budget or len(members) == 1
            wanted = rng.randrange(1, 25)
            more = groups(lengths, budget, packed, wanted)
            assert len(more) == max(len(found), min(wanted, len(lengths)))
            assert sorted(place for members in more for place in members) == list(range(len(lengths)))


def test_every_sample_is_read_once_an_epoch_in_an_order_of_its_own() -> None:
    order = reading_order(160, 40, Settings(batch_size=4, grad_accum=2))
    assert len(order) == 320
    assert sorted(order[:160]) == sorted(order[160:]) == list(range(160))
    assert order[:160] != order[160:]
    assert order == reading_order(160, 20, Settings(batch_size=4, grad_accum=2), processes=2)
