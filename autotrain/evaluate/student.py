"""The student's own right answers, as samples for it to learn from (rejection sampling).

Its tasks are the round's; that an answer is right is what their tests say, which are run as for any other sample.
"""

import ast
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from autotrain.config import SELF_TEACHER, Settings
from autotrain.errors import AutotrainError, SettingsError
from autotrain.evaluate.answers import Answer, drawn, question_of
from autotrain.evaluate.engines import adapter_as_model, base_as_model, engine_for
from autotrain.evaluate.exam import answer_all
from autotrain.gate.jail import Jail, limits_of
from autotrain.gate.verify import verify_samples
from autotrain.jsonl import BadLine, write_jsonl
from autotrain.run.paths import RunPaths
from autotrain.run.stage import Stage
from autotrain.sample import EXECUTED_TYPES, Sample, fenced_code, load_samples, read_samples
from autotrain.train.models import load_tokenizer, quiet_libraries, resolve_base
from autotrain.train.render import render_digest

# Different right answers to one task that are kept, the shortest first.
KEPT_A_TASK = 2


def share_of_own(settings: Settings) -> float:
    """Of how many of a round's tasks the student's own answers are wanted: SELF_RATIO, all with the teacher `self`."""
    return 1.0 if settings.teacher_model == SELF_TEACHER else settings.self_ratio


def require_proof(settings: Settings) -> None:
    """Raise SettingsError if the student is to learn from its own answers, and none would be run."""
    if share_of_own(settings) and not settings.run_unit_tests:
        raise SettingsError(
            "a student that learns from its own answers (SELF_RATIO, TEACHER_MODEL=self) needs RUN_UNIT_TESTS=1: "
            "only running them tells which are right"
        )


def write_own_answers(stage: Stage, paths: RunPaths) -> str:
    """Let the best model so far answer the round's tested tasks; its right answers go to own_round_N.jsonl.

    The number of tasks, of answers and of what is kept, in words.
    """
    assert stage.journal is not None
    number, settings = stage.round_number, stage.settings
    tasks = choose_tasks(load_samples(paths.tested(number)), share_of_own(settings), settings.seed + number)
    best = stage.journal.state.best
    quiet_libraries()
    base = resolve_base(settings.base_model)
    tokenizer = load_tokenizer(base, settings)
    if best is None:
        model = base_as_model("student", base)
    else:
        digest = render_digest(tokenizer)
        model = adapter_as_model("student", paths.adapter(best.round), settings.base_model, digest)
    questions = [
        question
        for task in tasks
        for question in drawn(question_of(tokenizer, task), settings.self_attempts, settings.seed + number)
    ]
    engine = engine_for(settings, base, tokenizer)
    log = paths.own_answers(number)
    known = answer_all(stage, engine, [model], questions, log, counter="own_answers")
    answers: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in known.values():
        answers[answer.item].append(answer)
    with Jail(limits_of(settings)) as jail:
        own = right_answers(stage, tasks, answers, jail)
    write_jsonl(paths.own(number), (sample.to_json() for sample in own))
    solved = len({(sample.metadata.model_extra or {})["task"] for sample in own})
    message = f"the student got {solved} of {len(tasks)} tasks right in {len(known)} answers; {len(own)} kept"
    stage.progress(message, {"own_tasks": len(tasks), "own_tasks_solved": solved, "own_kept": len(own)})
    stage.say(message)
    return message


def choose_tasks(samples: Sequence[Sample], share: float, seed: int) -> list[Sample]:
    """The share of those tasks whose answers can be run, in the file's order."""
    tasks = [sample for sample in samples if sample.metadata.task_type in EXECUTED_TYPES]
    chosen = set(random.Random(seed).sample(range(len(tasks)), round(share * len(tasks))))
    return [task for place, task in enumerate(tasks) if place in chosen]


def right_answers(stage: Stage, tasks: Sequence[Sample], answers: dict[str, list[Answer]], jail: Jail) -> list[Sample]:
    """The samples that the different answers make which hold: in each task's place, the shortest first."""
    made: list[Sample] = []
    for task in tasks:
        different: dict[str, Sample] = {}
        for answer in sorted(answers[task.id], key=lambda one: (len(one.text), one.draw)):
            if not answer.truncated:
                different.setdefault(_essence(answer.text), _as_sample(task, answer))
        made += different.values()
    verdicts = verify_samples(made, jail, lambda _: stage.check_control())
    kept: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample, verdict in zip(made, verdicts, strict=True):
        task_id = (sample.metadata.model_extra or {})["task"]
        if verdict.passed and verdict.format_ok and len(kept[task_id]) < KEPT_A_TASK:
            kept[task_id].append(sample)
    return [sample for samples in kept.values() for sample in samples]


def _as_sample(task: Sample, answer: Answer) -> Sample:
    extra = {"teacher_model": f"self: {answer.model}", "task": task.id}
    return task.model_copy(
        update={
            "id": f"{task.id}-own{answer.draw}",
            "output": answer.text.strip(),
            "metadata": task.metadata.model_validate({**task.metadata.model_dump(exclude_none=True), **extra}),
        }
    )


def _essence(text: str) -> str:
    """What is the same of answers that differ in layout only."""
    code = fenced_code(text)
    try:
        return ast.dump(ast.parse(code)) if code is not None else " ".join(text.split())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text


def learn_from_own(train: Sequence[Sample], own: Path, alone: bool) -> list[Sample]:
    """What is trained on: `train`, and the own answers to tasks of it; where they are `alone`, nothing but these.

    Tasks that are held out are not among `train`, so that no answer to one is learned.
    """
    tasks = {sample.id for sample in train}
    right = []
    for number, sample in read_samples(own):
        task = None if isinstance(sample, BadLine) else (sample.metadata.model_extra or {}).get("task")
        if isinstance(sample, BadLine) or not isinstance(task, str):
            raise AutotrainError(f"{own} line {number} is no answer of the student; restore it from a backup")
        right += [sample] if task in tasks else []
    return right if alone else [*train, *right]
