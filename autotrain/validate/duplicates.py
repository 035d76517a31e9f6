"""Samples that ask the same thing: exactly, in nearly the same words, or for the same code."""

import json
import sys
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from autotrain.errors import AutotrainError
from autotrain.files import replacing
from autotrain.redact import plain
from autotrain.sample import Sample
from autotrain.validate.fingerprints import (
    BANDS,
    FEWEST_SAME,
    ROWS,
    SHINGLE_WORDS,
    Fingerprint,
    Sketch,
    digest,
    read,
    similarity,
)
from autotrain.validate.tokens import without_values

THRESHOLD = 0.7
# Long functions may be alike and do different things; words tell, which are then less alike than this.
_LEAST_LIKENESS = 0.3
_GROUP_HASHES = 128
# Most heads of chains are then empty, and a look for a key that is not there ends at once.
_HEADS_A_KEY = 2
# Raised whenever a fingerprint of the same sample comes out otherwise.
_VERSION = 2


@dataclass(frozen=True)
class Match:
    """An earlier sample that asks the same, and how that shows; `similarity` is 1 where they are equal."""

    id: str
    how: Literal["exact", "words", "code"]
    similarity: float


class DuplicateIndex:
    """What has been asked so far.

    Two samples are duplicates if their instruction and input are the same; or if they are of the same task
    type and either share most 5-word shingles of instruction and input, or have the same code of
    some length but for names, or long code that is similar but for names and literals and is asked
    for in words that are not all different.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self._ids: list[str] = []
        self._kinds: list[str] = []
        self._questions: dict[bytes, int] = {}
        self._codes: dict[bytes, int] = {}
        self._words = SketchTable()
        self._code_words = SketchTable()

    def __len__(self) -> int:
        return len(self._ids)

    def find(self, item: Fingerprint) -> Match | None:
        """The earlier sample that this one repeats: the most similar one, the first among equals."""
        row = self._questions.get(item.question)
        if row is not None:
            return Match(self._ids[row], "exact", 1.0)
        row, score = self._words.nearest(item.words, self._of_kind(item.kind))
        if row is not None and score >= self._threshold:
            return Match(self._ids[row], "words", score)
        row = self._codes.get(item.code)
        if row is not None:
            return Match(self._ids[row], "code", 1.0)
        if item.code_words is not None:
            row, score = self._code_words.nearest(item.code_words, self._asked_alike(item))
            if row is not None and score >= self._threshold:
                return Match(self._ids[row], "code", score)
        return None

    def add(self, item: Fingerprint, id: str) -> None:
        """Remember a sample that is kept, under the name that a match is to give."""
        row = len(self._ids)
        self._ids.append(id)
        self._kinds.append(sys.intern(item.kind))
        self._questions.setdefault(item.question, row)
        if item.code:
            self._codes.setdefault(item.code, row)
        self._words.add(item.words, row)
        if item.code_words is not None:
            self._code_words.add(item.code_words, row)

    def _of_kind(self, kind: str) -> Callable[[int], bool]:
        return lambda row: self._kinds[row] == kind

    def _asked_alike(self, item: Fingerprint) -> Callable[[int], bool]:
        hashes = set(array("I", item.words.hashes))
        return lambda row: (
            self._kinds[row] == item.kind and similarity(hashes, self._words.hashes(row)) >= _LEAST_LIKENESS
        )

    def save(self, path: Path) -> None:
        """Replace the file at `path` by this index."""
        parts = [
            json.dumps([self._ids, self._kinds]).encode(),
            *(b"".join(table) for table in (self._questions, self._codes)),
            *(array("I", table.values()).tobytes() for table in (self._questions, self._codes)),
            *(part.tobytes() for table in (self._words, self._code_words) for part in table.parts()),
        ]
        body = b"".join(parts)
        header = {**_HEADER, "threshold": self._threshold, "lengths": [len(part) for part in parts], "sum": _sum(body)}
        with replacing(path) as stream:
            stream.buffer.write(json.dumps(header).encode() + b"\n")
            stream.buffer.write(body)

    @classmethod
    def load(cls, path: Path) -> "DuplicateIndex":
        """The index saved at `path`. Raises AutotrainError if there is none, or it is broken or of another version."""
        try:
            first, _, body = path.read_bytes().partition(b"\n")
            header = json.loads(first)
            if not isinstance(header, dict) or header.get("format") != _HEADER["format"]:
                raise ValueError("it is no index of duplicates")
            for name, value in _HEADER.items():
                if header.get(name) != value:
                    raise ValueError(f"its {name} is {header.get(name)}, and {value} is needed")
            lengths = header["lengths"]
            if header.get("sum") != _sum(body) or min(lengths) < 0 or sum(lengths) != len(body):
                raise ValueError("its content is broken")
            return cls._from_parts(header, body)
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            why = plain(str(error), 200)
            raise AutotrainError(f"{path}: {why}; the index has to be made again from the samples") from None

    @classmethod
    def _from_parts(cls, header: dict[str, Any], body: bytes) -> "DuplicateIndex":
        threshold = header["threshold"]
        if not 0 < threshold <= 1:
            raise ValueError("its threshold is none")
        index = cls(threshold)
        parts, start = [], 0
        for length in header["lengths"]:
            parts.append(body[start : start + length])
            start += length
        index._ids, kinds = json.loads(parts[0])
        index._kinds = [sys.intern(kind) for kind in kinds]
        index._questions = _digests(parts[1], parts[3])
        index._codes = _digests(parts[2], parts[4])
        index._words = SketchTable.of_parts(parts[5:9])
        index._code_words = SketchTable.of_parts(parts[9:13])
        largest = [max(table.values(), default=0) for table in (index._questions, index._codes)]
        largest += [table.largest_row() for table in (index._words, index._code_words)]
        if len(index._kinds) != len(index._ids) or max(largest) >= max(len(index._ids), 1):
            raise ValueError("its parts do not belong together")
        return index


_HEADER = {
    "format": "autotrain duplicates",
    "version": _VERSION,
    "byte order": sys.byteorder,
    "bands": BANDS,
    "rows": ROWS,
    "shingle words": SHINGLE_WORDS,
}


def _sum(body: bytes) -> str:
    return blake2b(body, digest_size=16).hexdigest()


def _digests(keys: bytes, rows: bytes) -> dict[bytes, int]:
    return dict(zip((keys[at : at + 16] for at in range(0, len(keys), 16)), array("I", rows), strict=True))


class SketchTable:
    """Sketches by the keys of their bands: a hash table in flat arrays, a tenth of a dict's memory.

    Entry e is band e % BANDS of sketch e // BANDS; entries whose key ends in the same bits are chained.
    """

    def __init__(self) -> None:
        self._keys = array("I")
        self._rows = array("I")
        self._hashes = array("I")
        self._ends = array("Q")
        self._chains = array("I")
        self._heads = array("I", bytes(4 * 1024))

    def add(self, item: Sketch, row: int) -> None:
        """Keep the sketch of `row`."""
        self._rows.append(row)
        self._hashes.frombytes(item.hashes)
        self._ends.append(len(self._hashes))
        self._keys.frombytes(item.keys)
        if len(self._keys) * _HEADS_A_KEY > len(self._heads):
            self._heads = array("I", bytes(4 * 4 * len(self._heads)))
            self._chains = array("I")
        self._chain()

    def _chain(self) -> None:
        """Link the keys that are in no chain yet. 0 ends a chain, so that entry e is written as e + 1."""
        heads, mask = self._heads, len(self._heads) - 1
        for entry in range(len(self._chains), len(self._keys)):
            place = self._keys[entry] & mask
            self._chains.append(heads[place])
            heads[place] = entry + 1

    def candidates(self, item: Sketch) -> list[int]:
        """The places, in the order they came, of sketches that share a band with this one."""
        keys, chains, heads, mask = self._keys, self._chains, self._heads, len(self._heads) - 1
        found = set()
        for band, key in enumerate(array("I", item.keys)):
            entry = heads[key & mask]
            while entry:
                entry -= 1
                if keys[entry] == key and entry % BANDS == band:
                    found.add(entry // BANDS)
                entry = chains[entry]
        return sorted(found)

    def nearest(self, item: Sketch, wanted: Callable[[int], bool]) -> tuple[int | None, float]:
        """The row of the most similar wanted candidate, the first among equals, and its similarity."""
        candidates = self.candidates(item)
        if not candidates:
            return None, 0.0
        hashes = set(array("I", item.hashes))
        best: tuple[int | None, float] = (None, 0.0)
        for place in candidates:
            if wanted(self._rows[place]):
                score = similarity(hashes, self.hashes(place))
                if score > best[1]:
                    best = (self._rows[place], score)
        return best

    def hashes(self, place: int) -> "array[int]":
        return self._hashes[self._ends[place - 1] if place else 0 : self._ends[place]]

    def largest_row(self) -> int:
        """The largest row there is. Raises ValueError if not every sketch has all its keys and an end."""
        if len(self._keys) != BANDS * len(self._rows) or len(self._ends) != len(self._rows):
            raise ValueError("a part of it is missing")
        return max(self._rows, default=0)

    def parts(self) -> "list[array[int]]":
        """All that `of_parts` makes the same table from."""
        return [self._keys, self._rows, self._hashes, self._ends]

    @classmethod
    def of_parts(cls, parts: Sequence[bytes]) -> "SketchTable":
        table = cls()
        for target, part in zip(table.parts(), parts, strict=True):
            target.frombytes(part)
        size = len(table._heads)
        while size < len(table._keys) * _HEADS_A_KEY:
            size *= 4
        table._heads = array("I", bytes(4 * size))
        table._chain()
        return table


# ---------------------------------------------------------------------------------------------------
# Groups


def near_duplicate_groups(samples: Sequence[Sample], threshold: float = THRESHOLD) -> list[int]:
    """For each sample the index of the first one of its group; groups share code or most of their words.

    Same code: answers of some size that differ in names, literals and layout only. Same words: Jaccard similarity of
    the 5-word shingles of instruction and input at `threshold` or above. Both chain: a~b and b~c join all.
    """
    groups = _Groups(len(samples))
    first_with: dict[object, int] = {}
    shingles: dict[int, set[bytes]] = {}
    for index, sample in enumerate(samples):
        reading = read(sample)
        first = first_with.setdefault(reading.question, index)
        if first == index:
            shingles[index] = _shingles(reading.question)
        groups.join(first, index)
        if sum(map(len, reading.answer)) >= FEWEST_SAME:
            code = digest(*(" ".join(without_values(chunk)) for chunk in reading.answer))
            groups.join(first_with.setdefault(code, index), index)
    _join_similar(shingles, threshold, groups)
    return [groups.first(index) for index in range(len(samples))]


def _shingles(question: str) -> set[bytes]:
    """The runs of five words; a shorter text is one."""
    words = question.encode("utf-8", "surrogatepass").split()
    return {b" ".join(words[start : start + SHINGLE_WORDS]) for start in range(max(len(words) - SHINGLE_WORDS + 1, 1))}


def _join_similar(shingles: dict[int, set[bytes]], threshold: float, groups: "_Groups") -> None:
    from rensa import RMinHash, RMinHashLSH

    # Rows a band: the most that still find a pair at the threshold with a probability above 99.9 %.
    rows = max(rows for rows in (1, 2, 4, 8) if rows == 1 or (1 - threshold**rows) ** (_GROUP_HASHES // rows) < 0.001)
    index = RMinHashLSH(threshold=threshold, num_perm=_GROUP_HASHES, num_bands=_GROUP_HASHES // rows)
    for key, words in shingles.items():
        minhash = RMinHash(num_perm=_GROUP_HASHES, seed=42)
        minhash.update(list(words))
        for candidate in sorted(index.query(minhash)):
            if groups.first(candidate) != groups.first(key):
                other = shingles[candidate]
                if len(words & other) >= threshold * len(words | other):
                    groups.join(candidate, key)
        index.insert(key, minhash)


class _Groups:
    """Union-find in which the smallest index stands for its group."""

    def __init__(self, size: int) -> None:
        self._parent = list(range(size))

    def first(self, index: int) -> int:
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, one: int, other: int) -> None:
        low, high = sorted((self.first(one), self.first(other)))
        self._parent[high] = low
