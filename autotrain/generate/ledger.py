"""What was sent to the teacher and what came back, on disk before anything else is done with it.

One JSON object a line: a try that is about to be sent (with the most it may cost), a try that failed, a reply,
a server's way to be asked. All that is counted, spent and still owed follows from these lines alone.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autotrain.files import append_whole, write_surely
from autotrain.generate.plan import Request
from autotrain.generate.prompts import messages
from autotrain.jsonl import read_objects, to_line
from autotrain.run.state import timestamp


@dataclass(frozen=True)
class Amount:
    """Tokens, and US dollars where they are known."""

    tokens: int = 0
    usd: float = 0.0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.usd + other.usd)

    def __sub__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens - other.tokens, self.usd - other.usd)


# What counts against a bound is never less than nothing, nor beyond all measure.
Tokens = Annotated[int, Field(ge=0, lt=10**12)]
Dollars = Annotated[float, Field(ge=0, lt=10**12)]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Sent(_Line):
    """A try goes out; it may cost `worst_tokens` and `worst_usd`, the latter None without a price."""

    sent: str
    attempt: int
    at: str
    worst_tokens: Tokens
    worst_usd: Dollars | None = None


class Failed(_Line):
    """A try brought no reply. `billed`: the server may have done its work all the same."""

    failed: str
    why: str
    billed: bool
    at: str


class Reply(_Line):
    """What a server answered to one request. What it did not report is None."""

    request_hash: str
    request_index: int
    text: str
    finish_reason: str | None = None
    refusal: bool = False
    model: str
    input_tokens: Tokens | None = None
    cached_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cost_usd: Dollars | None = None
    created_at: str

    @field_validator("text")
    @classmethod
    def _whole_characters(cls, text: str) -> str:
        """A model's text can hold halves of surrogate pairs, which no file and no reader takes."""
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Manner(_Line):
    """How a server is asked: its response format (an index), and its name for the most tokens of a reply."""

    server: str
    form: int = Field(ge=0, le=2)
    limit: Literal["max_tokens", "max_completion_tokens"]


Line = Sent | Failed | Reply | Manner
_KINDS: dict[str, type[Line]] = {"sent": Sent, "failed": Failed, "request_hash": Reply, "server": Manner}


class Book:
    """What the lines of a ledger add up to."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.manners: dict[str, Manner] = {}
        self.usage: Counter[str] = Counter()
        self.cost: float | None = None
        self.committed = Amount()
        """Spent for certain, or perhaps: what a try may have cost counts until its reply says what it did."""
        self._open: dict[str, list[Amount]] = {}

    def add(self, line: Line) -> None:
        if isinstance(line, Sent):
            worst = Amount(line.worst_tokens, line.worst_usd or 0.0)
            self.usage["requests_sent"] += 1
            self.usage["retries"] += line.attempt > 1
            self.committed += worst
            self._open.setdefault(line.sent, []).append(worst)
        elif isinstance(line, Failed):
            self.usage["rate_limits_hit" if line.why == "rate_limited" else f"failed_{line.why}"] += 1
            worst = self._close(line.failed)
            if not line.billed:
                self.committed -= worst
        elif isinstance(line, Reply):
            self._add_reply(line)
        else:
            self.manners[line.server] = line

    def _add_reply(self, reply: Reply) -> None:
        worst = self._close(reply.request_hash)
        tokens = [number for number in (reply.input_tokens, reply.output_tokens) if number is not None]
        spent = Amount(
            sum(tokens) if len(tokens) == 2 else worst.tokens,
            worst.usd if reply.cost_usd is None else reply.cost_usd,
        )
        self.committed += spent - worst
        for name in ("input_tokens", "cached_tokens", "output_tokens"):
            if (number := getattr(reply, name)) is not None:
                self.usage[name] += number
        if reply.cost_usd is not None:
            self.cost = (self.cost or 0.0) + reply.cost_usd
        self.replies.setdefault(reply.request_hash, reply)

    def _close(self, name: str) -> Amount:
        worsts = self._open.get(name)
        return worsts.pop() if worsts else Amount()

    def totals(self) -> dict[str, int | float]:
        """Everything counted, by the names that state.json has for it; what nobody reported is absent."""
        totals: dict[str, int | float] = dict(self.usage)
        if self.cost is not None:
            totals["estimated_cost_usd"] = round(self.cost, 6)
        return totals


class Ledger:
    """The open ledger of one round: an append-only file and what it adds up to."""

    def __init__(self, path: Path, reserve: Path | None = None) -> None:
        """Open or create the file; what a killed writer left of an unfinished last line is cut off."""
        self._reserve = reserve
        self._stream = path.open("ab+", buffering=0)
        self._stream.seek(0)
        whole = self._stream.read().rfind(b"\n") + 1
        self._stream.truncate(whole)
        self.book = read_book([path])

    def append(self, line: Line) -> None:
        """Write a line, or nothing of it; from here on it survives a kill of this process.

        On a full disk a reply, which is paid for, takes the place of the reserve; then this raises all the same.
        """
        data = to_line(line.model_dump(exclude_none=True, exclude_defaults=True)).encode()
        reserve = self._reserve if isinstance(line, Reply) else None
        full = write_surely(lambda: append_whole(self._stream.fileno(), data), reserve)
        self.book.add(line)
        if full is not None:
            raise full

    def sync(self) -> None:
        """Return when what was appended survives a power cut as well. May be called from any thread."""
        os.fsync(self._stream.fileno())

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def read_book(paths: Iterable[Path]) -> Book:
    """What some ledgers add up to; a torn or foreign line is skipped."""
    book = Book()
    for path in paths:
        for value in read_objects(path):
            if (line := _read_line(value)) is not None:
                book.add(line)
    return book


def _read_line(value: dict[str, Any]) -> Line | None:
    for key, kind in _KINDS.items():
        if key in value:
            try:
                return kind.model_validate(value)
            except ValidationError:
                return None
    return None


def hash_request(request: Request, model: str, max_tokens: int) -> str:
    """Name a request by its place in the plan and what is asked, but not by the tasks it is not to repeat.

    So a reply keeps its place when an earlier one of the same cell comes later than it did before.
    """
    parts = [request.round_number, request.index, model, max_tokens, messages(request)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def sent(name: str, attempt: int, worst: Amount, has_price: bool) -> Sent:
    return Sent(
        sent=name,
        attempt=attempt,
        at=timestamp(),
        worst_tokens=worst.tokens,
        worst_usd=round(worst.usd, 8) if has_price else None,
    )


def failed(name: str, why: str, billed: bool) -> Failed:
    return Failed(failed=name, why=why, billed=billed, at=timestamp())
