"""How any text is made fit for events, logs and error messages: secrets out, terminal controls off.

What a secret looks like is in `autotrain.shapes`, which the scanner of samples stands on too. That one adds a
full rule set, this module stays cheap to import.
"""

import base64
import os
import re
import reprlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from autotrain.disguises import undone
from autotrain.shapes import find_secrets

REDACTED = "[redacted]"
WITHHELD = "[withheld: a secret was hidden in this text]"


def redact(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters, secrets and terminal controls removed."""
    return _cut(_without_secrets(_without_controls(text)), limit)


def plain(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters that a terminal shows and does not obey."""
    return _cut(_without_controls(text), limit)


def glimpse(value: object) -> str:
    """A value from a file or a variable as a message shows it: its `repr`, cut where it is long or deep."""
    return plain(_GLIMPSE.repr(value), 200)


class _Glimpse(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        return repr(x) if abs(x) < 10**30 else f"a number of {x.bit_length()} bits"


_GLIMPSE = _Glimpse()
_GLIMPSE.maxlevel, _GLIMPSE.maxstring, _GLIMPSE.maxother = 2, 150, 150


def plain_json(value: Any) -> Any:
    """A JSON value with `plain` done to all its texts; for what is read from a run's files to be shown."""
    if isinstance(value, str):
        return plain(value, 2000)
    if isinstance(value, list):
        return [plain_json(item) for item in value]
    if isinstance(value, dict):
        return {plain(key, 200): plain_json(item) for key, item in value.items()}
    return value


def _without_controls(text: str) -> str:
    # True of nearly every text, and told a hundred times faster: no control, format or line character is in it.
    if text.isprintable():
        return text
    text = _ESCAPES.sub("", text)
    return _CONTROLS.sub("", text).encode("utf-8", "replace").decode("utf-8")


def _cut(text: str, limit: int) -> str:
    text = (text if text.isprintable() else _LINE_BREAKS.sub(" ", text)).strip()
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def live_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment's own keys and passwords of 8 characters or more, in all forms, longest first.

    Beside the value under its name stand its base64, URL-quoted and reversed forms.
    """
    return dict(_forms(tuple((name, environ[name]) for name in environ if name.upper().endswith(_NAMES))))


_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")


@lru_cache(maxsize=4)
def _forms(named: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {}
    for name, value in ((name, value.strip()) for name, value in named):
        if len(value) < 8:
            continue
        data = value.encode("utf-8", "surrogateescape")
        found[name] = value
        found[f"{name} in base64"] = base64.b64encode(data).decode().rstrip("=")
        found[f"{name} in URL-safe base64"] = base64.urlsafe_b64encode(data).decode().rstrip("=")
        found[f"{name} quoted"] = quote(data, safe="")
        found[f"{name} reversed"] = value[::-1]
    return tuple(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _without_secrets(text: str) -> str:
    live = live_secrets()
    # Where a disguise had to be undone, the place in the text is lost: then nothing of it is shown.
    if any(next(find_secrets(variant, live), None) for variant in undone(text)):
        return WITHHELD
    parts: list[str] = []
    end = 0
    for finding in sorted(find_secrets(text, live), key=lambda finding: finding.start):
        if finding.start >= end:
            parts += [text[end : finding.start], REDACTED]
        end = max(end, finding.end)
    return "".join([*parts, text[end:]])


# ---------------------------------------------------------------------------------------------------
# Terminal controls

_ESCAPES = re.compile(
    r"(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC: titles, links, clipboard
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c)?"  # DCS, SOS, PM, APC
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"
)
# Everything unprintable but tab and line breaks, and the characters that reorder or hide text.
_CONTROLS = re.compile(
    r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff]"
)
_LINE_BREAKS = re.compile(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
