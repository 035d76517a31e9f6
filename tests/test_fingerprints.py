"""A fingerprint is small, the same everywhere, and tells how alike two samples are."""

import pickle
import random
import re
import subprocess
import sys
from array import array

import pytest

from autotrain.generate.builtin import builtin_samples
from autotrain.sample import Metadata, Sample, in_fence
from autotrain.validate.duplicates import DuplicateIndex, SketchTable
from autotrain.validate.fingerprints import (
    Fingerprint,
    Sketch,
    fingerprints,
    normalised_text,
    read,
    similarity,
    sketches,
)
from autotrain.validate.tokens import without_names

Shingles = set[tuple[str, ...]]


def of(sample: Sample) -> Fingerprint:
    return fingerprints([read(sample)])[0]


PRINT = """
import pickle, sys
from autotrain.generate.builtin import builtin_samples
from autotrain.validate.fingerprints import fingerprints, read
sys.stdout.buffer.write(pickle.dumps([fingerprints([read(sample)])[0] for sample in builtin_samples(20, 1, 1)]))
"""


def test_a_fingerprint_is_small_whatever_the_sample() -> None:
    rng = random.Random(1)
    words = " ".join(str(rng.random()) for _ in range(5000))
    code = "\n".join(f"def f{i}(a, b):\n    return a * {i} + {'b.x' * (i % 7)}" for i in range(300))
    for sample in (
        Sample(id="a", instruction=words, input=code, output=in_fence(code)),
        Sample(id="b", instruction="", output=""),
    ):
        assert len(pickle.dumps(of(sample))) <= 1536
    sizes = [len(pickle.dumps(of(sample))) for sample in builtin_samples(100, 1, 1)]
    assert sum(sizes) / len(sizes) < 800


def test_it_is_the_same_in_every_process() -> None:
    prints = []
    for seed in ("0", "77"):
        environment = {"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)}
        done = subprocess.run([sys.executable, "-c", PRINT], env=environment, capture_output=True, check=True)
        prints.append(pickle.loads(done.stdout))
    assert prints[0] == prints[1]
    assert isinstance(prints[0][0], Fingerprint)


def test_similarity_is_exact_for_short_texts_and_close_for_long_ones() -> None:
    assert similarity({1, 2, 3}, array("I", [2, 3, 4])) == 0.5
    for size in (60, 100, 2000):
        one, other = (list(map(str, range(start, start + size))) for start in (0, size // 5))
        sets = [shingles_of([words]) for words in (one, other)]
        true = len(sets[0] & sets[1]) / len(sets[0] | sets[1])
        first, second = (array("I", item.hashes) for item in sketches([[one], [other]]))
        found = similarity(set(first), second)
        assert found == pytest.approx(true, abs=0.0 if size < 128 else 0.12)


def test_code_counts_from_some_length_on() -> None:
    short = Sample(id="a", instruction="Add.", output=in_fence("def f(a, b): return a + b"))
    assert (of(short).code, of(short).code_words) == (b"", None)
    middle = Sample(id="a", instruction="Add.", output=in_fence("def f(a, b):\n    return sum(a[b + 1 :]) - len(a)"))
    assert of(middle).code
    assert of(middle).code_words is None


def test_what_is_done_to_given_code_is_a_part_of_the_task() -> None:
    code = "def f(a, b):\n    return sum(a[b + 1 :]) - len(a)"
    kinds = {
        "agent_edit": "{}",
        "code_explanation": "It sums.",
        "unit_test_generation": in_fence("assert f([], 1) == 0"),
    }
    prints = {
        kind: of(Sample(id="a", instruction="Do.", input=code, output=output, metadata=Metadata(task_type=kind)))
        for kind, output in kinds.items()
    }
    assert {kind: bool(item.code) for kind, item in prints.items()} == {
        "agent_edit": False,
        "code_explanation": True,
        "unit_test_generation": True,
    }


def test_text_without_code_has_none() -> None:
    reading = read(Sample(id="a", instruction="Explain.", input="Words: more words.", output="Because."))
    assert (reading.given, reading.answer) == ([], [])


# ---------------------------------------------------------------------------------------------------
# Recall and precision against comparing all with all


def varied(sample: Sample, rng: random.Random) -> Sample:
    """A near-duplicate: words edited, names changed, sentences reordered, literals changed, or all of these."""
    text, answer = f"{sample.instruction}\n{sample.input}", sample.output
    how = rng.choice(["words", "names", "sentences", "literals", "all"])
    names = re.findall(r"`(\w+)`", text)
    if how in ("names", "all") and names:
        name = rng.choice(names)
        text, answer = (re.sub(rf"\b{name}\b", "renamed_thing", part) for part in (text, answer))
    if how in ("sentences", "all"):
        sentences = re.split(r"(?<=[.;:]) ", text)
        rng.shuffle(sentences)
        text = " ".join(sentences)
    if how in ("literals", "all"):
        text, answer = (re.sub(r"\b\d+\b", lambda found: rng.choice([found[0], "91"]), part) for part in (text, answer))
    if how in ("words", "all"):
        words = text.split(" ")
        for _ in range(rng.randint(1, 6)):
            words[rng.randrange(len(words))] = rng.choice(["some", "thing", "other", "value", "which"])
        text = " ".join(words)
        # A line more in the code, too.
        answer = answer.replace("\n    return", "\n    unused = 0\n    return", 1)
    instruction, _, given = text.partition("\n")
    return sample.model_copy(update={"instruction": instruction, "input": given, "output": answer})


def pairs(sketches: list[Sketch]) -> set[tuple[int, int]]:
    table, found = SketchTable(), set()
    for place, item in enumerate(sketches):
        hashes = set(array("I", item.hashes))
        found |= {(near, place) for near in table.candidates(item) if similarity(hashes, table.hashes(near)) >= 0.7}
        table.add(item, place)
    return found


def shingles_of(parts: list[list[str]]) -> Shingles:
    return {tuple(words[start : start + 5]) for words in parts for start in range(max(len(words) - 4, 1))}


def brute_force(sets: list[Shingles]) -> set[tuple[int, int]]:
    holders: dict[tuple[str, ...], list[int]] = {}
    found = set()
    for place, shingles in enumerate(sets):
        shared: dict[int, int] = {}
        for shingle in shingles:
            for near in holders.setdefault(shingle, []):
                shared[near] = shared.get(near, 0) + 1
            holders[shingle].append(place)
        found |= {
            (near, place) for near, count in shared.items() if count / (len(shingles) + len(sets[near]) - count) >= 0.7
        }
    return found


@pytest.mark.parametrize("what", ["text", "code"])
def test_pairs_above_the_threshold_are_found_and_hardly_others(what: str) -> None:
    rng = random.Random(11)
    samples = list(builtin_samples(400, 3, 1))
    samples += [varied(sample, rng) for sample in samples]
    if what == "text":
        texts = [[normalised_text(sample).split()] for sample in samples]
    else:
        answers = [read(sample).answer for sample in samples]
        texts = [list(map(without_names, answer)) for answer in answers if sum(map(len, answer)) >= 60]
    true, found = brute_force(list(map(shingles_of, texts))), pairs(sketches(texts))
    assert len(true) > 100
    assert len(true & found) / len(true) >= 0.95
    assert len(true & found) / len(found) >= 0.95


def test_of_builtin_samples_only_repeated_problems_are_duplicates() -> None:
    index, repeated = DuplicateIndex(), 0
    for sample in builtin_samples(400, 42, 1):
        item = of(sample)
        if index.find(item) is None:
            index.add(item, sample.id)
        else:
            repeated += 1
    assert repeated <= 16


def test_the_same_question_of_another_kind_is_another_task() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    kinds = ("bug_fixing", "documentation", "bug_fixing")
    prints = [
        of(Sample(id="a", instruction=f"{words} {n}", output="x", metadata=Metadata(task_type=kind)))
        for n, kind in enumerate(kinds)
    ]
    index = DuplicateIndex()
    index.add(prints[0], "first")
    assert index.find(prints[1]) is None
    match = index.find(prints[2])
    assert match is not None
    assert (match.id, match.how) == ("first", "words")
