"""What a secret looks like in a text: known shapes, values that a name gives away, strings drawn at random.

These are the rules of redaction and, beside a rule engine's, those that samples are dropped for. They run on all
of a text, code and prose alike: names and words of programs do not look random, and code that does not parse may
hold a key too. What hides a secret from them is undone in `autotrain.disguises`.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from autotrain.entropy import NAMED, decoded, looks_random


class Finding(NamedTuple):
    """A secret's rule name and where it lies in the text."""

    rule: str
    start: int
    end: int


def find_secrets(text: str, live: Mapping[str, str]) -> Iterator[Finding]:
    """Yield every secret in `text`: the `live` values (name → value) first, then what looks like one."""
    for name, value in live.items():
        yield from _everywhere(text, value, f"environment:{name}")
    yield from _blocks(text)
    yield from _headers_and_urls(text)
    yield from _assigned(text)
    for run in runs(text):
        yield from _in_run(text, run)


def _everywhere(text: str, value: str, rule: str) -> Iterator[Finding]:
    start = text.find(value)
    while start >= 0:
        yield Finding(rule, start, start + len(value))
        start = text.find(value, start + len(value))


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
        _COUNTING.fullmatch(word) or word.lower() in _PLACEHOLDER_WORDS or set(word.lower()) == {"x"} for word in words
    )


# ---------------------------------------------------------------------------------------------------
# Runs: whatever is long and without blanks, which in a program is little

# What a run consists of becomes a 1, every other byte a blank: then runs are found without a look at each character.
_RUN_BYTES = bytes(49 if re.match(r"[A-Za-z0-9+/=_.~:-]", chr(code)) else 32 for code in range(256))
_RUN_START = b"1" * 16
_WORDS_ONLY = re.compile(r"[a-z+/=_.~:-]+|[A-Z_]+")
_PIECES = re.compile(r"[A-Za-z0-9+/=_-]{20,}")
_DIGEST = re.compile(r"(?<![A-Za-z0-9])(?:[0-9a-f]+|[0-9A-F]+)(?![A-Za-z0-9])")
_DIGEST_LENGTHS = frozenset({32, 40, 56, 64, 96, 128})
# What on a digest's line, or anywhere in the text, says that it is one. A name like `key` before it outweighs both.
_DIGEST_LINE = re.compile(
    r"digest|hash|commit|revision|checksum|adapter|\bsha\b|/(?:blobs?|tree|raw|snapshots)/", re.IGNORECASE
)
_DIGEST_TEXT = re.compile(r"md5|sha-?(?:1|224|256|384|512)|hashlib|blake2", re.IGNORECASE)

# Names of what is random by its nature and opens nothing: datasets have such an id in every line.
_NAMED_ID = re.compile(r"(?:\b|_)(?:id|uuid|etag)[\"']?[ \t]{0,4}[:=][ \t]{0,4}[\"']$", re.IGNORECASE)

# Of well-known prefixes those whose rest may be too short or too plain to be told by its randomness.
_PREFIXES = (
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
    ("stripe-key", r"[sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,}"),
    ("stripe-key", r"whsec_[A-Za-z0-9]{16,}"),
    ("groq-key", r"gsk_[A-Za-z0-9]{30,}"),
    ("xai-key", r"xai-[A-Za-z0-9]{30,}"),
    ("replicate-key", r"r8_[A-Za-z0-9]{30,}"),
    ("jwt", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
)
_PREFIXED = re.compile("|".join(f"({pattern})" for _, pattern in _PREFIXES))


@lru_cache(maxsize=2)
def runs(text: str) -> tuple[str, ...]:
    """The stretches of 16 and more letters, digits and `+/=_.~:-` in `text` that are not words alone, each once."""
    form = text.encode("ascii", "replace").translate(_RUN_BYTES)
    found: dict[str, None] = {}
    start = form.find(_RUN_START)
    while start >= 0:
        end = form.find(b" ", start)
        run = text[start : end if end >= 0 else len(text)]
        if not _WORDS_ONLY.fullmatch(run):
            found[run] = None
        start = form.find(_RUN_START, end) if end >= 0 else -1
    return tuple(found)


def _in_run(text: str, run: str) -> Iterator[Finding]:
    for match in _PREFIXED.finditer(run):
        yield from _everywhere(text, match[0], _PREFIXES[(match.lastindex or 1) - 1][0])
    for piece in _PIECES.findall(run):
        # What decodes to a text is judged by that text, where disguises are undone.
        if looks_random(piece) and decoded(piece) is None and looks_random(_without_ids(text, piece)):
            yield from _everywhere(text, piece, "random-string")


@lru_cache(maxsize=1)
def _is_about_digests(text: str) -> bool:
    return _DIGEST_TEXT.search(text) is not None


def _without_ids(text: str, piece: str) -> str:
    start = text.find(piece)
    if _NAMED_ID.search(text[max(start - 24, 0) : start]):
        return ""
    end = start + len(piece)
    line = text[max(text.rfind("\n", 0, end), end - len(piece) - 120, 0) : end]
    if not _DIGEST_LINE.search(line) and not _is_about_digests(text):
        return piece
    return _DIGEST.sub(lambda match: "" if len(match[0]) in _DIGEST_LENGTHS else match[0], piece)


# ---------------------------------------------------------------------------------------------------
# Key blocks, headers and addresses

_BLOCKS = re.compile(
    r"-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
    r"(?:[^-]{0,65536}-{4,5} ?END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5})?"
    r"|PuTTY-User-Key-File-[0-9]:[^\n]*(?:\n[\w+/=: .-]+){0,200}"
)
# The value, the group, may be a placeholder.
_HEADERS = tuple(
    (guard, re.compile(pattern))
    for guard, pattern in (
        ("earer ", r"earer[ \t]{1,8}((?=[A-Za-z_.~+/=-]*[0-9])[A-Za-z0-9_.~+/=-]{16,})"),
        ("asic ", r"asic[ \t]{1,8}((?=[A-Za-z_.~+/=-]*[0-9])[A-Za-z0-9_.~+/=-]{16,})"),
        (
            "uthorization",
            r"uthorization[\"']?[ \t]*[:=,][ \t]*(?:[\w.]{0,40}\(\s*)?[\"']?"
            r"(?:\w{1,20}[ \t])?(?:\w{1,10}=)?([\w.~+/=-]{16,})",
        ),
    )
)
_URL_PASSWORD = re.compile(r"://[^\s:/@'\"<>]{0,100}:([^\s@'\"<>]{3,128})@[\w\[{$%<-]")


def _blocks(text: str) -> Iterator[Finding]:
    if "PRIVATE KEY" in text or "PuTTY-" in text:
        for match in _BLOCKS.finditer(text):
            yield Finding("private-key", *match.span())


def _headers_and_urls(text: str) -> Iterator[Finding]:
    for guard, pattern in _HEADERS:
        if guard in text:
            for match in pattern.finditer(text):
                if not is_placeholder(match[1]) and any(map(str.isdigit, match[1])):
                    yield Finding("authorization-header", *match.span(1))
    if "://" in text and "@" in text:
        for match in _URL_PASSWORD.finditer(text):
            if not is_placeholder(match[1]):
                yield Finding("password-in-url", *match.span(1))


# ---------------------------------------------------------------------------------------------------
# Assignments: password = "…", "api_key": "…", token: str = '…', config["secret"] == "…", PASSWORD=…, &token=…,
# and what is weaker: define("SECRET", "…"), <password>…</password>, --token …, ENV PASSWORD …

_KEYWORDS = ("passphrase", "passcode", "password", "passwd", "pwd", "secret", "token", "credential", "key", "auth")
_KEY_KINDS = (
    *("api", "access", "secret", "private", "auth", "encryption", "signing", "license", "account", "app", "admin"),
    *("master", "shared", "service", "client", "fernet"),
)
_ASSIGNED = re.compile(
    r"(?:s|[_-]\w{1,24}|[0-9]{1,3}|[A-Z][a-z]{1,12})?"
    r"(?:(?P<strong>\\?[\"']?\]?[ \t]{0,8}"
    r"(?::[ \t]?\w{1,20}(?:[ \t]?\|[ \t]?None)?[ \t]?(?==))?(?:={1,2}|:=|=>|:)[ \t]{0,8})"
    r"|\\?[\"'],[ \t]{0,8}|\\?[\"'][ \t]{1,4}value=|>|[ \t]{1,4})"
    r"(?:[\w.]{0,40}(?:decode|fromhex|unquote|bytes)\w{0,10}\(|\()?\s{0,8}[rbfuRBFU]{0,2}"
    r"(?:(?P<quote>\\?[\"'])(?P<quoted>[^\"'\s\\]{6,256})(?=\\?[\"'])"
    r"|(?P<bare>[^\"'\s\\&;,<]{8,128})(?=[\s&;,\"'<\\]|$))"
)
_IDENTIFIER = re.compile(r"[A-Za-z]+[0-9]{0,4}(?:[_-][A-Za-z]*[0-9]{0,4})*")
_CODE_SIGNS = re.compile(r"[()\[\]{}<>,.]")


def _assigned(text: str) -> Iterator[Finding]:
    # The one letter whose lower case is two characters would shift every later position.
    lowered = text.replace("\u0130", "i").lower()
    for keyword in _KEYWORDS:
        start = lowered.find(keyword)
        while start >= 0:
            end = start + len(keyword)
            match = _ASSIGNED.match(text, end)
            if match:
                kind = _kind(keyword, lowered[max(start - 14, 0) : start])
                if _is_real(kind, match["quoted"], match["bare"], match["strong"] is not None):
                    yield Finding("assigned-secret", *match.span("quoted" if match["quoted"] else "bare"))
            start = lowered.find(keyword, end)


def _kind(keyword: str, before: str) -> str:
    """`password`, `token`, or `hint` for names that many harmless things bear."""
    if keyword.startswith(("pass", "pwd")):
        return "password"
    if keyword in ("key", "auth"):
        return "token" if before.rstrip("_-. ").endswith(_KEY_KINDS) else "hint"
    return "token"


def _is_real(kind: str, quoted: str | None, bare: str | None, strong: bool) -> bool:
    """Passwords are whatever people think of; other keys and tokens must look drawn at random."""
    value = quoted or bare or ""
    if is_placeholder(value) or value.startswith(("/", "./", "../", "http://", "https://")):
        return False
    if kind == "password" and strong:
        if quoted is not None:
            return len(value) >= 12 or re.fullmatch(r"[a-z_-]+", value) is None
        return not _is_name(value) and not _CODE_SIGNS.search(value)
    if kind == "password":
        return _is_mixed(value)
    if quoted is None and ("." in value or _IDENTIFIER.fullmatch(value)):
        return False
    if kind == "hint" or not strong:
        return len(value) >= 16 and any(looks_random(piece, NAMED) for piece in re.split(r"[^\w+/=-]", value))
    digits = sum(character.isdigit() for character in value)
    return (
        len(value) >= 12
        and re.fullmatch(r"[A-Za-z0-9_+/=.~:!@#$%^&*-]+", value) is not None
        and re.search(r"[A-Za-z]", value) is not None
        and digits >= (3 if _IDENTIFIER.fullmatch(value) else 1)
        and len(set(value)) >= 8
    )


def _is_mixed(value: str) -> bool:
    """Whether letters, digits and signs are in it as only passwords have them."""
    return (
        not _CODE_SIGNS.search(value)
        and re.search(r"[A-Za-z]{3}", value) is not None
        and re.search(r"[0-9]", value) is not None
        and re.search(r"[!#$%&*@^?_-]", value) is not None
        and not _is_name(value)
    )


def _is_name(value: str) -> bool:
    """Whether code could have a variable of this name; few end in two digits, and many passwords do."""
    return _IDENTIFIER.fullmatch(value) is not None and not value[-2:].isdecimal()
