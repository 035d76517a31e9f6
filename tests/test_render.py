"""A sample becomes exactly the tokens it should, whatever template the tokenizer has."""

import pytest
from tiny_model import CHATML, build_tokenizer

from autotrain.sample import Sample
from autotrain.train.render import (
    complete_tokenizer,
    end_of_turn,
    render,
    render_digest,
    render_prompt,
    stop_ids,
    user_message,
)

SYSTEM_ADDED = "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nBe kind.<|im_end|>\n{% endif %}" + CHATML
NO_END_OF_TURN = (
    "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


def sample(**fields: object) -> Sample:
    content: dict[str, object] = {"id": "r1-00001", "instruction": "Say Ä\nand ✓.", "output": "```python\nx = 1\n```"}
    return Sample.model_validate({**content, **fields})


@pytest.mark.parametrize("template", [CHATML, None, SYSTEM_ADDED, NO_END_OF_TURN])
def test_answer_is_the_output_and_its_end_of_turn(template: str | None) -> None:
    tokenizer = build_tokenizer(template)
    complete_tokenizer(tokenizer)
    rendered = render(tokenizer, sample())
    assert tokenizer.decode(rendered.answer) == "```python\nx = 1\n```<|im_end|>"
    assert rendered.prompt == render_prompt(tokenizer, sample())
    assert "Say Ä\nand ✓." in tokenizer.decode(rendered.prompt)
    assert rendered.answer[-1] in stop_ids(tokenizer)


@pytest.mark.parametrize("template", [CHATML, None, SYSTEM_ADDED])
def test_prompt_and_answer_are_what_the_template_writes(template: str | None) -> None:
    tokenizer = build_tokenizer(template)
    complete_tokenizer(tokenizer)
    item = sample()
    rendered = render(tokenizer, item)
    turns = [{"role": "user", "content": user_message(item)}, {"role": "assistant", "content": item.output}]
    whole = tokenizer.apply_chat_template(turns, tokenize=False)
    assert whole.startswith(tokenizer.decode(rendered.prompt + rendered.answer))


def test_padding_token_stays_an_end_of_turn_that_carries_loss() -> None:
    tokenizer = build_tokenizer()
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    assert render(tokenizer, sample()).answer[-1] == tokenizer.eos_token_id


def test_end_of_turn_may_be_more_than_a_token() -> None:
    tokenizer = build_tokenizer(CHATML.replace("<|im_end|>", "</turn>"))
    assert tokenizer.decode(end_of_turn(tokenizer)) == "</turn>"


def test_input_is_shown_as_code_and_the_form_is_asked_for() -> None:
    fixing = sample(input="y = 2", metadata={"task_type": "bug_fixing", "response_format": "code"})
    assert "```python\ny = 2\n```" in user_message(fixing)
    assert "```python code block" in user_message(fixing)
    assert "JSON" in user_message(sample(metadata={"response_format": "json"}))
    assert "```" not in user_message(sample(input="some text"))


def test_digest_changes_with_the_template_only() -> None:
    one, same = build_tokenizer(), build_tokenizer()
    other = build_tokenizer(CHATML.replace("assistant", "model"))
    assert render_digest(one) == render_digest(same) != render_digest(other)
