"""Answers do not depend on who else is in the batch, end where they are complete, and losses are what they say."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_model import build_model

from autotrain.config import Settings
from autotrain.evaluate.decoding import Decoded, Request, cut, decode
from autotrain.evaluate.engines import load_for_answers
from autotrain.train.models import load_tokenizer

LIMIT = 24


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def tokenizer(base: Path) -> Any:
    return load_tokenizer(str(base), Settings())


@pytest.fixture(scope="module")
def model(base: Path) -> Any:
    return load_for_answers(str(base), None, Settings(base_model=str(base), device="cpu"))


@pytest.fixture(scope="module")
def requests(tokenizer: Any) -> list[Request]:
    """Prompts that begin alike and are of different length, so that rows are joined, padded and dropped."""
    beginning = "You are asked the following. "
    prompts = [beginning + "Count. " * (1 + number % 4) + str(number) for number in range(9)]
    return [
        Request(tokenizer.encode(prompt), "turn", tokenizer.encode("one two " * (1 + number % 3)))
        for number, prompt in enumerate(prompts)
    ]


def answers(
    model: Any, tokenizer: Any, requests: Sequence[Request], at_once: int, stops: Sequence[int] = (1,)
) -> list[Decoded]:
    found = [one for batch in decode(model, tokenizer, stops, requests, LIMIT, at_once) for one in batch]
    assert sorted(one.index for one in found) == list(range(len(requests)))
    return sorted(found, key=lambda one: one.index)


def plain(model: Any, prompt: list[int]) -> list[int]:
    """The library's own decoding, one prompt alone."""
    import torch

    ids = torch.tensor([prompt])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=LIMIT, do_sample=False, eos_token_id=1
    )
    new = made[0, len(prompt) :].tolist()
    return new[: new.index(1)] if 1 in new else new


@pytest.mark.parametrize("at_once", [1, 2, 4, 16])
def test_answers_are_those_of_the_library_one_at_a_time(
    model: Any, tokenizer: Any, requests: list[Request], at_once: int
) -> None:
    for request, answer in zip(requests, answers(model, tokenizer, requests, at_once), strict=True):
        ids = plain(model, request.prompt)
        assert answer.text == tokenizer.decode(ids, skip_special_tokens=True)
        assert (answer.tokens, answer.truncated) == (len(ids), len(ids) == LIMIT)


def test_answers_that_end_early_make_room_and_change_nothing(
    model: Any, tokenizer: Any, requests: list[Request]
) -> None:
    """Every token of the usual answers may end one, so that rows leave and join all the time."""
    usual = answers(model, tokenizer, requests, 16)
    common = max({token for request in requests for token in plain(model, request.prompt)[2:]}, key=str)
    alone, together = (answers(model, tokenizer, requests, count, stops=(1, common)) for count in (1, 3))
    assert [one.text for one in alone] == [one.text for one in together]
    assert [one.text for one in alone] != [one.text for one in usual]


def test_a_model_that_only_sees_the_last_tokens_answers_in_batches_too(tokenizer: Any, requests: list[Request]) -> None:
    import torch
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    sliding = MistralForCausalLM(
        MistralConfig(vocab_size=258, num_key_value_heads=2, sliding_window=16, **shape)
    ).eval()
    alone, together = (answers(sliding, tokenizer, requests, count) for count in (1, 4))
    assert [one.text for one in alone] == [one.text for one in together]


def test_losses_are_those_of_the_reference_answers_alone(model: Any, tokenizer: Any, requests: list[Request]) -> None:
    import torch

    for request, answer in zip(requests, answers(model, tokenizer, requests, 4), strict=True):
        ids = torch.tensor([[*request.prompt, *request.reference]])
        labels = torch.tensor([[-100] * len(request.prompt) + list(request.reference)])
        with torch.no_grad():
            expected = float(model(input_ids=ids, labels=labels).loss)
        assert answer.loss == pytest.approx(expected, abs=1e-4)


def test_without_a_reference_there_is_no_loss(model: Any, tokenizer: Any, requests: list[Request]) -> None:
    bare = [Request(request.prompt) for request in requests[:3]]
    assert [one.loss for one in answers(model, tokenizer, bare, 2)] == [None] * 3


def test_drawn_answers_depend_on_their_seed_alone(model: Any, tokenizer: Any, requests: list[Request]) -> None:
    drawn = [
        Request(request.prompt, draw=10 * place + draw) for place, request in enumerate(requests[:3]) for draw in (5, 6)
    ]
    alone, together = (answers(model, tokenizer, drawn, count) for count in (1, 4))
    assert [one.text for one in alone] == [one.text for one in together]
    assert len({one.text for one in alone}) == len(drawn)


def test_the_prefix_is_read_once(model: Any, tokenizer: Any, requests: list[Request]) -> None:
    read: list[int] = []
    forward = type(model).forward

    def counting(*words: Any, **named: Any) -> Any:
        read.append(named["input_ids"].numel())
        return forward(model, *words, **named)

    bare = [Request(request.prompt) for request in requests]
    model.forward = counting
    try:
        answers(model, tokenizer, bare, 16)
    finally:
        del model.forward
    tokens = [len(request.prompt) for request in bare]
    # A token to see what the cache is like, the prefix, then what is left of each prompt, padded to the longest.
    assert read[1] > 20
    assert read[2] == len(bare) * (max(tokens) - read[1])


# ---------------------------------------------------------------------------------------------------
# Where an answer ends: the tokens are scripted, the decoding is real


def scripted(text: str, ending: Any, model: Any, tokenizer: Any) -> Decoded:
    import torch

    script = tokenizer.encode(text, add_special_tokens=False)
    request = Request(tokenizer.encode("Write."), ending)
    forward = type(model).forward

    def speak(*words: Any, **named: Any) -> Any:
        output = forward(model, *words, **named)
        cache = named.get("past_key_values")
        done = (cache.get_seq_length() if cache is not None else len(request.prompt)) - len(request.prompt)
        if 0 <= done < len(script):
            one = torch.full(output.logits.shape[:2], script[done])
            output.logits = torch.nn.functional.one_hot(one, output.logits.shape[-1]).float()
        return output

    model.forward = speak
    try:
        ((answer,),) = decode(model, tokenizer, [1], [request], 80, 4)
    finally:
        del model.forward
    return answer


def test_a_code_answer_ends_with_its_closed_block(model: Any, tokenizer: Any) -> None:
    text = "```python\nx = 1\n```\nand so on, and so on, for ever and ever"
    assert scripted(text, "block", model, tokenizer).text == "```python\nx = 1\n```"
    assert "and so on" in scripted(text, "turn", model, tokenizer).text


def test_a_function_ends_where_the_next_thing_begins(model: Any, tokenizer: Any) -> None:
    answer = scripted("    return 1\n\n\ndef other():\n    return 2", "function", model, tokenizer)
    assert answer.text == "    return 1\n\n"
    assert not answer.truncated


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("    return 1\n", "    return 1\n"),
        ("    if x:\n        return 1\nif x:\n    y()", "    if x:\n        return 1"),
        ("    return 1\n# test\nprint(1)", "    return 1"),
        ("    return 1\n```", "    return 1"),
    ],
)
def test_what_follows_a_function_is_cut(text: str, kept: str) -> None:
    assert cut(text, "function") == kept
    assert cut(text, "turn") == text
