"""What the teacher behind a server is told about its work, and how it reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autotrain.generate.prices import PriceList


@dataclass(frozen=True)
class TeacherSettings:
    """Where the teacher is and how it is asked. No `base_urls` mean the OpenAI API; times are seconds.

    `concurrency` is the most requests at once at each server, `max_usd` and `max_tokens_in_all` are bounds
    that nothing sent may break.
    """

    model: str
    base_urls: tuple[str, ...] = ()
    api_key: str = field(default="", repr=False)
    concurrency: int = 8
    timeout: float = 120.0
    samples_per_request: int = 4
    max_tokens: int = 4096
    max_retries: int = 4
    prices: tuple[PriceList, ...] = ()
    max_usd: float | None = None
    max_tokens_in_all: int | None = None


@dataclass(frozen=True)
class Report:
    """Where the work stands. Samples are this round's, `usage` is in total, by the names of state.json.

    `latencies` are the seconds that each of the last replies took, from its request to its last byte.
    """

    samples: int
    counters: Mapping[str, int]
    usage: Mapping[str, int | float]
    under_way: int = 0
    latencies: Sequence[float] = ()


class RequestFailed(Exception):
    """One request brought no reply, after all its retries. The message is safe to show.

    `unreachable` says that not even a connection came about.
    """

    def __init__(self, why: str, unreachable: bool = False) -> None:
        super().__init__(why)
        self.unreachable = unreachable


class BudgetReached(Exception):
    """A request was not sent because it could have broken a bound. The message names the bound."""
