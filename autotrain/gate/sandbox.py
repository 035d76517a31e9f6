"""Running one program that nobody has read, in a process of its own that can be thrown away.

Every program gets: an empty environment (locale, hash seed and a home of its own are all it sees), an empty
folder that is deleted afterwards, nothing on stdin, limits on time, memory, file size, open files and
processes, and an end for itself and everything it started. Where the system allows it (Linux namespaces, as
root or by unprivileged user namespaces) it also gets no network, no sight of other processes to signal, and
a file system that is read-only but for its own folder. As root, the program runs as a user that nothing else
has. `self_test` tries all this for real and says what does not hold on this machine.

"passed" means that the process named the secret it was given before the program's code ran, and only after
the last line. Not covered: a program that searches the interpreter's frames for that secret can forge it,
because verdict and program share a process; files that everybody may read can be read; kernel holes are not
filtered (no seccomp); the memory limit counts each process, not their sum; when the parent itself is killed
the program dies with it, but its (empty, where namespaces are to be had) folder stays.
"""

import fcntl
import os
import re
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import IO, Literal

from autotrain.errors import AutotrainError

Status = Literal["passed", "failed", "timeout", "memory", "crashed"]

LAUNCHER = Path(__file__).with_name("launcher.py")
START_SECONDS = 30.0  # for the interpreter to come up on a busy machine; no part of a program's own limit
GRACE_SECONDS = 2.0
REPORT_BYTES = 8192
DETAIL_CHARACTERS = 300
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


@dataclass(frozen=True)
class Limits:
    """What one program may use."""

    seconds: float = 5.0
    memory_mb: int = 512
    output_bytes: int = 65536


@dataclass(frozen=True)
class Outcome:
    """How a program ended; `seconds` is wall-clock from its first line, `output` is cut at the limit."""

    status: Status
    error_class: str
    detail: str
    seconds: float
    output: str


@dataclass
class _Traces:
    """What came out of the three pipes."""

    report: bytes = b""
    watch: bytes = b""
    output: bytes = b""
    started: float | None = None
    ended: float = 0.0
    expired: bool = False


def execute(program: str, limits: Limits) -> Outcome:
    """Run `program` to its last line and say how it ended; whatever it does is an Outcome.

    Raises AutotrainError when the sandbox itself cannot start.
    """
    nonce = secrets.token_hex(16).encode()
    folder = Path(tempfile.mkdtemp(prefix="autotrain-"))
    try:
        traces = _run(program, nonce, folder, limits)
    except OSError as error:
        raise AutotrainError(f"the sandbox cannot start {sys.executable}: {error}") from error
    finally:
        _remove(folder)
    if traces.started is None:
        said = _clean(traces.output.decode("utf-8", "replace"))
        raise AutotrainError(f"the sandbox's launcher {LAUNCHER.name} ended before the program began: {said}")
    return _judge(traces, nonce, limits)


def execute_many(
    programs: Iterable[str], limits: Limits, workers: int | None = None
) -> Generator[Outcome, None, None]:
    """Run programs over the cores and yield their outcomes in order; closing it starts no more of them."""
    workers = workers or available_cores()
    pending: deque[Future[Outcome]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="sandbox") as pool:
        try:
            for program in programs:
                pending.append(pool.submit(execute, program, limits))
                if len(pending) >= 4 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# ---------------------------------------------------------------------------
# The parent's side of one run


def _run(program: str, nonce: bytes, folder: Path, limits: Limits) -> _Traces:
    with ExitStack() as stack:
        request = stack.enter_context(tempfile.TemporaryFile())
        report, report_end = _pipe(stack)
        watch, watch_end = _pipe(stack)
        output, output_end = _pipe(stack)
        memory = limits.memory_mb << 20
        numbers = (os.getpid(), report_end.fileno(), watch_end.fileno(), memory, ceil(limits.seconds) + 1)
        request.write(
            " ".join(map(str, numbers)).encode() + b" " + nonce + b" " + os.fsencode(folder) + b"\n"
        )
        request.write(program.encode("utf-8", "surrogatepass"))
        request.seek(0)
        place = str(folder)
        process = subprocess.Popen(
            [sys.executable, "-s", "-S", "-B", "-W", "ignore", str(LAUNCHER)],
            stdin=request,
            stdout=output_end,
            stderr=subprocess.STDOUT,
            pass_fds=(report_end.fileno(), watch_end.fileno()),
            cwd=place,
            # Strings hash alike in every run: a verdict must not depend on the order of a set.
            env={"LANG": "C.UTF-8", "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "HOME": place, "TMPDIR": place},
            start_new_session=True,
        )
        try:
            for end in (report_end, watch_end, output_end):
                end.close()
            return _follow(process, report.fileno(), watch.fileno(), output.fileno(), limits)
        finally:
            _end(process)


def _pipe(stack: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    return (
        stack.enter_context(open(reading, "rb", buffering=0)),
        stack.enter_context(open(writing, "wb", buffering=0)),
    )


def _follow(
    process: subprocess.Popen[bytes], report: int, watch: int, output: int, limits: Limits
) -> _Traces:
    """Read the pipes until the keeper says that all is over; past the time limit tell it to end all."""
    traces = _Traces()
    deadline = time.monotonic() + START_SECONDS
    with selectors.DefaultSelector() as selector:
        for pipe in (report, watch, output):
            selector.register(pipe, selectors.EVENT_READ)
        while watch in selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                if traces.expired:
                    break
                traces.expired = True
                process.terminate()
                deadline = time.monotonic() + GRACE_SECONDS
                continue
            for key, _ in selector.select(left):
                data = os.read(key.fd, 1 << 16)
                if not data:
                    selector.unregister(key.fd)
                elif key.fd == report:
                    traces.report = (traces.report + data)[:REPORT_BYTES]
                elif key.fd == watch:
                    traces.watch += data
                else:
                    traces.output += data[: limits.output_bytes - len(traces.output)]
            if traces.started is None and traces.report:
                traces.started = time.monotonic()
                deadline = traces.started + limits.seconds
    traces.ended = time.monotonic()
    traces.report = (traces.report + _rest(report, REPORT_BYTES))[:REPORT_BYTES]
    traces.output += _rest(output, limits.output_bytes - len(traces.output))
    if traces.started is None and traces.report:
        traces.started = traces.ended
    return traces


def _rest(pipe: int, most: int) -> bytes:
    """What is still in a pipe, without waiting for more."""
    found = b""
    while len(found) < most:
        try:
            data = os.read(pipe, most - len(found))
        except BlockingIOError:
            break
        if not data:
            break
        found += data
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that the keeper is gone; it took the program and its descendants along."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _judge(traces: _Traces, nonce: bytes, limits: Limits) -> Outcome:
    seconds = max(0.0, traces.ended - (traces.started or traces.ended))
    output = traces.output[: limits.output_bytes].decode("utf-8", "replace")
    report = traces.report[1:]
    code, number, cpu = traces.watch.split() if traces.watch else (b"-1", b"0", b"0")

    def outcome(status: Status, error_class: str = "", detail: str = "") -> Outcome:
        return Outcome(status, error_class, detail, seconds, output)

    if traces.expired:
        return outcome("timeout", "", f"no end within {limits.seconds:g} s")
    if secrets.compare_digest(report, nonce) and code == b"0":
        return outcome("passed")
    if report.startswith(b"E"):
        error_class, _, message = report[1:].decode("utf-8", "replace").partition("\0")
        error_class = _clean(error_class)
        detail = _clean(f"{error_class}: {_last_line(message)}" if message.strip() else error_class)
        return outcome("memory" if error_class == "MemoryError" else "failed", error_class, detail)
    if number != b"0":
        return _killed(int(number), float(cpu), limits, outcome("crashed"))
    return outcome("crashed", "", f"the process ended (status {code.decode()}) before the last line")


def _killed(number: int, cpu: float, limits: Limits, base: Outcome) -> Outcome:
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    status: Status = "crashed"
    if number == signal.SIGXCPU or (number == signal.SIGKILL and cpu >= limits.seconds):
        status = "timeout"
    elif number == signal.SIGKILL:
        status = "memory"  # nothing else kills a program that is inside its limits
    return Outcome(status, "", f"killed by {name}", base.seconds, base.output)


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


def _clean(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:DETAIL_CHARACTERS]


def _remove(folder: Path) -> None:
    """Delete a folder that its owner may have locked, nested without end or replaced by a link."""
    if folder.is_symlink():
        folder.unlink()
        return
    try:
        shutil.rmtree(folder)
    except (OSError, RecursionError):
        for command in (["chmod", "-R", "u+rwx", "--", str(folder)], ["rm", "-rf", "--", str(folder)]):
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


# ---------------------------------------------------------------------------
# What holds on this machine

# Without one of these nothing a model wrote is executed; the others are told, not required.
REQUIRED = ("runs", "environment hidden", "time limit", "group kill", "memory limit", "output cap")

_ENVIRONMENT = """
import os
print(sorted(os.environ))
try:
    open("/proc/{parent}/environ", "rb").read()
    print("readable")
except OSError:
    print("unreadable")
"""
_SURVIVOR = """
import fcntl, os, time
held = open({lock!r}, "rb")
fcntl.flock(held, fcntl.LOCK_SH)
print("held", flush=True)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
{ending}
"""


def self_test(limits: Limits) -> list[str]:
    """The required protections that do not hold here; empty when programs may be executed."""
    found = protections(limits)
    return [name for name in REQUIRED if not found[name]]


def protections(limits: Limits) -> dict[str, bool]:
    """Try every protection for real; takes a few seconds.

    Beyond the required ones: "files outside" (nothing outside the folder can be written) and "network"
    (not even this machine can be reached).
    """
    quick = Limits(min(limits.seconds, 2.0), limits.memory_mb, limits.output_bytes)
    try:
        runs = execute("import collections, math, json, re", limits).status == "passed"
    except AutotrainError:
        runs = False
    if not runs:
        return dict.fromkeys((*REQUIRED, "files outside", "network"), False)
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        outside = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="autotrain-")))
        outside.chmod(0o755)
        lock = outside / "lock"
        lock.touch(0o644)
        seen = execute(_ENVIRONMENT.format(parent=os.getpid()), limits)
        looped = execute(_SURVIVOR.format(lock=str(lock), ending="while True: pass"), quick)
        loop_died = looped.output == "held\n" and _unlocked(lock)
        ended = execute(_SURVIVOR.format(lock=str(lock), ending=""), limits)
        hog = execute(f"x = bytearray({limits.memory_mb} << 21)", limits)
        flood = execute(f"print('x' * {limits.output_bytes * 8 + (1 << 20)})", limits)
        written = execute(f"open({str(outside / 'mark')!r}, 'w').write('x')", limits)
        called = execute(f"import socket; socket.create_connection({server.getsockname()!r}, 1)", limits)
        visible = sorted(["HOME", "LANG", "PYTHONHASHSEED", "PYTHONUTF8", "TMPDIR"])
        return {
            "runs": True,
            "environment hidden": seen.output == f"{visible}\nunreadable\n",
            "time limit": looped.status == "timeout" and looped.seconds < quick.seconds + GRACE_SECONDS,
            "group kill": loop_died and ended.output == "held\n" and _unlocked(lock),
            "memory limit": hog.status == "memory",
            "output cap": flood.status == "passed" and len(flood.output) <= limits.output_bytes,
            "files outside": written.status != "passed" and not (outside / "mark").exists(),
            "network": called.status != "passed",
        }


def _unlocked(path: Path) -> bool:
    """Whether every process that held a lock on the file is gone."""
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
