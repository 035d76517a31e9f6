"""Stages 01 to 03 as programs, inside a run and on a user's files, with a real server as teacher."""

import gzip
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from teacher_server import TeacherServer, garbage, rate_limited
from tiny_model import build_tokenizer

from autotrain.config import Settings
from autotrain.gate.jail import Jail, Limits
from autotrain.run.events import sum_deltas
from autotrain.run.journal import Journal
from autotrain.run.paths import RunPaths
from autotrain.run.state import State, load_state, save_state, timestamp

SCRIPTS = Path(__file__).parent.parent / "scripts"


def make_run(folder: Path, **changes: Any) -> RunPaths:
    paths = RunPaths(folder / "run_20260101_000000_abcdef")
    paths.data.mkdir(parents=True)
    paths.config.write_text(Settings(**changes).to_json())
    now = timestamp()
    save_state(paths.state, State(run_id=paths.root.name, started_at=now, updated_at=now))
    return paths


def stage(script: str, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPTS / script), *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
    )


def in_run(script: str, paths: RunPaths, **environment: str) -> subprocess.CompletedProcess[str]:
    return stage(script, "--run", paths.root, "--round", 1, **environment)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_builtin_samples_pass_through_the_first_three_stages(tmp_path: Path) -> None:
    paths = make_run(tmp_path, teacher_model="builtin", samples_per_round=40, run_unit_tests=True)
    for script in ("01_teacher_generate.py", "02_validate.py", "03_unit_gate.py"):
        done = in_run(script, paths)
        assert done.returncode == 0, done.stderr
    counters = load_state(paths.state).counters
    assert counters["teacher_generated"] == 40
    rejected = counters.get("rejected_duplicate", 0) + counters.get("rejected_contaminated", 0)
    assert counters["teacher_generated"] == counters["validated_ok"] + rejected
    assert json.loads(paths.validation_report(1).read_text())["kept"] == counters["validated_ok"]
    card = paths.dataset_card.read_text(encoding="utf-8")
    assert f"{counters['validated_ok'] - counters.get('rejected_weak_tests', 0)} programming tasks" in card
    gated = counters["test_pass"] + counters.get("test_skipped", 0) + counters.get("rejected_weak_tests", 0)
    assert counters["validated_ok"] == gated
    assert counters["test_pass"] > 20
    tested = lines(paths.tested(1))
    assert all(sample["metadata"]["gate"]["passed"] for sample in tested if sample["metadata"]["gate"]["executed"])
    assert sum_deltas(paths.events)[0] == counters


def test_a_disproved_sample_is_dropped_and_kept_aside(tmp_path: Path) -> None:
    def sample(name: str, code: str, **metadata: str) -> dict[str, Any]:
        return {
            "id": name,
            "instruction": f"Write {name}.",
            "output": f"```python\n{code}\n```",
            "tests": f"assert {name}(2) == 4",
            "metadata": {"task_type": "algorithm_implementation", "response_format": "code", "entry_point": name},
        }

    source = tmp_path / "in.jsonl"
    good = sample("double", "def double(x):\n    return 2 * x")
    wrong = sample("square", "def square(x):\n    return x + 1")
    source.write_text("".join(json.dumps(item) + "\n" for item in (good, wrong)))
    done = stage("03_unit_gate.py", "--run-tests", "1", "--input", source, "--output", tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    assert [item["id"] for item in lines(tmp_path / "out.jsonl")] == ["double"]
    (failed,) = lines(tmp_path / "out.failed.jsonl")
    assert (failed["id"], failed["verdict"]["reason"]) == ("square", "tests_failed")
    # Nothing is executed without --run-tests, so nothing is disproved, and nothing counts as passed.
    done = stage("03_unit_gate.py", "--input", source, "--output", tmp_path / "syntax.jsonl")
    assert "0 passed, 2 not executed" in done.stdout


def test_the_gate_keeps_the_mutants_that_written_tests_are_known_to_kill(tmp_path: Path) -> None:
    def sample(name: str, tests: str) -> dict[str, Any]:
        return {
            "id": name,
            "instruction": f"Write tests, {name} ones.",
            "input": "def larger(a, b):\n    return a if a > b else b",
            "output": f"```python\n{tests}\n```",
            "metadata": {"task_type": "unit_test_generation", "response_format": "code", "entry_point": "larger"},
        }

    edit = {
        "id": "edit",
        "instruction": "Fix it.",
        "input": "# file: shop.py\ndef total(prices):\n    return max(prices)",
        "output": json.dumps({"edits": [{"path": "shop.py", "search": "max", "replace": "sum"}]}),
        "tests": "from shop import total\nassert total([1, 2]) == 3",
        "metadata": {"task_type": "agent_edit", "response_format": "json", "entry_point": "total"},
    }
    source = tmp_path / "in.jsonl"
    good = sample("good", "assert larger(1, 2) == 2\nassert larger(2, 1) == 2")
    weak = sample("weak", "assert larger(2, 2) == 2")
    source.write_text("".join(json.dumps(item) + "\n" for item in (good, weak, edit)))
    done = stage("03_unit_gate.py", "--run-tests", "1", "--input", source, "--output", tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    kept = {item["id"]: item["metadata"] for item in lines(tmp_path / "out.jsonl")}
    assert kept.keys() == {"good", "edit"}
    assert all(metadata["gate"]["passed"] for metadata in kept.values())
    assert 1 <= len(kept["good"]["mutants"]) <= 3
    for mutant in kept["good"]["mutants"]:
        names: dict[str, Any] = {}
        exec(mutant, names)  # noqa: S102
        assert (names["larger"](1, 2), names["larger"](2, 1)) != (2, 2)
    assert "mutants" not in kept["edit"]
    (failed,) = lines(tmp_path / "out.failed.jsonl")
    assert (failed["id"], failed["verdict"]["reason"]) == ("weak", "mutant_survived")
    # Without execution nothing passes, and there are no mutants that are known to be found.
    done = stage("03_unit_gate.py", "--input", source, "--output", tmp_path / "read.jsonl")
    assert "0 passed, 3 not executed" in done.stdout
    assert not any("mutants" in item["metadata"] for item in lines(tmp_path / "read.jsonl"))


def test_tests_that_prove_little_do_not_get_through(tmp_path: Path) -> None:
    def sample(name: str, body: str, tests: str, **fields: Any) -> dict[str, Any]:
        metadata = {"task_type": "algorithm_implementation", "response_format": "code", "entry_point": "f"}
        code = f"```python\nimport random\n\n\ndef f(a, b):\n    {body}\n```"
        return {"id": name, "instruction": f"Do {name[:4]}.", "output": code, "tests": tests, "metadata": metadata}

    strong = "assert f(1, 2) == 2\nassert f(3, 2) == 3\nassert f(2, 2) == 2"
    source = [
        sample("good", "return a if a > b else b", strong),
        sample("good-not", "return a if a < b else b", strong),
        sample("vacuous", "return a + b", "assert f(1, 2) is not Ellipsis"),
        sample("weak", "return (a + 1) * (b - 1) + a % 3 + b // 2", "assert type(f(1, 2)) is int"),
        # Fails once in a thousand million times, and where chance begins with 1.
        sample("chance", "return random.randint(a, b)", f"assert f(1, 10**9) != {random.Random(1).randint(1, 10**9)}"),
        sample("hash", "return hash(a)", "assert f('a', 'b') == {hash}"),
    ]
    with Jail(Limits(), workers=1) as jail:
        (ending,) = jail.run([[{"value": "hash('a')"}]])
    source[-1]["tests"] = source[-1]["tests"].replace("{hash}", str(ending.replies[0]["value"]).strip('"'))
    paths = make_run(tmp_path, run_unit_tests=True)
    paths.clean(1).write_text("".join(json.dumps(item) + "\n" for item in source))
    done = in_run("03_unit_gate.py", paths)
    assert done.returncode == 0, done.stderr
    (kept,) = lines(paths.tested(1))
    gate = kept["metadata"]["gate"]
    assert (kept["id"], gate["passed"], gate["tests"], gate["trust"]) == ("good", True, 3, "outside")
    assert gate["strength"] == 1
    assert gate["mutants"]["killed"] >= 2
    failed = {item["id"]: item for item in lines(paths.failed(1))}
    assert len(failed) == len(source) - 1
    reasons = {name: item["verdict"]["reason"] for name, item in failed.items()}
    assert reasons["good-not"] == "tests_failed"
    assert reasons["vacuous"] == "vacuous_tests"
    assert reasons["weak"] == "weak_tests"
    assert failed["weak"]["metadata"]["gate"]["strength"] < 0.5
    assert reasons["chance"] == reasons["hash"] == "flaky"
    # A preference pair: the same prompt, answered well.
    assert failed["good-not"]["sibling"] == "good"
    assert failed["weak"]["sibling"] is None
    assert load_state(paths.state).counters == {
        "test_pass": 1,
        "test_fail": 1,
        "rejected_flaky": 2,
        "rejected_vacuous_tests": 1,
        "rejected_weak_tests": 1,
    }
    # It is the user who says how strong is strong enough.
    paths = make_run(tmp_path / "lax", run_unit_tests=True, min_test_strength=0)
    paths.clean(1).write_text(json.dumps(source[3]) + "\n")
    assert in_run("03_unit_gate.py", paths).returncode == 0


def test_written_tests_have_to_fail_on_code_that_does_nothing(tmp_path: Path) -> None:
    def sample(name: str, tests: str) -> dict[str, Any]:
        metadata = {"task_type": "unit_test_generation", "response_format": "code", "entry_point": "half"}
        code = "def half(x):\n    if x > 100:\n        raise ValueError\n    return x // 2"
        return {"id": name, "instruction": "Test.", "input": code, "output": f"```python\n{tests}\n```",
                "metadata": {**metadata, "mutants": [code.replace("//", "%"), code.replace("100", "1")]}}  # fmt: skip

    source = tmp_path / "in.jsonl"
    good = sample("good", "assert half(9) == 4\nassert half(6) == 3")
    idle = sample("idle", "got = half(7)\nassert got is None or got == 3")
    source.write_text("".join(json.dumps(item) + "\n" for item in (good, idle)))
    done = stage("03_unit_gate.py", "--run-tests", "1", "--input", source, "--output", tmp_path / "out.jsonl")
    assert done.returncode == 0, done.stderr
    (kept,) = lines(tmp_path / "out.jsonl")
    assert (kept["id"], kept["metadata"]["gate"]["strength"]) == ("good", 1)
    (failed,) = lines(tmp_path / "out.failed.jsonl")
    assert (failed["id"], failed["verdict"]["reason"]) == ("idle", "vacuous_tests")


def test_a_stage_that_keeps_nothing_is_refused_and_says_why(tmp_path: Path) -> None:
    paths = make_run(tmp_path, run_unit_tests=True)
    bad = {"id": "r1-00001", "instruction": "", "output": "x"}
    paths.raw(1).write_text(json.dumps(bad) + "\n{torn")
    done = in_run("02_validate.py", paths)
    assert done.returncode == 4
    assert "schema 2" in done.stderr
    state = load_state(paths.state)
    assert state.status == "refused"
    assert state.counters["rejected_schema"] == 2
    assert len(lines(paths.rejected(1))) == 2


def test_a_users_packed_file_is_compared_with_their_own_benchmark_and_an_earlier_run(tmp_path: Path) -> None:
    def sample(number: int, text: str) -> dict[str, Any]:
        return {"id": f"u-{number}", "instruction": text, "output": f"Answer {number}."}

    texts = [
        "Give back all the even numbers of a list of whole numbers in the order in which they stand there.",
        "Say how many of the words of a sentence begin with a capital letter and end with a vowel.",
        "Turn every date of a text from the American way of writing into the European one, month names too.",
    ]
    paths = make_run(tmp_path / "earlier")
    paths.raw(1).write_text(json.dumps(sample(1, texts[0])) + "\n")
    assert in_run("02_validate.py", paths).returncode == 0
    assert paths.seen(1).exists()
    (tmp_path / "bench.jsonl").write_text(json.dumps({"task_id": "7", "text": texts[1], "code": "pass"}) + "\n")
    source = tmp_path / "mine.jsonl.gz"
    written = [json.dumps(sample(number, text)) for number, text in enumerate([*texts, texts[2].upper()])]
    source.write_bytes(gzip.compress("\n".join(written).encode()))
    words = ["--input", source, "--output", tmp_path / "out.jsonl"]
    done = stage("02_validate.py", *words, "--against", paths.root, "--decontaminate", tmp_path / "bench.jsonl")
    assert done.returncode == 0, done.stderr
    assert [item["id"] for item in lines(tmp_path / "out.jsonl")] == ["u-2"]
    report = json.loads((tmp_path / "out.report.json").read_text())
    assert {name: count for name, count in report["dropped"].items() if count} == {"duplicate": 2, "contaminated": 1}
    assert report["contaminated_by"] == {"bench/7": 1}
    for setting in ("--against", "--decontaminate"):
        done = stage("02_validate.py", *words, setting, tmp_path / "nowhere")
        assert done.returncode == 2
        assert "nowhere" in done.stderr


def test_validation_counts_while_it_works(tmp_path: Path) -> None:
    paths = make_run(tmp_path)
    good = [{"id": f"r1-{number:05d}", "instruction": f"Say {number}.", "output": f"{number}"} for number in range(240)]
    paths.raw(1).write_text("".join(json.dumps(item) + "\n" for item in [*good, good[0]]))
    done = in_run("02_validate.py", paths)
    assert done.returncode == 0, done.stderr
    told = [event["counters_delta"] for event in lines(paths.events) if event["event_type"] == "progress"]
    assert told == [{"validated_ok": 100}, {"validated_ok": 100}, {"validated_ok": 40, "rejected_duplicate": 1}]
    assert (
        sum_deltas(paths.events)[0]
        == load_state(paths.state).counters
        == {
            "validated_ok": 240,
            "rejected_duplicate": 1,
        }
    )


def test_a_server_as_teacher_is_counted_as_it_counts_itself(tmp_path: Path) -> None:
    with TeacherServer([rate_limited(), garbage()]) as server:
        paths = make_run(tmp_path, teacher_model="test-teacher", teacher_base_url=server.base_url, samples_per_round=12)
        done = in_run("01_teacher_generate.py", paths, OPENAI_API_KEY="sk-canary-0123456789")
        assert done.returncode == 0, done.stderr
        state = load_state(paths.state)
        assert state.usage["requests_sent"] == server.count
        assert state.usage["rate_limits_hit"] == 1
        assert state.counters["teacher_generated"] == len(lines(paths.raw(1))) == 12
    written = b"".join(path.read_bytes() for path in paths.root.rglob("*") if path.is_file())
    assert b"sk-canary" not in written


def test_a_finished_stage_is_not_paid_for_again(tmp_path: Path) -> None:
    with TeacherServer() as server:
        paths = make_run(tmp_path, teacher_model="test-teacher", teacher_base_url=server.base_url, samples_per_round=8)
        assert in_run("01_teacher_generate.py", paths).returncode == 0
        before = server.count
        assert in_run("01_teacher_generate.py", paths).returncode == 0
        assert server.count == before
        # A stage that was cut off before it could say so reads its ledger instead of asking again.
        journal = Journal(paths)
        journal.state.stages["1"]["generate"].status = "running"
        save_state(paths.state, journal.state)
        raw = paths.raw(1).read_bytes()
        assert in_run("01_teacher_generate.py", paths).returncode == 0
        assert server.count == before
        assert paths.raw(1).read_bytes() == raw
    assert sum_deltas(paths.events)[0]["teacher_generated"] == 8


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("0*.py")))
def test_missing_paths_are_a_usage_error(script: str) -> None:
    done = stage(script)
    assert done.returncode == 2
    assert "missing --" in done.stderr


def test_where_the_base_models_tokenizer_is_at_hand_samples_too_long_for_it_are_dropped(tmp_path: Path) -> None:
    build_tokenizer().save_pretrained(tmp_path / "base")
    given, kept = tmp_path / "given.jsonl", tmp_path / "kept.jsonl"
    texts = {"short": "Say why.", "long": "Say why. " * 40}
    given.write_text(
        "".join(json.dumps({"id": name, "instruction": text, "output": "Why."}) + "\n" for name, text in texts.items())
    )
    words = ("--input", given, "--output", kept, "--seq-len", 128)
    done = stage("02_validate.py", *words, "--base-model", tmp_path / "base")
    assert done.returncode == 0, done.stderr
    assert [line["id"] for line in lines(kept)] == ["short"]
    [dropped] = lines(tmp_path / "kept.rejected.jsonl")
    assert dropped["id"] == "long"
    assert (dropped["reason"], dropped["detail"]) == ("length", "366 tokens, at most 128")
    assert stage("02_validate.py", *words, "--base-model", "not/here").returncode == 0
    assert len(lines(kept)) == 2
    (tmp_path / "base" / "tokenizer.json").write_text("{}")
    broken = stage("02_validate.py", *words, "--base-model", tmp_path / "base")
    assert broken.returncode == 1
    assert "it should be the base model's tokenizer.json" in broken.stderr
