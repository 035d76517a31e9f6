"""Samples that share a problem with what a model is measured on."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from autotrain.sample import Sample
from autotrain.validate.fingerprints import Reading, digest, read
from autotrain.validate.problems import Problem
from autotrain.validate.tokens import code_chunks

How = Literal["words", "signature", "code"]

# Code shorter than this answers more than one problem.
FEWEST_CODE_WORDS = 25
# Runs of words of which fewer are different, or that more problems share, are phrases and example values; a text with
# fewer longer words says nothing about its function.
_FEWEST_DIFFERENT = 3
_MOST_PROBLEMS = 3
# A look at every fourth place tells for most texts that they share nothing, at a quarter of the cost.
_STRIDE = 4
# Brackets in annotations and defaults are seldom deeper.
_DEEPEST = 4
# What stands for a name that the problem's author could have chosen otherwise.
_NAME = "_"

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
        self._lengths: set[int] = set()
        self._blocks: set[int] = set()
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
            numbers = [self._vocabulary.setdefault(word, len(self._vocabulary)) for word in version]
            for start in range(len(version) - length + 1):
                run = version[start : start + length]
                if len({word for word in run if word[0].isalpha()}) >= _FEWEST_DIFFERENT:
                    self._lengths.add(length)
                    self._blocks.update(_hashes(numbers[start : start + length], _block(length)))
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

    def find(self, sample: Sample | Reading) -> Overlap | None:
        """The problem that the sample shares, or None."""
        reading = read(sample) if isinstance(sample, Sample) else sample
        for chunk in (*reading.given, *reading.answer):
            if len(chunk) >= FEWEST_CODE_WORDS:
                place = self._codes.get(digest(*chunk))
                if place is not None:
                    return Overlap(self._names[place], "code", f"a function of {len(chunk)} words of code")
        sample = reading.sample
        text = f"{sample.instruction}\n{sample.input}\n{sample.output}"
        defined = signatures(text)
        words = words_of(text.casefold())
        numbers = list(map(self._vocabulary.get, words))
        names = {name.casefold() for name in _names_of(defined)}
        return self._by_words(words, numbers, names) or self._by_signature(defined, numbers)

    def _by_words(self, words: Sequence[str], numbers: list[int | None], names: set[str]) -> Overlap | None:
        hits = Counter(self._owners(numbers, (0,)))
        if names:
            name = self._vocabulary.get(_NAME)
            folded = [name if word in names else number for word, number in zip(words, numbers, strict=True)]
            hits.update(self._owners(folded, (1, 2)))
        best = max(((count / self._sizes[owner], -owner[0]) for owner, count in hits.items()), default=(0.0, 0))
        if best[0] < self._share:
            return None
        return Overlap(self._names[-best[1]], "words", f"{best[0]:.0%} of its runs of words")

    def _owners(self, numbers: Sequence[int | None], ways: tuple[int, ...]) -> list[tuple[int, int]]:
        """Of each different run of the problems in these words, the problems and ways that have it."""
        owners: set[tuple[int, tuple[int, int]]] = set()
        for length in self._lengths:
            if self._blocks.isdisjoint(_hashes(numbers, _block(length), min(_STRIDE, length))):
                continue
            for run in _hashes(numbers, length):
                owners.update((run, owner) for owner in self._runs.get(run, ()) if owner[1] in ways)
        return [owner for _, owner in owners]

    def _by_signature(self, defined: Sequence[Signature], numbers: list[int | None]) -> Overlap | None:
        there: set[int | None] | None = None
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


def _hashes(numbers: Sequence[int | None], length: int, stride: int = 1) -> Iterator[int]:
    """Hashes of the runs of `length` words that start at every `stride`-th word."""
    return map(hash, zip(*(numbers[start::stride] for start in range(length)), strict=False))


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
