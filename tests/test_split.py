"""Nothing that a model is measured on, or anything like it, is trained on."""

from autotrain.sample import Sample, in_fence
from autotrain.train.split import replay, split

VERBS = ["add", "subtract", "multiply", "compare", "reverse", "rotate", "filter", "sort", "merge", "count"]
NOUNS = ["apples", "rivers", "stars", "planets", "letters", "tickets", "engines", "clouds", "bridges", "violins"]


def task(number: int, round_number: int = 1, name: str | None = None) -> Sample:
    """A task unlike any other: its own words, its own code."""
    verb, noun = VERBS[number % 10], NOUNS[number // 10 % 10]
    steps = "\n".join(f"    value = value {'+-*'[(number >> bit) % 3]} {bit}" for bit in range(2 + number % 7))
    code = f"def {name or verb}_{noun}(value):\n{steps}\n    return [value] * {number}"
    text = f"{verb} the {noun} number {number} in a list by rule {number * 7919 % 1000} and explain step {number * 31}"
    return Sample(id=f"r{round_number}-{number:05d}", instruction=text, output=in_fence(code))


def test_every_sample_lands_on_one_side_and_the_share_is_kept() -> None:
    samples = [task(number) for number in range(100)]
    divided = split(samples, 0.2, 1, [], [])
    ids = [sample.id for sample in divided.train + divided.val + divided.dropped]
    assert sorted(ids) == [sample.id for sample in samples]
    assert 0 < len(divided.val) <= 20
    assert divided == split(samples, 0.2, 1, [], [])
    assert divided != split(samples, 0.2, 2, [], [])


def test_each_task_type_is_held_out_by_its_share() -> None:
    samples = [task(number) for number in range(100)]
    for number, sample in enumerate(samples):
        sample.metadata.task_type = "bug_fixing" if number % 4 == 0 else "refactoring"
    held_out = [sample.metadata.task_type for sample in split(samples, 0.2, 1, [], []).val]
    assert held_out.count("bug_fixing") == 5
    assert held_out.count("refactoring") == 15


def test_reworded_twins_stay_together() -> None:
    twins = []
    for number in range(40):
        one = task(number)
        renamed = one.output.replace("value", "quantity")
        other = f"Completely other words {number * 13}"
        twins += [one, Sample(id=f"twin-{number:05d}", instruction=other, output=renamed)]
    divided = split(twins, 0.3, 3, [], [])
    val = {sample.id[-5:] for sample in divided.val}
    assert divided.val
    assert not val & {sample.id[-5:] for sample in divided.train}


def test_what_resembles_an_earlier_held_out_task_is_not_trained_on() -> None:
    held_out, learned = task(1), task(2)
    again = [task(1, round_number=2), task(2, round_number=2), *(task(number, 2) for number in range(50, 70))]
    divided = split(again, 0.2, 1, [learned], [held_out])
    assert [sample.id for sample in divided.dropped] == ["r2-00001"]
    assert "r2-00002" in [sample.id for sample in divided.train]


def test_replay_draws_no_more_than_there_is() -> None:
    samples = [task(number) for number in range(10)]
    assert len(replay(samples, 4, 1)) == 4
    assert len(replay(samples, 40, 1)) == 10
    assert replay([], 5, 1) == []
