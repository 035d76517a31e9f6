"""What a run is going to do, in words: from its settings, the price list and the GPU at hand."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autotrain.config import BUILTIN_TEACHER, Settings, split_list
from autotrain.generate.prices import OPENAI_URL, PriceList, find_price, prices_for, server_of
from autotrain.redact import redact

if TYPE_CHECKING:
    from autotrain.monitor.hardware import Gpu

# The memory of the cards that presets are named after, in GB; cpu and smoke need none.
CARD_GB = {"2080ti": 11, "3060": 6, "3090": 24, "4090": 24}
# A card tells a little less than its name says.
CARD_SLACK = 0.95
# What a sample comes to as JSON; the builtin teacher's are about 300 tokens long, others write more.
TOKENS_A_SAMPLE = 400
CHARACTERS_A_TOKEN = 4


def plan_text(settings: Settings) -> str:
    """The plan that --dry-run prints: data, training and evaluation of a round, what bounds them, cost and memory."""
    from autotrain.monitor.hardware import gpus

    held_out = round(settings.val_ratio * settings.samples_per_round)
    new = settings.samples_per_round - held_out
    replayed = round(settings.replay_ratio * new) if settings.rounds > 1 else 0
    a_step = settings.batch_size * settings.grad_accum
    by_epochs = -(-settings.max_epochs * (new + replayed) // a_step)
    steps = int(min(settings.train_steps, max(1, by_epochs)))
    bound = "TRAIN_STEPS" if settings.train_steps <= by_epochs else f"MAX_EPOCHS = {settings.max_epochs:g}"
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
        "memory": memory_text(settings, gpus()),
        "output": str(settings.out_dir),
    }
    width = max(len(name) for name in rows)
    return "\n".join(["plan", *(f"  {name:<{width}}  {redact(text, 500)}" for name, text in rows.items())])


def _teacher(settings: Settings) -> str:
    teacher = settings.teacher_model
    if teacher == BUILTIN_TEACHER:
        return teacher
    teacher += f" at {settings.teacher_base_url or 'the OpenAI API'}, about {_requests(settings)} requests a round"
    bounds = [f"${settings.max_cost_usd:g}"] if settings.max_cost_usd is not None else []
    bounds += [f"{settings.max_tokens:,} tokens"] if settings.max_tokens is not None else []
    return teacher + (f", at most {' and '.join(bounds)} in all" if bounds else "")


def _requests(settings: Settings) -> int:
    return -(-settings.samples_per_round // settings.samples_per_request)


def cost_text(settings: Settings, lists: Sequence[PriceList]) -> str:
    """What the teacher of a whole run costs by these prices: about, and at most; unknown where a price is."""
    if settings.teacher_model == BUILTIN_TEACHER:
        return "nothing (builtin)"
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


def memory_text(settings: Settings, found: "Sequence[Gpu]") -> str:
    """What can be said about the memory that training takes: the card a preset is meant for, and those found."""
    if settings.device == "cpu":
        return "not estimated; trains on the CPU"
    needed = CARD_GB.get(settings.preset or "")
    parts = [f"preset {settings.preset} is meant for a card of {needed} GB"] if needed else ["not estimated"]
    parts += [
        f"found {gpu.name} with {gpu.total_mb / 1024:.0f} GB, {gpu.used_mb / 1024:.1f} GB of them in use"
        for gpu in found
    ]
    if not found:
        parts.append("no NVIDIA GPU was found")
    elif needed and max(gpu.total_mb for gpu in found) < needed * 1024 * CARD_SLACK:
        parts.append("that is less: it may not fit")
    return "; ".join(parts)
