"""The end of a file that another process appends lines to, read as it grows."""

import os
import stat
from pathlib import Path

# Some three thousand events: more than most runs write. What lies before them is not read.
TAIL_BYTES = 1024 * 1024
# Read at once at most, so that no look takes long; no run writes as much in a second.
STEP_BYTES = 256 * 1024
# A longer line is nobody's event.
LINE_BYTES = 64 * 1024


class Tail:
    """Where we are in the file. Each `read` gives the whole lines that came since the one before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset: int | None = None
        self._inode = 0
        self._skipping = False
        self.from_start = False
        """Whether nothing lies before the lines that were read."""

    def read(self) -> tuple[list[bytes], bool]:
        """The new whole lines, and whether they begin anew: at first, after a replacement, when far behind."""
        try:
            # A pipe in its place would keep us waiting for a writer.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            lost = self._offset is not None
            self._offset = None
            return [], lost
        try:
            status = os.fstat(descriptor)
            # What is no file holds no lines.
            size = status.st_size if stat.S_ISREG(status.st_mode) else 0
            begin = (
                self._offset is None
                or status.st_ino != self._inode
                or size < self._offset
                or size - self._offset > TAIL_BYTES
            )
            if begin:
                self._offset = max(0, size - TAIL_BYTES)
                self.from_start = self._offset == 0
                # What the file is entered in the middle of is no whole line.
                self._skipping = not self.from_start
                self._inode = status.st_ino
            assert self._offset is not None
            most = TAIL_BYTES if begin else STEP_BYTES
            content = os.pread(descriptor, min(most, size - self._offset), self._offset) if size else b""
        finally:
            os.close(descriptor)
        return self._whole_lines(content), begin

    def _whole_lines(self, content: bytes) -> list[bytes]:
        assert self._offset is not None
        end = content.rfind(b"\n") + 1
        if end == 0:
            # A line under way is read again when it is whole, unless it grows beyond all measure.
            if len(content) > LINE_BYTES:
                self._offset += len(content)
                self._skipping = True
            return []
        self._offset += end
        lines = content[:end].split(b"\n")[:-1]
        if self._skipping:
            self._skipping = False
            del lines[0]
        return [line for line in lines if len(line) <= LINE_BYTES]
