"""What models are asked, what they answered, and the log that keeps every answer."""

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.evaluate.decoding import Decoded, Ending, Request
from autotrain.files import append_whole
from autotrain.jsonl import read_objects, to_line
from autotrain.run.state import MOST
from autotrain.sample import Sample
from autotrain.train.render import render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Question:
    """An item as a model is asked it. `draw` counts the answers drawn at random, from 1; 0 is the greedy one."""

    item: str
    request: Request
    digest: str
    draw: int = 0


@dataclass(frozen=True)
class Answer:
    """What a model answered to a question. `loss` is the mean over the reference answer's `reference_tokens`."""

    model: str
    item: str
    decoding: str
    text: str
    tokens: int
    truncated: bool
    loss: float | None
    reference_tokens: int
    question: str = ""
    draw: int = 0

    @property
    def key(self) -> "Key":
        return (self.model, self.item, self.question, self.decoding, self.draw)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


# Model, item, digest of what was asked, decoding, draw: all that an answer depends on.
Key = tuple[str, str, str, str, int]


def question_of(tokenizer: "PreTrainedTokenizerBase", sample: Sample) -> Question:
    """A sample as it is asked in training, its own answer as the reference."""
    rendered = render(tokenizer, sample)
    ending: Ending = "block" if sample.metadata.response_format == "code" else "turn"
    return ask(sample.id, Request(rendered.prompt, ending, rendered.answer))


def ask(item: str, request: Request) -> Question:
    """A question with the digest of its prompt, ending and reference."""
    asked = repr((request.prompt, request.ending, tuple(request.reference)))
    return Question(item, request, hashlib.sha256(asked.encode()).hexdigest()[:16])


def drawn(question: Question, count: int, seed: int) -> list[Question]:
    """The same question `count` times, each to be answered by chance; the chances depend on seed, item and number."""
    return [
        replace(
            question,
            request=replace(question.request, reference=(), draw=_chance(seed, question.item, number)),
            draw=number,
        )
        for number in range(1, count + 1)
    ]


def _chance(*parts: int | str) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:7], "big")


def answer_to(question: Question, decoded: Decoded, model: str, decoding: str) -> Answer:
    """The record of what a model answered."""
    return Answer(
        model=model,
        item=question.item,
        decoding=decoding,
        text=decoded.text,
        tokens=decoded.tokens,
        truncated=decoded.truncated,
        loss=None if decoded.loss is None else round(decoded.loss, 6),
        reference_tokens=len(question.request.reference),
        question=question.digest,
        draw=question.draw,
    )


def read_answers(paths: Iterable[Path]) -> dict[Key, Answer]:
    """The answers that were given already; a torn or foreign line is skipped, so that its question is asked again."""
    answers = (read_answer(value) for path in paths if path.exists() for value in read_objects(path))
    return {answer.key: answer for answer in answers if answer is not None}


# What an answer's fields hold; a whole number is a loss too.
_KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "item", "decoding", "text", "question"), (str,)),
    **dict.fromkeys(("tokens", "reference_tokens", "draw"), (int,)),
    "truncated": (bool,),
    "loss": (float, int, type(None)),
}


def read_answer(value: Mapping[str, Any]) -> Answer | None:
    """The answer in an object, None if it is none."""
    known = {name: value[name] for name in _KINDS if name in value}
    if any(type(one) not in _KINDS[name] for name, one in known.items()):
        return None
    if any(not 0 <= number < MOST for number in known.values() if isinstance(number, int | float)):
        return None
    try:
        return Answer(**known)
    except TypeError:
        return None


def append_answers(path: Path, answers: Sequence[Answer]) -> None:
    """Keep answers as soon as they are decoded, so that an interruption costs only those under way."""
    with path.open("ab") as stream:
        append_whole(stream.fileno(), "".join(to_line(answer.to_json()) for answer in answers).encode())


SECONDS_BETWEEN_EVENTS, SECONDS_BETWEEN_LINES = 2.0, 10.0


class Clock:
    """Says how long is left, from what was done so far, and when it is time to say so."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0
        self.started = self.counted = self.said = time.monotonic()

    def add(self, count: int) -> float:
        """Count what was done; return the seconds left."""
        self.done += count
        self.counted = time.monotonic()
        return (self.total - self.done) * (self.counted - self.started) / self.done

    def event_due(self) -> bool:
        return time.monotonic() - self.counted >= SECONDS_BETWEEN_EVENTS

    def line_due(self) -> bool:
        """Whether a person has waited for long; asked once for each line."""
        due = self.done == self.total or time.monotonic() - self.said >= SECONDS_BETWEEN_LINES
        self.said = time.monotonic() if due else self.said
        return due
