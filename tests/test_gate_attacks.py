"""One test an attack, in every tier: how the job ends, that the host is as it was, and that nothing is left running."""

import ctypes
import json
import os
import socket
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from autotrain.gate.jail import Ending, Jail, Limits, Tier, self_test

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

# What ends by itself has time enough on a machine that stands still for a while; what does not is given one second.
LIMITS = Limits(seconds=10.0, memory_mb=256, output_bytes=4096)
HASTY = replace(LIMITS, seconds=1.0)
SECRET = "canary-91c7"
ROOT = Path(__file__).resolve().parents[1]


class Cell:
    """A jail of one server, a folder of the host that nothing but its walls protects, and what runs in it."""

    def __init__(self, tier: Tier, folder: Path) -> None:
        self.folder = folder
        self.canary = folder / "canary"
        self.canary.write_text(SECRET)
        folder.chmod(0o777)
        self.canary.chmod(0o666)
        self.seed = 1_000_000_000 + os.getpid() * 2 + (tier == "B")  # in the environment of all that it starts
        self.jail = Jail(LIMITS, 1, tier, self.seed)
        self.run("pass")
        self.servers = self.processes()

    def run(self, *sources: str, limits: Limits = LIMITS) -> Ending:
        """Each source is run, but for the last of several, which is an expression."""
        *runs, last = [{"run": source} for source in sources]
        steps = [*runs, {"value": last["run"]}] if runs else [last]
        self.jail.limits = limits
        return next(self.jail.run([steps]))

    def processes(self) -> set[int]:
        marker = f"PYTHONHASHSEED={self.seed}".encode()
        found = set()
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and marker in (process / "environ").read_bytes().split(b"\0"):
                    found.add(int(process.name))
            except OSError:
                continue
        return found

    def assert_unharmed(self) -> None:
        deadline = time.monotonic() + 20
        while self.processes() != self.servers and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.processes() == self.servers, "a process was left, or a server was lost"
        assert [path.name for path in self.folder.iterdir()] == ["canary"]
        assert self.canary.read_text() == SECRET
        following = self.run("import os, math\nassert math.sqrt(4) == 2", "os.listdir('.')")
        assert following.replies == [{"step": 0, "ok": True}, {"step": 1, "value": "[]"}]


@pytest.fixture(scope="module", params=["A", "B"])
def shared(request: pytest.FixtureRequest) -> Iterator[Cell]:
    if missing := self_test(request.param):
        pytest.skip(f"tier {request.param} does not hold here: {', '.join(missing)}")
    with tempfile.TemporaryDirectory() as folder:
        cell = Cell(request.param, Path(folder))
        with cell.jail:
            yield cell


@pytest.fixture
def cell(shared: Cell) -> Iterator[Cell]:
    yield shared
    shared.assert_unharmed()


def assert_refused(ending: Ending, *classes: str) -> None:
    """The attack ended in an error at once, of one of these classes where any are given."""
    assert ending.status == "done", ending
    assert "error" in ending.replies[-1], ending
    assert not classes or ending.replies[-1]["error"][0] in classes, ending
    assert SECRET not in str(ending)


DENIED = ("PermissionError", "FileNotFoundError", "OSError", "IsADirectoryError")


# ---------------------------------------------------------------------------
# Reading


@pytest.mark.parametrize(
    "path",
    [
        "{canary}",
        "{home}/.ssh/id_rsa",
        "/etc/passwd",
        "/etc/hostname",
        "{root}/pyproject.toml",
        "/proc/{parent}/environ",
        "/proc/self/environ",
        "/proc/1/environ",
        "/proc/{server}/environ",
        "/proc/{server}/mem",
        "/proc/self/root/{canary}",
        "/proc/self/cwd/../../../../..{canary}",
        "/dev/mem",
        "/dev/kmsg",
    ],
)
def test_files_of_the_host_cannot_be_read(cell: Cell, path: str) -> None:
    places = {"canary": cell.canary, "home": Path.home(), "root": ROOT, "parent": os.getpid()}
    wanted = path.format(**places, server=max(cell.servers))
    assert_refused(cell.run(f"print(open({wanted!r}, 'rb').read())"), *DENIED)


@pytest.mark.parametrize("path", ["{home}", "{home}/.ssh", "/etc", "{root}", "{folder}", "/proc", "/", "/tmp"])
def test_folders_of_the_host_cannot_be_listed(cell: Cell, path: str) -> None:
    wanted = path.format(home=Path.home(), root=ROOT, folder=cell.folder)
    assert_refused(cell.run(f"import os; print(os.listdir({wanted!r}))"), *DENIED)


def test_the_environment_says_nothing(cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    ending = cell.run("import os", "sorted(os.environ)")
    assert ending.replies[-1] == {"step": 1, "value": '["HOME","LANG","TMPDIR"]'}
    dump = "import ctypes\nstack = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), 'environ')"
    walk = "[stack[n] for n in range(3)]"
    assert SECRET not in str(cell.run(dump, walk))


# ---------------------------------------------------------------------------
# Writing


@pytest.mark.parametrize(
    "source",
    [
        "open('{folder}/mark', 'w')",
        "open('{canary}', 'a').write('x')",
        "open('{canary}', 'r+')",
        "import os; os.open('{canary}', os.O_RDONLY | os.O_TRUNC)",
        "import os; os.truncate('{canary}', 0)",
        "import os; os.remove('{canary}')",
        "import os; os.rename('{canary}', '{folder}/other')",
        "import os; os.mkdir('{folder}/sub')",
        "import os; os.chmod('{canary}', 0o600)",
        "import os; os.utime('{canary}', (0, 0))",
        "import os; os.chown('{canary}', 1, 1)",
        "import os; os.setxattr('{canary}', 'user.a', b'x')",
        "import os; os.mkfifo('pipe')",
        "open('/tmp/autotrain-mark', 'w')",
        "open('/dev/shm/autotrain-mark', 'w')",
        "open('/usr/lib/autotrain-mark', 'w')",
        "open('{library}/autotrain-mark.py', 'w')",
        "import os; os.open('{library}/this.py', os.O_RDONLY | os.O_TRUNC)",
        "open('{root}/mark', 'w')",
    ],
)
def test_nothing_outside_can_be_changed(cell: Cell, source: str) -> None:
    library = sysconfig.get_path("stdlib")
    filled = source.format(folder=cell.folder, canary=cell.canary, library=library, root=ROOT)
    assert_refused(cell.run(filled), *DENIED)
    assert Path(library, "this.py").stat().st_size > 0


@pytest.mark.parametrize("way", ["symlink", "link"])
def test_links_out_cannot_be_made(cell: Cell, way: str) -> None:
    assert_refused(cell.run(f"import os; os.{way}('{cell.canary}', 'link'); print(open('link').read())"), *DENIED)


# ---------------------------------------------------------------------------
# The network


def test_sockets_cannot_be_made(cell: Cell) -> None:
    for family in ("AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
        for kind in ("SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW"):
            assert_refused(cell.run(f"import socket; socket.socket(socket.{family}, socket.{kind})"), "PermissionError")


def test_a_listener_on_this_machine_hears_nobody(cell: Cell) -> None:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder).chmod(0o777)
        unix = stack.enter_context(socket.socket(socket.AF_UNIX))
        unix.bind(f"{folder}/socket")
        Path(folder, "socket").chmod(0o777)
        unix.listen()
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0autotrain-{os.getpid()}")
        abstract.listen()
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        for listener, family in ((unix, "AF_UNIX"), (abstract, "AF_UNIX"), (tcp, "AF_INET")):
            listener.setblocking(False)
            call = f"s = socket.socket(socket.{family}); s.connect({listener.getsockname()!r})"
            assert_refused(cell.run(f"import socket\n{call}"), *DENIED)
            with pytest.raises(BlockingIOError):
                listener.accept()
        udp.setblocking(False)
        send = f"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', {udp.getsockname()!r})"
        assert_refused(cell.run(f"import socket\n{send}"), *DENIED)
        with pytest.raises(BlockingIOError):
            udp.recv(1)


def test_a_pair_of_sockets_reaches_no_third(cell: Cell) -> None:
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        Path(folder).chmod(0o777)
        receiver.bind(f"{folder}/socket")
        Path(folder, "socket").chmod(0o777)
        receiver.setblocking(False)
        pair = "import socket\na, b = socket.socketpair(socket.AF_UNIX, socket.{kind})\na.sendto(b'x', {place!r})"
        for kind in ("SOCK_DGRAM", "SOCK_STREAM", "SOCK_SEQPACKET"):
            assert_refused(cell.run(pair.format(kind=kind, place=f"{folder}/socket")), *DENIED)
        with pytest.raises(BlockingIOError):
            receiver.recv(1)


def test_the_teacher_on_this_machine_is_not_asked(cell: Cell) -> None:
    asked = []

    class Teacher(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)

    with HTTPServer(("127.0.0.1", 0), Teacher) as teacher:
        thread = threading.Thread(target=teacher.serve_forever, args=(0.01,))
        thread.start()
        address = f"http://127.0.0.1:{teacher.server_port}/v1/models"
        assert_refused(cell.run(f"import urllib.request\nurllib.request.urlopen({address!r}, timeout=1)"), "URLError")
        teacher.shutdown()
        thread.join()
    assert asked == []


# ---------------------------------------------------------------------------
# Using up the machine


@pytest.mark.parametrize(
    ("source", "statuses"),
    [
        ("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", {"timeout"}),
        ("import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()", {"done"}),
        (
            "import _thread, threading, time\nthreading.stack_size(1 << 15)\n"
            "while True:\n    try: _thread.start_new_thread(time.sleep, (60,))\n    except RuntimeError: pass",
            {"timeout", "memory"},
        ),
        ("x = []\nwhile True: x.append(bytearray(10**6))", {"memory"}),
        ("x = []\nwhile True: x.append(object())", {"memory", "timeout"}),
        ("x = 'a' * 10**10", {"memory"}),
        ("import mmap\nx = [mmap.mmap(-1, 1 << 24) for _ in range(100)]", {"done", "memory"}),
        ("n = 0\nwhile True:\n    open(f'f{n}', 'wb').write(bytes(10**6)); n += 1", {"done", "memory"}),
        ("f = open('f', 'wb')\nwhile True: f.write(bytes(10**6))", {"done", "crashed"}),
        ("n = 0\nwhile True:\n    open(f'f{n}', 'w').close(); n += 1", {"done", "memory"}),
        ("import os\nwhile True:\n    os.mkdir('d'); os.chdir('d')", {"done", "memory"}),
        ("import os\nwhile True: os.pipe()", {"done"}),
        ("f = open('/dev/zero', 'rb').read()", {"memory"}),
    ],
    ids=[
        "fork",
        "thread",
        "small-threads",
        "memory",
        "objects",
        "string",
        "maps",
        "disk",
        "file",
        "inodes",
        "nested",
        "descriptors",
        "zero",
    ],
)
def test_a_bomb_is_over_in_time(cell: Cell, source: str, statuses: set[str]) -> None:
    # Whatever cannot be ended soon after its time is none of these, but `crashed` with its server.
    ending = cell.run(source, limits=HASTY if "timeout" in statuses else LIMITS)
    assert ending.status in statuses, ending
    if ending.status == "done":
        assert_refused(ending)


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\nwhile True: pass",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass",
        "import time; time.sleep(1000)",
        "x = 7 ** 7 ** 9",
        "import re; re.match('(a+)+$', 'a' * 64 + 'b')",
    ],
    ids=["loop", "swallow", "ignore", "block", "sleep", "power", "regex"],
)
def test_what_does_not_end_is_ended(cell: Cell, source: str) -> None:
    ending = cell.run(source, limits=HASTY)
    assert ending.status == "timeout", ending


@pytest.mark.parametrize(
    "source",
    [
        "print('x' * 10**7)",
        "import os\nfor _ in range(100): os.write(1, b'y' * 10**5)",
        "import os\nfor _ in range(100): os.write(2, b'\\xff' * 10**5)",
    ],
)
def test_a_flood_of_output_is_cut(cell: Cell, source: str) -> None:
    ending = cell.run(source)
    assert (ending.status, len(ending.output)) == ("done", LIMITS.output_bytes)


def test_an_endless_flood_is_ended(cell: Cell) -> None:
    ending = cell.run("import os\nwhile True: os.write(1, b'y' * 65536)", limits=HASTY)
    assert (ending.status, len(ending.output)) == ("timeout", LIMITS.output_bytes)


def test_a_flood_of_replies_is_ended_at_once(cell: Cell) -> None:
    flood = (
        "import os\nwhile True:\n    for n in range(3, 64):\n"
        "        try: os.write(n, b'z' * 65536)\n        except OSError: pass"
    )
    ending = cell.run(flood)
    assert (ending.status, ending.replies) == ("crashed", [])
    assert ending.seconds < LIMITS.seconds


# ---------------------------------------------------------------------------
# Other processes, and more rights


def test_signals_reach_nobody_else(cell: Cell) -> None:
    servers = [os.getpid(), os.getppid(), *cell.servers, 0, -1]
    for process in servers:
        assert_refused(cell.run(f"import os; os.kill({process}, 9)"), "PermissionError")
    assert_refused(cell.run("import os; os.killpg(0, 9)"), "PermissionError")
    # Its own parent is 0 in a PID namespace, and 1 is itself there.
    cell.run("import os\nfor process in (os.getppid(), 1):\n    os.kill(process, 15)")


def test_a_pipe_sends_no_signal_in_its_stead(cell: Cell) -> None:
    own = f"import fcntl, os\na, b = os.pipe()\nfcntl.fcntl(a, fcntl.F_SETOWN, {os.getpid()})"
    assert_refused(cell.run(own), "PermissionError")


NUMBERS = {"bpf": (321, 280), "keyctl": (250, 219), "perf_event_open": (298, 241), "userfaultfd": (323, 282)}
SAME = {"pidfd_open": 434, "io_uring_setup": 425, "pidfd_getfd": 438, "openat2": 437, "landlock_create_ruleset": 444}


@pytest.mark.parametrize(
    "call",
    [
        "ptrace(16, {parent}, 0, 0)",
        "ptrace(0, 0, 0, 0)",
        "process_vm_readv({parent}, 0, 0, 0, 0, 0)",
        "process_vm_writev({parent}, 0, 0, 0, 0, 0)",
        "unshare(0x10000000)",
        "unshare(0x20000)",
        "mount(b'none', b'/', b'tmpfs', 0, None)",
        "umount2(b'/', 2)",
        "setns(0, 0)",
        "chroot(b'.')",
        "setuid(0)",
        "setresuid(0, 0, 0)",
        "setgroups(0, None)",
        "prctl(4, 1, 0, 0, 0)",
        "prctl(1, 0, 0, 0, 0)",
        "personality(0x40000)",
        "execv(b'/bin/true', None)",
        "mq_open(b'/q', 66, 0o600, None)",
        "shmget(0, 4096, 0o1600)",
        "setpriority(0, 0, -5)",
        *(f"syscall({number}, 0, 0, 0, 0, 0)" for number in SAME.values()),
        *(f"syscall({both[os.uname().machine == 'aarch64']}, 0, 0, 0, 0, 0)" for both in NUMBERS.values()),
    ],
)
def test_calls_for_more_are_refused(cell: Cell, call: str) -> None:
    prepare = f"import ctypes\nlibrary = ctypes.CDLL(None, use_errno=True)\nresult = library.{call}"
    ending = cell.run(prepare.format(parent=os.getpid()), "(result, ctypes.get_errno())")
    assert ending.replies[-1] == {"step": 1, "value": '{"t":[-1,1]}'}, ending


@pytest.mark.parametrize(
    "source",
    [
        "import subprocess; subprocess.run(['/bin/sh', '-c', 'id'])",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.system('true') and 1 / 0",
        "import multiprocessing; multiprocessing.get_context('fork').Process(target=print).start()",
    ],
)
def test_programs_cannot_be_started(cell: Cell, source: str) -> None:
    assert_refused(cell.run(source))


def test_limits_cannot_be_raised(cell: Cell) -> None:
    for name in ("AS", "CPU", "FSIZE", "NOFILE", "NPROC", "CORE"):
        raise_it = f"import resource\nresource.setrlimit(resource.RLIMIT_{name}, (-1, -1))"
        assert_refused(cell.run(raise_it), "PermissionError", "ValueError")
    assert cell.run("import resource", "resource.getrlimit(resource.RLIMIT_CORE)").replies[-1]["value"] == '{"t":[0,0]}'


def test_no_right_of_an_administrator_is_left(cell: Cell) -> None:
    look = (
        "import ctypes\nversion, rights = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()\n"
        "found = ctypes.CDLL(None).capget(version, rights), list(rights)"
    )
    assert cell.run(look, "found").replies[-1]["value"] in ('{"t":[-1,[0,0,0,0,0,0]]}', '{"t":[0,[0,0,0,0,0,0]]}')


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
"""


@pytest.mark.parametrize("then", ["", "while True: pass", "os._exit(0)"])
def test_a_daemon_is_not_left(cell: Cell, then: str) -> None:
    assert_refused(cell.run(DAEMON + then), "PermissionError")


def test_a_thread_does_not_outlive_its_job(cell: Cell) -> None:
    loop = "import threading\ndef f():\n    while True: pass\nthreading.Thread(target=f).start()"
    assert cell.run(loop).status == "done"


# ---------------------------------------------------------------------------
# Faking a result


@pytest.mark.parametrize("leave", ["import os; os._exit(0)", "import os; os.kill(os.getpid(), 6); os._exit(0)"])
def test_leaving_is_no_answer(cell: Cell, leave: str) -> None:
    at_import = cell.run(leave, "1")
    assert (at_import.status, at_import.replies) == ("crashed", [])
    in_function = cell.run("def f():\n    " + leave, "f()")
    assert (in_function.status, in_function.replies) == ("crashed", [{"step": 0, "ok": True}])


@pytest.mark.parametrize("leave", ["import sys; sys.exit(0)", "raise SystemExit", "raise GeneratorExit", "exit()"])
def test_exits_are_errors(cell: Cell, leave: str) -> None:
    assert_refused(cell.run(leave, "1"))
    assert_refused(cell.run("def f():\n    " + leave, "f()"))


def test_what_is_registered_for_the_end_is_not_run(cell: Cell) -> None:
    ending = cell.run("import atexit, os\natexit.register(os._exit, 3)\natexit.register(print, 'end')", "1")
    assert (ending.status, ending.replies[-1], ending.output) == ("done", {"step": 1, "value": "1"}, "")


@pytest.mark.parametrize(
    "source",
    [
        "class V:\n    def __eq__(self, other): return True",
        "class V(int):\n    def __eq__(self, other): return True",
        "class V(str):\n    __class__ = str",
        "class V(list):\n    def __eq__(self, other): return True",
        "class M(type):\n    def __eq__(self, other): return True\n    __hash__ = type.__hash__\n"
        "class V(metaclass=M): pass",
    ],
)
def test_a_value_that_lies_is_not_taken_for_one(cell: Cell, source: str) -> None:
    assert cell.run(source, "V()").replies[-1] == {"step": 1, "foreign": "V"}
    assert cell.run(source, "[V()]").replies[-1] == {"step": 1, "foreign": "list"}


@pytest.mark.parametrize(
    "patch",
    [
        "import builtins\nfor name in ('eval', 'exec', 'compile', 'type', 'isinstance', 'repr', 'str', 'len'):\n"
        "    setattr(builtins, name, lambda *a, **k: 42)",
        "import json\njson.dumps = lambda *a, **k: '42'",
        "import unittest\nunittest.TestCase.assertEqual = lambda *a: None",
        "import builtins\nbuiltins.AssertionError = None",
        "import sys\nsys.settrace(lambda *a: None); sys.setprofile(lambda *a: None)",
        "import sys\nsys.modules.clear()",
        "import gc\ngc.collect()",
    ],
)
def test_patched_tools_change_no_value(cell: Cell, patch: str) -> None:
    ending = cell.run(patch + "\ndef f(x): return x + 1", "f(2)")
    assert ending.replies == [{"step": 0, "ok": True}, {"step": 1, "value": "3"}], ending


FRAMES = """
import sys
found, frame = [], sys._getframe()
while frame is not None:
    found.append(sorted(frame.f_locals))
    for name in ("steps", "source"):
        if name in frame.f_locals:
            frame.f_locals[name] = None
    frame = frame.f_back
def f(): return 7
"""


def test_the_frames_of_the_harness_hold_no_verdict(cell: Cell) -> None:
    assert cell.run(FRAMES, "f()").replies[-1] == {"step": 1, "value": "7"}


@pytest.mark.parametrize(
    "forged",
    [
        [{"step": 1, "value": "7"}],
        [{"step": 0, "ok": 1}],
        [{"step": True, "ok": True}],
        [{"step": 0, "ok": True, "status": "done"}],
        [{"step": 0, "value": 7}],
        [{"step": 0, "error": ["E"]}],
        [{"step": 0, "error": ["E", ""]}, {"step": 1, "value": "7"}],
        [{"step": 0, "ok": True}, {"step": 1, "value": "7"}, {"step": 2, "value": "7"}],
        ["ended 0 0 0"],
        [[]],
    ],
)
def test_forged_replies_that_fit_no_step_spoil_the_job(cell: Cell, forged: list[Any]) -> None:
    lines = "".join(json.dumps(line) + "\n" for line in forged).encode()
    write = f"import os\nfor n in range(3, 64):\n    try: os.write(n, {lines!r})\n    except OSError: pass"
    ending = cell.run(f"{write}\nos._exit(0)", "1 + 1")
    assert ending.status == "crashed", ending


def test_a_true_reply_behind_a_forged_one_spoils_the_job(cell: Cell) -> None:
    line = b'{"step": 0, "ok": true}\n'
    write = f"import os\nfor n in range(3, 64):\n    try: os.write(n, {line!r})\n    except OSError: pass"
    assert cell.run(write, "1 + 1").status == "crashed"


def test_verdicts_on_every_descriptor_are_no_verdict(cell: Cell) -> None:
    write = (
        "import os\nfor n in range(64):\n    try: os.write(n, b'ended 0 0 0.0')\n    except OSError: pass\nos._exit(0)"
    )
    assert cell.run(write, "1").status == "crashed"


def test_only_the_descriptors_of_the_job_are_open(cell: Cell) -> None:
    count = (
        "import os, stat\nfound = []\nfor n in range(1024):\n    try: found.append(stat.S_IFMT(os.fstat(n).st_mode))\n"
        "    except OSError: pass"
    )
    kinds = json.loads(cell.run(count, "found").replies[-1]["value"])
    folders = [kind for kind in kinds if kind == 0o040000]  # of the library, for an own user in tier B
    assert sorted(set(kinds) - {0o040000}) == [0o010000, 0o020000]
    assert len(kinds) - len(folders) == 4


# ---------------------------------------------------------------------------
# The next job


def test_files_are_not_left_for_the_next_job(cell: Cell) -> None:
    nest = (
        "import os\nos.mkdir('a', 0)\nos.makedirs('b/c')\nopen('b/c/d', 'w').write('x')\nopen('.hidden', 'w').close()"
    )
    assert cell.run(nest).replies == [{"step": 0, "ok": True}]
    assert cell.run("import os", "os.listdir('.')").replies[-1] == {"step": 1, "value": "[]"}


def test_a_poisoned_module_is_not_left_for_the_next_job(cell: Cell) -> None:
    poison = (
        "import builtins, json, math, sys\nmath.sqrt = lambda x: 42\njson.dumps = None\nbuiltins.len = lambda x: 42\n"
        "sys.modules['random'] = None\nopen('heapq.py', 'w').write('raise SystemExit')\nsys.path.insert(0, '.')"
    )
    assert cell.run(poison).replies == [{"step": 0, "ok": True}]
    following = cell.run("import heapq, json, math, random", "(math.sqrt(4), json.dumps([]), len([]))")
    assert following.replies[-1] == {"step": 1, "value": '{"t":[2.0,"[]",0]}'}


# ---------------------------------------------------------------------------
# Breaking the interpreter


def test_runaway_recursion_is_an_error(cell: Cell) -> None:
    assert_refused(cell.run("def f(): f()\nf()"), "RecursionError")
    deep = cell.run(
        "import sys\nsys.setrecursionlimit(10**9)\nclass A:\n    def __repr__(self): return repr(self)\nrepr(A())"
    )
    assert deep.status in ("crashed", "memory", "timeout") or "error" in deep.replies[-1]


def test_a_segfault_is_a_crash(cell: Cell) -> None:
    ending = cell.run("import ctypes; ctypes.string_at(0)")
    assert (ending.status, ending.detail) == ("crashed", "killed by SIGSEGV")


def test_fifty_megabytes_of_source_are_an_ending(cell: Cell) -> None:
    ending = cell.run("# " + "x" * 50_000_000 + "\nassert False")
    assert ending.status in ("memory", "timeout", "done")
    assert ending.status != "done" or ending.replies[-1]["error"][0] in ("MemoryError", "AssertionError")


@pytest.mark.parametrize("source", ["a = 1\0", "a = '\ud800'", "\ufeff\0", "(" * 100_000])
def test_text_that_is_no_program_is_an_error(cell: Cell, source: str) -> None:
    ending = cell.run(source)
    assert ending.status in ("memory", "crashed") or "error" in ending.replies[-1]


def test_the_test_itself_could_do_all_that() -> None:
    """Outside the walls these attacks succeed here, so that their failing inside says something."""
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as listener:
        Path(folder, "canary").write_text(SECRET)
        assert Path(folder, "canary").read_text() == SECRET
        socket.create_connection(listener.getsockname(), 1).close()
        assert ctypes.CDLL(None).getppid() == os.getppid()
