"""The builtin teacher: programming tasks composed without a language model, each checked by running it."""

from collections.abc import Collection, Iterator, Mapping

from autotrain.generate.builtin.collectors import COLLECTOR_SHARES
from autotrain.generate.builtin.concepts import BUILDERS, CONCEPT_SHARES
from autotrain.generate.builtin.dice import Dice
from autotrain.generate.builtin.running import verify
from autotrain.generate.builtin.tasks import MAKERS, SHARES, Task
from autotrain.sample import Metadata, Sample, TaskType

__all__ = ["CONCEPTS", "builtin_samples", "only"]

PROMPT_VERSION = "builtin-1"

# What CONCEPTS may name: where a task's data comes from, and what pipelines make of it.
CONCEPTS = frozenset(CONCEPT_SHARES) | frozenset(COLLECTOR_SHARES)


def only(concepts: Collection[str], shares: Mapping[TaskType, float]) -> dict[str, float]:
    """Weights for `builtin_samples` that leave nothing but these concepts, and these shares of task types.

    Kinds of concept that none is named of stay as they are: naming `sum` alone still draws from every source.
    """
    weights: dict[str, float] = {}
    for kind in (CONCEPT_SHARES, COLLECTOR_SHARES):
        if not kind.keys().isdisjoint(concepts):
            weights.update((name, 0.0) for name in kind if name not in concepts)
    if shares:
        wanted = {str(name): share for name, share in shares.items()}
        weights.update((name, wanted.get(name, 0.0) / share) for name, share in SHARES.items())
    return weights


def builtin_samples(
    count: int, seed: int, round_number: int, weights: Mapping[str, float] | None = None
) -> Iterator[Sample]:
    """Yield exactly `count` samples, the same ones for the same seed and round.

    `weights` maps a concept or a task type to how much more (or less) of it is wanted than by default,
    1.0; names that are not known are ignored.
    """
    dice = Dice(f"builtin/{seed}/{round_number}", weights)
    seen: set[tuple[str, str]] = set()
    for index in range(1, count + 1):
        sample = draw_sample(dice, f"r{round_number}-{index:05d}", round_number)
        while (sample.instruction, sample.input) in seen:
            sample = draw_sample(dice, sample.id, round_number)
        seen.add((sample.instruction, sample.input))
        yield sample


def draw_sample(dice: Dice, name: str, round_number: int) -> Sample:
    task_type = dice.named(SHARES)
    while True:
        problem = BUILDERS[dice.named(CONCEPT_SHARES)](dice)
        verified = verify(problem) if problem else None
        task: Task | None = None
        if problem and verified:
            task = MAKERS[task_type](dice, problem, verified)
        if problem and task:
            break
    metadata = Metadata.model_validate(
        {
            "task_type": task_type,
            "response_format": task.response_format,
            "entry_point": task.entry_point or problem.name,
            "concepts": list(problem.concepts),
            "difficulty": problem.difficulty,
            "round": round_number,
            "teacher_model": "builtin",
            "prompt_version": PROMPT_VERSION,
            **task.extra,
        }
    )
    return Sample(id=name, instruction=task.instruction, input=task.input, output=task.output,
                  tests=task.tests, metadata=metadata)  # fmt: skip
