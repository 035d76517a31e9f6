"""Training on a tiny model: what is promised about steps, masks, stopping and files holds."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_model import build_model

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused, StopRequested
from autotrain.sample import Sample, in_fence
from autotrain.train.models import load_base
from autotrain.train.qlora import Step, plan_steps, train_adapter


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("tiny") / "model")


def settings(base: Path, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "base_model": str(base),
        "device": "cpu",
        "seq_len": 512,
        "batch_size": 4,
        "grad_accum": 1,
        "train_steps": 12,
        "max_epochs": 100,
        "lora_r": 4,
        "lr": 0.01,
    }
    return Settings(**{**values, **changes})


SAMPLES = [
    Sample.model_validate(
        {
            "id": f"r1-{number:05d}",
            "instruction": f"Return {number}.",
            "output": in_fence(f"def f():\n    return {number}"),
            "metadata": {"response_format": "code"},
        }
    )
    for number in range(16)
]


def train(
    base: Path,
    folder: Path,
    *,
    check_control: Callable[[], None] = lambda: None,
    start_from: Path | None = None,
    on_less_memory: Callable[[int], None] = lambda budget: None,
    val: Sequence[Sample] = (),
    **changes: Any,
) -> tuple[Any, list[Step]]:
    steps: list[Step] = []
    trained = train_adapter(
        SAMPLES,
        settings(base, **changes),
        folder / "adapter",
        folder / "checkpoints",
        start_from=start_from,
        on_step=steps.append,
        check_control=check_control,
        on_less_memory=on_less_memory,
        val=val,
    )
    return trained, steps


@pytest.mark.parametrize("bits", [4, 16])
def test_training_lowers_the_loss_and_every_adapter_weight_moves(base: Path, tmp_path: Path, bits: int) -> None:
    from safetensors.torch import load_file

    trained, steps = train(base, tmp_path, quantization_bits=bits)
    assert [step.step for step in steps] == list(range(1, 13))
    assert steps[-1].loss < steps[0].loss - 0.1
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    # B starts at zero, so a B that is still zero was never trained.
    frozen = [name for name, weight in weights.items() if "lora_B" in name and not weight.any()]
    assert frozen == []
    assert len(weights) == 2 * 7 * 2  # A and B of seven linear layers in each of two blocks
    assert trained.tokens > 0
    assert {weight.dtype for weight in weights.values()} == {weights[next(iter(weights))].dtype}
    assert (tmp_path / "adapter" / "tokenizer.json").is_file()


def test_longer_samples_are_left_out_whole_and_counted(base: Path, tmp_path: Path) -> None:
    long = Sample(id="long", instruction="x" * 600, output="y")
    trained = train_adapter(
        [*SAMPLES, long],
        settings(base, train_steps=1),
        tmp_path / "adapter",
        tmp_path / "checkpoints",
        start_from=None,
        on_step=lambda step: None,
        check_control=lambda: None,
    )
    assert (trained.samples, trained.too_long) == (16, 1)
    with pytest.raises(Refused, match="SEQ_LEN = 64"):
        train(base, tmp_path / "none", seq_len=64)


def test_a_stop_leaves_a_checkpoint_and_going_on_ends_where_the_undisturbed_run_does(
    base: Path, tmp_path: Path
) -> None:
    undisturbed, steps = train(base, tmp_path / "one")
    calls = 0

    def stop_at_fifth() -> None:
        nonlocal calls
        calls += 1
        if calls == 5:
            raise StopRequested("stop")

    with pytest.raises(StopRequested):
        train(base, tmp_path / "two", check_control=stop_at_fifth)
    assert not (tmp_path / "two" / "adapter").exists()
    resumed, rest = train(base, tmp_path / "two")
    assert [step.step for step in rest] == list(range(6, 13))
    assert rest[-1].loss == pytest.approx(steps[-1].loss, abs=1e-5)
    assert [step.tokens for step in rest] == [step.tokens for step in steps[5:]]
    assert (resumed.steps, resumed.tokens, resumed.loss) == (undisturbed.steps, undisturbed.tokens, undisturbed.loss)
    # Seven of twelve steps were made in this sitting.
    assert resumed.tokens_per_second * resumed.seconds < 0.8 * resumed.tokens


def test_a_later_round_goes_on_from_an_adapter(base: Path, tmp_path: Path) -> None:
    _, first = train(base, tmp_path / "one")
    _, second = train(base, tmp_path / "two", start_from=tmp_path / "one" / "adapter", train_steps=2)
    assert second[0].loss < first[0].loss - 0.1


@pytest.mark.parametrize(
    ("samples", "train_steps", "max_epochs", "steps", "bound"),
    [(50, 500, 3.0, 19, "MAX_EPOCHS"), (5000, 500, 3.0, 500, "TRAIN_STEPS"), (1, 500, 0.1, 1, "MAX_EPOCHS")],
)
def test_the_plan_says_which_bound_holds(
    samples: int, train_steps: int, max_epochs: float, steps: int, bound: str
) -> None:
    plan = plan_steps(samples, Settings(train_steps=train_steps, max_epochs=max_epochs, batch_size=1, grad_accum=8))
    assert (plan.steps, plan.bound) == (steps, bound)


def test_adapter_config_names_the_base_it_loads_with(base: Path, tmp_path: Path) -> None:
    train(base, tmp_path, train_steps=1)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)


def test_accumulation_changes_no_step(base: Path, tmp_path: Path) -> None:
    """8 × 1 and 1 × 8 samples a step, of very different lengths: the loss is of all answer tokens alike."""
    _, one = train(base, tmp_path / "one", quantization_bits=16, batch_size=1, grad_accum=8, seq_len=128, train_steps=6)
    _, eight = train(base, tmp_path / "eight", quantization_bits=16, batch_size=8, grad_accum=1, train_steps=6)
    assert [step.loss for step in one] == pytest.approx([step.loss for step in eight], abs=1e-4)


def test_when_memory_does_not_suffice_the_steps_stay_the_same_in_smaller_pieces(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from transformers import LlamaModel

    _, undisturbed = train(base, tmp_path / "one")
    forward, room = LlamaModel.forward, 200

    def short_of_memory(self: Any, *words: Any, **named: Any) -> Any:
        if self.training and named["input_ids"].numel() > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, *words, **named)

    monkeypatch.setattr(LlamaModel, "forward", short_of_memory)
    told: list[int] = []
    trained, steps = train(base, tmp_path / "two", on_less_memory=told.append)
    assert [step.loss for step in steps] == pytest.approx([step.loss for step in undisturbed], abs=1e-4)
    assert told
    assert told[-1] == trained.budget <= room < told[0] * 2
    room = 20
    with pytest.raises(AutotrainError, match=r"not even \d+ tokens \(1 samples\) fit at once.*SEQ_LEN"):
        train(base, tmp_path / "three")
    assert not (tmp_path / "three" / "adapter").exists()


def test_training_ends_where_the_held_out_loss_no_longer_falls_and_keeps_the_best(base: Path, tmp_path: Path) -> None:
    # The better the model knows the training answers, the less it expects this.
    other = [sample.model_copy(update={"output": "QZXJ" * 9}) for sample in SAMPLES]
    changes = {"train_steps": 60, "early_stop": 1}
    trained, steps = train(base, tmp_path, val=other, **changes)
    assert trained.bound == "EARLY_STOP"
    assert trained.best_step < trained.steps == len(steps) < 60
    last, _ = train(base, tmp_path / "last", val=other, **{**changes, "early_stop": 0})
    assert last.steps == 60
    assert trained.val_loss < last.val_loss


def test_checkpoints_come_by_the_clock_and_at_most_so_many_stay(base: Path, tmp_path: Path) -> None:
    seen: list[list[str]] = []

    def look() -> None:
        seen.append(sorted(path.parent.name for path in (tmp_path / "checkpoints").glob("*/contents.json")))

    train(base, tmp_path, check_control=look, checkpoint_minutes=1e-6, checkpoints_kept=3, train_steps=8)
    assert seen[-1] == ["checkpoint-5", "checkpoint-6", "checkpoint-7"]


def test_a_base_in_4_bits_passes_the_same_gradient_after_it_answered(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # bitsandbytes repacks what answers on a CPU with AVX512-BF16; here whatever the CPU is.
    monkeypatch.setattr("bitsandbytes.nn.modules.has_avx512bf16", lambda: True)
    model = load_base(str(base), settings(base), "cpu", 4)
    ids = torch.arange(3, 19)[None]

    def gradient() -> torch.Tensor:
        embedded = model.get_input_embeddings()(ids).detach().requires_grad_()
        model.train()(inputs_embeds=embedded, labels=ids).loss.backward()
        assert embedded.grad is not None
        return embedded.grad

    before = gradient()
    with torch.no_grad():
        model.eval()(input_ids=ids)
    assert torch.equal(gradient(), before)
