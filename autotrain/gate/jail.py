"""Strangers' programs behind walls, many at a time: a pool of servers in the strongest tier that holds here.

    Jail ──▶ Worker (worker.py, one a core) ──▶ server (server.py, inside) ──▶ job (one program, thrown away)

A: namespaces of its own by bubblewrap. B: the same server without them, held by Landlock and seccomp alone.
Neither is believed: `self_test` attacks a tier before it is used, and again every few hundred programs.
"""

import os
import platform
import socket
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import get_args

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused
from autotrain.gate.ending import Ending, Limits, Tier
from autotrain.gate.worker import GRACE_SECONDS, ServerLost, Worker

__all__ = ["Ending", "Jail", "Limits", "Tier", "choose_tier", "limits_of", "self_test"]

Step = Mapping[str, str]

PROGRAMS_BETWEEN_TESTS = 500
PENDING = 64
# Seconds a thread that computes may keep those that feed the servers waiting; Python's own 0.005 cost a third.
SWITCH_SECONDS = 0.0002
REMEDY = (
    "Nothing that a model wrote is run here. For the strongest sandbox install bubblewrap and let ordinary users make "
    "namespaces (Ubuntu 24.04: an AppArmor profile for bwrap; Docker: --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined); a Linux kernel with Landlock does otherwise."
)


class Jail:
    """Servers for as long as the `with` block lasts.

    Raises Refused when no tier holds on this machine, and later when one that held no longer does. `tier`
    insists on one instead of the strongest; `hash_seed` is what strings hash by in every program.
    """

    def __init__(
        self, limits: Limits, workers: int | None = None, tier: Tier | None = None, hash_seed: int = 0
    ) -> None:
        self.limits = limits
        self.tier = tier or _required_tier()
        self._hash_seed = hash_seed
        self._workers: list[Worker | None] = [None] * (workers or len(os.sched_getaffinity(0)))
        self._free: SimpleQueue[int] = SimpleQueue()
        for place in range(len(self._workers)):
            self._free.put(place)
        self._programs = count(1)
        self._closed = False
        # These threads live as long as their servers: bubblewrap dies with the thread that started it.
        self._pool = ThreadPoolExecutor(len(self._workers), thread_name_prefix="jail")
        sys.setswitchinterval(SWITCH_SECONDS)

    def __enter__(self) -> "Jail":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every server and what it runs; programs that have not begun never do."""
        self._closed = True
        for worker in self._workers:
            if worker is not None:
                worker.kill()
        self._pool.shutdown(cancel_futures=True)
        for worker in self._workers:
            if worker is not None:
                worker.close()
        self._workers = [None] * len(self._workers)

    def run(self, programs: Iterable[Sequence[Step]], limits: Limits | None = None) -> Generator[Ending, None, None]:
        """Run programs over the servers and yield their endings in order; closing it starts no more of them.

        `limits` are the jail's unless others are given. May be called from several threads at once.
        """
        pending: deque[Future[Ending]] = deque()
        try:
            for program in programs:
                pending.append(self._pool.submit(self._run, program, limits or self.limits))
                # So many that the other servers have work while one waits for a program that never ends.
                if len(pending) >= PENDING * len(self._workers):
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _run(self, program: Sequence[Step], limits: Limits) -> Ending:
        place = self._free.get()
        try:
            if next(self._programs) % PROGRAMS_BETWEEN_TESTS == 0:
                self._test_again(place)
            for last in (False, True):  # a server's own accident is not the program's; a second one is
                if self._closed:
                    break
                try:
                    return self._worker(place).run(program, limits)
                except ServerLost:
                    self._replace(place)
                except AutotrainError:
                    if last:
                        raise
            return Ending("crashed", [], 0.0, "", self.tier, "its server did not outlive it, twice")
        finally:
            self._free.put(place)

    def _worker(self, place: int) -> Worker:
        worker = self._workers[place]
        if worker is None:
            worker = self._workers[place] = Worker(self.tier, place, self._hash_seed)
        return worker

    def _replace(self, place: int) -> None:
        worker, self._workers[place] = self._workers[place], None
        if worker is not None:
            worker.kill()
            worker.close()

    def _test_again(self, place: int) -> None:
        """Attack a server that has run programs: what they did must not have weakened it."""
        missing = _attack(self._worker(place))
        if missing:
            raise Refused(f"tier {self.tier} of the sandbox no longer holds: {', '.join(missing)}")


def limits_of(settings: Settings) -> Limits:
    """What a program may take, as TEST_TIMEOUT and TEST_MEMORY_MB say."""
    return Limits(seconds=settings.test_timeout, memory_mb=settings.test_memory_mb)


# ---------------------------------------------------------------------------
# What holds on this machine


def choose_tier() -> tuple[Tier | None, list[str]]:
    """The strongest tier that passes its self-test, and for each one passed over why; takes a second."""
    reasons: list[str] = []
    for tier in get_args(Tier):
        missing = self_test(tier)
        if not missing:
            return tier, reasons
        reasons.append(f"tier {tier}: {', '.join(missing)}")
    return None, reasons


def self_test(tier: Tier) -> list[str]:
    """Attack a server of this tier for real; what does not hold, so empty when programs may be run."""
    if sys.platform != "linux":
        return [f"{sys.platform} has none of the walls that are needed"]
    if platform.machine() not in ("x86_64", "aarch64"):
        return [f"no list of system calls for {platform.machine()}"]
    try:
        worker = Worker(tier)
    except AutotrainError as error:
        return [str(error)]
    try:
        return _attack(worker)
    finally:
        worker.close()


def _required_tier() -> Tier:
    tier, reasons = choose_tier()
    if tier is None:
        raise Refused(f"no sandbox holds on this machine ({'; '.join(reasons)}). {REMEDY}")
    return tier


SECRET = "canary-3b1f"
_LOOP = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
_DAEMON = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0: time.sleep(60)"


def _attack(worker: Worker) -> list[str]:
    """Try each property once; the names of those that do not hold."""
    limits, short = Limits(5.0, 256, 4096), Limits(0.2, 256, 4096)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autotrain-")))
        folder.chmod(0o777)  # so that nothing but the walls forbids anything in it
        canary = folder / "canary"
        canary.write_text(SECRET)
        canary.chmod(0o666)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.setblocking(False)

        def ending(*steps: Step, within: Limits = limits) -> Ending:
            return worker.run(steps, within)

        def fails(source: str) -> bool:
            found = ending({"run": source})
            return found.status == "done" and "error" in found.replies[-1] and SECRET not in str(found)

        address = listener.getsockname()
        checks: dict[str, Callable[[], bool]] = {
            "programs do not run": lambda: ending({"value": "1 + 1"}).replies == [{"step": 0, "value": "2"}],
            "files can be read": lambda: fails(f"open({str(canary)!r}).read()") and fails("open('/etc/passwd')"),
            "the environment can be read": lambda: (
                ending({"run": "import os"}, {"value": "sorted(os.environ)"}).replies[-1].get("value")
                == '["HOME","LANG","TMPDIR"]'
                and fails(f"open('/proc/{os.getpid()}/environ', 'rb').read()")
            ),
            "files can be written": lambda: (
                fails(f"open({str(folder / 'mark')!r}, 'w')")
                and fails(f"open({str(canary)!r}, 'a').write('x')")
                and [path.name for path in folder.iterdir()] == ["canary"]
                and canary.read_text() == SECRET
            ),
            "the network can be reached": lambda: (
                fails(f"import socket; socket.create_connection({address!r}, 1)") and _nobody_called(listener)
            ),
            "processes can be left behind": lambda: fails(_DAEMON),
            "the time limit does not hold": lambda: _is_timeout(ending({"run": _LOOP}, within=short), short),
            "the memory limit does not hold": lambda: ending({"run": "x = bytearray(1 << 29)"}).status == "memory",
            "the cap on output does not hold": lambda: len(ending({"run": "print('x' * 100000)"}).output) == 4096,
        }
        missing = []
        for name, holds in checks.items():
            try:
                if not holds():
                    missing.append(name)
            except ServerLost as error:
                return [*missing, f"{name} ({error})"]
        return missing


def _is_timeout(ending: Ending, limits: Limits) -> bool:
    return ending.status == "timeout" and ending.seconds < limits.wall_seconds + GRACE_SECONDS


def _nobody_called(listener: socket.socket) -> bool:
    try:
        listener.accept()[0].close()
    except BlockingIOError:
        return True
    return False
