"""Lines of JSON from any file: plain or packed, whole or damaged, with each bad line told."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd

from autotrain import jsonl
from autotrain.jsonl import BadLine, read_jsonl

OBJECTS = [{"id": str(number), "text": "é" * (number % 50)} for number in range(3000)]
CONTENT = "".join(json.dumps(item) + "\n" for item in OBJECTS).encode()
PACKERS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gzip": gzip.compress, "zstd": zstd.compress}


@pytest.mark.parametrize("packer", PACKERS)
def test_a_packed_file_is_read_like_a_plain_one(tmp_path: Path, packer: str) -> None:
    # What it is called makes no difference.
    path = tmp_path / "samples.jsonl"
    path.write_bytes(PACKERS[packer](CONTENT))
    assert list(read_jsonl(path)) == list(enumerate(OBJECTS, start=1))


def test_parts_packed_one_after_the_other_are_one_file(tmp_path: Path) -> None:
    for pack in (gzip.compress, zstd.compress):
        path = tmp_path / "samples"
        path.write_bytes(pack(CONTENT) + pack(CONTENT))
        assert sum(1 for _ in read_jsonl(path)) == 2 * len(OBJECTS)


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_where_a_packed_file_breaks_off_there_is_one_bad_line(tmp_path: Path, packer: str) -> None:
    whole = PACKERS[packer](CONTENT)
    for damaged in (whole[: len(whole) // 2], whole[:-3]):
        path = tmp_path / "torn"
        path.write_bytes(damaged)
        *good, (number, bad) = read_jsonl(path)
        assert [value for _, value in good] == OBJECTS[: len(good)]
        assert isinstance(bad, BadLine)
        assert number == len(good) + 1
        assert "the compressed file breaks off" in bad.reason or "not JSON" in bad.reason


@pytest.mark.parametrize("packer", ["gzip", "zstd"])
def test_a_damaged_packed_file_is_never_a_crash(tmp_path: Path, packer: str) -> None:
    whole = PACKERS[packer](CONTENT)
    for place in range(4, len(whole), len(whole) // 40):
        path = tmp_path / "damaged"
        path.write_bytes(whole[:place] + b"\x00\xff" * 20 + whole[place + 40 :])
        assert any(isinstance(value, BadLine) for _, value in read_jsonl(path))


def test_a_line_without_end_is_one_bad_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "long"
    long = b'{"text": "' + b"x" * (5 << 20) + b'"}'
    path.write_bytes(b'{"a": 1}\n' + long + b"\n\n" + b'{"b": 2}\n' + long)
    values = list(read_jsonl(path))
    assert [number for number, _ in values] == [1, 2, 4, 5]
    assert [value for _, value in values if not isinstance(value, BadLine)] == [{"a": 1}, {"b": 2}]
    assert {value.reason for _, value in values if isinstance(value, BadLine)} == {"longer than 1 MiB"}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": -1E+400}', '{"a": ' + "9" * 400 + ".0}",
        r'{"a": "\ud800"}', '{"a": 01}', '{"a": 1} {"b": 2}', '{"a": "\x00"}', "[1]", '"a"', "{", "[" * 100_000,
    ],
)  # fmt: skip
def test_what_other_readers_of_json_refuse_is_a_bad_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines"
    path.write_text(f'{{"good": 1}}\n{text}\n', encoding="utf-8")
    good, (_, bad) = read_jsonl(path)
    assert good == (1, {"good": 1})
    assert isinstance(bad, BadLine)


@pytest.mark.parametrize(
    "text", ['{"a": 1e30, "b": 2.5e+100}', r'{"a": "\ud83d\ude00 1e999"}', '\ufeff{"a": 1}', '{"a": ' + "9" * 400 + "}"]
)
def test_unusual_numbers_and_characters_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lines"
    path.write_text(text, encoding="utf-8")
    assert list(read_jsonl(path)) == [(1, json.loads(text.removeprefix("\ufeff")))]
