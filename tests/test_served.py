"""Answers of a real HTTP server that speaks vLLM's protocol, held against what `decode` makes of the same tokens."""

import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openai import AsyncOpenAI
from tiny_model import build_tokenizer

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused
from autotrain.evaluate.decoding import Decoded, Ending, Request, decode
from autotrain.evaluate.engines import Model
from autotrain.evaluate.served import Server
from autotrain.evaluate.vllm_engine import Vllm, accepted_rank
from autotrain.train.render import stop_ids

TOKENIZER = build_tokenizer()
LIMIT = 80
BASE = Model("base", "base tiny")
BASE_NAME = "owner/tiny"
Body = dict[str, Any]
Reply = tuple[int, Body | str]

# What the model writes after a prompt of this kind; {model} and {number} are those of the request.
ANSWERS: dict[str, tuple[Ending, str]] = {
    "says": ("turn", "{model} says {number} ✓"),
    "rambles": ("turn", "{number}" + " and so on" * 100),
    "block": ("block", "Here:\n```python\nx = {number}\n```\nThis sets x, and so on, for ever and ever and ever."),
    "open": ("block", "```python\n" + "x = {number}\n" * 100),
    "twice": ("block", "``` \nx = {number}\n```)\n```\n"),
    "body": ("function", "    return {number}\n\ndef other():\n    pass"),
}


def request(kind: str, number: int, draw: int | None = None) -> Request:
    prompt = TOKENIZER.encode(f"{kind} {number}", add_special_tokens=False)
    return Request(prompt, ANSWERS[kind][0], draw=draw)


def tokens_of(model: str, prompt: list[int]) -> list[int]:
    """All that the model would write, were it not stopped."""
    kind, number = TOKENIZER.decode(prompt).split()
    text = ANSWERS[kind][1].format(model=model, number=number)
    return [*TOKENIZER.encode(text, add_special_tokens=False), TOKENIZER.eos_token_id]


def expected(model: str, asked: Request, index: int) -> Decoded:
    """What `decode` returns where the model writes the same tokens."""
    import torch

    script = iter(tokens_of(model, asked.prompt))

    def scripted(input_ids: Any, **_: Any) -> Any:
        # The first of all is a look at what kind of cache there is.
        chosen = torch.tensor([[0 if input_ids.tolist() == [[0]] else next(script)]])
        logits = torch.nn.functional.one_hot(chosen, len(TOKENIZER)).float()
        return SimpleNamespace(logits=logits, past_key_values=SimpleNamespace(layers=[]))

    scripted.device = "cpu"  # type: ignore[attr-defined]
    ((answer,),) = decode(scripted, TOKENIZER, stop_ids(TOKENIZER), [asked], LIMIT, 1)
    return Decoded(index, answer.text, answer.tokens, answer.truncated)


@dataclass
class FakeVllm:
    """What the server does, and what it saw."""

    tells_tokens: bool = True
    tokens_a_part: int = 1
    seconds_a_token: float = 0.0
    waits_for: int = 1
    loads_adapters: bool = True
    models: list[Body] = field(default_factory=lambda: [{"id": BASE_NAME}])
    failures: list[int] = field(default_factory=list)
    """Status codes that the first requests for an answer get."""

    requests: list[Body] = field(default_factory=list)
    headers: list[str] = field(default_factory=list)
    adapters: list[Body] = field(default_factory=list)
    unloaded: list[str] = field(default_factory=list)
    finished: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    most_at_once: int = 0
    tokens_sent: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    enough: threading.Event = field(default_factory=threading.Event)

    def listing(self) -> Body:
        loaded = [{"id": one["lora_name"], "parent": BASE_NAME} for one in self.adapters]
        return {"object": "list", "data": [*self.models, *loaded]}

    def load(self, body: Body) -> Reply:
        if not self.loads_adapters:
            return 404, {"detail": "Not Found"}
        self.adapters.append(body)
        return 200, f"Success: LoRA adapter '{body['lora_name']}' added successfully."

    def unload(self, body: Body) -> Reply:
        self.unloaded.append(body["lora_name"])
        self.adapters = [one for one in self.adapters if one["lora_name"] != body["lora_name"]]
        return 200, f"Success: LoRA adapter '{body['lora_name']}' removed successfully."

    def refusal(self, body: Body) -> Reply | None:
        with self.lock:
            self.requests.append(body)
            if self.failures:
                return self.failures.pop(0), {"error": {"message": "not just now"}}
            if body["model"] not in [one["id"] for one in self.listing()["data"]]:
                return 404, {"error": {"message": f"The model `{body['model']}` does not exist."}}
        return None

    def parts(self, body: Body) -> Generator[Body, None, None]:
        """The parts of an answer: text, as far as it is whole characters, and the tokens it was made of."""
        with self.lock:
            self.under_way += 1
            self.most_at_once = max(self.most_at_once, self.under_way)
            if self.under_way >= self.waits_for:
                self.enough.set()
        ends = "closed"
        try:
            self.enough.wait(8)
            ids: list[int] = []
            sent, start = "", 0
            for token in tokens_of(body["model"], body["prompt"]):
                time.sleep(self.seconds_a_token)
                ids.append(token)
                at_end = token in body["stop_token_ids"]
                finish = "stop" if at_end else "length" if len(ids) == body["max_tokens"] else None
                if finish or len(ids) - start == self.tokens_a_part:
                    text = TOKENIZER.decode(ids, skip_special_tokens=True)
                    whole = text if finish else text.rstrip("\ufffd")
                    choice = {"index": 0, "text": whole[len(sent) :], "finish_reason": finish}
                    if self.tells_tokens and body.get("return_token_ids"):
                        choice["token_ids"] = ids[start:]
                    yield {"id": "c", "object": "text_completion", "created": 0, "model": "m", "choices": [choice]}
                    sent, start = whole, len(ids)
                    self.tokens_sent = max(self.tokens_sent, len(ids))
                if finish:
                    ends = finish
                    return
        finally:
            with self.lock:
                self.under_way -= 1
                self.finished[ends] += 1


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


def _handler_of(fake: FakeVllm) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._reply((200, fake.listing()) if self.path == "/v1/models" else (404, {"detail": "Not Found"}))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.headers.append(str(self.headers))
            if self.path == "/v1/load_lora_adapter":
                self._reply(fake.load(body))
            elif self.path == "/v1/unload_lora_adapter":
                self._reply(fake.unload(body))
            elif self.path != "/v1/completions":
                self._reply((404, {"detail": "Not Found"}))
            elif refusal := fake.refusal(body):
                self._reply(refusal)
            else:
                self._stream(body)

        def _reply(self, reply: Reply) -> None:
            status, body = reply
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(body, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, body: Body) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            with closing(fake.parts(body)) as parts:
                try:
                    for part in parts:
                        self._chunk(f"data: {json.dumps(part)}\n\n")
                    self._chunk("data: [DONE]\n\n")
                    self._chunk("")
                except ConnectionError:
                    self.close_connection = True

        def _chunk(self, text: str) -> None:
            data = text.encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler


Serve = Callable[[FakeVllm], Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server, and gives the engine that asks it."""
    started = []

    def start(fake: FakeVllm) -> Server:
        listener = _Listener(("127.0.0.1", 0), _handler_of(fake))
        threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        started.append(listener)
        return Server(f"http://127.0.0.1:{listener.server_address[1]}/v1", BASE_NAME, TOKENIZER, settings())

    yield start
    for listener in started:
        listener.shutdown()
        listener.server_close()


def settings(**values: Any) -> Settings:
    return Settings(base_model=BASE_NAME, eval_batch_size=3, eval_max_new_tokens=LIMIT, **values)


def answers(engine: Server, model: Model, requests: list[Request]) -> list[Decoded]:
    found = [answer for batch in engine.answer(model, requests) for answer in batch]
    return sorted(found, key=lambda answer: answer.index)


@pytest.fixture
def adapter(tmp_path: Path) -> Model:
    (tmp_path / "adapter_config.json").write_text('{"r": 48}')
    return Model("new", f"adapter {'0123456789abcdef' * 4}", tmp_path)


def until(what: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return what()


@pytest.mark.parametrize(
    "fake",
    [FakeVllm(), FakeVllm(tokens_a_part=7), FakeVllm(tells_tokens=False), FakeVllm(tokens_a_part=LIMIT)],
    ids=["token by token", "several tokens a part", "text alone", "all at once"],
)
def test_answers_are_those_of_decode(serve: Serve, fake: FakeVllm) -> None:
    asked = [request(kind, number) for number in range(2) for kind in ANSWERS]
    found = answers(serve(fake), BASE, asked)
    assert found == [expected(BASE_NAME, one, index) for index, one in enumerate(asked)]
    says, rambles, block, open_block, twice, body = found[:6]
    assert (says.text, says.truncated) == (f"{BASE_NAME} says 0 ✓", False)
    assert (block.text, block.truncated) == ("Here:\n```python\nx = 0\n```", False)
    assert twice.text == "``` \nx = 0\n```"
    assert (body.text, body.truncated) == ("    return 0\n", False)
    assert [(one.truncated, one.tokens) for one in (rambles, open_block)] == [(True, LIMIT), (True, LIMIT)]
    assert all(one.loss is None for one in found)


def test_nothing_is_written_that_is_cut_off_anyway(serve: Serve) -> None:
    fake = FakeVllm(seconds_a_token=0.03)
    (answer,) = answers(serve(fake), BASE, [request("block", 1)])
    assert until(lambda: fake.under_way == 0)
    assert fake.finished == {"closed": 1}
    assert fake.tokens_sent < answer.tokens + 10


def test_as_many_are_asked_at_once_as_the_batch_size_says(serve: Serve) -> None:
    fake = FakeVllm(waits_for=3, seconds_a_token=0.002)
    found = answers(serve(fake), BASE, [request("says", number) for number in range(10)])
    assert [one.text for one in found] == [f"{BASE_NAME} says {number} ✓" for number in range(10)]
    assert fake.most_at_once == 3


def test_an_adapter_is_loaded_asked_under_its_name_and_unloaded(serve: Serve, adapter: Model) -> None:
    fake = FakeVllm()
    name = "autotrain-0123456789abcdef"
    found = answers(serve(fake), adapter, [request("says", number) for number in range(4)])
    assert [one.text for one in found] == [f"{name} says {number} ✓" for number in range(4)]
    assert {one["model"] for one in fake.requests} == {name}
    assert fake.unloaded == [name]
    assert fake.adapters == []


def test_the_server_is_told_where_the_adapter_lies(serve: Serve, adapter: Model) -> None:
    fake = FakeVllm()
    with closing(serve(fake).answer(adapter, [request("says", 1), request("rambles", 2)])) as batches:
        next(batches)
        assert fake.adapters == [
            {"lora_name": "autotrain-0123456789abcdef", "lora_path": str(adapter.adapter and adapter.adapter.resolve())}
        ]
    assert fake.adapters == []


def test_an_adapter_that_a_killed_evaluation_left_is_used(serve: Serve, adapter: Model) -> None:
    fake = FakeVllm(loads_adapters=False, adapters=[{"lora_name": "autotrain-0123456789abcdef"}])
    engine = serve(fake)
    assert answers(engine, BASE, [request("says", 1)])[0].text == f"{BASE_NAME} says 1 ✓"
    assert answers(engine, adapter, [request("says", 1)])[0].text == "autotrain-0123456789abcdef says 1 ✓"
    assert fake.adapters == []


def test_the_only_model_is_asked_whatever_its_name(serve: Serve) -> None:
    (answer,) = answers(serve(FakeVllm(models=[{"id": "/models/t"}])), BASE, [request("says", 1)])
    assert answer.text == "/models/t says 1 ✓"


def test_another_model_is_not_taken_for_the_base(serve: Serve) -> None:
    fake = FakeVllm(models=[{"id": "one"}, {"id": "two"}])
    with pytest.raises(AutotrainError, match="has one, two, not BASE_MODEL = owner/tiny"):
        answers(serve(fake), BASE, [request("says", 1)])
    assert fake.requests == []


def test_greedy_and_drawn_answers_are_asked_for_as_such(serve: Serve) -> None:
    fake = FakeVllm()
    answers(serve(fake), BASE, [request("says", 1), request("says", 2, draw=2**55 + 5)])
    greedy, drawn = sorted(fake.requests, key=lambda one: one["temperature"])
    assert (greedy["temperature"], greedy["seed"]) == (0, None)
    assert (drawn["temperature"], drawn["seed"]) == (settings().eval_temperature, 5)
    for one in (greedy, drawn):
        # Whatever the server or the model's own generation_config.json would rather have.
        assert (one["top_p"], one["top_k"], one["min_p"], one["repetition_penalty"]) == (1, -1, 0, 1)


def test_a_server_without_adapters_is_told_how_to_start(serve: Serve, adapter: Model) -> None:
    engine = serve(FakeVllm(loads_adapters=False))
    with pytest.raises(AutotrainError) as caught:
        answers(engine, adapter, [request("says", 1)])
    message = str(caught.value)
    assert engine.url in message
    assert "404 Not Found" in message
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True" in message
    assert "--enable-lora --max-lora-rank 64" in message


def test_a_server_that_is_not_there_is_named() -> None:
    engine = Server("http://someone:secret@127.0.0.1:9/v1", BASE_NAME, TOKENIZER, settings())
    with pytest.raises(AutotrainError, match=r"cannot be reached: .+; start it, or check EVAL_ENGINE") as caught:
        answers(engine, BASE, [request("says", 1)])
    assert "http://127.0.0.1:9/v1" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_address_without_v1_is_explained(serve: Serve) -> None:
    engine = serve(FakeVllm())
    wrong = Server(engine.url.removesuffix("/v1"), BASE_NAME, TOKENIZER, settings())
    with pytest.raises(AutotrainError, match="404 Not Found; check EVAL_ENGINE, which mostly ends in /v1"):
        answers(wrong, BASE, [request("says", 1)])


def test_a_passing_error_is_passed_over(serve: Serve) -> None:
    fake = FakeVllm(failures=[500])
    assert answers(serve(fake), BASE, [request("says", 1)])[0].text == f"{BASE_NAME} says 1 ✓"
    assert len(fake.requests) == 2


def test_a_refusal_is_told_in_the_servers_words(serve: Serve) -> None:
    fake = FakeVllm()
    batches = serve(fake).answer(BASE, [request("says", number) for number in range(9)])
    assert next(batches)
    fake.failures = [400]
    with pytest.raises(AutotrainError, match=r"400 not just now; .*--max-model-len 2128"):
        list(batches)


def test_no_key_is_sent(serve: Serve, monkeypatch: pytest.MonkeyPatch, adapter: Model) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, "sk-of-the-teacher")
    fake = FakeVllm()
    answers(serve(fake), adapter, [request("says", 1)])
    assert len(fake.headers) == 3
    assert "sk-of-the-teacher" not in "".join(fake.headers)


def test_closing_the_iterator_ends_what_is_under_way(serve: Serve, adapter: Model) -> None:
    fake = FakeVllm(seconds_a_token=0.05)
    with closing(serve(fake).answer(adapter, [request("says", 1), *[request("rambles", 2)] * 9])) as batches:
        assert next(batches)[0].index == 0
        started = time.monotonic()
    assert time.monotonic() - started < 1
    assert until(lambda: fake.under_way == 0, 2)
    assert fake.adapters == []
    assert len(fake.requests) <= 4


def test_an_interruption_anywhere_ends_what_is_under_way(
    serve: Serve, adapter: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeVllm(seconds_a_token=0.05)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            answers(serve(fake), adapter, [request("rambles", number) for number in range(9)])
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert until(lambda: fake.under_way == 0, 2)
    assert fake.adapters == []


def test_a_pause_starts_nothing_and_breaks_no_time_limit(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openai.AsyncOpenAI", partial(AsyncOpenAI, timeout=1.0))
    fake = FakeVllm(seconds_a_token=0.03)
    seen = []

    def pause(*_: Any) -> None:
        time.sleep(4)
        seen.append((len(fake.requests), fake.under_way))

    before = signal.signal(signal.SIGALRM, pause)
    signal.setitimer(signal.ITIMER_REAL, 0.7)
    try:
        found = answers(serve(fake), BASE, [request("rambles", number) for number in range(4)])
    finally:
        signal.signal(signal.SIGALRM, before)
    assert seen == [(3, 0)]
    assert [one.tokens for one in found] == [LIMIT] * 4
    assert len(fake.requests) == 4


# ---------------------------------------------------------------------------------------------------
# vLLM in process


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed")
def test_without_vllm_its_engine_says_how_to_get_it() -> None:
    with pytest.raises(Refused, match=r"not installed: pip install -e '\.\[vllm\]'"):
        next(Vllm("base", TOKENIZER, settings()).answer(BASE, [request("says", 1)]))


def test_ranks_are_those_that_vllm_takes() -> None:
    assert [accepted_rank(rank) for rank in (1, 8, 48, 64, 512)] == [8, 8, 64, 64, 512]
    with pytest.raises(Refused, match="rank 1024, 512 at most"):
        accepted_rank(1024)
