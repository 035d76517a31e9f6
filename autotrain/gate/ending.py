"""How a job ended, judged by what came out of it: nothing is believed but one well-formed reply a step, in order."""

import json
import signal
from dataclasses import dataclass
from typing import Any, Literal

Tier = Literal["A", "B"]
Status = Literal["done", "timeout", "memory", "crashed"]


@dataclass(frozen=True)
class Limits:
    """What one program may use: `seconds` of processor time, so that a busy machine fails nobody."""

    seconds: float = 5.0
    memory_mb: int = 512
    output_bytes: int = 65536

    @property
    def wall_seconds(self) -> float:
        """For one that only waits, or gets too little of the machine."""
        return 2 + 3 * self.seconds


REPLY_BYTES = 200 << 10  # more than the text of the largest value, quoted once more


@dataclass(frozen=True)
class Ending:
    """How a job ended: `replies` as the job gave them, `seconds` of wall-clock, `output` cut at the limit.

    `done`: every step was answered or one was answered with an error. Anything else says why in `detail`.
    """

    status: Status
    replies: list[dict[str, Any]]
    seconds: float
    output: str
    tier: Tier
    detail: str = ""


class Traces:
    """What comes out of a job while it runs, and what is to be made of it."""

    def __init__(self, steps: int, limits: Limits) -> None:
        self.steps, self.limits = steps, limits
        self.replies: list[dict[str, Any]] = []
        self.output = b""
        self.began = self.ended = 0.0
        self.code, self.signal, self.processor = -1, 0, 0.0
        self.expired = False
        self.spoilt = ""
        self._line = bytearray()

    def take_output(self, data: bytes) -> None:
        if len(self.output) < self.limits.output_bytes:
            self.output += data[: self.limits.output_bytes - len(self.output)]

    def take_replies(self, data: bytes) -> None:
        """Take whole lines; one that is no reply to the next step spoils all."""
        if self.spoilt:
            return
        self._line += data
        *lines, rest = self._line.split(b"\n")
        self._line = rest
        for line in lines:
            reply = _read_reply(bytes(line), len(self.replies), self.steps)
            if reply is None or (self.replies and "error" in self.replies[-1]):
                self.spoilt = "what came back is no reply to a step"
                return
            self.replies.append(reply)
        if len(rest) > REPLY_BYTES:
            self.spoilt = "a reply had no end"

    def ending(self, tier: Tier) -> Ending:
        status, detail = self._judge()
        output = self.output.decode("utf-8", "replace")
        return Ending(status, self.replies, max(0.0, self.ended - self.began), output, tier, detail)

    def _judge(self) -> tuple[Status, str]:
        if self.spoilt:
            return "crashed", self.spoilt
        if self.expired:
            return "timeout", f"no end within {self.limits.wall_seconds:g} s"
        error = self.replies[-1].get("error") if self.replies else None
        if error is not None and error[0] == "MemoryError":
            return "memory", "MemoryError"
        if self.signal:
            name = signal.Signals(self.signal).name if self.signal in set(signal.Signals) else f"signal {self.signal}"
            if self.signal == signal.SIGKILL:
                if self.processor >= self.limits.seconds:
                    return "timeout", f"no end within {self.limits.seconds:g} s of processor time"
                return "memory", f"killed by {name}"
            return "crashed", f"killed by {name}"
        if self.code == 0 and (error is not None or len(self.replies) == self.steps):
            return "done", ""
        return "crashed", f"the process ended (status {self.code}) before the last step"


_KINDS = {"ok": bool, "value": str, "foreign": str, "error": list, "raised": list}


def _read_reply(line: bytes, place: int, steps: int) -> dict[str, Any] | None:
    """A reply to step `place`, or None: whoever wrote this may have wanted to be taken for somebody else."""
    if place >= steps or len(line) > REPLY_BYTES:
        return None
    try:
        reply = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if type(reply) is not dict or len(reply) != 2 or type(reply.get("step")) is not int or reply["step"] != place:
        return None
    kind = next(key for key in reply if key != "step")
    content = reply[kind]
    if kind not in _KINDS or type(content) is not _KINDS[kind]:
        return None
    if kind == "ok" and content is not True:
        return None
    if isinstance(content, list) and not _is_exception(kind, content):
        return None
    return reply


def _is_exception(kind: str, content: list[Any]) -> bool:
    if len(content) != 2 or type(content[1]) is not str:
        return False
    names = content[0] if kind == "raised" else [content[0]]
    return isinstance(names, list) and bool(names) and all(type(name) is str for name in names)
