"""QLoRA with TRL's SFTTrainer, PEFT and bitsandbytes."""

import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.errors import Refused, StopRequested
from autotrain.sample import Sample
from autotrain.train.models import compute_dtype, load_base, load_tokenizer, pick_device, quiet_libraries, resolve_base
from autotrain.train.render import Rendered, render

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

SECONDS_BETWEEN_LINES = 10.0
CHECKPOINTS_KEPT = 2
BATCHES_GROUPED = 16


@dataclass(frozen=True)
class Step:
    """One optimizer step as reported while training. `seconds` is since this process began to train."""

    step: int
    steps: int
    loss: float
    learning_rate: float
    tokens: int
    seconds: float


@dataclass(frozen=True)
class Plan:
    """How long to train: the steps, and which bound they come from."""

    steps: int
    bound: str
    epochs: float


@dataclass(frozen=True)
class Trained:
    """What a training did. Tokens count prompts and answers, padding left out; losses are per answer token."""

    steps: int
    epochs: float
    bound: str
    samples: int
    too_long: int
    tokens: int
    loss: float
    val_loss: float | None
    seconds: float
    device: str
    dtype: str


def plan_steps(samples: int, settings: Settings) -> Plan:
    """TRAIN_STEPS is a ceiling; MAX_EPOCHS bounds it too."""
    a_step = settings.batch_size * settings.grad_accum
    by_epochs = max(1, math.ceil(settings.max_epochs * samples / a_step))
    steps = min(settings.train_steps, by_epochs)
    bound = "TRAIN_STEPS" if settings.train_steps <= by_epochs else "MAX_EPOCHS"
    return Plan(steps, bound, steps * a_step / samples)


def train_adapter(
    samples: Sequence[Sample],
    settings: Settings,
    output: Path,
    checkpoints: Path,
    *,
    start_from: Path | None,
    on_step: Callable[[Step], None],
    check_control: Callable[[], None],
    val: Sequence[Sample] = (),
) -> Trained:
    """Train an adapter on `samples` and save it with its tokenizer in `output`; measure its loss on `val`.

    Continues `start_from`'s adapter if given, and an interrupted training from its last whole
    checkpoint in `checkpoints`. Raises Refused if no sample fits in SEQ_LEN, and whatever
    `check_control` raises after a checkpoint was written.
    """
    from transformers.trainer_utils import get_last_checkpoint

    quiet_libraries()
    base = resolve_base(settings.base_model)
    device = pick_device(settings)
    tokenizer = load_tokenizer(base, settings)
    fitting = _fitting(tokenizer, samples, settings)
    if not fitting:
        raise Refused(
            f"none of the {len(samples)} samples fits in SEQ_LEN = {settings.seq_len} tokens; raise SEQ_LEN"
        )
    plan = plan_steps(len(fitting), settings)
    order = reading_order([len(item) for item in fitting], plan.steps, settings)
    watcher = _watcher(on_step, check_control)
    arguments = _arguments(settings, plan, checkpoints, device)
    dataset = _dataset([fitting[index] for index in order])
    trainer = _trainer(base, settings, device, start_from, tokenizer, dataset, arguments, watcher)
    discard_torn_checkpoints(checkpoints)
    started = time.monotonic()
    result = trainer.train(
        resume_from_checkpoint=get_last_checkpoint(str(checkpoints)) if checkpoints.is_dir() else None
    )
    if watcher.interruption is not None:
        raise watcher.interruption
    val_fitting = _fitting(tokenizer, val, settings)
    val_loss = trainer.evaluate(_dataset(val_fitting))["eval_loss"] if val_fitting else None
    # Not trainer.save_model, which pickles its arguments into the adapter's folder.
    trainer.accelerator.unwrap_model(trainer.model).save_pretrained(str(output))
    tokenizer.save_pretrained(str(output))
    return Trained(
        steps=int(result.global_step),
        epochs=round(plan.epochs, 2),
        bound=plan.bound,
        samples=len(fitting),
        too_long=len(samples) - len(fitting),
        tokens=int(trainer.state.num_input_tokens_seen),
        loss=round(float(result.training_loss), 4),
        val_loss=None if val_loss is None else round(float(val_loss), 4),
        seconds=round(time.monotonic() - started, 1),
        device=device,
        dtype=str(compute_dtype(device)).removeprefix("torch."),
    )


def _trainer(
    base: str,
    settings: Settings,
    device: str,
    start_from: Path | None,
    tokenizer: "PreTrainedTokenizerBase",
    dataset: "Dataset",
    arguments: Any,
    watcher: Any,
) -> Any:
    """The base model with its adapter, new or continued, in TRL's trainer."""
    import torch
    from peft import PeftModel
    from transformers import PrinterCallback
    from trl import SFTTrainer

    model: Any = load_base(base, settings, device, settings.quantization_bits)
    model.config.use_cache = False
    if start_from is not None:
        model = PeftModel.from_pretrained(model, str(start_from), is_trainable=True)
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=dataset,
        processing_class=tokenizer,
        peft_config=None if start_from is not None else lora(settings),
        callbacks=[watcher],
    )
    trainer.remove_callback(PrinterCallback)
    # TRL turns a quantized model's adapter to bf16, which neither a CPU nor an older card computes well.
    for parameter in trainer.model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return trainer


def lora(settings: Settings) -> Any:
    """LoRA on all linear layers of whatever architecture."""
    from peft import LoraConfig

    return LoraConfig(
        r=settings.lora_r,
        lora_alpha=2 * settings.lora_r,
        # Dropout costs a sixth of a CPU step, and a few epochs of fresh tasks each round need none.
        lora_dropout=0.0,
        bias="none",
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )


def reading_order(lengths: Sequence[int], steps: int, settings: Settings) -> list[int]:
    """The index of every sample in the order it is trained on, epoch after epoch, for `steps` optimizer steps.

    Shuffled by the seed, then samples of like length side by side, so that little is padded. Laid
    out beforehand because the trainer's own length grouping draws anew when a training is resumed.
    """
    rng = random.Random(settings.seed)
    batch = settings.batch_size
    order: list[int] = []
    while len(order) < steps * batch * settings.grad_accum:
        epoch = rng.sample(range(len(lengths)), len(lengths))
        batches = []
        for start in range(0, len(epoch), batch * BATCHES_GROUPED):
            group = sorted(epoch[start : start + batch * BATCHES_GROUPED], key=lengths.__getitem__)
            batches += [group[first : first + batch] for first in range(0, len(group), batch)]
        rng.shuffle(batches)
        # A short batch in the middle would shift all later ones.
        batches.sort(key=len, reverse=True)
        order += [index for members in batches for index in members]
    return order[: steps * batch * settings.grad_accum]


def discard_torn_checkpoints(folder: Path) -> None:
    """Remove checkpoints that a kill left unfinished: the trainer writes trainer_state.json last."""
    import shutil

    for checkpoint in folder.glob("checkpoint-*"):
        if not (checkpoint / "trainer_state.json").is_file():
            shutil.rmtree(checkpoint)


def _arguments(settings: Settings, plan: Plan, checkpoints: Path, device: str) -> Any:
    from trl import SFTConfig

    dtype = str(compute_dtype(device))
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=plan.steps,
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.grad_accum,
        learning_rate=settings.lr,
        lr_scheduler_type="cosine",
        warmup_steps=0.05,
        max_length=settings.seq_len,
        packing=False,
        train_sampling_strategy="sequential",
        # Recomputing activations saves memory that only a GPU is short of.
        gradient_checkpointing=device == "cuda",
        optim="paged_adamw_8bit" if device == "cuda" else "adamw_torch",
        bf16=dtype == "torch.bfloat16",
        fp16=dtype == "torch.float16",
        use_cpu=device == "cpu",
        dataloader_pin_memory=device == "cuda",
        save_strategy="steps",
        save_steps=max(10, plan.steps // 10),
        save_total_limit=CHECKPOINTS_KEPT,
        logging_steps=1,
        include_num_input_tokens_seen="non_padding",
        report_to="none",
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
    )


def _fitting(
    tokenizer: "PreTrainedTokenizerBase", samples: Sequence[Sample], settings: Settings
) -> list[Rendered]:
    """The samples that SEQ_LEN has room for. None is cut: half an answer teaches to stop halfway."""
    return [item for item in (render(tokenizer, sample) for sample in samples) if len(item) <= settings.seq_len]


def _dataset(rendered: Sequence[Rendered]) -> "Dataset":
    from datasets import Dataset

    return Dataset.from_dict(
        {
            "input_ids": [item.prompt + item.answer for item in rendered],
            "labels": [[-100] * len(item.prompt) + item.answer for item in rendered],
        }
    )


def _watcher(on_step: Callable[[Step], None], check_control: Callable[[], None]) -> Any:
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        """Reports each step; on a request to stop lets the trainer write a checkpoint first."""

        interruption: StopRequested | None = None
        started = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                on_step(
                    Step(
                        step=state.global_step,
                        steps=state.max_steps,
                        loss=float(logs["loss"]),
                        learning_rate=float(logs["learning_rate"]),
                        tokens=int(state.num_input_tokens_seen),
                        seconds=time.monotonic() - self.started,
                    )
                )

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            try:
                check_control()
            except StopRequested as request:
                self.interruption = request
                control.should_save = True
                control.should_training_stop = True

    return Watcher()
