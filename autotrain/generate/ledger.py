"""The teacher's replies on disk: each is safe there before anything else is done with it."""

import hashlib
import json
import os
from pathlib import Path
from types import TracebackType

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from autotrain.generate.prompts import Request
from autotrain.jsonl import read_objects, to_line


class Reply(BaseModel):
    """What a server answered to one request. What it did not report is None."""

    model_config = ConfigDict(frozen=True)

    request_hash: str
    request_index: int
    text: str
    finish_reason: str | None = None
    model: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    created_at: str

    @field_validator("text")
    @classmethod
    def _whole_characters(cls, text: str) -> str:
        """A model's text can hold halves of surrogate pairs, which no file and no reader takes."""
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def hash_request(request: Request, model: str, max_tokens: int) -> str:
    """Name a request by everything that its reply depends on."""
    parts = [request.round_number, request.index, model, max_tokens, request.messages()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


class Ledger:
    """The open ledger of one round: an append-only file, and its replies by request hash."""

    def __init__(self, path: Path) -> None:
        """Open or create the file; what a killed writer left of an unfinished last line is cut off."""
        self._stream = path.open("ab+")
        self._stream.seek(0)
        whole = self._stream.read().rfind(b"\n") + 1
        self._stream.truncate(whole)
        self.replies = read_replies(path)

    def append(self, reply: Reply) -> None:
        """Write a reply down; when this returns it survives a kill and a power cut."""
        self._stream.write(to_line(reply.model_dump(exclude_none=True)).encode())
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self.replies.setdefault(reply.request_hash, reply)

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()


def read_replies(path: Path) -> dict[str, Reply]:
    """The replies of a ledger by request hash, the first where there are two; foreign lines are skipped."""
    replies: dict[str, Reply] = {}
    for value in read_objects(path):
        try:
            reply = Reply.model_validate(value, strict=True)
        except ValidationError:
            continue
        replies.setdefault(reply.request_hash, reply)
    return replies
