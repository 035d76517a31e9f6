"""Killed anywhere and resumed, a run comes out as if nothing had happened: twelve moments (bench.py faults: many)."""

from pathlib import Path

import pytest
from disturbed import WAYS, Disturbed, Moment, differences
from tiny_model import build_model

# Few in the stages that take seconds to begin; 1.0: as the stage is complete.
PLACES = [
    ("generate", 0.3), ("generate", 0.6), ("generate", 0.8), ("validate", 0.4), ("validate", 0.8), ("gate", 0.2),
    ("gate", 0.5), ("gate", 0.8), ("gate", 1.0), ("train", 0.7), ("train", 1.0), ("evaluate", 0.7),
]  # fmt: skip


@pytest.mark.real_model
def test_a_run_that_was_disturbed_comes_out_like_one_that_was_not(tmp_path: Path) -> None:
    world = Disturbed(tmp_path, build_model(tmp_path / "model"), rounds=1)
    plain = world.undisturbed()
    # Every signal to every target once, the most drastic ones last, where the most could be lost.
    moments = [Moment(1, *place, *way) for place, way in zip(PLACES, reversed(WAYS), strict=True)]
    outcome = world.run("disturbed", moments)
    assert differences(plain, outcome) == [], (outcome.hit, (tmp_path / "disturbed.log").read_text())
    # A moment is missed where its stage was shorter than usual, or its loop already at the next.
    assert len(outcome.hit) >= 8
