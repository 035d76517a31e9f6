import base64
import random
import string

import pytest

from autotrain.entropy import NAMED, decoded, looks_random

ALPHABETS = {
    "hex": ("0123456789abcdef", 32),
    "upper hex": ("0123456789ABCDEF", 40),
    "base32": (string.ascii_uppercase + "234567", 32),
    "lower case": (string.ascii_lowercase + string.digits, 32),
    "base64": (string.ascii_letters + string.digits + "+/", 32),
    "base64url": (string.ascii_letters + string.digits + "-_", 32),
    "base58": ("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", 32),
    "mixed": (string.ascii_letters + string.digits, 24),
}


@pytest.mark.parametrize("alphabet", ALPHABETS)
def test_random_strings_are_told_by_their_looks(alphabet: str) -> None:
    draw = random.Random(alphabet)
    characters, length = ALPHABETS[alphabet]
    strings = ["".join(draw.choices(characters, k=length)) for _ in range(300)]
    assert sum(map(looks_random, strings)) >= 285


@pytest.mark.parametrize(
    "run",
    [
        "test_that_utf8_names_2_and_3_are_read_back",
        "https://docs.python.org/3/library/stdtypes.html",
        "HTTPServerConnectionFactory2Implementation",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "0123456789abcdef0123456789abcdef",
        "ACGTACGTTAGCCGATACGATTACAGATTACA",
        "1010110101010101110101010101010101011",
        "3.14159265358979323846264338327950288",
        "MAX_SAMPLE_CHARS_PER_ROUND_2_OF_3",
        "run_20261122_232030_a1b2c3",
        "12345678-1234-5678-1234-567812345678",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "----------------------------------------",
    ],
)
def test_what_people_write_is_not(run: str) -> None:
    assert not looks_random(run)


def test_a_key_within_a_path_is_seen_and_a_name_before_it_lowers_the_bar() -> None:
    short = "q7Zt0Wn3Kx9R"
    assert looks_random("services/hooks/" + short + "b5Vh2Lp8Sd4Gf" + "/latest")
    assert not looks_random(short)
    assert looks_random(short, NAMED)


def test_only_printable_text_is_decoded() -> None:
    assert decoded(base64.b64encode(b"any plain text").decode()) == "any plain text"
    assert decoded(b"any plain text".hex().upper()) == "any plain text"
    assert decoded(base64.b64encode(bytes(range(200, 230))).decode()) is None
    assert decoded("3333333333333333") is None
