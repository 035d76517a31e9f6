"""The kernel's walls around one job: namespaces, a folder in memory, an own user, limits, Landlock, seccomp.

Used inside, by server.py; standard library only. Each function builds one wall for the calling process and
raises OSError where the kernel does not: nothing goes on behind half a wall.
"""

import ctypes
import os
import resource
import signal

CLONE_NEWNS, CLONE_NEWPID = 0x20000, 0x20000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL = 36, 38, 47, 4
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE_RULESET, LANDLOCK_ADD_RULE, LANDLOCK_RESTRICT_SELF = 444, 445, 446
LANDLOCK_VERSION, LANDLOCK_PATH_BENEATH = 1, 1

TASKS, OPEN_FILES = 64, 64

# Landlock's rights over files, by the version that brought them.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 0x10, 0x20, 0x80, 0x100
REFER, TRUNCATE, IOCTL_DEV = 0x2000, 0x4000, 0x8000
READ = EXECUTE | READ_FILE | READ_DIR
CHANGE = READ_FILE | READ_DIR | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER | TRUNCATE

libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """A function of the C library; OSError where it returns -1."""
    result: int = getattr(libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def control(option: int, value: int = 0, more: object = 0) -> None:
    word = ctypes.c_ulong
    call("prctl", option, word(value), word(more) if isinstance(more, int) else more, word(0), word(0))


def new_process_space(self_descriptor: int) -> None:
    """The next child is process 1 of a new namespace, and takes all that it made along when it ends.

    `self_descriptor` is a pidfd of the caller: only from its own namespace may it open another one.
    """
    call("setns", self_descriptor, CLONE_NEWPID)
    call("unshare", CLONE_NEWPID)


def mount_folder(folder: str, user: int | None, size: int, files: int) -> None:
    """Lay an empty folder in memory over `folder`, seen by the caller alone and gone with it."""
    call("unshare", CLONE_NEWNS)
    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    owner = "" if user is None else f",uid={user},gid={user}"
    options = f"size={size},nr_inodes={files},mode=0755{owner}".encode()
    call("mount", b"tmpfs", os.fsencode(folder), b"tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)


def limit_resources(memory: int, seconds: int, file_bytes: int, tasks: int) -> None:
    """Bytes of address space, seconds of processor time, bytes of one file, processes of the user."""
    for kind, wanted in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_NPROC, tasks),
    ):
        most = resource.getrlimit(kind)[1]
        value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(kind, (value, value))


def become(user: int) -> None:
    """Leave the current user for good; needs the right to."""
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def drop_capabilities() -> None:
    """Every right of an administrator, and the ways to get one back."""
    version, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    call("capset", version, nothing)
    control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    control(PR_SET_NO_NEW_PRIVS, 1)


def drop_bounding_set() -> None:
    for capability in range(64):
        try:
            control(PR_CAPBSET_DROP, capability)
        except OSError:
            return  # the first number that the kernel does not know, or no right to drop any


def die_with_parent(parent: int) -> None:
    """Be killed when the parent ends; to be called after the last change of user, which forgets it."""
    control(PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent and os.getppid() != parent:
        os._exit(1)


def landlock_version() -> int:
    """0 where the kernel has none."""
    found: int = libc.syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(LANDLOCK_VERSION))
    return max(found, 0)


def confine_files(version: int, readable: list[int], devices: list[int], writable: int) -> None:
    """Open nothing but what lies under these directories and devices; no TCP, no signals, no abstract sockets.

    All are descriptors; everything under `writable` may be made, changed and removed, links excepted.
    """
    rights = 0x1FFF
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        if version >= since:
            rights |= right
    words = (ctypes.c_uint64 * 3)(rights, 0x3 if version >= 4 else 0, 0x3 if version >= 6 else 0)
    size = 8 if version < 4 else 16 if version < 6 else 24
    ruleset = call("syscall", LANDLOCK_CREATE_RULESET, words, ctypes.c_size_t(size), ctypes.c_uint32(0))
    rules = [(place, READ) for place in readable] + [(place, READ_FILE | WRITE_FILE) for place in devices]
    for place, allowed in [*rules, (writable, CHANGE)]:
        rule = ctypes.create_string_buffer((allowed & rights).to_bytes(8, "little") + place.to_bytes(4, "little"), 12)
        call("syscall", LANDLOCK_ADD_RULE, ruleset, LANDLOCK_PATH_BENEATH, rule, ctypes.c_uint32(0))
    # What is refused must not fill the machine's log.
    call("syscall", LANDLOCK_RESTRICT_SELF, ruleset, ctypes.c_uint32(1 if version >= 7 else 0))
    os.close(ruleset)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_calls(instructions: bytes) -> None:
    """From here on only the calls of gate/filter.py are to be had; cannot be undone."""
    program = _Program(len(instructions) // 8, instructions)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program))
