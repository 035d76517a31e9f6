import random
from pathlib import Path

import pytest

from autotrain.errors import AutotrainError
from autotrain.generate.builtin import builtin_samples
from autotrain.sample import Metadata, Sample, in_fence
from autotrain.validate.duplicates import DuplicateIndex, near_duplicate_groups
from autotrain.validate.fingerprints import Fingerprint, fingerprints, normalised_text, read

WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo")


def sample(instruction: str, input: str = "", output: str = "Fine.", name: str = "r1-00001") -> Sample:
    return Sample(id=name, instruction=instruction, input=input, output=output, metadata=Metadata())


def prose(seed: int, length: int = 60) -> str:
    return " ".join(f"{random.Random(f'{seed}/{place}').choice(WORDS)}{seed}" for place in range(length))


# ---------------------------------------------------------------------------------------------------
# The index


def of(item: Sample) -> Fingerprint:
    return fingerprints([read(item)])[0]


def index_of(*samples: Sample) -> DuplicateIndex:
    index = DuplicateIndex()
    for each in samples:
        index.add(of(each), each.id)
    return index


def found(index: DuplicateIndex, item: Sample) -> tuple[str, str] | None:
    match = index.find(of(item))
    return None if match is None else (match.id, match.how)


TOTAL = '''
def total(values: list[int]) -> int:
    """Add them."""
    result = 0
    for value in values:
        result += value
    return result
'''

LONG = """
def merged(first, second):
    result = []
    i = j = 0
    while i < len(first) and j < len(second):
        if first[i] <= second[j]:
            result.append(first[i])
            i += 1
        else:
            result.append(second[j])
            j += 1
    return result + first[i:] + second[j:]
"""


def test_case_spaces_and_unicode_forms_do_not_make_a_new_question() -> None:
    index = index_of(sample("Write a  function\nfor ﬁles.", name="one"))
    assert found(index, sample("write A function for files. ")) == ("one", "exact")


def test_the_input_counts_and_is_not_mixed_up_with_the_instruction() -> None:
    assert found(index_of(sample("Fix", "it")), sample("Fix it")) != ("r1-00001", "exact")
    assert found(index_of(sample("Fix it", "now")), sample("Fix it", "later")) is None
    assert normalised_text(sample("Fix", "it")) != normalised_text(sample("Fix it"))


def test_a_few_other_words_are_a_near_duplicate_and_many_are_not() -> None:
    index = index_of(sample(prose(2)), sample(prose(1), name="one"))
    words = prose(1).split()
    assert found(index, sample(" ".join(["other", *words[1:]]))) == ("one", "words")
    assert found(index, sample(" ".join(["other"] * 20 + words[20:]))) is None


def test_the_same_code_under_other_names_is_a_duplicate_however_it_is_asked_for() -> None:
    index = index_of(sample(prose(1), output=in_fence(TOTAL), name="one"))
    renamed = TOTAL.replace("values", "numbers").replace("total", "add_up")
    assert found(index, sample(prose(2), output=in_fence(renamed))) == ("one", "code")
    # As a part of the task it counts with what becomes of it.
    assert found(index, sample(prose(3), TOTAL, in_fence(TOTAL.replace("+=", "-=")))) is None


def test_another_literal_makes_other_code_unless_it_is_long() -> None:
    short = index_of(sample(prose(1), output=in_fence(TOTAL)))
    assert found(short, sample(prose(2), output=in_fence(TOTAL.replace("= 0", "= 1")))) is None
    words = prose(1).split()
    long = index_of(sample(prose(1), output=in_fence(LONG), name="one"))
    alike = " ".join([*words[:40], *["end"] * 20])
    for changed in (LONG.replace("+= 1", "+= 2"), LONG.replace("+ first[i:]", "+ list(first)")):
        assert found(long, sample(alike, output=in_fence(changed))) == ("one", "code")
        assert found(long, sample(prose(2), output=in_fence(changed))) is None
        assert found(long, sample(alike, output=in_fence(TOTAL))) is None


def test_one_line_functions_are_alike_by_chance() -> None:
    index = index_of(sample(prose(1), output=in_fence("def f(x):\n    return x")))
    assert found(index, sample(prose(2), output=in_fence("def g(y):\n    return y"))) is None


def test_of_two_that_fit_the_more_similar_one_is_named_and_the_first_among_equals() -> None:
    words = prose(1).split()
    near, nearer = (" ".join([*words[:-count], *["end"] * count]) for count in (6, 2))
    index = index_of(sample(near, name="near"), sample(nearer, name="nearer"), sample(nearer + " ", name="again"))
    assert found(index, sample(prose(1))) == ("nearer", "words")


def test_an_index_that_was_saved_finds_the_same(tmp_path: Path) -> None:
    samples = list(builtin_samples(150, 5, 1))
    index = index_of(*samples[:100])
    index.save(tmp_path / "seen")
    again = DuplicateIndex.load(tmp_path / "seen")
    assert len(again) == 100
    assert [again.find(of(each)) for each in samples] == [index.find(of(each)) for each in samples]
    for each in samples[100:]:
        again.add(of(each), each.id)
        index.add(of(each), each.id)
    later = list(builtin_samples(50, 5, 2))
    assert [again.find(of(each)) for each in later] == [index.find(of(each)) for each in later]
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]
    assert (tmp_path / "seen").stat().st_size < 100 * 1000


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    DuplicateIndex().save(tmp_path / "seen")
    assert found(DuplicateIndex.load(tmp_path / "seen"), sample("Fix")) is None


def test_a_broken_or_foreign_index_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    index_of(*builtin_samples(20, 5, 1)).save(path)
    whole = path.read_bytes()
    header, _, body = whole.partition(b"\n")
    for broken, why in (
        (whole[:-1], "broken"),
        (header + b"\n" + body[:40] + b"x" + body[41:], "broken"),
        (whole.replace(b'"version": 2', b'"version": 99'), "version is 99"),
        (b"", ""),
        (b"[1]\n", "no index"),
        (b"\xff\xfe\n", ""),
    ):
        path.write_bytes(broken)
        with pytest.raises(AutotrainError, match=f"seen.*{why}.*made again"):
            DuplicateIndex.load(path)
    with pytest.raises(AutotrainError, match="nowhere"):
        DuplicateIndex.load(tmp_path / "nowhere")


# ---------------------------------------------------------------------------------------------------
# Groups


def test_one_changed_word_in_a_long_question_is_the_same_group() -> None:
    words = prose(1).split()
    changed = " ".join(["different", *words[1:]])
    assert near_duplicate_groups([sample(prose(2)), sample(prose(1)), sample(changed)]) == [0, 1, 1]


def test_different_questions_stay_apart() -> None:
    assert near_duplicate_groups([sample(prose(seed)) for seed in range(200)]) == list(range(200))


def test_the_same_code_joins_differently_worded_questions() -> None:
    renamed = TOTAL.replace("values", "numbers").replace("total", "add_up")
    samples = [
        sample(prose(1), output=in_fence(TOTAL)),
        sample(prose(2), output=in_fence("def f(x):\n    return x")),
        sample(prose(3), output=in_fence(renamed)),
        sample(prose(4), output=in_fence("def g(y):\n    return y")),
    ]
    # One-line functions are alike by chance.
    assert near_duplicate_groups(samples) == [0, 1, 0, 3]


def test_likeness_chains() -> None:
    words = prose(1, 100).split()
    # Each starts with 8 more words of its own than the one before: neighbours are alike, the ends are not.
    chain = [sample(" ".join([*(f"new{i}" for i in range(8 * step)), *words[8 * step :]])) for step in range(4)]
    assert near_duplicate_groups(chain) == [0, 0, 0, 0]
    assert near_duplicate_groups([chain[0], chain[3]]) == [0, 1]


def test_every_pair_above_the_threshold_is_found() -> None:
    samples = [sample(prose(seed)) for seed in range(150)]
    near = [sample(" ".join(prose(seed).split()[:-7] + ["end"] * 7)) for seed in range(150)]
    groups = near_duplicate_groups([*samples, *near])
    assert groups[150:] == groups[:150]


def test_the_groups_of_many_copies_are_found_and_repeat() -> None:
    samples = [sample(prose(1, 80) + f" variant {number}") for number in range(200)]
    groups = near_duplicate_groups(samples)
    assert groups == [0] * 200
    assert near_duplicate_groups(samples) == groups


def test_nothing_has_no_groups() -> None:
    assert near_duplicate_groups([]) == []
