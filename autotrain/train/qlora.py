"""QLoRA with TRL's SFTTrainer, PEFT and bitsandbytes."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.errors import Refused, StopRequested
from autotrain.run.disk import CHECKPOINT_BYTES, NUMBER_BYTES, checkpoint_bytes, require_room
from autotrain.run.launch import process_count
from autotrain.sample import Sample
from autotrain.train.batches import dataset_of, in_one_row, keeps_apart, reading_order
from autotrain.train.checkpoints import newest_whole, prune, seal, size_of_last, torn_removed
from autotrain.train.models import (
    compute_dtype,
    load_base,
    load_tokenizer,
    pick_device,
    quiet_libraries,
    resolve_base,
    with_adapter,
)
from autotrain.train.render import Rendered, render
from autotrain.train.stepping import step_trainer

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

SECONDS_BETWEEN_LINES = 10.0
# Early stopping looks at this many held-out samples, so often in a training.
SAMPLES_LOOKED_AT = 32
LOOKS = 5
# More at once is no faster there, and only takes memory.
CPU_TOKENS = 512


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
    """What a training did. Tokens count prompts and answers, padding left out; losses are per answer token.

    `budget` is how many tokens went through the model at once, in the end; `best_step` the step whose weights were
    kept, where early stopping looked; `packed` whether samples shared rows. After a resume `seconds` and
    `tokens_per_second` are of the last sitting, all else is of the whole training.
    """

    steps: int
    best_step: int
    epochs: float
    bound: str
    samples: int
    too_long: int
    tokens: int
    loss: float
    val_loss: float | None
    seconds: float
    tokens_per_second: float
    device: str
    dtype: str
    packed: bool
    budget: int
    processes: int
    peak_memory_mb: float | None


def plan_steps(samples: int, settings: Settings, processes: int = 1) -> Plan:
    """TRAIN_STEPS is a ceiling; MAX_EPOCHS bounds it too."""
    a_step = settings.batch_size * settings.grad_accum * processes
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
    on_less_memory: Callable[[int], None] = lambda budget: None,
    val: Sequence[Sample] = (),
) -> Trained:
    """Train an adapter on `samples` and save it with its tokenizer in `output`; measure its loss on `val`.

    Continues `start_from`'s adapter if given, and an interrupted training from its last whole
    checkpoint in `checkpoints`. `on_less_memory` is told when memory did not suffice, and how many tokens go through
    the model at once from then on. Raises Refused if no sample fits in SEQ_LEN, or if the disk has no room for the
    next checkpoint or the adapter, AutotrainError if not even one sample fits in memory, and whatever `check_control`
    raises after a checkpoint was written.
    """
    import torch

    quiet_libraries()
    base = resolve_base(settings.base_model)
    device = pick_device(settings)
    tokenizer = load_tokenizer(base, settings)
    fitting = _fitting(tokenizer, samples, settings)
    if not fitting:
        raise Refused(
            f"none of the {len(samples)} samples fits in SEQ_LEN = {settings.seq_len} tokens; raise SEQ_LEN"
        )
    val_fitting = _fitting(tokenizer, val, settings)
    processes = process_count()
    plan = plan_steps(len(fitting), settings, processes)
    order = reading_order(len(fitting), plan.steps, settings, processes)
    looked_at = val_fitting[:SAMPLES_LOOKED_AT] if settings.early_stop else []
    arguments = _arguments(settings, plan, checkpoints, device, bool(looked_at))
    # The first process removes what is not whole, before others look.
    last = newest_whole(checkpoints) if arguments.process_index == 0 else None
    _meet()
    if arguments.process_index > 0:
        last = newest_whole(checkpoints)
    watcher = _watcher(on_step, check_control, settings, checkpoints)
    trainer = _trainer(
        base,
        settings,
        device,
        start_from,
        tokenizer,
        [fitting[index] for index in order],
        looked_at,
        arguments,
        watcher,
        on_less_memory,
    )
    started = time.monotonic()
    with torn_removed(checkpoints, arguments.process_index == 0):
        result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
    if watcher.interruption is not None:
        raise watcher.interruption
    val_loss = trainer.evaluate(dataset_of(val_fitting))["eval_loss"] if val_fitting else None
    require_room(output.parent, NUMBER_BYTES * trained_numbers(trainer.model) + CHECKPOINT_BYTES, "the adapter")
    # Not trainer.save_model, which pickles its arguments into the adapter's folder.
    if trainer.accelerator.is_main_process:
        trained = trainer.accelerator.unwrap_model(trainer.model)
        for config in trained.peft_config.values():
            # A set: the same training would write another file each time.
            config.target_modules = sorted(config.target_modules)
        trained.save_pretrained(str(output))
        tokenizer.save_pretrained(str(output))
    _meet()
    seconds = time.monotonic() - started
    tokens = int(trainer.state.num_input_tokens_seen)
    # Its own mean is that of the steps since the last resume; each step's loss is in the checkpoints.
    losses = [float(entry["loss"]) for entry in trainer.state.log_history if "loss" in entry]
    return Trained(
        steps=int(result.global_step),
        best_step=int(trainer.state.best_global_step or result.global_step),
        epochs=round(plan.epochs * result.global_step / plan.steps, 2),
        bound=plan.bound if result.global_step == plan.steps else "EARLY_STOP",
        samples=len(fitting),
        too_long=len(samples) - len(fitting),
        tokens=tokens,
        loss=round(fmean(losses), 4),
        val_loss=None if val_loss is None else round(float(val_loss), 4),
        seconds=round(seconds, 1),
        tokens_per_second=round((tokens - watcher.tokens_before) / max(seconds, 0.1), 1),
        device=device,
        dtype=str(compute_dtype(device)).removeprefix("torch."),
        packed=trainer.packed,
        budget=trainer.budget,
        processes=processes,
        peak_memory_mb=round(torch.cuda.max_memory_allocated() / 2**20, 1) if device == "cuda" else None,
    )


def tokens_at_once(settings: Settings, device: str) -> int:
    """How many tokens go through the model at once: as many as the plan for the card counts on."""
    whole = settings.batch_size * settings.seq_len
    return whole if device == "cuda" else min(whole, CPU_TOKENS)


def _meet() -> None:
    """Wait for the other processes, if there are any."""
    import torch

    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.barrier()


def _agreed(device: Any, *decisions: bool) -> tuple[bool, ...]:
    """What the first process decides, which each has to do at the same step."""
    import torch

    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return decisions
    decided = torch.tensor(decisions, dtype=torch.int32, device=device)
    torch.distributed.broadcast(decided, 0)
    return tuple(map(bool, decided))


def trained_numbers(model: Any) -> int:
    """How many numbers of a model are trained."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _trainer(
    base: str,
    settings: Settings,
    device: str,
    start_from: Path | None,
    tokenizer: "PreTrainedTokenizerBase",
    rendered: Sequence[Rendered],
    looked_at: Sequence[Rendered],
    arguments: Any,
    watcher: Any,
    on_less_memory: Callable[[int], None],
) -> Any:
    """The base model with its adapter, new or continued, in TRL's trainer."""
    import torch
    from transformers import EarlyStoppingCallback, PrinterCallback

    model: Any = load_base(base, settings, device, settings.quantization_bits)
    model.config.use_cache = False
    packed = keeps_apart(model)
    if start_from is not None:
        model = with_adapter(model, start_from, trainable=True)
    trainer = step_trainer(tokens_at_once(settings, device), packed, on_less_memory)(
        model=model,
        args=arguments,
        train_dataset=dataset_of(rendered),
        eval_dataset=dataset_of(looked_at) if looked_at else None,
        data_collator=in_one_row,
        processing_class=tokenizer,
        peft_config=None if start_from is not None else lora(settings),
        callbacks=[watcher, *([EarlyStoppingCallback(settings.early_stop)] if looked_at else [])],
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


def _arguments(settings: Settings, plan: Plan, checkpoints: Path, device: str, early_stop: bool) -> Any:
    from trl import SFTConfig

    dtype = str(compute_dtype(device))
    between = max(10, math.ceil(plan.steps / LOOKS))
    looks: dict[str, Any] = {}
    if early_stop:
        looks = {
            "eval_strategy": "steps",
            "eval_steps": between,
            "load_best_model_at_end": True,
            "metric_for_best_model": "eval_loss",
            "greater_is_better": False,
        }
    return SFTConfig(
        output_dir=str(checkpoints),
        max_steps=plan.steps,
        per_device_train_batch_size=settings.batch_size * settings.grad_accum,
        per_device_eval_batch_size=settings.batch_size * settings.grad_accum,
        gradient_accumulation_steps=1,
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
        save_steps=between,
        logging_steps=1,
        include_num_input_tokens_seen="all",
        report_to="none",
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
        # A pause may last.
        ddp_timeout=7 * 24 * 3600,
        ddp_find_unused_parameters=False,
        **looks,
    )


def _fitting(
    tokenizer: "PreTrainedTokenizerBase", samples: Sequence[Sample], settings: Settings
) -> list[Rendered]:
    """The samples that SEQ_LEN has room for. None is cut: half an answer teaches to stop halfway."""
    return [item for item in (render(tokenizer, sample) for sample in samples) if len(item) <= settings.seq_len]


def _watcher(
    on_step: Callable[[Step], None], check_control: Callable[[], None], settings: Settings, checkpoints: Path
) -> Any:
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):
        """Reports each step; on a request to stop lets the trainer write a checkpoint first."""

        interruption: StopRequested | None = None
        started = saved = time.monotonic()
        tokens_before = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.tokens_before = int(state.num_input_tokens_seen)

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

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.saved = time.monotonic()
            _meet()  # each has written its part
            if state.is_world_process_zero:
                seal(checkpoints / f"checkpoint-{state.global_step}")
                prune(checkpoints, settings.checkpoints_kept, state.best_model_checkpoint)

        def lack_of_room(self, args: Any, model: Any) -> Refused | None:
            size = size_of_last(checkpoints)
            if size is None:
                size = checkpoint_bytes(trained_numbers(model), args.device.type == "cuda")
            try:
                require_room(checkpoints, size, "the next checkpoint")
            except Refused as error:
                return error
            return None

        def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            request = lack = None
            try:
                check_control()
            except StopRequested as error:
                request = error
            late = time.monotonic() - self.saved > 60 * settings.checkpoint_minutes
            if control.should_save or late or request is not None:
                lack = self.lack_of_room(args, model)
            stop, save, full = _agreed(args.device, request is not None, late, lack is not None)
            if full:
                raise lack or Refused("no space left for a checkpoint of the first of the processes")
            control.should_save = control.should_save or save or stop
            if stop:
                self.interruption = request or StopRequested("stopped with the first of the processes")
                control.should_training_stop = True

    return Watcher()
