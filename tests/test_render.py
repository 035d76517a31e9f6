"""A sample becomes exactly the tokens it should, whatever template the tokenizer has."""

from typing import Any

import pytest
from tiny_model import CHATML, build_tokenizer

from autotrain.sample import Sample
from autotrain.train.batches import IGNORED, dataset_of, in_one_row, in_pieces
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


# Llama 3 opens every turn with a header between tokens of its own.
HEADERS = (
    "{{ bos_token }}{% for m in messages %}<|header|>{{ m['role'] }}<|/header|>\n\n{{ m['content'] | trim }}<|eot|>"
    "{% endfor %}{% if add_generation_prompt %}<|header|>assistant<|/header|>\n\n{% endif %}"
)
FAMILIES = {"ChatML": CHATML, "no template": None, "headers": HEADERS, "system prompt added": SYSTEM_ADDED}


def family(name: str) -> Any:
    """A tokenizer of each kind, as it is used: completed."""
    tokenizer = build_tokenizer(FAMILIES[name])
    if name == "headers":
        tokenizer.add_special_tokens({"additional_special_tokens": ["<|header|>", "<|/header|>", "<|eot|>"]})
        tokenizer.eos_token, tokenizer.pad_token = "<|eot|>", None
    complete_tokenizer(tokenizer)
    return tokenizer


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_trained_on_is_the_answer_and_its_end(name: str) -> None:
    """Through the very dataset and batches that training uses: mask, end of turn, padding."""
    tokenizer = family(name)
    items = [sample(), sample(output="```python\nx = 22222\n```", instruction="Longer than that.")]
    rendered = [render(tokenizer, item) for item in items]
    end = {"headers": "<|eot|>"}.get(name, "<|im_end|>")
    row = in_one_row([dict(one) for one in dataset_of(rendered)])
    for packed in (True, False):
        (piece,) = in_pieces(row, 10_000, packed)
        kept = piece["input_ids"][piece["labels"] != IGNORED]
        # Longest first.
        assert tokenizer.decode(kept) == "".join(f"{item.output}{end}" for item in reversed(items))
        # The last token that carries loss ends the turn, in every sample; what pads is masked, whatever token it is.
        assert (kept == tokenizer.convert_tokens_to_ids(end)).sum() == len(items)
        if not packed:
            assert (piece["labels"][piece["attention_mask"] == 0] == IGNORED).all()
    whole = tokenizer.decode(rendered[0].prompt + rendered[0].answer)
    assert "Say Ä\nand ✓." in whole
    assert tokenizer(whole, add_special_tokens=False)["input_ids"] == rendered[0].prompt + rendered[0].answer
    assert all(one.answer[-1] in stop_ids(tokenizer) for one in rendered)


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
