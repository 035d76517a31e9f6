"""How much of a card's memory training takes, part by part, from the model's config alone: nothing is run.

An estimate, made to err on the high side; docs/vram.md says what of it was measured.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.errors import AutotrainError
from autotrain.train.card import read_manifest

GIB = 2**30
# SmolLM2-135M's, whose weights come without a config.
EMBEDDED_CONFIG = {
    "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
    "num_key_value_heads": 3,
}  # fmt: skip

# Bytes a weight of a linear layer takes. NF4: 4 bits, one byte of scale for 64 weights and, as these are quantized
# again, a float for 256 of them (QLoRA, arXiv 2305.14314, section 3). 8 bits: LLM.int8 keeps a float a row.
WEIGHT_BYTES = {4: (4 + 8 / 64 + 32 / (64 * 256)) / 8, 8: 1.002, 16: 2.0}
# Adapter weights and their gradients are float32; the optimizer's two moments take a byte each, and scales.
ADAPTER_BYTES = 4 + 4
OPTIMIZER_BYTES = 2.02
# What the forward pass leaves for the backward one is in 16 bits; gradients of the same size come on top of it.
ACTIVATION_BYTES = 2 * 1.5
# TRL projects hidden states onto the vocabulary in tiles of so many tokens, of which it may hold three.
TILE_TOKENS = 4096
TILE_WORDS = 4096
# The driver's context, the libraries' kernels and workspaces; and what the allocator loses between its blocks.
CONTEXT_BYTES = 0.6 * GIB
FRAGMENTATION = 1.05

# Shares of a card up to which training fits well, and up to which it may.
FITS, TIGHT = 0.92, 1.0
Verdict = Literal["fits", "tight", "does not fit"]


@dataclass(frozen=True)
class Shape:
    """What of an architecture decides about memory; counts are of numbers, `rank_weights` for rank 1."""

    layers: int
    hidden: int
    linear: int
    other: int
    largest: int
    rank_weights: int
    layer_values: int
    """Numbers that a token leaves in one layer for the backward pass."""


@dataclass(frozen=True)
class Estimate:
    """Bytes by part."""

    weights: float
    adapter: float
    optimizer: float
    activations: float
    logits: float
    overhead: float

    @property
    def total(self) -> float:
        return self.weights + self.adapter + self.optimizer + self.activations + self.logits + self.overhead

    def verdict(self, card: float) -> Verdict:
        """Whether a card of so many bytes has room for it."""
        if self.total <= FITS * card:
            return "fits"
        return "tight" if self.total <= TIGHT * card else "does not fit"


def config_at_hand(name: str, trust_remote_code: bool = False) -> Any:
    """The config of a BASE_MODEL that is on this machine, or None."""
    from transformers import AutoConfig, LlamaConfig

    if name == EMBEDDED_MODEL:
        return LlamaConfig(vocab_size=49152, tie_word_embeddings=True, **EMBEDDED_CONFIG)
    try:
        return AutoConfig.from_pretrained(name, local_files_only=True, trust_remote_code=trust_remote_code)
    except Exception:  # a damaged file makes the library raise what it likes; loading the model tells
        return None


def shape_of(config: Any) -> Shape:
    """The shape of the architecture that a config describes; the model is laid out without memory for its weights."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        model: Any = AutoModelForCausalLM.from_config(config)
    head = model.get_output_embeddings()
    linear = [
        module.weight.shape
        for module in model.modules()
        if module is not head and (isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D")
    ]
    weights = sum(rows * columns for rows, columns in linear)
    text = config.get_text_config()
    layers, hidden = text.num_hidden_layers, text.hidden_size
    everything = sum({id(weight): weight.numel() for weight in model.parameters()}.values())
    # A linear layer leaves what comes in, for the adapter, and what goes out, mostly twice: for what follows, and as
    # the product or activation of it. Norms and residuals leave the hidden state several times.
    values = sum(2 * rows + columns for rows, columns in linear) // layers + 6 * hidden
    return Shape(
        layers,
        hidden,
        weights,
        everything - weights,
        max(rows * columns for rows, columns in linear),
        sum(rows + columns for rows, columns in linear),
        values,
    )


def estimate(shape: Shape, settings: Settings) -> Estimate:
    """The peak memory of training with these settings on a GPU."""
    tokens = settings.batch_size * settings.seq_len
    bits = settings.quantization_bits
    adapter = shape.rank_weights * settings.lora_r
    # Checkpointing keeps each layer's input, and one layer's insides at a time; the mask of packed samples is square.
    activations = tokens * (2 * shape.layers * shape.hidden + ACTIVATION_BYTES * shape.layer_values) + 3 * tokens**2
    # A quantized layer is unpacked to 16 bits while it computes.
    unpacked = 2 * 2 * shape.largest if bits < 16 else 0
    parts = {
        "weights": shape.linear * WEIGHT_BYTES[bits] + shape.other * 2,
        "adapter": float(adapter * ADAPTER_BYTES),
        "optimizer": adapter * OPTIMIZER_BYTES,
        "activations": activations + unpacked,
        "logits": 3 * 4.0 * min(tokens, TILE_TOKENS) * TILE_WORDS + 3 * 4.0 * tokens * shape.hidden,
    }
    return Estimate(**parts, overhead=CONTEXT_BYTES + (FRAGMENTATION - 1) * sum(parts.values()))


def remedies(shape: Shape, settings: Settings, card: float) -> dict[str, Any] | None:
    """The smallest changes of settings after which training fits the card; None where none that we know do.

    First what changes nothing that is learned, then the base's precision, then the adapter, last what is left out.
    """
    for changes in _changes(settings):
        if estimate(shape, settings.model_copy(update=changes)).verdict(card) == "fits":
            return changes
    return None


def _changes(settings: Settings) -> Iterator[dict[str, Any]]:
    changes: dict[str, Any] = {}
    batch = settings.batch_size
    while batch > 1:
        batch //= 2
        changes = {"batch_size": batch, "grad_accum": settings.grad_accum * settings.batch_size // batch}
        yield changes
    if settings.quantization_bits > 4:
        changes = {**changes, "quantization_bits": 4}
        yield changes
    rank, length = settings.lora_r, settings.seq_len
    while rank > 8 or length > 256:
        if rank > 8:
            rank //= 2
            yield {**changes, "lora_r": rank}
        if length > 256:
            length //= 2
            yield {**changes, "lora_r": rank, "seq_len": length}


def earlier_training(runs: Sequence[Path], base_model: str) -> tuple[float, float] | None:
    """Tokens a sample and tokens a second of the first training of this base model in the runs' folders, or None."""
    for root in runs:
        for path in sorted(root.glob("out_lora_round_*/final/manifest.json"), reverse=True):
            try:
                manifest = read_manifest(path.parent)
                training, used = manifest["training"], manifest["settings"]
                samples = training["steps"] * used["batch_size"] * used["grad_accum"]
                tokens, pace = float(training["tokens"]), float(training["tokens_per_second"])
                if manifest["base_model"] == base_model and samples > 0 and 0 < tokens < 1e18 and 0 < pace < 1e18:
                    return tokens / samples, pace
            except (AutotrainError, KeyError, TypeError, ValueError, OverflowError):
                continue
    return None
