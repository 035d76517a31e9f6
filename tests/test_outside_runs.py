"""Whatever was done to a run's files, those who only look at it never raise; and what names no run opens nothing."""

import json
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from damage import STRANGERS, damaged, examples, foreign, with_a_foreign_line
from hypothesis import given
from hypothesis import strategies as st
from recorded_run import RUN_ID, record
from rich.console import RenderableType
from test_outside_files import ANSWERS, SAMPLES

from autotrain.errors import AutotrainError, SettingsError
from autotrain.evaluate import stage as evaluate
from autotrain.evaluate.page import page_of
from autotrain.gate import stage as gate
from autotrain.jsonl import write_jsonl
from autotrain.monitor import dashboard, history
from autotrain.monitor.follow import Follower
from autotrain.monitor.records import Run, Unreadable, details, on_shared_items, read_run, read_runs
from autotrain.monitor.snapshot import to_json
from autotrain.monitor.views.frame import frame
from autotrain.monitor.views.history import page_of_run, page_of_two, table_of_runs, verdict_lines
from autotrain.monitor.views.page import VIEWS, Page
from autotrain.run.control import current_run, find_run, status_text, write_request
from autotrain.run.journal import Journal
from autotrain.run.lock import end_orphan, loop_pid
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.repair import decision_of, ensure_state
from autotrain.run.rounds import finish
from autotrain.run.stage import run_stage
from autotrain.run.start import read_order
from autotrain.run.state import load_state, save_state
from autotrain.run.summary import summary_text
from autotrain.sources import Source

OTHER_ID = "run_20260101_030405_abcdef"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> OutPaths:
    """Two runs with all that is looked at, as stages write it."""
    out = OutPaths(tmp_path_factory.mktemp("out"))
    for run_id in (OTHER_ID, RUN_ID):
        paths = record(out, run_id).paths
        report = json.loads(paths.report(1).read_text())
        for role in ("base", "new"):
            report["models"][role]["name"] = role
        comparisons = {title: {**one, "p_corrected": 0.08} for title, one in report["comparisons"].items()}
        models = {role: {"name": role, "total": report["models"][role]["total"]} for role in ("base", "new")}
        report |= {"report_version": 2, "comparisons": comparisons}
        report["benchmarks"] = {"mbpp": {"items": 2, "prompt": "x", "models": models, "comparisons": comparisons}}
        paths.report(1).write_text(json.dumps(report, indent=2) + "\n")
        paths.control.write_text('{"request": "pause"}\n')
        write_jsonl(paths.val(1), (sample.to_json() for sample in SAMPLES))
        lines = [{**answer.to_json(), "model": role} for answer in ANSWERS for role in ("base", "new")]
        write_jsonl(paths.answers(1), ({**line, "verdict": {"passed": True, "reason": "ok"}} for line in lines))
    out.lock.write_text("123\n")
    return out


@pytest.fixture
def out(made: OutPaths, tmp_path: Path) -> OutPaths:
    shutil.copytree(made.root, tmp_path / "out")
    return OutPaths(tmp_path / "out")


# ---------------------------------------------------------------------------------------------------
# Looking


def dashboard_of(out: OutPaths) -> None:
    snapshot = Follower(out).look()
    json.dumps(to_json(snapshot))
    for view in range(1, len(VIEWS) + 1):
        frame(snapshot, Page(view, 90, 40))


def history_of(out: OutPaths) -> list[RenderableType]:
    found = read_runs(out)
    runs = [run for run in found if isinstance(run, Run)]
    json.dumps([asdict(run) if isinstance(run, Unreadable) else details(run) for run in found])
    return [table_of_runs(found), *map(page_of_run, runs)]


def comparison_of(out: OutPaths) -> list[RenderableType]:
    one, other = (read_run(out, run_id) for run_id in (OTHER_ID, RUN_ID))
    shared = on_shared_items(one, other)
    json.dumps(None if shared is None else asdict(shared))
    verdict_lines(one, other, shared)
    return [page_of_two(one, other, shared)]


def standing_of(out: OutPaths) -> None:
    status_text(out, RUN_ID)
    current_run(out)
    loop_pid(out)
    end_orphan(out)


def summary_of(out: OutPaths) -> None:
    try:
        summary_text(out.run(RUN_ID))
    except AutotrainError as error:
        told = str(error)
        assert str(out.run(RUN_ID).root) in told


# By what of a run they read, beside state.json.
LOOKS: dict[str, list[Callable[[OutPaths], object]]] = {
    "state.json": [dashboard_of, history_of, standing_of, summary_of],
    "config.json": [dashboard_of, history_of, standing_of, summary_of],
    "control.json": [standing_of],
    "events.jsonl": [dashboard_of],
    "eval/report_round_1.json": [dashboard_of, history_of, summary_of],
    "eval/answers_round_1.jsonl": [comparison_of],
    "data/val_round_1.jsonl": [comparison_of],
    "../../pipeline.pid": [standing_of],
}


@pytest.mark.parametrize("name", LOOKS)
def test_looking_never_fails(out: OutPaths, name: str) -> None:
    path = out.run(RUN_ID).root / name
    whole = path.read_bytes()
    kinds = [damaged(whole)]
    if name.endswith(".jsonl"):
        kinds.append(with_a_foreign_line(whole.splitlines(keepends=True)))
    elif name.endswith(".json"):
        kinds.append(foreign(json.loads(whole)))

    @examples(12)
    @given(st.one_of(kinds))
    def look(content: bytes) -> None:
        path.write_bytes(content)
        for look in LOOKS[name]:
            look(out)

    look()


@pytest.mark.parametrize("name", LOOKS)
def test_looking_at_a_strangers_file_never_fails(out: OutPaths, name: str) -> None:
    path = out.run(RUN_ID).root / name
    for content in STRANGERS.values():
        path.write_bytes(content)
        for look in LOOKS[name]:
            look(out)
    path.unlink()
    path.mkdir()
    for look in LOOKS[name]:
        look(out)
    path.rmdir()
    path.symlink_to("nowhere")
    for look in LOOKS[name]:
        look(out)


def test_what_stands_where_a_run_should_be_is_told(out: OutPaths) -> None:
    folder = out.run(RUN_ID).root
    for make in (folder.mkdir, lambda: folder.write_text("{}"), lambda: folder.symlink_to("nowhere"),
                 lambda: folder.symlink_to(folder.name)):
        if folder.is_symlink() or folder.is_file():
            folder.unlink()
        elif folder.is_dir():
            shutil.rmtree(folder)
        make()
        for look in (dashboard_of, history_of, standing_of, summary_of):
            look(out)
        assert f"{RUN_ID}: damaged" in status_text(out, RUN_ID)
        with pytest.raises(SettingsError, match=RUN_ID):
            read_order(Source("command line", {"out_dir": str(out.root)}), RUN_ID)


@pytest.mark.parametrize("benchmarks", [[1], 3, {"b": {"items": 3}}, {"b": {"models": {"new": {"total": {}}}}}])
def test_benchmarks_in_another_form_cost_no_other_part_of_a_report(out: OutPaths, benchmarks: object) -> None:
    path = out.run(RUN_ID).report(1)
    path.write_text(json.dumps({**json.loads(path.read_text()), "benchmarks": benchmarks}))
    shown = "\n".join(line.plain for line in frame(Follower(out).look(), Page(5, 120, 60))[0])
    assert "benchmarks: what the report says of them is not in its form" in shown
    assert "round 1, 20 held-out items: promoted" in shown


def test_the_page_of_damaged_files_is_a_page(out: OutPaths) -> None:
    """One of each: a page takes half a second."""
    run = out.run(RUN_ID)
    for path, stranger in ((run.report(1), "list"), (run.events, "object of objects"), (run.answers(1), "UTF-16")):
        path.write_bytes(STRANGERS[stranger])
    assert "is damaged" in page_of(run, 1)


# ---------------------------------------------------------------------------------------------------
# Going on


def test_a_state_is_made_again_from_events_whatever_they_are(out: OutPaths) -> None:
    run = out.run(RUN_ID)
    whole = run.events.read_bytes()

    @examples(15)
    @given(st.one_of(damaged(whole), with_a_foreign_line(whole.splitlines(keepends=True))))
    def look(content: bytes) -> None:
        run.events.write_bytes(content)
        run.state.write_bytes(bytes(300))
        try:
            ensure_state(run)
        except AutotrainError as error:
            told = str(error)
            assert str(run.state) in told
            return
        journal = Journal(run)
        journal.reconcile()
        assert load_state(run.state) == journal.state

    look()


@pytest.mark.parametrize("path", ["/", "/etc", "..", "../../..", "data/../../..", "\0", 3, None])
def test_what_lies_outside_of_a_run_is_none_of_its_files(out: OutPaths, path: object) -> None:
    run = out.run(RUN_ID)
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    ended = next(event for event in events if event["event_type"] == "stage_end")
    run.events.write_text("".join(json.dumps(one) + "\n" for one in [*events, {**ended, "artifact_paths": [path]}]))
    run.state.unlink()
    ensure_state(run)
    record = load_state(run.state).stages["1"]["generate"]
    assert (record.status, record.artifacts) == ("completed", {})


@pytest.mark.parametrize("decision", [3, {}, {"promoted": "no"}, {"metric": 3}, {"score": "high"}, {"score": [1]}])
def test_a_report_that_decides_nothing_is_named(out: OutPaths, decision: object) -> None:
    run = out.run(RUN_ID)
    report = json.loads(run.report(1).read_text())
    assert decision_of(run, 1) == {"promoted": True, "metric": "pass_at_1", "score": 0.45}
    changed = {**report["decision"], **decision} if isinstance(decision, dict) and decision else decision
    run.report(1).write_text(json.dumps({**report, "decision": changed}))
    with pytest.raises(AutotrainError, match=f"{run.report(1)} cannot be read; --resume with --redo"):
        decision_of(run, 1)


def stage_of(name: str, run: RunPaths, number: int) -> int:
    work = {"gate": gate, "evaluate": evaluate}[name]
    write_request(run.control, "run")
    return run_stage(name, "", work.in_round, work.on_files, {}, ["--run", str(run.root), "--round", str(number)])


@pytest.mark.parametrize(
    "change",
    [
        None,
        [],
        {"round": 2},
        {"round": None},
        {"decision": {"promoted": 1, "reason": ""}},
        {"comparisons": {"this round against base": {"wins": 1}}},
        {"benchmarks": {"mbpp": {"models": {}}}},
        {"benchmarks": {"mbpp": {"models": {}, "comparisons": {"this round against base": {"wins": 1, "losses": 1}}}}},
    ],
)
def test_a_damaged_report_of_an_earlier_round_is_named(
    out: OutPaths, change: object, capsys: pytest.CaptureFixture[str]
) -> None:
    run = out.run(RUN_ID)
    report = json.loads(run.report(1).read_text())
    run.report(1).write_text(json.dumps({**report, **change} if isinstance(change, dict) else change))
    assert stage_of("evaluate", run, 2) == 1
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert f"{run.report(1)} is missing or damaged" in told
    assert "--resume with --redo" in told
    assert load_state(run.state).status == "failed"


def test_the_summary_goes_on_without_a_damaged_report(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    run = out.run(RUN_ID)
    run.report(1).write_text('{"round": 1}\n')
    assert finish(run.root, 1) == 1
    told = capsys.readouterr().out
    assert f"{run.report(1)} is damaged" in told
    assert "after mending the cause" in told


def test_a_damaged_report_of_stage_02_is_named(out: OutPaths, capsys: pytest.CaptureFixture[str]) -> None:
    run = out.run(RUN_ID)
    for path in (run.tested(1), run.clean(2)):
        write_jsonl(path, (sample.to_json() for sample in SAMPLES))
    run.validation_report(1).write_text('{"contaminated_by": {"HumanEval/1": "many"}}\n')
    state = load_state(run.state)
    del state.stages["2"]["gate"]
    save_state(run.state, state)
    assert stage_of("gate", run, 2) == 1
    assert f"{run.validation_report(1)} is damaged; delete it" in capsys.readouterr().err
    run.validation_report(1).unlink()
    assert stage_of("gate", run, 2) == 0


# ---------------------------------------------------------------------------------------------------
# Names


@pytest.mark.parametrize(
    "name",
    [
        "../../etc", "..", ".", "/etc", f"../runs/{RUN_ID}", f"{RUN_ID}/", f"{RUN_ID}/../{OTHER_ID}", f"{RUN_ID}\n",
        f"\n{RUN_ID}", f"{RUN_ID}\0", "run_\x1b[31m", "~", "*", "run_" + "9" * 5000, "run_٢٠٢٦٠١٠٢_030405_abcdef",
    ],
)  # fmt: skip
def test_what_names_no_run_opens_nothing(out: OutPaths, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    def everything() -> dict[Path, int]:
        return {path: path.lstat().st_mtime_ns for path in out.root.parent.rglob("*")}

    before = everything()
    ways: list[Callable[[], object]] = [
        lambda: read_order(Source("command line", {"out_dir": str(out.root)}), name),
        lambda: find_run(out, name),
        lambda: history.find_run(out, name),
    ]
    for way in ways:
        with pytest.raises(SettingsError) as told:
            way()
        assert told.value.exit_status == 2
        assert "\x1b" not in str(told.value)
    assert dashboard.main(["--once", "--run", name, "--out-dir", str(out.root)]) == 2
    assert "no run" in capsys.readouterr().err
    assert everything() == before
