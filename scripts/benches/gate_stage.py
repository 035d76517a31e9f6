"""Stage 03 on many samples, one in twenty of them hostile: how long, how much memory, and what is left running."""

import argparse
import itertools
import json
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from autotrain.errors import SettingsError
from autotrain.generate.builtin import builtin_samples
from autotrain.jsonl import write_jsonl
from autotrain.sample import TESTED_TYPES, Sample, fenced_code, in_fence
from benches.table import Cell, Measurement
from benches.watch import watch

STAGE = Path(__file__).resolve().parents[1] / "03_unit_gate.py"
SECONDS_BETWEEN_LOOKS = 0.5
COLUMNS = ("samples", "hostile", "wall s", "samples/s", "stage MiB", "with servers", "hostile kept", "left running")
# Put before the solution; each is run when the sample is.
ATTACKS = {
    "endless": "while True: pass",
    "swallows everything": "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    "processes": "import os\nwhile True: os.fork()",
    "threads": "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()",
    "memory": "hoard = [bytearray(1 << 20) for _ in range(1 << 20)]",
    "disk": "with open('big', 'wb') as file:\n    while True: file.write(bytes(1 << 20))",
    "inodes": "for number in range(1 << 20): open(str(number), 'w').close()",
    "leaves": "import os\nos._exit(0)",
    "kills": "import os, signal\nos.kill(-1, signal.SIGKILL)\nos.kill(1, signal.SIGKILL)\nraise SystemExit",
    "segfault": "import ctypes\nctypes.string_at(0)",
    "floods": "while True: print('x' * 65536)",
    "recursion": "def deeper(): deeper()\ndeeper()",
    "daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(600)",
    "reads": "import os\ntext = open('/etc/passwd').read() + str(os.environ['OPENAI_API_KEY'])",
    "calls": "import socket\nsocket.create_connection(('127.0.0.1', 80), 1)",
    "forges": 'import os\nfor number in range(3, 64):\n    try: os.write(number, b\'{"step": 0, "ok": true}\\n\')\n'
    "    except OSError: pass\nos._exit(0)",
}
LIES = (
    "class Yes:\n    def __eq__(self, other): return True\n    def __bool__(self): return True\n"
    "    __hash__ = None\n\ndef {name}(*_, **__): return Yes()"
)


def add_command(commands: Any) -> None:
    """Add `gate-stage` to bench.py's commands."""
    parser = commands.add_parser("gate-stage", help="stage 03 on many samples, one in twenty of them hostile")
    parser.add_argument("--samples", type=int, default=10_000, help="how many (default: 10000)")
    parser.set_defaults(measure=measure)


def measure(options: argparse.Namespace) -> Measurement:
    """Run the stage's script on a file of samples and watch it from outside."""
    if options.samples < 100:
        raise SettingsError("--samples takes a number from 100")
    with TemporaryDirectory(prefix="autotrain-bench-") as name:
        folder = Path(name)
        hostile = _write_samples(folder / "in.jsonl", options.samples)
        wall, stage, everything = watch(STAGE, ["--run-tests", "1"], folder, SECONDS_BETWEEN_LOOKS)
        kept = {json.loads(line)["id"] for line in (folder / "out.jsonl").open(encoding="utf-8")}
        reasons = Counter(
            json.loads(line)["verdict"]["reason"] for line in (folder / "out.failed.jsonl").open(encoding="utf-8")
        )
    row: dict[str, Cell] = {
        "samples": options.samples,
        "hostile": len(hostile),
        "wall s": wall,
        "samples/s": options.samples / wall,
        "stage MiB": _by_quarters(stage),
        "with servers": _by_quarters(everything),
        "hostile kept": len(kept & hostile),
        "left running": _left_running(),
    }
    notes = [
        "Memory: the median of each quarter of the time; with servers, pages they share are counted in each.",
        "Dropped: " + ", ".join(f"{reason} {count}" for reason, count in reasons.most_common()),
    ]
    title = "Stage 03 with RUN_UNIT_TESTS=1: tests run, run again and tried on small bugs"
    return Measurement(title, COLUMNS, [row], [row], notes)


def _write_samples(path: Path, count: int) -> set[str]:
    """Write the builtin teacher's samples, one in twenty made hostile; the ids of these."""
    attacks = itertools.cycle([*ATTACKS.values(), LIES])
    hostile = set()

    def samples() -> Iterator[dict[str, Any]]:
        due = 0
        for number, sample in enumerate(builtin_samples(count, 42, 1)):
            due += number % 20 == 0
            if due and sample.metadata.task_type in TESTED_TYPES:
                due -= 1
                hostile.add(sample.id)
                sample = _hostile(sample, next(attacks))
            yield sample.to_json()

    write_jsonl(path, samples())
    return hostile


def _hostile(sample: Sample, attack: str) -> Sample:
    name = (sample.metadata.entry_point or "").partition(".")[0]
    code = attack.replace("{name}", name) if attack == LIES else f"{attack}\n\n{fenced_code(sample.output)}"
    return sample.model_copy(update={"output": in_fence(code)})


def _by_quarters(memory: Sequence[int]) -> str:
    """The median MiB of each quarter of the time."""
    cuts = [len(memory) * quarter // 4 for quarter in range(5)]
    parts = [memory[start:end] or [0] for start, end in pairwise(cuts)]
    return " ".join(f"{statistics.median(part) / 2**20:.0f}" for part in parts)


def _left_running() -> int:
    """How many servers of a sandbox, or jobs, which have their server's command line, no stage looks after."""
    count = 0
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            above, found = process, False
            while above is not None and any(word.endswith("gate/server.py") for word in above.cmdline()):
                above, found = above.parent(), True
            count += found and (above is None or "python" not in " ".join(above.cmdline()[:1]))
    return count
