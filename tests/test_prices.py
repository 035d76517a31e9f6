"""Prices: where they come from, what they make of tokens, and that none is ever guessed."""

from datetime import date
from pathlib import Path

import pytest

from autotrain.config import Settings
from autotrain.errors import SettingsError
from autotrain.generate.prices import OPENAI_URL, Price, find_price, load_prices, prices_for

OWN = """\
- server: api.openai.com
  as_of: 2026-11-01
  models:
    gpt-4o-mini: {input: 1, output: 2}
- server: 127.0.0.1:8000
  as_of: 2026-11-01
  models:
    my-model: {input: 0, output: 0}
"""


def test_ours_are_dated_and_positive() -> None:
    lists = load_prices()
    assert all(date(2026, 1, 1) < prices.as_of and prices.source.startswith("https://") for prices in lists)
    assert find_price("gpt-4o-mini", OPENAI_URL, lists) == Price(input=0.15, output=0.60, cached_input=0.075)
    for prices in lists:
        for price in prices.models.values():
            assert 0 < (price.cached_input or 0) < price.input < price.output


def test_a_price_is_of_a_model_at_a_server() -> None:
    lists = load_prices()
    assert find_price("gpt-4o-mini", "http://127.0.0.1:8000/v1", lists) is None
    assert find_price("nonesuch", OPENAI_URL, lists) is None
    assert find_price("gpt-4o-mini-2024-07-18", OPENAI_URL, lists) is None, "nearly the same name is another"


def test_a_users_prices_come_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(OWN)
    lists = load_prices(path)
    assert find_price("gpt-4o-mini", "https://user:secret@API.openai.com/v1", lists) == Price(input=1, output=2)
    assert find_price("gpt-4o", OPENAI_URL, lists) is not None, "ours are still there"
    free = find_price("my-model", "http://127.0.0.1:8000/v1", lists)
    assert free is not None
    assert free.cost(1_000_000, 1_000_000) == 0


def test_what_a_request_costs() -> None:
    price = Price(input=2.0, output=8.0, cached_input=0.5)
    assert price.cost(1_000_000, 500_000) == 6.0
    assert price.cost(1_000_000, 500_000, cached_tokens=400_000) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 4)
    assert Price(input=2.0, output=8.0).cost(1_000_000, 0, cached_tokens=400_000) == 2.0


@pytest.mark.parametrize(
    "content",
    ["- server: x\n  as_of: soon\n  models: {}\n", "{", "server: x\n", OWN.replace("input: 1", "input: -1"),
     OWN.replace("input: 1", "inptu: 1"), "\x00"],
)  # fmt: skip
def test_a_file_that_is_none_is_told_by_its_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(content)
    with pytest.raises(SettingsError, match=f"TEACHER_PRICES = {path}"):
        load_prices(path)


def test_a_bound_in_dollars_needs_a_price_of_every_server(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text(OWN)
    servers = "http://127.0.0.1:8000/v1, http://127.0.0.1:8001/v1"
    prices_for(Settings(max_cost_usd=1.0))
    prices_for(Settings(max_cost_usd=1.0, teacher_model="builtin"))
    prices_for(Settings(teacher_model="my-model", teacher_base_url=servers))
    with pytest.raises(SettingsError, match=r"MAX_COST_USD = 1: the price of my-model at 127\.0\.0\.1:8001"):
        prices_for(
            Settings(max_cost_usd=1.0, teacher_model="my-model", teacher_base_url=servers, teacher_prices=str(path))
        )
