"""A config.yaml changed setting by setting: what was written by hand stays as it was."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotrain.config_file import changed_text, save_settings
from autotrain.errors import SettingsError
from autotrain.sources import from_yaml

BY_HAND = """\
# mine, do not touch
ROUNDS:   5      # five is enough

# about the rate
lr: 2e-4
concepts: >-
  sum,
  count
# the end
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "größe & space" / "config.yaml"


def given_file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def test_only_the_changed_lines_change(path: Path) -> None:
    given_file(path, BY_HAND)
    save_settings(path, {"rounds": 7, "seed": 1, "lr": None})
    expected = BY_HAND.replace("ROUNDS:   5 ", "ROUNDS:   7 ").replace("lr: 2e-4\n", "") + "seed: 1\n"
    assert path.read_text() == expected
    assert [file.name for file in path.parent.iterdir()] == ["config.yaml"]


def test_a_first_file_is_made_with_its_folder_and_says_what_it_is(path: Path) -> None:
    save_settings(path, {"rounds": 7, "run_unit_tests": True, "lr": 1e-5, "base_model": "a: b # c", "preset": "3060"})
    assert path.read_text().startswith("# Saved by the menu")
    assert from_yaml(path).values == {
        "rounds": 7, "run_unit_tests": 1, "lr": 1e-5, "base_model": "a: b # c", "preset": "3060",
    }  # fmt: skip


def test_nothing_to_write_writes_nothing(path: Path) -> None:
    save_settings(path, {"rounds": None})
    assert not path.parent.exists()
    given_file(path, BY_HAND)
    stamp = path.stat().st_mtime_ns
    save_settings(path, {"seed": None})
    assert path.stat().st_mtime_ns == stamp


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        ("# only comments\n# rounds: 4", {"rounds": 7}, "# only comments\n# rounds: 4\nrounds: 7\n"),
        ("rounds: 5 # a\r\nlr: 1\r\n", {"rounds": 7, "seed": 2}, "rounds: 7 # a\r\nlr: 1\r\nseed: 2\r\n"),
        ("concepts: |\n  a, b\nrounds: 5\n", {"concepts": "c"}, "concepts: c\nrounds: 5\n"),
        ("rounds:\nlr: 1e-3\n", {"rounds": 7}, "rounds: 7\nlr: 1e-3\n"),
        ("rounds:\n  5\nlr: 1e-3\n", {"rounds": None}, "lr: 1e-3\n"),
        ("  rounds: 5\n", {"seed": 1}, "  rounds: 5\n  seed: 1\n"),
        ("ROUNDS: 5\n", {"seed": 1}, "ROUNDS: 5\nSEED: 1\n"),
        ("rounds: 5 # ü\nbase_model: größe # x\n", {"base_model": "b"}, "rounds: 5 # ü\nbase_model: b # x\n"),
        ("rounds: 5", {"rounds": None}, ""),
        ("{rounds: 5, seed: 1}\n", {"rounds": 7}, "{rounds: 7, seed: 1}\n"),
        ("'rounds': \"5\"\n", {"rounds": 7}, "'rounds': 7\n"),
    ],
)
def test_forms_of_yaml(path: Path, before: str, changes: dict[str, Any], after: str) -> None:
    save_settings(given_file(path, before), changes)
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rounds: [", "cannot be read as YAML"),
        ("rounds: 5\nrounds: 6\n", "duplicate key"),
        ("- 1\n", "NAME: value"),
        ("round: 5\n", "did you mean ROUNDS"),
        ("openai_api_key: x\n", "keys do not belong"),
        ("seed: -1\n", "SEED = -1"),
        ("{rounds: 5, seed: 1}\n", "change ROUNDS, LORA_R by hand"),
        ("rounds: &a 5\nseed: *a\n", "change ROUNDS, LORA_R by hand"),
        ("---\nrounds: 5\n...\nrounds: 6\n", "cannot be read as YAML"),
    ],
)
def test_a_file_that_cannot_be_changed_is_reported_and_left_alone(path: Path, text: str, words: str) -> None:
    given_file(path, text)
    with pytest.raises(SettingsError, match=words):
        save_settings(path, {"rounds": 7, "lora_r": 8})
    assert path.read_bytes().decode() == text


def test_what_is_not_allowed_is_not_written(path: Path) -> None:
    given_file(path, BY_HAND)
    with pytest.raises(SettingsError, match="at least 1"):
        save_settings(path, {"rounds": 0})
    with pytest.raises(SettingsError, match="looks like a secret"):
        save_settings(path, {"teacher_model": "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl"})
    assert path.read_text() == BY_HAND


def test_a_link_to_a_settings_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    target = given_file(tmp_path / "dotfiles" / "mine.yaml", BY_HAND)
    path.parent.mkdir()
    path.symlink_to(target)
    save_settings(path, {"rounds": 7})
    assert path.is_symlink()
    assert from_yaml(target).values["rounds"] == 7


words = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=30)


@given(words.filter(lambda text: text == text.strip() and text), st.sampled_from(["base_model", "concepts"]))
def test_any_text_is_read_back_as_it_was_given(text: str, name: str) -> None:
    from ruamel.yaml import YAML

    after = changed_text(BY_HAND, {name: text, "rounds": None})
    values = {key.lower(): value for key, value in YAML(typ="safe", pure=True).load(after).items()}
    assert values[name] == text
    assert "rounds" not in values
    assert values["lr"] == 2e-4
    for comment in ("# mine, do not touch", "# about the rate", "# the end"):
        assert comment in after
