"""What a run's tasks are about: the settings CONCEPTS and TASK_TYPES, read and checked."""

import difflib
from collections.abc import Collection
from dataclasses import dataclass
from typing import cast, get_args

from autotrain.config import BUILTIN_TEACHER, Settings
from autotrain.errors import SettingsError
from autotrain.sample import TaskType


@dataclass(frozen=True)
class Topics:
    """Concepts (none: all the teacher knows) and task types with their shares (none: the teacher's own)."""

    concepts: tuple[str, ...]
    shares: dict[TaskType, float]


def read_topics(settings: Settings) -> Topics:
    """Read both settings; raise SettingsError for a name or share that cannot be."""
    concepts = tuple(filter(None, (name.strip() for name in settings.concepts.split(","))))
    if settings.teacher_model == BUILTIN_TEACHER:
        from autotrain.generate.builtin import CONCEPTS

        for name in concepts:
            _require(name, CONCEPTS, "CONCEPTS", "the builtin teacher knows")
    shares: dict[TaskType, float] = {}
    for word in filter(None, (part.strip() for part in settings.task_types.split(","))):
        name, _, share = word.partition("=")
        _require(name, get_args(TaskType), "TASK_TYPES", "there are")
        try:
            shares[cast(TaskType, name)] = float(share or 1)
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
