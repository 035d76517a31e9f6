"""Asking a teacher over HTTP: what comes out, what it costs, what survives a stop or a kill."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from teacher_server import (
    Answer,
    TeacherServer,
    completion,
    dropped,
    error,
    garbage,
    good,
    hanging,
    mixed,
    rate_limited,
    refusing,
    server_error,
    slow,
    text,
    together,
    trickling,
    without_usage,
)

from autotrain.errors import AutotrainError, Refused, StopRequested
from autotrain.generate.api import Earlier, generate_with_api
from autotrain.generate.ledger import read_book
from autotrain.generate.prices import Price, PriceList
from autotrain.generate.teacher import Report, TeacherSettings
from autotrain.generate.topics import Topics
from autotrain.sample import Sample, fenced_code

KEY = "sk-test-0123456789"
HERE = Path(__file__).parent


class Asking:
    """One teacher and ledger, asked as often as a test likes; keeps what was reported."""

    def __init__(self, folder: Path, *base_urls: str, **settings: Any) -> None:
        self.settings = replace(
            TeacherSettings("test-teacher", base_urls, KEY, timeout=10, samples_per_request=2), **settings
        )
        self.ledger = folder / "responses_round_1.jsonl"
        self.report = Report(0, {}, {})
        self.topics = Topics()
        self.earlier = Earlier()
        self.over_budget: str | None = None

    def __call__(self, count: int = 10, should_stop: Callable[[], None] = lambda: None) -> list[Sample]:
        def keep(report: Report) -> None:
            self.report = report

        harvested = generate_with_api(
            self.settings,
            count=count,
            seed=7,
            round_number=1,
            ledger_path=self.ledger,
            on_report=keep,
            should_stop=should_stop,
            topics=self.topics,
            earlier=self.earlier,
        )
        self.over_budget = harvested.over_budget
        return harvested.samples

    def total(self, name: str) -> int | float:
        return self.report.counters.get(name, self.report.usage.get(name, 0))

    def replies(self) -> int:
        return len(read_book([self.ledger]).replies) if self.ledger.exists() else 0


def test_brings_the_samples_asked_for_and_counts_what_they_cost(tmp_path: Path) -> None:
    with TeacherServer(key=KEY) as server:
        ask = Asking(tmp_path, server.base_url)
        samples = ask(9)
    assert [sample.id for sample in samples] == [f"r1-{index:05d}" for index in range(9)]
    assert server.count == ask.total("requests_sent") == 5
    assert (ask.total("teacher_generated"), ask.total("teacher_failed")) == (9, 0)
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
    assert ask.total("teacher_failed") == 0


def test_waits_as_long_as_the_server_says(tmp_path: Path) -> None:
    with TeacherServer([rate_limited(retry_after=1.2)]) as server:
        start = time.monotonic()
        Asking(tmp_path, server.base_url)(2)
    assert time.monotonic() - start >= 1.2


@pytest.mark.parametrize("answer", [hanging(), trickling()], ids=["hanging", "trickling"])
def test_a_try_ends_when_its_time_is_over(tmp_path: Path, answer: Any) -> None:
    with TeacherServer([answer]) as server:
        ask = Asking(tmp_path, server.base_url, timeout=1.0)
        start = time.monotonic()
        assert len(ask(2)) == 2
        assert time.monotonic() - start < 20, "the whole answer takes 30 s and more"
    # A machine that stands still for a second makes another try late.
    assert server.count == 1 + ask.total("retries") >= 2


def test_never_more_requests_at_once_than_allowed(tmp_path: Path) -> None:
    with TeacherServer(then=together(3)) as server:
        Asking(tmp_path, server.base_url, concurrency=3)(20)
    assert server.most_at_once == 3


def test_absent_usage_stays_absent(tmp_path: Path) -> None:
    with TeacherServer(then=without_usage) as server:
        ask = Asking(tmp_path, server.base_url)
        ask(4)
    assert {"input_tokens", "output_tokens", "estimated_cost_usd"}.isdisjoint(ask.report.usage)


@pytest.mark.parametrize(
    ("refused", "taken"),
    [((), "json_schema"), (("json_schema",), "json_object"), (("json_schema", "json_object"), None)],
)
def test_finds_the_response_format_once(tmp_path: Path, refused: tuple[str, ...], taken: str | None) -> None:
    with TeacherServer(then=refusing(*refused)) as server:
        ask = Asking(tmp_path, server.base_url, concurrency=1)
        assert len(ask(10)) == 10
        assert len(ask(20)) == 20, "what was found out is in the ledger"
    forms = [request.get("response_format", {}).get("type") for request in server.requests]
    assert forms == [*refused, *[taken] * 10]


def test_a_model_that_wants_max_completion_tokens_gets_it(tmp_path: Path) -> None:
    def new_fashioned(request: dict[str, Any]) -> Answer:
        if "max_tokens" in request:
            return error(400, "Unsupported parameter: use 'max_completion_tokens' instead.", param="max_tokens")
        return good(request)

    with TeacherServer(then=new_fashioned) as server:
        assert len(Asking(tmp_path, server.base_url, max_tokens=999, concurrency=1)(10)) == 10
    assert server.count == 6
    assert server.requests[-1]["max_completion_tokens"] == 999
    assert server.requests[-1]["response_format"]["type"] == "json_schema"


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (text("I would rather not."), "unusable"),
        (text(None), "empty"),
        (text("Sorry, no.", "content_filter"), "refused"),
        (text('{"samples": [{"instruction": "Write', "length"), "truncated"),
    ],
)
def test_asks_for_what_did_not_come_out(tmp_path: Path, answer: Any, name: str) -> None:
    with TeacherServer([good, answer]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert server.count == ask.total("requests_sent") == 6
    assert (ask.total("teacher_generated"), ask.total("teacher_failed")) == (10, 2)
    assert ask.total(f"replies_{name}") == 1


def test_what_is_no_completion_is_asked_for_again_and_counted(tmp_path: Path) -> None:
    no_choices = Answer(body={"object": "chat.completion", "choices": []})
    unfinished = Answer(body="{}", headers={"Content-Length": "500"})
    cut_off = Answer(body="{}", headers={"Content-Length": "500", "Connection": "close"})
    with TeacherServer([good, garbage(), no_choices, unfinished, cut_off]) as server:
        ask = Asking(tmp_path, server.base_url, timeout=2.0)
        assert len(ask(10)) == 10
    late = ask.total("failed_timeout")
    assert late >= 1, "one on a machine that never stands still for two seconds"
    assert server.count == ask.total("requests_sent") == 8 + late
    names = ("failed_malformed", "failed_empty", "failed_connection", "retries", "teacher_failed")
    assert [ask.total(name) for name in names] == [1, 1, 1, 3 + late, 0]


def test_a_reply_in_parts_with_strange_numbers_is_a_reply(tmp_path: Path) -> None:
    def strange(request: dict[str, Any]) -> Answer:
        body = good(request).body
        assert isinstance(body, dict)
        words = body["choices"][0]["message"]["content"]
        parts = [{"type": "thinking", "thinking": []}, {"type": "text", "text": words}]
        body["choices"][0] = {"message": {"content": parts}}
        return Answer(body={**body, "usage": {"prompt_tokens": "many"}, "created": 1e300})

    with TeacherServer(then=strange) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(4)) == 4
    assert "input_tokens" not in ask.report.usage


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
    assert (ask.total("teacher_generated"), ask.total("teacher_failed")) == (10, 2)


def test_gives_up_on_a_teacher_that_only_babbles(tmp_path: Path) -> None:
    with TeacherServer(then=text("lalala")) as server:
        ask = Asking(tmp_path, server.base_url)
        with pytest.raises(Refused, match=r"none of the 10 replies of test-teacher .* responses_round_1"):
            ask(10)
    assert server.count == 10, "twice the plan of five"
    assert ask.total("teacher_failed") == 20


def test_goes_on_with_fewer_samples_when_the_bound_is_reached(tmp_path: Path) -> None:
    with TeacherServer([good], then=text("lalala")) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 2
    assert server.count == 10
    assert ask.total("teacher_generated") == 2


@pytest.mark.parametrize(
    ("key", "model", "words"),
    [
        ("another", "test-teacher", "401 Incorrect API key provided.*check OPENAI_API_KEY"),
        (None, "nonesuch", "404 The model `nonesuch` does not exist; check TEACHER_MODEL"),
    ],
)
def test_stops_at_once_where_the_server_will_not_serve(tmp_path: Path, key: str | None, model: str, words: str) -> None:
    with TeacherServer(key=key) as server:
        ask = Asking(tmp_path, server.base_url, model=model, concurrency=32)
        with pytest.raises(Refused, match=words) as caught:
            ask(200)
    assert server.count <= 32, "of a hundred: at once, however slow the first refusal was"
    assert KEY not in str(caught.value)
    assert KEY not in repr(ask.settings)
    assert caught.value.__suppress_context__, "the traceback would show the server's own text"


def test_an_empty_account_is_not_retried_for_every_request(tmp_path: Path) -> None:
    empty = error(429, "You exceeded your current quota", code="insufficient_quota")
    with TeacherServer(then=empty) as server, pytest.raises(Refused, match="You exceeded your current quota"):
        Asking(tmp_path, server.base_url, concurrency=4)(50)
    assert server.count <= 4


def test_a_prompt_that_the_server_filters_costs_only_its_own_samples(tmp_path: Path) -> None:
    with TeacherServer([error(400, "filtered", code="content_filter")]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert ask.total("teacher_failed") == 2


def test_a_bad_request_ends_the_stage_only_if_nothing_was_answered_before(tmp_path: Path) -> None:
    too_long = error(400, "this model's context is 2048 tokens")
    with TeacherServer([good, too_long]) as server:
        ask = Asking(tmp_path, server.base_url)
        assert len(ask(10)) == 10
    assert (server.count, ask.total("teacher_failed")) == (6, 2)
    ask.ledger.unlink()
    with TeacherServer(then=too_long) as server:
        ask.settings = replace(ask.settings, base_urls=(server.base_url,), concurrency=1)
        with pytest.raises(Refused, match="400 this model's context is 2048 tokens"):
            ask(10)
    assert server.count == 3, "once for each way to ask"


def test_a_server_that_keeps_failing_ends_the_stage_resumably(tmp_path: Path) -> None:
    with TeacherServer([good], then=server_error()) as server:
        ask = Asking(tmp_path, server.base_url, max_retries=0)
        with pytest.raises(AutotrainError, match=r"10 requests in a row.*500 The server had an error") as caught:
            ask(100)
        assert type(caught.value) is AutotrainError
    assert server.count < 30
    with TeacherServer() as server:
        ask.settings = replace(ask.settings, base_urls=(server.base_url,))
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
        assert ask.total("teacher_generated") == 20, "a stage that starts again counts all its samples again"
        assert ask.total("requests_sent") == server.count, "but not what they cost"
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
            Asking(tmp_path, server.base_url, timeout=60)(20, stop_after_a_while)
        assert time.monotonic() - start < 20, "the server hangs for 30 s"


def test_replies_that_arrive_during_a_pause_are_kept(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.3)) as server:
        ask = Asking(tmp_path, server.base_url, concurrency=4)
        seen: list[tuple[int, int]] = []

        def pause_once() -> None:
            if server.count >= 5 and not seen:
                deadline = time.monotonic() + 10
                time.sleep(1)
                while ask.replies() < server.count and time.monotonic() < deadline:
                    time.sleep(0.02)
                seen.append((server.count, ask.replies()))

        ask(20, pause_once)
    ((arrived, kept),) = seen
    assert 5 <= arrived == kept <= 8, "nothing was sent during the pause, and what was under way is on disk"


def test_a_killed_process_costs_only_what_was_under_way(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from test_api import Asking
Asking(Path(sys.argv[1]), sys.argv[2], concurrency=2)(20)
"""
    killed = threading.Event()
    arrived = itertools.count(1)

    def three_at_first(request: dict[str, Any]) -> Answer:
        if next(arrived) > 3:
            killed.wait(30)
        return good(request)

    with TeacherServer(then=three_at_first) as server:
        ask = Asking(tmp_path, server.base_url, concurrency=2)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (HERE, HERE.parent)))}
        command = [sys.executable, "-c", program, str(tmp_path), server.base_url]
        process = subprocess.Popen(command, env=environment)
        deadline = time.monotonic() + 30
        while ask.replies() < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        killed.set()
        kept = ask.replies()
        with ask.ledger.open("ab") as stream:
            stream.write(b'{"request_hash": "torn')
        assert len(ask(20)) == 20
    assert kept == 3
    assert 10 <= server.count <= 10 + 2
    sent = ask.total("requests_sent")
    assert server.count <= sent <= server.count + 2, "written down before it is sent: never fewer than the server saw"
    assert all(json.loads(line) for line in ask.ledger.read_text().splitlines())


FAULTS = {"rate_limited": 0.15, "server_error": 0.05, "dropped": 0.05, "garbage": 0.05, "hanging": 0.02}


def test_through_all_faults_at_once_every_sample_arrives_and_is_counted(tmp_path: Path) -> None:
    answers = mixed(1, **FAULTS)
    with TeacherServer(then=answers) as server:
        # A good answer that took longer than this would be counted twice.
        ask = Asking(tmp_path, server.base_url, timeout=6, concurrency=16, max_retries=8)
        assert len(ask(200)) == 200
    counts = answers.counts  # type: ignore[attr-defined]
    assert min(counts.values()) >= 1, f"the seed brings every fault: {counts}"
    assert ask.total("requests_sent") == server.count == sum(counts.values())
    assert ask.total("rate_limits_hit") == counts["rate_limited"]
    assert ask.total("failed_server_error") == counts["server_error"]
    assert ask.total("failed_connection") == counts["dropped"]
    assert ask.total("failed_malformed") == counts["garbage"]
    assert ask.total("failed_timeout") == counts["hanging"]
    assert ask.total("retries") == server.count - counts["good"]
    assert counts["good"] == 100 == ask.replies(), "and nothing was asked for twice"


def test_several_servers_share_the_work(tmp_path: Path) -> None:
    with TeacherServer(then=together(4)) as one, TeacherServer(then=together(4)) as other:
        ask = Asking(tmp_path, one.base_url, other.base_url, concurrency=4)
        assert len(ask(80)) == 80
        assert (one.most_at_once, other.most_at_once) == (4, 4)
    assert one.count + other.count == 40
    assert min(one.count, other.count) > 12


def test_a_server_that_is_down_leaves_the_work_to_the_others(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with TeacherServer(then=slow(0.05)) as server:
        ask = Asking(tmp_path, f"http://127.0.0.1:{port}/v1", server.base_url, concurrency=4)
        assert len(ask(40)) == 40
    assert server.count == 20
    assert 1 <= ask.total("failed_unreachable") <= 8


def test_after_a_rate_limit_nobody_asks_before_the_time_is_over(tmp_path: Path) -> None:
    times: list[float] = []

    def limited_once(request: dict[str, Any]) -> Any:
        times.append(time.monotonic())
        return rate_limited(1.0) if len(times) == 3 else Answer(body=good(request).body, wait=0.15)

    with TeacherServer(then=limited_once) as server:
        assert len(Asking(tmp_path, server.base_url, concurrency=2)(24)) == 24
    too_early = [moment - times[2] for moment in times[3:] if moment < times[2] + 1.0]
    assert len(too_early) <= 3, "what was under way when the client heard of it; without a pause all ten come"


def test_a_server_that_is_out_for_hours_ends_the_stage_resumably(tmp_path: Path) -> None:
    with TeacherServer([good], then=rate_limited(7200)) as server:
        ask = Asking(tmp_path, server.base_url)
        with pytest.raises(AutotrainError, match=r"does not serve for more than 60 minutes.*--resume") as caught:
            ask(20)
    assert type(caught.value) is AutotrainError
    assert ask.replies() == 1


def test_a_server_that_is_away_for_a_while_is_waited_for(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.02)) as first:
        ask = Asking(tmp_path, first.base_url)
        back: list[TeacherServer] = []

        def come_back() -> None:
            back.append(TeacherServer(then=slow(0.02), port=first.port).__enter__())

        timer = threading.Timer(1.0, come_back)

        def restart() -> None:
            if first.count >= 12 and not timer.ident:
                first.stop()
                timer.start()

        assert len(ask(80, restart)) == 80
        timer.join()
        back[0].stop()
    assert ask.total("failed_unreachable") >= 1
    assert ask.total("teacher_failed") == 0, "no request is given up for it"
    assert ask.replies() == 40


def test_never_spends_more_than_the_bound_and_keeps_what_was_paid_for(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.02)) as server:
        host = urlsplit(server.base_url).netloc
        dear = Price(input=1_000, output=10_000)  # 100 tokens in and 50 out: $0.60 a reply
        prices = (PriceList(server=host, as_of=date(2026, 1, 1), models={"test-teacher": dear}),)
        ask = Asking(tmp_path, server.base_url, max_tokens=100, prices=prices, max_usd=25.0)
        samples = ask(200)
        assert "MAX_COST_USD = 25: up to $" in str(ask.over_budget)
        cost = ask.total("estimated_cost_usd")
        assert cost == pytest.approx(0.6 * server.count)
        worst = 1.0 + (7_500 + 200) / 1000
        assert 25 - worst < cost <= 25, "as far as the worst case of one more request allows"
        assert len(samples) == 2 * server.count
        ask.settings = replace(ask.settings, max_usd=1000.0)
        kept = {sample.instruction for sample in samples}
        assert kept <= {sample.instruction for sample in ask(200)}
        assert ask.over_budget is None
    assert server.count == 100, "a higher bound goes on from there"


def test_what_may_have_been_charged_counts_as_spent(tmp_path: Path) -> None:
    with TeacherServer(then=hanging()) as server:
        ask = Asking(tmp_path, server.base_url, timeout=0.2, max_tokens=1000, max_tokens_in_all=25_000)
        ask(20)
        assert "MAX_TOKENS = 25000" in str(ask.over_budget)
        assert server.count <= 4, "each may have cost its thousand tokens and the prompt"
    with TeacherServer() as server:
        ask.settings = replace(ask.settings, base_urls=(server.base_url,))
        ask(20)
        assert server.count == 0, "and is not forgotten"


def test_the_same_replies_make_the_same_samples(tmp_path: Path) -> None:
    made = []
    for concurrency in (1, 7, 32):
        folder = tmp_path / str(concurrency)
        folder.mkdir()
        with TeacherServer(then=mixed(concurrency, server_error=0.1)) as server:
            ask = Asking(folder, server.base_url, concurrency=concurrency)
            made.append([sample.to_json() for sample in ask(60)])
    assert made[0] == made[1] == made[2]


def test_a_cell_that_comes_back_is_told_what_was_written(tmp_path: Path) -> None:
    with TeacherServer() as server:
        ask = Asking(tmp_path, server.base_url)
        ask.topics = Topics(concepts=("sets",), shares={"bug_fixing": 1.0})
        ask.earlier = Earlier(instructions={("bug_fixing", "sets"): ["Mend union."], ("refactoring", "sets"): ["No."]})
        samples = ask(2 * 300)
    told = [request["messages"][1]["content"] for request in server.requests]
    assert all("Do not repeat" in words for words in told)
    assert all("- No." not in words for words in told)
    first = [words for words in told if "- Mend union." in words]
    later = [words for words in told if samples[511].instruction[:60] in words]
    assert (len(first), len(later)) == (256, 44), "the second wave is told of the first, newest last"


def test_importing_the_stage_does_not_load_the_client_library() -> None:
    program = "import sys, autotrain.generate.api; sys.exit('openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=HERE.parent).returncode == 0
