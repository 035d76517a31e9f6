"""The history of runs as a user sees it: what the command prints, on run folders made here."""

import io
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from autotrain.config import Settings
from autotrain.errors import SettingsError
from autotrain.evaluate.answers import Answer
from autotrain.evaluate.metrics import Graded, measure, measure_by, task_type
from autotrain.evaluate.promotion import decide
from autotrain.evaluate.statistics import compare
from autotrain.gate.verdict import Verdict
from autotrain.jsonl import write_jsonl
from autotrain.monitor.history import find_run, main
from autotrain.run.journal import Journal
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import STAGES, Best, State, load_state, save_state, timestamp
from autotrain.sample import Sample

FIRST, SECOND = "run_20260101_100000_aaaaaa", "run_20260102_110000_bbbbbb"


def history(out: Path, *words: str, columns: str = "") -> tuple[int, str, str]:
    """Exit status, output and errors of the command."""
    printed, errors = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, COLUMNS=columns), redirect_stdout(printed), redirect_stderr(errors):
        try:
            status = main(["--out-dir", str(out), *words])
        except SystemExit as ended:
            status = int(ended.code or 0)
    return status, printed.getvalue(), errors.getvalue()


def shown(out: Path, *words: str, columns: str = "") -> str:
    status, printed, errors = history(out, *words, columns=columns)
    assert (status, errors) == (0, "")
    return printed


def in_process(*words: str, **environment: str) -> str:
    command = [sys.executable, "-m", "autotrain.history", *words]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def values(out: Path, *words: str) -> Any:
    return json.loads(shown(out, *words, "--json"))


def make_run(out: Path, run_id: str, **changes: Any) -> RunPaths:
    """A run that has just begun."""
    paths = OutPaths(out).run(run_id)
    paths.data.mkdir(parents=True)
    paths.eval.mkdir()
    paths.config.write_text(Settings(out_dir=out, **changes).to_json())
    now = timestamp()
    save_state(paths.state, State(run_id=run_id, started_at=now, updated_at=now))
    return paths


def end(paths: RunPaths, status: Any = "completed") -> None:
    Journal(paths).set_status(status)


def do_stages(paths: RunPaths, number: int, upto: str = "evaluate") -> None:
    journal = Journal(paths)
    counters = {"generate": {"teacher_generated": 10}, "validate": {"validated_ok": 8, "rejected_duplicate": 2}}
    for name in STAGES[: STAGES.index(upto) + 1]:
        journal.start_stage(number, name)
        journal.record("progress", "", round_number=number, stage=name, counters=counters.get(name))
        journal.end_stage(number, name, "completed", "done")


def evaluate(paths: RunPaths, number: int, base: str, new: str, names: str, executed: bool = True) -> None:
    """Write what stage 05 writes: `base` and `new` have a letter an item, p where the answer passes."""
    items = [
        Sample(id=f"r{number}-{place:05d}", instruction=f"Write {name}.", output="x", tests="assert True")
        for place, name in enumerate(names)
    ]
    graded: dict[str, list[Graded]] = {}
    for role, outcomes in (("base", base), ("new", new)):
        name = "base tiny" if role == "base" else f"adapter {paths.root.name}"
        graded[role] = [
            Graded(
                item,
                Answer(name, item.id, "greedy 64", "text", 5, False, 0.5 if outcome == "p" else 1.5, 10),
                Verdict(passed=outcome == "p" if executed else None, reason="ok", format_ok=True),
            )
            for item, outcome in zip(items, outcomes, strict=True)
        ]
    totals = {role: measure(part) for role, part in graded.items()}
    decision = decide(totals["base"], None, totals["new"])
    passed = {role: [item.verdict.passed is True for item in part] for role, part in graded.items()}
    report = {
        "report_version": 1,
        "round": number,
        "items": len(items),
        "max_new_tokens": 64,
        "execution": "every answer with tests was run" if executed else "off",
        "models": {
            role: {
                "name": part[0].answer.model,
                "total": totals[role].to_json(),
                "by_task_type": {kind: metrics.to_json() for kind, metrics in measure_by(task_type, part).items()},
            }
            for role, part in graded.items()
        },
        "comparisons": {"this round against base": asdict(compare(passed["new"], passed["base"]))} if executed else {},
        "decision": asdict(decision),
    }
    write_jsonl(paths.val(number), (item.to_json() for item in items))
    lines = [{**one.answer.to_json(), "verdict": asdict(one.verdict)} for part in graded.values() for one in part]
    write_jsonl(paths.answers(number), lines)
    paths.report(number).write_text(json.dumps(report))
    if decision.promoted and decision.score is not None:
        state = load_state(paths.state)
        state.best = Best(round=number, metric=decision.metric, score=decision.score)
        save_state(paths.state, state)


def whole_run(out: Path, run_id: str, base: str, new: str, names: str, **changes: Any) -> RunPaths:
    paths = make_run(out, run_id, rounds=1, **changes)
    do_stages(paths, 1)
    evaluate(paths, 1, base, new, names, executed=changes.get("eval_execute") != "0")
    end(paths)
    return paths


# ---------------------------------------------------------------------------------------------------
# The table of all runs


def test_the_table_tells_what_every_run_came_to(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd", teacher_model="builtin")
    worse = whole_run(tmp_path, SECOND, "pp--", "p---", "abcd", base_model="/models/tiny-code")
    Journal(worse).record("progress", "", usage={"estimated_cost_usd": 0.25})
    killed = make_run(tmp_path, "run_20260103_120000_cccccc", rounds=3)
    do_stages(killed, 1, "gate")
    for width, columns in ((100, ""), (80, "80")):
        text = shown(tmp_path, columns=columns)
        assert max(len(line.rstrip()) for line in text.splitlines()) <= width
        rows = [block for block in re.split(r"\n(?=[abc]{6} )", text) if re.match("[abc]{6} ", block)]
        assert [row[:6] for row in rows] == ["cccccc", "bbbbbb", "aaaaaa"], "newest first"
        for words, row in zip(
            (
                ("phi-2", "gpt-4o-mini", "0/3", "dead"),
                ("tiny-code", "gpt-4o-mini", "1/1", "completed", "50.0% → none", "pass@1", "$0.2500"),
                ("phi-2", "builtin", "1/1", "completed", "25.0% → 75.0%", "pass@1"),
            ),
            rows,
            strict=True,
        ):
            assert [word for word in words if word not in row] == []
        assert "—" in rows[0].splitlines()[0][40:], "no score, which is no zero"
        assert "$" not in rows[0] + rows[2]
    listed = values(tmp_path)
    assert [one["cost_usd"] for one in listed] == [None, 0.25, None]
    assert [(one["metric"], one["base_score"], one["best_score"]) for one in listed] == [
        (None, None, None), ("pass_at_1", 0.5, None), ("pass_at_1", 0.25, 0.75)
    ]  # fmt: skip


def test_a_run_without_execution_is_told_by_its_loss(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd", eval_execute="0")
    text = shown(tmp_path)
    assert "1.25 → 0.75" in text
    assert "validation loss" in text


def test_what_is_damaged_or_foreign_gets_a_line_and_hurts_nothing(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd")
    runs = tmp_path / "runs"
    (runs / "holiday \x1b[31mpictures").mkdir()
    (runs / ".hidden").mkdir()
    damaged = {
        "a00001": ("state.json", '{"run_id": "\x1b]0;title\x07", "status": 3}'),
        "a00002": ("state.json", "{torn"),
        "a00003": ("state.json", "[]"),
        "a00004": ("state.json", "[" * 100_000),
        "a00005": ("elsewhere.json", "{}"),
    }
    for number, (name, content) in damaged.items():
        folder = runs / f"run_20250101_000000_{number}"
        folder.mkdir()
        (folder / name).write_text(content)
    state = json.loads((runs / FIRST / "state.json").read_text())
    state["started_at"] = "yesterday"
    late = runs / "run_20250101_000000_a00006"
    late.mkdir()
    (late / "state.json").write_text(json.dumps(state))
    text = shown(tmp_path)
    assert "\x1b" not in text
    assert "25.0% → 75.0%" in text
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("holiday")] == ["holiday pictures: not a run"]
    for number in [*damaged, "a00006"]:
        (line,) = [line for line in lines if number in line]
        assert re.search(r"state\.json (is damaged|cannot be read)", line)
    assert len(values(tmp_path)) == 8
    status, _, errors = history(tmp_path, "show", "a00002")
    assert status == 1
    assert "state.json is damaged" in errors


@pytest.mark.parametrize("content", ["[]", "{", '{"models": {}}', '{"round": 1, "models": {"base": 3}}'])
def test_a_damaged_report_or_setting_costs_only_its_own_figures(tmp_path: Path, content: str) -> None:
    paths = whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd")
    whole_run(tmp_path, SECOND, "p---", "ppp-", "abcd")
    paths.report(1).write_text(content)
    paths.config.write_text(content)
    assert shown(tmp_path).count("25.0% → 75.0%") == 1
    assert "round 1: its report cannot be read" in shown(tmp_path, "show", "aaaaaa")
    text = shown(tmp_path, "compare", "aaaaaa", "bbbbbb")
    assert "The scores cannot be compared" in text


def test_no_text_of_a_run_reaches_the_terminal_as_a_command(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\x1b[2Jx\x9b31m\x85y"
    paths = whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd", base_model=f"tiny{evil}", concepts="sets")
    whole_run(tmp_path, SECOND, "p---", "ppp-", "abcd", teacher_model=f"teacher{evil}")
    report = json.loads(paths.report(1).read_text())
    report["execution"] = report["decision"]["reason"] = evil
    report["comparisons"] = {evil: report["comparisons"]["this round against base"]}
    paths.report(1).write_text(json.dumps(report))
    (paths.data / f"name{evil}.jsonl".replace("/", "")).write_text("")
    journal = Journal(paths)
    journal.set_status("failed", evil)
    for words in ([], ["show", "aaaaaa"], ["compare", "aaaaaa", "bbbbbb"]):
        for more in ([], ["--json"], ["--ascii"]):
            text = shown(tmp_path, *words, *more)
            assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]|\\u001b|owned", text), (words, more)


def test_ascii_is_ascii_also_where_the_terminal_knows_nothing_else(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd", base_model="größe")
    for text in (shown(tmp_path, "--ascii"), in_process("--out-dir", str(tmp_path), PYTHONIOENCODING="ascii")):
        assert text.isascii()
        assert "25.0% > 75.0%" in text
    assert shown(tmp_path, "show", "aaaaaa", "--ascii").isascii()


def test_no_run_is_no_failure_and_nothing_is_written(tmp_path: Path) -> None:
    assert "no run in" in shown(tmp_path)
    assert values(tmp_path) == []
    status, _, errors = history(tmp_path, "show", "aaaaaa")
    assert status == 2
    assert "there is no run" in errors
    assert list(tmp_path.iterdir()) == []


def test_it_only_reads(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd")
    whole_run(tmp_path, SECOND, "p---", "pp--", "abcd")

    def all_files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    before = all_files()
    for words in ([], ["show", "aaaaaa"], ["compare", "aaaaaa", "bbbbbb"]):
        shown(tmp_path, *words)
    assert all_files() == before


# ---------------------------------------------------------------------------------------------------
# Which run is meant


def test_a_run_is_named_by_its_beginning_or_end(tmp_path: Path) -> None:
    out = OutPaths(tmp_path)
    for name in (FIRST, SECOND, "run_20260102_120000_bbaaaa"):
        out.run(name).root.mkdir(parents=True)
    for word in (FIRST, "aaaaaa", "run_20260101", "20260101", "00_aaaaaa"):
        assert find_run(out, word) == FIRST
    for word in ("20260102", "aaaa", "run_", ""):
        with pytest.raises(SettingsError, match=r"can be run_.*, run_.*; give more of it"):
            find_run(out, word)
    for word, nearest in (("aaaaab", FIRST), ("20260102_110001", SECOND), ("bbbbbx", SECOND)):
        with pytest.raises(SettingsError, match=f"the nearest is {nearest}"):
            find_run(out, word)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["show"], "required: ID"),
        (["compare", "aaaaaa"], "required: ID"),
        (["compare", "aaaaaa", "aaaaaa"], "compared with itself"),
        (["shwo", "aaaaaa"], "'shwo' (command line): unexpected word"),
        (["--jsn"], "did you mean --json?"),
    ],
)
def test_wrong_words_are_explained(tmp_path: Path, words: list[str], message: str) -> None:
    make_run(tmp_path, FIRST)
    status, _, errors = history(tmp_path, *words)
    assert status == 2
    assert message in errors


def test_out_dir_comes_from_the_environment_too_and_flags_may_stand_anywhere(tmp_path: Path) -> None:
    make_run(tmp_path, FIRST)
    known = json.loads(in_process("--ascii", "show", "--json", "aaaaaa", OUT_DIR=str(tmp_path)))
    assert known["run_id"] == FIRST


# ---------------------------------------------------------------------------------------------------
# One run


def test_show_tells_everything_about_a_run(tmp_path: Path) -> None:
    paths = make_run(tmp_path, FIRST, rounds=2, lora_r=16)
    do_stages(paths, 1)
    evaluate(paths, 1, "p---", "ppp-", "abcd")
    do_stages(paths, 2, "validate")
    journal = Journal(paths)
    journal.start_stage(2, "gate")
    journal.end_stage(2, "gate", "failed", "the disk is full", error="the disk is full")
    end(paths, "failed")
    text = shown(tmp_path, "show", FIRST, columns="80")
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert re.search(r"LORA_R +16 +64", text)
    assert re.search(r"SEED +42 *\n", text)
    assert re.search(r"generated +20 +10 +10", text)
    assert re.search(r"dropped: duplicate +4 +2 +2", text)
    assert re.search(r"\n2 +0:00 +0:00 +0:00 +— +— +0:00 *\n +failed", text)
    assert "round 1: 4 held-out items; promoted: 75.0% is above the base" in text
    assert "75.0% (3/4: ±45 points)" in text
    assert "this round against base: 2 wins, 0 losses, 2 ties, McNemar p = 0.5: no evidence" in text
    assert "JSON answers" not in text, "what nobody was asked for has no row"
    assert "eval/answers_round_1.jsonl" in text
    known = values(tmp_path, "show", "aaaaaa")
    assert known["stages"]["2"]["gate"]["status"] == "failed"
    assert known["settings"]["lora_r"] == 16
    assert known["reports"]["1"]["items"] == 4


# ---------------------------------------------------------------------------------------------------
# Two runs


def test_runs_on_the_same_items_are_tested_against_each_other(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "-" * 12, "pp" + "-" * 10, "abcdefghijkl", lr=1e-4)
    whole_run(tmp_path, SECOND, "-" * 12, "-" + "p" * 11, "abcdefghijkl", lr=2e-4)
    text = shown(tmp_path, "compare", "aaaaaa", "bbbbbb")
    assert re.search(r"LR +0\.0001 +0\.0002", text)
    assert "SEED" not in text
    assert "The scores can be compared: both were measured on the same 12 items." in text
    assert "bbbbbb against aaaaaa: 10 wins, 1 losses, 1 ties, McNemar p = 0.0117: better" in text
    assert "bbbbbb: validation loss 0.5833" in text
    assert "aaaaaa against bbbbbb: 1 wins, 10 losses, 1 ties, McNemar p = 0.0117: worse" in shown(
        tmp_path, "compare", "bbbbbb", "aaaaaa"
    )


def test_runs_on_other_items_are_not_compared_by_their_scores(tmp_path: Path) -> None:
    """The items bear the same names in both runs: it is their content that tells."""
    whole_run(tmp_path, FIRST, "----", "pp--", "abcd")
    whole_run(tmp_path, SECOND, "----", "-ppp", "dcxy")
    text = shown(tmp_path, "compare", "aaaaaa", "bbbbbb")
    assert "The scores above cannot be compared: measured on different items, 4 and 4, 2 in both." in text
    assert "aaaaaa: pass@1 0.0% (0/2" in text
    assert "bbbbbb: pass@1 50.0% (1/2" in text
    assert "bbbbbb against aaaaaa: 1 wins, 0 losses, 1 ties" in text
    shutil.rmtree(OutPaths(tmp_path).run(SECOND).root)
    whole_run(tmp_path, SECOND, "----", "-ppp", "wxyz")
    text = shown(tmp_path, "compare", "aaaaaa", "bbbbbb")
    assert "The scores cannot be compared: measured on different items, 4 and 4, none in both." in text
    assert "wins" not in text
    shared = values(tmp_path, "compare", "aaaaaa", "bbbbbb")["shared_items"]
    assert (shared["shared"], shared["same"], shared["comparison"], shared["losses"]) == (0, False, None, None)


def test_what_was_not_executed_or_not_evaluated_is_said(tmp_path: Path) -> None:
    paths = whole_run(tmp_path, FIRST, "----", "pp--", "abcd", eval_execute="0")
    whole_run(tmp_path, SECOND, "----", "-ppp", "abcd")
    text = shown(tmp_path, "compare", "aaaaaa", "bbbbbb")
    assert "no item was executed in both runs" in text
    assert "aaaaaa: validation loss 1\n" in text
    paths.val(1).unlink()
    text = shown(tmp_path, "compare", "aaaaaa", "bbbbbb")
    assert "The scores cannot be compared: what they were measured on cannot be read." in text
    make_run(tmp_path, "run_20260103_120000_cccccc")
    text = shown(tmp_path, "compare", "aaaaaa", "cccccc")
    assert "The scores cannot be compared: run_20260103_120000_cccccc was not evaluated." in text


def test_losses_of_other_base_models_are_not_set_against_each_other(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "----", "pp--", "abcd", base_model="one")
    whole_run(tmp_path, SECOND, "----", "-ppp", "abcd", base_model="other")
    shared = values(tmp_path, "compare", "aaaaaa", "bbbbbb")["shared_items"]
    assert (shared["same"], shared["losses"], shared["comparison"]["wins"]) == (True, None, 2)


# ---------------------------------------------------------------------------------------------------
# As a program


def test_help_comes_at_once() -> None:
    """Nothing is imported for it that takes a moment."""
    command = [sys.executable, "-X", "importtime", "-m", "autotrain.history", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "compare ID ID" in done.stdout
    imported = {line.split("|")[-1].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert {"autotrain", "argparse"} <= imported
    assert imported.isdisjoint({"torch", "transformers", "datasets", "openai", "scipy", "numpy", "textual"})


def test_a_reader_that_leaves_early_is_no_failure(tmp_path: Path) -> None:
    whole_run(tmp_path, FIRST, "p---", "ppp-", "abcd")
    command = f"{sys.executable} -m autotrain.history --out-dir '{tmp_path}' show aaaaaa"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command} | true"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
