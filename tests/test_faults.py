"""Killed anywhere and resumed, a run comes out as if nothing had happened: twelve moments (bench.py faults: many)."""

from pathlib import Path

import pytest
from disturbed import Disturbed, differences, moments
from tiny_model import build_model


@pytest.mark.real_model
def test_runs_that_were_disturbed_come_out_like_one_that_was_not(tmp_path: Path) -> None:
    world = Disturbed(tmp_path, build_model(tmp_path / "model"), rounds=1)
    plain = world.undisturbed()
    hit = 0
    for number, series in enumerate(moments(12, seed=7, each=6, rounds=1)):
        outcome = world.run(f"disturbed-{number}", series)
        assert differences(plain, outcome) == [], (outcome.hit, (tmp_path / f"disturbed-{number}.log").read_text())
        hit += len(outcome.hit)
    # A moment is missed where its stage was shorter than usual.
    assert hit >= 8
