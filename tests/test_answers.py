"""Answers do not depend on the batch they are decoded in, and losses are what they say."""

from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_model

from autotrain.config import Settings
from autotrain.evaluate.answers import Answer, answer_batches, append_answers, load_for_answers, read_answers
from autotrain.sample import Sample
from autotrain.train.models import load_tokenizer
from autotrain.train.render import render

SAMPLES = [
    Sample.model_validate(
        {"id": f"r1-{number:05d}", "instruction": "Count." * (1 + number % 3), "output": "one two " * (1 + number % 4)}
    )
    for number in range(7)
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("tiny") / "model")


def decode(base: Path, batch_size: int, samples: list[Sample] = SAMPLES) -> dict[str, Answer]:
    settings = Settings(base_model=str(base), device="cpu", eval_batch_size=batch_size, eval_max_new_tokens=24)
    model = load_for_answers(str(base), None, settings)
    tokenizer = load_tokenizer(str(base), settings)
    batches = answer_batches(model, "tiny", tokenizer, samples, "greedy", settings)
    return {answer.item: answer for batch in batches for answer in batch}


def test_batched_answers_are_those_of_one_at_a_time(base: Path) -> None:
    alone, together = decode(base, 1), decode(base, 4)
    assert alone.keys() == together.keys() == {sample.id for sample in SAMPLES}
    for item, answer in alone.items():
        assert together[item].text == answer.text
        assert together[item].loss == pytest.approx(answer.loss, abs=1e-4)


def test_loss_is_that_of_the_reference_answer_alone(base: Path) -> None:
    import torch

    settings = Settings(base_model=str(base), device="cpu")
    model = load_for_answers(str(base), None, settings)
    rendered = render(load_tokenizer(str(base), settings), SAMPLES[2])
    ids = torch.tensor([rendered.prompt + rendered.answer])
    labels = torch.tensor([[-100] * len(rendered.prompt) + rendered.answer])
    with torch.no_grad():
        expected = float(model(input_ids=ids, labels=labels).loss)
    assert decode(base, 4)[SAMPLES[2].id].loss == pytest.approx(expected, abs=1e-4)


def test_answers_are_cut_off_at_the_limit_and_say_so(base: Path) -> None:
    answers = decode(base, 4).values()
    assert all(answer.truncated == (answer.tokens == 24) for answer in answers)


def test_kept_answers_are_read_back_and_a_torn_line_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    answer = Answer("m", "r1-00001", "greedy", "text ✓", 3, False, 0.5, 4)
    append_answers(path, [answer])
    with path.open("a") as stream:
        stream.write('{"model": "m", "ite')
    assert read_answers([path, tmp_path / "absent.jsonl"]) == {("m", "r1-00001", "greedy"): answer}


def test_a_code_answer_ends_with_its_closed_block(base: Path) -> None:
    """A model that writes a block and rambles on: the logits are scripted, the decoding is real."""
    import torch

    settings = Settings(base_model=str(base), device="cpu", eval_max_new_tokens=60)
    tokenizer = load_tokenizer(str(base), settings)
    script = tokenizer.encode("```python\nx = 1\n```\nand so on, and so on, for ever", add_special_tokens=False)

    model = load_for_answers(str(base), None, settings)
    forward = type(model).forward
    width = len(render(tokenizer, code_sample()).prompt)

    def scripted(*words: Any, **named: Any) -> Any:
        output = forward(model, *words, **named)
        cache = named.get("past_key_values")
        done = (cache.get_seq_length() if cache is not None else width) - width
        if 0 <= done < len(script):
            output.logits = torch.nn.functional.one_hot(
                torch.full(output.logits.shape[:2], script[done]), output.logits.shape[-1]
            ).float()
        return output

    model.forward = scripted
    ((answer,),) = answer_batches(model, "m", tokenizer, [code_sample()], "greedy", settings)
    assert answer.text == "```python\nx = 1\n```"
    assert not answer.truncated
    text = code_sample()
    text.metadata.response_format = "text"
    width = len(render(tokenizer, text).prompt)
    ((answer,),) = answer_batches(model, "m", tokenizer, [text], "greedy", settings)
    assert "and so on" in answer.text


def code_sample() -> Sample:
    return Sample.model_validate(
        {"id": "c", "instruction": "Set x.", "output": "y", "metadata": {"response_format": "code"}}
    )
