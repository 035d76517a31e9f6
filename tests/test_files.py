"""Files replaced whole, and JSON lines read however they come."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from autotrain.files import replace_link, replace_text, replacing
from autotrain.jsonl import BadLine, read_jsonl, read_objects, to_line, write_jsonl


def test_a_file_is_replaced_only_when_the_block_ends_well(tmp_path: Path) -> None:
    path = tmp_path / "größe & space.txt"
    replace_text(path, "one\n")
    with pytest.raises(TypeError), replacing(path) as stream:
        stream.writelines(["half", 1])
    assert path.read_text() == "one\n"
    replace_text(path, "zwei ✓\n")
    assert path.read_bytes() == "zwei ✓\n".encode()
    assert os.listdir(tmp_path) == [path.name]


def test_text_that_cannot_be_written_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_text(path, "one")
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "\ud800")
    assert path.read_text() == "one"
    assert os.listdir(tmp_path) == ["file"]


def test_a_killed_writer_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_text(path, "old")
    code = f"""
import os, signal
from pathlib import Path
from autotrain.files import replacing
with replacing(Path({str(path)!r})) as stream:
    stream.write("new")
    stream.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert path.read_text() == "old"
    replace_text(path, "newer")
    assert path.read_text() == "newer"


def test_a_reader_never_meets_half_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_text(path, json.dumps([0] * 10_000))
    code = f"""
from pathlib import Path
from autotrain.files import replace_text
import json
for value in range(200):
    replace_text(Path({str(path)!r}), json.dumps([value] * 10_000))
"""
    with subprocess.Popen([sys.executable, "-c", code]) as writer:
        seen = set()
        while writer.poll() is None:
            values = json.loads(path.read_text())
            assert len(values) == 10_000
            assert len(set(values)) == 1
            seen.add(values[0])
    assert writer.returncode == 0
    assert len(seen) > 1


def test_a_link_moves_from_one_target_to_the_next(tmp_path: Path) -> None:
    link = tmp_path / "best"
    for target in ("one", "two"):
        (tmp_path / target).mkdir()
        replace_link(link, target)
        assert link.resolve() == tmp_path / target
        assert not Path(os.readlink(link)).is_absolute()
    assert sorted(os.listdir(tmp_path)) == ["best", "one", "two"]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    objects = [{"text": "a\nb\u2028c\x85"}, {"number": 1.5, "none": None}, {"größe": "✓", "smile": "😀"}]
    assert write_jsonl(path, objects) == 3
    assert path.read_bytes().count(b"\n") == 3
    assert list(read_objects(path)) == objects
    assert [number for number, _ in read_jsonl(path)] == [1, 2, 3]


def test_an_object_that_cannot_be_written_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_jsonl(tmp_path / "lines.jsonl", [{"good": 1}, {"bad": object()}])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"a": 1', "not JSON"),
        (b"[1]", "a JSON list where an object was expected"),
        (b'"text"', "a JSON str where an object was expected"),
        (b"null", "a JSON NoneType where an object was expected"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": -Infinity}', "-Infinity is no number of JSON"),
        (b'{"a": 1e999}', "1e999 is no number of JSON"),
        (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
    ],
)  # fmt: skip
def test_a_bad_line_is_told_and_its_neighbours_are_read(tmp_path: Path, raw: bytes, reason: str) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'{"n": 1}\n\n' + raw + b'\n{"n": 2}')
    first, bad, last = read_jsonl(path)
    assert (first, last) == ((1, {"n": 1}), (4, {"n": 2}))
    assert isinstance(bad[1], BadLine)
    assert bad[0] == bad[1].number == 3
    assert reason in bad[1].reason
    assert list(read_objects(path)) == [{"n": 1}, {"n": 2}]


def test_a_file_from_another_system_is_read(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"n": 1}\r\n  \r\n{"smile": "\\ud83d\\ude00"}\r\n')
    assert list(read_jsonl(path)) == [(1, {"n": 1}), (3, {"smile": "😀"})]


def test_a_line_is_one_line() -> None:
    assert to_line({"a": "x\ny", "ü": 1}) == '{"a": "x\\ny", "ü": 1}\n'
