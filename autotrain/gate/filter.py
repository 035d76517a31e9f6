"""The system calls that a job may make, as a seccomp program for x86_64 and aarch64; all others fail with EPERM.

What ordinary programs of the standard library need: memory, files, time, threads, pipes, waiting. Not among
them, on purpose: making processes, sockets that reach anybody, changing modes, owners, times or attributes,
signals to anything but oneself, limits, namespaces, tracing, loading code into the kernel.
"""

import errno
import struct

# name: its number on (x86_64, aarch64); None where the machine has no such call.
FREE: dict[str, tuple[int | None, int | None]] = {
    # files
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66), "pread64": (17, 67),
    "pwrite64": (18, 68), "close": (3, 57), "close_range": (436, 436), "lseek": (8, 62),
    "stat": (4, None), "fstat": (5, 80), "lstat": (6, None), "newfstatat": (262, 79), "statx": (332, 291),
    "statfs": (137, 43), "fstatfs": (138, 44), "access": (21, None), "faccessat": (269, 48),
    "faccessat2": (439, 439), "readlink": (89, None), "readlinkat": (267, 78), "getdents64": (217, 61),
    "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50), "umask": (95, 166), "flock": (73, 32),
    "fsync": (74, 82), "fdatasync": (75, 83), "ftruncate": (77, 46), "fallocate": (285, 47),
    "fadvise64": (221, 223), "rename": (82, None), "renameat": (264, 38), "renameat2": (316, 276),
    "mkdir": (83, None), "mkdirat": (258, 34), "rmdir": (84, None), "unlink": (87, None), "unlinkat": (263, 35),
    "dup": (32, 23), "dup2": (33, None), "dup3": (292, 24), "sendfile": (40, 71), "copy_file_range": (326, 285),
    # memory
    "mmap": (9, 222), "mprotect": (10, 226), "munmap": (11, 215), "mremap": (25, 216), "brk": (12, 214),
    "madvise": (28, 233), "membarrier": (324, 283),
    # waiting
    "pipe": (22, None), "pipe2": (293, 59), "select": (23, None), "pselect6": (270, 72), "poll": (7, None),
    "ppoll": (271, 73), "epoll_create": (213, None), "epoll_create1": (291, 20), "epoll_ctl": (233, 21),
    "epoll_wait": (232, None), "epoll_pwait": (281, 22), "epoll_pwait2": (441, 441), "eventfd2": (290, 19),
    # a pair of stream sockets is all there is (see GUARDED), so these reach nobody
    "recvfrom": (45, 207), "sendto": (44, 206), "shutdown": (48, 210), "getsockname": (51, 204),
    "getpeername": (52, 205), "getsockopt": (55, 209),
    # time, signals to oneself, threads
    "gettimeofday": (96, 169), "clock_gettime": (228, 113), "clock_getres": (229, 114), "time": (201, None),
    "clock_nanosleep": (230, 115), "nanosleep": (35, 101), "times": (100, 153), "getrusage": (98, 165),
    "alarm": (37, None), "setitimer": (38, 103), "getitimer": (36, 102), "pause": (34, None),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "rt_sigpending": (127, 136), "sigaltstack": (131, 132), "restart_syscall": (219, 128), "futex": (202, 98),
    "set_robust_list": (273, 99), "rseq": (334, 293), "set_tid_address": (218, 96), "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123), "getcpu": (309, 168), "exit": (60, 93), "exit_group": (231, 94),
    # who and where am I
    "getpid": (39, 172), "getppid": (110, 173), "gettid": (186, 178), "getuid": (102, 174),
    "geteuid": (107, 175), "getgid": (104, 176), "getegid": (108, 177), "getgroups": (115, 158),
    "getpgrp": (111, None), "getresuid": (118, 148), "getresgid": (120, 150), "uname": (63, 160),
    "sysinfo": (99, 179), "getrandom": (318, 278), "getrlimit": (97, 163),
}  # fmt: skip

# Each condition: (argument, mask, allowed values); all of them must hold.
Condition = tuple[int, int, tuple[int, ...]]
OWN_PROCESS = -1  # stands for the number of the process that the filter is built for

# Reading and emptying a file at once would need no right to write, before Landlock's third version.
_READ_WRITE = (0x203, (0x0, 0x1, 0x2, 0x201, 0x202))
_NEW_THREAD = (0x7E030000, (0x10000,))  # CLONE_THREAD and no new namespace
_TO_DUPLICATE_AND_LOCK = (0, 1, 2, 3, 4, 5, 6, 7, 36, 37, 38, 1030, 1032)  # F_SETOWN would send signals
_OF_TERMINALS_AND_BLOCKING = (0x5401, 0x5413, 0x5421, 0x541B, 0x5450, 0x5451)
_ALL = 0xFFFFFFFF
GUARDED: dict[str, tuple[int | None, int | None, tuple[Condition, ...]]] = {
    "open": (2, None, ((1, *_READ_WRITE),)),
    "openat": (257, 56, ((2, *_READ_WRITE),)),
    "clone": (56, 220, ((0, *_NEW_THREAD),)),
    "fcntl": (72, 25, ((1, _ALL, _TO_DUPLICATE_AND_LOCK),)),
    "ioctl": (16, 29, ((1, _ALL, _OF_TERMINALS_AND_BLOCKING),)),
    "kill": (62, 129, ((0, _ALL, (OWN_PROCESS,)),)),
    "tgkill": (234, 131, ((0, _ALL, (OWN_PROCESS,)),)),
    "socketpair": (53, 199, ((0, _ALL, (1,)), (1, 0xF, (1,)))),
}
# prlimit64 only to read: the third argument, a pointer, must be null in both halves.
_READ_LIMITS = (302, 261)
# Told to be missing, so that the C library uses clone, whose flags can be looked at.
_MISSING = (435, 435)

_LOAD, _AND, _EQUAL, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_ARCHITECTURE = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

Instruction = tuple[int, int, int, int]


def build(machine: str, process: int) -> bytes:
    """The filter for one process as an array of `struct sock_filter`.

    `machine` as platform.machine() names it; raises KeyError for one that has no table here.
    """
    architecture, column = _ARCHITECTURE[machine]
    program: list[Instruction] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
    ]
    for numbers in FREE.values():
        program += _rule(numbers[column], [])
    for *both, conditions in GUARDED.values():
        number = both[column]
        assert number is None or isinstance(number, int)
        program += _rule(number, [step for condition in conditions for step in _check(condition, process)])
    program += _rule(_READ_LIMITS[column], [*_word(32, _ALL, (0,)), *_word(36, _ALL, (0,))])
    program += [(_EQUAL, 0, 1, _MISSING[column]), (_RETURN, 0, 0, _ERROR | errno.ENOSYS)]
    program.append((_RETURN, 0, 0, _ERROR | errno.EPERM))
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program)


def _rule(number: int | None, checks: list[Instruction]) -> list[Instruction]:
    """Allow one call when its checks let it through; the number is in the accumulator until they begin."""
    if number is None:
        return []
    return [(_EQUAL, 0, len(checks) + 1, number), *checks, (_RETURN, 0, 0, _ALLOW)]


def _check(condition: Condition, process: int) -> list[Instruction]:
    argument, mask, values = condition
    return _word(16 + 8 * argument, mask, tuple(process if value == OWN_PROCESS else value for value in values))


def _word(offset: int, mask: int, values: tuple[int, ...]) -> list[Instruction]:
    """Go on when the masked word is one of `values`, fail with EPERM otherwise."""
    equal = [(_EQUAL, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [(_LOAD, 0, 0, offset), (_AND, 0, 0, mask), *equal, (_RETURN, 0, 0, _ERROR | errno.EPERM)]
