"""A disk of a few MiB that a test can fill: memory mounted as one, where only a sleeping process sees it.

    with small_disk(tmp_path / "disk", "size=4m") as disk:
        with filled(disk, leave=100_000):
            ...  # all but 100 kB of it are taken

The path goes through that process's /proc entry: it works for every process of the user, needs no rights, and the
disk is gone with the process. Where user namespaces are forbidden the test is skipped, and says so.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

MOUNT = 'mount -t tmpfs -o "$2" none "$1" && echo mounted && exec sleep 600'


@contextmanager
def small_disk(folder: Path, options: str = "size=4m") -> Iterator[Path]:
    """Mount a disk with these options; yield the path that leads to it."""
    folder.mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount", "bash", "-c", MOUNT, "bash", str(folder), options]
    try:
        holder = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except FileNotFoundError:
        pytest.skip("no disk can be mounted for a test: there is no unshare here")
    with holder:
        try:
            assert holder.stdout is not None
            assert holder.stderr is not None
            if holder.stdout.readline() != "mounted\n":
                pytest.skip(f"no disk can be mounted for a test: {holder.stderr.read().strip()}")
            yield Path(f"/proc/{holder.pid}/root{folder}")
        finally:
            holder.kill()


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all room of a disk but `leave` bytes; removing the file that is returned gives it back."""
    filler = disk / "filler"
    with filler.open("ab") as stream:
        size = os.fstat(stream.fileno()).st_size
        take = shutil.disk_usage(disk).free - leave
        if take > 0:
            os.posix_fallocate(stream.fileno(), size, take)
    return filler


@contextmanager
def filled(disk: Path, leave: int = 0) -> Iterator[None]:
    """Within, the disk has no more room than `leave` bytes."""
    filler = fill(disk, leave)
    try:
        yield
    finally:
        filler.unlink()
