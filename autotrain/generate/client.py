"""The connection to OpenAI-compatible servers. Importing this takes a second: do so when it is needed."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from types import TracebackType
from typing import Literal

import httpx2
from openai import APIConnectionError, APIError, APIStatusError, APITimeoutError, AsyncOpenAI
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from autotrain.errors import AutotrainError, Refused
from autotrain.generate.ledger import Amount, Ledger, Manner, Reply, failed, hash_request, sent
from autotrain.generate.pace import Pace
from autotrain.generate.plan import Request
from autotrain.generate.prices import OPENAI_URL, Price, find_price
from autotrain.generate.prompts import messages
from autotrain.generate.protocol import (
    RESPONSE_FORMS,
    is_away,
    is_final,
    is_transient,
    other_manner,
    read_completion,
    remedy_for,
    retry_after,
    shown_address,
    words_of,
)
from autotrain.generate.teacher import BudgetReached, RequestFailed, TeacherSettings

# Tokens beside those of the messages' own bytes: the schema; roles, separators, what a chat template adds.
FORM_BYTES = len(json.dumps(RESPONSE_FORMS[0]))
TEMPLATE_TOKENS = 200
BACKOFF_SECONDS, LONGEST_BACKOFF = 0.5, 30.0
UNREACHABLE_PAUSE = 5.0
# Of so many last replies it is kept how long they took.
LATENCIES_KEPT = 200
# A key this short is none: it may be any word of a reply.
LEAST_KEY = 16
# How long the servers may be away or say "too many requests" before the stage gives up, resumably.
PATIENCE_SECONDS = 3600.0

Why = Literal["server_error", "timeout", "unreachable", "connection", "malformed", "empty"]
# Failures after which the server may have done its work, and may charge for it.
BILLED: frozenset[Why] = frozenset({"timeout", "connection", "malformed", "empty"})


class _TryFailed(Exception):
    """A try failed in a way that another may not. `away`: there is no server there just now."""

    def __init__(self, why: Why, words: str, away: bool) -> None:
        super().__init__(words)
        self.why = why
        self.away = away


@dataclass
class _Server:
    """One server with its pace, its price and the manner in which it wants to be asked."""

    client: AsyncOpenAI
    pace: Pace
    price: Price | None
    manner: Manner
    has_served: bool

    @property
    def address(self) -> str:
        return self.manner.server


class Client:
    """Connections in an event loop of its own thread.

    So the caller's thread is free to wait, pause or stop while replies arrive and are written down.
    """

    def __init__(self, settings: TeacherSettings, ledger: Ledger, earlier: Amount) -> None:
        """`earlier` is what was spent before this ledger."""
        self._settings = settings
        self._key = settings.api_key.strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise Refused("the teacher's key holds characters that cannot be sent; check OPENAI_API_KEY")
        self._ledger = ledger
        self._earlier = earlier
        self._held = False
        self._changed = asyncio.Event()
        self._served_at = time.monotonic()
        # Replaced by every reply, never changed: the caller's thread reads it at any time.
        self.latencies: tuple[float, ...] = ()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="teacher", daemon=True)
        self._servers = [self._server(url) for url in settings.base_urls or (OPENAI_URL,)]
        self.address = ", ".join(server.address for server in self._servers)

    def _server(self, url: str) -> _Server:
        settings = self._settings
        address = shown_address(url)
        known = self._ledger.book.manners.get(address)
        return _Server(
            # The library wants a key where local servers want none.
            client=AsyncOpenAI(api_key=self._key or "none", base_url=url, timeout=settings.timeout, max_retries=0),
            pace=Pace(settings.concurrency),
            price=find_price(settings.model, url, settings.prices),
            manner=known or Manner(server=address, form=0, limit="max_tokens"),
            has_served=known is not None,
        )

    @property
    def most_at_once(self) -> int:
        return sum(server.pace.most for server in self._servers)

    @property
    def under_way(self) -> int:
        return sum(server.pace.under_way for server in self._servers)

    def __enter__(self) -> "Client":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def ask(self, request: Request, recent: Sequence[str]) -> "Future[Reply]":
        """Send a request. Its reply is in the ledger by the time the future has it.

        The future raises RequestFailed; BudgetReached if it could break a bound; Refused where every further
        request would fail like it, and AutotrainError where a server wants to be left alone for too long.
        """
        return asyncio.run_coroutine_threadsafe(self._ask(request, recent), self._loop)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is sent while the block runs."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._loop.call_soon_threadsafe(self._changed.set)

    async def _ask(self, request: Request, recent: Sequence[str]) -> Reply:
        tries = AsyncRetrying(
            stop=stop_after_attempt(self._settings.max_retries + 1),
            wait=wait_random_exponential(multiplier=BACKOFF_SECONDS, max=LONGEST_BACKOFF),
            retry=retry_if_exception_type(_TryFailed),
            reraise=True,
        )
        try:
            return await tries(self._answer, request, messages(request, recent), count(1))
        except _TryFailed as error:
            raise RequestFailed(str(error), error.why == "unreachable") from None

    async def _answer(self, request: Request, chat: list[dict[str, str]], attempts: Iterator[int]) -> Reply:
        """A reply, however often a server says "not now" or "not in this way": neither counts as a failure.

        Nor does it count that a server which has served is away: it will be back, or patience ends.
        """
        size = len(json.dumps(chat, ensure_ascii=False).encode())
        while True:
            server, worst = await self._turn(size)
            manner, sent_at = server.manner, time.monotonic()
            try:
                return await self._try(server, request, chat, next(attempts), worst)
            except APIStatusError as error:
                if error.status_code == 429:
                    self._slow_down(server, error, sent_at)
                else:
                    self._change_manner(server, manner, error)
            except _TryFailed as error:
                if not (error.away and server.has_served):
                    raise
                self._leave_alone(server, str(error), sent_at, None)
            finally:
                server.pace.end()
                self._changed.set()

    async def _turn(self, size: int) -> tuple[_Server, Amount]:
        """Wait until a request of `size` bytes may be sent; return who takes it and the most it can cost."""
        while True:
            now = time.monotonic()
            server = max(self._servers, key=lambda one: one.pace.free(now))
            if not self._held and server.pace.free(now) > 0:
                worst = self._worst(server, size)
                over = self._bound_broken_by(worst)
                if over is None:
                    server.pace.start()
                    return server, worst
                # What is under way may turn out cheaper than the worst case that is set aside for it.
                if self.under_way == 0:
                    raise BudgetReached(over)
            self._changed.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._changed.wait(), 0.1)

    def _worst(self, server: _Server, size: int) -> Amount:
        """The most a request can cost: no tokenizer makes more tokens of a text than it has bytes."""
        tokens = size + FORM_BYTES + TEMPLATE_TOKENS
        usd = server.price.cost(tokens, self._settings.max_tokens) if server.price else 0.0
        return Amount(tokens + self._settings.max_tokens, usd)

    def _bound_broken_by(self, worst: Amount) -> str | None:
        """The bound that a request could break, in words, or None."""
        settings = self._settings
        spent = self._earlier + self._ledger.book.committed
        if settings.max_usd is not None and spent.usd + worst.usd > settings.max_usd:
            bound, so_far, more = f"MAX_COST_USD = {settings.max_usd:g}", f"${spent.usd:.4f}", f"${worst.usd:.4f}"
        elif settings.max_tokens_in_all is not None and spent.tokens + worst.tokens > settings.max_tokens_in_all:
            bound, so_far, more = f"MAX_TOKENS = {settings.max_tokens_in_all}", f"{spent.tokens}", f"{worst.tokens}"
        else:
            return None
        return f"{bound}: up to {so_far} are spent, one more request may take {more}"

    async def _try(
        self, server: _Server, request: Request, chat: list[dict[str, str]], attempt: int, worst: Amount
    ) -> Reply:
        """Send once. Raises _TryFailed, or APIStatusError where the same request would fail again."""
        name = hash_request(request, self._settings.model, self._settings.max_tokens)
        self._ledger.append(sent(name, attempt, worst, server.price is not None))
        sent_at = time.monotonic()
        try:
            body = await asyncio.wait_for(self._send(server, chat), self._settings.timeout)
        except (asyncio.TimeoutError, APITimeoutError):
            server.pace.timed_out(sent_at, time.monotonic())
            raise self._failure(name, "timeout", f"no whole answer in {self._settings.timeout:g} s") from None
        except APIStatusError as error:
            if is_transient(error):
                server.pace.pause(time.monotonic() + min(retry_after(error) or 0.0, PATIENCE_SECONDS))
                raise self._failure(name, "server_error", words_of(error), is_away(error)) from None
            why = "rate_limited" if error.status_code == 429 else "bad_request"
            self._ledger.append(failed(name, why, billed=False))
            raise
        except APIConnectionError as error:
            words = f"{error.message} {error.__cause__ or ''}"
            if not isinstance(error.__cause__, httpx2.ConnectError):
                raise self._failure(name, "connection", words) from None
            if len(self._servers) > 1:
                server.pace.pause(time.monotonic() + UNREACHABLE_PAUSE)
            raise self._failure(name, "unreachable", words, away=True) from None
        except APIError as error:
            raise self._failure(name, "malformed", error.message) from None
        seconds = time.monotonic() - sent_at
        reply = await self._keep(server, request, name, body)
        self.latencies = (*self.latencies[1 - LATENCIES_KEPT :], seconds)
        return reply

    async def _send(self, server: _Server, chat: list[dict[str, str]]) -> str:
        body = {"model": self._settings.model, "messages": chat, server.manner.limit: self._settings.max_tokens}
        response = await server.client.post(
            "/chat/completions", cast_to=httpx2.Response, body={**body, **RESPONSE_FORMS[server.manner.form]}
        )
        # A server, or a model that was shown it, may say the key again: it is in no file of ours.
        return response.text.replace(self._key, "***") if len(self._key) >= LEAST_KEY else response.text

    async def _keep(self, server: _Server, request: Request, name: str, body: str) -> Reply:
        """Write the reply down, and how its server wants to be asked if that is new."""
        try:
            reply = read_completion(body, request, name, self._settings.model, server.price)
        except ValueError:
            raise self._failure(name, "malformed", f"not a chat completion but {body[:100]!r}") from None
        if reply is None:
            raise self._failure(name, "empty", "a completion without choices")
        server.pace.served()
        self._served_at = time.monotonic()
        if not server.has_served:
            server.has_served = True
            self._ledger.append(server.manner)
        self._ledger.append(reply)
        await self._loop.run_in_executor(None, self._ledger.sync)
        return reply

    def _failure(self, name: str, why: Why, words: str, away: bool = False) -> _TryFailed:
        self._ledger.append(failed(name, why, billed=why in BILLED))
        return _TryFailed(why, self._safe(words), away)

    def _slow_down(self, server: _Server, error: APIStatusError, sent_at: float) -> None:
        """Do as a server says that was asked too often; raise where waiting is in vain."""
        words = self._safe(words_of(error))
        if error.code == "insufficient_quota":
            raise Refused(f"the teacher at {server.address} refuses: {words}") from None
        self._leave_alone(server, words, sent_at, retry_after(error))

    def _leave_alone(self, server: _Server, words: str, sent_at: float, wait: float | None) -> None:
        """Send nothing to a server for a while; raise AutotrainError if none has served for too long."""
        now = time.monotonic()
        if now - self._served_at + (wait or 0.0) > PATIENCE_SECONDS:
            raise AutotrainError(
                f"the teacher at {server.address} does not serve for more than {PATIENCE_SECONDS / 60:.0f} minutes: "
                f"{words}; the replies so far are kept, --resume asks for the rest"
            ) from None
        server.pace.rate_limited(sent_at, now, wait)

    def _change_manner(self, server: _Server, used: Manner, error: APIStatusError) -> None:
        """Ask in another way from now on, or raise what a server's refusal comes to."""
        if server.manner != used and error.status_code in (400, 422):
            return  # another request was refused like this one, and changed it
        words = self._safe(words_of(error))
        if not server.has_served and (other := other_manner(used, error)) is not None:
            server.manner = other
        elif is_final(error, server.has_served):
            raise Refused(f"the teacher at {server.address} refuses: {words}{remedy_for(error)}") from None
        else:
            raise RequestFailed(words) from None

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        for server in self._servers:
            await server.client.close()

    def _safe(self, text: str) -> str:
        """A server's words in one line, without the key."""
        return " ".join((text.replace(self._key, "***") if self._key else text).split())[:300]
