"""Samples that ask the same thing: exactly (dropped), or nearly (kept on one side of train and val)."""

import ast
import unicodedata
from collections.abc import Sequence
from hashlib import blake2b

from autotrain.sample import Sample, fenced_code
from autotrain.validate.syntax import parse_python, without_docstring

# Below this many nodes of the syntax tree (`def f(a, b): return a + b` has 12) two functions are alike by chance.
_FEWEST_NODES = 20
_SHINGLE_WORDS = 5
_PERMUTATIONS = 128


class ExactIndex:
    """The questions seen so far, each with where it was first seen."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def add(self, sample: Sample, place: str) -> str | None:
        """The place of an earlier sample that asks the same; None if it is new, and then it is remembered."""
        key = _digest(normalised_text(sample))
        first = self._seen.get(key)
        if first is None:
            self._seen[key] = place
        return first


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def normalised_text(sample: Sample) -> str:
    """Instruction and input, on one line each, as they count for duplicates: NFKC, case and spaces folded."""
    return "\n".join(
        " ".join(unicodedata.normalize("NFKC", text).casefold().split())
        for text in (sample.instruction, sample.input)
    )


def code_fingerprint(code: str) -> str | None:
    """A digest equal for programs that differ in names, literals, annotations, docstrings and layout only.

    Names the code does not bind itself (builtins, imports) and attributes count. None if it does not
    parse. Stable within one Python version.
    """
    tree = parse_python(code)
    return None if isinstance(tree, str) else _fingerprint(tree)


def near_duplicate_groups(samples: Sequence[Sample], threshold: float = 0.7) -> list[int]:
    """For each sample the index of the first one of its group; groups share code or most of their words.

    Same code: equal fingerprints of answers of some size. Same words: Jaccard similarity of
    the 5-word shingles of instruction and input at `threshold` or above. Both chain: a~b and b~c join all.
    """
    groups = _Groups(len(samples))
    first_with: dict[object, int] = {}
    shingles: dict[int, frozenset[str]] = {}
    for index, sample in enumerate(samples):
        words = _shingles(normalised_text(sample))
        first = first_with.setdefault(words, index)
        if first == index:
            shingles[index] = words
        groups.join(first, index)
        fingerprint = _answer_fingerprint(sample)
        if fingerprint is not None:
            groups.join(first_with.setdefault(fingerprint, index), index)
    _join_similar(shingles, threshold, groups)
    return [groups.first(index) for index in range(len(samples))]


def _join_similar(shingles: dict[int, frozenset[str]], threshold: float, groups: "_Groups") -> None:
    from rensa import RMinHash, RMinHashLSH

    # Rows a band: the most that still find a pair at the threshold with a probability above 99.9 %.
    rows = max(
        rows for rows in (1, 2, 4, 8) if rows == 1 or (1 - threshold**rows) ** (_PERMUTATIONS // rows) < 0.001
    )
    index = RMinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS, num_bands=_PERMUTATIONS // rows)
    for key, words in shingles.items():
        sketch = RMinHash(num_perm=_PERMUTATIONS, seed=42)
        sketch.update(sorted(words))
        for candidate in sorted(index.query(sketch)):
            if groups.first(candidate) != groups.first(key) and (
                _jaccard(shingles[candidate], words) >= threshold
            ):
                groups.join(candidate, key)
        index.insert(key, sketch)


def _shingles(text: str) -> frozenset[str]:
    words = text.split()
    last = max(len(words) - _SHINGLE_WORDS, 0)
    return frozenset(" ".join(words[start : start + _SHINGLE_WORDS]) for start in range(last + 1))


def _jaccard(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


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


# ---------------------------------------------------------------------------------------------------
# Code


def _answer_fingerprint(sample: Sample) -> str | None:
    code = fenced_code(sample.output)
    tree = parse_python(code) if code is not None else "no code"
    if isinstance(tree, str):
        return None
    return _fingerprint(tree) if sum(1 for _ in ast.walk(tree)) >= _FEWEST_NODES else None


def _fingerprint(tree: ast.Module) -> str | None:
    try:
        plain = ast.dump(_Normaliser(_bound_names(tree)).visit(tree))
    except RecursionError:
        return None
    return _digest(plain)


def _bound_names(tree: ast.Module) -> frozenset[str]:
    names: set[str | None] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.ExceptHandler(name=name):
                names.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.MatchAs(name=name) | ast.MatchStar(name=name) | ast.MatchMapping(rest=name):
                names.add(name)
    return frozenset(name for name in names if name)


class _Normaliser(ast.NodeTransformer):
    """Numbers the bound names by first use, keeps of a literal its type, drops what does not run."""

    def __init__(self, bound: frozenset[str]) -> None:
        self._bound = bound
        self._numbers: dict[str, str] = {}

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = without_docstring(node.body)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        for field in ("name", "id", "arg", "rest"):
            name = getattr(node, field, None)
            if isinstance(name, str) and name in self._bound:
                setattr(node, field, self._numbers.setdefault(name, f"${len(self._numbers)}"))
        return super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        # None, True and False are structure rather than data.
        if node.value is None or isinstance(node.value, bool):
            return node
        return ast.Constant(value=type(node.value).__name__)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is None:
            return self.generic_visit(ast.Expr(value=node.target))
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value))
