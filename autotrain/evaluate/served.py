"""Models that answer at a server which speaks OpenAI's protocol, such as vLLM's, SGLang's or llama.cpp's."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autotrain.config import Settings
from autotrain.errors import AutotrainError
from autotrain.evaluate.decoding import Decoded, Request
from autotrain.evaluate.vllm_engine import Received, accepted_rank, lora_name_of, rank_of
from autotrain.train.render import stop_ids

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from transformers import PreTrainedTokenizerBase

    from autotrain.evaluate.engines import Model

# llama.cpp keeps 32 bits of a seed, and some servers take them as signed.
SEED_BITS = 2**31 - 1


@dataclass(frozen=True)
class Server:
    """Answers by the server at `url`, EVAL_BATCH_SIZE at once. It tells no loss of a reference: that is None.

    The base is asked as `base_model`, but if the server has a single model, as that one, whatever its name is.
    """

    url: str
    base_model: str
    tokenizer: "PreTrainedTokenizerBase"
    settings: Settings

    @property
    def precision(self) -> str:
        return "server"

    def answer(self, model: "Model", requests: Sequence[Request]) -> Generator[list[Decoded], None, None]:
        """Answer all requests, in any order. Closing the iterator ends those under way, at the server too.

        Raises AutotrainError if the server cannot be reached, or refuses.
        """
        # In a thread of its own: a pause may hold this one for hours, and what is under way is still read to its end.
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="answers", daemon=True)
        thread.start()
        answers = self._answers(model, requests)
        try:
            while complete := asyncio.run_coroutine_threadsafe(_next(answers), loop).result():
                yield complete
        finally:
            asyncio.run_coroutine_threadsafe(_end(answers), loop).result()
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _answers(self, model: "Model", requests: Sequence[Request]) -> AsyncGenerator[list[Decoded], None]:
        from openai import AsyncOpenAI

        stops = stop_ids(self.tokenizer)
        waiting = enumerate(requests)
        under_way: set[asyncio.Task[Decoded]] = set()
        with self._explained():
            # The teacher's key is for nobody else; without one of its own the library would take it.
            async with AsyncOpenAI(api_key="none", base_url=self.url) as client, self._served(client, model) as name:
                try:
                    while True:
                        free = self.settings.eval_batch_size - len(under_way)
                        for index, request in islice(waiting, free):
                            under_way.add(asyncio.create_task(self._ask(client, name, stops, index, request)))
                        if not under_way:
                            return
                        done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
                        failures = [error for task in done if (error := task.exception()) is not None]
                        if len(failures) < len(done):
                            yield [task.result() for task in done if task.exception() is None]
                        if failures:
                            raise failures[0]
                finally:
                    await _cancel(under_way)

    async def _ask(
        self, client: "AsyncOpenAI", name: str, stops: Sequence[int], index: int, request: Request
    ) -> Decoded:
        """One answer. The connection is closed as soon as it is complete, upon which the server stops writing it."""
        answer = Received(self.tokenizer, stops, request)
        text, knows_tokens, finish = "", False, None
        async with await client.completions.create(
            model=name,
            prompt=request.prompt,
            max_tokens=self.settings.eval_max_new_tokens,
            temperature=0 if request.draw is None else self.settings.eval_temperature,
            seed=None if request.draw is None else request.draw & SEED_BITS,
            # Servers have likings of their own, some of them from the model's generation_config.json.
            top_p=1,
            extra_body={
                "top_k": -1,
                "min_p": 0,
                "repetition_penalty": 1,
                "stop_token_ids": stops,
                "return_token_ids": True,
            },
            stream=True,
        ) as parts:
            async for part in parts:
                for choice in part.choices:
                    text += choice.text
                    finish = choice.finish_reason or finish
                    tokens = (choice.model_extra or {}).get("token_ids") or []
                    knows_tokens = knows_tokens or bool(tokens)
                    answer.add(tokens)
                if answer.complete:
                    break
        if not knows_tokens:
            # Only vLLM tells them; of what others wrote we learn afterwards where it should have ended.
            answer.add(self.tokenizer.encode(text, add_special_tokens=False))
        if finish is None and not answer.complete:
            raise AutotrainError(f"the server at {self._address} broke off an answer; see its log")
        return answer.decoded(index, finish)

    @asynccontextmanager
    async def _served(self, client: "AsyncOpenAI", model: "Model") -> AsyncIterator[str]:
        """The name under which the server has the model; an adapter is there as long as the block runs."""
        from openai import APIError

        listed = (await client.models.list()).data
        if model.adapter is None:
            # vLLM lists adapters too, and says of what.
            bases = [one.id for one in listed if not (one.model_extra or {}).get("parent")]
            if len(bases) != 1 and self.base_model not in bases:
                raise AutotrainError(
                    f"the server at {self._address} has {', '.join(bases) or 'no model'}, "
                    f"not BASE_MODEL = {self.base_model}; start it with that one"
                )
            yield bases[0] if len(bases) == 1 else self.base_model
            return
        name = lora_name_of(model)
        # It is still there after an evaluation that was killed, and has its weights' digest in its name.
        if name not in [one.id for one in listed]:
            await self._load(client, name, model.adapter)
        try:
            yield name
        finally:
            with suppress(APIError):
                await client.with_options(max_retries=0, timeout=10).post(
                    "/unload_lora_adapter", cast_to=str, body={"lora_name": name}
                )

    async def _load(self, client: "AsyncOpenAI", name: str, adapter: Path) -> None:
        from openai import APIStatusError

        from autotrain.generate.protocol import words_of

        rank = accepted_rank(rank_of(adapter))
        try:
            await client.post(
                "/load_lora_adapter", cast_to=str, body={"lora_name": name, "lora_path": str(adapter.resolve())}
            )
        except APIStatusError as error:
            raise AutotrainError(
                f"the server at {self._address} did not load the adapter {adapter}: {words_of(error)}. "
                "Start vLLM where it sees this folder, with adapters allowed: VLLM_ALLOW_RUNTIME_LORA_UPDATING=True "
                f"vllm serve {self.base_model} --enable-lora --max-lora-rank {rank}"
            ) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """What the library raises, in a sentence."""
        from openai import APIConnectionError, APIError, APIStatusError

        from autotrain.generate.protocol import words_of

        try:
            yield
        except APIConnectionError as error:
            why = str(error.__cause__ or "") or error.message
            raise AutotrainError(
                f"the server at {self._address} cannot be reached: {why}; start it, or check EVAL_ENGINE"
            ) from None
        except APIStatusError as error:
            tokens = self.settings.seq_len + self.settings.eval_max_new_tokens
            remedies = {
                400: f"; vLLM has room for every answer with --max-model-len {tokens}",
                404: "; check EVAL_ENGINE, which mostly ends in /v1",
            }
            raise AutotrainError(
                f"the server at {self._address} refused: {words_of(error)}{remedies.get(error.status_code, '')}"
            ) from None
        except APIError as error:
            raise AutotrainError(f"the server at {self._address} broke off an answer: {error.message}") from None

    @property
    def _address(self) -> str:
        from autotrain.generate.protocol import shown_address

        return shown_address(self.url)


async def _cancel(tasks: Collection["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _next(answers: AsyncGenerator[list[Decoded], None]) -> list[Decoded] | None:
    return await anext(answers, None)


async def _end(answers: AsyncGenerator[list[Decoded], None]) -> None:
    """End what the loop has under way, wherever it was interrupted, and let `answers` tidy up."""
    await _cancel([task for task in asyncio.all_tasks() if task is not asyncio.current_task()])
    await answers.aclose()
