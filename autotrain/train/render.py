"""The one way a sample becomes tokens, for training and for evaluation alike."""

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autotrain.sample import Sample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

# For base models that come without a chat template; saved with the adapter's tokenizer.
PLAIN_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}### Instruction:\n{{ message['content'] }}\n\n"
    "{% elif message['role'] == 'assistant' %}### Response:\n{{ message['content'] }}{{ eos_token }}\n\n"
    "{% else %}{{ message['content'] }}\n\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}### Response:\n{% endif %}"
)

FORMAT_REQUESTS = {
    "code": "Answer with one ```python code block and nothing else.",
    "json": "Answer with the JSON object and nothing else.",
    "text": "Answer in plain text.",
}

_MARK = "\u241f"  # stands for the answer while we look at what the template puts after it


@dataclass(frozen=True)
class Rendered:
    """Token ids of the prompt, which carries no loss, and of the answer with its end of turn, which does."""

    prompt: list[int]
    answer: list[int]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.answer)


def user_message(sample: Sample) -> str:
    """What the model is asked: the instruction, the input if there is one, and the form of the answer."""
    parts = [sample.instruction.strip()]
    if sample.input.strip():
        parts.append(f"```python\n{sample.input.strip()}\n```" if _is_code(sample) else sample.input.strip())
    parts.append(FORMAT_REQUESTS[sample.metadata.response_format])
    return "\n\n".join(parts)


def render_prompt(tokenizer: "PreTrainedTokenizerBase", sample: Sample) -> list[int]:
    """Token ids of the prompt, up to where the model's answer begins."""
    turns = [{"role": "user", "content": user_message(sample)}]
    text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return _encode(tokenizer, str(text))


def render(tokenizer: "PreTrainedTokenizerBase", sample: Sample) -> Rendered:
    """Token ids of a whole sample."""
    answer = _encode(tokenizer, sample.output.strip()) + end_of_turn(tokenizer)
    return Rendered(render_prompt(tokenizer, sample), answer)


def end_of_turn(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids that the template puts after an answer; the end-of-sequence token where it puts nothing."""
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _MARK}]
    text = str(tokenizer.apply_chat_template(turns, tokenize=False))
    after = text[text.rindex(_MARK) + len(_MARK) :].strip()
    return _encode(tokenizer, after or str(tokenizer.eos_token))


def stop_ids(tokenizer: "PreTrainedTokenizerBase") -> list[int]:
    """Token ids after which an answer is complete."""
    return sorted({end_of_turn(tokenizer)[0], tokenizer.eos_token_id})


def complete_tokenizer(tokenizer: "PreTrainedTokenizerBase") -> None:
    """Give a tokenizer what rendering needs and it may lack: a chat template and a padding token."""
    if not tokenizer.chat_template:
        tokenizer.chat_template = PLAIN_TEMPLATE
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def render_digest(tokenizer: "PreTrainedTokenizerBase") -> str:
    """A digest that changes when the template, the tokenizer or this module renders anything differently."""
    probes = [
        Sample.model_validate(
            {"id": "probe", "instruction": "Ä b\n c", "input": "x = 1", "output": "y", "metadata": meta}
        )
        for meta in (
            {"response_format": "code", "task_type": "bug_fixing"},
            {"response_format": "json"},
            {"response_format": "text"},
        )
    ]
    ids = [(rendered.prompt, rendered.answer) for rendered in (render(tokenizer, probe) for probe in probes)]
    return hashlib.sha256(repr((tokenizer.chat_template, ids)).encode()).hexdigest()


def _encode(tokenizer: "PreTrainedTokenizerBase", text: str) -> list[int]:
    # The template has written every special token there is to be.
    return list(tokenizer.encode(text, add_special_tokens=False))


def _is_code(sample: Sample) -> bool:
    return sample.metadata.task_type is not None and not sample.input.lstrip().startswith("```")
