"""What the teacher is going to be asked: task type × concept × difficulty × style, drawn from the seed."""

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import count as counting
from typing import TypeVar, get_args

from autotrain.sample import Difficulty, TaskType

Name = TypeVar("Name", bound=str)

TASK_SHARES: dict[TaskType, float] = {
    "algorithm_implementation": 0.30,
    "code_completion": 0.12,
    "bug_fixing": 0.17,
    "refactoring": 0.10,
    "unit_test_generation": 0.08,
    "documentation": 0.05,
    "code_review": 0.07,
    "agent_edit": 0.07,
    "code_explanation": 0.04,
}

# How the instruction is to be put; the task itself stays as exact.
STYLES = (
    "a terse specification, such as a colleague would put into a ticket",
    "a complete specification in full sentences, corner cases included",
    "a short story from a concrete field (a shop, a sensor, a game, a library), then the exact task",
    "a question of a beginner, in plain words",
    "a specification by two or three worked examples and one general sentence",
    "a numbered list of requirements",
    "a request of a user who describes input and output formats exactly",
    "a docstring-like description with arguments, result and errors",
)

# Requests of one wave never depend on one another, so that up to this many can be under way at once.
WAVE = 256


@dataclass(frozen=True)
class Request:
    """One request to the teacher: `count` samples of one task type, concept, difficulty and style."""

    index: int
    round_number: int
    task_type: TaskType
    concept: str
    difficulty: Difficulty
    style: str
    count: int

    @property
    def cell(self) -> tuple[str, str]:
        """What its samples could repeat one another in."""
        return self.task_type, self.concept

    @property
    def wave(self) -> int:
        return self.index // WAVE


def plan_requests(
    count: int,
    samples_per_request: int,
    seed: int,
    round_number: int,
    shares: Mapping[TaskType, float] | None = None,
    concepts: Sequence[str] = (),
    focus: Mapping[str, float] | None = None,
) -> list[Request]:
    """Plan requests for `count` samples.

    `shares` are those of the task types, `concepts` what the samples are about, and `focus` says of a task
    type or a concept how much more (or less) of it is wanted, 1.0 where it says nothing. A plan for more
    samples begins with the same requests as one for fewer (but for the size of the last), so further
    requests can be added later. Raises ValueError if nothing is wanted.
    """
    rng = random.Random(f"{seed}/{round_number}")
    focus = focus or {}
    types = {name: share * focus.get(name, 1.0) for name, share in (shares or TASK_SHARES).items()}
    about = {name: focus.get(name, 1.0) for name in concepts or load_concepts()}
    return [
        Request(
            index=index,
            round_number=round_number,
            task_type=task_type,
            concept=concept,
            difficulty=rng.choice(get_args(Difficulty)),
            style=rng.choice(STYLES),
            count=min(samples_per_request, count - start),
        )
        for index, (start, (task_type, concept)) in enumerate(
            zip(range(0, count, samples_per_request), _draw_cells(types, about, rng), strict=False)
        )
    ]


def _draw_cells(
    types: Mapping[TaskType, float], about: Mapping[str, float], rng: random.Random
) -> Iterator[tuple[TaskType, str]]:
    """Yield cells so that every stretch has about its shares, where independent draws would clump.

    The next type is the one that lacks most of its share so far; the concept the one that lacks most of its
    share of all cells and of this type's. Two cycles side by side would miss most cells: their periods lock.
    """
    type_shares, concept_shares = _normalized(types), _normalized(about)
    luck = {name: rng.random() * 1e-3 for name in (*type_shares, *concept_shares)}
    used: Counter[object] = Counter()
    for drawn in counting(1):
        task_type = max(type_shares, key=lambda name: drawn * type_shares[name] - used[name] + luck[name])
        used[task_type] += 1
        of_type = used[task_type]

        def lacks(name: str, drawn: int = drawn, task_type: TaskType = task_type, of_type: int = of_type) -> float:
            missing = (drawn + of_type) * concept_shares[name] - used["concept", name] - used[task_type, name]
            return missing + luck[name]

        concept = max(concept_shares, key=lacks)
        used["concept", concept] += 1
        used[task_type, concept] += 1
        yield task_type, concept


def _normalized(weights: Mapping[Name, float]) -> dict[Name, float]:
    wanted = {name: weight for name, weight in weights.items() if weight > 0}
    if not wanted:
        raise ValueError(f"nothing is wanted: no weight of {', '.join(weights)} is above 0")
    total = sum(wanted.values())
    return {name: weight / total for name, weight in wanted.items()}


@cache
def load_concepts() -> list[str]:
    """The programming concepts that tasks are drawn from."""
    text = files("autotrain.generate").joinpath("concepts.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line]
