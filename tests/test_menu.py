"""The menu as a person uses it, key by key, and as a script does, with flags and real processes."""

import asyncio
import fcntl
import io
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from autotrain.config import EMBEDDED_MODEL, Settings, load
from autotrain.monitor.menu.command import main
from autotrain.monitor.menu.form import ConfigForm, StartForm
from autotrain.monitor.menu.screens import Menu
from autotrain.run.control import look_at, read_request
from autotrain.run.lock import loop_pid
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import RunStatus, State, save_state

ROOT = Path(__file__).resolve().parent.parent
MENU = ROOT / "scripts" / "menu.py"
OLD, NEW = "run_20260101_000000_aaaaaa", "run_20260102_000000_bbbbbb"
# Stands where loop.sh stands: without setup.sh, and with a loop that does nothing until it is told that it is done.
LOOP = f"""
if [ "$1" != --drive ]; then exec {shlex.quote(sys.executable)} -m autotrain.run start --loop "$0" "$@"; fi
for ((i = 0; i < 600; i++)); do [ ! -e "$2/done" ] || break; sleep 0.05; done
"""
Walk = Callable[["Pilot[None]"], Awaitable[None]]


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OutPaths]:
    """An OUT_DIR that does not exist yet; loops that a test started in it are ended."""
    monkeypatch.chdir(tmp_path)
    # The default one would be asked for at the hub.
    monkeypatch.setenv("BASE_MODEL", EMBEDDED_MODEL)
    Path("loop.sh").write_text(LOOP)
    out = OutPaths(tmp_path / "größe [b]")
    yield out
    if (pid := loop_pid(out)) is not None:
        os.kill(pid, signal.SIGKILL)


def walk(out: OutPaths, steps: Walk, size: tuple[int, int] = (80, 24), ascii_only: bool = False) -> Menu:
    """Open the menu in a terminal of this size and do these steps."""
    menu = Menu(out, Path("loop.sh").absolute(), ascii_only)

    async def run() -> None:
        async with menu.run_test(size=size) as pilot:
            await pilot.pause()
            await steps(pilot)

    asyncio.run(run())
    return menu


def screen(pilot: "Pilot[None]") -> str:
    """What stands on the screen, line by line."""
    return "\n".join(strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips())


def flat(pilot: "Pilot[None]") -> str:
    """What stands on the screen as one line, however it was broken."""
    return " ".join(screen(pilot).split())


async def until(pilot: "Pilot[None]", text: str) -> None:
    deadline = time.monotonic() + 60
    while text not in flat(pilot):
        assert time.monotonic() < deadline, screen(pilot)
        await pilot.pause(0.05)


async def type_text(pilot: "Pilot[None]", text: str) -> None:
    await pilot.press("ctrl+u", *(("minus" if key == "-" else "full_stop" if key == "." else key) for key in text))


# What needs nothing that this machine may lack.
ALONE: dict[str, Any] = {"teacher_model": "builtin", "base_model": EMBEDDED_MODEL}


def make_run(out: OutPaths, run_id: str, status: RunStatus, **settings: object) -> RunPaths:
    run = out.run(run_id)
    run.data.mkdir(parents=True)
    run.config.write_text(Settings(**{**ALONE, "out_dir": out.root, **settings}).to_json())
    now = "2026-01-01T00:00:00.000+00:00"
    state = State(run_id=run_id, status=status, started_at=now, updated_at=now, current_round=1, current_stage="train")
    save_state(run.state, state)
    return run


# ---------------------------------------------------------------------------------------------------
# The first screen


def test_what_makes_no_sense_is_said_beside_it_and_when_it_is_chosen(out: OutPaths) -> None:
    async def steps(pilot: "Pilot[None]") -> None:
        lines = screen(pilot).split("\n")
        assert "no run yet" in flat(pilot)
        items = [line for line in lines if re.match(r" [ >] \d  ", line)]
        assert [re.split(r"  +", line[3:])[1] for line in items] == [
            "Start New Run", "Resume Last Run", "Stop", "Pause", "Resume", "Configure Parameters", "View Dashboard",
            "Exit",
        ]  # fmt: skip
        assert ["there is no run" in line for line in items] == [False, True, True, True, True, False, True, False]
        for key, label in (("2", "Resume Last Run"), ("3", "Stop"), ("4", "Pause"), ("5", "Resume"), ("7", "View")):
            await pilot.press(key)
            await until(pilot, f"{label}{' Dashboard' if key == '7' else ''}: there is no run in {out.root} yet")
        assert "q: quit" in lines[23]
        await pilot.press("end")
        await until(pilot, "> 8 Exit")
        assert screen(pilot).count("> ") == 1
        await pilot.press("enter")

    assert walk(out, steps).return_code == 0
    assert not out.root.exists()


@pytest.mark.parametrize("size", [(80, 24), (160, 50)])
def test_the_state_of_the_newest_run_stands_at_the_top_and_is_kept_fresh(out: OutPaths, size: tuple[int, int]) -> None:
    make_run(out, OLD, "completed")
    make_run(out, NEW, "stopped", rounds=3)

    async def steps(pilot: "Pilot[None]") -> None:
        assert f"{NEW}: stopped, round 1 of 3, train" in screen(pilot)
        save_state(out.run(NEW).state, State(run_id=NEW, status="running", started_at="", updated_at="", pid=1))
        await until(pilot, f"{NEW}: dead")
        await pilot.press("4")
        await until(pilot, f"Pause: {NEW} is dead: no loop works on it; ./scripts/loop.sh --resume {NEW}")
        assert "quit" in screen(pilot)

    walk(out, steps, size)


def test_ascii_means_ascii(out: OutPaths) -> None:
    make_run(out, NEW, "stopped")

    async def steps(pilot: "Pilot[None]") -> None:
        for keys in (
            ["1"],
            ["6"],
            ["down", "down", "enter"],
            ["escape"],
            ["g"],
            ["escape", "escape"],
            ["2"],
            ["enter"],
        ):
            await pilot.press(*keys)
            await pilot.pause()
            assert screen(pilot).isascii(), screen(pilot)
        assert "x" in screen(pilot)

    walk(out, steps, ascii_only=True)


# ---------------------------------------------------------------------------------------------------
# Starting and steering


def test_a_run_is_started_and_steered(out: OutPaths) -> None:
    async def steps(pilot: "Pilot[None]") -> None:
        await pilot.press("1")
        for preset in ("2080ti 11 GB", "3060 6 GB: SEQ_LEN 1024", "cpu no GPU, key or network", "7 smoke"):
            assert preset in flat(pilot)
        await pilot.press("7")
        assert "ROUNDS 1 preset smoke" in flat(pilot)
        # An invalid value is refused at once, and stays to be mended.
        await pilot.press("down", "enter")
        await type_text(pilot, "0")
        await pilot.press("enter")
        assert "ROUNDS = '0': allowed is a whole number at least 1 and at most 1000" in flat(pilot)
        await type_text(pilot, "12")
        await pilot.press("enter")
        assert "* ROUNDS 12 set here" in flat(pilot)
        # Nothing is lost on the way back and forth.
        await pilot.press("escape", "1", "7", "g")
        text = flat(pilot)
        assert "rounds 12 teacher builtin cost nothing (builtin)" in text
        assert "memory not estimated; trains on the CPU" in text
        await pilot.press("y")
        await until(pilot, "goes on when this menu is closed")
        (run_id,) = out.run_ids()
        run = out.run(run_id)
        assert f"{run_id}: running" in flat(pilot)
        assert str(run.log) in flat(pilot)
        assert load(run.config).rounds == 12
        assert load(run.config).preset == "smoke"

        await pilot.press("1")
        await until(pilot, f"Start New Run: a loop is already running in {out.root}")
        await pilot.press("4")
        assert read_request(run.control) == "pause"
        assert f"{run_id}: asked to pause" in flat(pilot)
        await pilot.press("5")
        assert read_request(run.control) == "run"
        await pilot.press("3")
        assert "Stop this run?" in flat(pilot)
        await pilot.press("n")
        assert read_request(run.control) == "run"
        await pilot.press("3", "y")
        assert read_request(run.control) == "stop"
        # What was chosen for that run is not there for the next.
        (run.root / "done").touch()
        await until(pilot, f"{run_id}: dead")
        await pilot.press("1")
        assert "set here" not in flat(pilot)
        await pilot.press("escape", "2", "enter")
        assert "rounds 12" in flat(pilot)
        assert "Go on with this run?" in flat(pilot)

    walk(out, steps)


def test_a_problem_stands_in_place_of_the_question(out: OutPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "")

    async def without_a_key(pilot: "Pilot[None]") -> None:
        await pilot.press("1", "3", "g")
        text = flat(pilot)
        assert "cost about $" in text
        assert "preset 3060 is meant for a card of 6 GB" in text
        assert "It cannot be started: the teacher gpt-4o-mini needs a key or an address" in text
        assert "y: yes" not in text
        await pilot.press("y")
        await pilot.pause(0.2)

    walk(out, without_a_key, (100, 40))
    assert not out.root.exists()

    async def in_the_way(pilot: "Pilot[None]") -> None:
        await pilot.press("1")
        await until(pilot, f"Start New Run: {out.root / 'data'} is in the way")

    (out.root / "data").mkdir(parents=True)
    walk(out, in_the_way)


def test_a_key_is_never_shown(out: OutPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    monkeypatch.setenv("TEACHER_BASE_URL", f"http://me:{secret}@127.0.0.1:1/v1")
    monkeypatch.delenv("BASE_MODEL")
    Path("config.yaml").write_text(f"base_model: {secret}\n")

    async def steps(pilot: "Pilot[None]") -> None:
        await pilot.press("1", "1")
        assert "OPENAI_API_KEY is set" in flat(pilot)
        shown = screen(pilot)
        await pilot.press("down", "down", "down", "enter")
        shown += screen(pilot)
        await pilot.press("escape", "g")
        shown += screen(pilot)
        assert "[redacted]" in shown
        assert secret not in shown
        assert secret[8:30] not in shown

    walk(out, steps, (160, 50))


def test_runs_are_listed_the_newest_first_and_a_complete_one_is_not_resumed(out: OutPaths) -> None:
    make_run(out, OLD, "failed", rounds=4)
    make_run(out, NEW, "completed", rounds=2)

    async def steps(pilot: "Pilot[None]") -> None:
        await pilot.press("2")
        text = flat(pilot)
        assert text.index(f"1 {NEW} completed round 1 of 2") < text.index(f"2 {OLD} failed round 1 of 4")
        await pilot.press("1")
        await until(pilot, f"{NEW} is completed; there is nothing to resume")
        await pilot.press("2")
        assert f"Resume {OLD}: the plan" in flat(pilot)

    walk(out, steps)


# ---------------------------------------------------------------------------------------------------
# Settings


def test_configure_saves_what_was_changed_and_keeps_the_rest(out: OutPaths) -> None:
    out.root.mkdir()
    file = out.root / "config.yaml"
    file.write_text("# mine\nrounds: 5  # five\nsamples_per_round: 7\n")

    async def steps(pilot: "Pilot[None]") -> None:
        await pilot.press("6", "down", "enter")
        await type_text(pilot, "9")
        await pilot.press("enter", "down", "enter")
        await type_text(pilot, "-3")
        await pilot.press("enter")
        assert "SAMPLES_PER_ROUND = '-3': allowed is" in flat(pilot)
        await pilot.press("escape")
        assert "SAMPLES_PER_ROUND (2 of" in flat(pilot)
        await pilot.press("d")
        assert "* SAMPLES_PER_ROUND 50 default" in flat(pilot)
        # Nothing is written, and nothing lost, before it is said.
        assert "rounds: 5" in file.read_text()
        await pilot.press("q")
        assert "2 changes" in flat(pilot)
        await pilot.press("n", "escape", "6", "s")
        assert "2 changes saved" in flat(pilot)
        await pilot.press("s")
        assert "nothing to save" in flat(pilot)

    walk(out, steps)
    assert file.read_text() == "# mine\nrounds: 9  # five\n"


def test_a_broken_settings_file_is_reported_and_left_alone(out: OutPaths) -> None:
    out.root.mkdir()
    file = out.root / "config.yaml"
    file.write_text("rounds: [\n")

    async def steps(pilot: "Pilot[None]") -> None:
        await pilot.press("6")
        assert "cannot be read as YAML" in flat(pilot)
        await pilot.press("down", "enter", "9", "enter", "d", "s")
        assert "cannot be read as YAML" in flat(pilot)

    walk(out, steps)
    assert file.read_text() == "rounds: [\n"


def test_the_lists_say_where_a_value_comes_from(out: OutPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEED", "1")
    Path(".env").write_text("LR=1e-5\n")
    Path("config.yaml").write_text("preset: 3060\nval_ratio: 0.3\nrounds: many\n")
    form = StartForm(out.root)
    form.set("train_steps", "7")
    rows = {row.name: row for row in form.rows()}
    origins = {name: rows[name].origin for name in ("seed", "lr", "val_ratio", "seq_len", "train_steps", "batch_size")}
    assert origins == {
        "seed": "environment", "lr": ".env", "val_ratio": "config.yaml", "seq_len": "preset 3060",
        "train_steps": "set here", "batch_size": "default",
    }  # fmt: skip
    assert rows["rounds"].problem == "ROUNDS = 'many': allowed is a whole number at least 1 and at most 1000"
    assert "openai_api_key" not in rows
    with pytest.raises(ValueError, match="allowed is 2080ti"):
        form.set("preset", "5090")
    assert "preset" not in form.chosen


def test_a_value_that_holds_anyway_needs_no_line_in_the_file(out: OutPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.yaml").write_text("rounds: 4\n")
    monkeypatch.setenv("SEED", "1")
    out.root.mkdir()
    form = ConfigForm(out.root)
    form.path.write_text("rounds: 5\nseed: 7\n")
    rows = {row.name: row for row in form.rows()}
    assert (rows["rounds"].value, rows["seed"].value) == ("5", "7")
    assert rows["seed"].origin.endswith("environment wins")
    form.set("rounds", "4")
    form.set("seed", "7")
    form.set("lr", "2e-4")
    form.set("preset", "3060")
    form.set("seq_len", "1024")
    assert form.changes == {"rounds": None, "preset": "3060"}
    assert form.save() == 2
    assert form.path.read_text() == "seed: 7\npreset: '3060'\n"


# ---------------------------------------------------------------------------------------------------
# Flags


def call(out: OutPaths, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """The exit status and what was printed. pytest's standard input is no terminal."""
    try:
        status = main("the menu", Path("loop.sh").absolute(), [*words, "--out-dir", str(out.root)])
    except SystemExit as error:
        status = int(str(error.code))
    return status, *capsys.readouterr()


def test_a_script_starts_steers_and_resumes(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = call(out, capsys, "--start", "--preset", "smoke")
    assert status == 2
    assert "no terminal; --yes" in err
    assert not out.root.exists()
    status, shown, err = call(out, capsys, "--start", "--preset", "smoke", "--samples", "7", "--yes")
    assert status == 0, err
    assert shown.count("plan\n") == 1
    (run_id,) = out.run_ids()
    run = out.run(run_id)
    assert f"run {run_id} in {run.root}" in shown
    assert load(run.config).samples_per_round == 7
    status, _, err = call(out, capsys, "--start", "--preset", "smoke", "--yes")
    assert status == 2
    assert "already running" in err
    for flag, request in (("--pause", "pause"), ("--unpause", "run"), ("--stop", "stop")):
        assert call(out, capsys, flag)[0] == 0
        assert read_request(run.control) == request
    assert call(out, capsys, "--stop")[0] == 2
    assert "asked to stop" in call(out, capsys, "--status")[1]
    (run.root / "done").touch()
    while loop_pid(out) is not None:
        time.sleep(0.02)
    assert f"{run_id}: dead" in call(out, capsys, "--status")[1]
    status, shown, err = call(out, capsys, "--resume", "--yes")
    assert status == 0, err
    assert f"run {run_id} in" in shown


def test_a_question_that_is_not_answered_with_yes_starts_nothing(
    out: OutPaths, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Keyboard(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Keyboard("\n"))
    status, shown, _ = call(out, capsys, "--start", "--preset", "smoke")
    assert status == 3
    assert "start this? [y/N] nothing was started" in shown
    assert not out.root.exists()


def test_flags_load_no_screen(out: OutPaths) -> None:
    make_run(out, NEW, "stopped")
    words = [sys.executable, "-X", "importtime", str(MENU), "--status", "--out-dir", str(out.root)]
    result = subprocess.run(words, capture_output=True, text=True, check=False)
    assert result.stdout == f"{NEW}: stopped, round 1 of 3, train\n"
    assert "textual" not in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "--start, --resume [ID], --stop, --pause, --unpause or --status"),
        (["--rounds", "3"], "settings go with --start"),
        (["--stp"], "did you mean --stop"),
        (["--start", "--stop"], "not allowed with"),
        (["--start", "--yes", "--rounds", "0", "--lrr", "1"], "2 problems"),
        (["--start", "--yes"], "needs a key or an address"),
        (["--resume", "--yes"], "no run in"),
        (["--status"], "no run in"),
    ],
)
def test_wrong_use_is_told_with_exit_status_2_and_makes_nothing(
    out: OutPaths, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, err = call(out, capsys, *words)
    assert status == 2
    assert said in err
    assert not out.root.exists()


# ---------------------------------------------------------------------------------------------------
# A real terminal


class Terminal:
    """The menu on a terminal of its own."""

    def __init__(self, out: OutPaths, command: Sequence[str] = (str(MENU),)) -> None:
        self.master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self.slave)
        self.shown = b""
        self.menu = subprocess.Popen(
            [sys.executable, *command, "--out-dir", str(out.root)],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            env={**os.environ, "TERM": "xterm", "LANG": "C.UTF-8"},
            start_new_session=True,
        )
        os.set_blocking(self.master, False)

    def read(self) -> bool:
        """Take in what was written; False if that was nothing."""
        try:
            self.shown += os.read(self.master, 65536)
        except BlockingIOError:
            time.sleep(0.02)
            return False
        return True

    def wait_for(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 60
        while self.shown.count(text.encode()) < times:
            assert time.monotonic() < deadline, self.shown
            self.read()

    def press(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def ended(self) -> int:
        """The exit status; the terminal must be as it was, out of the other screen and with a cursor."""
        deadline = time.monotonic() + 60
        while self.menu.poll() is None:
            assert time.monotonic() < deadline, self.shown
            self.read()
        while self.read():
            pass
        assert self.shown.rindex(b"\x1b[?1049l") > self.shown.rindex(b"\x1b[?1049h")
        assert self.shown.rindex(b"\x1b[?25h") > self.shown.rindex(b"\x1b[?25l")
        assert termios.tcgetattr(self.slave) == self.before
        return self.menu.returncode


def test_the_terminal_is_as_it_was_however_the_menu_ends(out: OutPaths) -> None:
    ways = {"\x03": 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
    terminals = [Terminal(out) for _ in ways]
    for terminal, way in zip(terminals, ways, strict=True):
        terminal.wait_for("Configure Parameters")
        if isinstance(way, str):
            terminal.press(way)
        else:
            terminal.menu.send_signal(way)
    assert [terminal.ended() for terminal in terminals] == list(ways.values())


def test_an_error_in_the_menu_gives_the_terminal_back_too(out: OutPaths) -> None:
    broken = "import sys; from pathlib import Path; from autotrain.monitor.menu import command, screens; "
    broken += "screens.look_around = lambda out: 1 / 0; sys.exit(command.main('', Path('loop.sh')))"
    terminal = Terminal(out, command=["-c", broken])
    assert terminal.ended() == 1
    assert b"ZeroDivisionError" in terminal.shown


def test_the_dashboard_gets_the_terminal_and_gives_it_back(out: OutPaths) -> None:
    make_run(out, NEW, "stopped")
    terminal = Terminal(out)
    terminal.wait_for("View Dashboard")
    terminal.press("7")
    # The menu's own screen, the dashboard's first picture, and the one that listens.
    terminal.wait_for("\x1b[?1049h", times=3)
    terminal.shown = b""
    terminal.press("q")
    terminal.wait_for("Configure Parameters")
    terminal.press("q")
    assert terminal.ended() == 0
    assert look_at(out, NEW).condition == "stopped"
