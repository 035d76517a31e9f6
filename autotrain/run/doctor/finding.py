"""What a check found."""

from dataclasses import dataclass
from typing import Literal

from autotrain.redact import redact

Level = Literal["ok", "warning", "error"]


@dataclass(frozen=True)
class Finding:
    """One line of the examination: an error is in the way of a run, a warning will be of one that counts on it."""

    level: Level
    subject: str
    text: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.text}; {self.remedy}" if self.remedy else self.text
        return f"{self.level:<7}  {self.subject:<12}  {redact(text, 800)}"
