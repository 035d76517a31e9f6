"""Where models answer: in this process with transformers, or at a server that speaks OpenAI's protocol (vLLM)."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autotrain.config import Settings, is_address
from autotrain.errors import AutotrainError, SettingsError
from autotrain.evaluate.decoding import Decoded, Request, decode
from autotrain.train.card import check_weights, read_manifest
from autotrain.train.models import base_version, load_base, pick_device, with_adapter
from autotrain.train.render import stop_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Model:
    """One of the models compared: the base, or the base with an adapter. `name` tells its weights from others."""

    role: str
    name: str
    adapter: Path | None = None


def base_as_model(role: str, base: str) -> Model:
    """The base model that `resolve_base` found."""
    return Model(role, f"base {base_version(base)}")


def adapter_as_model(role: str, folder: Path, base_model: str, digest: str) -> Model:
    """The adapter in `folder`, if it belongs to this base and to this way of rendering (`render_digest`).

    Raises AutotrainError if it does not, or if its weights are not those of its manifest.
    """
    manifest = read_manifest(folder)
    if manifest["base_model"] != base_model:
        raise AutotrainError(
            f"{folder} was trained on {manifest['base_model']}, not on BASE_MODEL = {base_model}; set --base-model"
        )
    if manifest["render_sha256"] != digest:
        raise AutotrainError(
            f"{folder} was trained with another chat template or tokenizer "
            f"({manifest['render_sha256'][:12]}, now {digest[:12]}); its figures would mean nothing. Train it again"
        )
    check_weights(folder, manifest)
    return Model(role, f"adapter {manifest['adapter_sha256']}", folder)


class Engine(Protocol):
    """Something that lets a model answer requests."""

    @property
    def precision(self) -> str:
        """What its answers depend on besides model, request and limit, in a word or two."""

    def answer(self, model: Model, requests: Sequence[Request]) -> Generator[list[Decoded], None, None]:
        """Answer all requests, in any order, some at a time."""


@dataclass(frozen=True)
class Local:
    """transformers in this process, one model at a time."""

    base: str
    tokenizer: "PreTrainedTokenizerBase"
    settings: Settings

    @property
    def precision(self) -> str:
        device = pick_device(self.settings)
        return device if device == "cpu" else f"{device} {self.settings.quantization_bits} bits"

    def answer(self, model: Model, requests: Sequence[Request]) -> Generator[list[Decoded], None, None]:
        loaded = load_for_answers(self.base, model.adapter, self.settings)
        settings = self.settings
        yield from decode(
            loaded, self.tokenizer, stop_ids(self.tokenizer), requests,
            settings.eval_max_new_tokens, settings.eval_batch_size, settings.eval_temperature,
        )  # fmt: skip


def load_for_answers(base: str, adapter: Path | None, settings: Settings) -> Any:
    """The base model, with the adapter if one is given, ready to answer.

    On a CPU the weights are float32 and the adapter is merged into them, which is how it runs
    fastest; on a GPU the base is quantized as in training, to fit where the training fitted.
    """
    device = pick_device(settings)
    bits = 16 if device == "cpu" else settings.quantization_bits
    model: Any = load_base(base, settings, device, bits)
    if adapter is not None:
        model = with_adapter(model, adapter)
        if bits == 16:
            model = model.merge_and_unload()
    return model.eval()


def engine_for(settings: Settings, base: str, tokenizer: "PreTrainedTokenizerBase") -> Engine:
    """The engine that EVAL_ENGINE names. Raises SettingsError if it is none."""
    name = settings.eval_engine
    if name == "transformers":
        return Local(base, tokenizer, settings)
    if name == "vllm":
        from autotrain.evaluate.vllm_engine import Vllm

        return Vllm(base, tokenizer, settings)
    require_engine(settings)
    from autotrain.evaluate.served import Server

    return Server(name, settings.base_model, tokenizer, settings)


def require_engine(settings: Settings) -> None:
    """Raise SettingsError if EVAL_ENGINE is neither an engine's name nor an address."""
    name = settings.eval_engine
    if name not in ("transformers", "vllm") and not is_address(name):
        raise SettingsError(
            f"EVAL_ENGINE = {name.rpartition('@')[2]}: allowed are transformers, vllm and addresses such as http://127.0.0.1:8000/v1"
        )
