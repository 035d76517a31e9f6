"""How much a string looks drawn at random, and not thought of by a person.

Every pair of neighbouring characters is asked how much likelier it is in a random string than in the names and
words of programs; the stretch with the highest sum counts. It so finds a key within a path, a URL or a name.
"""

import base64
import binascii
import math
import re
from collections import Counter
from functools import cache

# Of natural logarithms: what stands after a word like `token` needs less to be believed than a lone string.
LONE = 17.0
NAMED = 7.0
# The ends of a random string may by chance look like words, so that a few characters of it are lost.
_SHORTEST = {"hex": 24, "one case": 18, "mixed": 18}

# What a row's letter is followed by in programs: a for always, two letters on for half as often, a row a letter.
_LETTER_PAIRS = """
    skhirolvjwmgihxkwgifmlqpnw gnkmgostikvforhmxijoguuwjr hsmpgpuhkziiqsepvjmgksuyoz ippjdnptftujsphrwljnjrstnv
    ipihllnsoxsjkgpkofgismojnv gpnnhhpueyyjsrgsvimjiwuznz jqqqdsmhhywjnilpzhgmipqxts etrqdsvugzrooqftzkoimwuznx
    lljkllkzrxqijdhlvkhhulznzm itmqdqtskslqrtfjtqjqftrtpt jqnocnmngvskrinnsmhomrjynt hppjemsvgzthrrhnzqjjkrrziv
    fkrpdqwvizrokphgzmlokwnyqx hshhglgsjwnnrmiotrhflmtxqy nmjhpnnwnymjieljzfjjilkrut ftpnfpunjzsgusgiugmhksrykz
    qqppstsrtuunsqspnmmratquuu hqlleoluhznokkgpziiilopxkz kukqeprjhxnmopjjqqheispumy gsmneovgfzrmprinzhjkjspwku
    kklmhlmxkzugignizghgsvyszx frpubrttgzxtqqlsyrqtqsruvw fspohrvgeywlqjhrvgjqtvoryv hifighvpizwoqvqiwsofsrsoou
    olmojnprjxukkimeukgernkuop hspqbqsnhuummqhsurpprustop
""".split()  # noqa: SIM905
# The share of lower, upper, digit and sign that follows each of them.
_CLASSES = {
    "lower": {"lower": 0.92, "upper": 0.013, "digit": 0.03, "sign": 0.036},
    "upper": {"lower": 0.22, "upper": 0.71, "digit": 0.028, "sign": 0.044},
    "digit": {"lower": 0.37, "upper": 0.044, "digit": 0.56, "sign": 0.018},
    "sign": {"lower": 0.55, "upper": 0.18, "digit": 0.05, "sign": 0.22},
}
_LOWER, _UPPER, _DIGITS = "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_SIGNS = "+/=_-"
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?:0x)?((?:[0-9a-f]{2})+|(?:[0-9A-F]{2})+)")
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")


def looks_random(run: str, least: float = LONE) -> bool:
    """Whether `run`, a string without blanks, holds a stretch that hardly anyone wrote by hand."""
    if _UUID.fullmatch(run) and least >= LONE:
        return False
    for alphabet, pairs in _pairs().items():
        stretch, score = _best_stretch(run, pairs)
        if score >= least and (len(stretch) >= _SHORTEST[alphabet] or least < LONE) and _bits(stretch) >= 2.6:
            return True
    return False


def decoded(run: str) -> str | None:
    """The printable text that `run` is the hex or base64 of, or None."""
    match = _HEX.fullmatch(run)
    if match:
        text = _printable(bytes.fromhex(match[1]))
        if text is not None:
            return text
    bare = run.rstrip("=")
    if not _BASE64.fullmatch(run) or len(bare) % 4 == 1:
        return None
    try:
        return _printable(
            base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_" if "-" in run or "_" in run else None)
        )
    except binascii.Error:
        return None


def _printable(data: bytes) -> str | None:
    # Digits that happen to be a text in hexadecimal are no text: 3333333333333333 would be one.
    if not data.isascii() or len(set(data)) < 4:
        return None
    text = data.decode("ascii")
    return text if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else None


def _best_stretch(run: str, pairs: dict[str, float]) -> tuple[str, float]:
    best, best_from, best_to, total, start = 0.0, 0, 0, 0.0, 0
    for place in range(1, len(run)):
        total += pairs.get(run[place - 1 : place + 1], -1000.0)
        if total <= 0:
            total, start = 0.0, place
        elif total > best:
            best, best_from, best_to = total, start, place + 1
    return run[best_from:best_to], best


def _bits(text: str) -> float:
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


@cache
def _pairs() -> dict[str, dict[str, float]]:
    """For each alphabet: how much likelier, as a logarithm, each pair is by chance."""
    classes = {"lower": _LOWER, "upper": _UPPER, "digit": _DIGITS, "sign": _SIGNS}
    program: dict[str, float] = {}
    for first, firsts in classes.items():
        for second, seconds in classes.items():
            for a in firsts:
                for b in seconds:
                    share = 1 / len(seconds)
                    if a.isalpha() and b.isalpha():
                        place = _LETTER_PAIRS[ord(a.lower()) - 97][ord(b.lower()) - 97]
                        share = 2 ** -((ord(place) - 97) / 2)
                    # Alphabets and repetitions: what counts up or stays is no accident.
                    likely = max(_CLASSES[first][second] * share, 0.25 if 0 <= ord(b) - ord(a) <= 1 else 0)
                    program[a + b] = math.log(likely)
    lower, upper = _DIGITS + _LOWER, _DIGITS + _UPPER
    hexadecimal = {a + b for digits in (lower[:16], upper[:16]) for a in digits for b in digits}
    one_case = {a + b for letters in (lower, upper) for a in letters for b in letters}
    return {
        "hex": {pair: -math.log(16) - program[pair] for pair in hexadecimal},
        "one case": {pair: -math.log(36) - program[pair] for pair in one_case},
        "mixed": {pair: -math.log(64) - value for pair, value in program.items()},
    }
