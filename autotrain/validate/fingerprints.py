"""What is computed of a sample once, for every later question of whether it repeats something.

A reading holds its words and code, and stays in the process that made it. A fingerprint is the small part that
tells duplicates: at most 1.5 kB pickled, 0.6 kB as a rule, equal in every process and under every Python.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

from autotrain.sample import Sample, fenced_code
from autotrain.validate.tokens import code_chunks, without_names

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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


def fingerprints(readings: Sequence[Reading]) -> list[Fingerprint]:
    """The parts of readings that duplicates are told by; of many at once at a third of the price."""
    kinds = [reading.sample.metadata.task_type or "" for reading in readings]
    codes = [_code_of(reading, kind) for reading, kind in zip(readings, kinds, strict=True)]
    lengths = [sum(map(len, chunks)) for chunks in codes]
    long = [place for place, length in enumerate(lengths) if length >= FEWEST_SIMILAR]
    words = sketches([[reading.question.split()] for reading in readings])
    code_words = dict(zip(long, sketches([[*map(without_names, codes[place])] for place in long]), strict=True))
    return [
        Fingerprint(
            kind,
            digest(reading.question),
            words[place],
            digest(kind, *map(" ".join, codes[place])) if lengths[place] >= FEWEST_SAME else b"",
            code_words.get(place),
        )
        for place, (reading, kind) in enumerate(zip(readings, kinds, strict=True))
    ]


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


# ---------------------------------------------------------------------------------------------------
# Sketches


class _WordHashes(dict[str, int]):
    """A number for each word, kept as long as there are not too many."""

    def __missing__(self, word: str) -> int:
        if len(self) > _MOST_KNOWN_WORDS:
            self.clear()
        data = word.encode("utf-8", "surrogatepass")
        number = self[word] = int.from_bytes(blake2b(data, digest_size=8).digest(), "little")
        return number


_MOST_KNOWN_WORDS = 200_000
_hashes_of = _WordHashes()
# Stands for the words that a text of fewer than five lacks.
_NO_WORD = "\0"
# Odd numbers without any pattern in their bits.
_MULTIPLIERS = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0xD6E8FEB86659FD93, 0xA0761D6478BD642F)


def sketches(texts: Sequence[Sequence[list[str]]]) -> list[Sketch]:
    """For each text, given as parts of words, the sketch of its shingles: the different runs of five words in a part.

    A part of fewer words is one shingle.
    """
    if not texts:
        return []
    import numpy as np
    from rensa import RMinHash

    rows, shingles = _shingles(texts)
    # Of each text its different shingles in ascending order.
    found = rows << np.uint64(32) | shingles >> np.uint64(32)
    found.sort()
    found = found[np.append(True, found[1:] != found[:-1])]
    hashes = found.astype(np.uint32)
    starts = np.searchsorted(found, np.arange(len(texts) + 1, dtype=np.uint64) << np.uint64(32))
    minima = np.array(
        RMinHash.digest_matrix_from_flat_token_hashes(_mixed(found & np.uint64(0xFFFFFFFF)), starts, BANDS * ROWS, 42)
        .to_rows(),
        dtype=np.uint64,
    )  # fmt: skip
    bands = minima.reshape(len(texts), BANDS, ROWS)
    keys = np.broadcast_to(np.arange(BANDS, dtype=np.uint64), bands.shape[:2])
    for row in range(ROWS):
        keys = _mixed(keys ^ bands[:, :, row])
    keys = (keys >> np.uint64(32)).astype(np.uint32)
    return [
        Sketch(keys[place].tobytes(), hashes[starts[place] : starts[place + 1]][:_MOST_HASHES].tobytes())
        for place in range(len(texts))
    ]


def _shingles(texts: Sequence[Sequence[list[str]]]) -> "tuple[NDArray[np.uint64], NDArray[np.uint64]]":
    """The hashes of all shingles of the texts, and beside each the place of its text."""
    import numpy as np

    words: list[str] = []
    lengths: list[int] = []
    owners: list[int] = []
    for place, parts in enumerate(texts):
        for part in parts:
            words += part
            if len(part) < SHINGLE_WORDS:
                words += [_NO_WORD] * (SHINGLE_WORDS - len(part))
            lengths.append(max(len(part), SHINGLE_WORDS))
            owners.append(place)
    flat = np.fromiter(map(_hashes_of.__getitem__, words), dtype=np.uint64, count=len(words))
    count = len(flat) - SHINGLE_WORDS + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for place, multiplier in enumerate(_MULTIPLIERS):
        hashes += flat[place : count + place] * np.uint64(multiplier)
    # Runs that begin in one part and end in the next are none.
    inside = np.ones(len(flat), dtype=bool)
    ends = np.cumsum(lengths)
    for back in range(1, SHINGLE_WORDS):
        inside[ends - back] = False
    rows = np.repeat(np.array(owners, dtype=np.uint64), np.array(lengths) - SHINGLE_WORDS + 1)
    return rows, _mixed(hashes[inside[:count]])


def _mixed(numbers: "NDArray[np.uint64]") -> "NDArray[np.uint64]":
    """Each number with its bits mixed, so that any part of them tells it: Stafford's 13th variant, as in SplitMix64."""
    import numpy as np

    numbers = (numbers ^ numbers >> np.uint64(30)) * np.uint64(_MULTIPLIERS[1])
    numbers = (numbers ^ numbers >> np.uint64(27)) * np.uint64(_MULTIPLIERS[2])
    mixed: NDArray[np.uint64] = numbers ^ numbers >> np.uint64(31)
    return mixed


def similarity(one: set[int], other: Sequence[int]) -> float:
    """Jaccard similarity of two sets by their sketches' hashes: exact, or estimated where one had too many."""
    if max(len(one), len(other)) < _MOST_HASHES:
        shared = len(one.intersection(other))
        return shared / (len(one) + len(other) - shared)
    smallest = sorted(one.union(other))[:_MOST_HASHES]
    return len(one.intersection(other).intersection(smallest)) / len(smallest)
