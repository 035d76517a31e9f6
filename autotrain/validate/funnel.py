"""A file of samples in, the good ones out: every other line is kept with its reason.

lines ──examine.py, over all cores──▶ each by itself ──here, in the file's order──▶ clean
                                                       duplicate? contaminated?  ──▶ rejected
"""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError
from autotrain.files import replacing
from autotrain.jsonl import read_lines
from autotrain.redact import plain
from autotrain.sample import load_samples
from autotrain.validate.duplicates import DuplicateIndex
from autotrain.validate.examine import Checks, Examined, examine, rejected_line
from autotrain.validate.filters import REASONS, Drop
from autotrain.validate.fingerprints import fingerprints, read

# Of these the details are few and worth counting.
DETAILED = ("schema", "secret", "pii")
MOST_DETAILS = 50


@dataclass
class Funnel:
    """What became of a file's lines: read = kept + the sum of dropped, which names every reason."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(REASONS, 0)))
    details: Counter[tuple[str, str]] = field(default_factory=Counter)
    overlaps: Counter[str] = field(default_factory=Counter)
    """Contaminated samples by the benchmark's problem that they share."""

    def to_json(self) -> dict[str, Any]:
        """Counts by reason, and by detail the most frequent ones."""
        return {
            "read": self.read,
            "kept": self.kept,
            "dropped": dict(self.dropped),
            "contaminated_by": dict(sorted(self.overlaps.items())),
            "details": [
                {"reason": reason, "detail": detail, "count": count}
                for (reason, detail), count in self.details.most_common(MOST_DETAILS)
            ],
        }


def validate_file(
    source: Path,
    clean: Path,
    rejected: Path,
    seen: Path | None,
    checks: Checks,
    earlier: Sequence[DuplicateIndex],
    threshold: float,
    on_line: Callable[[Funnel], None],
) -> Funnel:
    """Write the good samples of `source` to `clean`, every other line to `rejected`, and what is now known to `seen`.

    What the indexes `earlier` hold is not to be repeated, from a similarity of `threshold`. `on_line` gets what
    became of the lines so far and may raise to stop: then no file is touched. Raises Refused
    where the scanner does not work, AutotrainError if `source` is missing.
    """
    if not source.is_file():
        raise AutotrainError(f"{source}: no such file to validate; name a file of samples, one JSON a line")
    # Drawn for this one file and kept nowhere: digests tell two rejects apart and nothing else.
    key = secrets.token_bytes(32)
    index = DuplicateIndex(threshold)
    funnel = Funnel()
    with (
        replacing(clean) as keep,
        replacing(rejected) as reject,
        closing(examine(read_lines(source), checks, key)) as lines,
    ):
        for line in lines:
            funnel.read += 1
            drop = line.drop or _repeated(line, [index, *earlier])
            if drop is None:
                funnel.kept += 1
                keep.write(line.text)
                assert line.fingerprint is not None
                index.add(line.fingerprint, line.id or f"line {line.number}")
            else:
                funnel.dropped[drop.reason] += 1
                if drop.reason in DETAILED:
                    funnel.details[drop.reason, drop.detail] += 1
                funnel.overlaps.update([line.overlap.problem] if line.overlap else [])
                reject.write(line.text if line.drop else rejected_line(line.number, line.id, drop, line.text))
            on_line(funnel)
    if seen is not None:
        index.save(seen)
    return funnel


def index_of(clean: Path) -> DuplicateIndex:
    """What a file of clean samples is recognised by, where no index of it was saved."""
    index = DuplicateIndex()
    samples = load_samples(clean)
    for sample, marks in zip(samples, fingerprints(list(map(read, samples))), strict=True):
        index.add(marks, sample.id)
    return index


def _repeated(line: Examined, indexes: Sequence[DuplicateIndex]) -> Drop | None:
    assert line.fingerprint is not None
    for index in indexes:
        match = index.find(line.fingerprint)
        if match is not None:
            how = "asks the same as" if match.how == "exact" else f"{match.similarity:.0%} of its {match.how} like"
            # What is kept was scanned, its id too.
            return Drop("duplicate", plain(f"{how} {match.id}", 300))
    return None
