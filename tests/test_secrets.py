import ast
import base64
import hashlib
import inspect
import json
import subprocess
import sys
import textwrap
import time
from collections import Counter
from pathlib import Path
from urllib.parse import quote

import pytest
from secret_kinds import evasions, held_out, kinds

from autotrain.generate.builtin import builtin_samples
from autotrain.sample import Metadata, Sample
from autotrain.validate.canaries import plain_canary
from autotrain.validate.filters import secret_filter
from autotrain.validate.secrets import Hit, Scanner, text_of

# Put together here, so that this file holds nothing that a scanner would find.
GITHUB = "gh" + "p_" + "a1B2" * 9
PASSWORD = "Tr0ub" + "4dor&3"


@pytest.fixture(scope="module")
def scanner() -> Scanner:
    return Scanner(environ={"TEACHER_API_KEY": "plain-local-words", "HOME": "/home/somebody"})


def sample(**fields: object) -> Sample:
    return Sample.model_validate({"id": "r1-00001", "instruction": "Add.", "output": "Done.", **fields})


@pytest.mark.parametrize(
    "text",
    [
        f"token = '{GITHUB}'",
        f'db = connect(password="{PASSWORD}")',
        f'config = {{"db_password": "{PASSWORD}"}}',
        f"mysql://root:{PASSWORD}@10.0.0.5/shop",
        "api_key: " + "9f8a7b6c5d" * 2,
        "-----BEGIN OPENSSH PRIV" + "ATE KEY-----\nb3BlbnNzaC1rZXk\n",
        "A key that only the rule set knows: sk-" + "ant-api03-" + "a1B2c3D4_" * 10 + "AA",
        base64.b64encode(("token gh" + "p_" + "oHwLMeaZq9DZDNj7Kq2Zx9Lm4aRt0bVc1XyE").encode()).decode(),
    ],
)
def test_planted_secrets_are_caught(scanner: Scanner, text: str) -> None:
    assert scanner.scan(text) is not None


def test_a_key_of_the_environment_is_caught_and_its_variable_named(scanner: Scanner) -> None:
    assert scanner.scan("print('plain-local-words')") == "environment:TEACHER_API_KEY"
    assert scanner.scan("cd /home/somebody") is None


@pytest.mark.parametrize(
    "fields",
    [
        {"id": GITHUB},
        {"instruction": f"Use {GITHUB}."},
        {"input": f"x = {GITHUB!r}"},
        {"output": f"```python\nx = {GITHUB!r}\n```"},
        {"tests": f"assert f() == {GITHUB!r}"},
        {"metadata": Metadata(concepts=["loops", GITHUB])},
        {"metadata": Metadata.model_validate({"note": {"deep": [GITHUB]}})},
        {"metadata": Metadata.model_validate({GITHUB: 1})},
        {"metadata": Metadata.model_validate({"api_key": "9f8a7b6c5d" * 2})},
        {"output": json.dumps({"edits": [{"replace": f'password = "{PASSWORD}"\n'}]})},
        {"output": json.dumps({"edits": GITHUB}).replace("gh", "\\u0067h")},
    ],
)
def test_a_secret_in_any_string_drops_the_sample(scanner: Scanner, fields: dict[str, object]) -> None:
    [drop] = secret_filter(scanner)([sample(**fields)])
    assert drop is not None
    assert drop.reason == "secret"
    assert GITHUB not in drop.detail
    assert PASSWORD not in drop.detail


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme"',
        'api_key = "YOUR_API_KEY"',
        'api_key = "<your key here>"',
        'token = "test-token-123"',
        "PASSWORD=${DB_PASSWORD}",
        "password = getpass.getpass()",
        "secret_key = derive_key_sha256(salt)",
        'errors["password"] = "required"',
        '{"token": "identifier", "max_tokens": 4096}',
        "for token in tokens: position2 = token.start",
        'url = f"postgres://{user}:{password}@{host}/db"',
    ],
)
def test_placeholders_and_code_about_secrets_pass(scanner: Scanner, text: str) -> None:
    assert scanner.scan(text) is None


def test_ids_and_digests_pass(scanner: Scanner) -> None:
    digest = hashlib.sha256(b"some file").hexdigest()
    short = hashlib.md5(b"some file").hexdigest()
    uuid = f"{short[:8]}-{short[8:12]}-{short[12:16]}-{short[16:20]}-{short[20:]}"
    assert scanner.scan_samples([sample(id=digest, metadata=Metadata.model_validate({"request_id": short}))]) == [None]
    assert scanner.scan_samples([sample(id=uuid, input=f"assert hashlib.md5(data).hexdigest() == '{short}'")]) == [None]
    assert scanner.scan(f"https://github.com/team/repo/blob/{digest[:40]}/main.py") is None
    assert scanner.scan(f"x = '{digest}'") == "random-string"
    assert scanner.scan(f"api_key = '{digest}'  # sha256") == "assigned-secret"


def test_ordinary_functions_pass(scanner: Scanner) -> None:
    functions = standard_library_functions(1000)
    dropped = [code for code in functions if scanner.scan(code) is not None]
    assert len(functions) == 1000
    assert len(dropped) <= 10, dropped[:3]


def standard_library_functions(count: int) -> list[str]:
    found: list[str] = []
    for path in sorted(Path(inspect.getfile(ast)).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = text.split("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
        if len(found) >= count:
            break
    return found[:count]


def test_no_builtin_sample_is_dropped(scanner: Scanner) -> None:
    samples = list(builtin_samples(150, 11, 1))
    assert scanner.scan_samples(samples) == [None] * 150


# ---------------------------------------------------------------------------------------------------
# The labelled set: kinds of secrets in their usual places, and each hidden in sixteen ways


@pytest.fixture(scope="module")
def patient(scanner: Scanner) -> Scanner:
    """A scanner that a busy machine does not stop: what is asked here is what it finds."""
    return Scanner(environ={}, timeout=60)


def test_the_set_has_enough_kinds() -> None:
    assert len(kinds()) >= 120
    assert len({kind.title for kind in kinds()}) == len({kind.plain for kind in kinds()}) == len(kinds())
    assert sum(map(held_out, kinds())) >= len(kinds()) / 4


@pytest.mark.parametrize("unseen", [False, True])
def test_nearly_all_kinds_are_found_in_plain_text(patient: Scanner, unseen: bool) -> None:
    asked = [kind for kind in kinds() if held_out(kind) == unseen]
    missed = [kind.title for kind in asked if patient.scan(kind.plain) is None]
    assert len(missed) <= 0.03 * len(asked), missed


@pytest.mark.parametrize("unseen", [False, True])
def test_nearly_all_kinds_are_found_when_they_are_hidden(patient: Scanner, unseen: bool) -> None:
    asked = [(kind, *hidden) for kind in kinds() if held_out(kind) == unseen for hidden in evasions(kind)]
    missed = Counter(evasion for _, evasion, text in asked if patient.scan(text) is None)
    assert sum(missed.values()) <= 0.03 * len(asked), missed


@pytest.mark.parametrize(
    "comment", ["pragma: allowlist secret", "gitleaks:allow", "kingfisher:ignore", "nosec", "trufflehog:ignore"]
)
def test_no_comment_lets_a_secret_through(patient: Scanner, comment: str) -> None:
    line = f"{plain_canary().rstrip()}  # {comment}\n"
    assert patient.scan(line) is not None
    assert patient._engine_rule(f"# {comment}\n{line}", time.monotonic() + 60) is not None


def test_the_rule_engine_finds_what_our_own_rules_do_not_know(patient: Scanner) -> None:
    by_engine = [kind for kind in kinds() if patient._engine_rule(kind.plain, time.monotonic() + 60)]
    by_ours = [kind for kind in kinds() if patient._own_rule(kind.plain)]
    assert len(by_engine) >= 0.4 * len(kinds())
    assert len(by_ours) >= 0.9 * len(kinds())


# ---------------------------------------------------------------------------------------------------
# Personal data


EMAIL = "ada.king" + "@" + "lovelace-family.co.uk"


def test_personal_data_is_a_kind_of_its_own_that_can_be_switched_off(scanner: Scanner) -> None:
    found = sample(instruction=f"Write to {EMAIL}.")
    assert scanner.scan_samples([found]) == [Hit("e-mail", "pii")]
    assert Scanner(environ={}, pii=False).scan_samples([found]) == [None]


def test_a_secret_outweighs_personal_data(scanner: Scanner) -> None:
    [hit] = scanner.scan_samples([sample(instruction=f"Write to {EMAIL}.", input=f'token = "{GITHUB}"')])
    assert hit is not None
    assert hit.kind == "secret"


# ---------------------------------------------------------------------------------------------------
# Many at once, and what goes wrong


def test_many_samples_are_judged_as_each_alone(scanner: Scanner) -> None:
    samples = [
        sample(),
        sample(input=f'token = "{GITHUB}"'),
        sample(instruction=f"Write to {EMAIL}."),
        sample(input="\ud800"),
        sample(output=f'x = "{PASSWORD[::-1]}"[::-1]  # password'),
    ]
    assert scanner.scan_samples(samples) == [scanner.scan_samples([one])[0] for one in samples]
    assert scanner.scan_samples(samples[2:3]) == [Hit("e-mail", "pii")]
    assert scanner.scan_samples([]) == []


def test_a_key_of_the_environment_is_caught_in_all_its_forms() -> None:
    value = "correct horse/battery?"
    scanner = Scanner(environ={"MY_TOKEN": value})
    forms = {
        "plain": value,
        "base64": base64.b64encode(value.encode()).decode(),
        "quoted": quote(value, safe=""),
        "reversed": value[::-1],
        "escaped": "".join(f"\\x{ord(character):02x}" for character in value),
    }
    rules = {form: scanner.scan(f'x = "{text}"') for form, text in forms.items()}
    assert all(str(rule).startswith("environment:MY_TOKEN") for rule in rules.values()), rules


def test_a_scan_that_takes_too_long_drops_the_sample() -> None:
    scanner = Scanner(environ={}, timeout=1e-9)
    assert scanner.scan_samples([sample()]) == [Hit("scanner failed: TimeoutError", "secret")]
    [drop] = secret_filter(scanner)([sample()])
    assert drop is not None
    assert (drop.reason, drop.detail) == ("secret", "scanner failed: TimeoutError")


def test_text_that_the_engine_cannot_take_drops_the_sample(scanner: Scanner) -> None:
    [drop] = secret_filter(scanner)([sample(input="\ud800")])
    assert drop is not None
    assert (drop.reason, drop.detail) == ("secret", "scanner failed: UnicodeEncodeError")


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("raise ImportError('no such CPU')", "did not load (ImportError: no such CPU)"),
        ("class Scanner:\n    def scan(self, text, timeout=None): return []", "missed its planted canary"),
    ],
)
def test_a_scanner_that_does_not_work_refuses_to_start(tmp_path: Path, engine: str, message: str) -> None:
    (tmp_path / "kingfisher_sdk.py").write_text(engine)
    code = f"""
        import sys
        sys.path.insert(0, {str(tmp_path)!r})
        from autotrain.errors import Refused
        from autotrain.validate.secrets import Scanner
        try:
            Scanner()
        except Refused as error:
            print(error)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True)
    assert message in done.stdout


def test_every_string_is_in_the_text_that_is_scanned() -> None:
    text = text_of(sample(input="IN", tests="TESTS", metadata=Metadata(entry_point="ENTRY", concepts=["CONCEPT"])))
    assert all(word in text for word in ("r1-00001", "Add.", "IN", "Done.", "TESTS", "ENTRY", "CONCEPT", "concepts"))
