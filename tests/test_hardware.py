"""What the machine is doing: a process of ours is measured, a gone or foreign one is not."""

import os
import subprocess
import sys
import time

import psutil
import pytest

from autotrain.monitor.hardware import DEVICES, ProcessMeter, gpus
from autotrain.run.process import mark_of


def test_the_load_of_a_process_and_its_children() -> None:
    spin = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    process = subprocess.Popen([sys.executable, "-c", spin], start_new_session=True)
    try:
        mark = mark_of(process.pid)
        meter = ProcessMeter()
        while len(psutil.Process(process.pid).children()) == 0:
            time.sleep(0.01)
        first = meter.look(process.pid, mark)
        assert first is not None
        assert (first.cpu, first.memory_mb > 0) == (None, True)
        deadline = time.monotonic() + 30
        while True:
            time.sleep(0.5)
            second = meter.look(process.pid, mark)
            assert second is not None
            assert second.cpu is not None
            assert second.cpu < 250
            # Other programs run here too.
            if second.cpu > 5:
                break
            assert time.monotonic() < deadline
    finally:
        os.killpg(process.pid, 9)
        process.wait()
    assert meter.look(process.pid, mark) is None


def test_a_later_process_of_the_same_number_is_not_ours() -> None:
    assert ProcessMeter().look(os.getpid(), mark_of(1)) is None


@pytest.mark.skipif(any(os.path.exists(device) for device in DEVICES), reason="there is a GPU here")
def test_without_a_gpu_there_is_none() -> None:
    assert gpus() == []
