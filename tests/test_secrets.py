import ast
import base64
import inspect
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from autotrain.sample import Metadata, Sample
from autotrain.validate.filters import secret_filter
from autotrain.validate.secrets import Scanner, text_of

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
    drop = secret_filter(scanner)(sample(**fields))
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


def test_ordinary_functions_pass(scanner: Scanner) -> None:
    functions = standard_library_functions(2000)
    dropped = [code for code in functions if scanner.scan(code) is not None]
    assert len(functions) == 2000
    assert len(dropped) <= 20, dropped[:3]


def standard_library_functions(count: int) -> list[str]:
    found: list[str] = []
    for path in sorted(Path(inspect.getfile(ast)).parent.glob("*.py")):
        text = path.read_text(encoding="utf-8", errors="replace")
        lines = text.split("\n")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found.append("\n".join(lines[node.lineno - 1 : node.end_lineno]))
    return found[:count]


def test_a_scan_that_takes_too_long_drops_the_sample() -> None:
    drop = secret_filter(Scanner(environ={}, timeout=1e-9))(sample())
    assert drop is not None
    assert (drop.reason, drop.detail) == ("secret", "scanner failed: TimeoutError")


def test_text_that_the_engine_cannot_take_drops_the_sample(scanner: Scanner) -> None:
    drop = secret_filter(scanner)(sample(input="\ud800"))
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
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert message in done.stdout


def test_every_string_is_in_the_text_that_is_scanned() -> None:
    text = text_of(
        sample(input="IN", tests="TESTS", metadata=Metadata(entry_point="ENTRY", concepts=["CONCEPT"]))
    )
    assert all(
        word in text for word in ("r1-00001", "Add.", "IN", "Done.", "TESTS", "ENTRY", "CONCEPT", "concepts")
    )
