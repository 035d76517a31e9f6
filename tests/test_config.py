"""Settings as users give them: by flag, environment, files and preset, right and wrong."""

import argparse
import json
from pathlib import Path

import pytest

from autotrain.config import PRESETS, Settings, flag_of, load, public_fields, require_teacher
from autotrain.errors import SettingsError
from autotrain.monitor.hardware import Gpu, gpus
from autotrain.sources import Source, add_flags, find_key, from_flags, preset_by_card, resolve


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flags(*words: str) -> Source:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    return from_flags(parser, words)[0]


def settings(*words: str) -> Settings:
    return resolve(flags(*words))


def problems(*words: str) -> list[str]:
    """The lines of the message, without the first, that these settings are refused with."""
    with pytest.raises(SettingsError) as caught:
        settings(*words)
    assert caught.value.exit_status == 2
    first, *rest = str(caught.value).split("\n")
    assert first.startswith(f"{len(rest)} problem"), first
    return rest


def yaml(text: str, path: str = "config.yaml") -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


# ---------------------------------------------------------------------------------------------------
# Where a value comes from


def test_each_source_gives_way_to_the_one_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings().seq_len == 2048
    assert settings("--preset", "3060").seq_len == 1024
    yaml("SEQ_LEN: 1001")
    assert settings("--preset", "3060").seq_len == 1001
    yaml("SEQ_LEN: 1002", "autotrain/config.yaml")
    assert settings("--preset", "3060").seq_len == 1002
    Path(".env").write_text("SEQ_LEN=1003\n")
    assert settings("--preset", "3060").seq_len == 1003
    monkeypatch.setenv("SEQ_LEN", "1004")
    assert settings("--preset", "3060").seq_len == 1004
    assert settings("--preset", "3060", "--seq-len", "1005").seq_len == 1005


def test_sources_are_merged_setting_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    yaml("ROUNDS: 7\nLORA_R: 8")
    Path(".env").write_text("SEED=1\n")
    monkeypatch.setenv("LORA_R", "16")
    found = settings("--preset", "3090", "--lr", "1e-5")
    assert (found.rounds, found.lora_r, found.seed, found.lr) == (7, 16, 1, 1e-5)
    assert (found.seq_len, found.batch_size, found.grad_accum) == (4096, 2, 4)
    assert found.train_steps == 500


@pytest.mark.parametrize("way", ["flag", "environment", ".env", "yaml", "nested yaml"])
def test_a_preset_may_be_named_anywhere(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "environment":
        monkeypatch.setenv("PRESET", "3060")
    elif way == ".env":
        Path(".env").write_text("PRESET=3060\n")
    elif way == "yaml":
        yaml("PRESET: 3060")
    elif way == "nested yaml":
        yaml("preset: 3060", "autotrain/config.yaml")
    found = settings("--preset", "3060") if way == "flag" else settings()
    assert (found.preset, found.seq_len, found.grad_accum, found.lora_r) == ("3060", 1024, 16, 32)


@pytest.mark.parametrize("way", ["flag", "environment", ".env", "yaml"])
def test_the_second_settings_file_is_looked_for_in_the_out_dir_of_any_source(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "größe & space"
    yaml("ROUNDS: 9", f"{name}/config.yaml")
    if way == "environment":
        monkeypatch.setenv("OUT_DIR", name)
    elif way == ".env":
        Path(".env").write_text(f'OUT_DIR="{name}"\n', encoding="utf-8")
    elif way == "yaml":
        yaml(f"OUT_DIR: {name}")
    found = settings("--out-dir", name) if way == "flag" else settings()
    assert found.rounds == 9
    assert found.out_dir == Path(name)


def test_a_home_sign_that_no_shell_expanded_means_the_home_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder / "home"))
    yaml("ROUNDS: 5", "home/results/config.yaml")
    Path(".env").write_text("OUT_DIR=~/results\n")
    assert settings().out_dir == folder / "home" / "results"
    assert settings().rounds == 5


def test_the_same_settings_file_in_both_places_is_read_as_one() -> None:
    yaml("ROUND: 5")
    assert len(problems("--out-dir", ".")) == 1


def test_an_empty_variable_is_not_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUNDS", "")
    monkeypatch.setenv("PRESET", "")
    monkeypatch.setenv("BASE_MODEL", "")
    Path(".env").write_text("SEED=\nROUNDS=4\n")
    found = settings()
    assert (found.rounds, found.preset, found.base_model, found.seed) == (4, None, "microsoft/phi-2", 42)


def test_a_dotenv_may_hold_variables_of_other_programs() -> None:
    Path(".env").write_text(
        '\ufeff# mine\nDATABASE_URL="postgres://x"\nexport LR=1e-4\nROUNDSX=5\n', encoding="utf-8"
    )
    assert settings().lr == 1e-4


def test_every_preset_is_what_the_documentation_says() -> None:
    assert [settings("--preset", name).preset for name in PRESETS] == list(PRESETS)
    defaults = Settings()
    assert settings("--preset", "2080ti") == defaults.model_copy(update={"preset": "2080ti"})
    for card in ("3090", "4090"):
        found = settings("--preset", card)
        assert (found.seq_len, found.batch_size, found.grad_accum, found.lora_r) == (4096, 2, 4, 128)
    small = settings("--preset", "cpu")
    assert (small.teacher_model, small.device, small.run_unit_tests) == ("builtin", "cpu", True)
    require_teacher(small, "")


# ---------------------------------------------------------------------------------------------------
# What values mean


def test_a_small_number_in_yaml_is_a_number() -> None:
    yaml("LR: 2e-4\nseed: 0x10\nTEST_TIMEOUT: 1\n")
    found = settings()
    assert (found.lr, found.seed, found.test_timeout) == (2e-4, 16, 1.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", False),
        ("no", False),
        ("off", False),
        ("false", False),
        ("1", True),
        ("yes", True),
        ("true", True),
    ],
)
def test_zero_means_no(text: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings(f"--run-tests={text}").run_unit_tests is expected
    yaml(f"RUN_UNIT_TESTS: {text}")
    assert settings().run_unit_tests is expected
    monkeypatch.setenv("RUN_UNIT_TESTS", text)
    assert settings().run_unit_tests is expected


def test_numbers_that_are_choices_are_read_from_text_and_from_yaml(monkeypatch: pytest.MonkeyPatch) -> None:
    yaml("QUANTIZATION_BITS: 8\nEVAL_EXECUTE: 1\n")
    found = settings()
    assert (found.quantization_bits, found.eval_execute) == (8, "1")
    monkeypatch.setenv("QUANTIZATION_BITS", "16")
    assert settings("--eval-execute", "0").eval_execute == "0"
    assert settings().quantization_bits == 16


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--lr", "nan"], "LR = 'nan' (command line): allowed is a number above 0 and at most 1"),
        (["--lr=inf"], "LR = 'inf' (command line): allowed is a number above 0 and at most 1"),
        (["--lr=-1"], "LR = '-1' (command line): allowed is a number above 0 and at most 1"),
        (["--lr", "-1"], "LR = '-1' (command line): allowed is a number above 0 and at most 1"),
        (
            ["--rounds", "2.5"],
            "ROUNDS = '2.5' (command line): allowed is a whole number at least 1 and at most 1000",
        ),
        (
            ["--rounds", "0"],
            "ROUNDS = '0' (command line): allowed is a whole number at least 1 and at most 1000",
        ),
        (["--val-ratio", "1"], "VAL_RATIO = '1' (command line): allowed is a number above 0 and below 1"),
        (["--run-tests", "maybe"], "RUN_UNIT_TESTS = 'maybe' (command line): allowed is 0 or 1"),
        (["--quantization-bits", "3"], "QUANTIZATION_BITS = 3 (command line): allowed is 4 8 16"),
        (["--preset", "5090"], "PRESET = '5090' (command line): allowed is 2080ti 3060 3090 4090 cpu smoke auto"),
        (["--base-model", ""], "BASE_MODEL = '' (command line): allowed is text that is not empty"),
        (["--out-dir="], "OUT_DIR = '' (command line): allowed is a folder"),
        (["--rounds"], "--rounds (command line): a value is missing"),
        (["--samples", "--lr", "1e-4"], "--samples (command line): a value is missing"),
        (["--sampels", "5"], "--sampels (command line): unknown flag; did you mean --samples?"),
        (["--train-step=5"], "--train-step (command line): unknown flag; did you mean --train-steps?"),
        (
            ["--openai-api-key=sk-1234567890"],
            "--openai-api-key (command line): unknown flag; --help lists all",
        ),
        (["extra"], "'extra' (command line): unexpected word"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_explained(words: list[str], line: str) -> None:
    assert problems(*words) == [f"  {line}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "ROUNDS: true",
            "ROUNDS = True (config.yaml): allowed is a whole number at least 1 and at most 1000",
        ),
        ("lr: yes", "LR = 'yes' (config.yaml): allowed is a number above 0 and at most 1"),
        ("lr: true", "LR = True (config.yaml): allowed is a number above 0 and at most 1"),
        ("LR: .nan", "LR = nan (config.yaml): allowed is a number above 0 and at most 1"),
        ("PRESET: 5090", "PRESET = '5090' (config.yaml): allowed is"),
        ("SEED: [1, 2]", "SEED = [1, 2] (config.yaml): allowed is a whole number"),
        ("ROUND: 5", "ROUND (config.yaml): unknown setting; did you mean ROUNDS?"),
        (
            "sample_per_round: 5",
            "sample_per_round (config.yaml): unknown setting; did you mean SAMPLES_PER_ROUND?",
        ),
        ("3: 5", "3 (config.yaml): unknown setting; --help lists all"),
        ("- ROUNDS: 5", "config.yaml: settings are lines of the form NAME: value"),
        ("ROUNDS=5", "config.yaml: settings are lines of the form NAME: value"),
        ("ROUNDS: 5\nROUNDS: 6", "config.yaml: cannot be read as YAML: while constructing a mapping"),
        ("ROUNDS: 5\nrounds: 6", "rounds (config.yaml): given twice"),
        ("ROUNDS: [", "config.yaml: cannot be read as YAML"),
        ("SEED: 2024-99-99", "config.yaml: cannot be read as YAML"),
        (
            "OPENAI_API_KEY: sk-1234567890",
            "OPENAI_API_KEY (config.yaml): keys do not belong in a settings file",
        ),
    ],
)
def test_a_wrong_line_in_a_settings_file_is_explained(text: str, expected: str) -> None:
    yaml(text)
    (line,) = problems()
    assert line.startswith(f"  {expected}")
    assert "sk-1234567890" not in line


def test_an_empty_settings_file_is_none() -> None:
    yaml("# ROUNDS: 5\n")
    assert settings() == Settings()


def test_a_settings_file_with_a_byte_order_mark_is_read() -> None:
    yaml("\ufeffROUNDS: 5\n")
    assert settings().rounds == 5


@pytest.mark.parametrize("name", [".env", "config.yaml"])
def test_a_file_in_another_encoding_is_named(name: str) -> None:
    Path(name).write_bytes("# Größe\nROUNDS: 5\n".encode("latin-1"))
    (line,) = problems()
    assert line.startswith(f"  {name}: cannot be read")


def test_a_folder_name_that_cannot_be_is_a_problem_not_a_crash() -> None:
    (line,) = problems("--out-dir", "x" * 5000)
    assert "cannot be read" in line


def test_all_problems_are_told_at_once_with_where_they_came_from(monkeypatch: pytest.MonkeyPatch) -> None:
    yaml("LORA_R: 0\nGRAD_ACUM: 8")
    yaml("BATCH_SIZE: many", "autotrain/config.yaml")
    Path(".env").write_text("SEED=-1\n")
    monkeypatch.setenv("TRAIN_STEPS", "lots")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890")
    lines = problems("--rounds", "-3", "--sample", "9", "--lr")
    text = "\n".join(lines)
    for part in (
        "ROUNDS = '-3' (command line)",
        "--sample (command line): unknown flag; did you mean --samples?",
        "--lr (command line): a value is missing",
        "TRAIN_STEPS = 'lots' (environment)",
        "SEED = '-1' (.env)",
        "BATCH_SIZE = 'many' (autotrain/config.yaml)",
        "LORA_R = 0 (config.yaml)",
        "GRAD_ACUM (config.yaml): unknown setting; did you mean GRAD_ACCUM?",
    ):
        assert part in text
    assert len(lines) == 8
    assert "sk-1234567890" not in text


# ---------------------------------------------------------------------------------------------------
# One schema for everything


def test_every_setting_has_a_flag_that_works_and_help_that_names_its_default() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    add_flags(parser)
    shown = parser.format_help()
    for name, field in public_fields().items():
        assert flag_of(name, field) in shown
        value = {"preset": "cpu", "max_cost_usd": 2.5, "max_tokens": 9}.get(name, field.default)
        text = str(int(value)) if isinstance(value, bool) else str(value)
        found = resolve(from_flags(parser, [f"{flag_of(name, field)}={text}"])[0])
        assert getattr(found, name) == value
    assert "--openai-api-key" not in shown


def test_flags_of_the_table_keep_their_names() -> None:
    found = {flag_of(name, field) for name, field in public_fields().items()}
    table = (
        "--rounds --samples --base-model --teacher --val-ratio --out-dir --seq-len --seed --batch-size "
        "--grad-accum --train-steps --lora-r --lr --quantization-bits --run-tests --preset"
    )
    assert set(table.split()) <= found


def test_stored_settings_hold_everything_but_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1234567890")
    before = settings("--preset", "3090", "--out-dir", "größe & space", "--lr", "3e-5")
    Path("config.json").write_text(before.to_json(), encoding="utf-8")
    assert "sk-1234567890" not in Path("config.json").read_text(encoding="utf-8")
    assert "api_key" not in json.loads(before.to_json())
    after = load(Path("config.json"))
    assert after.model_dump(exclude={"openai_api_key"}) == before.model_dump(exclude={"openai_api_key"})
    assert after.openai_api_key.get_secret_value() == ""


def test_stored_settings_are_read_from_the_file_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("config.json").write_text(settings().to_json())
    monkeypatch.setenv("ROUNDS", "9")
    yaml("SEED: 9")
    assert load(Path("config.json")) == Settings()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"rounds": 0}', "ROUNDS = 0 (config.json): allowed is"),
        ('{"rouns": 3}', "rouns (config.json): unknown setting"),
    ],
)
def test_damaged_stored_settings_are_named(text: str, expected: str) -> None:
    Path("config.json").write_text(text)
    with pytest.raises(SettingsError, match=r"config\.json") as caught:
        load(Path("config.json"))
    assert expected in str(caught.value)


# ---------------------------------------------------------------------------------------------------
# The teacher's key


def test_the_key_is_found_in_the_environment_or_else_in_the_dotenv(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key() == ""
    Path(".env").write_text("OPENAI_API_KEY=from-file\n")
    assert find_key() == "from-file"
    monkeypatch.setenv("OPENAI_API_KEY", "")
    assert find_key() == "from-file"
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    assert find_key() == "from-environment"


def test_a_served_teacher_needs_a_key_or_an_address() -> None:
    with pytest.raises(SettingsError, match="gpt-4o-mini") as caught:
        require_teacher(settings(), "")
    for remedy in ("OPENAI_API_KEY", "TEACHER_BASE_URL", "--teacher builtin"):
        assert remedy in str(caught.value)
    require_teacher(settings(), "key")
    require_teacher(settings("--teacher-base-url", "http://127.0.0.1:8000/v1"), "")
    require_teacher(settings("--teacher", "builtin"), "")


def test_preset_auto_goes_by_the_card() -> None:
    for size, preset in ((11019, "2080ti"), (6144, "3060"), (24564, "3090"), (81920, "3090"), (4096, "cpu")):
        assert preset_by_card([Gpu("old", 0, 2048), Gpu("new", 0, size)]) == preset
    # No card is found here, or whatever is: that of the presets that it has room for.
    found = settings("--preset", "auto")
    name = preset_by_card(gpus())
    assert found == settings("--preset", name).model_copy(update={"preset": "auto"})
