"""What tokens cost, where somebody wrote it down."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError

from autotrain.config import OFFLINE_TEACHERS, Settings, split_list
from autotrain.errors import SettingsError
from autotrain.redact import plain
from autotrain.yaml_file import read_yaml

OPENAI_URL = "https://api.openai.com/v1"

# A server's list, its models, the prices of each; thousands of them.
YAML_KIB, YAML_DEPTH = 512, 4


def _no_truth(value: Any) -> Any:
    """YAML's `input: true` would be read as a dollar."""
    if isinstance(value, bool):
        raise ValueError("a price is a number")
    return value


Dollars = Annotated[float, BeforeValidator(_no_truth), Field(ge=0, le=1_000_000)]


class Price(BaseModel):
    """US dollars per million tokens; cached input costs as much as other input where nothing else is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: Dollars
    output: Dollars
    cached_input: Dollars | None = None

    def cost(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0) -> float:
        """US dollars for a request; `cached_tokens` are among the input tokens."""
        cached = self.input if self.cached_input is None else self.cached_input
        fresh = input_tokens - cached_tokens
        return (fresh * self.input + cached_tokens * cached + output_tokens * self.output) / 1e6


class PriceList(BaseModel):
    """What the models of one server cost, as of a day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    server: str
    as_of: date
    source: str = ""
    models: dict[str, Price]


def find_price(model: str, url: str, lists: Sequence[PriceList]) -> Price | None:
    """The price of a model at a server, from the first list that has it."""
    served = (prices.models for prices in lists if prices.server.lower() == server_of(url))
    return next((models[model] for models in served if model in models), None)


def load_prices(extra: Path | None = None) -> list[PriceList]:
    """The prices of the file `extra`, then ours. Raises SettingsError naming what is wrong with the file."""
    ours = _read(Path(__file__).with_name("prices.yaml"))
    if extra is None:
        return ours
    try:
        return _read(extra) + ours
    except ValidationError as error:
        first = error.errors()[0]
        place = plain(".".join(str(part) for part in first["loc"]), 200)
        raise SettingsError(
            f"TEACHER_PRICES = {extra}: {place or 'the file'}: {first['msg']}; it is a list of servers with "
            "server, as_of and models, as in autotrain/generate/prices.yaml"
        ) from None
    except (OSError, ValueError) as error:
        raise SettingsError(f"TEACHER_PRICES = {extra}: cannot be read: {plain(str(error), 500)}") from None


def prices_for(settings: Settings) -> list[PriceList]:
    """The prices that a run knows, its own first.

    Raises SettingsError if they cannot be read, or if the cost is bounded and not known for every server.
    """
    lists = load_prices(Path(settings.teacher_prices) if settings.teacher_prices else None)
    if settings.max_cost_usd is None or settings.teacher_model in OFFLINE_TEACHERS:
        return lists
    for url in split_list(settings.teacher_base_url) or [OPENAI_URL]:
        if find_price(settings.teacher_model, url, lists) is None:
            raise SettingsError(
                f"MAX_COST_USD = {settings.max_cost_usd:g}: the price of {settings.teacher_model} at "
                f"{server_of(url)} is not known; name a file with it in TEACHER_PRICES (its form is that of "
                "autotrain/generate/prices.yaml), or bound the run by MAX_TOKENS"
            )
    return lists


def server_of(url: str) -> str:
    """Host and port of an address, without a name or password that may be in it."""
    return urlsplit(url).netloc.rpartition("@")[2].lower()


def _read(path: Path) -> list[PriceList]:
    return TypeAdapter(list[PriceList]).validate_python(read_yaml(path, YAML_KIB, YAML_DEPTH) or [])
