"""Checks of what is elsewhere: the teacher's servers, the server that answers, the base model at the hub."""

import asyncio
import difflib
import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from autotrain.config import EMBEDDED_MODEL, OFFLINE_TEACHERS, Settings, split_list
from autotrain.errors import AutotrainError
from autotrain.generate.prices import OPENAI_URL
from autotrain.run.doctor.finding import Finding
from autotrain.train.models import cache_folder, require_base

TIMEOUT = 5.0
MODELS_NAMED = 5


# ---------------------------------------------------------------------------------------------------
# Servers


@dataclass(frozen=True)
class Listing:
    """What a server says at /models: a status (none: nobody answered) with its words, and names where it gave them."""

    address: str
    status: int | None
    words: str = ""
    models: tuple[str, ...] | None = None


async def _ask(url: str, key: str) -> Listing:
    """Ask for the models, which costs nothing. The key is in nothing that is returned."""
    import httpx2
    from openai import APIConnectionError, APIStatusError, APITimeoutError, AsyncOpenAI

    from autotrain.generate.protocol import shown_address, words_of

    address = shown_address(url)
    async with AsyncOpenAI(api_key=key or "none", base_url=url, timeout=TIMEOUT, max_retries=0) as client:
        try:
            response = await asyncio.wait_for(client.get("/models", cast_to=httpx2.Response), TIMEOUT)
        except (asyncio.TimeoutError, APITimeoutError):
            return Listing(address, None, f"nothing in {TIMEOUT:g} s")
        except APIStatusError as error:
            # Some servers repeat the key that they refuse.
            words = words_of(error)
            return Listing(address, error.status_code, words.replace(key, "***") if key else words)
        except APIConnectionError as error:
            return Listing(address, None, str(error.__cause__ or error.message))
    return Listing(address, response.status_code, models=_names_in(response.text))


def _names_in(body: str) -> tuple[str, ...] | None:
    try:
        return tuple(str(one["id"]) for one in json.loads(body)["data"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


async def _ask_all(urls: Sequence[str], key: str) -> list[Listing]:
    return list(await asyncio.gather(*(_ask(url, key) for url in urls)))


def check_teacher(settings: Settings, key: str) -> list[Finding]:
    """Whether each of the teacher's servers answers, takes the key and has the model."""
    if settings.teacher_model in OFFLINE_TEACHERS:
        return [Finding("ok", "teacher", f"{settings.teacher_model}: there is nothing to reach")]
    urls = split_list(settings.teacher_base_url)
    key = key.strip()
    if not (key.isascii() and key.isprintable()) or not (urls or key):
        return [Finding("warning", "teacher", "not asked", "see key")]
    listings = asyncio.run(_ask_all(urls or [OPENAI_URL], key))
    return [_of_teacher(listing, settings.teacher_model, bool(key)) for listing in listings]


def _of_teacher(listing: Listing, model: str, has_key: bool) -> Finding:
    address, status = listing.address, listing.status
    if status is None:
        remedy = "start it, or check TEACHER_BASE_URL and the network"
        return Finding("error", "teacher", f"no server answers at {address}: {listing.words}", remedy)
    # OpenAI's keys can be limited to completions.
    if status in (401, 403) and "scope" not in listing.words:
        if not has_key:
            return Finding("error", "teacher", f"{address} wants a key ({listing.words})", "export OPENAI_API_KEY=...")
        text = f"the key is refused by {address} ({listing.words})"
        return Finding("error", "teacher", text, "check OPENAI_API_KEY and TEACHER_BASE_URL")
    if status == 404:
        text = f"{address} has no /models, so it was not checked further"
        return Finding("warning", "teacher", text, "TEACHER_BASE_URL mostly ends in /v1")
    if status != 200:
        return Finding("warning", "teacher", f"{address} lists no models ({listing.words}), so it was not checked")
    if listing.models is None:
        text = f"{address} answers with something else than a list of models"
        return Finding("warning", "teacher", text, "check TEACHER_BASE_URL, which mostly ends in /v1")
    # Ollama takes a name without its tag for the one of the tag latest.
    if model in listing.models or f"{model}:latest" in listing.models:
        return Finding("ok", "teacher", f"{address} has {model}")
    text = f"{address} does not list {model}, but {_some(listing.models, model)}"
    return Finding("warning", "teacher", text, "check TEACHER_MODEL")


def _some(names: Sequence[str], like: str) -> str:
    """A few of the names, those first that look like one."""
    near = difflib.get_close_matches(like, names, n=MODELS_NAMED, cutoff=0.5)
    first = list(dict.fromkeys([*near, *names]))[:MODELS_NAMED]
    more = len(set(names)) - len(first)
    return (", ".join(first) or "nothing") + (f" and {more} more" if more > 0 else "")


def check_engine(settings: Settings) -> Finding:
    """Whether what EVAL_ENGINE names is there."""
    name = settings.eval_engine
    if name == "transformers":
        return Finding("ok", "engine", "transformers, in the evaluation's own process")
    if name == "vllm":
        if find_spec("vllm") is None:
            return Finding("error", "engine", "EVAL_ENGINE = vllm is not installed", "pip install -e '.[vllm]'")
        return Finding("ok", "engine", "vllm, installed")
    # The teacher's key is for nobody else.
    (listing,) = asyncio.run(_ask_all([name], ""))
    address, models = listing.address, listing.models
    if listing.status is None:
        text = f"no server answers at {address}: {listing.words}"
        return Finding("error", "engine", text, "start it, or check EVAL_ENGINE")
    if models is None:
        text = f"{address} gives no list of models ({listing.words or 'no such JSON'})"
        return Finding("error", "engine", text, "check EVAL_ENGINE, which mostly ends in /v1")
    if settings.base_model in models or len(models) == 1:
        return Finding("ok", "engine", f"{address} has {settings.base_model if len(models) > 1 else models[0]}")
    text = f"{address} has {_some(models, settings.base_model)}, not BASE_MODEL = {settings.base_model}"
    return Finding("error", "engine", text, "start it with that one")


# ---------------------------------------------------------------------------------------------------
# The base model


def check_base(settings: Settings) -> Finding:
    """Whether BASE_MODEL is on this machine, or can be fetched."""
    name = settings.base_model
    try:
        if name == EMBEDDED_MODEL:
            require_base(name)
            is_ready = any(cache_folder().glob("SmolLM2-135M-Instruct-*/config.json"))
            return Finding("ok", "base model", f"{name}, {'ready' if is_ready else 'made ready once, in a minute'}")
        if Path(name).is_dir():
            require_base(name)
            if not has_weights(Path(name)):
                return Finding("error", "base model", f"{name} has no weights", "name a folder with a saved model")
            return Finding("ok", "base model", f"{name}, a folder with weights")
        if (cached := _cached(name)) is not None:
            return Finding("ok", "base model", f"{name}, in the cache of the hub at {cached.name[:12]}")
        if not _is_hub_there(name):
            text = f"{name} is not on this machine, and the hub cannot be reached (or HF_HUB_OFFLINE is set)"
            return Finding("error", "base model", text, f"or take --base-model {EMBEDDED_MODEL}, which is here")
        require_base(name)
    except AutotrainError as error:
        return Finding("error", "base model", str(error))
    return Finding("ok", "base model", f"{name}, at the hub: its weights are fetched when training starts")


def has_weights(folder: Path) -> bool:
    """Whether a folder has a model's weights, all files of them."""
    for name in ("model.safetensors", "pytorch_model.bin"):
        if (folder / name).is_file():
            return True
        try:
            index = json.loads((folder / f"{name}.index.json").read_text(encoding="utf-8"))
            return all((folder / part).is_file() for part in index["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return False


def _cached(name: str) -> Path | None:
    """Where the hub's cache has a whole model, if it does."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    with suppress(HFValidationError):
        config = try_to_load_from_cache(name, "config.json")
        if isinstance(config, str) and has_weights(Path(config).parent):
            return Path(config).parent
    return None


def _is_hub_there(name: str) -> bool:
    """Whether the hub says anything about a model; asked once, where a download would try for half a minute."""
    import httpx2
    from huggingface_hub import get_hf_file_metadata, hf_hub_url
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, OfflineModeIsEnabled

    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"), timeout=TIMEOUT)
    except (httpx2.TransportError, OfflineModeIsEnabled):
        return False
    except (HfHubHTTPError, HFValidationError):
        # What is wrong with the name is said by who asks for the file.
        pass
    return True
