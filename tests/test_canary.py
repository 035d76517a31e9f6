"""The teacher's key in a whole run: in the teacher's stage alone, and in no byte that was written anywhere."""

import secrets
import threading
import time
from pathlib import Path

import psutil
import pytest
from disturbed import Disturbed, reply
from teacher_server import Answer, Body, Script, TeacherServer, completion, error, garbage
from tiny_model import build_model

from autotrain.run.paths import OutPaths

CANARY = f"sk-proj-{secrets.token_urlsafe(48)}"


def says_the_key(request: Body) -> Answer:
    """A model that was shown the key and repeats it in what it writes."""
    return Answer(body=completion(request, f'{{"samples": [{{"instruction": "use {CANARY}", "output": "{CANARY}"}}]}}'))


REPLIES: list[Script] = [error(500, f"request with Bearer {CANARY} failed"), garbage(), says_the_key]


class Watch:
    """Looks at the environment and the command line of every process that there is, as often as it can."""

    def __init__(self, ours: Path) -> None:
        self._ours = str(ours)
        self._ended = threading.Event()
        self.with_key: set[str] = set()
        self.seen: set[str] = set()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.1):
            for process in psutil.process_iter():
                try:
                    words = " ".join(process.cmdline())
                    self.seen.add(words)
                    if CANARY in words:
                        self.with_key.add(f"command line of {words}")
                    if CANARY in "".join(process.environ().values()):
                        self.with_key.add(words)
                except (psutil.Error, OSError):
                    continue


@pytest.mark.real_model
def test_the_key_is_nowhere_but_in_the_teachers_stage(tmp_path: Path) -> None:
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    world = Disturbed(tmp_path, build_model(tmp_path / "model"), execute=True)
    more = {
        "OPENAI_API_KEY": CANARY, "ROUNDS": "1", "SAMPLES_PER_ROUND": "12", "TRAIN_STEPS": "2",
        "HOME": str(home), "TMPDIR": str(temporary),
    }  # fmt: skip
    with TeacherServer(REPLIES, then=reply, key=CANARY) as teacher, Watch(tmp_path) as watch:
        loop = world.start("out", teacher, umask=0o077, **more)
        out = OutPaths(tmp_path / "out")
        deadline = time.monotonic() + 60
        while not any(folder.joinpath("state.json").exists() for folder in out.runs.glob("run_*")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        # The shell that a user typed the command in has the key, and so had the program that became the loop.
        time.sleep(1)
        watch.with_key.clear()
        assert loop.wait(300) == 0, (tmp_path / "out.log").read_text()
    assert teacher.count > 3
    assert any("05_eval.py" in words for words in watch.seen)
    assert any("-S -B -W ignore" in words for words in watch.seen), "the sandbox was not looked at"
    assert {words for words in watch.with_key if "01_teacher_generate.py" not in words} == set()

    written = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {"responses_round_1.jsonl", "events.jsonl", "state.json", "out.log", "report_round_1.html"} <= {
        path.name for path in written
    }
    assert [path for path in written if CANARY.encode() in path.read_bytes()] == []
    # What a careful user's umask forbids is not given back.
    ours = [path for path in out.root.rglob("*") if not path.is_symlink()]
    assert [path for path in ours if path.stat().st_mode & 0o077] == []
