import base64
import subprocess
import sys
import time

import pytest

from autotrain.redact import redact

# Put together here, so that this file holds nothing that a scanner would find.
OPENAI = "sk-" + "proj-" + "a1B2" * 8
GITHUB = "gh" + "p_" + "a1B2" * 9


@pytest.mark.parametrize(
    "secret",
    [
        OPENAI,
        GITHUB,
        "AK" + "IA" + "A2B3C4D5" * 2,
        "xo" + "xb-" + "123456789012-abcdefghijkl",
        "h" + "f_" + "abcdEFGH" * 4,
        "glp" + "at-" + "a1B2" * 5,
        "AI" + "za" + "a1B2" * 9,
        "np" + "m_" + "a1B2" * 9,
        "py" + "pi-" + "AgEI" * 12,
        "S" + "G." + "a1B2" * 5 + "." + "c3D4" * 8,
        "sk" + "_live_" + "a1B2" * 6,
        "ey" + "J" + "a1B2" * 4 + ".ey" + "J" + "c3D4" * 4 + "." + "e5F6" * 6,
    ],
)
def test_a_key_is_taken_out_and_the_text_around_it_stays(secret: str) -> None:
    assert redact(f"call with {secret} failed", 200) == "call with [redacted] failed"


def test_a_value_of_the_environment_is_taken_out_whatever_it_looks_like(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MY_TEACHER_API_KEY", "plain words 42")
    monkeypatch.setenv("SHORT_TOKEN", "abc")
    assert redact("401 for plain words 42, abc", 200) == "401 for [redacted], abc"


def test_only_the_value_of_an_assignment_or_a_url_is_taken_out() -> None:
    value = "Tr0ub" + "4dor&3"
    assert redact(f'login(password="{value}")', 200) == 'login(password="[redacted]")'
    assert redact(f"postgres://me:{value}@db/x", 200) == "postgres://me:[redacted]@db/x"
    assert redact("Authorization: Bearer " + "a1B2" * 6, 200) == "Authorization: Bearer [redacted]"


def test_a_private_key_goes_whole() -> None:
    block = "-----BEGIN RSA PRIV" + "ATE KEY-----\nMIIabc\nDEF=\n-----END RSA PRIV" + "ATE KEY-----"
    assert redact(f"read {block} done", 200) == "read [redacted] done"


def test_a_cut_never_leaves_the_first_half_of_a_key() -> None:
    assert GITHUB[:8] not in redact("x" * 30 + " " + GITHUB, 40)


def test_a_key_hidden_by_escapes_is_found() -> None:
    hidden = OPENAI[:9] + "\x1b[1m" + OPENAI[9:15] + "\u200b" + OPENAI[15:]
    assert redact(hidden, 200) == "[redacted]"


@pytest.mark.parametrize(
    "hidden",
    [
        "ｇｈｐ" + GITHUB[3:],
        "".join(f"\\x{ord(character):02x}" for character in GITHUB),
        f"'{GITHUB[:9]}' + '{GITHUB[9:]}'",
        base64.b64encode(f"token {GITHUB}".encode()).decode(),
        f"token {GITHUB}".encode().hex(),
        f"{GITHUB[::-1]}"[:] + " [::-1]",
    ],
)
def test_a_text_with_a_hidden_key_is_withheld_whole(hidden: str) -> None:
    assert redact(f"failed at {hidden}", 400) == "[withheld: a secret was hidden in this text]"


def test_a_value_of_the_environment_is_taken_out_in_its_other_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TEACHER_API_KEY", "plain/words 42")
    assert redact("GET /?k=plain%2Fwords%2042 failed", 200) == "GET /?k=[redacted] failed"
    assert redact("24 sdrow/nialp", 200) == "[redacted]"
    assert redact(base64.b64encode(b"plain/words 42").decode(), 200).startswith("[withheld")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x9b2Jb", "ab"),
        ("user\u202egpj.exe", "usergpj.exe"),
        ("bell\x07 null\x00", "bell null"),
        ("one\r\ntwo\n\nthree\u2028four", "one two three four"),
        ("half \ud800 pair", "half ? pair"),
        ("naïve 日本語 🎉", "naïve 日本語 🎉"),
        ("\x1b[2J\x1b[1;1Hclear", "clear"),
        ("\x1b[38;2;255;0;0mtrue colour\x1b[m", "true colour"),
        ("\x1b]52;c;ZXZpbA==\x07clipboard", "clipboard"),
        ("\x1bP1$r0m\x1b\\device", "device"),
        ("\x1b_hidden\x1b\\shown", "shown"),
        ("\x9d0;title\x9cafter", "after"),
        ("\x1b]0;never ended", ""),
        ("cut \x1b[", "cut"),
        ("\x1bcreset", "reset"),
        ("a\rb\bc", "a bc"),
        ("\u2066isolate\u2069 \u200fmark \u061cletter", "isolate mark letter"),
        ("soft\xadhyphen zero\u200bwidth\ufeff", "softhyphen zerowidth"),
    ],
)
def test_nothing_that_moves_a_terminal_is_left(text: str, clean: str) -> None:
    assert redact(text, 200) == clean


def test_the_limit_counts_the_ellipsis() -> None:
    assert redact("x" * 50, 10) == "x" * 9 + "…"
    assert redact("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    "text",
    [
        'api_key = "YOUR_API_KEY"',
        "password=os.environ['DB_PASSWORD']",
        "usage: max_tokens=4096 token_count: 12",
        "postgres://user:password@localhost/db",
        "stage 03, round 2 of 3: 41/50 tests passed",
        "model revision 12fd25f77366fa6b3b4b768ec3050bf629380bac, sha256 " + "9f86d081884c7d65" * 4,
        "runs/run_20261122_232030_a1b2c3/data/tested_round_1.jsonl: 48 kept",
        "expected ['', '+', '-'] but got '' at line 3: it's not what `f('a')` returns",
    ],
)
def test_ordinary_messages_pass_unchanged(text: str) -> None:
    assert redact(text, 200) == text


def test_hostile_text_takes_time_in_proportion() -> None:
    pieces = ("password=", " ", "://a:", "-----BEGIN ", "sk-", "\x1b]", "token_", "PuTTY-User-Key-File-3:\n")
    pieces += ("key = '", "uthorization: a ", "a1B2c3D4", "\\", "' + '", "a@b.c1 ", "password password1! ")
    for piece in pieces:
        started = time.process_time()
        redact(piece * (100_000 // len(piece)), 500)
        assert time.process_time() - started < 3, piece


def test_importing_it_loads_no_rule_engine() -> None:
    code = "import sys, autotrain.redact; print('kingfisher_sdk' in sys.modules, 'pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
