"""Which samples teach and which are held out."""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autotrain.errors import AutotrainError, Refused
from autotrain.jsonl import write_jsonl
from autotrain.sample import Sample, load_samples
from autotrain.sources import add_flags, from_flags, resolve
from autotrain.validate.duplicates import near_duplicate_groups


@dataclass(frozen=True)
class Split:
    """A round's new samples, divided. `dropped` resemble both sides of earlier rounds."""

    train: list[Sample]
    val: list[Sample]
    dropped: list[Sample]


def split(
    samples: Sequence[Sample],
    val_ratio: float,
    seed: int,
    earlier_train: Sequence[Sample],
    earlier_val: Sequence[Sample],
) -> Split:
    """Divide whole groups of near-duplicates, so that none has members on both sides, nor across rounds.

    A group that resembles earlier training samples teaches; one that resembles earlier held-out
    samples would give their answers away and is dropped; of the rest, groups drawn by `seed` are held
    out until they make up `val_ratio` of each task type.
    """
    everything = [*samples, *earlier_train, *earlier_val]
    group_of = near_duplicate_groups(everything)
    first_train = len(samples)
    first_val = first_train + len(earlier_train)
    seen_in_train = set(group_of[first_train:first_val])
    seen_in_val = set(group_of[first_val:])

    groups: dict[int, list[Sample]] = {}
    for sample, group in zip(samples, group_of, strict=False):
        groups.setdefault(group, []).append(sample)
    train: list[Sample] = []
    val: list[Sample] = []
    dropped: list[Sample] = []
    free: list[list[Sample]] = []
    for group, members in groups.items():
        if group in seen_in_val:
            dropped += members
        elif group in seen_in_train:
            train += members
        else:
            free.append(members)
    random.Random(seed).shuffle(free)
    room = _room(samples, val_ratio)
    for members in free:
        kinds = Counter(_kind(sample) for sample in members)
        if all(room[kind] >= count for kind, count in kinds.items()):
            room -= kinds
            val += members
        else:
            train += members
    order = {sample.id: position for position, sample in enumerate(samples)}
    return Split(*(sorted(part, key=lambda sample: order[sample.id]) for part in (train, val, dropped)))


def _room(samples: Sequence[Sample], val_ratio: float) -> Counter[str]:
    """How many samples of each task type are to be held out: their share, and of all together at least one."""
    counts = Counter(_kind(sample) for sample in samples)
    room = Counter({kind: round(val_ratio * count) for kind, count in counts.items()})
    if not room.total():
        room[counts.most_common(1)[0][0]] = 1
    return room


def _kind(sample: Sample) -> str:
    return sample.metadata.task_type or "unknown"


def replay(earlier: Sequence[Sample], count: int, seed: int) -> list[Sample]:
    """Up to `count` earlier samples, drawn by `seed`, so that a new round does not unteach old ones."""
    return random.Random(seed).sample(list(earlier), min(count, len(earlier)))


def main(argv: Sequence[str] | None = None) -> int:
    """`python -m autotrain.train.split CLEAN TRAIN VAL [settings]`: divide a file of samples by VAL_RATIO and SEED."""
    parser = argparse.ArgumentParser(description=main.__doc__, allow_abbrev=False)
    for name in ("clean", "train", "val"):
        parser.add_argument(name, type=Path)
    add_flags(parser)
    try:
        source, options = from_flags(parser, sys.argv[1:] if argv is None else argv)
        settings = resolve(source)
        divided = split(load_samples(options.clean), settings.val_ratio, settings.seed, [], [])
        if not divided.train or not divided.val:
            raise Refused(f"{options.clean}: its samples are too few, or too alike, to hold any out")
        write_jsonl(options.train, (sample.to_json() for sample in divided.train))
        write_jsonl(options.val, (sample.to_json() for sample in divided.val))
    except AutotrainError as error:
        print(f"split: {error}", file=sys.stderr)
        return error.exit_status
    print(f"{len(divided.train)} samples to train on: {options.train}; {len(divided.val)} held out: {options.val}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
