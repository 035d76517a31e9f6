"""Run one program behind whatever walls this machine offers. Started by path by sandbox.py, never imported.

    parent ──▶ keeper (this process: builds the walls, forks, kills what is left) ──▶ program

stdin holds one line "parent_pid report watch memory_bytes cpu_seconds nonce folder" and then the
program's UTF-8 text. On `report` the program's process writes "S" when the program is about to start and
then either the nonce (the last line was reached) or "E<class>\\0<detail>". On `watch`, which the program
never sees, the keeper writes "<exit status> <signal> <cpu seconds>" when every process it knows is gone.
"""

# ruff: noqa: SIM105 -- contextlib would cost every program milliseconds at its start

import ctypes
import os
import resource
import signal
import sys
from types import CodeType, FrameType, ModuleType

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x20000, 0x8000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
MS_NOSUID, MS_NODEV, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x4000, 0x40000
SYS_MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 0x1

NOBODY = 65534
MAX_TASKS = 64
MAX_FILE_BYTES = 16 << 20
MAX_FILES = 256

LINUX = sys.platform == "linux"
libc = ctypes.CDLL(None)


def main() -> None:
    header, _, source = sys.stdin.buffer.read().partition(b"\n")
    parent, report, watch, memory, cpu, nonce, folder = header.split(b" ", 6)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    if LINUX:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        prefer_for_oom()
    if os.getppid() != int(parent):
        os._exit(1)
    limit(resource.RLIMIT_CORE, 0)
    root = os.getuid() == 0
    user = own_user(os.fsdecode(folder)) if root else os.getuid()
    library = open_library() if root else {}
    walled = LINUX and unshare(user, os.fsdecode(folder))
    if LINUX and not walled:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1)
    if LINUX and not root:
        libc.prctl(PR_SET_DUMPABLE, 0)

    child = 0

    def on_terminate(number: int, frame: FrameType | None) -> None:
        if child == 0:
            os._exit(1)
        try:
            os.kill(child, signal.SIGKILL)
        except ProcessLookupError:
            pass

    signal.signal(signal.SIGTERM, on_terminate)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.close(int(watch))
        os.set_inheritable(int(report), False)
        os.setsid()
        drop_rights(user, int(memory), int(cpu))
        if walled or root:  # otherwise the count would include every other process of the user
            limit(resource.RLIMIT_NPROC, MAX_TASKS)
        reroute_library(library)
        run(source.decode("utf-8", "surrogatepass"), int(report), nonce, int(memory))
    os.close(int(report))
    _, status, usage = os.wait4(child, 0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sweep(child, walled)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -1
    os.write(int(watch), f"{code} {number} {usage.ru_utime + usage.ru_stime:.3f}".encode())
    os._exit(0)


def own_user(folder: str) -> int:
    """A user that no other program has, so that two at a time cannot signal or read one another."""
    for user in (0x40000000 + os.getpid(), NOBODY):
        try:
            os.chown(folder, user, user)
            return user
        except OSError:
            continue  # such a number does not exist in this container
    return NOBODY


def unshare(user: int, folder: str) -> bool:
    """Move what is forked next into namespaces of its own; False where the machine does not let us."""
    uid, gid = os.getuid(), os.getgid()
    wanted = CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS
    if uid != 0:
        wanted |= CLONE_NEWUSER
    if not hasattr(libc, "unshare") or libc.unshare(wanted) != 0:
        return False
    if uid != 0:
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{uid} {uid} 1"),
            ("gid_map", f"{gid} {gid} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as stream:
                stream.write(text)
    else:
        gid = user
    mount_walls(folder, f"uid={user},gid={gid},mode=0700")
    return True


def mount_walls(folder: str, owner: str) -> None:
    """Everything read-only, but for a small folder in memory that vanishes with the program."""
    libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    attributes = (ctypes.c_uint64 * 4)(MOUNT_ATTR_RDONLY, 0, 0, 0)
    libc.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, ctypes.sizeof(attributes))
    options = f"size=64m,nr_inodes=4096,{owner}".encode()
    for place in (os.fsencode(folder), b"/dev/shm"):
        libc.mount(b"tmpfs", place, b"tmpfs", MS_NOSUID | MS_NODEV, options)
    os.chdir(folder)


def open_library() -> dict[str, str]:
    """Paths by which the standard library stays reachable for a user who may not enter its parents."""
    found = {}
    for path in sys.path:
        if os.path.isdir(path):
            found[path] = f"/proc/self/fd/{os.open(path, os.O_RDONLY | os.O_DIRECTORY)}"
    return found


def reroute_library(library: dict[str, str]) -> None:
    blocked = {old: new for old, new in library.items() if not os.access(old, os.R_OK | os.X_OK)}
    for old in library.keys() - blocked.keys():
        os.close(int(library[old].rpartition("/")[2]))
    for old, new in blocked.items():
        sys.path[:] = [new if entry == old else entry for entry in sys.path]
        for module in list(sys.modules.values()):
            paths = getattr(module, "__path__", None)
            if isinstance(paths, list):
                paths[:] = [new + path[len(old) :] if path.startswith(old + "/") else path for path in paths]
    sys.path_importer_cache.clear()


def drop_rights(user: int, memory: int, cpu: int) -> None:
    if os.getuid() == 0:
        try:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        except OSError:
            pass  # self_test finds what follows from it
    if LINUX:
        version, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        libc.capset(version, nothing)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The reserve above the soft limit is what reporting a MemoryError lives on.
    limit(resource.RLIMIT_AS, memory, memory + (32 << 20))
    limit(resource.RLIMIT_CPU, cpu, cpu + 1)
    limit(resource.RLIMIT_FSIZE, MAX_FILE_BYTES)
    limit(resource.RLIMIT_NOFILE, MAX_FILES)


def prefer_for_oom() -> None:
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("1000")
    except OSError:
        pass


def limit(kind: int, soft: int, hard: int | None = None) -> None:
    """Lower a limit; where the system has no such limit, or a lower one, go on: self_test tells."""
    try:
        resource.setrlimit(kind, (soft, soft if hard is None else hard))
    except (OSError, ValueError):
        pass


def run(source: str, report: int, nonce: bytes, memory: int) -> None:
    """Execute the program in this process, write the verdict and end the process."""
    write, leave, getpid, me = os.write, os._exit, os.getpid, os.getpid()
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    sys.argv = [""]
    write(report, b"S")
    try:
        exec(compile_source(source), module.__dict__)  # noqa: S102 -- what all this is for
        verdict = nonce
    except BaseException as error:
        limit(resource.RLIMIT_AS, resource.getrlimit(resource.RLIMIT_AS)[1])
        verdict = b"E" + describe(error, source).encode("utf-8", "replace")[:2000]
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            continue
    # A child that the program forked arrives here as well, and proves nothing.
    if getpid() == me:
        write(report, verdict)
    leave(0)


def compile_source(source: str) -> CodeType:
    try:
        return compile(source, "<program>", "exec", dont_inherit=True)
    except (ValueError, RecursionError) as error:
        raise SyntaxError(f"{type(error).__name__}: {error}") from None


def describe(error: BaseException, source: str) -> str:
    """Class, a NUL, and the message; for a bare assertion the line that failed."""
    name = type(error).__name__
    try:
        message = error.msg if isinstance(error, SyntaxError) else str(error)
        if not message and isinstance(error, AssertionError):
            message = failing_line(error, source)
    except BaseException:
        message = ""
    return f"{name}\0{message}"[:2000]


def failing_line(error: BaseException, source: str) -> str:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return source.split("\n")[line - 1].strip() if line else ""


def sweep(child: int, walled: bool) -> None:
    """Kill what the program left behind. In a PID namespace the kernel has done so already."""
    if walled:
        return
    try:
        os.killpg(child, signal.SIGKILL)
    except OSError:
        pass
    while LINUX and (left := children()):
        for pid in left:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def children() -> list[int]:
    """As a subreaper this process is the parent of every orphan of the program."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as stream:
                after_name = stream.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(after_name[1]) == os.getpid():
            found.append(int(name))
    return found


if __name__ == "__main__":
    del sys.path[0]
    main()
