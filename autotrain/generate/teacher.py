"""What the teacher behind a server is told about its work, and how it reports."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class TeacherSettings:
    """Where the teacher is and how it is asked. An empty `base_url` is the OpenAI API; times are seconds."""

    model: str
    base_url: str = ""
    api_key: str = field(default="", repr=False)
    concurrency: int = 8
    timeout: float = 120.0
    samples_per_request: int = 4
    max_tokens: int = 4096
    max_retries: int = 4


@dataclass(frozen=True)
class Progress:
    """What came to pass since the last report. Tokens are what the server reported, None if it did not."""

    samples_ok: int = 0
    samples_failed: int = 0
    requests_sent: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    rate_limits_hit: int = 0
    retries: int = 0


class RequestFailed(Exception):
    """One request brought no reply, after all its retries. The message is safe to show.

    `unreachable` says that not even a connection came about.
    """

    def __init__(self, why: str, unreachable: bool = False) -> None:
        super().__init__(why)
        self.unreachable = unreachable
