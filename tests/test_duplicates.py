import random

from autotrain.sample import Metadata, Sample, in_fence
from autotrain.validate.duplicates import ExactIndex, code_fingerprint, near_duplicate_groups, normalised_text

WORDS = ("alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliet", "kilo")


def sample(instruction: str, input: str = "", output: str = "Fine.", name: str = "r1-00001") -> Sample:
    return Sample(id=name, instruction=instruction, input=input, output=output, metadata=Metadata())


def prose(seed: int, length: int = 60) -> str:
    return " ".join(f"{random.Random(f'{seed}/{place}').choice(WORDS)}{seed}" for place in range(length))


# ---------------------------------------------------------------------------------------------------
# Exact


def test_case_spaces_and_unicode_forms_do_not_make_a_new_question() -> None:
    index = ExactIndex()
    assert index.add(sample("Write a  function\nfor ﬁles."), "line 1") is None
    assert index.add(sample("write A function for files. "), "line 2") == "line 1"


def test_the_input_counts_and_is_not_mixed_up_with_the_instruction() -> None:
    index = ExactIndex()
    assert index.add(sample("Fix", "it now"), "line 1") is None
    assert index.add(sample("Fix it", "now"), "line 2") is None
    assert normalised_text(sample("Fix", "it")) != normalised_text(sample("Fix it"))


def test_a_duplicate_with_the_very_same_place_is_still_one() -> None:
    index = ExactIndex()
    assert index.add(sample("Fix"), "1") is None
    assert index.add(sample("Fix"), "1") == "1"


# ---------------------------------------------------------------------------------------------------
# Code

TOTAL = '''
def total(values: list[int]) -> int:
    """Add them."""
    result = 0
    for value in values:
        result += value
    return result
'''


def test_names_literals_annotations_and_docstrings_do_not_change_a_fingerprint() -> None:
    renamed = "def add_up(xs):\n  # sums\n  acc = 7\n  for x in xs: acc += x\n  return acc\n"
    assert code_fingerprint(TOTAL) == code_fingerprint(renamed)


def test_what_the_code_does_changes_its_fingerprint() -> None:
    assert code_fingerprint(TOTAL) != code_fingerprint(TOTAL.replace("+=", "-="))
    assert code_fingerprint("def f(x):\n    return sum(x)") != code_fingerprint(
        "def f(x):\n    return max(x)"
    )
    assert code_fingerprint("def f(x):\n    x.append(1)") != code_fingerprint("def f(x):\n    x.remove(1)")
    assert code_fingerprint("def f(a, b):\n    return a - b") != code_fingerprint(
        "def f(a, b):\n    return b - a"
    )


def test_fields_of_a_class_count() -> None:
    assert code_fingerprint("class A:\n    x: int\n    y: int") != code_fingerprint("class A:\n    x: int")


def test_code_that_does_not_parse_has_no_fingerprint() -> None:
    assert code_fingerprint("def f(:") is None
    assert code_fingerprint("x = " + "(" * 5000) is None


# ---------------------------------------------------------------------------------------------------
# Near


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
    chain = [
        sample(" ".join([*(f"new{i}" for i in range(8 * step)), *words[8 * step :]])) for step in range(4)
    ]
    assert near_duplicate_groups(chain) == [0, 0, 0, 0]
    assert near_duplicate_groups([chain[0], chain[3]]) == [0, 1]


def test_every_pair_above_the_threshold_is_found() -> None:
    samples = [sample(prose(seed)) for seed in range(300)]
    near = [sample(" ".join(prose(seed).split()[:-7] + ["end"] * 7)) for seed in range(300)]
    groups = near_duplicate_groups([*samples, *near])
    assert groups[300:] == groups[:300]


def test_the_groups_of_many_copies_are_found_and_repeat() -> None:
    samples = [sample(prose(1, 80) + f" variant {number}") for number in range(500)]
    groups = near_duplicate_groups(samples)
    assert groups == [0] * 500
    assert near_duplicate_groups(samples) == groups


def test_nothing_has_no_groups() -> None:
    assert near_duplicate_groups([]) == []
