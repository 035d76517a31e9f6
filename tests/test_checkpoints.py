"""A checkpoint counts when it was finished and has not changed."""

from pathlib import Path

from autotrain.train.checkpoints import newest_whole, prune, seal


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
