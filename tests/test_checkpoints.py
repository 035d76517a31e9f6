"""A checkpoint counts when it was finished and has not changed."""

import json
from pathlib import Path

import pytest

from autotrain.train.checkpoints import CONTENTS, is_whole, newest_whole, prune, seal
from autotrain.train.models import sha256_of


def make(folder: Path, step: int, sealed: bool = True) -> Path:
    checkpoint = folder / f"checkpoint-{step}"
    checkpoint.mkdir(parents=True)
    (checkpoint / "optimizer.pt").write_text(f"moments of {step}")
    if sealed:
        seal(checkpoint)
    return checkpoint


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_half_written_and_damaged_ones_are_passed_over_and_removed(tmp_path: Path) -> None:
    assert newest_whole(tmp_path / "none") is None
    make(tmp_path, 9)
    whole, damaged = make(tmp_path, 10), make(tmp_path, 20)
    make(tmp_path, 100, sealed=False)
    (damaged / "optimizer.pt").write_text("moments of 2O")
    assert newest_whole(tmp_path) == whole
    assert left(tmp_path) == ["checkpoint-10", "checkpoint-9"]
    (whole / "optimizer.pt").unlink()
    assert newest_whole(tmp_path) == tmp_path / "checkpoint-9"


def test_the_newest_and_the_best_are_kept(tmp_path: Path) -> None:
    for step in (5, 10, 20, 100):
        make(tmp_path, step)
    prune(tmp_path, 3, str(tmp_path / "checkpoint-5"))
    assert left(tmp_path) == ["checkpoint-100", "checkpoint-20", "checkpoint-5"]
    prune(tmp_path, 1, str(tmp_path / "checkpoint-5"))
    assert left(tmp_path) == ["checkpoint-100", "checkpoint-5"], "the newest is what a training goes on from"
    prune(tmp_path, 1, None)
    assert left(tmp_path) == ["checkpoint-100"]


@pytest.mark.parametrize(
    "contents",
    [b"", b"null", b"{}", b"[]", b'{"optimizer.pt": 3}', b'{"optimizer.pt": null}', b'{"\\u0000": "x"}', b'{"": "x"}',
     b"[" * 100_000, b'{"a":' * 100_000, b"\xff", bytes(200)],
)  # fmt: skip
def test_what_lists_nothing_that_is_there_makes_nothing_whole(tmp_path: Path, contents: bytes) -> None:
    older, newer = make(tmp_path, 1), make(tmp_path, 2)
    assert is_whole(newer)
    (newer / CONTENTS).write_bytes(contents)
    assert not is_whole(newer)
    assert newest_whole(tmp_path) == older


@pytest.mark.parametrize("name", ["../secret", "../checkpoint-2/../secret", "{folder}/secret", "inner/../../secret"])
def test_what_lies_outside_is_no_part_of_a_checkpoint(tmp_path: Path, name: str) -> None:
    checkpoint = make(tmp_path, 2)
    (checkpoint / "inner").mkdir()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (checkpoint / CONTENTS).write_text(json.dumps({name.format(folder=tmp_path): sha256_of(secret)}))
    assert not is_whole(checkpoint)


def test_a_link_or_a_file_of_that_name_is_left_alone(tmp_path: Path) -> None:
    whole = make(tmp_path / "run", 10)
    elsewhere = make(tmp_path / "elsewhere", 30, sealed=False)
    (tmp_path / "run" / "checkpoint-30").symlink_to(elsewhere)
    (tmp_path / "run" / "checkpoint-40").write_text("a note")
    (tmp_path / "run" / "checkpoint-٥٠").mkdir()
    assert newest_whole(tmp_path / "run") == whole
    prune(tmp_path / "run", 1, None)
    assert left(elsewhere) == ["optimizer.pt"]
    assert left(tmp_path / "run") == ["checkpoint-10", "checkpoint-30", "checkpoint-40", "checkpoint-٥٠"]
