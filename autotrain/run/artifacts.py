"""The files that completed stages left: what they were, and whether they still are."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autotrain.files import sha256_of
from autotrain.run.paths import RunPaths
from autotrain.run.state import STAGES, Artifact, StageRecord, State


@dataclass(frozen=True)
class Damage:
    """A file that is not as the stage of that round left it."""

    round: int
    stage: str
    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path} {self.what} since stage {self.stage} of round {self.round} wrote it"


# What people read, and may write in; no stage reads it.
FOR_PEOPLE = (".md", ".html")


def describe(root: Path, paths: Iterable[Path]) -> dict[str, Artifact]:
    """Digest and size of these files, and of the files in these folders, by their path in `root`.

    Those FOR_PEOPLE are left out.
    """
    files = [file for path in paths for file in (sorted(path.rglob("*")) if path.is_dir() else [path])]
    built_on = [file for file in files if file.is_file() and file.suffix not in FOR_PEOPLE]
    return {str(file.relative_to(root)): _describe(file) for file in built_on}


def _describe(file: Path) -> Artifact:
    lines = None
    if file.suffix == ".jsonl":
        with file.open("rb") as stream:
            lines = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))
    return Artifact(sha256=sha256_of(file), bytes=file.stat().st_size, lines=lines)


def find_damage(paths: RunPaths, state: State) -> list[Damage]:
    """The files that are missing or changed, in the order of the work. Of what is written again, the last counts."""
    newest = {
        name: (number, stage, artifact)
        for number, stage, record in completed(state)
        for name, artifact in record.artifacts.items()
    }
    found = []
    for name, (number, stage, artifact) in newest.items():
        file = paths.root / name
        if not file.is_file():
            found.append(Damage(number, stage, name, "is missing"))
        elif file.stat().st_size != artifact.bytes or sha256_of(file) != artifact.sha256:
            found.append(Damage(number, stage, name, "was changed"))
    return sorted(found, key=lambda one: (one.round, STAGES.index(one.stage)))


def completed(state: State) -> Iterator[tuple[int, str, StageRecord]]:
    """Round, name and record of the stages that are complete, in the order of the work."""
    for number in sorted(map(int, state.stages)):
        for name in STAGES:
            record = state.stage(number, name)
            if record is not None and record.status == "completed":
                yield number, name, record


def sweep(root: Path) -> None:
    """Remove what killed writers left half-written beside the files they were to replace."""
    for path in [*root.rglob(".*.tmp")]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
