"""The settings: one schema that flags, environment, files, help and README all come from."""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from autotrain.errors import SettingsError
from autotrain.redact import glimpse, plain

EMBEDDED_MODEL = "embedded:SmolLM2-135M-Instruct"
BUILTIN_TEACHER = "builtin"
SELF_TEACHER = "self"
# Settings that a resumed run may be given anew, by flag: how much is asked for, how fast, for how much, from where,
# and what is kept of it.
CHANGEABLE = (
    "samples_per_round", "max_cost_usd", "max_tokens", "teacher_concurrency", "teacher_timeout", "teacher_max_retries",
    "teacher_base_url", "teacher_prices", "checkpoint_minutes", "checkpoints_kept", "keep_rounds",
)  # fmt: skip
# Teachers whose tasks are composed here: no server, no key.
OFFLINE_TEACHERS = (BUILTIN_TEACHER, SELF_TEACHER)

# Sized so that two CPU cores finish in minutes: few concepts, which come back often enough to be learned.
_WITHOUT_A_GPU: dict[str, Any] = {
    "base_model": EMBEDDED_MODEL,
    "teacher_model": BUILTIN_TEACHER,
    "concepts": "list_numbers, word_list, characters, dict_values, pair_scores, "
    "sum, count, collect, maximum, minimum, any, every, first, mapping, average",
    "task_types": "algorithm_implementation=35, code_completion=20, bug_fixing=20, refactoring=12, "
    "code_review=8, code_explanation=5",
    "device": "cpu",
    "seq_len": 384,
    "batch_size": 4,
    "grad_accum": 1,
    "lora_r": 16,
    "lr": 1.5e-3,
    "early_stop": 0,
    "replay_ratio": 0.25,
    "run_unit_tests": True,
    "eval_batch_size": 32,
    "eval_max_new_tokens": 192,
}

PRESETS: dict[str, dict[str, Any]] = {
    "2080ti": {},
    "3060": {"seq_len": 1024, "grad_accum": 16, "lora_r": 32},
    "3090": {"seq_len": 4096, "batch_size": 2, "grad_accum": 4, "lora_r": 128},
    "4090": {"seq_len": 4096, "batch_size": 2, "grad_accum": 4, "lora_r": 128},
    "cpu": {
        **_WITHOUT_A_GPU,
        "rounds": 2,
        "samples_per_round": 280,
        "val_ratio": 0.17,
        "train_steps": 60,
    },
    "smoke": {
        **_WITHOUT_A_GPU,
        "rounds": 1,
        "samples_per_round": 60,
        "val_ratio": 0.2,
        "train_steps": 8,
    },
}


# Of problems; a file that has more of them holds no settings.
MOST_LISTED = 100
# The memory of the cards that presets are named after, in GB; cpu and smoke need none.
CARD_GB = {"2080ti": 11, "3060": 6, "3090": 24, "4090": 24}


# Zeroes, and halves of surrogate pairs.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")


def _whole_number(value: Any) -> Any:
    """Literals do not read numbers from text, and the environment only holds text."""
    return int(value) if isinstance(value, str) and value.isascii() and value.strip().isdecimal() else value


def _text(value: Any) -> Any:
    """YAML reads a bare 3090 as a number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _folder(value: Any) -> Any:
    """Files do not expand ~, and an empty text would mean the current folder."""
    if isinstance(value, str | Path) and str(value):
        return Path(os.path.expanduser(value))
    raise ValueError("not a folder")


def _setting(default: Any, help: str, *, flag: str | None = None, **limits: Any) -> Any:
    if isinstance(default, float):
        limits["allow_inf_nan"] = False
    return Field(default, description=help, json_schema_extra={"flag": flag} if flag else None, **limits)


class Settings(BaseSettings):
    """Everything a run can be told. Field `rounds` is ROUNDS in the environment and --rounds as a flag."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    rounds: int = _setting(3, "rounds of generate, train and evaluate", ge=1, le=1000)
    samples_per_round: int = _setting(
        50, "samples asked of the teacher each round", flag="--samples", ge=1, le=1_000_000
    )
    base_model: str = _setting(
        "microsoft/phi-2", f"model to improve: hub name, folder, or {EMBEDDED_MODEL}", min_length=1
    )
    teacher_model: str = _setting(
        "gpt-4o-mini",
        "model that writes the samples, or builtin; self: builtin's tasks, but the student learns from its own answers",
        flag="--teacher",
        min_length=1,
    )
    val_ratio: float = _setting(0.1, "share of samples held out for evaluation", gt=0, lt=1)
    out_dir: Annotated[Path, BeforeValidator(_folder)] = _setting(
        Path("./autotrain"), "folder for runs, data and adapters"
    )
    seq_len: int = _setting(2048, "longest sample in tokens", ge=64, le=131072)
    seed: int = _setting(42, "seed of everything random", ge=0, le=2**32 - 1)
    batch_size: int = _setting(1, "samples a training micro-batch", ge=1, le=4096)
    grad_accum: int = _setting(8, "micro-batches an optimizer step", ge=1, le=4096)
    train_steps: int = _setting(500, "most optimizer steps a round", ge=1, le=10_000_000)
    max_epochs: float = _setting(3.0, "most passes over a round's data; also bounds the steps", gt=0, le=1000)
    lora_r: int = _setting(64, "rank of the adapter", ge=1, le=1024)
    lr: float = _setting(2e-4, "peak learning rate", gt=0, le=1)
    quantization_bits: Annotated[Literal[4, 8, 16], BeforeValidator(_whole_number)] = _setting(
        4, "base weights while training: 4 (NF4), 8 or 16 bits"
    )
    run_unit_tests: bool = _setting(
        False, "run the samples' code and tests in the gate; off: check syntax only", flag="--run-tests"
    )
    preset: Annotated[
        Literal["2080ti", "3060", "3090", "4090", "cpu", "smoke", "auto"] | None, BeforeValidator(_text)
    ] = _setting(None, "settings for a card, or for no card at all; auto: by what is found")

    teacher_base_url: str = _setting(
        "", "OpenAI-compatible server, such as http://127.0.0.1:8000/v1, or several, comma-separated"
    )
    teacher_concurrency: int = _setting(
        8, "most requests at once at each teacher server; fewer after rate limits and timeouts", ge=1, le=1024
    )
    teacher_timeout: float = _setting(120.0, "seconds a request to the teacher may take", gt=0, le=3600)
    teacher_max_tokens: int = _setting(4096, "most tokens a reply of the teacher", ge=64, le=1_000_000)
    teacher_max_retries: int = _setting(4, "retries of a request that can succeed on retry", ge=0, le=100)
    teacher_prices: str = _setting("", "YAML file with prices of your own, as autotrain/generate/prices.yaml")
    max_cost_usd: float | None = _setting(
        None, "most US dollars a run may cost; needs a known price", gt=0, le=1_000_000, allow_inf_nan=False
    )
    max_tokens: int | None = _setting(None, "most teacher tokens a run may use, in and out", ge=1, le=10**12)
    samples_per_request: int = _setting(4, "samples asked for in one request", ge=1, le=50)
    openai_api_key: SecretStr = _setting(SecretStr(""), "key of the teacher's server (environment or .env only)")

    concepts: str = _setting("", "programming concepts to write tasks about, comma-separated; none: all known")
    task_types: str = _setting("", "task types and their shares, such as bug_fixing=2,refactoring=1; none: all")
    max_sample_chars: int = _setting(20_000, "longest sample in characters", ge=100, le=10_000_000)
    drop_pii: bool = _setting(True, "drop samples with e-mail addresses, card numbers or bank accounts")
    near_duplicate: float = _setting(
        0.7, "share of their words, or code, in common from which samples are duplicates", gt=0, le=1
    )
    decontaminate: str = _setting(
        "human-eval", "benchmarks no sample may share a problem with: human-eval, files, comma-separated; none: no one"
    )
    against: str = _setting("", "folders of earlier runs whose samples are not to be repeated, comma-separated")
    test_timeout: float = _setting(5.0, "seconds of processor time a sample's code and tests may take", gt=0, le=600)
    test_memory_mb: int = _setting(512, "memory a sample's code and tests may take, in MiB", ge=64, le=65536)
    min_test_strength: float = _setting(
        0.5, "least share of small planted bugs that a sample's tests have to find, when they are run", ge=0, le=1
    )
    early_stop: int = _setting(
        3, "looks at the validation loss without a better one after which training ends; 0: it never does", ge=0, le=100
    )
    processes: int = _setting(1, "processes that train together, a card each", ge=1, le=4096)
    accelerate_config: str = _setting("", "accelerate's own config file for training: FSDP, DeepSpeed, several nodes")
    checkpoint_minutes: float = _setting(10.0, "most minutes between two checkpoints of a training", gt=0, le=1440)
    checkpoints_kept: int = _setting(2, "checkpoints kept while training", ge=1, le=100)
    keep_rounds: int = _setting(
        0, "rounds whose intermediate files and adapters are kept, beside the best ones; 0: all", ge=0, le=1000
    )
    replay_ratio: float = _setting(
        0.5, "samples of earlier rounds mixed into a round's training, per new sample", ge=0, le=10
    )
    eval_execute: Annotated[Literal["auto", "0", "1"], BeforeValidator(_text)] = _setting(
        "auto", "run answers when evaluating: auto (where the sandbox passes its self-test), 0 or 1"
    )
    eval_engine: str = _setting(
        "transformers",
        "where models answer: transformers, vllm, or the address of a server such as vLLM's",
        min_length=1,
    )
    eval_batch_size: int = _setting(16, "answers decoded at once", ge=1, le=1024)
    eval_max_new_tokens: int = _setting(512, "longest answer in tokens", ge=16, le=32768)
    eval_samples: int = _setting(
        0, "answers drawn at random for each item, for pass@k, beside the likeliest one", ge=0, le=1000
    )
    eval_temperature: float = _setting(0.8, "temperature of answers drawn at random", gt=0, le=10)
    benchmarks: str = _setting(
        "", "also measured on: humaneval, humaneval:40 (so many, drawn by SEED), files like it or MBPP, comma-separated"
    )
    promotion: Literal["higher", "significant"] = _setting(
        "higher", "what makes an adapter the best: a higher score, or one that chance hardly explains"
    )
    focus: bool = _setting(True, "ask more of what the model failed at in the round before")
    self_ratio: float = _setting(
        0.0, "share of a round's tasks that the student answers too; what it gets right is trained on", ge=0, le=1
    )
    self_attempts: int = _setting(4, "answers of the student to each such task", ge=1, le=100)
    device: Literal["auto", "cpu", "cuda"] = _setting("auto", "where to train and evaluate")
    trust_remote_code: bool = _setting(False, "run code that comes with the base model")

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """YAML's `ROUNDS: true` would be read as 1. A text with zeroes in it was left by a power cut."""
        kind = cls.model_fields[str(info.field_name)].annotation
        # Folders may have names that are no text.
        if isinstance(value, str) and (_NO_TEXT.search(value) if kind is str else "\0" in value):
            raise ValueError("no text")
        if isinstance(value, bool) and kind is not bool:
            raise ValueError("neither true nor false")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `resolve` merged: it reads the sources itself to remember where each value came from."""
        return (init_settings,)

    def to_json(self) -> str:
        """The settings as config.json holds them: secrets left out."""
        return json.dumps(self.model_dump(mode="json", exclude={"openai_api_key"}), indent=2) + "\n"


def flag_of(name: str, field: FieldInfo) -> str:
    extra = field.json_schema_extra
    if isinstance(extra, dict) and "flag" in extra:
        return str(extra["flag"])
    return "--" + name.replace("_", "-")


def public_fields() -> dict[str, FieldInfo]:
    """The settings that have a flag and may stand in a file; the key is neither."""
    return {name: field for name, field in Settings.model_fields.items() if name != "openai_api_key"}


def load(path: Path) -> Settings:
    """Read a run's config.json. The key is never stored: `find_key` is for the one stage that needs it."""
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return Settings(**stored)
    except ValidationError as error:
        raise SettingsError(listed(explain(error, dict.fromkeys(stored, str(path))))) from None
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise SettingsError(f"{path} cannot be read ({error}); start a new run") from None


def fixed_digest(path: Path) -> str:
    """What tells whether the settings in a run's config.json, apart from CHANGEABLE ones, are those it began with."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    fixed = {name: value for name, value in stored.items() if name not in CHANGEABLE}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


def split_list(text: str) -> list[str]:
    """The parts of a comma-separated setting."""
    return [part for part in (word.strip() for word in text.split(",")) if part]


def is_address(text: str) -> bool:
    """Whether it is a server's address: http or https, a host, and a port that there can be."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def require_addresses(settings: Settings) -> None:
    """Raise SettingsError if one of the teacher's addresses is none."""
    for url in split_list(settings.teacher_base_url):
        if not is_address(url):
            # What stands before the @ may be a password.
            raise SettingsError(
                f"TEACHER_BASE_URL: {url.rpartition('@')[2]!r} is no address; it begins with http:// or https://, "
                "has a host, and a port if need be, and mostly ends with /v1"
            )


def require_teacher(settings: Settings, key: str) -> None:
    """Raise SettingsError if the teacher is a server and neither key nor address is known, or no address is one."""
    require_addresses(settings)
    if settings.teacher_model in OFFLINE_TEACHERS or settings.teacher_base_url or key:
        return
    raise SettingsError(
        f"the teacher {settings.teacher_model} needs a key or an address. Three ways out:\n"
        "  export OPENAI_API_KEY=...                          use the OpenAI API\n"
        "  export TEACHER_BASE_URL=http://127.0.0.1:8000/v1   use a local server (vLLM, Ollama, llama.cpp)\n"
        "  --teacher builtin                                  no server, key or network at all"
    )


@cache
def _schema() -> dict[str, Any]:
    return Settings.model_json_schema()


def allowed(name: str) -> str:
    """What a setting may be, in words, from its limits in the schema."""
    schema = _schema()["properties"][name]
    for part in [schema, *schema.get("anyOf", [])]:
        if "enum" in part:
            return " ".join(str(value) for value in part["enum"])
    schema = next(part for part in schema.get("anyOf", [schema]) if part.get("type") != "null")
    kind = {"integer": "a whole number", "number": "a number", "boolean": "0 or 1"}
    text = "a folder" if schema.get("format") == "path" else "text"
    if "minLength" in schema:
        text = "text that is not empty"
    words = kind.get(schema.get("type", ""), text)
    bounds = [
        f"{sign} {schema[key]:g}" if isinstance(schema[key], float) else f"{sign} {schema[key]}"
        for key, sign in (
            ("minimum", "at least"),
            ("exclusiveMinimum", "above"),
            ("maximum", "at most"),
            ("exclusiveMaximum", "below"),
        )
        if key in schema
    ]
    return f"{words} {' and '.join(bounds)}".strip()


def explain(error: ValidationError, origins: Mapping[str, str]) -> list[str]:
    problems = []
    for item in error.errors():
        name = str(item["loc"][0])
        if name not in Settings.model_fields:
            problems.append(f"{plain(name, 60)} ({origins.get(name)}): unknown setting")
            continue
        value = "(hidden)" if name == "openai_api_key" else glimpse(item["input"])
        problems.append(f"{name.upper()} = {value} ({origins.get(name, 'default')}): allowed is {allowed(name)}")
    return problems


def listed(problems: Sequence[str]) -> str:
    count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
    shown = [*problems[:MOST_LISTED], *(["…"] if len(problems) > MOST_LISTED else [])]
    return "\n".join([f"{count} with the settings; nothing was started", *(f"  {line}" for line in shown)])


def shown(default: Any) -> str:
    """A value as help texts and tables show it."""
    if default is None:
        return "none"
    if isinstance(default, bool):
        return str(int(default))
    if isinstance(default, float):
        return f"{default:g}"
    return str(default) or "none"


def settings_table() -> str:
    """README's table of all settings, in Markdown."""
    rows = [
        f"| `{name.upper()}` | `{flag_of(name, field)}` | {shown(field.default)} | {field.description} |"
        for name, field in public_fields().items()
    ]
    return "\n".join(["| environment | flag | default | what it is |", "|---|---|---|---|", *rows])


if __name__ == "__main__":
    print(settings_table())
