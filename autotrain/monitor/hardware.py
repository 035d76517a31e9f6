"""What the machine is doing: the GPUs as NVIDIA's library sees them, and the memory and load of a stage's process."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cache

import psutil

from autotrain.redact import plain
from autotrain.run.process import mark_of

MIB = 1024 * 1024
# On Linux, and on Linux within Windows.
DEVICES = ("/dev/nvidiactl", "/dev/dxg")


@dataclass(frozen=True)
class Gpu:
    """One GPU: memory in MiB, utilisation in percent, temperature in °C; None where the driver does not say."""

    name: str
    used_mb: int
    total_mb: int
    utilisation: int | None = None
    temperature: int | None = None


@dataclass(frozen=True)
class ProcessLoad:
    """A stage's process with its children: resident memory in MiB, CPU in percent of one core (None: not known yet)."""

    pid: int
    memory_mb: int
    cpu: float | None = None


@cache
def _driver() -> bool:
    # Without a device there is no driver to ask, and the import of its bindings takes a tenth of a second.
    if not any(os.path.exists(device) for device in DEVICES):
        return False
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return False
    return True


def gpus() -> list[Gpu]:
    """The NVIDIA GPUs of this machine; none where there is no driver."""
    if not _driver():
        return []
    import pynvml

    try:
        return [_read_gpu(pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(pynvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError:
        return []


def driver_version() -> str | None:
    """The version of the driver, where there is one that tells it."""
    if not _driver():
        return None
    import pynvml

    try:
        return plain(str(pynvml.nvmlSystemGetDriverVersion()), 40)
    except pynvml.NVMLError:
        return None


def _read_gpu(handle: object) -> Gpu:
    import pynvml

    memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    utilisation = temperature = None
    with suppress(pynvml.NVMLError):
        utilisation = int(pynvml.nvmlDeviceGetUtilizationRates(handle).gpu)
    with suppress(pynvml.NVMLError):
        temperature = int(pynvml.nvmlDeviceGetTemperature(handle, pynvml.NVML_TEMPERATURE_GPU))
    name = plain(str(pynvml.nvmlDeviceGetName(handle)), 60)
    return Gpu(name, memory.used // MIB, memory.total // MIB, utilisation, temperature)


class ProcessMeter:
    """Measures one process at a time; CPU is the mean since the last look, so the first look has none."""

    def __init__(self) -> None:
        self._last: tuple[int, float, float] | None = None

    def look(self, pid: int, mark: str | None) -> ProcessLoad | None:
        """The load of the process `pid` of this mark (None: whichever); None if it is gone."""
        try:
            process = psutil.Process(pid)
            if mark is not None and mark_of(pid) != mark:
                return None
            memory, seconds = process.memory_info().rss, sum(process.cpu_times()[:2])
            for child in process.children(recursive=True):
                with suppress(psutil.Error):
                    memory += child.memory_info().rss
                    seconds += sum(child.cpu_times()[:2])
        except psutil.Error:
            return None
        now = time.monotonic()
        last, self._last = self._last, (pid, now, seconds)
        cpu = None
        # A child that ended takes its seconds along: then there is nothing to compare.
        if last is not None and last[0] == pid and now > last[1] and seconds >= last[2]:
            cpu = 100 * (seconds - last[2]) / (now - last[1])
        return ProcessLoad(pid, memory // MIB, cpu)
