"""Each test attacks one property of the sandbox with a program that really tries."""

import fcntl
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotrain.gate.sandbox import REQUIRED, Limits, execute, execute_many, protections, self_test

LIMITS = Limits(seconds=5, memory_mb=256, output_bytes=4096)
SHORT = Limits(seconds=0.5, memory_mb=256, output_bytes=4096)


@pytest.fixture(scope="module")
def holds() -> dict[str, bool]:
    return protections(LIMITS)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def is_unlocked(path: Path) -> bool:
    with path.open("rb") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.fixture
def lock() -> Iterator[Path]:
    """A file that every user may open: pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = Path(folder, "lock")
        path.touch(0o644)
        yield path


def holding(lock: Path, then: str) -> str:
    return (
        f"import fcntl, os, time\nheld = open({str(lock)!r}, 'rb')\n"
        f"fcntl.flock(held, fcntl.LOCK_SH)\nprint('held', flush=True)\n{then}\n"
    )


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(60)
    os._exit(0)
"""


def test_a_program_that_reaches_its_last_line_passes() -> None:
    outcome = execute("import math, re, json\nprint('hello')\nassert math.sqrt(4) == 2", LIMITS)
    assert (outcome.status, outcome.error_class, outcome.output) == ("passed", "", "hello\n")
    assert 0 < outcome.seconds < 5


def test_a_failed_assertion_names_the_line_that_failed() -> None:
    outcome = execute("def f(x):\n    return x\n\nassert f(1) == 2", LIMITS)
    assert (outcome.status, outcome.error_class) == ("failed", "AssertionError")
    assert outcome.detail == "AssertionError: assert f(1) == 2"


@pytest.mark.parametrize(
    ("program", "error_class"),
    [
        ("missing()", "NameError"),
        ("def f(:", "SyntaxError"),
        ("return 1", "SyntaxError"),
        ("a = 1\0", "SyntaxError"),
        ("a = '\ud800'", "SyntaxError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("input()", "EOFError"),
    ],
)
def test_errors_are_failures_with_their_class(program: str, error_class: str) -> None:
    outcome = execute(program, LIMITS)
    assert (outcome.status, outcome.error_class) == ("failed", error_class)


@pytest.mark.parametrize(
    "leave",
    [
        "import sys; sys.exit(0)",
        "raise SystemExit",
        "import os; os._exit(0)",
        "import os, sys; os.execv('/bin/true', ['true'])",
        "import os\nif os.fork():\n    os.wait()\n    os._exit(0)",
    ],
)
def test_leaving_early_is_not_a_pass(leave: str) -> None:
    outcome = execute(leave, LIMITS)
    assert outcome.status in ("failed", "crashed")
    assert outcome.detail


def test_writing_to_every_descriptor_is_not_a_pass() -> None:
    forge = "import os\nfor n in range(3, 64):\n    try: os.write(n, b'0' * 32)\n    except OSError: pass\n"
    assert execute(forge + "os._exit(0)", LIMITS).status == "crashed"


def test_the_environment_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "canary-7f3a")
    outcome = execute("import os\nprint(dict(os.environ), os.sys.argv, os.sys.flags)", LIMITS)
    assert outcome.status == "passed"
    assert "LANG" in outcome.output
    assert "canary" not in outcome.output
    assert "OPENAI" not in outcome.output


def test_the_first_environment_of_the_parent_cannot_be_read_through_proc(holds: dict[str, bool]) -> None:
    if not Path("/proc/self/environ").exists():
        pytest.skip("no /proc here")
    outcome = execute(f"print(open('/proc/{os.getpid()}/environ').read())", LIMITS)
    assert (outcome.error_class == "PermissionError") is holds["environment hidden"]


def test_site_packages_are_out_of_reach() -> None:
    assert execute("import pydantic", LIMITS).error_class == "ModuleNotFoundError"


def test_the_launchers_neighbours_cannot_be_imported() -> None:
    assert execute("import sandbox", LIMITS).error_class == "ModuleNotFoundError"


def test_strings_hash_alike_in_every_run() -> None:
    assert len({execute("print(hash('a'))", LIMITS).output for _ in range(3)}) == 1


def test_the_folder_is_empty_writable_and_gone_afterwards(temporary: Path) -> None:
    program = (
        "import os\nassert os.listdir('.') == []\n"
        "os.makedirs('a/b')\nopen('a/b/c', 'w').write('x')\nos.chmod('a', 0)\n"
        "import tempfile\ntempfile.mkdtemp(dir='.')\n"
    )
    outcome = execute(program, LIMITS)
    assert outcome.status == "passed", outcome
    assert list(temporary.iterdir()) == []


def test_a_folder_nested_beyond_recursion_is_deleted(temporary: Path) -> None:
    nest = "import os\nfor _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\n"
    assert execute(nest, LIMITS).status == "passed"
    assert list(temporary.iterdir()) == []


def test_files_outside_the_folder_are_safe(tmp_path: Path, holds: dict[str, bool]) -> None:
    if not holds["files outside"]:
        pytest.skip("neither namespaces nor another user are to be had here")
    outcome = execute(f"open({str(tmp_path / 'mark')!r}, 'w').write('x')", LIMITS)
    assert outcome.status == "failed"
    assert not (tmp_path / "mark").exists()


def test_an_infinite_loop_ends_in_time() -> None:
    begun = time.monotonic()
    outcome = execute("while True: pass", SHORT)
    assert outcome.status == "timeout"
    assert time.monotonic() - begun < 3


def test_ignoring_signals_does_not_help_an_infinite_loop() -> None:
    program = "import signal\nfor n in (1, 2, 3, 15, 24): signal.signal(n, signal.SIG_IGN)\nwhile True: pass"
    assert execute(program, SHORT).status == "timeout"


@pytest.mark.parametrize("ending", ["", "while True: pass", "os._exit(0)", "assert False"])
def test_daemonised_children_die_with_the_program(ending: str, lock: Path) -> None:
    outcome = execute(holding(lock, DAEMON + ending), SHORT)
    assert outcome.output == "held\n"
    assert is_unlocked(lock)


def test_the_program_dies_with_the_process_that_started_it(lock: Path) -> None:
    program = holding(lock, "time.sleep(60)")
    script = f"from autotrain.gate.sandbox import *\nexecute({program!r}, Limits(seconds=60))"
    # A killed starter cannot delete the folder; here it lies inside one that the test deletes.
    environment = {**os.environ, "TMPDIR": str(lock.parent)}
    starter = subprocess.Popen([sys.executable, "-c", script], env=environment)
    deadline = time.monotonic() + 10
    while is_unlocked(lock) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_unlocked(lock), "the program never began"
    starter.kill()
    starter.wait()
    while not is_unlocked(lock) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_unlocked(lock)


def test_a_fork_bomb_is_over_in_time() -> None:
    begun = time.monotonic()
    outcome = execute("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass", SHORT)
    assert outcome.status == "timeout"
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    "hog",
    ["x = []\nwhile True: x.append(bytearray(10**6))", "x = 'a' * 10**10", "x = list(range(10**9))"],
)
def test_a_memory_hog_is_stopped(hog: str) -> None:
    outcome = execute(hog, LIMITS)
    assert (outcome.status, outcome.error_class) == ("memory", "MemoryError")


@pytest.mark.parametrize(
    "flood",
    [
        "print('x' * 10**7)",
        "import os\nfor _ in range(200): os.write(1, b'y' * 10**5)",
        "import os\nfor _ in range(200): os.write(2, b'\\xff' * 10**5)",
    ],
)
def test_a_flood_of_output_is_cut_and_does_not_block(flood: str) -> None:
    outcome = execute(flood, LIMITS)
    assert outcome.status == "passed"
    assert len(outcome.output) == LIMITS.output_bytes


def test_an_endless_flood_ends_in_time() -> None:
    outcome = execute("import os\nwhile True: os.write(1, b'y' * 65536)", SHORT)
    assert outcome.status == "timeout"
    assert len(outcome.output) == SHORT.output_bytes


def test_large_files_cannot_be_written() -> None:
    outcome = execute("f = open('big', 'wb')\nfor _ in range(100): f.write(b'x' * 10**6)", LIMITS)
    assert outcome.status in ("failed", "crashed")


def test_a_segfault_is_a_crash_with_its_signal() -> None:
    outcome = execute("import ctypes\nctypes.string_at(0)", LIMITS)
    assert (outcome.status, outcome.detail) == ("crashed", "killed by SIGSEGV")


def test_detail_is_one_short_line_without_control_characters() -> None:
    outcome = execute("raise ValueError('first\\n\\x1b[31m' + 'red\\u2028' * 500)", LIMITS)
    assert outcome.detail.startswith("ValueError: ")
    assert len(outcome.detail) <= 300
    assert outcome.detail.isprintable()


def test_an_error_that_cannot_be_printed_is_still_a_failure() -> None:
    program = "class E(Exception):\n    def __str__(self): raise SystemExit\nraise E"
    outcome = execute(program, LIMITS)
    assert (outcome.status, outcome.error_class) == ("failed", "E")


def test_a_program_of_fifty_megabytes_is_an_outcome() -> None:
    outcome = execute("# " + "x" * 50_000_000 + "\nassert False", Limits(seconds=10, memory_mb=512))
    assert outcome.status in ("failed", "memory")


def test_the_network_is_closed_where_self_test_says_so(holds: dict[str, bool]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        call = f"import socket\nsocket.create_connection({server.getsockname()!r}, 1)"
        assert (execute(call, LIMITS).status != "passed") is holds["network"]


def test_self_test_names_what_does_not_hold(holds: dict[str, bool]) -> None:
    missing = self_test(LIMITS)
    assert missing == [name for name in REQUIRED if not holds[name]]
    # All but this one hold without any right that a plain user lacks.
    assert set(missing) <= {"environment hidden"}


def test_self_test_names_a_limit_that_does_not_hold() -> None:
    # Python itself does not start in so little memory, so nothing can be shown to run.
    assert "runs" in self_test(Limits(memory_mb=1))


def test_many_programs_keep_their_order() -> None:
    programs = [f"import time\ntime.sleep({0.2 if n == 0 else 0})\nprint({n})" for n in range(12)]
    assert [outcome.output for outcome in execute_many(programs, LIMITS, 3)] == [f"{n}\n" for n in range(12)]


def test_closing_starts_no_further_programs() -> None:
    started: list[int] = []

    def programs() -> Iterator[str]:
        for n in range(1000):
            started.append(n)
            yield "pass"

    outcomes = execute_many(programs(), LIMITS, 2)
    next(outcomes)
    outcomes.close()
    assert len(started) < 20


def test_programs_at_the_same_time_do_not_see_one_another() -> None:
    look = (
        "import os, time\nopen('mine', 'w').write('x')\ntime.sleep(0.3)\nassert os.listdir('.') == ['mine']"
    )
    assert {outcome.status for outcome in execute_many([look] * 4, LIMITS, 4)} == {"passed"}
