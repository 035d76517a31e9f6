"""Stage 04: tested samples → train and held-out samples → adapter."""

import argparse
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotrain.config import SELF_TEACHER
from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.student import learn_from_own, share_of_own
from autotrain.files import sha256_of
from autotrain.jsonl import write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Done, Stage, required
from autotrain.run.state import load_state
from autotrain.sample import Sample, load_samples
from autotrain.train.card import check_weights, read_manifest, write_card, write_manifest
from autotrain.train.models import load_tokenizer, resolve_base
from autotrain.train.qlora import SECONDS_BETWEEN_LINES, Step, Trained, train_adapter
from autotrain.train.render import render_digest
from autotrain.train.split import replay, split
from autotrain.validate.secrets import Scanner

SAMPLES_A_SCAN = 100


def in_round(stage: Stage, paths: RunPaths) -> Done:
    """Split the round's tested samples, then train from the best adapter so far (or from the base)."""
    round_number = stage.round_number
    settings = stage.settings
    earlier_train = _earlier(paths, round_number)
    earlier_val = load_samples(paths.val(round_number - 1)) if round_number > 1 else []
    divided = split(
        load_samples(paths.tested(round_number)),
        settings.val_ratio,
        settings.seed + round_number,
        earlier_train,
        earlier_val,
    )
    replayed = replay(earlier_train, round(settings.replay_ratio * len(divided.train)), settings.seed + round_number)
    new = divided.train
    if share_of_own(settings):
        new = learn_from_own(new, paths.own(round_number), alone=settings.teacher_model == SELF_TEACHER)
    training = new + replayed
    if not earlier_val and not divided.val:
        raise Refused(
            f"nothing can be held out: the {len(divided.train)} samples of round {round_number} are all alike; "
            "more varied samples are needed to measure anything"
        )
    if not new:
        raise Refused(f"no sample is left to train on in round {round_number}; raise SAMPLES_PER_ROUND")
    if not stage.follows:
        write_jsonl(paths.train(round_number), (sample.to_json() for sample in training))
        write_jsonl(paths.val(round_number), (sample.to_json() for sample in [*earlier_val, *divided.val]))
    message = (
        f"{len(new)} new and {len(replayed)} earlier samples to train on, {len(divided.val)} newly held out"
    )
    stage.say(message)
    stage.progress(
        message,
        {
            "train_samples": len(training),
            "val_samples": len(divided.val),
            "split_dropped": len(divided.dropped),
        },
    )
    state = stage.journal.state if stage.journal is not None else load_state(paths.state)
    best = state.best
    final = paths.adapter(round_number)
    trained = _train(
        stage,
        training,
        final,
        paths.checkpoints(round_number),
        start_from=paths.adapter(best.round) if best else None,
        # Stage 05 measures it anyway; here it is only for stopping in time.
        val=[*earlier_val, *divided.val] if settings.early_stop else [],
        facts={
            "run_id": state.run_id,
            "round": round_number,
            "data": {
                path.name: sha256_of(path)
                for path in (paths.train(round_number), paths.val(round_number))
                if not stage.follows
            },
        },
    )
    return Done(
        f"{trained.steps} steps on {trained.samples} samples, loss {trained.loss:g}, "
        f"{trained.tokens_per_second:.0f} tokens/s",
        [paths.train(round_number), paths.val(round_number), final],
    )


def on_files(stage: Stage, options: argparse.Namespace) -> Done:
    """Train on a user's own file."""
    data, output = required(options, "data", "output")
    if output.exists() and not stage.follows:
        raise AutotrainError(f"{output} exists already; choose another --output or remove it")
    samples = load_samples(data)
    val = load_samples(options.val) if options.val else []
    checkpoints = output.with_name(output.name + ".checkpoints")
    trained = _train(
        stage,
        samples,
        output,
        checkpoints,
        start_from=None,
        facts={"run_id": "files", "round": 0, "data": {data.name: sha256_of(data)}},
        val=val,
    )
    if not stage.follows:
        shutil.rmtree(checkpoints, ignore_errors=True)
    measured = "" if trained.val_loss is None else f", validation loss {trained.val_loss:g}"
    return Done(f"{output}: {trained.steps} steps on {trained.samples} samples, loss {trained.loss:g}{measured}")


def _earlier(paths: RunPaths, round_number: int) -> list[Sample]:
    """Every sample trained on in earlier rounds, once."""
    found: dict[str, Sample] = {}
    for earlier in range(1, round_number):
        found.update((sample.id, sample) for sample in load_samples(paths.train(earlier)))
    return list(found.values())


def _train(
    stage: Stage,
    samples: Sequence[Sample],
    final: Path,
    checkpoints: Path,
    *,
    start_from: Path | None,
    facts: dict[str, Any],
    val: Sequence[Sample] = (),
) -> Trained:
    """Train into a folder beside `final` that takes its place when whole."""
    settings = stage.settings
    samples = _without_secrets(stage, samples)
    unfinished = final.with_name(f".{final.name}.tmp")
    if not stage.follows:
        shutil.rmtree(unfinished, ignore_errors=True)
    earlier = read_manifest(start_from) if start_from else None
    origin = None if earlier is None else {"round": earlier["round"], "adapter": earlier["adapter_sha256"]}
    if start_from is not None and earlier is not None:
        check_weights(start_from, earlier)
    with _removed_unless_whole(unfinished, not stage.follows):
        with stage.pausing_anywhere():
            trained = train_adapter(
                samples,
                settings,
                unfinished,
                checkpoints,
                start_from=start_from,
                on_step=_reporter(stage),
                check_control=stage.check_control,
                on_less_memory=lambda budget: _tell_of_less_memory(stage, budget),
                val=val,
            )
        if stage.follows:
            return trained
        base = resolve_base(settings.base_model)
        manifest = {
            **facts,
            "base_model": settings.base_model,
            "base_path": base,
            "start_from": origin,
            "adapter_sha256": sha256_of(unfinished / "adapter_model.safetensors"),
            "render_sha256": render_digest(load_tokenizer(str(unfinished), settings)),
            "training": trained.__dict__,
            "settings": settings.model_dump(mode="json", exclude={"openai_api_key", "out_dir"}),
        }
        write_card(unfinished, manifest)
        write_manifest(unfinished, manifest)
    shutil.rmtree(final, ignore_errors=True)
    unfinished.rename(final)
    if trained.too_long:
        stage.say(f"{trained.too_long} samples are longer than SEQ_LEN = {settings.seq_len} and were left out")
        stage.progress("samples longer than SEQ_LEN left out", {"rejected_length": trained.too_long})
    return trained


@contextmanager
def _removed_unless_whole(folder: Path, ours: bool) -> Iterator[None]:
    """Within, an adapter that could only be written in part gives its space back at once."""
    try:
        yield
    except Exception:
        if ours:
            shutil.rmtree(folder, ignore_errors=True)
        raise


def _without_secrets(stage: Stage, samples: Sequence[Sample]) -> list[Sample]:
    """The samples that the scanner finds nothing in: the file may have been written to since it was validated."""
    scanner = Scanner(pii=stage.settings.drop_pii)
    kept: list[Sample] = []
    lost: Counter[str] = Counter()
    for start in range(0, len(samples), SAMPLES_A_SCAN):
        part = samples[start : start + SAMPLES_A_SCAN]
        for sample, hit in zip(part, scanner.scan_samples(part), strict=True):
            if hit is None:
                kept.append(sample)
            else:
                lost[f"rejected_{hit.kind}"] += 1
    if lost:
        message = f"{lost.total()} of {len(samples)} samples hold a secret or somebody's data and were left out"
        stage.say(message)
        stage.progress(message, lost)
        if not kept:
            raise Refused(f"{message}; nothing is left to train on")
    return kept


def _tell_of_less_memory(stage: Stage, budget: int) -> None:
    message = (
        f"out of memory: from here on at most {budget} tokens go through the model at once; "
        "the samples of a step stay the same, each step takes longer"
    )
    stage.say(message)
    stage.progress(message, {"out_of_memory": 1})


def _reporter(stage: Stage) -> Any:
    """Write every step into the events, and a line with the time left every few seconds."""
    first: Step | None = None
    last_line = 0.0
    done = tokens = 0

    def report(step: Step) -> None:
        nonlocal first, last_line, done, tokens
        first = first or step
        stage.progress(
            f"step {step.step}/{step.steps} loss {step.loss:.4f} lr {step.learning_rate:.2e} tokens {step.tokens}",
            {"train_step": step.step - done, "train_tokens": step.tokens - tokens},
            gauges={
                "train_loss": step.loss,
                "learning_rate": step.learning_rate,
                "train_steps_planned": step.steps,
            },
        )
        done, tokens = step.step, step.tokens
        if step.seconds - last_line >= SECONDS_BETWEEN_LINES or step.step == step.steps:
            last_line = step.seconds
            ahead = step.steps - step.step
            here = step.step - first.step + 1
            stage.say(f"step {step.step}/{step.steps}, loss {step.loss:.3f}, {ahead * step.seconds / here:.0f} s left")

    return report
