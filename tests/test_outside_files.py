"""No file from outside brings the program down, hangs it, or is half believed: there is a value or a sentence.

A value is one that can be gone on with: it is used here as its owner uses it. A sentence names the file.
"""

import gzip
import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from damage import STRANGERS, damaged, examples, foreign, with_a_foreign_line
from hypothesis import given
from hypothesis import strategies as st

from autotrain.config import Settings, load
from autotrain.errors import AutotrainError
from autotrain.evaluate.answers import Answer, append_answers, read_answers
from autotrain.evaluate.benchmarks import read_items
from autotrain.files import replace_text
from autotrain.gate.card import dataset_card, read_contents
from autotrain.generate.ledger import Failed, Ledger, Manner, Reply, Sent, read_book
from autotrain.generate.plan import plan_requests
from autotrain.generate.prices import find_price, load_prices
from autotrain.generate.topics import read_focus
from autotrain.jsonl import to_line, write_jsonl
from autotrain.run.control import read_request, write_request
from autotrain.run.events import append_event, cut_torn_line, sum_deltas
from autotrain.run.state import Best, StageRecord, State, load_state, save_state
from autotrain.sample import Sample, load_samples
from autotrain.train.card import check_weights, read_manifest, write_manifest
from autotrain.train.models import sha256_of
from autotrain.validate.contamination import Benchmarks
from autotrain.validate.duplicates import DuplicateIndex
from autotrain.validate.examine import Checks
from autotrain.validate.fingerprints import fingerprints, read
from autotrain.validate.funnel import validate_file
from autotrain.validate.problems import read_benchmark

AT = "2026-01-01T00:00:00.000+00:00"
PRICES = "- server: api.x.org\n  as_of: 2026-01-01\n  models:\n    m: {input: 1, output: 2.5}\n"
HUMAN_EVAL = {
    "task_id": "HumanEval/1", "prompt": "def one():\n", "canonical_solution": "    return 1\n", "entry_point": "one",
    "test": "def check(f):\n    assert f() == 1\n",
}  # fmt: skip
MBPP = {
    "task_id": 2, "text": "Two.", "code": "def two():\n    return 2\n", "test_list": ["assert two() == 2"],
    "test_setup_code": "", "test_imports": ["import math"],
}  # fmt: skip
KNOWN = {"concepts": ["lists"], "gate": {"passed": True, "tier": "A", "strength": 0.5}}
SAMPLES = [
    Sample.model_validate(
        {"id": f"r1-{word}", "instruction": f"Write {word}.", "output": f"{word}!", "tests": "x", "metadata": KNOWN}
    )
    for word in ("one", "two", "three", "four")
]
MARKS = fingerprints(list(map(read, SAMPLES)))
ANSWERS = [Answer("base m", sample.id, "greedy 64", "x", 3, False, 0.5, 4, "abc") for sample in SAMPLES]
LEDGER = [
    Manner(server="s", form=1, limit="max_tokens"),
    Sent(sent="a", attempt=1, at=AT, worst_tokens=10, worst_usd=0.5),
    Reply(request_hash="a", request_index=0, text="t", model="m", input_tokens=2, output_tokens=3, created_at=AT),
    Sent(sent="b", attempt=1, at=AT, worst_tokens=10),
    Failed(failed="b", why="timeout", billed=True, at=AT),
]


# ---------------------------------------------------------------------------------------------------
# Files as they are written, and what is done with what is read of them


@dataclass(frozen=True)
class Reader:
    """One kind of file: how it is written, and how it is read and used. It may be JSON, or lines of it."""

    name: str
    write: Callable[[Path], Any]
    use: Callable[[Path], Any]

    def __str__(self) -> str:
        return self.name


def write_state(path: Path) -> None:
    record = StageRecord(started_at=AT, ended_at=AT, counts={"test_pass": 2}, pid=7, mark="1 x")
    state = State(run_id="r", stages={"1": {"gate": record}}, usage={"retries": 1}, pid=7, started_at=AT, updated_at=AT)
    state.counters = {"test_pass": 2, "train_loss": 0.5}
    state.best = Best(round=1, metric="pass_at_1", score=0.5)
    save_state(path, state)


def use_state(path: Path) -> None:
    state = load_state(path)
    save_state(path.with_name("again"), state)
    assert load_state(path.with_name("again")) == state


def use_config(path: Path) -> None:
    settings = load(path)
    replace_text(path.with_name("again"), settings.to_json())
    assert load(path.with_name("again")) == settings


def use_focus(path: Path) -> None:
    plan_requests(20, 2, 1, 1, concepts=("lists", "other"), focus=read_focus(path))


def write_events(path: Path) -> None:
    for number in range(4):
        deltas = {"counters_delta": {"test_pass": number, "train_loss": 0.5}, "usage_delta": {"retries": number}}
        append_event(path, "r", "progress", f"event {number}", round_number=1, stage="gate", **deltas)


def use_events(path: Path) -> Any:
    sums = sum_deltas(path)
    State(run_id="r", started_at=AT, updated_at=AT, counters=sums.counters, usage=sums.usage)
    return sums


def write_ledger(path: Path) -> None:
    with Ledger(path) as ledger:
        for line in LEDGER:
            ledger.append(line)


def use_ledger(path: Path) -> Any:
    book = read_book([path])
    State(run_id="r", started_at=AT, updated_at=AT, usage=book.totals())
    assert math.isfinite(book.committed.usd)
    return book.replies, book.manners, book.usage


def use_answers(path: Path) -> Any:
    found = read_answers([path])
    assert sum(one.tokens + one.reference_tokens + (one.loss or 0) for one in found.values()) >= 0
    return found


def write_samples(path: Path) -> None:
    write_jsonl(path, (sample.to_json() for sample in SAMPLES))


def use_samples(path: Path) -> Any:
    samples = load_samples(path)
    list(fingerprints(list(map(read, samples))))
    path.with_name("again").write_text("".join(to_line(sample.to_json()) for sample in samples), encoding="utf-8")
    assert [one.to_json() for one in load_samples(path.with_name("again"))] == [one.to_json() for one in samples]
    return samples


def use_card(path: Path) -> Any:
    contents = read_contents({1: path})
    dataset_card(contents, Settings(), [], {})
    return contents


def use_items(path: Path) -> None:
    for item in read_items(path, "bench"):
        to_line(item.sample.to_json())
        assert "None" not in item.sample.instruction + item.sample.output + item.sample.tests + item.opening


def use_prices(path: Path) -> None:
    price = find_price("m", "https://api.x.org/v1", load_prices(path))
    assert price is None or math.isfinite(price.cost(10**9, 10**9, 10**9))


def write_index(path: Path) -> None:
    index = DuplicateIndex()
    for sample, marks in zip(SAMPLES, MARKS, strict=True):
        index.add(marks, sample.id)
    index.save(path)


def use_index(path: Path) -> None:
    index = DuplicateIndex.load(path)
    found = [index.find(marks) for marks in MARKS]
    assert [match and match.id for match in found] == [sample.id for sample in SAMPLES]


def write_adapter(path: Path) -> None:
    weights = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    file = path.with_name("adapter_model.safetensors")
    file.write_bytes(struct.pack("<Q", len(weights)) + weights + bytes(8))
    write_manifest(path.parent, {"adapter_sha256": sha256_of(file), "base_model": "b", "render_sha256": "r"})


def use_adapter(path: Path) -> None:
    manifest = read_manifest(path.parent)
    check_weights(path.parent, manifest)
    assert manifest["base_model"] + manifest["render_sha256"][:12]


WHOLE = [
    Reader("state.json", write_state, use_state),
    Reader("config.json", lambda path: replace_text(path, Settings(preset="cpu").to_json()), use_config),
    Reader("control.json", lambda path: write_request(path, "stop"), read_request),
    Reader("focus.json", lambda path: path.write_text('{"lists": 1.5, "bug_fixing": 2}\n'), use_focus),
    Reader("prices.yaml", lambda path: path.write_text(PRICES), use_prices),
    Reader("seen.bin", write_index, use_index),
    Reader("manifest.json", write_adapter, use_adapter),
]
# Of these a line that is none fails the whole file.
STRICT = [
    Reader("samples.jsonl", write_samples, use_samples),
    Reader("problems.jsonl", lambda path: write_jsonl(path, [HUMAN_EVAL, MBPP, SAMPLES[0].to_json()]),
           lambda path: Benchmarks(read_benchmark(path))),
    Reader("items.jsonl", lambda path: write_jsonl(path, [HUMAN_EVAL, MBPP]), use_items),
]  # fmt: skip
# Of these it is passed over.
TOLERANT = [
    Reader("events.jsonl", write_events, use_events),
    Reader("responses.jsonl", write_ledger, use_ledger),
    Reader("answers.jsonl", lambda path: append_answers(path, ANSWERS), use_answers),
    Reader("tested.jsonl", write_samples, use_card),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("outside")


def written(reader: Reader, folder: Path) -> tuple[Path, bytes]:
    path = folder / reader.name
    path.unlink(missing_ok=True)
    reader.write(path)
    return path, path.read_bytes()


def outcome(reader: Reader, path: Path, what: str = "") -> Any:
    """What is read, or the sentence about it."""
    try:
        return reader.use(path)
    except AutotrainError as error:
        told = str(error)
    except Exception as error:
        raise AssertionError(f"{reader} {what}: {error!r}") from error
    assert path.name in told
    assert len(told) < 1500
    return told


# ---------------------------------------------------------------------------------------------------
# All of them


@pytest.mark.parametrize("reader", [*WHOLE, *STRICT, *TOLERANT], ids=str)
def test_a_damaged_file_is_a_value_or_a_sentence(reader: Reader, folder: Path) -> None:
    path, content = written(reader, folder)
    assert not isinstance(outcome(reader, path), str) or reader.name == "control.json"
    kinds = [damaged(content)]
    if path.suffix == ".jsonl":
        kinds += [with_a_foreign_line(content.splitlines(keepends=True)), damaged(gzip.compress(content, mtime=0))]
    elif path.suffix == ".json":
        kinds.append(foreign(json.loads(content)))

    @examples(40)
    @given(st.one_of(kinds))
    def look(content: bytes) -> None:
        path.write_bytes(content)
        outcome(reader, path)

    look()


@pytest.mark.parametrize("reader", [*WHOLE, *STRICT, *TOLERANT], ids=str)
def test_a_strangers_file_is_a_value_or_a_sentence(reader: Reader, folder: Path) -> None:
    path, _ = written(reader, folder)
    for name, content in STRANGERS.items():
        path.write_bytes(content)
        outcome(reader, path, name)
    path.unlink()
    outcome(reader, path, "that is not there")
    path.symlink_to(folder / "nowhere")
    outcome(reader, path, "that leads nowhere")
    path.unlink()
    path.mkdir()
    outcome(reader, path, "that is a folder")
    path.rmdir()


@pytest.mark.parametrize("reader", TOLERANT, ids=str)
def test_a_bad_line_costs_no_other(reader: Reader, folder: Path) -> None:
    path, content = written(reader, folder)
    lines = content.splitlines(keepends=True)
    place = len(lines) // 2
    others = [*lines[:place], *lines[place + 1 :]]
    path.write_bytes(b"".join(others))
    without = outcome(reader, path)
    path.write_bytes(b"")
    nothing = outcome(reader, path)

    @examples(20)
    @given(st.one_of(damaged(lines[place]), foreign(json.loads(lines[place]))))
    def look(line: bytes) -> None:
        line = line.replace(b"\n", b" ") + b"\n"
        path.write_bytes(line)
        if outcome(reader, path) == nothing:
            path.write_bytes(b"".join([*lines[:place], line, *lines[place + 1 :]]))
            assert outcome(reader, path) == without

    look()


@pytest.mark.parametrize("reader", STRICT, ids=str)
def test_the_bad_line_is_named(reader: Reader, folder: Path) -> None:
    path, content = written(reader, folder)
    lines = content.splitlines(keepends=True)
    path.write_bytes(lines[0] + bytes(len(lines[1]) - 1) + b"\n" + b"".join(lines[2:]))
    assert f"{reader} line 2: " in outcome(reader, path)


@examples(20)
@given(st.data())
def test_damaged_weights_are_refused(folder: Path, data: st.DataObject) -> None:
    manifest = folder / "manifest.json"
    write_adapter(manifest)
    weights = folder / "adapter_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(data.draw(damaged(whole)))
    if weights.read_bytes() != whole:
        with pytest.raises(AutotrainError, match=r"adapter_model\.safetensors is not what its manifest\.json says"):
            check_weights(folder, read_manifest(folder))


@pytest.mark.parametrize("stranger", ["empty", "pickle", "zeroes", "text", "line without end"])
def test_weights_of_another_kind_are_refused_though_the_manifest_knows_them(folder: Path, stranger: str) -> None:
    weights = folder / "adapter_model.safetensors"
    weights.write_bytes(STRANGERS[stranger])
    write_manifest(folder, {"adapter_sha256": sha256_of(weights), "base_model": "b", "render_sha256": "r"})
    with pytest.raises(AutotrainError, match=r"adapter_model\.safetensors is no safetensors file"):
        check_weights(folder, read_manifest(folder))


# ---------------------------------------------------------------------------------------------------
# What goes on after the damage


@examples(20)
@given(st.data())
def test_writing_goes_on_behind_the_last_whole_line(folder: Path, data: st.DataObject) -> None:
    for reader in (TOLERANT[0], TOLERANT[1]):
        path, content = written(reader, folder)
        path.write_bytes(content := data.draw(damaged(content)))
        if reader.name == "events.jsonl":
            cut_torn_line(path)
        else:
            with Ledger(path):
                pass
        assert path.read_bytes() == content[: content.rfind(b"\n") + 1]
        reader.write(path)
        assert outcome(reader, path) is not None


@examples(8)
@given(st.data())
def test_every_line_of_a_users_file_is_kept_or_rejected(folder: Path, data: st.DataObject) -> None:
    source, content = written(STRICT[0], folder)
    kinds = [damaged(content), with_a_foreign_line(content.splitlines(keepends=True))]
    source.write_bytes(data.draw(st.one_of(kinds)))
    clean, rejected = folder / "clean.jsonl", folder / "rejected.jsonl"
    checks = Checks(20_000, True, (), None, 0)
    funnel = validate_file(source, clean, rejected, None, checks, [], 0.7, lambda _: None)
    assert funnel.read == funnel.kept + funnel.dropped.total()
    assert len(rejected.read_bytes().splitlines()) == funnel.dropped.total()
    assert (len(load_samples(clean)) if funnel.kept else 0) == funnel.kept
