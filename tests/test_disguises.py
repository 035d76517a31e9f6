import time

import pytest

from autotrain.disguises import undone


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("ｐａｓｓ１２", "pass12"),
        ("𝐩𝐚𝐬𝐬 ①②", "pass 12"),
        ("pa\u200bss\u00adwo\u2060rd\ufeff", "password"),
        (r"\x70\x61\u0073\u{73}\U00000077", "passw"),
        (r"\\u0067h", "gh"),
        ("x = 'abc' 'def'", "x = 'abcdef'"),
        ("x = ('abc'\n     'def')", "x = ('abcdef')"),
        ('x = "abc" + "def" + \\\n    "ghi"', 'x = "abcdefghi"'),
        ('x = ("abc"\n    + b"def")', 'x = ("abcdef")'),
        ("''.join(['abc', 'def', 'ghi'])", "('abcdefghi')"),
        ("b64decode('c2hvcDpPdHRlciFRdWFydHo=')", "b64decode('shop:Otter!Quartz')"),
        ("b64decode('c2hvcDo_Pz8_ZnJvbSBhYm92ZQ')", "b64decode('shop:????from above')"),
        ("fromhex('73686f703a4f7474657221')", "fromhex('shop:Otter!')"),
    ],
)
def test_a_disguise_is_undone(text: str, read: str) -> None:
    assert read in list(undone(text))


def test_disguises_in_one_another_are_undone() -> None:
    assert "('shop:Otter!Quartz')" in list(undone(r"('c2hvcDpP' 'dHRlciF' + '\x52\u200bdWFydHo=')"))


@pytest.mark.parametrize("text", ["x = 'txet'[::-1]", "nruter = 'txet' # nekot", "moc.pohs//:ptth"])
def test_what_is_written_backwards_is_turned_round(text: str) -> None:
    assert list(undone(text)) == [text[::-1]]


@pytest.mark.parametrize(
    "text",
    [
        "def add(a: int, b: int) -> int:\n    '''Add.'''\n    return a + b\n",
        "assert spell('a', '') == ['', ' ', '+', '\\n']\nassert spell(\"it's\") == '…'",
        "ops = {'+': add, '-': sub}\nprint('a', 'b', sep=' ')\n",
        "assert ratio(2, 3) == 0.6666666666666666 and key[:-1] == 'naïve – 日本語'",
        "The value of `some_long_function_name_2` stays; see https://docs.python.org/3/library/functions.html#sum.",
    ],
)
def test_nothing_is_made_of_ordinary_text(text: str) -> None:
    assert list(undone(text)) == []


def test_hostile_text_takes_time_in_proportion() -> None:
    for piece in ("' ", "'+", '"\n', "''.join(['a', ", "\\x", "\\", "a1B2", "\u200b", "' \\\n"):
        started = time.process_time()
        list(undone(piece * (100_000 // len(piece))))
        assert time.process_time() - started < 3, piece
