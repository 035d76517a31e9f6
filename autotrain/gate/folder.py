"""A job's folder on disk, where none in memory is to be had: measured while it is written, emptied afterwards.

Used on both sides of the walls; standard library only. The job makes no links, but names, depths and modes
are its own, so nothing here recurses, follows or trusts.
"""

import os
import stat

MAX_BYTES, MAX_FILES = 16 << 20, 1024


def is_overfull(folder: str) -> bool:
    """Whether more lies in it than a job may write, or something that cannot be measured."""
    size = files = 0
    waiting = [folder]
    try:
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    files += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
                    if size > MAX_BYTES or files > MAX_FILES:
                        return True
    except FileNotFoundError:
        return False  # gone since it was listed; the next look will tell
    except OSError:
        return True
    return False


def empty(folder: str) -> None:
    """Delete all in it, however deep it lies: what is in a folder is moved up before that is removed."""
    number = 0
    while names := os.listdir(folder):
        for name in names:
            path = os.path.join(folder, name)
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                os.unlink(path)
                continue
            os.chmod(path, 0o700)
            for inner in os.listdir(path):
                number += 1
                _move(os.path.join(path, inner), os.path.join(folder, f".moved-{os.getpid()}-{number}"))
            os.rmdir(path)


def _move(path: str, to: str) -> None:
    try:
        os.rename(path, to)
    except PermissionError:  # a folder that may not be written to cannot be moved by its owner
        os.chmod(path, 0o700)
        os.rename(path, to)
