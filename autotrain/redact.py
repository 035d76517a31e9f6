"""What a secret looks like, and how any text is made fit for events, logs and error messages.

The shapes here are the ones that `autotrain.validate.secrets` drops samples for. They know well-known
prefixes, not every provider's: the scanner adds a full rule set, this module stays cheap to import.
"""

import math
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

REDACTED = "[redacted]"


class Finding(NamedTuple):
    """A secret's rule name and where it lies in the text."""

    rule: str
    start: int
    end: int


def redact(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters, secrets and terminal controls removed."""
    return _cut(_without_secrets(_without_controls(text)), limit)


def plain(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters that a terminal shows and does not obey."""
    return _cut(_without_controls(text), limit)


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


def find_secrets(text: str, live: Mapping[str, str]) -> Iterator[Finding]:
    """Yield every secret in `text`: the `live` values (name → value) first, then known shapes."""
    for name, value in live.items():
        start = text.find(value)
        while start >= 0:
            yield Finding(f"environment:{name}", start, start + len(value))
            start = text.find(value, start + len(value))
    yield from _shaped_secrets(text)
    yield from _assigned_secrets(text)


def live_secrets(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment's own keys and passwords: values of 8 characters or more, longest first."""
    found = {
        name: value.strip()
        for name, value in environ.items()
        if name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD")) and len(value.strip()) >= 8
    }
    return dict(sorted(found.items(), key=lambda item: (-len(item[1]), item[0])))


def _without_secrets(text: str) -> str:
    parts: list[str] = []
    end = 0
    for finding in sorted(find_secrets(text, live_secrets()), key=lambda finding: finding.start):
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


# ---------------------------------------------------------------------------------------------------
# Placeholders: a value all of whose words are in this list is nobody's secret

_PLACEHOLDER_WORDS = frozenset(
    """
    a abc abcd abcdef access admin an any api apikey auth bar basic baz bearer change changed
    changeme client correct credential credentials db default demo dummy empty env environment
    example fake foo foobar from get goes guest hello here host id in incorrect insert invalid is
    key localhost login missing mock my name needed new no none not null of old openai or pass
    passphrase passwd password passwords placeholder please postgres private process pwd qux
    redacted replace required root sample secret secrets set some string test tester testing the
    this to todo token tokens type undefined unset user username value variable with world wrong xyz
    your
    """.split()  # noqa: SIM905  a list of 110 quoted words reads worse
)
_TEMPLATE = re.compile(r"<[^<>]*>|\[[A-Za-z _-]*\]|\$\{?[A-Z_]+\}?|\$\{?[a-z_]+\}?|%s|(.)\1*")
_FIELD = re.compile(r"\{(?:[A-Za-z_][\w.()\[\]!:]*|[0-9]?)\}|%\(\w+\)s")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+|[^\W_]")
_COUNTING = re.compile(r"0*(?:1|12|123|1234|12345|123456|1234567|12345678|123456789|1234567890|2|3|42)?")


def is_placeholder(value: str) -> bool:
    """Whether `value` is an obvious stand-in: `<your key>`, `${TOKEN}`, `changeme`, `test-token-123`."""
    if _TEMPLATE.fullmatch(value) or _FIELD.search(value):
        return True
    words = _WORDS.findall(value)
    return all(
        _COUNTING.fullmatch(word) or word.lower() in _PLACEHOLDER_WORDS or set(word.lower()) == {"x"}
        for word in words
    )


def _entropy(value: str) -> float:
    """Bits per character."""
    counts = [value.count(character) / len(value) for character in set(value)]
    return -sum(share * math.log2(share) for share in counts)


# ---------------------------------------------------------------------------------------------------
# Assignments: password = "…", "api_key": "…", token: str = '…', config["secret"] == "…", PASSWORD=…, &token=…

_KEYWORDS = ("passphrase", "passcode", "password", "passwd", "pwd", "secret", "token", "credential", "key")
_KEY_KINDS = ("api", "access", "secret", "private", "auth", "encryption", "signing", "license", "account")
_ASSIGNED = re.compile(
    r"(?:s|_\w{1,24}|[0-9]{1,3})?\\?[\"']?\]?[ \t]{0,8}"
    r"(?::[ \t]?\w{1,20}(?:[ \t]?\|[ \t]?None)?[ \t]?(?==))?(?:={1,2}|:=|=>|:)[ \t]{0,8}[rbfuRBFU]{0,2}"
    r"(?:(?P<quote>\\?[\"'])(?P<quoted>[^\"'\s\\]{6,256})(?=\\?[\"'])"
    r"|(?P<bare>[^\"'\s\\&;,]{8,128})(?=[\s&;,]|$))"
)
_IDENTIFIER = re.compile(r"[A-Za-z]+[0-9]{0,4}(?:[_-][A-Za-z]*[0-9]{0,4})*")


def _assigned_secrets(text: str) -> Iterator[Finding]:
    # The one letter whose lower case is two characters would shift every later position.
    lowered = text.replace("\u0130", "i").lower()
    for keyword in _KEYWORDS:
        start = lowered.find(keyword)
        while start >= 0:
            end = start + len(keyword)
            if keyword != "key" or lowered[max(start - 12, 0) : start].rstrip("_-").endswith(_KEY_KINDS):
                match = _ASSIGNED.match(text, end)
                if match and _is_real(keyword, match["quoted"], match["bare"]):
                    yield Finding("assigned-secret", *match.span("quoted" if match["quoted"] else "bare"))
            start = lowered.find(keyword, end)


def _is_real(keyword: str, quoted: str | None, bare: str | None) -> bool:
    """Passwords are whatever people think of; other keys and tokens must look drawn at random."""
    value = quoted or bare or ""
    if is_placeholder(value) or value.startswith(("/", "./", "../", "http://", "https://")):
        return False
    if keyword.startswith(("pass", "pwd")):
        if quoted is not None:
            return len(value) >= 12 or re.fullmatch(r"[a-z_-]+", value) is None
        return not _IDENTIFIER.fullmatch(value) and not re.search(r"[()\[\]{}<>,.]", value)
    if quoted is None and ("." in value or _IDENTIFIER.fullmatch(value)):
        return False
    digits = sum(character.isdigit() for character in value)
    return (
        len(value) >= 12
        and re.fullmatch(r"[A-Za-z0-9_+/=.~:!@#$%^&*-]+", value) is not None
        and re.search(r"[A-Za-z]", value) is not None
        and digits >= (3 if _IDENTIFIER.fullmatch(value) else 1)
        and _entropy(value) >= 3.0
    )


# ---------------------------------------------------------------------------------------------------
# Shapes. Each starts with a literal, as a search for one is many times faster: a look at what stands
# before the literal comes after it.

_SHAPES: tuple[tuple[str, "re.Pattern[str]"], ...] = tuple(
    (rule, re.compile(pattern))
    for rule, pattern in (
        (
            "private-key",
            r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
            r"(?:[^-]{0,65536}-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)?",
        ),
        ("openai-key", r"sk-(?<![A-Za-z0-9_-]sk-)(?=[a-z_-]*[0-9A-Z])[A-Za-z0-9_-]{16,}"),
        ("github-token", r"gh[pousr]_[A-Za-z0-9]{20,}"),
        ("github-token", r"github_pat_[A-Za-z0-9_]{20,}"),
        ("aws-key-id", r"A(?:KIA|SIA|BIA|CCA)(?<![A-Za-z0-9]....)[A-Z0-9]{16}(?![A-Za-z0-9])"),
        ("slack-token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}"),
        ("slack-token", r"xapp-[0-9]-[A-Za-z0-9-]{10,}"),
        ("slack-webhook", r"hooks\.slack\.com/services/[\w/]{20,}"),
        ("huggingface-token", r"hf_(?<![A-Za-z0-9_]hf_)[A-Za-z0-9]{24,}"),
        ("gitlab-token", r"gl(?:pat|dt|rt|ptt|oas|cbt|soat)-[A-Za-z0-9_-]{20,}"),
        ("google-key", r"AIza[A-Za-z0-9_-]{30,}"),
        ("google-key", r"ya29\.[A-Za-z0-9_-]{20,}"),
        ("google-key", r"GOCSPX-[A-Za-z0-9_-]{20,}"),
        ("npm-token", r"npm_(?<![A-Za-z0-9_]npm_)[A-Za-z0-9]{30,}"),
        ("pypi-token", r"pypi-[A-Za-z0-9_-]{32,}"),
        ("sendgrid-key", r"SG\.(?<![A-Za-z0-9_]SG\.)[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
        ("stripe-key", r"sk_(?:live|test|prod)_[A-Za-z0-9]{16,}"),
        ("stripe-key", r"rk_(?:live|test|prod)_[A-Za-z0-9]{16,}"),
        ("stripe-key", r"whsec_[A-Za-z0-9]{16,}"),
        ("groq-key", r"gsk_[A-Za-z0-9]{30,}"),
        ("xai-key", r"xai-[A-Za-z0-9]{30,}"),
        ("replicate-key", r"r8_[A-Za-z0-9]{30,}"),
        ("jwt", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
        # Rules whose value, the group, may be a placeholder.
        ("authorization-header", r"earer[ \t]{1,8}((?=[A-Za-z_.~+/=-]*[0-9])[A-Za-z0-9_.~+/=-]{16,})"),
        ("authorization-header", r"asic[ \t]{1,8}((?=[A-Za-z_.~+/=-]*[0-9])[A-Za-z0-9_.~+/=-]{16,})"),
        ("password-in-url", r"://[^\s:/@'\"<>]{0,100}:([^\s@'\"<>]{3,128})@[\w\[{$%<-]"),
    )
)


def _shaped_secrets(text: str) -> Iterator[Finding]:
    for rule, pattern in _SHAPES:
        for match in pattern.finditer(text):
            if not pattern.groups:
                yield Finding(rule, *match.span())
            elif not is_placeholder(match[1]):
                yield Finding(rule, *match.span(1))
