"""events.jsonl as dashboards and scripts read it."""

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from autotrain.jsonl import read_objects
from autotrain.run.events import append_event, cut_torn_line, sum_deltas

KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl"


def append(path: Path, message: str = "text", **more: Any) -> dict[str, Any]:
    """Append an event and return it as it stands in the file."""
    append_event(path, "run_1", "progress", message, **more)
    event: dict[str, Any] = json.loads(path.read_text(encoding="utf-8").splitlines()[-1])
    return event


def test_an_event_has_the_keys_of_version_one(tmp_path: Path) -> None:
    event = append(tmp_path / "events.jsonl")
    assert list(event) == [
        "event_version",
        "ts",
        "run_id",
        "round",
        "stage",
        "level",
        "event_type",
        "message",
        "counters_delta",
        "usage_delta",
        "artifact_paths",
        "error",
    ]
    assert event["event_version"] == "1.0"
    time = datetime.fromisoformat(event["ts"])
    assert time.utcoffset() == timedelta(0)
    assert abs(datetime.now(timezone.utc) - time) < timedelta(minutes=1)
    assert (event["round"], event["stage"], event["level"], event["error"]) == (0, None, "info", None)
    assert (event["counters_delta"], event["usage_delta"], event["artifact_paths"]) == ({}, {}, [])


def test_texts_are_cut_to_one_line_without_secrets_and_escapes(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    text = f"\x1b[31mred\x1b[0m\nkey {KEY} " + "ü" * 1000
    event = append(path, text, error=text)
    assert (len(event["message"]), len(event["error"])) == (500, 200)
    for shown in (event["message"], event["error"]):
        assert shown.startswith("red key ")
        assert KEY not in shown
        assert "\x1b" not in shown
    assert path.read_bytes().count(b"\n") == 1


def test_a_secret_across_the_cut_does_not_show_its_beginning(tmp_path: Path) -> None:
    event = append(tmp_path / "events.jsonl", "x" * 480 + f" {KEY}")
    assert "sk-proj" not in event["message"]


def test_the_value_of_a_key_in_the_environment_is_never_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "no-known-shape-4711")
    event = append(tmp_path / "events.jsonl", "got no-known-shape-4711 from the server")
    assert "no-known-shape-4711" not in event["message"]


def test_writers_at_the_same_time_do_not_mix_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    code = """
import sys
from pathlib import Path
from autotrain.run.events import append_event
for number in range(200):
    append_event(Path(sys.argv[1]), "run_1", "progress", sys.argv[2] * 400, counters_delta={"n": 1})
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), letter]) for letter in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(events) == 400
    assert {event["message"] for event in events} == {"a" * 400, "b" * 400}
    assert sum_deltas(path)[0] == {"n": 400}


@pytest.mark.parametrize(
    "torn", [b'{"event_version": "1.0", "ts": "20', b"{", '{"message": "ü'.encode()[:-1]]
)
def test_a_torn_last_line_is_skipped_by_readers_and_cut_by_the_next_writer(
    tmp_path: Path, torn: bytes
) -> None:
    path = tmp_path / "events.jsonl"
    append(path, "one", counters_delta={"n": 1})
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    assert [event["message"] for event in read_objects(path)] == ["one"]
    assert sum_deltas(path)[0] == {"n": 1}
    cut_torn_line(path)
    assert path.read_bytes() == whole
    append(path, "two", counters_delta={"n": 1})
    assert [event["message"] for event in read_objects(path)] == ["one", "two"]
    assert sum_deltas(path)[0] == {"n": 2}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b"{}\n", b"{}\n"),
        (b"torn", b""),
        (b"{}\n" + b"x" * 200_000, b"{}\n"),
        (b"y" * 65535 + b"\n" + b"x" * 65536, b"y" * 65535 + b"\n"),
    ],
)
def test_only_what_follows_the_last_line_is_cut(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "events.jsonl"
    cut_torn_line(path)
    assert not path.exists()
    path.write_bytes(before)
    cut_torn_line(path)
    assert path.read_bytes() == after


def test_deltas_add_up_by_run_and_by_stage(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert sum_deltas(path) == ({}, {}, {}, [])
    append(
        path, round_number=1, stage="gate", counters_delta={"ok": 2, "loss": 0.1}, usage_delta={"tokens": 5}
    )
    append(path, round_number=1, stage="gate", counters_delta={"ok": -1, "loss": 0.2})
    append(path, round_number=2, stage="gate", counters_delta={"ok": 7}, usage_delta={"tokens": 5})
    append(path, counters_delta={"ok": 1})
    assert sum_deltas(path) == (
        {"ok": 9, "loss": 0.3},
        {"tokens": 10},
        {(1, "gate"): {"ok": 1, "loss": 0.3}, (2, "gate"): {"ok": 7}},
        [],
    )
