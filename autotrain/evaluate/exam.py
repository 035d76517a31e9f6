"""Models under examination: who still has to answer what, and what their answers are worth."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from autotrain.config import Settings
from autotrain.evaluate.answers import (
    Answer,
    Clock,
    Question,
    answer_to,
    append_answers,
    drawn,
    read_answers,
)
from autotrain.evaluate.assembly import Outcomes
from autotrain.evaluate.engines import Engine, Model
from autotrain.evaluate.metrics import Graded
from autotrain.gate.jail import Jail
from autotrain.gate.verify import verify_answers
from autotrain.run.stage import Stage
from autotrain.sample import Sample


@dataclass(frozen=True)
class Asked:
    """A question with the sample that its answers are judged as, and how one becomes what is run."""

    sample: Sample
    question: Question
    as_run: Callable[[str], str] = str

    def questions(self, settings: Settings) -> list[Question]:
        """It is asked once for the likeliest answer, and EVAL_SAMPLES times for one by chance."""
        return [self.question, *drawn(self.question, settings.eval_samples, settings.seed)]


# By model's name, what was asked (its digest and item) and draw.
Known = Mapping[tuple[str, str, str, int], Answer]


def answer_all(
    stage: Stage,
    engine: Engine,
    models: Sequence[Model],
    questions: Sequence[Question],
    log: Path,
    earlier_logs: Sequence[Path] = (),
    counter: str = "answers",
) -> Known:
    """Let every model answer every question.

    What an earlier round, or an attempt of this one cut short, has answered is not asked again. Every answer is in
    `log` as soon as it is complete, and counted as `counter`.
    """
    settings = stage.settings
    decodings = {draw: _decoding(engine, settings, draw) for draw in (False, True)}
    earlier, own = read_answers(earlier_logs), read_answers([log])
    wanted = {
        model: [(question, (model.name, question.item, question.digest, decodings[question.draw > 0], question.draw))
                for question in questions]
        for model in models
    }  # fmt: skip
    known = {**earlier, **own}
    planned = [key for keys in wanted.values() for _, key in keys if key not in earlier]
    before = [own[key] for key in planned if key in own]
    # What an attempt cut short had answered counts as done again.
    stage.progress(
        f"{len(before)}/{len(planned)} answers",
        _counted(counter, before),
        gauges={f"{counter}_planned": len(planned)},
    )
    clock = Clock(len(planned) - len(before))
    for model, keys in wanted.items():
        missing = [question for question, key in keys if key not in known]
        if not missing:
            continue
        stage.say(f"{model.role} model gives {len(missing)} answers")
        done: list[Answer] = []
        with stage.pausing_anywhere(), closing(engine.answer(model, [one.request for one in missing])) as batches:
            for batch in batches:
                answers = [
                    answer_to(question, one, model.name, decodings[question.draw > 0])
                    for one in batch
                    for question in [missing[one.index]]
                ]
                append_answers(log, answers)
                known.update((answer.key, answer) for answer in answers)
                done += answers
                if clock.event_due():
                    _report(stage, model, clock, done, counter)
                    done = []
                stage.check_control()
        _report(stage, model, clock, done, counter)
    return {
        (model.name, question.item, question.digest, question.draw): known[key]
        for model, keys in wanted.items()
        for question, key in keys
    }


def grade(stage: Stage, model: str, asked: Sequence[Asked], known: Known, jail: Jail | None) -> Outcomes:
    """What a model's answers are worth; in a jail, by running them."""
    answers = [
        (one, known[model, question.item, question.digest, question.draw])
        for one in asked
        for question in one.questions(stage.settings)
    ]
    verdicts = verify_answers(
        [(one.sample, one.as_run(answer.text)) for one, answer in answers], jail, lambda _: stage.check_control()
    )
    graded = [Graded(one.sample, answer, verdict) for (one, answer), verdict in zip(answers, verdicts, strict=True)]
    return Outcomes(model, [one for one in graded if not one.answer.draw], [one for one in graded if one.answer.draw])


def _decoding(engine: Engine, settings: Settings, at_random: bool) -> str:
    """All that an answer depends on besides model and question."""
    how = f"temperature {settings.eval_temperature:g} seed {settings.seed}" if at_random else "greedy"
    return f"{how} {settings.eval_max_new_tokens} {engine.precision}"


def _counted(counter: str, answers: Sequence[Answer]) -> dict[str, int]:
    return {counter: len(answers), f"{counter.removesuffix('s')}_tokens": sum(answer.tokens for answer in answers)}


def _report(stage: Stage, model: Model, clock: Clock, answers: Sequence[Answer], counter: str) -> None:
    if not answers:
        return
    left = clock.add(len(answers))
    stage.progress(f"{model.role}: {clock.done}/{clock.total} answers", _counted(counter, answers))
    if clock.line_due():
        stage.say(f"{clock.done}/{clock.total} answers, {left:.0f} s left")
