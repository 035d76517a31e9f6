"""An answer is known again by all that it depends on, and none is lost."""

from pathlib import Path

from tiny_model import build_tokenizer

from autotrain.evaluate.answers import Answer, append_answers, drawn, question_of, read_answers
from autotrain.sample import Sample


def sample(**values: object) -> Sample:
    return Sample.model_validate({"id": "r1-00001", "instruction": "Count.", "output": "one", **values})


def test_kept_answers_are_read_back_and_a_torn_line_is_not_missed(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    answers = [Answer("m", "r1-00001", "greedy", "text ✓", 3, False, 0.5, 4, "abc", draw) for draw in (0, 1)]
    append_answers(path, answers)
    with path.open("a") as stream:
        stream.write('{"model": "m", "ite')
    assert read_answers([path, tmp_path / "absent.jsonl"]) == {answer.key: answer for answer in answers}


def test_another_question_under_the_same_name_is_another_question() -> None:
    tokenizer = build_tokenizer()
    asked = question_of(tokenizer, sample())
    assert asked == question_of(tokenizer, sample(tests="assert True"))
    for changed in (sample(instruction="Count!"), sample(output="two"), sample(metadata={"response_format": "code"})):
        assert question_of(tokenizer, changed).digest != asked.digest


def test_draws_differ_by_item_number_and_seed() -> None:
    tokenizer = build_tokenizer()
    questions = [question_of(tokenizer, one) for one in (sample(), sample(id="r1-00002"))]
    chances = [one.request.draw for question in questions for seed in (1, 2) for one in drawn(question, 3, seed)]
    assert len(set(chances)) == 12
    assert [one.draw for one in drawn(questions[0], 3, 1)] == [1, 2, 3]
    assert not drawn(questions[0], 0, 1)
