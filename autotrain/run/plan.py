"""What a run is going to do, in words: from its settings, the price list and the GPU at hand."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from autotrain.config import CARD_GB, OFFLINE_TEACHERS, Settings, split_list
from autotrain.generate.prices import OPENAI_URL, PriceList, find_price, prices_for, server_of
from autotrain.redact import redact
from autotrain.run.disk import disk_text

if TYPE_CHECKING:
    from autotrain.monitor.hardware import Gpu

# What a sample comes to as JSON; the builtin teacher's are about 300 tokens long, others write more.
TOKENS_A_SAMPLE = 400
CHARACTERS_A_TOKEN = 4


def plan_text(settings: Settings, vram: float | None = None) -> str:
    """The plan that --dry-run prints: what a round does, what bounds it, and what it takes: money, memory, disk, time.

    Memory is held against the card found, or against one of `vram` GB.
    """
    from autotrain.monitor.hardware import gpus

    held_out = round(settings.val_ratio * settings.samples_per_round)
    new = settings.samples_per_round - held_out
    steps, bound, replayed = _training(settings)
    a_step = settings.batch_size * settings.grad_accum
    gate = "run answers and tests" if settings.run_unit_tests else "syntax only (RUN_UNIT_TESTS=0)"
    training = (
        f"at most {steps} steps of {settings.batch_size} × {settings.grad_accum} samples a round, "
        f"bounded by {bound} ({steps * a_step / max(1, new + replayed):.1f} epochs of {new} new "
        f"and up to {replayed} replayed samples)"
    )
    adapter = (
        f"rank {settings.lora_r}, learning rate {settings.lr:g}, base in {settings.quantization_bits} bits, "
        f"samples of up to {settings.seq_len} tokens"
    )
    rows = {
        "rounds": str(settings.rounds),
        "teacher": _teacher(settings),
        "cost": cost_text(settings, prices_for(settings)),
        "samples a round": f"{settings.samples_per_round}: at most {new} to train on, {held_out} held out",
        "gate": gate,
        "base model": settings.base_model,
        "training": training,
        "adapter": adapter,
        "memory": memory_text(settings, gpus(), vram),
        "disk": disk_text(settings),
        "time": time_text(settings),
        "evaluation": _evaluation(settings),
        "output": str(settings.out_dir),
    }
    width = max(len(name) for name in rows)
    return "\n".join(["plan", *(f"  {name:<{width}}  {redact(text, 500)}" for name, text in rows.items())])


def _training(settings: Settings) -> tuple[int, str, int]:
    """Most steps of a round's training, what bounds them, and how many earlier samples are among what is trained on."""
    new = settings.samples_per_round - round(settings.val_ratio * settings.samples_per_round)
    replayed = round(settings.replay_ratio * new) if settings.rounds > 1 else 0
    by_epochs = -(-settings.max_epochs * (new + replayed) // (settings.batch_size * settings.grad_accum))
    bound = "TRAIN_STEPS" if settings.train_steps <= by_epochs else f"MAX_EPOCHS = {settings.max_epochs:g}"
    return int(min(settings.train_steps, max(1, by_epochs))), bound, replayed


def _teacher(settings: Settings) -> str:
    teacher = settings.teacher_model
    if teacher in OFFLINE_TEACHERS:
        return teacher
    teacher += f" at {settings.teacher_base_url or 'the OpenAI API'}, about {_requests(settings)} requests a round"
    bounds = [f"${settings.max_cost_usd:g}"] if settings.max_cost_usd is not None else []
    bounds += [f"{settings.max_tokens:,} tokens"] if settings.max_tokens is not None else []
    return teacher + (f", at most {' and '.join(bounds)} in all" if bounds else "")


def _evaluation(settings: Settings) -> str:
    parts = [f"answers by {settings.eval_engine}, at most {settings.eval_max_new_tokens} tokens each"]
    if settings.eval_samples:
        parts.append(f"{settings.eval_samples} more at random for pass@k")
    parts.append(f"benchmarks {settings.benchmarks}" if settings.benchmarks else "no benchmark")
    if settings.focus and settings.rounds > 1:
        parts.append("what fails is asked more of")
    return ", ".join(parts)


def _requests(settings: Settings) -> int:
    return -(-settings.samples_per_round // settings.samples_per_request)


def cost_text(settings: Settings, lists: Sequence[PriceList]) -> str:
    """What the teacher of a whole run costs by these prices: about, and at most; unknown where a price is."""
    if settings.teacher_model in OFFLINE_TEACHERS:
        return f"nothing ({settings.teacher_model})"
    servers = split_list(settings.teacher_base_url) or [OPENAI_URL]
    prices = [find_price(settings.teacher_model, url, lists) for url in servers]
    known = [price for price in prices if price is not None]
    if len(known) < len(prices):
        hosts = ", ".join(server_of(url) for url, price in zip(servers, prices, strict=True) if price is None)
        return f"unknown: the price of {settings.teacher_model} at {hosts} is in no list (TEACHER_PRICES)"
    requests = _requests(settings) * settings.rounds
    prompt = _prompt_bytes(settings)
    replies = settings.samples_per_round * settings.rounds * TOKENS_A_SAMPLE / requests
    about = sum(price.cost(prompt // CHARACTERS_A_TOKEN, math.ceil(replies)) for price in known) / len(known)
    # No tokenizer makes more tokens of a text than it has bytes; a request may be planned twice and be retried.
    dearest = max(price.cost(prompt, settings.teacher_max_tokens) for price in known)
    most = dearest * 2 * (1 + settings.teacher_max_retries) * requests
    why = f"every reply {settings.teacher_max_tokens} tokens long, everything asked again and retried"
    if settings.max_cost_usd is not None and settings.max_cost_usd < most:
        most, why = settings.max_cost_usd, "MAX_COST_USD"
    first = f"about {_dollars(about * requests)} if a sample takes {TOKENS_A_SAMPLE} tokens"
    return f"{first}, at most {_dollars(most)} ({why})"


def _prompt_bytes(settings: Settings) -> int:
    """The length of a request as it is sent, with as many earlier tasks to steer away from as it ever names."""
    from autotrain.generate.plan import plan_requests
    from autotrain.generate.prompts import MOST_RECENT, RECENT_CHARACTERS, REPLY_SCHEMA, messages

    size = min(settings.samples_per_request, settings.samples_per_round)
    (request,) = plan_requests(size, size, settings.seed, 1)
    recent = ["x" * RECENT_CHARACTERS] * MOST_RECENT
    return len(json.dumps([messages(request, recent), REPLY_SCHEMA], ensure_ascii=False).encode())


def _dollars(amount: float) -> str:
    return f"${amount:.2g}" if amount < 0.1 else f"${amount:,.2f}"


@dataclass(frozen=True)
class Fit:
    """An estimate of training's memory beside a card: `room` is what of it is free, in GB (of 2³⁰ bytes)."""

    parts: Mapping[str, float]
    room: float
    verdict: str
    changes: Mapping[str, Any] | None

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {size:.1f}" for name, size in self.parts.items())
        text = f"about {sum(self.parts.values()):.1f} of {self.room:.1f} GB ({parts}): {self.verdict}"
        if self.verdict == "fits":
            return text
        if self.changes is None:
            return f"{text}; no smaller settings would do: take a smaller BASE_MODEL"
        return f"{text}; it would with {' '.join(f'{name.upper()}={value}' for name, value in self.changes.items())}"


def fit(settings: Settings, found: "Sequence[Gpu]", vram: float | None) -> Fit | None:
    """How training fits the largest card found, or one of `vram` GB; None without a card or a known config."""
    if vram is None and (settings.device == "cpu" or not found):
        return None
    room = vram if vram is not None else max(gpu.total_mb - gpu.used_mb for gpu in found) / 1024
    from autotrain.train.memory import GIB, config_at_hand, estimate, remedies, shape_of

    config = config_at_hand(settings.base_model, settings.trust_remote_code)
    if config is None:
        return None
    shape = shape_of(config)
    needed = estimate(shape, settings)
    verdict = needed.verdict(room * GIB)
    changes = None if verdict == "fits" else remedies(shape, settings, room * GIB)
    return Fit({name: size / GIB for name, size in asdict(needed).items()}, room, verdict, changes)


def memory_text(settings: Settings, found: "Sequence[Gpu]", vram: float | None = None) -> str:
    """What can be said about the memory that training takes, beside the card found or one of `vram` GB."""
    if vram is None and settings.device == "cpu":
        return "not estimated; trains on the CPU"
    fitting = fit(settings, found, vram)
    if fitting is None:
        needed = CARD_GB.get(settings.preset or "")
        parts = [f"preset {settings.preset} is meant for a card of {needed} GB"] if needed else ["not estimated"]
    else:
        parts = [str(fitting)]
    parts += [
        f"found {gpu.name} with {gpu.total_mb / 1024:.0f} GB, {gpu.used_mb / 1024:.1f} GB of them in use"
        for gpu in found
    ]
    if not found and vram is None:
        parts.append("no NVIDIA GPU was found (--vram 11 estimates for a card of 11 GB)")
    return "; ".join(parts)


def time_text(settings: Settings) -> str:
    """How long a round's training takes by what earlier runs in OUT_DIR needed for this base model."""
    from autotrain.run.paths import OutPaths
    from autotrain.train.memory import earlier_training

    out = OutPaths(settings.out_dir.absolute())
    folders = [out.run(run_id).root for run_id in reversed(out.run_ids())]
    earlier = earlier_training(folders, settings.base_model)
    if earlier is None:
        return "not known: no earlier run here trained this base model"
    tokens, speed = earlier
    steps = _training(settings)[0]
    seconds = steps * settings.batch_size * settings.grad_accum * tokens / speed
    return f"about {max(seconds / 60, 1):.0f} minutes of training a round, at {speed:.0f} tokens/s as in an earlier run"
