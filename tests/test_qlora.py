"""Training on a tiny model: what is promised about steps, masks, stopping and files holds."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_model

from autotrain.config import Settings
from autotrain.errors import Refused, StopRequested
from autotrain.sample import Sample, in_fence
from autotrain.train.qlora import Step, discard_torn_checkpoints, plan_steps, reading_order, train_adapter


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
    assert resumed.steps == undisturbed.steps


def test_a_later_round_goes_on_from_an_adapter(base: Path, tmp_path: Path) -> None:
    _, first = train(base, tmp_path / "one")
    _, second = train(base, tmp_path / "two", start_from=tmp_path / "one" / "adapter", train_steps=2)
    assert second[0].loss < first[0].loss - 0.1


def test_torn_checkpoints_are_discarded(tmp_path: Path) -> None:
    whole, torn = tmp_path / "checkpoint-10", tmp_path / "checkpoint-20"
    whole.mkdir()
    torn.mkdir()
    (whole / "trainer_state.json").write_text("{}")
    (torn / "optimizer.pt").write_text("half")
    discard_torn_checkpoints(tmp_path)
    assert whole.exists()
    assert not torn.exists()


@pytest.mark.parametrize(
    ("samples", "train_steps", "max_epochs", "steps", "bound"),
    [(50, 500, 3.0, 19, "MAX_EPOCHS"), (5000, 500, 3.0, 500, "TRAIN_STEPS"), (1, 500, 0.1, 1, "MAX_EPOCHS")],
)
def test_the_plan_says_which_bound_holds(
    samples: int, train_steps: int, max_epochs: float, steps: int, bound: str
) -> None:
    plan = plan_steps(samples, Settings(train_steps=train_steps, max_epochs=max_epochs, batch_size=1, grad_accum=8))
    assert (plan.steps, plan.bound) == (steps, bound)


def test_every_sample_is_read_once_an_epoch_with_its_likes() -> None:
    lengths = [10 * (index % 20 + 1) for index in range(160)]
    order = reading_order(lengths, 40, Settings(batch_size=8, grad_accum=1))
    assert sorted(order[:160]) == sorted(order[160:]) == list(range(160))
    assert order[:160] != order[160:]
    padded = sum(8 * max(lengths[index] for index in order[start : start + 8]) for start in range(0, 160, 8))
    assert padded < 1.2 * sum(lengths)


def test_adapter_config_names_the_base_it_loads_with(base: Path, tmp_path: Path) -> None:
    train(base, tmp_path, train_steps=1)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)
