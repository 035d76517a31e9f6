"""Samples that share a problem with what a model is measured on."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Literal

from autotrain.validate.fingerprints import Reading, digest
from autotrain.validate.problems import Problem
from autotrain.validate.tokens import code_chunks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

How = Literal["words", "signature", "code"]

# Code shorter than this answers more than one problem.
FEWEST_CODE_WORDS = 25
# Runs of words of which fewer are different, or that more problems share, are phrases and example values; a text with
# fewer longer words says nothing about its function.
_FEWEST_DIFFERENT = 3
_MOST_PROBLEMS = 3
_STRIDE = 4
_SLOTS = 1 << 20
# Brackets in annotations and defaults are seldom deeper.
_DEEPEST = 4
# What stands for a name that the problem's author could have chosen otherwise.
_NAME = "_"
_UNKNOWN = 0

_WORD = re.compile(r"\w+")
_DEF = re.compile(r"def\s+(\w+)\s*\(((?:[^()]|\([^()]*\))*)\)")
_NO_WORD = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}
_NESTED = re.compile(r"\[[^\[\]]*\]|\([^()]*\)|\{[^{}]*\}")
_PARAMETER = re.compile(r"(?:^|,)\s*\*{0,2}(\w+)")


@dataclass(frozen=True)
class Overlap:
    """The problem that a sample shares, and how that shows."""

    problem: str
    how: How
    detail: str


@dataclass(frozen=True)
class Signature:
    name: str
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class _Look:
    """A text's words as numbers, also with the names of its functions folded, and these functions."""

    numbers: list[int]
    folded: list[int]
    defined: list[Signature]


def signatures(text: str) -> list[Signature]:
    """The functions that are defined in `text`, methods' `self` left out."""
    found = []
    for name, inside in _DEF.findall(text):
        for _ in range(_DEEPEST):
            inside = _NESTED.sub("", inside)
        parameters = [word for word in _PARAMETER.findall(inside) if word not in ("self", "cls")]
        found.append(Signature(name, tuple(parameters)))
    return found


def words_of(text: str) -> list[str]:
    """The words and numbers of a text, without what stands between them."""
    return text.translate(_NO_WORD).split() if text.isascii() else _WORD.findall(text)


def found_by_problem(overlaps: Iterable[Overlap]) -> dict[str, dict[str, int]]:
    """For a report: by problem, how many samples shared it, by how that showed."""
    found: dict[str, Counter[str]] = {}
    for overlap in overlaps:
        found.setdefault(overlap.problem, Counter())[overlap.how] += 1
    return {problem: dict(sorted(found[problem].items())) for problem in sorted(found, key=_natural)}


def _natural(name: str) -> list[tuple[int, str]]:
    """HumanEval/9 comes before HumanEval/10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


class Benchmarks:
    """Problems to keep out of training data. Can be pickled into worker processes.

    A sample shares a problem if it holds `share` of the problem's runs of `words` words (case, punctuation and
    the names of functions and parameters do not count), or a function of some size with the same code
    but for names, or a function of the same name with as many parameters next to `alike` of the
    problem's longer words.
    """

    def __init__(self, problems: Iterable[Problem], words: int = 10, share: float = 0.2, alike: float = 0.6) -> None:
        self._words = words
        self._share = share
        self._alike = alike
        self._names: list[str] = []
        self._vocabulary: dict[str, int] = {}
        # Each problem has its runs in three ways: as they are written, with its names folded, and with them
        # folded in code only, for a rewording that leaves them alone in sentences.
        self._runs: dict[int, list[tuple[int, int]]] = {}
        self._sizes: Counter[tuple[int, int]] = Counter()
        self._blocks: dict[int, set[tuple[int, ...]]] = {}
        self._signatures: dict[str, list[tuple[int, int]]] = {}
        self._long_words: list[frozenset[int]] = []
        self._codes: dict[bytes, int] = {}
        seen: set[str] = set()
        for problem in problems:
            if problem.text not in seen:
                seen.add(problem.text)
                self._add(problem)
        self._runs = {run: owners for run, owners in self._runs.items() if _few(owners)}
        self._signatures = {name: owners for name, owners in self._signatures.items() if _few(owners)}
        self._sizes.update(owner for owners in self._runs.values() for owner in owners)
        self._tables = {length: _Table(blocks) for length, blocks in self._blocks.items()}
        self._blocks.clear()

    def __len__(self) -> int:
        return len(self._names)

    def _add(self, problem: Problem) -> None:
        place = len(self._names)
        self._names.append(problem.name)
        defined = signatures(f"{problem.text}\n{problem.code}")
        names = _names_of(defined)
        written = words_of(problem.text)
        words = [word.casefold() for word in written]
        # Of `add(x, y)`: "Add x and y", the first word is none of its names.
        folded = [word.casefold() for word in _fold(written, names)]
        in_code = [word.casefold() for word in _fold_code(problem.text, names)]
        for way, version in enumerate((words, folded, in_code)):
            length = min(self._words, len(version))
            numbers = [self._vocabulary.setdefault(word, len(self._vocabulary) + 1) for word in version]
            width = _block(length)
            for start in range(len(version) - length + 1):
                run = version[start : start + length]
                if len({word for word in run if word[0].isalpha()}) >= _FEWEST_DIFFERENT:
                    places = range(start, start + length - width + 1)
                    blocks = (tuple(numbers[place : place + width]) for place in places)
                    self._blocks.setdefault(length, set()).update(blocks)
                    owners = self._runs.setdefault(hash(tuple(numbers[start : start + length])), [])
                    if (place, way) not in owners:
                        owners.append((place, way))
        self._long_words.append(frozenset(self._vocabulary[word] for word in words if len(word) > 3 and word.isalpha()))
        for signature in dict.fromkeys(defined):
            if signature.name == problem.entry_point or not problem.entry_point:
                self._signatures.setdefault(_folded(signature.name), []).append((place, len(signature.parameters)))
        for chunk in code_chunks(problem.code):
            if len(chunk) >= FEWEST_CODE_WORDS:
                self._codes.setdefault(digest(*chunk), place)

    def find(self, readings: Sequence[Reading]) -> list[Overlap | None]:
        """For each reading the problem that it shares, or None; of many at once at half the price."""
        looks = [self._look(reading) for reading in readings]
        # A look at every fourth place tells for most texts that they share nothing.
        suspects = self._suspects([numbers for look in looks for numbers in (look.numbers, look.folded)])
        return [
            self._by_code(reading)
            or self._by_words(look, *suspects[2 * place : 2 * place + 2])
            or self._by_signature(look.defined, look.numbers)
            for place, (reading, look) in enumerate(zip(readings, looks, strict=True))
        ]

    def _look(self, reading: Reading) -> "_Look":
        sample = reading.sample
        text = f"{sample.instruction}\n{sample.input}\n{sample.output}"
        defined = signatures(text)
        words = words_of(text.casefold())
        numbers = list(map(self._vocabulary.get, words, repeat(_UNKNOWN)))
        if not defined:
            return _Look(numbers, [], defined)
        names = {name.casefold() for name in _names_of(defined)}
        folded = list(map(dict.fromkeys(names, self._vocabulary.get(_NAME, _UNKNOWN)).get, words, numbers))
        return _Look(numbers, folded, defined)

    def _suspects(self, texts: Sequence[list[int]]) -> list[bool]:
        """Whether a text may hold a run of a problem: surely, where it does."""
        import numpy as np

        flat = np.fromiter(chain.from_iterable(texts), dtype=np.uint64)
        ends = np.cumsum(list(map(len, texts)))
        found = np.zeros(len(texts), dtype=bool)
        for length, table in self._tables.items():
            # What begins in one text and ends in the next may be a false alarm, and is no harm.
            places = table.find(flat, min(_STRIDE, length))
            found[np.searchsorted(ends, places, side="right")] = True
        return [bool(one) for one in found]

    def _by_code(self, reading: Reading) -> Overlap | None:
        for chunk in (*reading.given, *reading.answer):
            if len(chunk) >= FEWEST_CODE_WORDS:
                place = self._codes.get(digest(*chunk))
                if place is not None:
                    return Overlap(self._names[place], "code", f"a function of {len(chunk)} words of code")
        return None

    def _by_words(self, look: "_Look", as_written: bool, folded: bool) -> Overlap | None:
        owners = self._owners(look.numbers, (0,)) if as_written else []
        owners += self._owners(look.folded, (1, 2)) if folded else []
        if not owners:
            return None
        best = max((count / self._sizes[owner], -owner[0]) for owner, count in Counter(owners).items())
        if best[0] < self._share:
            return None
        return Overlap(self._names[-best[1]], "words", f"{best[0]:.0%} of its runs of words")

    def _owners(self, numbers: Sequence[int], ways: tuple[int, ...]) -> list[tuple[int, int]]:
        """Of each different run of the problems in these words, the problems and ways that have it."""
        owners: set[tuple[int, tuple[int, int]]] = set()
        for length in self._tables:
            for run in map(hash, zip(*(numbers[start:] for start in range(length)), strict=False)):
                owners.update((run, owner) for owner in self._runs.get(run, ()) if owner[1] in ways)
        return [owner for _, owner in owners]

    def _by_signature(self, defined: Sequence[Signature], numbers: list[int]) -> Overlap | None:
        there: set[int] | None = None
        for signature in defined:
            for place, parameters in self._signatures.get(_folded(signature.name), ()):
                there = there or set(numbers)
                wanted, shared = len(self._long_words[place]), len(self._long_words[place] & there)
                if (
                    parameters == len(signature.parameters)
                    and wanted >= _FEWEST_DIFFERENT
                    and shared >= self._alike * wanted
                ):
                    # Not the name as the sample has it: a detail never quotes the sample.
                    detail = f"its function, with {parameters} parameters, and {shared} of its {wanted} longer words"
                    return Overlap(self._names[place], "signature", detail)
        return None


def _few(owners: Sequence[tuple[int, int]]) -> bool:
    return len({place for place, _ in owners}) <= _MOST_PROBLEMS


def _block(length: int) -> int:
    """A run of `length` words holds a whole one of the blocks of this length that start at every fourth word."""
    return length - min(_STRIDE, length) + 1


class _Table:
    """Blocks of as many numbers each, to be found in long rows of numbers."""

    def __init__(self, blocks: Collection[tuple[int, ...]]) -> None:
        import numpy as np

        rows = np.array(sorted(blocks), dtype=np.uint64)
        self._hashes = np.unique(_hashes(list(rows.T)))
        # A first look costs a bit of memory and no search.
        self._some = np.zeros(_SLOTS, dtype=bool)
        self._some[self._hashes % _SLOTS] = True
        self._width = rows.shape[1]

    def find(self, row: "NDArray[np.uint64]", stride: int) -> "NDArray[np.intp]":
        """The places in the row, of every `stride`-th, at which a block begins."""
        import numpy as np

        count = len(row) - self._width + 1
        if count <= 0:
            return np.empty(0, dtype=np.intp)
        hashes = _hashes([row[start : start + count : stride] for start in range(self._width)])
        likely = np.flatnonzero(self._some[hashes % _SLOTS])
        nearest = np.searchsorted(self._hashes, hashes[likely]).clip(max=len(self._hashes) - 1)
        places: NDArray[np.intp] = likely[self._hashes[nearest] == hashes[likely]] * stride
        return places


def _hashes(columns: "Sequence[NDArray[np.uint64]]") -> "NDArray[np.uint64]":
    """A number for each row of the columns, by the multiplier of Knuth's generator MMIX."""
    import numpy as np

    hashes: NDArray[np.uint64] = np.zeros_like(columns[0])
    for column in columns:
        hashes = (hashes + column) * np.uint64(6364136223846793005)
    # The low bits of a product depend on the low bits alone.
    high: NDArray[np.uint64] = hashes >> np.uint64(20)
    return high


def _names_of(defined: Iterable[Signature]) -> set[str]:
    return {word for signature in defined for word in (signature.name, *signature.parameters)}


def _fold(words: Sequence[str], names: set[str]) -> list[str]:
    return [_NAME if word in names else word for word in words]


def _fold_code(text: str, names: set[str]) -> list[str]:
    """The words of a text with names folded where it is code: headers of functions, and examples."""
    folded: list[str] = []
    for line in text.splitlines():
        words = words_of(line)
        folded += _fold(words, names) if line.lstrip().startswith(("def ", ">>>")) else words
    return folded


def _folded(name: str) -> str:
    """`hasItem` and `has_item` are one; `__add__` is not `add`."""
    return name if name.startswith("__") else name.replace("_", "").casefold()
