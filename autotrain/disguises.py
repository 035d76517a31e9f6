"""What people and programs do to a text that hides a secret in it from any pattern, undone.

One level of each: what was encoded twice stays hidden.
"""

import re
import unicodedata
from collections.abc import Iterator

from autotrain.entropy import decoded
from autotrain.shapes import runs

_OTHERS = re.compile(r"[^\x00-\x7f]+")
_INVISIBLE = re.compile(
    r"[\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)
# Letters and digits in other forms: full width, mathematical, circled, raised, letter-like.
_ALIKE = re.compile(
    "[\uff10-\uff5a\U0001d400-\U0001d7ff\u2460-\u24ff\u2070-\u209c\u2100-\u214f\u1d2c-\u1d6a\xaa\xb2\xb3\xb9\xba]"
)
_ESCAPE = re.compile(
    r"\\{1,4}(?:x([0-9A-Fa-f]{2})|u([0-9A-Fa-f]{4})|u\{([0-9A-Fa-f]{1,6})\}|U(000[0-9A-Fa-f]{5})|([01][0-7]{2}))"
)
_LITERAL = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_JOINED = re.compile(rf"(?:\"\"|'')\.join\(\s*[\[(]\s*((?:(?:{_LITERAL})\s*,?\s*){{1,500}})[\])]\s*\)")
# A literal's end, blanks or a plus or a line break, and the next literal's start; not a literal that holds just these.
# One pattern for each quote: what begins with one certain character is found several times as fast.
_SEAMS = tuple(
    re.compile(
        rf"{quote}(?=[ \t+\\\n])"
        r"(?:(?<![\s(\[{,=:].)(?:[ \t]+|\+\s*)|(?<![(\[{,=:].)(?:[ \t]+\+|[ \t]*\\?\n\s*\+?)\s*)"
        rf"(?:\\\n\s*)?[rbuRBU]{{0,2}}{quote}"
    )
    for quote in "\"'"
)
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
# Signs that something is written backwards: code that turns it round, or words that are read so.
_BACKWARDS = ("[::-1]", "reversed(", "//:", "drowssap", "terces", "nekot", "yek", "htua")


def undone(text: str) -> Iterator[str]:
    """Yield what `text` reads as with its disguises undone: nothing, for nearly every text.

    Invisible characters, look-alikes of letters, escapes and seams between literals are undone together, then
    base64 and hex within that; last, the whole backwards where anything says so.
    """
    plain = _folded(_visible(_unescaped(text)))
    if plain != text:
        yield plain
    readable = _decoded(plain)
    if readable != plain:
        yield readable
    lowered = plain.lower()
    if any(sign in lowered for sign in _BACKWARDS):
        yield plain[::-1]


def _visible(text: str) -> str:
    if text.isascii():
        return text
    others = "".join(_OTHERS.findall(text))
    if _INVISIBLE.search(others):
        text = _INVISIBLE.sub("", text)
    # Not where only a dash or an ellipsis would change.
    return unicodedata.normalize("NFKC", text) if _ALIKE.search(others) else text


def _unescaped(text: str) -> str:
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_character, text)


def _character(match: "re.Match[str]") -> str:
    code = int(match[5], 8) if match[5] else int(next(filter(None, match.groups())), 16)
    return chr(code) if code < 0xD800 or 0xDFFF < code < 0x110000 else match[0]


def _folded(text: str) -> str:
    if ".join(" in text:
        text = _JOINED.sub(lambda match: "(" + re.sub(r"([\"'])\s*,\s*[rbuRBU]{0,2}\1", "", match[1]) + ")", text)
    for seam in _SEAMS:
        text = seam.sub("", text)
    return text


def _decoded(text: str) -> str:
    for run in runs(text):
        for piece in _ENCODED.findall(run):
            hidden = decoded(piece)
            if hidden is not None:
                text = text.replace(piece, hidden)
    return text
