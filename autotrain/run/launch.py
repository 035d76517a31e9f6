"""Several processes that train together: stage 04 starts itself again under accelerate, once a process.

Each does the same; the one of rank 0 alone writes files and events and tells how it ended.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused

# Where rank 0 leaves its exit status: a launcher knows only whether all of its processes ended well.
STATUS = "AUTOTRAIN_EXIT_STATUS_FILE"


def rank() -> int | None:
    """Which of the processes this is; None where there is only one, and where they are still to be started."""
    return int(os.environ["RANK"]) if "RANK" in os.environ else None


def process_count() -> int:
    """How many processes train together, by what the launcher of this one says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def trains_together(settings: Settings) -> bool:
    """Whether settings ask for a launcher that has not started us yet."""
    return rank() is None and (settings.processes > 1 or bool(settings.accelerate_config))


def launch(settings: Settings, script: str, words: Sequence[str]) -> int:
    """Run the script in as many processes as the settings say; return its exit status.

    A card each by accelerate's launcher (DDP, or what ACCELERATE_CONFIG says: FSDP, DeepSpeed, several nodes); on
    CPUs, for which that one needs MPI, by torch's.
    """
    command = [sys.executable, "-m"]
    if settings.accelerate_config:
        command += ["accelerate.commands.launch", "--config_file", settings.accelerate_config]
        command += ["--num_processes", str(settings.processes)] if settings.processes > 1 else []
    elif settings.device == "cpu":
        # After the dashes our own flags are not taken for short forms of the launcher's.
        command += ["torch.distributed.run", "--standalone", "--nproc_per_node", str(settings.processes), "--"]
    else:
        command += ["accelerate.commands.launch", "--multi_gpu", "--num_processes", str(settings.processes)]
        # The trainer decides on precision, by what the card does natively.
        command += ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
    with TemporaryDirectory(prefix="autotrain-") as folder:
        told = Path(folder) / "status"
        launcher = subprocess.Popen([*command, script, *words], env={**os.environ, STATUS: str(told)})

        def pass_on(number: int, _: FrameType | None) -> None:
            launcher.send_signal(number)

        before = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
        try:
            launcher.wait()
        finally:
            launcher.kill()
            for number, handler in before.items():
                signal.signal(number, handler)
        return int(told.read_text()) if told.exists() else AutotrainError.exit_status


def tell_status(status: int) -> int:
    """Leave the exit status for who launched us, and return what the launcher may know: 0 unless something failed.

    Also where a process refuses, which may be for reasons of its own, such as its disk: the others would wait for it.
    """
    if rank() is None:
        return status
    if rank() == 0 and STATUS in os.environ:
        Path(os.environ[STATUS]).write_text(str(status))
    return AutotrainError.exit_status if status in (AutotrainError.exit_status, Refused.exit_status) else 0
