"""`python -m autotrain.dashboard`: one frame for people or programs, and the live screen in a real terminal."""

import asyncio
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from recorded_run import RUN_ID, record

from autotrain.config import Settings
from autotrain.monitor.follow import Follower
from autotrain.monitor.screen import Dashboard, Screenful
from autotrain.monitor.views.page import Page
from autotrain.run.paths import OutPaths

ROOT = Path(__file__).resolve().parent.parent
ENTER_SCREEN, LEAVE_SCREEN, SHOW_CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


@pytest.fixture
def out(tmp_path: Path) -> OutPaths:
    return OutPaths(tmp_path / "out dir")


def environment(**more: str) -> dict[str, str]:
    settings = {name.upper() for name in Settings.model_fields}
    kept = {name: value for name, value in os.environ.items() if name not in settings}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", **more}


def dashboard(out: OutPaths, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "autotrain.dashboard", "--out-dir", str(out.root), *words]
    return subprocess.run(
        command, env=environment(**more), cwd=out.root.parent, capture_output=True, text=True, check=False, timeout=60
    )


# ---------------------------------------------------------------------------------------------------
# Once


def test_one_frame_without_a_terminal(out: OutPaths) -> None:
    record(out)
    result = dashboard(out, "--once")
    assert (result.returncode, result.stderr) == (0, "")
    assert RUN_ID in result.stdout
    assert "\x1b" not in result.stdout
    assert "best, round 1" in result.stdout
    # The whole view, not a screen of it.
    assert "TRUST_REMOTE_CODE" in dashboard(out, "--once", "--view", "5").stdout


def test_one_frame_in_ascii_and_of_a_given_size(out: OutPaths) -> None:
    record(out)
    for width in (60, 150):
        result = dashboard(out, "--once", "--ascii", "--size", f"{width}x20")
        assert result.stdout.isascii()
        assert {len(line) for line in result.stdout.splitlines()} == {width}
    assert dashboard(out, "--once", PYTHONIOENCODING="ascii").stdout.isascii()


def test_json_for_programs(out: OutPaths) -> None:
    record(out)
    value = json.loads(dashboard(out, "--json").stdout)
    assert (value["run_id"], value["condition"], value["round"], value["rounds"]) == (RUN_ID, "dead", 2, 3)
    assert value["step"]["step"] == 3
    assert value["report"]["models"]["new"]["total"]["pass_at_1"]["hits"] == 9


def test_a_picture_that_asks_no_server(out: OutPaths) -> None:
    record(out)
    picture = out.root / "view.svg"
    assert dashboard(out, "--svg", str(picture), "--size", "90x24", "--view", "3").returncode == 0
    text = picture.read_text()
    assert text.startswith("<svg")
    assert "learning" in text
    assert "url(" not in text.replace("url(#", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--run", "run_x"], "no run 'run_x'"),
        (["--refresh", "0"], "0.05 to 3600"),
        (["--size", "big"], "120x40"),
        (["--onec"], "did you mean --once?"),
        ([], "--once prints one frame"),
    ],
)
def test_wrong_use_is_said_in_a_sentence(out: OutPaths, words: list[str], said: str) -> None:
    record(out)
    result = dashboard(out, *words)
    assert result.returncode == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_what_cannot_be_written_is_said_in_a_sentence(out: OutPaths) -> None:
    record(out)
    result = dashboard(out, "--svg", str(out.root / "no folder" / "view.svg"))
    assert result.returncode == 1
    assert "No such file or directory" in result.stderr
    assert "Traceback" not in result.stderr


def test_nothing_is_written_by_looking(out: OutPaths) -> None:
    record(out)
    before = {path: path.stat().st_mtime_ns for path in out.root.rglob("*")}
    assert dashboard(out, "--once").returncode == 0
    assert {path: path.stat().st_mtime_ns for path in out.root.rglob("*")} == before


# ---------------------------------------------------------------------------------------------------
# Live, driven by Textual


def screen_of(app: Dashboard) -> str:
    return "\n".join(strip.text for strip in app.query_one(Screenful).strips)


async def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


def drive(out: OutPaths, *keys: str, size: tuple[int, int] = (80, 24)) -> list[str]:
    """The screen after each key; `=WxH` resizes."""

    async def run() -> list[str]:
        app = Dashboard(Follower(out), Page(), 60)
        shown = []
        async with app.run_test(size=size) as pilot:
            await until(lambda: bool(screen_of(app)))
            shown.append(screen_of(app))
            for key in keys:
                if key.startswith("="):
                    width, height = (int(number) for number in key[1:].split("x"))
                    await pilot.resize_terminal(width, height)
                    await until(lambda lines=height: len(screen_of(app).splitlines()) == lines)
                else:
                    await pilot.press(key)
                await pilot.pause()
                shown.append(screen_of(app))
        return shown

    return asyncio.run(run())


def test_each_key_does_what_the_screen_says(out: OutPaths) -> None:
    record(out)
    first, two, three, four, five, one = drive(out, "2", "3", "4", "5", "1")
    assert "pass@1" in first
    assert "rate limits" in two
    assert "learning rate" in three
    assert "3 rounds of 100 samples" not in four
    assert "newest" in four
    assert "held-out items" in five
    assert one == first
    assert drive(out, "tab")[-1] == two
    assert drive(out, "shift+tab")[-1] == five
    assert "any key goes back" in drive(out, "question_mark")[-1]
    assert drive(out, "question_mark", "x")[-1] == first
    assert drive(out, "question_mark", "3")[-1] == three


def test_scrolling_stops_at_both_ends(out: OutPaths) -> None:
    record(out)
    screens = drive(out, "5", "down", "pagedown", "end", "down", "home", "up")
    places = [screen.splitlines()[-1].split()[-1] for screen in screens[1:]]
    at, most = (int(number) for number in places[2].split("/"))
    assert places[0] == f"0/{most}"
    assert places[1] == f"1/{most}"
    assert at == 21
    assert places[3:] == [f"{most}/{most}"] * 2 + [f"0/{most}"] * 2
    newest, back, oldest, again = drive(out, "4", "up", "home", "end")[1:]
    assert "1 back" in back
    assert "3 rounds of 100 samples" in oldest
    assert again == newest


def test_the_filter_is_typed_kept_and_dropped(out: OutPaths) -> None:
    record(out)
    screens = drive(out, "slash", "g", "a", "t", "e", "enter", "2", "4", "escape")
    assert "r1 evaluate" not in screens[5]
    assert "r2 gate" in screens[5]
    assert "‘gate’" in screens[6]
    assert screens[8].count("gate") == screens[6].count("gate")
    assert "r1 evaluate" in screens[9]


def test_it_follows_the_size_of_its_window(out: OutPaths) -> None:
    record(out)
    screens = drive(out, "=200x60", "=40x12")
    for screen, (width, height) in zip(screens, ((80, 24), (200, 60), (40, 12)), strict=True):
        assert [len(line) for line in screen.splitlines()] == [width] * height


# ---------------------------------------------------------------------------------------------------
# Live, in a terminal


class Terminal:
    """A dashboard in a pseudo terminal of 80 × 24, and all the bytes it wrote."""

    def __init__(self, out: OutPaths, *words: str) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.written = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autotrain.dashboard", "--out-dir", str(out.root), "--refresh", "0.2", *words],
            env=environment(),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )

    def read_until(self, wanted: bytes, seconds: float = 60, after: int = 0) -> None:
        """Until this was written, behind the first `after` bytes."""
        end = time.monotonic() + seconds
        while wanted not in self.written[after:]:
            assert time.monotonic() < end, (wanted, self.written[-2000:])
            self.read(0.1)

    def read(self, seconds: float) -> None:
        while select.select([self.master], [], [], seconds)[0]:
            self.written += os.read(self.master, 65536)

    def end(self) -> int:
        status = self.process.wait(timeout=60)
        self.read(0.1)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)


@pytest.fixture
def terminal(out: OutPaths) -> Iterator[Terminal]:
    record(out)
    terminal = Terminal(out)
    # Textual asks for pasted text to be marked when it has the terminal; the picture that follows is its own.
    terminal.read_until(b"\x1b[?2004h")
    terminal.read_until(RUN_ID.encode(), after=terminal.written.index(b"\x1b[?2004h"))
    yield terminal
    terminal.close()


@pytest.mark.parametrize("ending", ["q", "\x03", signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_it_was_whatever_ends_it(terminal: Terminal, ending: str | signal.Signals) -> None:
    if isinstance(ending, str):
        os.write(terminal.master, ending.encode())
        expected = 0
    else:
        terminal.process.send_signal(ending)
        expected = 128 + ending
    assert terminal.end() == expected
    assert termios.tcgetattr(terminal.slave) == terminal.before
    assert terminal.written.rfind(LEAVE_SCREEN) > terminal.written.rfind(ENTER_SCREEN)
    assert terminal.written.rfind(SHOW_CURSOR) > terminal.written.rfind(b"\x1b[?25l")
    assert b"Traceback" not in terminal.written


def test_a_loop_that_dies_is_shown_as_dead_without_being_asked(out: OutPaths) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time; from pathlib import Path; from autotrain.run.lock import take_lock;"
            "from autotrain.run.paths import OutPaths; lock = take_lock(OutPaths(Path(sys.argv[1])));"
            "print(1, flush=True); time.sleep(60)",
            str(out.root),
        ],
        env=environment(),
        stdout=subprocess.PIPE,
    )
    record(out, pid=holder.pid)
    assert holder.stdout is not None
    holder.stdout.readline()
    terminal = Terminal(out)
    try:
        terminal.read_until(b"RUNNING")
        holder.kill()
        holder.wait()
        terminal.read_until(b"DEAD", seconds=30)  # half a second where nothing else runs
    finally:
        terminal.close()
