"""Checkpoints of a training under way: which are whole, which one to go on from, which to keep."""

import errno
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autotrain.errors import AutotrainError
from autotrain.files import has_room, is_full, replace_text, sha256_of

# Written last: what a checkpoint consists of. One without it was left half-written, or was not made here.
CONTENTS = "contents.json"


def seal(checkpoint: Path) -> None:
    """Record what the checkpoint consists of, with digests; only then does it count."""
    files = {path.name: sha256_of(path) for path in sorted(checkpoint.iterdir()) if path.is_file()}
    replace_text(checkpoint / CONTENTS, json.dumps(files, indent=2) + "\n")


def is_whole(checkpoint: Path) -> bool:
    """Whether the checkpoint was sealed and has not changed since."""
    try:
        files = json.loads((checkpoint / CONTENTS).read_text(encoding="utf-8"))
        if not isinstance(files, dict) or not files or any(Path(name).name != name for name in files):
            return False
        return all(sha256_of(checkpoint / name) == known for name, known in files.items())
    except (OSError, ValueError, RecursionError):
        return False


@contextmanager
def torn_removed(folder: Path, writes: bool = True) -> Iterator[None]:
    """Within, a checkpoint that could not be written whole gives its space back at once, if we are who `writes`.

    Raises OSError where the libraries have errors of their own for a full disk. PyTorch's says nothing of why a file
    could not be written: it is looked whether the disk is full.
    """
    try:
        yield
    except Exception as error:
        full = is_full(error) or ("inline_container" in str(error) and not has_room(folder))
        for checkpoint in _by_step(folder) if writes else ():
            if not (checkpoint / CONTENTS).is_file():
                shutil.rmtree(checkpoint, ignore_errors=True)
        if full and not isinstance(error, (OSError, AutotrainError)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder / CONTENTS)) from error
        raise


def size_of_last(folder: Path) -> int | None:
    """Bytes of the newest checkpoint that was sealed, or None."""
    sealed = [checkpoint for checkpoint in _by_step(folder) if (checkpoint / CONTENTS).is_file()]
    return sum(path.stat().st_size for path in sealed[-1].rglob("*")) if sealed else None


def newest_whole(folder: Path) -> Path | None:
    """The newest whole checkpoint; newer ones that are not whole are removed."""
    for checkpoint in reversed(_by_step(folder)):
        if is_whole(checkpoint):
            return checkpoint
        shutil.rmtree(checkpoint)
    return None


def prune(folder: Path, kept: int, best: str | None) -> None:
    """Remove all but the newest `kept` whole checkpoints; the one at the path `best` counts as one of them."""
    sealed = [checkpoint for checkpoint in _by_step(folder) if (checkpoint / CONTENTS).is_file()]
    others = [checkpoint for checkpoint in sealed if best is None or checkpoint != Path(best)]
    room = kept - (len(sealed) - len(others))
    for checkpoint in others[: max(len(others) - max(room, 1), 0)]:
        shutil.rmtree(checkpoint)


def _by_step(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch("checkpoint-[0-9]{1,18}", path.name)]
    # What is a link, or no folder, was not made here: it is neither gone on from nor removed.
    found = [path for path in found if path.is_dir() and not path.is_symlink()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))
