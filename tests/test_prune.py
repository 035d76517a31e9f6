"""What KEEP_ROUNDS takes away of a long run, and what it never does."""

import json
from pathlib import Path

import pytest

from autotrain.files import replace_text
from autotrain.run.artifacts import find_damage
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.prune import prune
from autotrain.run.repair import best_before, mend_best
from autotrain.run.state import STAGES, State, save_state

PROMOTED = {1: True, 2: False, 3: True, 4: False, 5: False}


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    """Five rounds, of which the first and the third made a best adapter."""
    paths = RunPaths(tmp_path / "run_20260101_000000_abcdef")
    paths.data.mkdir(parents=True)
    paths.eval.mkdir()
    save_state(paths.state, State(run_id=paths.root.name, started_at="2026", updated_at="2026"))
    made = Journal(paths)
    for number, promoted in PROMOTED.items():
        adapter = paths.adapter(number)
        adapter.mkdir(parents=True)
        (adapter / "adapter_model.safetensors").write_text(f"weights {number}")
        files = [
            paths.raw(number), paths.responses(number), paths.clean(number), paths.rejected(number),
            paths.tested(number), paths.failed(number), paths.train(number), paths.val(number), paths.answers(number),
            paths.report_text(number), paths.report_page(number), paths.own(number), paths.own_answers(number),
        ]  # fmt: skip
        for path in files:
            path.write_text(f"{path.name}\n")
        decision = {"promoted": promoted, "metric": "pass_at_1", "score": number / 10, "reason": ""}
        replace_text(paths.report(number), json.dumps({"decision": decision}))
        for name in STAGES:
            made.start_stage(number, name)
            artifacts = [adapter, *files, paths.report(number)] if name == "evaluate" else []
            made.end_stage(number, name, "completed", "done", artifacts=artifacts)
    return made


def test_what_was_paid_for_trained_on_reported_or_promoted_stays(journal: Journal) -> None:
    paths = journal.paths
    prune(paths, journal.state, before=5)
    for number, promoted in PROMOTED.items():
        kept = [
            paths.raw(number), paths.responses(number), paths.tested(number), paths.train(number), paths.own(number),
            paths.report(number), paths.report_text(number),
        ]  # fmt: skip
        assert all(path.exists() for path in kept)
        intermediate = [paths.clean(number), paths.rejected(number), paths.val(number), paths.answers(number)]
        assert all(path.exists() is (number == 5) for path in intermediate)
        assert paths.adapter(number).exists() is (promoted or number == 5)
    # What was taken away is no damage; what else is gone is.
    assert find_damage(paths, journal.state) == []
    paths.tested(2).unlink()
    (damage,) = find_damage(paths, journal.state)
    assert str(damage) == "data/tested_round_2.jsonl is missing since stage evaluate of round 2 wrote it"
    assert prune(paths, journal.state, before=5) == []


def test_nothing_is_taken_away_before_the_first_round(journal: Journal) -> None:
    before = sorted(journal.paths.root.rglob("*"))
    assert prune(journal.paths, journal.state, before=1) == []
    assert sorted(journal.paths.root.rglob("*")) == before


def test_the_link_to_the_best_adapter_is_mended_from_the_record(journal: Journal) -> None:
    paths = journal.paths
    assert best_before(paths, 1) is None
    best = best_before(paths, 6)
    assert best is not None
    assert (best.round, best.score) == (3, 0.3)
    assert best_before(paths, 3).round == 1  # type: ignore[union-attr]
    journal.state.best = best
    paths.best_adapter.symlink_to("out_lora_round_1/final")
    mend_best(paths, journal.state)
    assert paths.best_adapter.resolve() == paths.adapter(3)
    journal.state.best = None
    mend_best(paths, journal.state)
    assert not paths.best_adapter.is_symlink()
