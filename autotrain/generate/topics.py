"""What a round's tasks are about: the settings CONCEPTS and TASK_TYPES, and what evaluation asks more of."""

import difflib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast, get_args

from autotrain.config import OFFLINE_TEACHERS, Settings, split_list
from autotrain.errors import AutotrainError, SettingsError
from autotrain.redact import glimpse
from autotrain.sample import TaskType

# Evaluation asks for three times as much at most.
MOST_WEIGHT = 1000


@dataclass(frozen=True)
class Topics:
    """Concepts (none: all the teacher knows) and task types with their shares (none: the teacher's own).

    `focus` says of a concept or task type how much more (or less) of it is wanted; 1.0 where it says nothing.
    """

    concepts: tuple[str, ...] = ()
    shares: Mapping[TaskType, float] = field(default_factory=dict)
    focus: Mapping[str, float] = field(default_factory=dict)


def read_focus(path: Path) -> dict[str, float]:
    """The weights that an evaluation left in `path` ({concept or task type: weight}); none without the file.

    Raises AutotrainError if the file holds anything else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise AutotrainError(f"{path} cannot be read ({error}); delete it to go on without a focus") from None
    if not isinstance(value, dict):
        raise AutotrainError(f"{path} holds no JSON object of weights; delete it to go on without a focus")
    for name, weight in value.items():
        if type(weight) not in (int, float) or not 0 <= weight <= MOST_WEIGHT:
            raise AutotrainError(
                f"{path}: the weight of {glimpse(name)} is {glimpse(weight)}, not a number from 0 to {MOST_WEIGHT}; "
                "delete the file to go on without a focus"
            )
    return {name: float(weight) for name, weight in value.items()}


def read_topics(settings: Settings) -> Topics:
    """Read both settings; raise SettingsError for a name or share that cannot be."""
    concepts = tuple(split_list(settings.concepts))
    if settings.teacher_model in OFFLINE_TEACHERS:
        from autotrain.generate.builtin import CONCEPTS

        for name in concepts:
            _require(name, CONCEPTS, "CONCEPTS", "the builtin teacher knows")
    shares: dict[TaskType, float] = {}
    for word in split_list(settings.task_types):
        name, _, share = word.partition("=")
        _require(name, get_args(TaskType), "TASK_TYPES", "there are")
        try:
            shares[cast(TaskType, name)] = float(share.encode("ascii") or 1)
        except ValueError:
            raise SettingsError(f"TASK_TYPES = {settings.task_types!r}: the share {share!r} is no number") from None
    if shares and not (all(0 <= share < float("inf") for share in shares.values()) and any(shares.values())):
        raise SettingsError(f"TASK_TYPES = {settings.task_types!r}: shares are 0 or more, one of them above 0")
    return Topics(concepts, shares)


def _require(name: str, known: Collection[str], setting: str, who: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"{who} {', '.join(sorted(known))}"
        raise SettingsError(f"{setting} names {name!r}: {hint}")
