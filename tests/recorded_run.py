"""A run as its stages write it, made through the real journal in a moment: two rounds, the second one training."""

import json
from typing import Any

from autotrain.config import Settings
from autotrain.files import replace_text
from autotrain.run.journal import Journal
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.stage import Stage
from autotrain.run.state import Best, State, save_state, timestamp

RUN_ID = "run_20260102_030405_abcdef"


def record(out: OutPaths, run_id: str = RUN_ID, pid: int | None = None, **settings: Any) -> Journal:
    """The files of a run in `out` whose loop is `pid`: round 1 is done, round 2 is at step 3 of 20."""
    run = out.run(run_id)
    run.data.mkdir(parents=True)
    run.eval.mkdir()
    wanted = Settings(teacher_model="t1", rounds=3, samples_per_round=100, max_cost_usd=2.0, **settings)
    replace_text(run.config, wanted.to_json())
    now = timestamp()
    save_state(run.state, State(run_id=run_id, pid=pid, started_at=now, updated_at=now))
    journal = Journal(run)
    journal.record("pipeline_start", "3 rounds of 100 samples")
    usage = {"requests_sent": 40, "input_tokens": 4000, "output_tokens": 2000, "estimated_cost_usd": 0.5}
    generated = {"teacher_generated": 100, "teacher_failed": 3, "replies_refused": 2}
    one = at_work(journal, wanted, 1, "generate")
    one.progress("100 samples", generated, {**usage, "rate_limits_hit": 4, "retries": 6, "failed_timeout": 2})
    finish(journal, one)
    for name, counts in (
        ("validate", {"validated_ok": 90, "rejected_duplicate": 8, "rejected_secret": 2}),
        ("gate", {"test_pass": 70, "test_fail": 15, "test_skipped": 5}),
        ("train", {"train_step": 20, "train_tokens": 9000, "train_samples": 60}),
    ):
        stage = at_work(journal, wanted, 1, name)
        stage.progress(f"{name} at work", counts, gauges={"train_loss": 0.9} if name == "train" else None)
        finish(journal, stage)
    evaluate = at_work(journal, wanted, 1, "evaluate")
    evaluate.progress("40/40 answers", {"answers": 40}, gauges={"answers_planned": 40})
    replace_text(run.report(1), json.dumps(report(1, base=(2, 20), new=(9, 20), promoted=True)))
    journal.state.best = Best(round=1, metric="pass_at_1", score=0.45)
    finish(journal, evaluate)
    for name, counts in (
        ("generate", {"teacher_generated": 100}),
        ("validate", {"validated_ok": 95}),
        ("gate", {"test_pass": 95}),
    ):
        stage = at_work(journal, wanted, 2, name)
        stage.progress(
            f"{name} at work",
            counts,
            gauges={"requests_at_once": 6, "latency_p50": 1.5, "latency_p95": 4.0} if name == "generate" else None,
        )
        finish(journal, stage)
    train = at_work(journal, wanted, 2, "train")
    train.progress("planned", {"train_samples": 80}, gauges={"train_steps_planned": 20})
    for step in (1, 2, 3):
        step_at(train, step)
    if pid is None:
        # Nobody's process: what it takes is not this one's.
        journal.state.stages["2"]["train"].pid = None
        save_state(run.state, journal.state)
    return journal


def at_work(journal: Journal, settings: Settings, number: int, name: str) -> Stage:
    journal.start_stage(number, name)
    return Stage(name, settings, number, journal)


def step_at(stage: Stage, step: int) -> None:
    """One optimizer step, as stage 04 reports it."""
    stage.progress(
        f"step {step}/20",
        {"train_step": 1, "train_tokens": 400},
        gauges={"train_loss": 1.0 / step, "learning_rate": 2e-4 / step},
    )


def finish(journal: Journal, stage: Stage) -> None:
    journal.end_stage(stage.round_number, stage.name, "completed", f"{stage.name} is done")


def report(number: int, base: tuple[int, int], new: tuple[int, int], promoted: bool) -> dict[str, Any]:
    """A report of stage 05 in which only pass@1 was measured."""
    comparison = {"wins": 8, "losses": 1, "ties": 11, "p": 0.039, "verdict": "better"}
    return {
        "report_version": 1,
        "round": number,
        "items": base[1],
        "max_new_tokens": 192,
        "execution": "every answer with tests was run",
        "models": {role: _model(role, *passed) for role, passed in (("base", base), ("new", new))},
        "comparisons": {"this round against base": comparison},
        "decision": {"promoted": promoted, "metric": "pass_at_1", "score": 0.45, "reason": "above the base"},
    }


def _model(role: str, hits: int, n: int) -> dict[str, Any]:
    rate = {"hits": hits, "n": n, "value": hits / n, "low": hits / n / 2, "high": min(1.0, hits / n * 2)}
    names = ("findings_correct_rate", "json_parse_rate", "format_compliance", "syntax_valid_rate")
    total: dict[str, Any] = dict.fromkeys((*names, "repetition_rate", "truncated_rate"))
    total |= {"items": n, "pass_at_1": rate, "mean_tokens": 50.0, "validation_loss": 0.5, "failures": {"no_code": 3}}
    return {"name": role, "total": total, "by_task_type": {"bug_fixing": total}}


def add_line(run: RunPaths, line: str | bytes) -> None:
    """Append what some other program, or a torn write, may have left in events.jsonl."""
    with run.events.open("ab") as stream:
        stream.write(line if isinstance(line, bytes) else line.encode())




