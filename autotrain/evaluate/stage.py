"""Stage 05: base, best so far and new adapter answer the held-out items; the answers are run and compared."""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.answers import question_of
from autotrain.evaluate.assembly import History, Outcomes, can_be_followed, make_report
from autotrain.evaluate.benchmarks import answer_as_run, question_for, read_benchmarks, style_for
from autotrain.evaluate.engines import adapter_as_model, base_as_model, engine_for
from autotrain.evaluate.exam import Asked, answer_all, grade
from autotrain.evaluate.page import page_of
from autotrain.evaluate.report import AGAINST_BASE, Report, is_report, show_comparison, show_rate, to_markdown
from autotrain.files import replace_link, replace_text
from autotrain.gate.jail import Jail, limits_of
from autotrain.generate.topics import read_focus
from autotrain.jsonl import write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.run.state import Best
from autotrain.sample import Sample, load_samples
from autotrain.train.models import load_tokenizer, quiet_libraries, resolve_base
from autotrain.train.render import render_digest


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Evaluate the round's adapter, move best_adapter if it earned it, and say what the next round is to practise."""
    assert stage.journal is not None
    number, settings = stage.round_number, stage.settings
    earlier = [_earlier_report(paths.report(before), before) for before in range(1, number)]
    best = max((report["round"] for report in earlier if report["decision"]["promoted"]), default=None)
    adapters = {"new": paths.adapter(number)} | ({} if best is None else {"best": paths.adapter(best)})
    focus = read_focus(paths.focus(number)) if settings.focus else None
    history = History(stage.journal.state.run_id, number, settings.rounds, earlier, focus)
    earlier_logs = [paths.answers(before) for before in range(1, number)]
    paths.eval.mkdir(exist_ok=True)
    log = paths.answers(number)
    report, answers = _evaluate(stage, load_samples(paths.val(number)), adapters, log, earlier_logs, history)
    artifacts = [log, paths.report(number), paths.report_text(number), paths.report_page(number)]
    write_jsonl(log, answers)
    _write_report(report, paths.report(number), paths.report_text(number))
    replace_text(paths.report_page(number), page_of(paths, number))
    if report.focus is not None and number < settings.rounds:
        replace_text(paths.focus(number + 1), json.dumps(report.focus.next, indent=2) + "\n")
        artifacts.append(paths.focus(number + 1))
    decision = report.decision
    if decision.promoted and decision.score is not None:
        # The record first: a link can be mended from it, but not the other way round.
        stage.journal.state.best = Best(round=number, metric=decision.metric, score=decision.score)
        stage.progress(f"round {number} has the best adapter: {decision.reason}", {"promotions": 1})
        replace_link(paths.best_adapter, str(paths.adapter(number).relative_to(paths.root)))
    return Done(_headline(asdict(report)), artifacts)


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Compare an adapter with its base on a user's own file."""
    data, adapter, output = required(options, "data", "adapter", "output")
    log = output.with_name(output.stem + ".answers.jsonl")
    report, answers = _evaluate(stage, load_samples(data), {"new": adapter}, log, [], History(None, 1, 1))
    write_jsonl(log, answers)
    _write_report(report, output, output.with_suffix(".md"))
    return Done(f"{output}: {_headline(asdict(report))}")


def _earlier_report(path: Path, number: int) -> dict[str, Any]:
    """The report of an earlier round. Raises AutotrainError unless all is there that this round is held against."""
    with suppress(OSError, ValueError, RecursionError):
        report = json.loads(path.read_bytes())
        if isinstance(report, dict) and is_report(report) and report["round"] == number and can_be_followed(report):
            return report
    raise AutotrainError(
        f"{path} is missing or damaged, and this round is held against what it says; put it back from a backup, or let "
        "--resume with --redo make it again"
    )


def _write_report(report: Report, path: Path, text: Path) -> None:
    values = asdict(report)
    replace_text(text, to_markdown(values))
    replace_text(path, json.dumps(values, indent=2) + "\n")


def _evaluate(
    stage: Stage,
    items: Sequence[Sample],
    adapters: Mapping[str, Path],
    log: Path,
    earlier_logs: Sequence[Path],
    history: History,
) -> tuple[Report, list[dict[str, Any]]]:
    """The report, and a line for each answer with its verdict."""
    settings = stage.settings
    quiet_libraries()
    base = resolve_base(settings.base_model)
    tokenizer = load_tokenizer(base, settings)
    digest = render_digest(tokenizer)
    models = [base_as_model("base", base)]
    models += [adapter_as_model(role, folder, settings.base_model, digest) for role, folder in adapters.items()]
    benchmarks, style = read_benchmarks(settings), style_for(tokenizer)
    exam = {"": [Asked(item, question_of(tokenizer, item)) for item in items]}
    for benchmark in benchmarks:
        exam[benchmark.name] = [
            Asked(item.sample, question_for(tokenizer, item, style), partial(answer_as_run, item, style=style))
            for item in benchmark.items
        ]
    jail, execution = choose_execution(stage)
    engine = engine_for(settings, base, tokenizer)
    questions = [question for part in exam.values() for one in part for question in one.questions(settings)]
    known = answer_all(stage, engine, models, questions, log, earlier_logs)
    outcomes: dict[str, dict[str, Outcomes]] = {}
    with jail or nullcontext():
        for name, part in exam.items():
            outcomes[name] = {model.role: grade(stage, model.name, part, known, jail) for model in models}
    report = make_report(
        settings, history, outcomes[""], [(one, style, outcomes[one.name]) for one in benchmarks], execution
    )
    graded = [one for part in outcomes.values() for model in part.values() for one in (*model.graded, *model.drawn)]
    return report, [{**one.answer.to_json(), "verdict": one.verdict.to_json()} for one in graded]


def choose_execution(stage: Stage) -> tuple[Jail | None, str]:
    """The jail that answers are run in (None: they are not), and the sentence the report says about it.

    Raises Refused if EVAL_EXECUTE=1 and no sandbox holds on this machine.
    """
    settings = stage.settings
    if settings.eval_execute == "0":
        return None, "off (EVAL_EXECUTE=0), so there is no pass@1"
    try:
        jail = Jail(limits_of(settings))
    except Refused as error:
        if settings.eval_execute == "1":
            raise Refused(f"EVAL_EXECUTE=1 but {error} EVAL_EXECUTE=auto evaluates without running anything") from None
        return None, f"off: {error}, so there is no pass@1"
    return jail, (
        f"every answer with tests was run, {settings.test_timeout:g} s and {settings.test_memory_mb} MiB at most, "
        f"in tier {jail.tier} of the sandbox"
    )


def _headline(report: Mapping[str, Any]) -> str:
    base, new = (report["models"][role]["total"] for role in ("base", "new"))
    promoted = "promoted" if report["decision"]["promoted"] else "not promoted"
    if new["pass_at_1"] is None:
        losses = f"{base['validation_loss']} → {new['validation_loss']}"
        return f"no pass@1 (nothing executed), validation loss {losses}, {promoted}"
    evidence = show_comparison(report["comparisons"][AGAINST_BASE])
    return f"pass@1 base {show_rate(base['pass_at_1'])} → {show_rate(new['pass_at_1'])}; {evidence}; {promoted}"
