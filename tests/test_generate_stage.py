"""Stage 01 with a server as teacher: killed, out of budget, steered, and always truthful about what it took."""

import json
import os
import random
import subprocess
import sys
import time
from itertools import accumulate
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from teacher_server import Answer, TeacherServer, error, good, rate_limited, slow
from test_stages import SCRIPTS, in_run, lines, make_run, stage

from autotrain.generate.stage import percentile
from autotrain.run.control import write_request
from autotrain.run.events import sum_deltas
from autotrain.run.paths import RunPaths
from autotrain.run.state import load_state

SCRIPT = "01_teacher_generate.py"


def asking(server: TeacherServer, folder: Path, **changes: Any) -> RunPaths:
    return make_run(folder, teacher_model="test-teacher", teacher_base_url=server.base_url, **changes)


def change(paths: RunPaths, **changes: Any) -> None:
    stored = json.loads(paths.config.read_text(encoding="utf-8"))
    paths.config.write_text(json.dumps({**stored, **changes}), encoding="utf-8")


def priced(server: TeacherServer, folder: Path) -> Path:
    """Prices that make a reply of the server (100 tokens in, 50 out) cost $0.20."""
    path = folder / "prices.yaml"
    path.write_text(
        f"- server: {urlsplit(server.base_url).netloc}\n  as_of: 2026-11-01\n"
        "  models:\n    test-teacher: {input: 1000, output: 2000}\n"
    )
    return path


def test_killed_at_any_moment_it_goes_on_and_pays_only_what_was_under_way_twice(tmp_path: Path) -> None:
    concurrency = 4
    size = {"samples_per_round": 48, "samples_per_request": 2, "teacher_concurrency": concurrency}
    with TeacherServer(then=slow(0.1)) as server:
        calm = asking(server, tmp_path / "calm", **size)
        assert in_run(SCRIPT, calm).returncode == 0
        undisturbed = server.count
    luck = random.Random(5)
    with TeacherServer(then=slow(0.1)) as server:
        paths = asking(server, tmp_path / "killed", **size)
        kills = 0
        for _ in range(5):
            command = [sys.executable, str(SCRIPTS / SCRIPT), "--run", str(paths.root), "--round", "1"]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            before, deadline = server.count, time.monotonic() + 60
            while server.count == before and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(luck.uniform(0, 0.2))
            kills += process.poll() is None
            process.kill()
            process.wait()
        done = in_run(SCRIPT, paths)
        assert done.returncode == 0, done.stderr
        assert kills >= 2
        assert server.count <= undisturbed + kills * concurrency
        assert load_state(paths.state).usage["requests_sent"] >= server.count, "what a kill hid is found in the ledger"
    assert paths.raw(1).read_bytes() == calm.raw(1).read_bytes()


def test_a_bound_on_the_cost_ends_the_stage_with_what_was_paid_for(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.01)) as server:
        paths = asking(
            server,
            tmp_path,
            samples_per_round=40,
            samples_per_request=2,
            teacher_max_tokens=64,
            teacher_prices=str(priced(server, tmp_path)),
            max_cost_usd=9.0,
        )
        done = in_run(SCRIPT, paths)
        assert done.returncode == 4
        assert "MAX_COST_USD = 9" in done.stderr
        assert "--resume" in done.stderr
        state = load_state(paths.state)
        assert state.status == "refused"
        assert state.usage["estimated_cost_usd"] == pytest.approx(0.2 * server.count)
        assert state.usage["estimated_cost_usd"] <= 9
        kept = lines(paths.raw(1))
        assert len(kept) == 2 * server.count == state.counters["teacher_generated"] > 0
        checked = stage("02_validate.py", "--input", paths.raw(1), "--output", tmp_path / "clean.jsonl")
        assert checked.returncode == 0, checked.stderr
        paid = server.count
        change(paths, max_cost_usd=100.0)
        assert in_run(SCRIPT, paths).returncode == 0
        assert server.count == 20 > paid
    state = load_state(paths.state)
    assert state.counters["teacher_generated"] == len(lines(paths.raw(1))) == 40
    assert state.usage["estimated_cost_usd"] == pytest.approx(0.2 * 20)


def test_the_bound_is_one_for_all_rounds(tmp_path: Path) -> None:
    with TeacherServer() as server:
        paths = asking(server, tmp_path, samples_per_round=8, teacher_max_tokens=64, max_tokens=10_000)
        assert in_run(SCRIPT, paths).returncode == 0
        second = stage(SCRIPT, "--run", paths.root, "--round", 2)
        assert second.returncode == 0, second.stderr
        assert load_state(paths.state).usage["input_tokens"] == 100 * server.count == 400
        change(paths, max_tokens=1000)
        third = stage(SCRIPT, "--run", paths.root, "--round", 3)
        assert third.returncode == 4
        assert "up to 600 are spent" in third.stderr
    assert server.count == 4


def test_a_round_is_steered_by_its_focus_and_told_what_came_before(tmp_path: Path) -> None:
    with TeacherServer() as server:
        topics = {"concepts": "sets, dictionaries", "task_types": "bug_fixing=1,refactoring=1"}
        paths = asking(server, tmp_path, samples_per_round=80, samples_per_request=2, **topics)
        assert in_run(SCRIPT, paths).returncode == 0
        first = len(server.requests)
        paths.focus(2).write_text(json.dumps({"refactoring": 9, "sets": 3}))
        done = stage(SCRIPT, "--run", paths.root, "--round", 2)
        assert done.returncode == 0, done.stderr
        assert "more of refactoring, sets" in done.stdout
    asked = [request["messages"][1]["content"] for request in server.requests]
    assert not any("Do not repeat" in words for words in asked[:first])
    assert all("Do not repeat" in words for words in asked[first:])
    samples = [sample["metadata"] for sample in lines(paths.raw(2))]
    assert sum(one["task_type"] == "refactoring" for one in samples) == 72
    assert sum(one["concepts"][0] == "sets" for one in samples) == 60
    assert paths.raw(1).read_bytes() != paths.raw(2).read_bytes()


def test_a_focus_that_is_none_is_told_by_name(tmp_path: Path) -> None:
    paths = make_run(tmp_path, teacher_model="builtin", samples_per_round=4)
    for content, words in (("{", "cannot be read"), ("[]", "no JSON object"), ('{"sets": -1}', "'sets' is -1")):
        paths.focus(1).write_text(content)
        done = in_run(SCRIPT, paths)
        assert done.returncode == 1
        assert words in done.stderr
        assert not paths.raw(1).exists()


def test_the_builtin_teacher_follows_a_focus_too(tmp_path: Path) -> None:
    paths = make_run(tmp_path, teacher_model="builtin", samples_per_round=100)
    paths.focus(1).write_text(json.dumps({"refactoring": 50}))
    assert in_run(SCRIPT, paths).returncode == 0
    assert sum(one["metadata"]["task_type"] == "refactoring" for one in lines(paths.raw(1))) > 60


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--max-cost-usd", "5"], "the price of test-teacher at 127.0.0.1"),
        (["--teacher-prices", "nonesuch.yaml"], "TEACHER_PRICES = nonesuch.yaml: cannot be read"),
        (["--teacher-base-url", "localhost:8000"], "'localhost:8000' is no address"),
        (["--max-cost-usd", "-1"], "allowed is a number above 0"),
    ],
)
def test_a_budget_that_cannot_be_kept_is_refused_before_anything_is_sent(
    tmp_path: Path, flags: list[str], words: str
) -> None:
    with TeacherServer() as server:
        settings = ["--teacher", "test-teacher", "--samples", 4, "--teacher-base-url", server.base_url, *flags]
        done = stage(SCRIPT, "--output", tmp_path / "out.jsonl", *settings)
        assert done.returncode == 2
        assert words in done.stderr
        assert server.count == 0
    assert list(tmp_path.iterdir()) == []


def test_progress_tells_tokens_cost_rate_and_time_left(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.2)) as server:
        paths = asking(
            server, tmp_path, samples_per_round=48, teacher_concurrency=1, teacher_prices=str(priced(server, tmp_path)),
            samples_per_request=2,
        )  # fmt: skip
        began = time.monotonic()
        assert in_run(SCRIPT, paths).returncode == 0
        took = time.monotonic() - began
    messages = [event["message"] for event in lines(paths.events) if event["event_type"] == "progress"]
    assert any("tokens, $" in words and "samples/s" in words and "left" in words for words in messages), messages
    assert len(messages) <= took + 1, "one a second and one at the end, though 24 replies came"


def test_it_tells_how_long_a_request_takes(tmp_path: Path) -> None:
    """The wait for a free place, the tries in vain and the pause that a server asks for are no latency."""
    troubled = [Answer(500, "down", wait=4), rate_limited(retry_after=4), *[slow(0.25)] * 10]
    with TeacherServer(troubled, then=slow(0.75)) as server:
        paths = asking(server, tmp_path, samples_per_round=11, teacher_concurrency=2, samples_per_request=1)
        done = in_run(SCRIPT, paths)
        assert done.returncode == 0, done.stderr
    state = load_state(paths.state)
    assert state.usage["retries"] == 2
    assert 0.25 <= state.counters["latency_p50"] < 0.75 <= state.counters["latency_p95"] < 4
    assert state.counters["requests_at_once"] == 0
    assert sum_deltas(paths.events)[0] == state.counters


@pytest.mark.parametrize("most", [1, 3])
def test_it_tells_how_many_requests_are_under_way(tmp_path: Path, most: int) -> None:
    with TeacherServer(then=slow(0.5)) as server:
        size = {"samples_per_round": 8 * most, "samples_per_request": 1, "teacher_concurrency": most}
        paths = asking(server, tmp_path, **size)
        assert in_run(SCRIPT, paths).returncode == 0
    deltas = [event["counters_delta"] for event in lines(paths.events)]
    at_once = list(accumulate(delta.get("requests_at_once", 0) for delta in deltas))
    assert max(at_once) == most
    assert at_once[-1] == 0


def test_no_latency_is_told_where_nothing_was_answered(tmp_path: Path) -> None:
    with TeacherServer(then=error(401, "no such key")) as server:
        paths = asking(server, tmp_path, samples_per_round=4)
        assert in_run(SCRIPT, paths).returncode == 4
    assert not any("latency_p50" in event["counters_delta"] for event in lines(paths.events))
    paths = make_run(tmp_path / "builtin", teacher_model="builtin", samples_per_round=4)
    assert in_run(SCRIPT, paths).returncode == 0
    assert load_state(paths.state).counters == {"teacher_generated": 4}


@pytest.mark.parametrize(
    ("values", "middle", "late"),
    [([3.0], 3.0, 3.0), ([2.0, 1.0], 1.0, 2.0), ([float(number) for number in range(100, 0, -1)], 50.0, 95.0)],
)
def test_percentiles_are_values_that_occurred(values: list[float], middle: float, late: float) -> None:
    assert (percentile(values, 0.5), percentile(values, 0.95)) == (middle, late)


def test_a_stop_is_followed_within_seconds_and_keeps_what_came(tmp_path: Path) -> None:
    with TeacherServer(then=slow(0.3)) as server:
        paths = asking(server, tmp_path, samples_per_round=2000, samples_per_request=2, teacher_concurrency=2)
        command = [sys.executable, str(SCRIPTS / SCRIPT), "--run", str(paths.root), "--round", "1"]
        process = subprocess.Popen(command, env={**os.environ})
        while server.count < 4:
            assert process.poll() is None
            time.sleep(0.02)
        write_request(paths.control, "stop")
        assert process.wait(timeout=60) == 3, "all of it takes minutes"
    assert load_state(paths.state).usage["requests_sent"] == server.count


def test_good_samples_of_every_task_type_survive_validation_and_gate(tmp_path: Path) -> None:
    with TeacherServer(then=good) as server:
        paths = asking(server, tmp_path, samples_per_round=72, samples_per_request=1, run_unit_tests=True)
        for script in (SCRIPT, "02_validate.py", "03_unit_gate.py"):
            done = in_run(script, paths)
            assert done.returncode == 0, done.stderr
    counters = load_state(paths.state).counters
    assert counters.get("test_fail", 0) == 0, done.stdout
    executed = {one["metadata"]["task_type"] for one in lines(paths.tested(1)) if one["metadata"]["gate"]["executed"]}
    assert executed >= {"algorithm_implementation", "bug_fixing", "unit_test_generation", "agent_edit"}
