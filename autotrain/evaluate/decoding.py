"""Decoding with transformers: whoever is finished leaves the batch at once, and the next one takes the place.

The library's own continuous batching knows no ending but stop tokens, and is made for CUDA.
"""

import copy
import functools
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from autotrain.sample import fenced_code

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

# Where an answer is complete: with the end of the turn, its first closed code block, or its function's last line.
Ending = Literal["turn", "block", "function"]

# A shorter beginning in common is not worth a pass of its own.
SHORTEST_PREFIX = 8
# Prompts are read so many tokens at a time, padding counted: those of like length then share a pass.
TOKENS_A_PASS = 1024
# Keys and values are given room for so many more tokens at a time.
ROOM = 64
# Columns that no row uses any more are dropped so many at a time: it copies the rest.
COLUMNS_A_TRIM = 32
# What a function's body is followed by (Chen et al. 2021, arXiv 2107.03374, section 3.1, and the end of a fence).
AFTER_A_FUNCTION = ("\nclass", "\ndef", "\n#", "\nif", "\nprint", "\n@", "\n```")


@dataclass(frozen=True)
class Request:
    """One answer wanted: token ids of its prompt and where it ends.

    `reference` are the token ids of a right answer whose loss is wanted; `draw` is the seed of its randomness, None
    for the likeliest token each time.
    """

    prompt: list[int]
    ending: Ending = "turn"
    reference: Sequence[int] = ()
    draw: int | None = None


@dataclass(frozen=True)
class Decoded:
    """The answer to request number `index`; `loss` is the mean of its reference's tokens, in nats, if one was given."""

    index: int
    text: str
    tokens: int
    truncated: bool
    loss: float | None = None


def decode(
    model: Any,
    tokenizer: "PreTrainedTokenizerBase",
    stops: Sequence[int],
    requests: Sequence[Request],
    limit: int,
    at_once: int,
    temperature: float = 1.0,
) -> Iterator[list[Decoded]]:
    """Answer every request with at most `limit` tokens, `at_once` of them side by side; yields as they are complete."""
    import torch

    waiting = deque(sorted(range(len(requests)), key=lambda index: len(requests[index].prompt), reverse=True))
    with torch.inference_mode():
        joinable = _is_joinable(model)
        prefix = _read_prefix(model, [request.prompt for request in requests] if joinable else [])
        under_way: _Rows | None = None
        while waiting or under_way is not None:
            free = at_once - (len(under_way.answers) if under_way else 0)
            # Some at a time: reading a prompt is a pass over the whole model, however few there are.
            if waiting and (under_way is None or (free >= max(1, at_once // 4) and joinable)):
                chosen = {
                    index: requests[index] for index in (waiting.popleft() for _ in range(min(free, len(waiting))))
                }
                for part in _passes(chosen, len(prefix.ids)) if joinable else [chosen]:
                    new = _Rows.of_prompts(model, part, prefix, joinable)
                    under_way = new if under_way is None else under_way.joined(new)
            assert under_way is not None
            done = under_way.choose(tokenizer, stops, requests, limit, temperature)
            if done:
                yield done
            under_way = under_way.without_the_done()
            if under_way is not None:
                under_way.step(model)


def _passes(requests: dict[int, Request], start: int) -> Iterator[dict[int, Request]]:
    """The requests, which come with the longest first, in groups whose padded rest is at most TOKENS_A_PASS."""
    group: dict[int, Request] = {}
    for index, request in requests.items():
        width = len(next(iter(group.values()), request).prompt) - start
        if group and width * (len(group) + 1) > TOKENS_A_PASS:
            yield group
            group = {}
        group[index] = request
    if group:
        yield group


@dataclass
class _Answer:
    """An answer under way."""

    index: int
    loss: float | None
    generator: "torch.Generator | None"
    ids: list[int]
    done: bool = False


@dataclass
class _Rows:
    """The sequences under way: their answers, keys and values, which columns count, and what may come next."""

    answers: list[_Answer]
    cache: Any
    mask: "torch.Tensor"  # (rows, columns), 0 where nothing of the row is
    logits: "torch.Tensor"  # (rows, vocabulary)
    joinable: bool

    @staticmethod
    def of_prompts(model: Any, requests: dict[int, Request], prefix: "_Prefix", joinable: bool) -> "_Rows":
        """Read prompts, padded on their left, after the prefix that all have in common."""
        import torch

        start = len(prefix.ids)
        rests = [list(request.prompt[start:]) for request in requests.values()]
        width = max(map(len, rests))
        ids = torch.tensor([[0] * (width - len(rest)) + rest for rest in rests], device=model.device)
        own = torch.tensor([[0] * (width - len(rest)) + [1] * len(rest) for rest in rests], device=model.device)
        mask = torch.cat([own.new_ones(len(rests), start), own], dim=1)
        output = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=start + (own.cumsum(dim=1) - 1).clamp(min=0),
            past_key_values=prefix.for_rows(len(rests)),
            use_cache=True,
            logits_to_keep=1,
        )
        answers = []
        for index, request in requests.items():
            generator = None
            if request.draw is not None:
                generator = torch.Generator(model.device).manual_seed(request.draw)
            answers.append(_Answer(index, None, generator, []))
        cache = output.past_key_values
        if joinable:
            cache.layers = [_growing(layer) for layer in cache.layers]
        rows = _Rows(answers, cache, mask, output.logits[:, -1], joinable)
        if any(request.reference for request in requests.values()):
            rows.take_losses(model, [request.reference for request in requests.values()])
        return rows

    def take_losses(self, model: Any, references: Sequence[Sequence[int]]) -> None:
        """Note the mean negative log-likelihood of each row's reference answer."""
        import torch

        width = max(map(len, references))
        ids = torch.tensor([[*one, *[0] * (width - len(one))] for one in references], device=model.device)
        logits = model(
            input_ids=ids,
            attention_mask=torch.cat([self.mask, torch.ones_like(ids)], dim=1),
            position_ids=self.mask.sum(dim=1, keepdim=True) + torch.arange(width, device=model.device),
            # Decoding still needs the prompts as they were.
            past_key_values=copy.deepcopy(self.cache),
            use_cache=True,
        ).logits
        for answer, first, rest, reference in zip(self.answers, self.logits, logits, references, strict=True):
            if reference:
                predictions = torch.cat([first[None], rest[: len(reference) - 1]]).float()
                target = torch.tensor(list(reference), device=model.device)
                answer.loss = float(torch.nn.functional.cross_entropy(predictions, target))

    def joined(self, other: "_Rows") -> "_Rows":
        """Both side by side, the shorter ones padded on their left."""
        import torch

        width = max(self.mask.shape[1], other.mask.shape[1])

        def padded(value: "torch.Tensor", columns: int) -> "torch.Tensor":
            # (…, columns, features), or the mask's (rows, columns, 1)
            return torch.nn.functional.pad(value, (0, 0, width - columns, 0))

        for layer, addition in zip(self.cache.layers, other.cache.layers, strict=True):
            for name in ("keys", "values"):
                parts = [getattr(one, name) for one in (layer, addition)]
                setattr(layer, name, torch.cat([padded(part, part.shape[-2]) for part in parts]))
        masks = [padded(one.mask[:, :, None], one.mask.shape[1])[:, :, 0] for one in (self, other)]
        logits = torch.cat([self.logits, other.logits])
        return _Rows([*self.answers, *other.answers], self.cache, torch.cat(masks), logits, self.joinable)

    def choose(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        stops: Sequence[int],
        requests: Sequence[Request],
        limit: int,
        temperature: float,
    ) -> list[Decoded]:
        """Give every answer its next token; the answers that are complete with it."""
        import torch

        complete = []
        likeliest = self.logits.argmax(dim=-1).tolist()
        for answer, token, logits in zip(self.answers, likeliest, self.logits, strict=True):
            if answer.generator is not None:
                shares = torch.softmax(logits.float() / temperature, dim=-1)
                token = int(torch.multinomial(shares, 1, generator=answer.generator))
            ending = requests[answer.index].ending
            truncated = False
            if token not in stops:
                answer.ids.append(token)
                if not is_complete(tokenizer, answer.ids, ending):
                    truncated = len(answer.ids) == limit
                    if not truncated:
                        continue
            answer.done = True
            text = text_of(tokenizer, requests[answer.index], answer.ids)
            complete.append(Decoded(answer.index, text, len(answer.ids), truncated, answer.loss))
        return complete

    def without_the_done(self) -> "_Rows | None":
        """The rows that go on; None if there are none."""
        import torch

        staying = [place for place, answer in enumerate(self.answers) if not answer.done]
        if not staying:
            return None
        if len(staying) < len(self.answers):
            kept = torch.tensor(staying, dtype=torch.long, device=self.mask.device)
            self.cache.batch_select_indices(kept)
            self.mask = self.mask[kept]
            self.answers = [self.answers[place] for place in staying]
            unused = int(self.mask.any(dim=0).int().argmax())
            if unused >= COLUMNS_A_TRIM and self.joinable:
                self.mask = self.mask[:, unused:]
                for layer in self.cache.layers:
                    layer.keys, layer.values = layer.keys[:, :, unused:], layer.values[:, :, unused:]
        return self

    def step(self, model: Any) -> None:
        """Read the newest token of every answer."""
        import torch

        ids = torch.tensor([[answer.ids[-1]] for answer in self.answers], device=model.device)
        position = self.mask.sum(dim=1, keepdim=True)
        self.mask = torch.cat([self.mask, torch.ones_like(position)], dim=1)
        output = model(
            input_ids=ids, attention_mask=self.mask, position_ids=position, past_key_values=self.cache, use_cache=True
        )
        self.logits = output.logits[:, -1]


@dataclass(frozen=True)
class _Prefix:
    """What all prompts begin with, and its keys and values: read once."""

    ids: Sequence[int]
    cache: Any

    def for_rows(self, count: int) -> Any:
        if self.cache is None:
            return None
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(count)
        return cache


def _read_prefix(model: Any, prompts: Sequence[list[int]]) -> _Prefix:
    import torch

    first, last = min(prompts, default=[]), max(prompts, default=[])
    # Each prompt has to have a token of its own left, whose logits say how its answer begins.
    most = min(map(len, prompts), default=1) - 1
    length = next((place for place in range(most) if first[place] != last[place]), most)
    if length < SHORTEST_PREFIX or len(prompts) < 2:
        return _Prefix((), None)
    ids = first[:length]
    output = model(input_ids=torch.tensor([ids], device=model.device), use_cache=True, logits_to_keep=1)
    return _Prefix(ids, output.past_key_values)


def _is_joinable(model: Any) -> bool:
    """Whether rows can be put beside others: not where a layer keeps only the last tokens, or something else."""
    import torch
    from transformers.cache_utils import DynamicLayer

    cache = model(input_ids=torch.tensor([[0]], device=model.device), use_cache=True).past_key_values
    return all(type(layer) is DynamicLayer for layer in cache.layers)


def _growing(layer: Any) -> Any:
    """The same keys and values in a layer that copies them only now and then, not with every token."""
    grown = _growing_layer()()
    grown.lazy_initialization(layer.keys, layer.values)
    grown.keys, grown.values = layer.keys, layer.values
    return grown


@functools.cache
def _growing_layer() -> Any:
    from transformers.cache_utils import DynamicLayer

    class Growing(DynamicLayer):
        keys: Any
        values: Any
        store: "list[torch.Tensor] | None" = None

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> Any:
            old, new = self.keys.shape[-2], self.keys.shape[-2] + key_states.shape[-2]
            # Rows that left or joined have put other tensors in their place.
            if self.store is None or self.store[0].data_ptr() != self.keys.data_ptr() or self.store[0].shape[-2] < new:
                self.store = []
                for one in (self.keys, self.values):
                    rows, heads, columns, width = one.shape
                    room = one.new_empty(rows, heads, new + ROOM, width)
                    room[:, :, :columns] = one
                    self.store.append(room)
            for room, states in zip(self.store, (key_states, value_states), strict=True):
                room[:, :, old:new] = states
            self.keys, self.values = (room[:, :, :new] for room in self.store)
            return self.keys, self.values

    return Growing


# ---------------------------------------------------------------------------------------------------
# Where an answer ends


def is_complete(tokenizer: "PreTrainedTokenizerBase", ids: list[int], ending: Ending) -> bool:
    """Whether the newest token completes the answer; most tokens cannot, and are not worth decoding the whole for."""
    if ending == "turn":
        return False
    newest = tokenizer.decode(ids[-1:])
    if ending == "block":
        return "`" in newest and fenced_code(tokenizer.decode(ids)) is not None
    text: str = tokenizer.decode(ids)
    return cut(text, "function") != text


def text_of(tokenizer: "PreTrainedTokenizerBase", request: Request, ids: list[int]) -> str:
    """An answer's text. Of a function's body the first space counts, which some tokenizers drop at a beginning."""
    before = request.prompt[-1:] if request.ending == "function" else []
    start = len(tokenizer.decode(before, skip_special_tokens=True))
    return cut(tokenizer.decode([*before, *ids], skip_special_tokens=True)[start:], request.ending)


def cut(text: str, ending: Ending) -> str:
    """The part of `text` that belongs to the answer: of a function's body, what stands before the next thing."""
    if ending != "function":
        return text
    places = [place for start in AFTER_A_FUNCTION if (place := text.find(start)) >= 0]
    return text[: min(places, default=len(text))]
