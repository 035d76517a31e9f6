"""Checks of the card, of what computes on it, and of the sandbox: they import torch and start processes."""

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.monitor.hardware import Gpu, driver_version, gpus
from autotrain.run.doctor.finding import Finding, Level
from autotrain.run.plan import fit, memory_text
from autotrain.train.models import NATIVE_BF16

# Half the widest gap between two values of NF4, and of 8 bits with a little for rounding, in parts of the largest.
MOST_LOST = {4: 0.16, 8: 0.006}


@dataclass(frozen=True)
class Card:
    """A card that torch can compute on; `capability` is CUDA's, such as (8, 6)."""

    name: str
    memory_gb: float
    capability: tuple[int, int]


@dataclass(frozen=True)
class Torch:
    """A build of torch: what it was built for (nothing: CPUs), the oldest cards it has code for, and those it sees."""

    version: str
    built_for: str | None
    oldest: tuple[int, int] | None = None
    cards: tuple[Card, ...] = ()


def look_at_torch() -> Torch:
    import torch

    versions = {"CUDA": torch.version.cuda, "ROCm": torch.version.hip}
    built_for = next((f"{name} {version}" for name, version in versions.items() if version), None)
    with warnings.catch_warnings():
        # It says in many lines what the finding says in one.
        warnings.simplefilter("ignore")
        if not torch.cuda.is_available():
            return Torch(torch.__version__, built_for)
        found = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    cards = tuple(Card(one.name, one.total_memory / 2**30, (one.major, one.minor)) for one in found)
    codes = [word.removeprefix("sm_") for word in torch.cuda.get_arch_list() if word.startswith("sm_")]
    known = [(int(code[:-1]), int(code[-1])) for code in codes if code.isdecimal()]
    return Torch(torch.__version__, built_for, min(known, default=None), cards)


def check_card(settings: Settings, found: Sequence[Gpu], driver: str | None, torch: Torch) -> Finding:
    """The card that trains, and whether torch can use it; `found` is what the driver says."""
    names = ", ".join(gpu.name for gpu in found)
    if settings.device == "cpu":
        return Finding("ok", "card", f"not used: DEVICE = cpu{f' ({names} is here)' if names else ''}")
    if torch.cards:
        return _card_of_torch(settings, driver, torch)
    if found and torch.built_for is None:
        remedy = f"install a build of torch {torch.version.split('+')[0]} for CUDA, or --device cpu"
        return Finding("error", "card", f"{names}, but torch {torch.version} is built for CPUs", remedy)
    if found:
        text = f"{names}, driver {driver or 'unknown'}, but torch, built for {torch.built_for}, does not see it"
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        remedy = "update the driver" if hidden is None else f"unset CUDA_VISIBLE_DEVICES, which is {hidden!r}"
        return Finding("error", "card", text, f"{remedy}, or --device cpu")
    if settings.device == "cuda":
        remedy = "install the driver until nvidia-smi lists the card, or --preset cpu"
        return Finding("error", "card", "no NVIDIA card was found, and DEVICE = cuda", remedy)
    if settings.base_model == EMBEDDED_MODEL:
        return Finding("ok", "card", f"none, and {EMBEDDED_MODEL} needs none")
    text = f"no NVIDIA card was found: training {settings.base_model} on the CPU takes days"
    return Finding("warning", "card", text, "--preset cpu trains a small model in less than an hour")


def _card_of_torch(settings: Settings, driver: str | None, torch: Torch) -> Finding:
    card = torch.cards[0]
    precision = "bf16" if card.capability >= NATIVE_BF16 else "no native bf16, so fp16"
    text = f"{card.name}, {card.memory_gb:.0f} GB"
    text += f", driver {driver}" if driver else ""
    text += f", compute capability {_dotted(card.capability)}: {precision}"
    if len(torch.cards) > 1:
        text += f"; {len(torch.cards)} cards in all"
    if torch.oldest is not None and card.capability < torch.oldest:
        text += f"; torch {torch.version} has code for {_dotted(torch.oldest)} on only"
        return Finding("error", "card", text, "--device cpu, or a newer card")
    if settings.processes > len(torch.cards) and not settings.accelerate_config:
        return Finding("error", "card", text, f"PROCESSES = {settings.processes} need a card each")
    return Finding("ok", "card", text)


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


def check_card_here(settings: Settings) -> Finding:
    return check_card(settings, gpus(), driver_version(), look_at_torch())


def check_memory(settings: Settings, vram: float | None) -> Finding:
    """Whether training fits the card, as far as an estimate tells."""
    fitting = fit(settings, gpus(), vram)
    if fitting is None:
        return Finding("ok", "memory", memory_text(settings, gpus(), vram))
    levels: dict[str, Level] = {"fits": "ok", "tight": "warning", "does not fit": "error"}
    return Finding(levels[fitting.verdict], "memory", str(fitting))


def check_bitsandbytes(settings: Settings) -> Finding:
    """Whether bitsandbytes computes on the device that will be used: it keeps the weights, and on a card optimizes."""
    import torch

    from autotrain.train.models import pick_device, quiet_libraries

    quiet_libraries()
    device, bits = pick_device(settings), settings.quantization_bits
    if device == "cpu" and bits == 16:
        return Finding("ok", "bitsandbytes", "not used: QUANTIZATION_BITS = 16")
    if device == "cuda" and not torch.cuda.is_available():
        return Finding("warning", "bitsandbytes", "not tried: torch sees no card", "see card")
    try:
        if device == "cuda":
            # Its own: a step of its optimizer.
            from bitsandbytes.diagnostics.main import sanity_check

            sanity_check()
        keeps = bits == 16 or _lost(bits, device) <= MOST_LOST[bits]
    # Its native library fails in many ways, and no version lists them.
    except Exception as error:
        return Finding("error", "bitsandbytes", f"fails on {device}: {error}", "python -m bitsandbytes says more")
    if not keeps:
        text = f"weights kept in {bits} bits on {device} come back as others"
        return Finding("error", "bitsandbytes", text, "python -m bitsandbytes says more")
    if bits == 16:
        return Finding("ok", "bitsandbytes", f"its optimizer on {device}, as tried just now")
    return Finding("ok", "bitsandbytes", f"weights in {bits} bits and back on {device}, as tried just now")


def _lost(bits: int, device: str) -> float:
    """The most that a weight between -1 and 1 changes by being kept in `bits` bits."""
    import torch
    from bitsandbytes import functional

    # LLM.int8 wants halves.
    weights = torch.sin(torch.arange(64 * 64, device=device)).reshape(64, 64).half()
    if bits == 4:
        kept, state = functional.quantize_4bit(weights, quant_type="nf4", compress_statistics=True)
        back = functional.dequantize_4bit(kept, state)
    else:
        kept, scales, _ = functional.int8_vectorwise_quant(weights)
        back = functional.int8_vectorwise_dequant(kept, scales)
    return float((back.float() - weights.float()).abs().max())


def check_sandbox(settings: Settings) -> Finding:
    """The tier of the sandbox that passes its self-test here."""
    from autotrain.gate.jail import REMEDY, choose_tier

    needs = [
        name
        for name, is_on in (
            ("RUN_UNIT_TESTS=1", settings.run_unit_tests),
            ("EVAL_EXECUTE=1", settings.eval_execute == "1"),
        )
        if is_on
    ]
    if not needs and settings.eval_execute == "0":
        return Finding("ok", "sandbox", "not needed: RUN_UNIT_TESTS=0 and EVAL_EXECUTE=0")
    tier, reasons = choose_tier()
    if tier is not None:
        walls = {"A": "bubblewrap", "B": "Landlock and seccomp"}[tier]
        passed_over = f" (not {'; '.join(reasons)})" if reasons else ""
        return Finding("ok", "sandbox", f"tier {tier}, {walls}: its self-test holds{passed_over}")
    text = f"none holds ({'; '.join(reasons)})"
    if needs:
        return Finding("error", "sandbox", f"{text}, and {' and '.join(needs)}", REMEDY)
    return Finding("warning", "sandbox", f"{text}: reports will have no pass@1", REMEDY)
