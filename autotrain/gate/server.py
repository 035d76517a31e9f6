"""The warm server behind the walls: forks a job for each program that it is sent. Started by path, never imported.

    parent ──control──▶ server (has imported what programs usually need) ──fork──▶ job (every wall, then the steps)

argv[1] is JSON: the settings below. On the control socket come "job seconds memory_bytes" with three
descriptors (the steps as JSON, a pipe for replies, a pipe for output) and "kill"; back go "ready", "began"
and "ended status signal processor_seconds". The server never reads what the steps say or what the job replies.
"""

import gc
import json
import mmap
import os
import platform
import select
import signal
import socket
import stat
import sys
import time
from contextlib import suppress
from math import ceil
from types import ModuleType
from typing import Any, NoReturn, TypedDict

sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from autotrain.gate import filter as calls  # noqa: E402
from autotrain.gate import walls  # noqa: E402
from autotrain.gate.folder import MAX_BYTES, MAX_FILES, empty, is_overfull  # noqa: E402
from autotrain.gate.runner import run_steps  # noqa: E402

del sys.path[0]

# Imported before the first job, so that none pays for it.
USUAL = (
    "abc array ast base64 bisect calendar cmath collections contextlib copy csv dataclasses datetime decimal "
    "difflib enum fractions functools hashlib heapq html inspect io itertools json logging math numbers operator "
    "pathlib pprint queue random re secrets statistics string struct textwrap threading time traceback types typing "
    "unicodedata unittest uuid warnings weakref zlib"
)
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SHORTEST_NAP = 0.001
WATCH_SECONDS = 0.05  # how often a folder that has no limit of its own is measured
ANY_PROCESS = 0x7A7A7A7A
BALLAST_BYTES = 8 << 20


class Settings(TypedDict):
    control: int
    folder: str  # the job's only writable place; one on disk is emptied after each job
    user: int | None  # whom the job becomes; None where the server may not change users
    readable: list[str]
    process_space: bool  # a PID namespace for each job


class Server:
    """What the server keeps between jobs."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.control = socket.socket(fileno=settings["control"])
        self.me = os.pidfd_open(os.getpid())
        self.landlock = walls.landlock_version()
        self.readable = [
            os.open(place, os.O_PATH | os.O_DIRECTORY) for place in settings["readable"] if os.path.isdir(place)
        ]
        self.devices = [os.open(place, os.O_PATH) for place in DEVICES if os.path.exists(place)]
        self.kept = [] if settings["process_space"] or os.getuid() else reroute_library()
        self.tasks = walls.TASKS if settings["process_space"] or settings["user"] is not None else own_tasks() + 512
        self.mounted = settings["process_space"] or can_mount(settings["folder"])
        self.orphaned = False
        # Written once, for a process to be filled in.
        self.filter = calls.build(platform.machine(), ANY_PROCESS)

    def serve(self) -> None:
        self.control.send(b"ready")
        while not self.orphaned:
            message, descriptors, _, _ = socket.recv_fds(self.control, 256, 3)
            if not message:
                return
            if not message.startswith(b"job "):
                continue  # "kill" for a job that has ended meanwhile
            seconds, memory = message.split()[1:]
            self.run(float(seconds), int(memory), descriptors)

    def run(self, seconds: float, memory: int, descriptors: list[int]) -> None:
        """Fork one job, wait for its end, tell the parent, and leave nothing of it."""
        if self.settings["process_space"]:
            walls.new_process_space(self.me)
        server = os.getpid()
        child = os.fork()
        if child == 0:
            self.become_job(server, seconds, memory, descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        self.control.send(b"began")
        self.wait(child, seconds)
        # Of jobs that could make processes nothing would be left either: they are the server's now.
        kill_group(child)
        _, status, usage = os.wait4(child, 0)
        while reap_one():
            pass
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        if not self.orphaned:
            self.control.send(f"ended {code} {number} {usage.ru_utime + usage.ru_stime:.3f}".encode())
        if not self.mounted:
            empty(self.settings["folder"])

    def wait(self, child: int, seconds: float) -> None:
        """Until the job has ended: by itself, by order, or as parent, processor time or its folder's room is gone."""
        descriptor = os.pidfd_open(child)
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        waiting.register(self.control, select.POLLIN)
        try:
            while True:
                left = seconds - processor_seconds(child)
                if left <= 0:
                    os.kill(child, signal.SIGKILL)
                # It cannot have used up its time before so much of ours is over, unless by several threads.
                nap = max(left, SHORTEST_NAP)
                ready = waiting.poll(1000 * (nap if self.mounted else min(nap, WATCH_SECONDS)))
                if any(number == descriptor for number, _ in ready):
                    return
                if ready:
                    if not self.control.recv(256):
                        self.orphaned = True
                        waiting.unregister(self.control)
                    os.kill(child, signal.SIGKILL)
                elif not self.mounted and is_overfull(self.settings["folder"]):
                    os.kill(child, signal.SIGKILL)
        finally:
            os.close(descriptor)

    def become_job(self, server: int, seconds: float, memory: int, descriptors: list[int]) -> NoReturn:
        """Build every wall around this process, then run the steps."""
        try:
            settings = self.settings
            folder, user = settings["folder"], settings["user"]
            os.setsid()
            source, reply = self.arrange(descriptors)
            if self.mounted:
                walls.mount_folder(folder, user, MAX_BYTES, MAX_FILES)
            os.chdir(folder)
            writable = os.open(folder, os.O_PATH | os.O_DIRECTORY)
            file_bytes = MAX_BYTES if self.mounted else MAX_BYTES // 16
            walls.limit_resources(memory, ceil(seconds) + 1, file_bytes, self.tasks)
            if user is not None:
                walls.become(user)
            walls.drop_capabilities()
            walls.control(walls.PR_SET_DUMPABLE, 0)
            walls.die_with_parent(0 if settings["process_space"] else server)
            if self.landlock:
                walls.confine_files(self.landlock, self.readable, self.devices, writable)
            close_others({0, 1, 2, source, reply, *self.kept})
            me = os.getpid()
            walls.filter_calls(self.filter.replace(ANY_PROCESS.to_bytes(4, "little"), me.to_bytes(4, "little")))
        except BaseException as error:
            os.write(2, f"the walls do not stand: {type(error).__name__}: {error}\n".encode())
            os._exit(70)
        work(source, reply)

    def arrange(self, descriptors: list[int]) -> tuple[int, int]:
        """Output goes to the pipe, input comes from nowhere; steps and replies keep their descriptors."""
        source, reply, output = descriptors
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.set_inheritable(source, False)
        os.set_inheritable(reply, False)
        return source, reply


# Bound here, once: a job's code may have put something else in their places by the time they are needed.
_type, _int, _str, _list, _quote = type, int, str, list, json.encoder.encode_basestring_ascii


def _text(part: Any) -> str:
    """A reply as JSON, without the help of anything that a job can patch."""
    kind = _type(part)
    if part is True:
        return "true"
    if kind is _int:
        return f"{part}"
    if kind is _str:
        return _quote(part)
    if kind is _list:
        return "[" + ", ".join([_text(item) for item in part]) + "]"
    return "{" + ", ".join([f"{_quote(name)}: {_text(item)}" for name, item in part.items()]) + "}"


def work(source: int, reply: int) -> NoReturn:
    """Run the steps in this process and end it; every reply is one line of JSON."""
    write, leave = os.write, os._exit
    count = 0

    def emit(answer: dict[str, Any]) -> None:
        nonlocal count
        line = _text(answer).encode() + b"\n"
        while line:
            line = line[write(reply, line) :]
        count += 1

    # What the program defines lies in a module as it would on its own: pickle and typing look there.
    module = sys.modules["__main__"] = ModuleType("__main__")
    ballast = [mmap.mmap(-1, BALLAST_BYTES)]  # counted, but no page of it is ever touched
    try:
        run_steps(json.loads(read_all(source)), emit, module.__dict__)
    except MemoryError:
        ballast.pop().close()
        emit({"step": count, "error": ["MemoryError", ""]})
    except BaseException:
        leave(71)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue
    leave(0)


def read_all(descriptor: int) -> bytes:
    size = os.fstat(descriptor).st_size
    text = bytearray()
    while len(text) < size and (more := os.pread(descriptor, size - len(text), len(text))):
        text += more
    os.close(descriptor)
    return bytes(text)


# ---------------------------------------------------------------------------
# Where there is no PID namespace and no file system in memory


def can_mount(folder: str) -> bool:
    """Whether this process, an administrator in a container perhaps, may give jobs a folder in memory."""
    child = os.fork()
    if child == 0:
        try:
            walls.mount_folder(folder, None, MAX_BYTES, MAX_FILES)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def processor_seconds(process: int) -> float:
    """What all threads of a process have computed. Its clock's number is made of its own (clock_getcpuclockid(3))."""
    return time.clock_gettime((~process << 3) | 2)


def kill_group(leader: int) -> None:
    with suppress(OSError):
        os.killpg(leader, signal.SIGKILL)


def reap_one() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return False


def reroute_library() -> list[int]:
    """Keep the standard library reachable for a user who may not enter the folders that it lies in."""
    kept = []
    for place, path in enumerate(sys.path):
        if not os.path.isdir(path) or enterable(path):
            continue
        descriptor = os.open(path, os.O_PATH | os.O_DIRECTORY)
        kept.append(descriptor)
        sys.path[place] = f"/proc/self/fd/{descriptor}"
        for module in list(sys.modules.values()):
            parts = getattr(module, "__path__", None)
            if isinstance(parts, list):
                parts[:] = [sys.path[place] + part[len(path) :] if part.startswith(path) else part for part in parts]
    sys.path_importer_cache.clear()
    return kept


def enterable(path: str) -> bool:
    """Whether everybody may enter this folder and those above it."""
    while path != "/":
        if not os.stat(path).st_mode & stat.S_IXOTH:
            return False
        path = os.path.dirname(path)
    return True


def own_tasks() -> int:
    """How many threads the user has now, where the kernel counts all of them against the limit."""
    count = 0
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{name}").st_uid == os.getuid():
                count += len(os.listdir(f"/proc/{name}/task"))
        except OSError:
            continue
    return count


def close_others(kept: set[int]) -> None:
    low = 0
    for descriptor in sorted(kept):
        if low < descriptor:  # an empty range would close everything
            os.closerange(low, descriptor)
        low = descriptor + 1
    os.closerange(low, 1 << 20)


def import_usual() -> None:
    for name in USUAL.split():
        __import__(name)


def main() -> None:
    settings: Settings = json.loads(sys.argv[1])
    walls.libc.prctl(walls.PR_SET_CHILD_SUBREAPER, 1)
    walls.drop_bounding_set()
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    import_usual()
    sys.argv = [""]
    for name in os.environ.keys() - {"HOME", "LANG", "TMPDIR"}:
        del os.environ[name]
    server = Server(settings)
    for name in [name for name in sys.modules if name.partition(".")[0] == "autotrain"]:
        del sys.modules[name]  # no program can import more of it, or put something in its place
    gc.collect()
    gc.freeze()
    server.serve()
    if not settings["process_space"]:
        os.rmdir(settings["folder"])


if __name__ == "__main__":
    main()
