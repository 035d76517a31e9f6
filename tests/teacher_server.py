"""A teacher that is a real HTTP server on 127.0.0.1 and answers as the script says.

    with TeacherServer([rate_limited(), text("{}")], then=good) as server:
        ...  # base_url=server.base_url
    assert server.count == 3

Each chat request takes the next answer of the script; after it `then` answers. What `good` writes
depends on the request alone, so two servers answer the same plan alike.
"""

import hashlib
import itertools
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Body = dict[str, Any]
# How long a server waits for clients that do not come.
PATIENCE = 8.0


@dataclass(frozen=True)
class Answer:
    """What goes over the wire: a status and body after a wait, or a dropped connection."""

    status: int = 200
    body: str | Body = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    trickle: float = 0.0  # seconds between the bytes of the body
    drop: bool = False


Script = Answer | Callable[[Body], Answer]


def completion(request: Body, content: str | None, finish_reason: str = "stop") -> Body:
    """The body of a chat completion; its usage is 100 tokens in and 50 out."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": f"{request['model']}-2026",
        "choices": [
            {
                "index": 0,
                "finish_reason": finish_reason,
                "message": {"role": "assistant", "content": content},
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    }


def text(content: str | None, finish_reason: str = "stop") -> Script:
    """A completion whose message is `content`."""
    return lambda request: Answer(body=completion(request, content, finish_reason))


def good(request: Body) -> Answer:
    """As many right samples as the request asks for, of the task type that it names."""
    return Answer(body=completion(request, json.dumps({"samples": samples_for(request)})))


def without_usage(request: Body) -> Answer:
    """Like `good` from a server that reports no usage."""
    body = completion(request, json.dumps({"samples": samples_for(request)}))
    return Answer(body={key: value for key, value in body.items() if key != "usage"})


def slow(seconds: float) -> Script:
    """Like `good`, after a while."""
    return lambda request: Answer(body=good(request).body, wait=seconds)


def together(count: int) -> Callable[[Body], Answer]:
    """Like `good`, but nobody is answered before `count` requests are there, and then only after a moment."""
    arrived = itertools.count(1)
    enough = threading.Event()

    def answer(request: Body) -> Answer:
        if next(arrived) >= count:
            enough.set()
        enough.wait(PATIENCE)
        return Answer(body=good(request).body, wait=0.15)

    return answer


def error(status: int, message: str, **fields: Any) -> Answer:
    """An error in the words that OpenAI uses."""
    return Answer(status, {"error": {"message": message, "type": "error", "param": None, "code": None, **fields}})


def rate_limited(retry_after: float = 0.01) -> Answer:
    answer = error(429, "Rate limit reached")
    return Answer(429, answer.body, {"Retry-After": str(retry_after)})


def server_error() -> Answer:
    return error(500, "The server had an error")


def garbage() -> Answer:
    """A 200 that is no completion: the page of some proxy."""
    return Answer(200, "<html>Welcome</html>", {"Content-Type": "text/html"})


def dropped() -> Answer:
    return Answer(drop=True)


def hanging(seconds: float = 30.0) -> Answer:
    """Nothing at all for a while; closing the server ends it."""
    return Answer(wait=seconds, drop=True)


def trickling() -> Answer:
    """A byte now and then, never enough of them."""
    return Answer(body=" " * 1000, trickle=0.05)


def mixed(seed: int, **shares: float) -> Callable[[Body], Answer]:
    """A server with faults: each request takes a kind of answer by its share, in an order that follows the seed.

    What it did is counted under `mixed(...).counts`; shares are those of `rate_limited`, `server_error`,
    `dropped`, `garbage` and `hanging`, the rest is good.
    """
    kinds: dict[str, Script] = {
        "rate_limited": rate_limited(0.05),
        "server_error": server_error(),
        "dropped": dropped(),
        "garbage": garbage(),
        "hanging": hanging(),
        "good": good,
    }
    luck = random.Random(seed)
    lock = threading.Lock()
    counts: Counter[str] = Counter()
    weights = [shares.get(name, 0.0) for name in kinds][:-1]

    def answer(request: Body) -> Answer:
        with lock:
            name = luck.choices(list(kinds), [*weights, 1 - sum(weights)])[0]
            counts[name] += 1
        script = kinds[name]
        return script if isinstance(script, Answer) else script(request)

    answer.counts = counts  # type: ignore[attr-defined]
    return answer


def refusing(*forms: str) -> Callable[[Body], Answer]:
    """A server that knows not these types of response_format: 400 for them, else `good`."""

    def answer(request: Body) -> Answer:
        form = request.get("response_format", {}).get("type")
        if form in forms:
            return error(400, f"response_format of type {form} is not supported", param="response_format")
        return good(request)

    return answer


def samples_for(request: Body) -> list[Body]:
    """Samples that keep every promise of their task type; what is in them follows from the request."""
    prompt = request["messages"][-1]["content"]
    count = int(re.findall(r"exactly (\d+)", prompt)[0])
    task_type = re.findall(r"Task type: (\w+)", prompt)[0]
    start = int(hashlib.sha256(prompt.encode()).hexdigest()[:6], 16)
    return [_sample(task_type, start + number) for number in range(count)]


def _sample(task_type: str, number: int) -> Body:
    name = f"add_{number}"
    right = f"def {name}(values):\n    return [value + {number} for value in values]"
    wrong = right.replace("+", "-")
    clumsy = (
        f"def {name}(values):\n    result = []\n    for value in values:\n"
        f"        result.append(value + {number})\n    return result"
    )
    tests = f"assert {name}([]) == []\nassert {name}([0, 1]) == [{number}, {number + 1}]\n"
    fenced = f"```python\n{right}\n```"
    code = {"output": fenced, "tests": tests, "entry_point": name}
    what = f"{name}(values), which returns a list with {number} added to each number"
    by_type: dict[str, Body] = {
        "algorithm_implementation": {"instruction": f"Write {what}.", **code},
        "code_completion": {
            "instruction": f"Complete {what}.",
            "input": right.split("\n")[0],
            **code,
        },
        "bug_fixing": {"instruction": f"Some results are wrong. Fix {what}.", "input": wrong, **code},
        "refactoring": {"instruction": f"Shorten {what}.", "input": clumsy, **code},
        "unit_test_generation": {
            "instruction": f"Write tests of {what}.",
            "input": right,
            "output": f"```python\n{tests}```",
            "entry_point": name,
        },
        "documentation": {
            "instruction": f"Document {what}.",
            "input": right,
            "output": "```python\n" + right.replace(":\n", f':\n    """Add {number} to each."""\n', 1) + "\n```",
            "entry_point": name,
        },
        "agent_edit": {
            "instruction": f"Repair {what}. Answer with JSON edits.",
            "input": f"# file: sums.py\n{wrong}\n",
            "output": json.dumps(
                {"edits": [{"path": "sums.py", "search": wrong.split("\n")[1], "replace": right.split("\n")[1]}]}
            ),
            "tests": f"from sums import {name}\n{tests}",
            "entry_point": name,
        },
        "code_review": {
            "instruction": f"Review {what}. Answer with JSON findings.",
            "input": wrong,
            "output": json.dumps({"findings": [{"line": 2, "severity": "high", "message": "subtracts"}]}),
        },
        "code_explanation": {
            "instruction": f"What does {name} do?",
            "input": right,
            "output": f"It adds {number} to every number of a list.",
        },
    }
    return {"input": "", "tests": "", "entry_point": "", "concepts": ["lists"], **by_type[task_type]}


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    # With the usual 5, many clients at once are made to wait for a second.
    request_queue_size = 256


class TeacherServer:
    """The server, running while the `with` block does. A `key` given here is demanded of clients."""

    def __init__(
        self,
        replies: Iterable[Script] = (),
        then: Script = good,
        key: str | None = None,
        models: Iterable[str] = ("test-teacher",),
        port: int = 0,
    ) -> None:
        self.requests: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._script = iter(list(replies))
        self._then = then
        self._key = key
        self._models = list(models)
        self._at_once = 0
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Listener(("127.0.0.1", port), _handler_of(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.port = int(self._server.server_address[1])
        self.base_url = f"http://127.0.0.1:{self.port}/v1"

    @property
    def count(self) -> int:
        """Chat requests that arrived."""
        return len(self.requests)

    def __enter__(self) -> "TeacherServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the server; twice does no harm."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def models(self, headers: Mapping[str, str]) -> Answer:
        """The answer to /v1/models."""
        if (refusal := self._refusal(headers)) is not None:
            return refusal
        entries = [{"id": name, "object": "model", "created": 0, "owned_by": "tests"} for name in self._models]
        return Answer(body={"object": "list", "data": entries})

    def _refusal(self, headers: Mapping[str, str]) -> Answer | None:
        """The answer to a client without the key."""
        if self._key is None or headers.get("authorization") == f"Bearer {self._key}":
            return None
        # Some servers repeat what they were given; a client must not pass it on.
        return error(401, f"Incorrect API key provided: {headers.get('authorization')}")

    def chat(self, request: Body, headers: dict[str, str]) -> Answer:
        """The answer to /v1/chat/completions."""
        with self._lock:
            self.requests.append(request)
            self.headers.append(headers)
            if (refusal := self._refusal(headers)) is not None:
                return refusal
            if request["model"] not in self._models:
                return error(404, f"The model `{request['model']}` does not exist", code="model_not_found")
            script = next(self._script, self._then)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            answer = script if isinstance(script, Answer) else script(request)
            self._closing.wait(answer.wait)
            return answer
        finally:
            with self._lock:
                self._at_once -= 1

    def is_closing(self) -> bool:
        return self._closing.is_set()


def _handler_of(server: TeacherServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(server.models(headers) if self.path == "/v1/models" else error(404, "no such path"))

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if server.is_closing():
                self.close_connection = True
                return
            if self.path != "/v1/chat/completions":
                self._send(error(404, "no such path"))
                return
            self._send(server.chat(body, {name.lower(): value for name, value in self.headers.items()}))

        def _send(self, answer: Answer) -> None:
            if answer.drop:
                self.close_connection = True
                return
            body = (answer.body if isinstance(answer.body, str) else json.dumps(answer.body)).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **answer.headers}
            try:
                self.send_response(answer.status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self._write(body, answer.trickle)
            except ConnectionError:
                self.close_connection = True

        def _write(self, body: bytes, trickle: float) -> None:
            if not trickle:
                self.wfile.write(body)
                return
            for byte in body:
                if server.is_closing():
                    return
                self.wfile.write(bytes([byte]))
                time.sleep(trickle)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    return Handler
