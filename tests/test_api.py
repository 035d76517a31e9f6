"""Asking a teacher over HTTP: what comes out, what it costs, what survives a stop or a kill."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from teacher_server import (
    TeacherServer,
    completion,
    dropped,
    error,
    garbage,
    good,
    hanging,
    rate_limited,
    refusing,
    server_error,
    slow,
    text,
    trickling,
    without_usage,
)

from autotrain.errors import AutotrainError, Refused, StopRequested
from autotrain.generate.api import Progress, TeacherSettings, generate_with_api
from autotrain.sample import Sample, fenced_code

KEY = "sk-test-0123456789"
HERE = Path(__file__).parent


class Asking:
    """One teacher and ledger, asked as often as a test likes; keeps what was reported."""

    def __init__(self, folder: Path, base_url: str, **settings: Any) -> None:
        self.settings = replace(
            TeacherSettings("test-teacher", base_url, KEY, timeout=10, samples_per_request=2), **settings
        )
        self.ledger = folder / "responses_round_1.jsonl"
        self.progress: list[Progress] = []

    def __call__(self, count: int = 10, should_stop: Callable[[], None] = lambda: None) -> list[Sample]:
        self.progress.clear()
        return generate_with_api(
            self.settings,
            count=count,
            seed=7,
            round_number=1,
            ledger_path=self.ledger,
            on_progress=self.progress.append,
            should_stop=should_stop,
        )

    def total(self, name: str) -> int:
        return sum(getattr(progress, name) or 0 for progress in self.progress)

    def replies(self) -> int:
        return self.ledger.read_bytes().count(b"\n") if self.ledger.exists() else 0


def test_brings_the_samples_asked_for_and_counts_what_they_cost(tmp_path: Path) -> None:
    with TeacherServer(key=KEY) as server:
        ask = Asking(tmp_path, server.base_url)
        samples = ask(9)
    assert [sample.id for sample in samples] == [f"r1-{index:05d}" for index in range(9)]
    assert server.count == ask.total("requests_sent") == 5
    assert (ask.total("samples_ok"), ask.total("samples_failed")) == (9, 0)
    assert (ask.total("input_tokens"), ask.total("output_tokens")) == (500, 250)
    assert (ask.total("retries"), ask.total("rate_limits_hit")) == (0, 0)
    metadata = samples[0].metadata
    assert (metadata.round, metadata.teacher_model, metadata.usage) == (1, "test-teacher-2026", None)
    program = "\n".join(f"{fenced_code(sample.output)}\n{sample.tests}" for sample in samples if sample.tests)
    assert program.count("assert") >= 10
    subprocess.run([sys.executable, "-c", program], check=True)


def test_the_system_prompt_is_the_same_in_every_request(tmp_path: Path) -> None:
    with TeacherServer() as server:
        Asking(tmp_path, server.base_url)(10)
    system = {request["messages"][0]["content"] for request in server.requests}
    users = {request["messages"][1]["content"] for request in server.requests}
    assert len(system) == 1
    assert len(users) == 5


def test_retries_what_can_succeed_and_counts_it(tmp_path: Path) -> None:
    with TeacherServer([good, rate_limited(), server_error(), dropped()]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert server.count == ask.total("requests_sent") == 8
    assert (ask.total("rate_limits_hit"), ask.total("retries")) == (1, 3)
    assert ask.total("samples_failed") == 0


def test_waits_as_long_as_the_server_says(tmp_path: Path) -> None:
    with TeacherServer([rate_limited(retry_after=1.2)]) as server:
        start = time.monotonic()
        Asking(tmp_path, server.base_url)(2)
    assert time.monotonic() - start >= 1.2


@pytest.mark.parametrize("answer", [hanging(), trickling()], ids=["hanging", "trickling"])
def test_a_try_ends_when_its_time_is_over(tmp_path: Path, answer: Any) -> None:
    with TeacherServer([answer]) as server:
        ask = Asking(tmp_path, server.base_url, timeout=0.5)
        start = time.monotonic()
        assert len(ask(2)) == 2
        assert time.monotonic() - start < 5
    assert (server.count, ask.total("retries")) == (2, 1)


def test_never_more_requests_at_once_than_allowed(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.15)) as server:
        Asking(tmp_path, server.base_url, concurrency=3)(20)
    assert server.most_at_once == 3


def test_absent_usage_stays_absent(tmp_path: Path) -> None:
    with TeacherServer(then=without_usage) as server:
        ask = Asking(tmp_path, server.base_url)
        ask(4)
    assert {(progress.input_tokens, progress.output_tokens) for progress in ask.progress} == {(None, None)}


@pytest.mark.parametrize(
    ("refused", "taken"),
    [((), "json_schema"), (("json_schema",), "json_object"), (("json_schema", "json_object"), None)],
)
def test_finds_the_response_format_once(tmp_path: Path, refused: tuple[str, ...], taken: str | None) -> None:
    with TeacherServer(then=refusing(*refused)) as server:
        assert len(Asking(tmp_path, server.base_url)(10)) == 10
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == [*refused, *[taken] * 5]


@pytest.mark.parametrize("answer", [garbage(), text("I would rather not."), text(None)])
def test_asks_for_what_did_not_come_out(tmp_path: Path, answer: Any) -> None:
    with TeacherServer([good, answer]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert server.count == 6
    assert (ask.total("samples_ok"), ask.total("samples_failed")) == (10, 2)


def test_keeps_the_good_samples_of_a_partial_reply(tmp_path: Path) -> None:
    def half(request: dict[str, Any]) -> Any:
        answer = good(request)
        assert isinstance(answer.body, dict)
        samples = json.loads(answer.body["choices"][0]["message"]["content"])["samples"]
        samples[0]["output"] = ""
        return replace(answer, body=completion(request, json.dumps({"samples": samples})))

    with TeacherServer([half, half]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert server.count == 6
    assert (ask.total("samples_ok"), ask.total("samples_failed")) == (10, 2)


def test_gives_up_on_a_teacher_that_only_babbles(tmp_path: Path) -> None:
    with TeacherServer(then=text("lalala")) as server:
        ask = Asking(tmp_path, server.base_url)
        with pytest.raises(Refused, match=r"none of the 10 replies of test-teacher .* responses_round_1"):
            ask(10)
    assert server.count == 10, "twice the plan of five"
    assert ask.total("samples_failed") == 20


def test_goes_on_with_fewer_samples_when_the_bound_is_reached(tmp_path: Path) -> None:
    with TeacherServer([good], then=text("lalala")) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 2
    assert server.count == 10
    assert ask.total("samples_ok") == 2


@pytest.mark.parametrize(
    ("key", "model", "words"),
    [
        ("another", "test-teacher", "401 Incorrect API key provided.*check OPENAI_API_KEY"),
        (None, "nonesuch", "404 The model `nonesuch` does not exist; check TEACHER_MODEL"),
    ],
)
def test_stops_at_once_where_the_server_will_not_serve(
    tmp_path: Path, key: str | None, model: str, words: str
) -> None:
    with TeacherServer(key=key) as server:
        ask = Asking(tmp_path, server.base_url, model=model)
        with pytest.raises(Refused, match=words) as caught:
            ask(50)
    assert server.count == 1
    assert KEY not in str(caught.value)
    assert KEY not in repr(ask.settings)
    assert caught.value.__suppress_context__, "the traceback would show the server's own text"


def test_an_empty_account_is_not_retried_for_every_request(tmp_path: Path) -> None:
    empty = error(429, "You exceeded your current quota", code="insufficient_quota")
    with TeacherServer(then=empty) as server, pytest.raises(Refused, match="You exceeded your current quota"):
        Asking(tmp_path, server.base_url, max_retries=1)(50)
    assert server.count == 2


def test_a_prompt_that_the_server_filters_costs_only_its_own_samples(tmp_path: Path) -> None:
    with TeacherServer([error(400, "filtered", code="content_filter")]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert ask.total("samples_failed") == 2


def test_a_bad_request_ends_the_stage_only_if_nothing_was_answered_before(tmp_path: Path) -> None:
    too_long = error(400, "this model's context is 2048 tokens")
    with TeacherServer([good, too_long]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert (server.count, ask.total("samples_failed")) == (6, 2)
    ask.ledger.unlink()
    with TeacherServer([too_long]) as server:
        ask.settings = replace(ask.settings, base_url=server.base_url)
        with pytest.raises(Refused, match="400 this model's context is 2048 tokens"):
            ask(10)
    assert server.count == 1


def test_a_server_that_keeps_failing_ends_the_stage_resumably(tmp_path: Path) -> None:
    with TeacherServer([good], then=server_error()) as server:
        ask = Asking(tmp_path, server.base_url, max_retries=0)
        with pytest.raises(
            AutotrainError, match=r"10 requests in a row.*500 The server had an error"
        ) as caught:
            ask(100)
        assert type(caught.value) is AutotrainError
    assert server.count < 30
    with TeacherServer() as server:
        ask.settings = replace(ask.settings, base_url=server.base_url)
        assert len(ask(100)) == 100
    assert server.count == 49, "one reply was kept"


def test_no_server_is_noticed_with_the_first_request(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(AutotrainError, match=f"no server answers at http://127.0.0.1:{port}/v1") as caught:
        Asking(tmp_path, f"http://user:secret@127.0.0.1:{port}/v1", max_retries=1)(50)
    assert "secret" not in str(caught.value)


def test_a_key_that_cannot_be_sent_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="OPENAI_API_KEY") as caught:
        Asking(tmp_path, "http://127.0.0.1:1/v1", api_key="sk-\N{HORIZONTAL ELLIPSIS}abc")(2)
    assert "abc" not in str(caught.value)


def test_goes_on_after_a_stop_without_asking_again(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.05)) as server:
        ask = Asking(tmp_path, server.base_url, concurrency=2)

        def stop_after_three() -> None:
            if ask.replies() >= 3:
                raise StopRequested("stop")

        with pytest.raises(StopRequested):
            ask(20, stop_after_three)
        assert 3 <= ask.replies() == server.count <= 5
        assert ask.total("input_tokens") == 100 * server.count, "replies after the stop are counted too"
        samples = ask(20)
        assert server.count == 10
        assert ask.total("samples_ok") == 20, "a stage that starts again counts all its samples again"
        assert ask.total("requests_sent") < 8, "but not what they cost"
    # Nobody answers any more: all is in the ledger, in whatever order the replies came.
    lines = ask.ledger.read_text().splitlines(keepends=True)
    ask.ledger.write_text("".join(reversed(lines)))
    assert [sample.to_json() for sample in ask(20)] == [sample.to_json() for sample in samples]


def test_a_stop_does_not_wait_for_a_hanging_server(tmp_path: Path) -> None:
    with TeacherServer(then=hanging()) as server:
        start = time.monotonic()

        def stop_after_a_while() -> None:
            if time.monotonic() - start > 0.5:
                raise StopRequested("stop")

        with pytest.raises(StopRequested):
            Asking(tmp_path, server.base_url)(20, stop_after_a_while)
        assert time.monotonic() - start < 6


def test_replies_that_arrive_during_a_pause_are_kept(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.3)) as server:
        ask = Asking(tmp_path, server.base_url, concurrency=4)
        seen: list[tuple[int, int]] = []

        def pause_once() -> None:
            if server.count == 5 and not seen:
                time.sleep(1)
                seen.append((server.count, ask.replies()))

        ask(20, pause_once)
    assert seen == [(5, 5)], "nothing was sent during the pause, and what was under way is on disk"


def test_a_killed_process_costs_only_what_was_under_way(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from test_api import Asking
Asking(Path(sys.argv[1]), sys.argv[2], concurrency=2)(20)
"""
    with TeacherServer(then=slow(0.2)) as server:
        ask = Asking(tmp_path, server.base_url, concurrency=2)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent)))}
        command = [sys.executable, "-c", program, str(tmp_path), server.base_url]
        process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + 30
        while ask.replies() < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        kept = ask.replies()
        with ask.ledger.open("ab") as stream:
            stream.write(b'{"request_hash": "torn')
        assert len(ask(20)) == 20
    assert 3 <= kept < 10
    assert server.count <= 10 + 2
    assert ask.total("requests_sent") == 10 - kept
    assert all(json.loads(line) for line in ask.ledger.read_text().splitlines())


def test_importing_the_stage_does_not_load_the_client_library() -> None:
    program = "import sys, autotrain.generate.api; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=HERE.parent).returncode == 0
