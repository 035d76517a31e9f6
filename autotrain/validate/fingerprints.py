"""What is computed of a sample once, for every later question of whether it repeats something.

A reading holds its words and code, and stays in the process that made it. A fingerprint is the small part that
tells duplicates: at most 1.5 kB pickled, 0.6 kB as a rule, equal in every process and under every Python.
"""

import re
import unicodedata
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from zlib import crc32

from autotrain.sample import Sample, fenced_code
from autotrain.validate.tokens import code_chunks, without_names

# Of pairs with a similarity of 0.7 these find 98.8 %, and nearly all above it; of those with 0.2 one in forty.
BANDS = 16
ROWS = 4
SHINGLE_WORDS = 5
# Of longer texts the smallest hashes stand for all: a similarity of 0.7 is then known to 0.04.
_MOST_HASHES = 128

# Words of code: `def f(a, b): return a + b` has 13. Shorter code is alike by chance: below the first even where
# all literals agree, below the second where it is only similar.
FEWEST_SAME = 18
FEWEST_SIMILAR = 60

# These tasks are the code that is given: tests look alike whatever they test, and the others are no code.
_ABOUT_GIVEN = frozenset({"unit_test_generation", "code_review", "code_explanation"})

_CODE = re.compile(r"^[ \t]*(?:def|class|async def|import|from|for|while|@)\b", re.MULTILINE)


@dataclass(frozen=True)
class Sketch:
    """A set of shingles, small: keys of its LSH bands, and its smallest hashes in ascending order."""

    keys: bytes
    hashes: bytes


@dataclass(frozen=True)
class Fingerprint:
    """What tells whether two samples ask the same thing. `code` is there where the code is long enough."""

    kind: str
    question: bytes
    words: Sketch
    code: bytes
    code_words: Sketch | None


@dataclass(frozen=True)
class Reading:
    """A sample's text, and the normalised code of its input and of its answer."""

    sample: Sample
    question: str
    given: list[list[str]]
    answer: list[list[str]]


def read(sample: Sample) -> Reading:
    """Take the sample apart; nothing is executed, and code with mistakes in it is read too."""
    given = sample.input if _CODE.search(sample.input) else ""
    code = fenced_code(sample.output) or ""
    return Reading(
        sample,
        normalised_text(sample),
        code_chunks(fenced_code(given) or given) if given else [],
        code_chunks(code) if code else [],
    )


def fingerprint(reading: Reading) -> Fingerprint:
    """The part of a reading that duplicates are told by."""
    kind = reading.sample.metadata.task_type or ""
    chunks = _code_of(reading, kind)
    length = sum(map(len, chunks))
    return Fingerprint(
        kind,
        digest(reading.question),
        sketch(text_shingles(reading.question)),
        digest(kind, *map(" ".join, chunks)) if length >= FEWEST_SAME else b"",
        sketch(code_shingles(chunks)) if length >= FEWEST_SIMILAR else None,
    )


def _code_of(reading: Reading, kind: str) -> list[list[str]]:
    """The code that makes the task: what is given and what becomes of it."""
    if kind in _ABOUT_GIVEN:
        return reading.given
    return reading.given + reading.answer if reading.answer else []


def normalised_text(sample: Sample) -> str:
    """Instruction and input, on one line each, as they count for duplicates: NFKC, case and spaces folded."""
    return "\n".join(
        " ".join(unicodedata.normalize("NFKC", text).casefold().split()) for text in (sample.instruction, sample.input)
    )


def digest(*parts: str) -> bytes:
    """16 bytes that stand for the parts."""
    return blake2b("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=16).digest()


def text_shingles(question: str) -> set[bytes]:
    """The runs of five words; a shorter text is one."""
    return _shingles(question.encode("utf-8", "surrogatepass").split())


def code_shingles(chunks: Sequence[list[str]]) -> set[bytes]:
    """The runs of five words of code in which all names are one, and all literals of a kind."""
    shingles: set[bytes] = set()
    for chunk in chunks:
        shingles |= _shingles(" ".join(without_names(chunk)).encode("utf-8", "surrogatepass").split())
    return shingles


def _shingles(words: list[bytes]) -> set[bytes]:
    if len(words) < SHINGLE_WORDS:
        return {b" ".join(words)}
    return set(map(b" ".join, zip(*(words[start:] for start in range(SHINGLE_WORDS)), strict=False)))


def sketch(shingles: set[bytes]) -> Sketch:
    """A sketch of the set."""
    from rensa import RMinHash

    minhash = RMinHash(num_perm=BANDS * ROWS, seed=42)
    minhash.update(list(shingles))
    minima = array("I", minhash.digest()).tobytes()
    size = 4 * ROWS
    keys = array("I", [crc32(minima[band * size : (band + 1) * size], band) for band in range(BANDS)])
    return Sketch(keys.tobytes(), array("I", sorted(map(crc32, shingles))[:_MOST_HASHES]).tobytes())


def similarity(one: Sequence[int], other: Sequence[int]) -> float:
    """Jaccard similarity of two sets by their sketches' hashes: exact, or estimated where one had too many."""
    first, second = set(one), set(other)
    union = first | second
    if max(len(first), len(second)) < _MOST_HASHES:
        return len(first & second) / len(union)
    smallest = sorted(union)[:_MOST_HASHES]
    return len(first.intersection(second, smallest)) / len(smallest)
