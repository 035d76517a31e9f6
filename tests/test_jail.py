"""The jail as its callers see it: endings in order, servers replaced, nothing left, and no tier believed unproven."""

import os
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from autotrain.errors import Refused
from autotrain.gate import filter as calls
from autotrain.gate import jail as jail_module
from autotrain.gate.folder import empty, is_overfull
from autotrain.gate.jail import Ending, Jail, Limits, Tier, choose_tier, self_test

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")

LIMITS = Limits(seconds=5, memory_mb=256, output_bytes=4096)


@pytest.fixture(scope="module", params=["A", "B"])
def tier(request: pytest.FixtureRequest) -> Tier:
    if missing := self_test(request.param):
        pytest.skip(f"tier {request.param} does not hold here: {', '.join(missing)}")
    name: Tier = request.param
    return name


@pytest.fixture(scope="module")
def jail(tier: Tier) -> Iterator[Jail]:
    with Jail(LIMITS, 2, tier) as jail:
        yield jail


def run(jail: Jail, *steps: dict[str, str]) -> Ending:
    return next(jail.run([steps]))


def marked(seed: int) -> set[int]:
    """The processes that a jail with this hash seed has started."""
    found = set()
    for process in Path("/proc").iterdir():
        try:
            if f"PYTHONHASHSEED={seed}".encode() in (process / "environ").read_bytes().split(b"\0"):
                found.add(int(process.name))
        except (OSError, ValueError):
            continue
    return found


def wait_until_gone(seed: int) -> None:
    deadline = time.monotonic() + 20
    while marked(seed) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert marked(seed) == set()


# ---------------------------------------------------------------------------
# Endings


def test_a_busy_machine_fails_nobody(tier: Tier) -> None:
    """The limit is one of processor time: four others on each core do not make a right answer late."""
    limits = Limits(seconds=1, memory_mb=256)
    busy = "import time\nend = time.process_time() + 0.6\nwhile time.process_time() < end: pass"
    # Each in a session of its own, as the job is: Linux may share the machine out between sessions.
    others = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
        for _ in range(4 * len(os.sched_getaffinity(0)))
    ]
    try:
        with Jail(LIMITS, 1, tier) as jail:
            endings = [next(jail.run([[{"run": busy}]], limits)) for _ in range(2)]
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert [ending.status for ending in endings] == ["done", "done"]
    # Or this has shown nothing.
    assert max(ending.seconds for ending in endings) > limits.seconds


def test_what_only_computes_is_ended_by_its_processor_time(jail: Jail) -> None:
    limits = Limits(seconds=0.3, memory_mb=256)
    ending = next(jail.run([[{"run": "while True: pass"}]], limits))
    assert (ending.status, ending.detail) == ("timeout", "no end within 0.3 s of processor time")


def test_what_only_waits_is_ended_all_the_same(jail: Jail) -> None:
    limits = Limits(seconds=0.1, memory_mb=256)
    ending = next(jail.run([[{"run": "import time; time.sleep(60)"}]], limits))
    assert (ending.status, ending.detail) == ("timeout", "no end within 2.3 s")


def test_each_step_is_answered_in_order(jail: Jail) -> None:
    ending = run(jail, {"run": "x = 2\nprint('hello')"}, {"value": "[x, 'é']"}, {"raises": "1 / 0"}, {"value": "x"})
    assert ending.status == "done"
    assert ending.replies == [
        {"step": 0, "ok": True},
        {"step": 1, "value": '[2,"\\u00e9"]'},
        {
            "step": 2,
            "raised": [
                ["ZeroDivisionError", "ArithmeticError", "Exception", "BaseException", "object"],
                "division by zero",
            ],
        },
        {"step": 3, "value": "2"},
    ]
    assert (ending.output, ending.tier, ending.detail) == ("hello\n", jail.tier, "")
    assert 0 < ending.seconds < 5


def test_after_an_error_nothing_follows(jail: Jail) -> None:
    ending = run(jail, {"run": "print(1)"}, {"value": "missing"}, {"run": "print(2)"})
    assert ending.replies[-1] == {"step": 1, "error": ["NameError", "name 'missing' is not defined"]}
    assert (ending.status, ending.output) == ("done", "1\n")


def test_a_program_without_steps_is_done(jail: Jail) -> None:
    assert (run(jail).status, run(jail).replies) == ("done", [])


def test_the_end_of_memory_is_told_by_those_who_hold_it(jail: Jail) -> None:
    ending = run(jail, {"run": "kept = []\nwhile True: kept.append(bytearray(1000))"})
    assert (ending.status, ending.replies[-1]["error"][0]) == ("memory", "MemoryError")


def test_a_large_value_comes_back_whole(jail: Jail) -> None:
    ending = run(jail, {"value": "'\\\\' * 30000"})
    assert ending.replies[0]["value"] == '"' + "\\\\" * 30000 + '"'


@pytest.mark.parametrize(
    "source",
    [
        "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'x')\nwith tempfile.TemporaryDirectory(): pass",
        "from concurrent.futures import ThreadPoolExecutor\nwith ThreadPoolExecutor(4) as p: list(p.map(abs, [1, 2]))",
        "import asyncio\nasyncio.run(asyncio.to_thread(print, 1))",
        "import sqlite3\nc = sqlite3.connect('x.db'); c.execute('create table t (a)'); c.commit()",
        "import shutil, os\nopen('a', 'w').close(); shutil.copyfile('a', 'b'); os.makedirs('d/e'); shutil.rmtree('d')",
        "import random, time, datetime, uuid, hashlib\nrandom.random(); time.sleep(0.001); datetime.datetime.now()",
        "import bz2, csv, decimal, doctest, gzip, lzma, pickle, timeit, xml.etree.ElementTree, zipfile, zoneinfo",
        "import sys\nassert sys.stdin.read() == '' and sys.argv == [''] and __name__ == '__main__'",
        "import pickle\nfrom typing import get_type_hints\nclass A:\n    x: 'A'\n"
        "assert type(pickle.loads(pickle.dumps(A()))) is A and get_type_hints(A) == {'x': A}",
        "import os\nassert os.listdir('.') == [] and os.path.exists(os.environ['HOME'])",
    ],
)
def test_ordinary_programs_miss_nothing(jail: Jail, source: str) -> None:
    ending = run(jail, {"run": source})
    assert (ending.status, ending.replies) == ("done", [{"step": 0, "ok": True}]), ending


def test_no_package_but_the_standard_library_is_there(jail: Jail) -> None:
    for name in ("pytest", "autotrain", "autotrain.gate.runner", "server", "pydantic"):
        assert run(jail, {"run": f"import {name}"}).replies[0]["error"][0] == "ModuleNotFoundError"


# ---------------------------------------------------------------------------
# Many programs


def test_many_programs_keep_their_order(jail: Jail) -> None:
    programs = [[{"run": f"import time; time.sleep({0.3 * (n == 0)})"}, {"value": str(n)}] for n in range(40)]
    assert [ending.replies[-1]["value"] for ending in jail.run(programs)] == [str(n) for n in range(40)]


def test_closing_the_iterator_starts_no_further_programs(jail: Jail) -> None:
    taken: list[int] = []

    def programs() -> Iterator[Sequence[dict[str, str]]]:
        for n in range(1000):
            taken.append(n)
            yield [{"value": "1"}]

    endings = jail.run(programs())
    next(endings)
    endings.close()
    assert len(taken) < 200


def test_programs_leave_no_descriptor_open(jail: Jail) -> None:
    list(jail.run([[{"value": "1"}]] * 4))
    before = len(os.listdir("/proc/self/fd"))
    list(jail.run([[{"value": "1"}]] * 40))
    assert len(os.listdir("/proc/self/fd")) == before


def test_strings_hash_by_the_seed(tier: Tier, jail: Jail) -> None:
    ask = [{"value": "hash('a')"}]
    own = {ending.replies[0]["value"] for ending in jail.run([ask] * 4)}
    with Jail(LIMITS, 1, tier, hash_seed=1) as other:
        assert len(own) == 1
        assert next(other.run([ask])).replies[0]["value"] not in own


# ---------------------------------------------------------------------------
# Servers that die, and the end


def descendants() -> set[int]:
    parents = {}
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            parents[int(process.name)] = int((process / "stat").read_text().rpartition(")")[2].split()[1])
    found = {os.getpid()}
    while more := {process for process, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def settled(others: set[int], more_than: int = 0) -> set[int]:
    """Our processes without `others`, once they are as many and have been the same for half a second.

    By then what a server forks at its start, or bubblewrap, is gone.
    """
    found: set[int] = set()
    same = 0
    while same < 5 or len(found) <= more_than:
        before, found = found, descendants() - others
        same = same + 1 if found == before else 0
        time.sleep(0.1)
    return found


def kill_servers(others: set[int], idle: int, times: int) -> None:
    """Kill a server and its job once that runs, so often."""
    for _ in range(times):
        for process in sorted(settled(others, idle)):  # the server before its job, so that it has nothing to report
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize(("times", "status"), [(1, "done"), (2, "crashed")])
def test_a_lost_server_is_replaced_and_its_program_tried_once_more(tier: Tier, times: int, status: str) -> None:
    others = descendants()
    with Jail(Limits(60, 256, 4096), 1, tier) as jail:
        run(jail, {"value": "1"})
        idle = len(settled(others))
        killer = threading.Thread(target=kill_servers, args=(others, idle, times), daemon=True)
        killer.start()
        # A job that nobody kills ends soon; one that is to be killed is there until somebody has.
        seconds = 2 if times == 1 else 30
        ending = run(jail, {"run": f"import time; time.sleep({seconds})"})
        killer.join(60)
        assert ending.status == status, ending
        assert run(jail, {"value": "2"}).replies == [{"step": 0, "value": "2"}]


def test_nothing_is_left_when_the_jail_is_closed(tier: Tier, monkeypatch: pytest.MonkeyPatch) -> None:
    seed = 2_000_000_000 + os.getpid() * 4
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        with Jail(Limits(60, 256, 4096), 2, tier, seed) as jail:
            endings = jail.run([[{"run": "open('left', 'w').write('x')"}]] * 3 + [[{"run": "while True: pass"}]] * 9)
            next(endings)
            begun = time.monotonic()
        assert time.monotonic() - begun < 30, "nobody waits for the end of a job"
        wait_until_gone(seed)
        assert os.listdir(folder) == []


def test_nothing_is_left_when_the_parent_is_killed(tier: Tier) -> None:
    seed = 2_000_000_000 + os.getpid() * 4 + 3
    script = (
        f"from autotrain.gate.jail import *\nwith Jail(Limits(60), 1, {tier!r}, {seed}) as jail:\n"
        "    list(jail.run([[{'value': '1'}]])); print('up', flush=True)\n"
        "    list(jail.run([[{'run': 'while True: pass'}]]))"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        environment = {**os.environ, "TMPDIR": folder}
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=environment) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == b"up\n"
            time.sleep(0.2)
            assert marked(seed)
            parent.kill()
        wait_until_gone(seed)
        assert os.listdir(folder) == []


# ---------------------------------------------------------------------------
# No tier is believed


@pytest.fixture
def readable_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Temporary files where the walls let programs read: the self-test's canary is then in plain sight."""
    library = next((path for path in ("/usr/local/lib", f"{sys.base_prefix}/lib") if os.access(path, os.W_OK)), None)
    if library is None:
        pytest.skip("no place that programs may read can be written to here")
    with tempfile.TemporaryDirectory(dir=library) as folder:
        Path(folder).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield


def test_the_self_test_finds_a_wall_that_is_missing(tier: Tier, readable_folder: None) -> None:
    assert self_test(tier) == ["files can be read"]


def test_a_tier_that_no_longer_holds_ends_the_run(
    tier: Tier, readable_folder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jail_module, "PROGRAMS_BETWEEN_TESTS", 3)
    with Jail(LIMITS, 1, tier) as jail:
        endings = jail.run([[{"value": "1"}]] * 9)
        assert [next(endings).status, next(endings).status] == ["done", "done"]
        with pytest.raises(Refused, match="no longer holds: files can be read"):
            next(endings)


def test_a_bubblewrap_that_does_nothing_is_not_tier_a(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\necho 'setting up uid map: Permission denied' >&2\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    tier, reasons = choose_tier()
    assert tier != "A"
    assert reasons[0].startswith("tier A: ")
    assert "setting up uid map: Permission denied" in reasons[0]


WITHOUT_LANDLOCK = """
import os, sys
from autotrain.errors import Refused
from autotrain.gate import walls
from autotrain.gate.jail import Jail, Limits, choose_tier
walls.control(walls.PR_SET_NO_NEW_PRIVS, 1)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50026), (0x06, 0, 0, 0x7fff0000)]
walls.filter_calls(b"".join(__import__("struct").pack("<HBBI", *step) for step in steps))
print(choose_tier())
try:
    Jail(Limits())
except Refused as error:
    print(error.exit_status, error)
"""


def test_without_a_tier_nothing_is_run(tmp_path: Path) -> None:
    fake = tmp_path / "bwrap"
    fake.write_text("#!/bin/sh\nexit 1\n")
    fake.chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    found = subprocess.run([sys.executable, "-c", WITHOUT_LANDLOCK], capture_output=True, text=True, env=environment)
    choice, refusal = found.stdout.splitlines()
    assert choice.startswith("(None, ['tier A: ")
    assert "tier B: files can be read" in choice
    assert refusal.startswith("4 no sandbox holds on this machine")
    assert "bubblewrap" in refusal


# ---------------------------------------------------------------------------
# The allow-list of system calls, for both machines


def decide(machine: str, number: int, *arguments: int) -> int:
    """What the filter for process 77 says to a call, by carrying it out as the kernel would."""
    architecture = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}[machine]
    data = struct.pack("<IIQ6Q", number, architecture, 0, *(*arguments, *[0] * (6 - len(arguments))))
    program = list(struct.iter_unpack("<HBBI", calls.build(machine, 77)))
    accumulator = place = 0
    while True:
        code, yes, no, value = program[place]
        place += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x15:
            place += yes if accumulator == value else no
        else:
            return int(value)


ALLOW, EPERM, ENOSYS = 0x7FFF0000, 0x50001, 0x50026


@pytest.mark.parametrize(
    ("machine", "openat", "clone", "kill", "limits", "pair", "forbidden"),
    [
        ("x86_64", 257, 56, 62, 302, 53, [41, 57, 58, 59, 101, 165, 272, 321, 425, 90, 0x40000000]),
        ("aarch64", 56, 220, 129, 261, 199, [198, 221, 117, 40, 97, 280, 425, 52, 54, 88]),
    ],
)
def test_only_what_the_list_allows_is_allowed(
    machine: str, openat: int, clone: int, kill: int, limits: int, pair: int, forbidden: list[int]
) -> None:
    assert {decide(machine, number) for number in forbidden} == {EPERM}
    assert decide(machine, openat, 0, 0, os.O_RDWR | os.O_CREAT | os.O_TRUNC) == ALLOW
    assert decide(machine, openat, 0, 0, os.O_RDONLY | os.O_TRUNC) == EPERM
    assert decide(machine, clone, 0x3D0F00) == ALLOW
    assert decide(machine, clone, 0x1200011) == EPERM
    assert decide(machine, clone, 0x3D0F00 | 0x10000000) == EPERM
    assert decide(machine, 435) == ENOSYS
    assert [decide(machine, kill, target) for target in (77, 1, 0, 2**32 - 1)] == [ALLOW, EPERM, EPERM, EPERM]
    assert [decide(machine, limits, 0, 0, new) for new in (0, 1, 1 << 40)] == [ALLOW, EPERM, EPERM]
    assert [decide(machine, pair, 1, kind) for kind in (1, 1 | 0o2000000, 2, 5)] == [ALLOW, ALLOW, EPERM, EPERM]


# ---------------------------------------------------------------------------
# A folder on disk


def test_a_folder_is_overfull_by_bytes_by_names_and_by_depth(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 100)
    assert not is_overfull(str(tmp_path))
    os.truncate(tmp_path / "f", 17 << 20)
    assert is_overfull(str(tmp_path))
    empty(str(tmp_path))
    for n in range(1025):
        (tmp_path / str(n)).touch()
    assert is_overfull(str(tmp_path))


def test_a_folder_of_any_depth_and_mode_is_emptied(tmp_path: Path) -> None:
    nest = "import os\nfor _ in range(3000):\n    os.mkdir('d')\n    os.chdir('d')\nopen('x', 'w').close()"
    subprocess.run([sys.executable, "-c", nest], cwd=tmp_path, check=True)
    (tmp_path / "locked" / "in").mkdir(parents=True)
    (tmp_path / "locked" / "in").chmod(0)
    (tmp_path / "locked").chmod(0)
    assert is_overfull(str(tmp_path))
    empty(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
