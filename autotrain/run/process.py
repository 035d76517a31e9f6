"""What tells one process from every other: a pid is given again, and clocks are put forward and back."""

from functools import cache
from pathlib import Path

import psutil


def mark_of(pid: int) -> str | None:
    """The boot and the moment since then that this process was started in; None if there is none alive.

    Counted in the kernel's ticks, because every time of day that is told of a process moves with the clock.
    """
    boot = _boot()
    if boot is None:
        return _mark_by_the_clock(pid)
    try:
        # proc(5): the name, in brackets, may hold anything; field 3 is the state, field 22 the start.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else f"{boot}:{fields[19]}"
    except (OSError, IndexError):
        return None


@cache
def _boot() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None


def _mark_by_the_clock(pid: int) -> str | None:
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.NoSuchProcess:
        return None
