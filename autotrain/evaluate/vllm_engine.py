"""vLLM in this process: written from its documentation, and not run by our tests, which have neither it nor a GPU."""

import json
from collections.abc import Generator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.decoding import AFTER_A_FUNCTION, Decoded, Request, is_complete, text_of
from autotrain.train.render import stop_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from autotrain.evaluate.engines import Model

# What --max-lora-rank may be.
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)


class Vllm:
    """Answers by vLLM with 16-bit weights, EVAL_BATCH_SIZE at once. It tells no loss of a reference: that is None."""

    precision = "vllm 16 bits"

    def __init__(self, base: str, tokenizer: "PreTrainedTokenizerBase", settings: Settings) -> None:
        self._base, self._tokenizer, self._settings = base, tokenizer, settings
        self._adapters: list[str] = []
        # Made with the first request, and kept: it takes a minute to start, and most of the card.
        self._engine: Any = None
        self._most_rank = 0

    def answer(self, model: "Model", requests: Sequence[Request]) -> Generator[list[Decoded], None, None]:
        """Answer all requests, in order. Raises Refused if vLLM is not installed, or cannot take the adapter."""
        engine = self._started(model)
        stops, at_once = stop_ids(self._tokenizer), self._settings.eval_batch_size
        for start in range(0, len(requests), at_once):
            asked = requests[start : start + at_once]
            results = engine.generate(
                [{"prompt_token_ids": request.prompt} for request in asked],
                [self._sampling(request, stops) for request in asked],
                lora_request=self._lora(model),
                use_tqdm=False,
            )
            complete = []
            for index, (request, result) in enumerate(zip(asked, results, strict=True), start):
                answer = Received(self._tokenizer, stops, request)
                answer.add(result.outputs[0].token_ids)
                complete.append(answer.decoded(index, result.outputs[0].finish_reason))
            yield complete

    def _started(self, model: "Model") -> Any:
        rank = self._settings.lora_r if model.adapter is None else rank_of(model.adapter)
        if self._engine is None:
            try:
                from vllm import LLM
            except ImportError:
                raise Refused(
                    "EVAL_ENGINE=vllm needs vLLM, which is not installed: pip install -e '.[vllm]'; or start its "
                    "server elsewhere, and give its address as EVAL_ENGINE"
                ) from None
            # The base is asked before the adapter is known; both have the run's LORA_R.
            self._most_rank = accepted_rank(max(rank, self._settings.lora_r))
            self._engine = LLM(
                model=self._base,
                enable_lora=True,
                max_lora_rank=self._most_rank,
                max_model_len=self._longest(),
                seed=self._settings.seed,
                trust_remote_code=self._settings.trust_remote_code,
                # The model's own would add tokens to stop at to those that we name.
                generation_config="vllm",
            )
        if rank > self._most_rank:
            raise Refused(f"{model.adapter} has rank {rank}, and vLLM was started for LORA_R; set --lora-r {rank}")
        return self._engine

    def _longest(self) -> int:
        """Most tokens of prompt and answer together: vLLM does not start with more than the model was made for."""
        from transformers import AutoConfig

        wanted = self._settings.seq_len + self._settings.eval_max_new_tokens
        config = AutoConfig.from_pretrained(self._base, trust_remote_code=self._settings.trust_remote_code)
        return min(wanted, getattr(config, "max_position_embeddings", wanted))

    def _sampling(self, request: Request, stops: Sequence[int]) -> Any:
        from vllm import SamplingParams

        return SamplingParams(
            temperature=0.0 if request.draw is None else self._settings.eval_temperature,
            seed=request.draw,
            max_tokens=self._settings.eval_max_new_tokens,
            stop_token_ids=list(stops),
            # Nothing that vLLM could look for says where a code block is closed: such an answer goes on to the end of
            # its turn, and is cut.
            stop=list(AFTER_A_FUNCTION) if request.ending == "function" else None,
        )

    def _lora(self, model: "Model") -> Any:
        from vllm.lora.request import LoRARequest

        if model.adapter is None:
            return None
        if model.name not in self._adapters:
            self._adapters.append(model.name)
        number = self._adapters.index(model.name) + 1
        return LoRARequest(lora_name_of(model), number, str(model.adapter.resolve()))


# ---------------------------------------------------------------------------------------------------
# What vLLM here and vLLM's server have in common


class Received:
    """An answer that was decoded elsewhere; it ends at the same token as it would in `decode`."""

    def __init__(self, tokenizer: "PreTrainedTokenizerBase", stops: Sequence[int], request: Request) -> None:
        self._tokenizer, self._stops, self._request = tokenizer, stops, request
        self._ids: list[int] = []
        self.complete = False

    def add(self, tokens: Iterable[int]) -> None:
        """Go on with these, as far as they belong to the answer."""
        for token in tokens:
            if self.complete:
                return
            if token not in self._stops:
                self._ids.append(token)
            self.complete = token in self._stops or is_complete(self._tokenizer, self._ids, self._request.ending)

    def decoded(self, index: int, finish: str | None) -> Decoded:
        """The answer to request number `index`, which the other side ended for the reason `finish`."""
        text = text_of(self._tokenizer, self._request, self._ids)
        return Decoded(index, text, len(self._ids), truncated=finish == "length" and not self.complete)


def rank_of(adapter: Path) -> int:
    """The rank of an adapter's matrices. Raises AutotrainError if its files do not tell."""
    path = adapter / "adapter_config.json"
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["r"])
    except (OSError, ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise AutotrainError(f"{path} does not tell the adapter's rank ({error}); train it again") from None


def accepted_rank(rank: int) -> int:
    """The least --max-lora-rank for adapters of this rank; raises Refused if there is none."""
    for accepted in RANKS:
        if accepted >= rank:
            return accepted
    raise Refused(f"vLLM takes no adapter of rank {rank}, {RANKS[-1]} at most; set EVAL_ENGINE=transformers")


def lora_name_of(model: "Model") -> str:
    """The name under which an adapter is asked: the digest of its weights tells it from others."""
    return f"autotrain-{model.name.split()[-1][:16]}"
