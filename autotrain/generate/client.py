"""The connection to an OpenAI-compatible server. Importing this takes a second: do so when it is needed."""

import asyncio
import queue
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import httpx2
from openai import APIConnectionError, APIError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient
from pydantic import BaseModel, ValidationError

from autotrain.errors import Refused
from autotrain.generate.ledger import Ledger, Reply, hash_request
from autotrain.generate.prompts import REPLY_SCHEMA, Request
from autotrain.generate.teacher import Progress, RequestFailed, TeacherSettings
from autotrain.run.state import timestamp

OPENAI_URL = "https://api.openai.com/v1"
# Client errors that every further request would meet too, and those that say "not now". The rest, such as a
# bad request, speak of how we ask if they come first, and of one prompt if others were answered before.
FINAL_STATUS = frozenset({401, 402, 403, 404})
PASSING_STATUS = frozenset({408, 409, 425, 429})

# Ways to ask for JSON, best first; a server that refuses one is asked the next way from then on.
RESPONSE_FORMS: Sequence[Mapping[str, Any]] = (
    {
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "samples", "schema": REPLY_SCHEMA, "strict": True},
        }
    },
    {"response_format": {"type": "json_object"}},
    {},
)


class Client:
    """A connection in an event loop of its own thread.

    So the caller's thread is free to wait, pause or stop while replies arrive and are written down.
    """

    def __init__(self, settings: TeacherSettings, ledger: Ledger) -> None:
        self.address = shown_address(settings.base_url or OPENAI_URL)
        self._settings = settings
        self._key = settings.api_key.strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise Refused("the teacher's key holds characters that cannot be sent; check OPENAI_API_KEY")
        self._ledger = ledger
        self._form = 0
        self._has_served = False
        self._usage: queue.SimpleQueue[tuple[str, int]] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="teacher", daemon=True)
        self._client = AsyncOpenAI(
            # Local servers want no key, the library wants one.
            api_key=self._key or "none",
            base_url=settings.base_url or OPENAI_URL,
            max_retries=settings.max_retries,
            http_client=_CountingTransport(settings.timeout, self._usage),
        )

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

    def ask(self, request: Request) -> "Future[Reply]":
        """Send a request. Its reply is in the ledger by the time the future has it.

        The future raises RequestFailed, or Refused where every further request would fail like it.
        """
        return asyncio.run_coroutine_threadsafe(self._ask(request), self._loop)

    def take_usage(self) -> Progress | None:
        """What was sent and reported since the last call; None if nothing was."""
        counts: Counter[str] = Counter()
        while True:
            try:
                name, number = self._usage.get_nowait()
            except queue.Empty:
                return Progress(**counts) if counts else None
            counts[name] += number

    async def _ask(self, request: Request) -> Reply:
        try:
            body = await self._send(request)
        except APIStatusError as error:
            why = self._safe(f"{error.status_code} {_words(error)}")
            if _is_final(error, self._has_served):
                raise Refused(f"the teacher at {self.address} refuses: {why}{_remedy(error)}") from None
            raise RequestFailed(why) from None
        except APIConnectionError as error:
            why = self._safe(f"{error.message} {error.__cause__ or ''}")
            raise RequestFailed(why, isinstance(error.__cause__, httpx2.ConnectError)) from None
        except APIError as error:
            raise RequestFailed(self._safe(error.message)) from None
        try:
            reply = _read_completion(body, request, self._settings)
        except (ValidationError, IndexError):
            raise RequestFailed(f"not a chat completion but {self._safe(body)[:100]!r}") from None
        self._has_served = True
        self._ledger.append(reply)
        for name in ("input_tokens", "output_tokens"):
            if (tokens := getattr(reply, name)) is not None:
                self._usage.put((name, tokens))
        return reply

    async def _send(self, request: Request) -> str:
        """The body of the server's answer, asked for in the best response format that it takes."""
        while True:
            form = self._form
            try:
                raw = await self._client.chat.completions.with_raw_response.create(
                    model=self._settings.model,
                    messages=request.messages(),  # type: ignore[arg-type]
                    max_tokens=self._settings.max_tokens,
                    **RESPONSE_FORMS[form],
                )
                return raw.text
            except APIStatusError as error:
                if not _refuses_form(error) or form + 1 == len(RESPONSE_FORMS):
                    raise
                self._form = max(self._form, form + 1)

    async def _shut_down(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._client.close()

    def _safe(self, text: str) -> str:
        """A server's words in one line, without the key."""
        return " ".join((text.replace(self._key, "***") if self._key else text).split())[:300]


class _CountingTransport(DefaultAsyncHttpxClient):
    """Counts what really goes out, and bounds the whole of a try.

    The library's own timeout starts anew with every byte, so a trickling server would never end.
    """

    def __init__(self, timeout: float, counts: "queue.SimpleQueue[tuple[str, int]]") -> None:
        super().__init__(timeout=timeout)
        self._seconds = timeout
        self._counts = counts

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        self._counts.put(("requests_sent", 1))
        if request.headers.get("x-stainless-retry-count", "0") != "0":
            self._counts.put(("retries", 1))
        try:
            response = await asyncio.wait_for(super().send(request, **options), self._seconds)
        except asyncio.TimeoutError:
            raise httpx2.ReadTimeout(f"no whole answer in {self._seconds:g} s", request=request) from None
        if response.status_code == 429:
            self._counts.put(("rate_limits_hit", 1))
        return response


class _Message(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    model: str | None = None
    usage: _Usage | None = None


def _read_completion(body: str, request: Request, settings: TeacherSettings) -> Reply:
    completion = _Completion.model_validate_json(body)
    choice = completion.choices[0]
    usage = completion.usage or _Usage()
    return Reply(
        request_hash=hash_request(request, settings.model, settings.max_tokens),
        request_index=request.index,
        text=choice.message.content or "",
        finish_reason=choice.finish_reason,
        model=completion.model or settings.model,
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        created_at=timestamp(),
    )


def shown_address(url: str) -> str:
    """A server's address without a name or password that may be in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _words(error: APIStatusError) -> str:
    if isinstance(error.body, dict):
        return str(error.body.get("message") or error.body)
    return str(error.body or "")


def _refuses_form(error: APIStatusError) -> bool:
    words = f"{error.param or ''} {_words(error)}".lower()
    return error.status_code in (400, 422) and any(
        name in words for name in ("response_format", "json_schema", "json_object")
    )


def _is_final(error: APIStatusError, has_served: bool) -> bool:
    """Whether further requests are in vain."""
    if error.code == "content_filter":
        return False
    if error.code == "insufficient_quota" or error.status_code in FINAL_STATUS:
        return True
    return not has_served and 400 <= error.status_code < 500 and error.status_code not in PASSING_STATUS


def _remedy(error: APIStatusError) -> str:
    if error.status_code in (401, 403):
        return "; check OPENAI_API_KEY"
    if error.status_code == 404:
        return "; check TEACHER_MODEL and TEACHER_BASE_URL"
    return ""
