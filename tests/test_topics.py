"""CONCEPTS and TASK_TYPES narrow what a teacher writes about, and a name that cannot be is told."""

import pytest

from autotrain.config import PRESETS, Settings
from autotrain.errors import SettingsError
from autotrain.generate.builtin import builtin_samples, only
from autotrain.generate.plan import plan_requests
from autotrain.generate.topics import read_topics


def builtin(**changes: str) -> Settings:
    return Settings(teacher_model="builtin", **changes)


def test_nothing_set_narrows_nothing() -> None:
    topics = read_topics(builtin())
    assert (topics.concepts, topics.shares) == ((), {})
    assert only(topics.concepts, topics.shares) == {}


def test_builtin_samples_keep_to_the_topics() -> None:
    topics = read_topics(builtin(concepts="word_list, sum", task_types="refactoring=2,bug_fixing"))
    samples = list(builtin_samples(120, 1, 1, only(topics.concepts, topics.shares)))
    assert {sample.metadata.concepts[0] for sample in samples} == {"word_list"}
    assert all("sum" in sample.metadata.concepts for sample in samples)
    kinds = [sample.metadata.task_type for sample in samples]
    assert set(kinds) == {"refactoring", "bug_fixing"}
    assert kinds.count("refactoring") > kinds.count("bug_fixing")


def test_a_server_is_asked_about_any_concept_a_user_names() -> None:
    topics = read_topics(Settings(concepts="sparse polynomials, tries", task_types="code_review"))
    requests = plan_requests(12, 2, 1, 1, topics.shares, topics.concepts)
    assert {request.concept for request in requests} == {"sparse polynomials", "tries"}
    assert {request.task_type for request in requests} == {"code_review"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"concepts": "word_lst"}, "did you mean word_list"),
        ({"task_types": "refactor"}, "did you mean refactoring"),
        ({"task_types": "refactoring=lots"}, "'lots' is no number"),
        ({"task_types": "refactoring=0"}, "one of them above 0"),
        ({"task_types": "refactoring=-1,bug_fixing"}, "0 or more"),
        ({"task_types": "refactoring=nan"}, "0 or more"),
    ],
)
def test_a_name_or_share_that_cannot_be_is_told(changes: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_topics(builtin(**changes))


@pytest.mark.parametrize("preset", ["cpu", "smoke"])
def test_presets_name_concepts_that_exist(preset: str) -> None:
    assert len(read_topics(Settings(**PRESETS[preset])).concepts) > 10
