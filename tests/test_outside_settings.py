"""Settings that nobody meant, in other digits, in bombs of aliases, in half a file, are told and never obeyed."""

import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from damage import STRANGERS, damaged, examples
from hypothesis import given

from autotrain.config import Settings
from autotrain.errors import SettingsError
from autotrain.generate.prices import load_prices
from autotrain.generate.topics import read_topics
from autotrain.sources import Source, find_out_dir, resolve

YAML = b"# a comment\nROUNDS: 3\nLR: 2e-4\nTEACHER_MODEL: 'a model'   # another\nconcepts: lists, sums\nFOCUS: no\n"
DOTENV = b"ROUNDS=3\nexport LR=2e-4\nTEACHER_MODEL=\"a model\"\n# a comment\nOTHER='two\nlines'\nFOCUS=0\n"
FILES = {"config.yaml": YAML, ".env": DOTENV, "autotrain/config.yaml": YAML}


@pytest.fixture(autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("here")
    (folder / "autotrain").mkdir()
    monkeypatch.chdir(folder)
    return folder


def outcome(name: str, what: str = "") -> Settings | str:
    """The settings that there are, or the sentence about them."""
    try:
        settings = resolve(Source("command line", {}))
    except SettingsError as error:
        told = str(error)
    except Exception as error:
        raise AssertionError(f"{name} {what}: {error!r}") from error
    else:
        assert Settings(**json.loads(settings.to_json())) == settings
        return settings
    assert name in told
    assert "\0" not in told
    assert len(told) < 3000
    return told


def refused(text: str, name: str = "config.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    told = outcome(name)
    assert isinstance(told, str), f"{text!r} was taken"
    return told


# ---------------------------------------------------------------------------------------------------
# Files


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_gives_settings_or_a_sentence(name: str) -> None:
    Path(name).write_bytes(FILES[name])
    settings = outcome(name)
    assert isinstance(settings, Settings)
    assert (settings.rounds, settings.lr, settings.teacher_model, settings.focus) == (3, 2e-4, "a model", False)

    @examples(15)
    @given(damaged(FILES[name]))
    def look(content: bytes) -> None:
        Path(name).write_bytes(content)
        outcome(name)

    look()


@pytest.mark.parametrize("name", FILES)
def test_a_strangers_file_gives_settings_or_a_sentence(name: str) -> None:
    path = Path(name)
    for stranger, content in STRANGERS.items():
        path.write_bytes(content)
        outcome(name, stranger)
    path.unlink()
    path.symlink_to("nowhere")
    assert outcome(name) == Settings()
    path.unlink()
    path.mkdir()
    outcome(name)


def bomb(first: str, pattern: str, last: str) -> str:
    """Nine times the one before, nine levels deep: a thousand million."""
    lines = [f"{new}: &{new} {pattern % ', '.join([f'*{old}'] * 9)}\n" for old, new in pairwise("abcdefghi")]
    return f"a: &a {first}\n{''.join(lines)}{last}\n"


BOMBS = {
    "lists": bomb("[x, x, x, x, x, x, x, x, x]", "[%s]", "ROUNDS: *i"),
    "mappings": bomb("{x: 1, y: 2, z: 3}", "{<<: [%s]}", "<<: *i"),
    "keys": bomb("[x]", "[%s]", "? *i\n: 1"),
    "in itself": "ROUNDS: &a [*a]\n",
    "deep list": "ROUNDS: " + "[" * 30_000,
    "deep mapping": "ROUNDS: " + "{a: " * 8_000,
    "deep block": "ROUNDS:\n" + "".join(" " * depth + "- \n" for depth in range(1, 240)),
    "many names": "".join(f"NAME{number}: 1\n" for number in range(2_000)),
    "long number": "ROUNDS: " + "9" * 30_000,
    "long number in hexadecimal": "ROUNDS: 0x" + "F" * 30_000,
    "long folder": "OUT_DIR: 0x" + "F" * 30_000,
    "long preset": "PRESET: 0x" + "F" * 30_000,
    "long text": "ROUNDS: " + "x" * 30_000,
    "huge": "ROUNDS: 3\n" + "# comment\n" * 1_000_000,
}


def test_a_bomb_is_refused_at_once_and_in_little_memory(here: Path) -> None:
    for number, text in enumerate(BOMBS.values()):
        (here / str(number)).write_text(text)
    code = """
import json, resource, sys, time
from pathlib import Path
from autotrain.config import Settings
from autotrain.sources import from_yaml, merge
resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
for number in range(int(sys.argv[1])):
    started = time.process_time()
    try:
        told = f"taken: {merge([from_yaml(Path(str(number)))])}"
    except Exception as error:
        told = f"{type(error).__name__} {error}"
    print(json.dumps([time.process_time() - started, told]))
"""
    command = [sys.executable, "-c", code, str(len(BOMBS))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    for name, line in zip(BOMBS, done.stdout.splitlines(), strict=True):
        seconds, told = json.loads(line)
        assert told.startswith("SettingsError"), (name, told[:500])
        assert len(told) < 10_000, name
        assert seconds < 2, name


@pytest.mark.parametrize(
    "value",
    [
        "!!python/object/apply:os.system ['touch mark']", "!!python/object/new:pathlib.Path [mark]",
        "!!python/name:os.system", "!!js/function 'x'", "!mine 3", "!!int ''", "!!int x", "!!bool x", "!!float x",
        "!!timestamp x", "!!binary x", "!!null x", "!!set {a}", "!!omap [a]", "2026-13-45", "2026-01-01", "=", "<<",
        "*a", ".nan", ".inf", "-.inf", "1e999", "2e-4", "3.5", "no", "true", "~", "", "٣", "３", "[3]", "{3: 3}",
        '"3\\0\\0"', '"\\ud800"', "\t3", "3\n--- 4", "3\nROUNDS: 4", "3\nrounds: 4", "3\n\tSEED: 4",
    ],
)  # fmt: skip
def test_what_is_no_number_of_rounds_is_refused(here: Path, value: str) -> None:
    assert "Traceback" not in refused(f"ROUNDS: {value}\n")
    assert [path.name for path in here.iterdir()] == ["autotrain", "config.yaml"]


@pytest.mark.parametrize(
    ("value", "number"), [("010", 10), ("1_0", 10), ("3.0", 3), ("+3", 3), ("'3'", 3), ("0x10", 16), ("&a 3", 3)]
)
def test_other_ways_to_write_a_number_in_yaml(value: str, number: int) -> None:
    Path("config.yaml").write_text(f"ROUNDS: {value}\n")
    assert resolve(Source("command line", {})).rounds == number


def test_a_broken_line_of_a_dotenv_is_told_where_it_names_a_setting() -> None:
    assert ".env line 2: not of the form NAME=value" in refused("SEED=4\nROUNDS 3\n", ".env")
    assert ".env line 1: " in refused('ROUNDS="3\nSEED=4\n', ".env")
    Path(".env").write_text("SEED=4\nif [ x ]; then y; fi\n")
    assert resolve(Source("command line", {})).seed == 4


def test_a_text_with_zeroes_in_it_is_no_setting() -> None:
    refused('TEACHER_MODEL: "gpt\\0\\0"\n')
    refused('CONCEPTS: "lists, \\ud800"\n')
    Path("config.yaml").unlink()
    Path(".env").write_bytes(b"TEACHER_MODEL=gpt\0\0\n")
    assert "TEACHER_MODEL" in str(outcome(".env"))


def test_a_file_that_could_have_named_the_folder_is_named() -> None:
    Path("config.yaml").write_text(BOMBS["lists"])
    with pytest.raises(SettingsError, match=r"config\.yaml: cannot be read"):
        find_out_dir(Source("command line", {}))


# ---------------------------------------------------------------------------------------------------
# The environment


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("ROUNDS", " 3 ", 3), ("ROUNDS", "+3", 3), ("ROUNDS", "3.0", 3), ("ROUNDS", "1_0", 10), ("ROUNDS", "010", 10),
        ("ROUNDS", "٣", None), ("ROUNDS", "３", None), ("ROUNDS", "३", None), ("ROUNDS", "3.5", None),
        ("ROUNDS", "1__0", None), ("ROUNDS", "_1", None), ("ROUNDS", "1e2", None), ("ROUNDS", "0x10", None),
        ("ROUNDS", "-0", None), ("ROUNDS", "9" * 5000, None), ("ROUNDS", "three", None), ("ROUNDS", "\udcff", None),
        ("QUANTIZATION_BITS", " 4 ", 4), ("QUANTIZATION_BITS", "٤", None), ("QUANTIZATION_BITS", "4.0", None),
        ("VAL_RATIO", "2e-1", 0.2), ("VAL_RATIO", " .5 ", 0.5), ("VAL_RATIO", "٠.٥", None), ("VAL_RATIO", "0,5", None),
        ("VAL_RATIO", "nan", None), ("VAL_RATIO", "inf", None), ("VAL_RATIO", "½", None), ("VAL_RATIO", "1e999", None),
        ("RUN_UNIT_TESTS", "1", True), ("RUN_UNIT_TESTS", "٠", None), ("RUN_UNIT_TESTS", "2", None),
        ("EVAL_EXECUTE", "1", "1"), ("EVAL_EXECUTE", "١", None), ("PRESET", "٣٠٩٠", None),
    ],
)  # fmt: skip
def test_numbers_in_the_environment(name: str, value: str, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    found = outcome("environment")
    if expected is None:
        assert isinstance(found, str)
        assert f"{name} = " in found
        assert ": allowed is " in found
    else:
        assert getattr(found, name.lower()) == expected


def test_a_share_in_other_digits_is_refused() -> None:
    assert read_topics(Settings(task_types="bug_fixing=3")).shares == {"bug_fixing": 3.0}
    with pytest.raises(SettingsError, match="the share '٣' is no number"):
        read_topics(Settings(task_types="bug_fixing=٣"))


# ---------------------------------------------------------------------------------------------------
# Prices


@pytest.mark.parametrize(
    "change",
    [
        ("2026-01-01", "2026-13-45"), ("2026-01-01", "!!bool x"), ("input: 1", "input: true"),
        ("input: 1", "input: 1e999"), ("input: 1", "input: .nan"), ("input: 1", "input: 0x" + "F" * 5000),
        ("input: 1", "input: " + "9" * 5000), ("m: {", "m: &a {<<: *a, "),
        ("input: 1", "input: " + "[" * 20_000), ("server: s", "server: [s]"),
    ],
)  # fmt: skip
def test_prices_that_are_none_are_told_by_their_file(change: tuple[str, str]) -> None:
    text = "- server: s\n  as_of: 2026-01-01\n  models:\n    m: {input: 1, output: 2}\n"
    Path("prices").write_text(text)
    assert load_prices(Path("prices"))[0].models["m"].input == 1
    Path("prices").write_text(text.replace(*change))
    with pytest.raises(SettingsError, match="TEACHER_PRICES = prices: ") as told:
        load_prices(Path("prices"))
    assert len(str(told.value)) < 1000
