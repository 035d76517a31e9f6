"""What OpenAI-compatible servers say: completions, refusals, and how long they want to be left alone."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

from openai import APIStatusError
from pydantic import BaseModel, ValidationError

from autotrain.generate.ledger import Manner, Reply, Tokens
from autotrain.generate.plan import Request
from autotrain.generate.prices import Price
from autotrain.generate.prompts import REPLY_SCHEMA
from autotrain.run.state import timestamp

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
# Client errors that every further request would meet too.
FINAL_STATUS = frozenset({401, 402, 403, 404})
AWAY_STATUS = frozenset({502, 503, 529})
PASSING_STATUS = frozenset({408, 409, 425})
# A moment beyond this is no time of a reply.
YEAR_2100 = 4_102_444_800


class _Message(BaseModel):
    content: str | list[Any] | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _Completion(BaseModel):
    choices: list[_Choice]
    model: str | None = None
    created: Any = None
    usage: Any = None


class _Details(BaseModel):
    cached_tokens: Tokens | None = None


class _Usage(BaseModel):
    prompt_tokens: Tokens | None = None
    completion_tokens: Tokens | None = None
    prompt_tokens_details: _Details | None = None


def read_completion(body: str, request: Request, name: str, model: str, price: Price | None) -> Reply | None:
    """The reply in a server's answer, None if it has no choices. Raises ValueError if it is no completion."""
    completion = _Completion.model_validate_json(body)
    if not completion.choices:
        return None
    choice = completion.choices[0]
    usage = _read_usage(completion.usage)
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None
    cost = None
    if price is not None and usage.prompt_tokens is not None and usage.completion_tokens is not None:
        cost = price.cost(usage.prompt_tokens, usage.completion_tokens, min(cached or 0, usage.prompt_tokens))
    return Reply(
        request_hash=name,
        request_index=request.index,
        text=_text_of(choice.message.content),
        finish_reason=choice.finish_reason,
        refusal=bool(choice.message.refusal) or choice.finish_reason == "content_filter",
        model=_name_of(completion.model or model),
        input_tokens=usage.prompt_tokens,
        cached_tokens=cached,
        output_tokens=usage.completion_tokens,
        cost_usd=None if cost is None else round(cost, 8),
        created_at=_moment(completion.created),
    )


def _read_usage(value: Any) -> _Usage:
    """What is no usage counts as not reported: the reply it came with is as good as any."""
    try:
        return _Usage.model_validate(value)
    except ValidationError:
        return _Usage()


def _text_of(content: str | list[Any] | None) -> str:
    """The text of a message; some servers send it in parts, with the thoughts among them."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(str(part.get("text") or "") for part in parts)
    return content or ""


def _name_of(model: str) -> str:
    """A model's name for the data set; servers that were started with a folder give its whole path."""
    return PurePath(model).name if PurePath(model).is_absolute() else model


def _moment(created: Any) -> str:
    """The server's own time of the reply, so that the same reply makes the same sample; ours if it has none."""
    known = isinstance(created, int | float) and 0 <= created < YEAR_2100
    return timestamp(created if known else None)


def shown_address(url: str) -> str:
    """A server's address without a name or password that may be in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def words_of(error: APIStatusError) -> str:
    """What the server said, after its status code."""
    body = error.body
    words = (body.get("message") or body.get("detail") or body) if isinstance(body, dict) else body or ""
    return f"{error.status_code} {words}"


def is_transient(error: APIStatusError) -> bool:
    """Whether the same request may well succeed a little later."""
    return error.status_code >= 500 or error.status_code in PASSING_STATUS


def is_away(error: APIStatusError) -> bool:
    """Whether a gateway says that nobody is behind it just now, or the server that it has no room."""
    return error.status_code in AWAY_STATUS


def is_final(error: APIStatusError, has_served: bool) -> bool:
    """Whether further requests are in vain too: a bad request says so only where none was ever a good one."""
    return error.code != "content_filter" and (error.status_code in FINAL_STATUS or not has_served)


def other_manner(manner: Manner, error: APIStatusError) -> Manner | None:
    """How else to ask a server that refused to be asked in this way; None where all was tried.

    The words for what a server does not know differ, so every bad request leads one step down the ladder.
    """
    if error.status_code not in (400, 422) or error.code == "content_filter":
        return None
    if "max_completion_tokens" in words_of(error) and manner.limit == "max_tokens":
        return manner.model_copy(update={"limit": "max_completion_tokens"})
    if manner.form + 1 < len(RESPONSE_FORMS):
        return manner.model_copy(update={"form": manner.form + 1})
    return None


def retry_after(error: APIStatusError) -> float | None:
    """Seconds that the server asked to wait, a number or a date (RFC 9110, section 10.2.3)."""
    headers = error.response.headers
    with suppress(ValueError):
        return max(0.0, float(headers.get("retry-after-ms", "")) / 1000)
    text = headers.get("retry-after", "")
    with suppress(ValueError):
        return max(0.0, float(text))
    with suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return None


def remedy_for(error: APIStatusError) -> str:
    """What a user can look at, or nothing."""
    if error.status_code in (401, 403):
        return "; check OPENAI_API_KEY"
    if error.status_code in (400, 404, 422):
        return "; check TEACHER_MODEL and TEACHER_BASE_URL"
    return ""
