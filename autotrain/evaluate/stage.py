"""Stage 05: base, best so far and new adapter answer the held-out items; the answers are run and compared."""

import argparse
import json
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.answers import (
    Answer,
    Clock,
    answer_batches,
    append_answers,
    load_for_answers,
    read_answers,
)
from autotrain.evaluate.metrics import Graded, by_task_type, measure
from autotrain.evaluate.promotion import decide
from autotrain.evaluate.report import show_comparison, show_rate, to_markdown
from autotrain.evaluate.statistics import compare
from autotrain.files import replace_link, replace_text
from autotrain.gate.jail import Jail, Limits
from autotrain.gate.verify import verify_answers
from autotrain.jsonl import write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.run.state import Best
from autotrain.sample import Sample, load_samples
from autotrain.train.card import check_weights, read_manifest
from autotrain.train.models import load_tokenizer, pick_device, quiet_libraries, resolve_base
from autotrain.train.render import render_digest


@dataclass(frozen=True)
class Model:
    """One of the models compared: the base, or the base with an adapter."""

    role: str
    name: str
    adapter: Path | None


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Evaluate the round's adapter and move best_adapter if it earned it."""
    assert stage.journal is not None
    state = stage.journal.state
    round_number = stage.round_number
    adapters = {"new": paths.adapter(round_number)}
    if state.best is not None and state.best.round != round_number:
        adapters["best"] = paths.adapter(state.best.round)
    paths.eval.mkdir(exist_ok=True)
    report, graded = _evaluate(
        stage,
        load_samples(paths.val(round_number)),
        adapters,
        paths.answers(round_number),
        [paths.answers(earlier) for earlier in range(1, round_number)],
    )
    write_jsonl(paths.answers(round_number), (_answer_line(item) for item in graded))
    replace_text(paths.report_text(round_number), to_markdown(report))
    replace_text(paths.report(round_number), json.dumps(report, indent=2) + "\n")
    decision = report["decision"]
    if decision["promoted"]:
        # The record first: a link can be mended from it, but not the other way round.
        state.best = Best(round=round_number, metric=decision["metric"], score=decision["score"])
        stage.progress(f"round {round_number} has the best adapter: {decision['reason']}", {"promotions": 1})
        replace_link(paths.best_adapter, str(paths.adapter(round_number).relative_to(paths.root)))
    return Done(
        _headline(report),
        [paths.answers(round_number), paths.report(round_number), paths.report_text(round_number)],
    )


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Compare an adapter with its base on a user's own file."""
    data, adapter, output = required(options, "data", "adapter", "output")
    answers = output.with_name(output.stem + ".answers.jsonl")
    report, graded = _evaluate(stage, load_samples(data), {"new": adapter}, answers, [])
    write_jsonl(answers, (_answer_line(item) for item in graded))
    replace_text(output.with_suffix(".md"), to_markdown(report))
    replace_text(output, json.dumps(report, indent=2) + "\n")
    return Done(f"{output}: {_headline(report)}")


def _evaluate(
    stage: Stage,
    items: Sequence[Sample],
    adapters: Mapping[str, Path],
    log: Path,
    earlier_logs: Sequence[Path],
) -> tuple[dict[str, Any], list[Graded]]:
    settings = stage.settings
    quiet_libraries()
    base = resolve_base(settings.base_model)
    tokenizer = load_tokenizer(base, settings)
    digest = render_digest(tokenizer)
    models = [Model("base", f"base {Path(base).name}", None)]
    models += [_checked(role, folder, settings.base_model, digest) for role, folder in adapters.items()]
    device = pick_device(settings)
    bits = "" if device == "cpu" else f" {settings.quantization_bits} bits"
    decoding = f"greedy {settings.eval_max_new_tokens} {digest[:12]} {device}{bits}"
    jail, execution = choose_execution(stage)

    earlier, own = read_answers(earlier_logs), read_answers([log])
    known = {**earlier, **own}
    wanted = [key for model in models for item in items if (key := (model.name, item.id, decoding)) not in earlier]
    _report_planned(stage, len(wanted), [own[key] for key in wanted if key in own])
    todo = [(model, [item for item in items if (model.name, item.id, decoding) not in known]) for model in models]
    with stage.pausing_anywhere():
        _answer(stage, base, tokenizer, decoding, todo, log, known)

    graded: dict[str, list[Graded]] = {}
    with jail or nullcontext():
        for model in models:
            answers = [known[model.name, item.id, decoding] for item in items]
            pairs = [(item, answer.text) for item, answer in zip(items, answers, strict=True)]
            verdicts = verify_answers(pairs, jail, lambda _: stage.check_control())
            graded[model.role] = [Graded(*parts) for parts in zip(items, answers, verdicts, strict=True)]
            stage.check_control()
    report = _report(stage, len(items), graded, execution)
    return report, [item for part in graded.values() for item in part]


def _report_planned(stage: Stage, planned: int, before: Sequence[Answer]) -> None:
    """Say how many answers this round takes. What an attempt cut short had answered counts as done again."""
    counters = {"answers": len(before), "answer_tokens": sum(answer.tokens for answer in before)}
    stage.progress(f"{len(before)}/{planned} answers", counters, gauges={"answers_planned": planned})


def _answer(
    stage: Stage,
    base: str,
    tokenizer: Any,
    decoding: str,
    todo: Sequence[tuple[Model, Sequence[Sample]]],
    log: Path,
    known: dict[tuple[str, str, str], Answer],
) -> None:
    """Let each model answer its items; every answer is in `log` and `known` as soon as its batch is done."""
    clock = Clock(sum(len(missing) for _, missing in todo))
    for model, missing in todo:
        if not missing:
            continue
        stage.say(f"{model.role} model answers {len(missing)} items")
        loaded = load_for_answers(base, model.adapter, stage.settings)
        for batch in answer_batches(loaded, model.name, tokenizer, missing, decoding, stage.settings):
            append_answers(log, batch)
            known.update(((answer.model, answer.item, answer.decoding), answer) for answer in batch)
            left = clock.add(len(batch))
            tokens = sum(answer.tokens for answer in batch)
            stage.progress(
                f"{model.role}: {clock.done}/{clock.total} answers",
                {"answers": len(batch), "answer_tokens": tokens},
            )
            stage.say(f"{clock.done}/{clock.total} answers, {left:.0f} s left")
            stage.check_control()
        del loaded


def choose_execution(stage: Stage) -> tuple[Jail | None, str]:
    """The jail that answers are run in (None: they are not), and the sentence the report says about it.

    Raises Refused if EVAL_EXECUTE=1 and no sandbox holds on this machine.
    """
    settings = stage.settings
    if settings.eval_execute == "0":
        return None, "off (EVAL_EXECUTE=0), so there is no pass@1"
    try:
        jail = Jail(Limits(seconds=settings.test_timeout, memory_mb=settings.test_memory_mb))
    except Refused as error:
        if settings.eval_execute == "1":
            raise Refused(f"EVAL_EXECUTE=1 but {error} EVAL_EXECUTE=auto evaluates without running anything") from None
        return None, f"off: {error}, so there is no pass@1"
    return jail, (
        f"every answer with tests was run, {settings.test_timeout:g} s and {settings.test_memory_mb} MiB at most, "
        f"in tier {jail.tier} of the sandbox"
    )


def _checked(role: str, folder: Path, base_model: str, digest: str) -> Model:
    """The adapter in `folder`, if it belongs to this base and to this way of rendering."""
    manifest = read_manifest(folder)
    if manifest["base_model"] != base_model:
        raise AutotrainError(
            f"{folder} was trained on {manifest['base_model']}, not on BASE_MODEL = {base_model}; set --base-model"
        )
    if manifest["render_sha256"] != digest:
        raise AutotrainError(
            f"{folder} was trained with another chat template or tokenizer "
            f"({manifest['render_sha256'][:12]}, now {digest[:12]}); its figures would mean nothing. Train it again"
        )
    check_weights(folder, manifest)
    return Model(role, f"adapter {manifest['adapter_sha256']}", folder)


def _report(
    stage: Stage, items: int, graded: Mapping[str, Sequence[Graded]], execution: str
) -> dict[str, Any]:
    totals = {role: measure(part) for role, part in graded.items()}
    passed = {role: [item.verdict.passed for item in part] for role, part in graded.items()}
    comparisons = {}
    for title, (one, other) in {
        "this round against base": ("new", "base"),
        "this round against best so far": ("new", "best"),
        "best so far against base": ("best", "base"),
    }.items():
        if one in passed and other in passed:
            pairs = [
                (a, b)
                for a, b in zip(passed[one], passed[other], strict=True)
                if a is not None and b is not None
            ]
            if pairs:
                comparisons[title] = asdict(compare([a for a, _ in pairs], [b for _, b in pairs]))
    decision = decide(totals["base"], totals.get("best"), totals["new"])
    return {
        "report_version": 1,
        "round": stage.round_number,
        "items": items,
        "max_new_tokens": stage.settings.eval_max_new_tokens,
        "execution": execution,
        "models": {
            role: {
                "name": part[0].answer.model,
                "total": totals[role].to_json(),
                "by_task_type": {kind: metrics.to_json() for kind, metrics in by_task_type(part).items()},
            }
            for role, part in graded.items()
        },
        "comparisons": comparisons,
        "decision": asdict(decision),
    }


def _headline(report: Mapping[str, Any]) -> str:
    base, new = (report["models"][role]["total"] for role in ("base", "new"))
    promoted = "promoted" if report["decision"]["promoted"] else "not promoted"
    if new["pass_at_1"] is None:
        losses = f"{base['validation_loss']} → {new['validation_loss']}"
        return f"no pass@1 (nothing executed), validation loss {losses}, {promoted}"
    evidence = show_comparison(report["comparisons"]["this round against base"])
    return (
        f"pass@1 base {show_rate(base['pass_at_1'])} → {show_rate(new['pass_at_1'])}; {evidence}; {promoted}"
    )


def _answer_line(item: Graded) -> dict[str, Any]:
    return {**item.answer.to_json(), "verdict": asdict(item.verdict)}
