"""Writing files so that a reader, or a crash, never meets half of one, also when the disk gets full."""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import TextIO

FULL = (errno.ENOSPC, errno.EDQUOT)
FULL_WORDS = tuple(os.strerror(number) for number in FULL)
# How libraries written in other languages tell it; of other errors, the words may be those of a server.
WORDS_ALONE = ("SafetensorError", "RuntimeError")
# Of a run that has to write down how it ended: a few hundred bytes of events and state, and what file systems add.
RESERVE_BYTES = 256 << 10


@contextmanager
def replacing(path: Path) -> Iterator[TextIO]:
    """Open a text file that takes the place of `path` by one rename when the block ends well.

    If the block raises, `path` is as it was and nothing is left behind.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(path.parent)


def replace_text(path: Path, text: str) -> None:
    """Replace the content of `path` atomically."""
    with replacing(path) as stream:
        stream.write(text)


def replace_link(link: Path, target: str) -> None:
    """Point the symbolic link `link` at `target` atomically."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        temporary.symlink_to(target)
        temporary.replace(link)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    fsync_folder(link.parent)


def append_whole(descriptor: int, data: bytes) -> None:
    """Append to an open file, all or nothing: what could only be written in part is cut off again."""
    size = os.fstat(descriptor).st_size
    try:
        written = os.write(descriptor, data)
        # On a full disk the first call takes what there is room for, and only the next one says why no more.
        while written < len(data):
            written += os.write(descriptor, data[written:])
    except BaseException:
        os.ftruncate(descriptor, size)
        raise


def fsync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256_of(path: Path) -> str:
    """The digest of a file's content, as records and manifests hold it."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


# ---------------------------------------------------------------------------------------------------
# Full disks


def is_full(error: BaseException) -> bool:
    """Whether an error, or one that it came from, is that a disk is full, or a quota on it reached."""
    for link in origins(error):
        if isinstance(link, OSError) and link.errno in FULL:
            return True
        if type(link).__name__ in WORDS_ALONE and any(words in str(link) for words in FULL_WORDS):
            return True
    return False


def origins(error: BaseException) -> Iterator[BaseException]:
    """An error, and those that it came from."""
    chain: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in chain:
        yield link
        chain.append(link)
        link = link.__cause__ or link.__context__


def has_room(folder: Path) -> bool:
    """Whether a little can be written in a folder: unlike the figure of free bytes, this knows of quotas."""
    try:
        with TemporaryFile(dir=folder) as stream:
            stream.write(os.urandom(64 << 10))
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        return not is_full(error)
    return True


def keep_reserve(path: Path) -> None:
    """Take some space for what has to be written when there is none left: bytes that no file system makes less of."""
    if not path.exists() or path.stat().st_size < RESERVE_BYTES:
        with replacing(path) as stream:
            stream.buffer.write(os.urandom(RESERVE_BYTES))


def write_surely(write: Callable[[], None], reserve: Path | None) -> OSError | None:
    """Write something short, on a full disk in the place of `reserve`; return what the disk was full with, or None.

    Raises it where there is no reserve, or where it does not suffice.
    """
    try:
        write()
    except OSError as error:
        if not is_full(error) or reserve is None or not reserve.exists():
            raise
        reserve.unlink()
        write()
        return error
    return None
