"""How much a run writes, whether the disk has room for it, and how a run ends whose disk is full."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from autotrain.config import EMBEDDED_MODEL, OFFLINE_TEACHERS, Settings, load, split_list
from autotrain.errors import AutotrainError, Refused, SettingsError, StopRequested
from autotrain.files import is_full, origins
from autotrain.run.control import resume_command
from autotrain.run.paths import OutPaths, RunPaths
from autotrain.run.state import load_state

MB, GB = 2**20, 2**30

# A sample as a line of JSON, and the files it stands in: raw, clean, tested, train. Replies of an API teacher stand in
# the ledger too, and what is held out again in each later round.
SAMPLE_BYTES, COPIES = 4000, 4
# An answer beside its text, what a report says of an item, an event, and all else in a round.
ANSWER_BYTES, ITEM_BYTES, EVENT_BYTES, ROUND_BYTES = 600, 2000, 600, 200_000
CHARACTERS_A_TOKEN = 4
ITEMS_OF_A_BENCHMARK = 200
MODELS_COMPARED = 3

# Adapters are float32, and so are the optimizer's two moments but for those of 8 bits, which are for GPUs.
NUMBER_BYTES, MOMENTS_BYTES, SMALL_MOMENTS_BYTES = 4, 8, 2.02
# A checkpoint's random state, scheduler and log.
CHECKPOINT_BYTES = MB
# Where the base model is not at hand: the numbers of an adapter of rank 1 for 7 billion weights, and a tokenizer.
RANK_NUMBERS, TOKENIZER_BYTES = 2_500_000, 12 * MB
# No adapter of rank 1 has as many; a config that says so is none.
MOST_NUMBERS = 10**12


# ---------------------------------------------------------------------------------------------------
# How much is needed


def needed_bytes(settings: Settings, first_round: int = 1) -> int:
    """About how much a run writes in OUT_DIR from a round on, with what it removes again; rather more than less."""
    rounds = range(first_round, settings.rounds + 1)
    numbers, tokenizer = rank_numbers(settings.base_model) * settings.lora_r, _tokenizer_bytes(settings)
    one = checkpoint_bytes(numbers, _on_gpu(settings), tokenizer)
    adapter = NUMBER_BYTES * numbers + tokenizer
    kept = sum(adapter + _text_bytes(settings, number) for number in rounds)
    return kept + (settings.checkpoints_kept + 1) * one if rounds else 0


def checkpoint_bytes(numbers: int, on_gpu: bool, tokenizer: int = TOKENIZER_BYTES) -> int:
    """About what a checkpoint takes, by how many numbers are trained."""
    moments = SMALL_MOMENTS_BYTES if on_gpu else MOMENTS_BYTES
    return round(numbers * (NUMBER_BYTES + moments)) + tokenizer + CHECKPOINT_BYTES


def _text_bytes(settings: Settings, round_number: int) -> int:
    """What a round's samples, replies, answers, reports and events come to."""
    samples = settings.samples_per_round
    lines = samples * (COPIES + settings.replay_ratio * (round_number > 1))
    lines += samples * (settings.teacher_model not in OFFLINE_TEACHERS)
    held_out = round_number * settings.val_ratio * samples
    items = held_out + ITEMS_OF_A_BENCHMARK * len(split_list(settings.benchmarks))
    answers = MODELS_COMPARED * items * (1 + settings.eval_samples)
    answers += settings.self_ratio * samples * settings.self_attempts
    an_answer = ANSWER_BYTES + settings.eval_max_new_tokens * CHARACTERS_A_TOKEN / 2
    events = settings.train_steps + samples
    written = (lines + held_out) * SAMPLE_BYTES + answers * an_answer + items * ITEM_BYTES + events * EVENT_BYTES
    return round(written) + ROUND_BYTES


def rank_numbers(base_model: str) -> int:
    """About how many numbers an adapter of rank 1 has, by the base model's config.json alone.

    autotrain.train.memory asks the model itself, for which it loads PyTorch: too long for each start. Here a layer is
    attention and a gated MLP, the most that dense models have.
    """
    config = _config(base_model)
    try:
        hidden, heads = config["hidden_size"], config["num_attention_heads"]
        size = config.get("head_dim") or hidden // heads
        shared = config.get("num_key_value_heads") or heads
        inner = config.get("intermediate_size") or 4 * hidden
        attention = 2 * (hidden + heads * size) + 2 * (hidden + shared * size)
        numbers = config["num_hidden_layers"] * (attention + 3 * (hidden + inner))
        return int(numbers) if 0 < numbers < MOST_NUMBERS else RANK_NUMBERS
    except (KeyError, TypeError, ArithmeticError):
        return RANK_NUMBERS


def _config(base_model: str) -> dict[str, Any]:
    """What a base model's config.json says of its language model; nothing where it is not on this machine."""
    from autotrain.train.memory import EMBEDDED_CONFIG
    from autotrain.train.models import file_at_hand

    if base_model == EMBEDDED_MODEL:
        return dict(EMBEDDED_CONFIG)
    path = file_at_hand(base_model, "config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
        text = config.get("text_config", config)
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}
    return text if isinstance(text, dict) else {}


def _tokenizer_bytes(settings: Settings) -> int:
    from autotrain.train.models import tokenizer_file

    path = tokenizer_file(settings.base_model)
    return TOKENIZER_BYTES if path is None else path.stat().st_size


def _on_gpu(settings: Settings) -> bool:
    from autotrain.monitor.hardware import gpus

    return settings.device == "cuda" or (settings.device == "auto" and bool(gpus()))


# ---------------------------------------------------------------------------------------------------
# How much there is


def free_bytes(path: Path) -> int:
    """What is free for us on the disk where `path` is, or will be."""
    while not os.path.exists(path):
        path = path.parent
    return shutil.disk_usage(path).free


def shown(size: int) -> str:
    """A size as people read it."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / MB:.{0 if size >= 10 * MB else 1}f} MB"


def disk_text(settings: Settings) -> str:
    """What a whole run needs and what is free, in words."""
    return f"about {shown(needed_bytes(settings))} needed, {shown(free_bytes(settings.out_dir.absolute()))} free"


def refuse_without_room(settings: Settings, out: OutPaths, run: RunPaths | None) -> None:
    """Raise Refused where the disk of OUT_DIR has no room for a run, or for what is left of `run`."""
    needed = needed_bytes(settings) if run is None else left_bytes(run)
    free = free_bytes(out.root)
    if needed > free:
        what = "the run" if run is None else "the rest of the run"
        raise Refused(
            f"{what} would not fit on the disk of OUT_DIR = {out.root}: about {shown(needed)} are needed and "
            f"{shown(free)} are free. Free some, set OUT_DIR to a larger disk, or lower LORA_R, CHECKPOINTS_KEPT or "
            "ROUNDS; --force starts it all the same"
        )


def left_bytes(run: RunPaths) -> int:
    """About how much is still to be written of a run that is not complete, its present round counted as a whole."""
    try:
        state = load_state(run.state)
    except AutotrainError:
        # It is made again from the events, once there is room.
        return needed_bytes(load(run.config))
    return 0 if state.status == "completed" else needed_bytes(load(run.config), max(state.current_round, 1))


def require_room(folder: Path, needed: int, what: str) -> None:
    """Raise Refused where the disk of `folder` has no room for something."""
    free = free_bytes(folder)
    if needed > free:
        raise Refused(
            f"no space left for {what}: about {shown(needed)} are needed on the disk of {folder}, and {shown(free)} "
            "are free; free some and start again with --resume: the last checkpoint is kept"
        )


# ---------------------------------------------------------------------------------------------------
# The end on a full disk


@contextmanager
def full_disk_refused(run: RunPaths | None) -> Iterator[None]:
    """Within, whatever fails because a disk is full raises Refused, which says how to go on."""
    try:
        yield
    except (Refused, StopRequested, SettingsError):
        raise
    except Exception as error:
        if not is_full(error):
            raise
        raise no_space(error, run) from error


def no_space(error: BaseException, run: RunPaths | None, folder: Path | None = None) -> Refused:
    """What to say where a disk is full: which one, how much is free and needed, and how to go on.

    It is the disk of `run` or of `folder`, unless the error names a file somewhere else.
    """
    place, ours = _place_of(error), run.root if run is not None else folder
    inside = ours is not None and (place is None or place.is_relative_to(ours))
    words, again = "no space left", "start again"
    if (full := ours if inside else place) is not None:
        with suppress(OSError):
            words += f" on the disk of {full}: {shown(free_bytes(full))} free now"
    if run is not None:
        if inside:
            with suppress(AutotrainError, OSError):
                words += f", about {shown(left_bytes(run))} are needed for the rest of the run"
        again = f"{resume_command(run.root.name, run.root.parent.parent)} goes on"
    return Refused(f"{words}; free some and {again}")


def _place_of(error: BaseException) -> Path | None:
    """The folder that an error, or one that it came from, was in."""
    for link in origins(error):
        if isinstance(link, OSError) and isinstance(link.filename, str):
            return Path(link.filename).absolute().parent
    return None


def tell(text: str, stream: TextIO | None = None) -> None:
    """Print, to stderr unless told otherwise; that a log's disk is full changes nothing about how we end."""
    with suppress(OSError):
        print(text, file=sys.stderr if stream is None else stream, flush=True)


def let_go_of_output() -> None:
    """Leave alone what could not be printed: Python would try once more at its end, and change the exit status."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
