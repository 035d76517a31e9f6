"""Stage 02's way from a file of lines to the good samples: nothing is lost, nothing leaks, order alone decides."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_filters import sample

from autotrain.errors import AutotrainError, StopRequested
from autotrain.generate.builtin import builtin_samples
from autotrain.jsonl import write_jsonl
from autotrain.sample import Sample, in_fence
from autotrain.validate import examine
from autotrain.validate.contamination import Benchmarks
from autotrain.validate.duplicates import DuplicateIndex
from autotrain.validate.examine import Checks
from autotrain.validate.funnel import Funnel, index_of, validate_file
from autotrain.validate.problems import Problem

Validate = Callable[..., Funnel]

# Put together here, so that this file holds nothing that a scanner would find.
GITHUB = "gh" + "p_" + "a1B2" * 9


@pytest.fixture
def validate(tmp_path: Path) -> Validate:
    def run(checks: Checks | None = None, on_line: Callable[[Funnel], None] = lambda _: None, **changes: Any) -> Funnel:
        paths = [tmp_path / name for name in ("raw.jsonl", "clean.jsonl", "rejected.jsonl", "seen.bin")]
        known = {"earlier": [], "threshold": 0.7, **changes}
        return validate_file(*paths, checks or Checks(4000), known["earlier"], known["threshold"], on_line)

    return run


def write_raw(folder: Path, *samples: Sample, lines: str = "") -> None:
    write_jsonl(folder / "raw.jsonl", [each.to_json() for each in samples])
    with (folder / "raw.jsonl").open("a", encoding="utf-8") as stream:
        stream.write(lines)


def lines_of(folder: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_every_line_is_either_kept_or_kept_with_its_reason(tmp_path: Path, validate: Validate) -> None:
    write_raw(
        tmp_path,
        sample(1),
        sample(2, output=""),
        sample(3, input="x" * 5000),
        sample(4, input=f"key = {GITHUB!r}"),
        sample(5, instruction="write ADD  number 1."),
        sample(6),
        sample(7, input="Ask ada@" + "lovelace.name about it."),
        lines='{"torn": \n\n[1, 2]\n{"instruction": "no output"}\n',
    )
    funnel = validate()
    assert (funnel.read, funnel.kept) == (10, 2)
    assert {name: count for name, count in funnel.dropped.items() if count} == {
        "schema": 4, "length": 1, "secret": 1, "duplicate": 1, "pii": 1,
    }  # fmt: skip
    assert [line["id"] for line in lines_of(tmp_path, "clean")] == ["r1-00001", "r1-00006"]
    rejected = lines_of(tmp_path, "rejected")
    assert [(line["line"], line["id"], line["reason"]) for line in rejected] == [
        (2, "r1-00002", "schema"),
        (3, "r1-00003", "length"),
        (4, "r1-00004", "secret"),
        (5, "r1-00005", "duplicate"),
        (7, "r1-00007", "pii"),
        (8, None, "schema"),
        (10, None, "schema"),
        (11, None, "schema"),
    ]
    assert all(line["detail"] for line in rejected)
    assert funnel.to_json()["dropped"]["secret"] == 1


def test_personal_data_is_let_through_where_it_is_asked_for(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, input="Ask ada@" + "lovelace.name about it."))
    assert validate(Checks(4000, pii=False)).kept == 1


def test_a_duplicate_of_an_earlier_round_says_of_what(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(7, id="r1-00099"))
    assert validate().kept == 1
    (tmp_path / "seen.bin").rename(tmp_path / "earlier.bin")
    write_raw(tmp_path, sample(7), sample(8))
    assert validate(earlier=[DuplicateIndex.load(tmp_path / "earlier.bin")]).dropped["duplicate"] == 1
    assert lines_of(tmp_path, "rejected")[0]["detail"] == "asks the same as r1-00099"
    assert lines_of(tmp_path, "rejected")[0]["sample"]["id"] == "r1-00007"
    # Where none was saved, the clean samples say the same.
    write_jsonl(tmp_path / "clean_before.jsonl", [sample(7, id="r1-00099").to_json()])
    assert validate(earlier=[index_of(tmp_path / "clean_before.jsonl")]).dropped["duplicate"] == 1


def test_of_near_duplicates_the_first_stays(tmp_path: Path, validate: Validate) -> None:
    text = "Write a function that takes a list of words and gives back the longest of them, or None if there is none"
    first, second = (sample(number, instruction=f"{text}{end}", output=in_fence("x = 1"), tests="", entry_point=None)
                     for number, end in ((1, "."), (2, ". Please.")))  # fmt: skip
    for order in ((first, second), (second, first)):
        write_raw(tmp_path, *order)
        assert validate().dropped["duplicate"] == 1
        assert [line["id"] for line in lines_of(tmp_path, "clean")] == [order[0].id]
        assert "words like" in lines_of(tmp_path, "rejected")[0]["detail"]
    assert validate(threshold=1.0).dropped["duplicate"] == 0


def test_what_shares_a_benchmarks_problem_is_counted_by_problem(tmp_path: Path, validate: Validate) -> None:
    text = (
        "Return the sum of the squares of all odd numbers of a given list which are greater than seven and below ninety"
    )
    benchmarks = Benchmarks([Problem("Bench/3", text)])
    write_raw(tmp_path, sample(1), sample(2, instruction=f"Please do the following. {text}. Use no library."))
    funnel = validate(Checks(4000, benchmarks=(benchmarks,)))
    assert funnel.dropped["contaminated"] == 1
    assert funnel.to_json()["contaminated_by"] == {"Bench/3": 1}
    assert lines_of(tmp_path, "rejected")[0]["detail"].startswith("Bench/3: ")


def test_a_dropped_sample_does_not_make_a_later_one_a_duplicate(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, output="TODO"), sample(1))
    assert validate().kept == 1


def test_kept_text_has_one_unicode_form_and_one_line_end(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, input="cafe\u0301\r\nend\rof", concepts=["e\u0301"]))
    validate()
    assert lines_of(tmp_path, "clean")[0]["input"] == "caf\xe9\nend\nof"
    assert lines_of(tmp_path, "clean")[0]["metadata"]["concepts"] == ["\xe9"]


def test_a_dropped_sample_can_be_read_again(tmp_path: Path, validate: Validate) -> None:
    bad = sample(1, output="no code here")
    write_raw(tmp_path, bad)
    validate()
    assert lines_of(tmp_path, "rejected")[0]["sample"] == bad.to_json()


def test_a_file_of_instruction_and_output_alone_is_enough(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, lines='{"instruction": "What is a list?", "output": "A sequence."}\n')
    assert validate().kept == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"input": GITHUB},
        {"id": GITHUB},
        # Dropped for another reason before anything looked for secrets.
        {"output": f"no code, but {GITHUB}"},
        {"input": GITHUB + "x" * 5000},
        {"output": f"```python\ndef f(:\n    {GITHUB}\n```"},
    ],
)
def test_no_output_holds_the_secret_of_a_dropped_sample(
    tmp_path: Path, validate: Validate, changes: dict[str, Any]
) -> None:
    line = json.dumps(sample(1, **changes).to_json())
    write_raw(tmp_path, sample(2), lines=line + "\n")
    assert validate().kept == 1
    written = b"".join((tmp_path / name).read_bytes() for name in ("clean.jsonl", "rejected.jsonl", "seen.bin"))
    assert GITHUB[4:].encode() not in written
    (reject,) = lines_of(tmp_path, "rejected")
    assert "sample" not in reject
    assert "github" in reject["withheld"]


def test_the_digest_of_a_withheld_sample_is_keyed_anew_each_time(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, sample(1, input=GITHUB), sample(1, input=GITHUB), sample(2, input=GITHUB))
    digests = []
    for _ in range(2):
        validate()
        digests.append([line["digest"] for line in lines_of(tmp_path, "rejected")])
    assert digests[0][0] == digests[0][1] != digests[0][2]
    assert not set(digests[0]) & set(digests[1])


def test_what_takes_too_long_is_dropped(tmp_path: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine, "SECONDS_A_LINE", 0.001)
    write_raw(tmp_path, sample(1, input="x = 1\n" * 500))
    assert validate().dropped["secret"] == 1
    assert "sample" not in lines_of(tmp_path, "rejected")[0]


def test_over_all_cores_the_same_comes_out_in_the_same_order(
    tmp_path: Path, validate: Validate, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list(builtin_samples(400, 42, 1))
    write_raw(tmp_path, *made, *made[:20], lines="torn\n" * 5)
    alone = validate()
    files = [(tmp_path / name).read_bytes() for name in ("clean.jsonl", "rejected.jsonl", "seen.bin")]
    monkeypatch.setattr(examine, "LINES_ALONE", 50)
    monkeypatch.setattr(examine, "LINES_A_CHUNK", 30)
    assert validate() == alone
    assert [(tmp_path / name).read_bytes() for name in ("clean.jsonl", "rejected.jsonl", "seen.bin")] == files
    assert alone.dropped["schema"] == 5
    assert alone.dropped["duplicate"] >= 20


def test_a_stop_leaves_the_files_as_they_were(tmp_path: Path, validate: Validate) -> None:
    write_raw(tmp_path, *(sample(number) for number in range(5)))
    (tmp_path / "clean.jsonl").write_text("before")
    seen: list[int] = []

    def stop_at_three(funnel: Funnel) -> None:
        seen.append(funnel.read)
        if funnel.read == 3:
            raise StopRequested("stop")

    with pytest.raises(StopRequested):
        validate(on_line=stop_at_three)
    assert seen == [1, 2, 3]
    assert (tmp_path / "clean.jsonl").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clean.jsonl", "raw.jsonl"]


def test_a_missing_file_is_named(validate: Validate) -> None:
    with pytest.raises(AutotrainError, match=r"raw\.jsonl: no such file"):
        validate()


def test_a_hundred_corruptions_of_a_good_file_lose_no_line(tmp_path: Path, validate: Validate) -> None:
    whole = "".join(json.dumps(one.to_json()) + "\n" for one in builtin_samples(30, 7, 1)).encode()
    draw = random.Random(3)
    for _ in range(100):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 20)):
            place = draw.randrange(len(data))
            kind = draw.randrange(5)
            if kind == 0:
                data[place] = draw.randrange(256)
            elif kind == 1:
                del data[place : place + draw.randrange(200)]
            elif kind == 2:
                data[place:place] = bytes(draw.randrange(256) for _ in range(draw.randrange(50)))
            elif kind == 3:
                data[place:place] = data[place : place + draw.randrange(500)]
            else:
                data[place:place] = draw.choice([b"\n", b"\0", b'"', b"\\", b"{" * 5000, b"\xed\xa0\x80", b"1e999"])
        (tmp_path / "raw.jsonl").write_bytes(data)
        funnel = validate()
        lines = sum(1 for line in bytes(data).split(b"\n") if line.strip())
        assert funnel.read == lines == funnel.kept + funnel.dropped.total()
        assert len(lines_of(tmp_path, "clean")) == funnel.kept
        assert len(lines_of(tmp_path, "rejected")) == funnel.dropped.total()
