"""A teacher of fixed latency on 127.0.0.1: answers each chat request with one right sample, that many seconds later.

    python latency_server.py 0.5

The first line on stdout is its base URL. When its stdin ends it prints what it saw as one line of JSON and exits, so
it never outlives whoever started it. Times are seconds of the monotonic clock, which all processes share on Linux.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

TASK_TYPE = "algorithm_implementation"
SAMPLE = {
    "instruction": "Write add_one(values), which returns a list with 1 added to each number.",
    "input": "",
    "output": "```python\ndef add_one(values):\n    return [value + 1 for value in values]\n```",
    "tests": "assert add_one([]) == []\nassert add_one([0, 1]) == [1, 2]\n",
    "entry_point": "add_one",
    "concepts": ["lists"],
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 0,
    "model": "bench",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": json.dumps({"samples": [SAMPLE]})},
        }
    ],
    "usage": {"prompt_tokens": 700, "completion_tokens": 150, "total_tokens": 850},
}
MODELS = {"object": "list", "data": [{"id": "bench", "object": "model", "created": 0, "owned_by": "bench"}]}


def _response(status: str, value: object) -> bytes:
    body = json.dumps(value).encode()
    return f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


CHAT_RESPONSE = _response("200 OK", COMPLETION)
MODELS_RESPONSE = _response("200 OK", MODELS)
NOT_FOUND = _response("404 Not Found", {"error": {"message": "no such path"}})


@dataclass
class Seen:
    """What arrived. `first_request` and `last_reply` are points of the monotonic clock, 0 if nothing came."""

    requests: int = 0
    most_at_once: int = 0
    first_request: float = 0.0
    last_reply: float = 0.0
    cpu_seconds: float = 0.0


class LatencyServer:
    """Reads just enough HTTP/1.1 for clients with a Content-Length, so that it takes hardly any time itself."""

    def __init__(self, latency: float) -> None:
        self.seen = Seen()
        self._latency = latency
        self._at_once = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection until the client closes it."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                arrived = time.monotonic()
                await reader.readexactly(_content_length(head))
                await self._answer(head, arrived, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: bytes, arrived: float, writer: asyncio.StreamWriter) -> None:
        is_chat = head.startswith(b"POST /v1/chat/completions ")
        if not is_chat:
            writer.write(MODELS_RESPONSE if head.startswith(b"GET /v1/models ") else NOT_FOUND)
            return
        self.seen.first_request = self.seen.first_request or arrived
        self.seen.requests += 1
        self._at_once += 1
        self.seen.most_at_once = max(self.seen.most_at_once, self._at_once)
        try:
            await asyncio.sleep(arrived + self._latency - time.monotonic())
            writer.write(CHAT_RESPONSE)
            await writer.drain()
            self.seen.last_reply = time.monotonic()
        finally:
            self._at_once -= 1


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line[:15].lower() == b"content-length:":
            return int(line[15:])
    return 0


async def main(latency: float) -> None:
    """Serve until stdin ends."""
    latency_server = LatencyServer(latency)
    server = await asyncio.start_server(latency_server.serve, "127.0.0.1", 0, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    cpu_at_start = time.process_time()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    latency_server.seen.cpu_seconds = time.process_time() - cpu_at_start
    print(json.dumps(asdict(latency_server.seen)), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
