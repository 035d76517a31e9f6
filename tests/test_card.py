"""The dataset card says what was counted, in the form that the Hub reads."""

from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from autotrain.config import Settings
from autotrain.gate.card import dataset_card, read_contents
from autotrain.jsonl import write_jsonl


def sample(kind: str, **gate: Any) -> dict[str, Any]:
    metadata = {"task_type": kind, "concepts": ["lists", "a|b"], "teacher_model": "builtin", "gate": gate}
    return {"id": "s", "instruction": "i", "output": "o", "metadata": metadata}


def card_of(folder: Path, **settings: Any) -> str:
    passed = {"executed": True, "passed": True, "tier": "A", "trust": "outside"}
    first, second = folder / "1.jsonl", folder / "2.jsonl"
    write_jsonl(first, [sample("bug_fixing", strength=0.5, **passed), sample("bug_fixing", strength=1.0, **passed)])
    write_jsonl(second, [sample("code_review", executed=False, passed=None)])
    contents = read_contents({1: first, 2: second})
    return dataset_card(contents, Settings(**settings), [("duplicate", 4)], {"HumanEval/2": 3})


def test_the_front_matter_is_what_the_hub_reads(tmp_path: Path) -> None:
    _, front, _ = card_of(tmp_path, teacher_model="builtin").split("---\n", 2)
    facts = YAML(typ="safe").load(front)
    assert facts["license"] == "apache-2.0"
    assert facts["size_categories"] == ["n<1K"]
    assert facts["configs"][0]["data_files"] == [{"split": "train", "path": "tested_round_*.jsonl"}]


def test_the_card_holds_the_counts(tmp_path: Path) -> None:
    card = card_of(tmp_path, teacher_model="builtin")
    for line in (
        "3 programming tasks in Python, in English, with answers and tests",
        "| bug_fixing | 2 |",
        "| 2 | 1 |",
        "| a/b | 3 |",
        "- duplicate: 4",
        "- HumanEval/2: 3",
        "2 samples passed in a sandbox (tier A); of 0 of them",
        "75% of them in the median",
        "under Apache-2.0",
    ):
        assert line in card, line


def test_what_is_not_known_is_not_claimed(tmp_path: Path) -> None:
    card = card_of(tmp_path, teacher_model="some-model", decontaminate="")
    assert "license: other" in card
    assert "check them before you share this" in card
    assert "Not looked for" in card
    write_jsonl(tmp_path / "read.jsonl", [sample("bug_fixing", executed=False, passed=None)])
    card = dataset_card(read_contents({1: tmp_path / "read.jsonl"}), Settings(), [], {})
    assert "Nothing was run" in card
