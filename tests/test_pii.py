import time

import pytest

from autotrain.validate.pii import find_pii

# Put together here, so that this file holds no address and no number that anyone could own.
EMAIL = "ada.king" + "@" + "lovelace-family.co.uk"
CARD = "4539" + "1234" + "5678" + "9014"
AMEX = "3714" + "123456" + "12344"
IBAN = "DE" + "81" + "500105175407324999"


def luhn(digits: str) -> str:
    """The digits with their last one made right."""
    for last in "0123456789":
        total = 0
        for place, digit in enumerate(reversed(digits[:-1] + last)):
            doubled = int(digit) * (2 if place % 2 else 1)
            total += doubled - 9 if doubled > 9 else doubled
        if total % 10 == 0:
            return digits[:-1] + last
    raise AssertionError(digits)


def mod97(account: str) -> str:
    """The account number with its check digits made right."""
    number = int("".join(str(int(character, 36)) for character in account[4:] + account[:2] + "00"))
    return f"{account[:2]}{98 - number % 97:02d}{account[4:]}"


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (f"mail {EMAIL}.", "e-mail"),
        (f'"{EMAIL}"', "e-mail"),
        (f"<{EMAIL}>,", "e-mail"),
        (f"mailto:{EMAIL}", "e-mail"),
        (f"card = '{luhn(CARD)}'", "card-number"),
        ("paid with " + " ".join(luhn(CARD)[place : place + 4] for place in range(0, 16, 4)), "card-number"),
        ("paid with " + "-".join(luhn(CARD)[place : place + 4] for place in range(0, 16, 4)), "card-number"),
        (luhn(AMEX), "card-number"),
        (f"{luhn(AMEX)[:4]} {luhn(AMEX)[4:10]} {luhn(AMEX)[10:]}", "card-number"),
        (f"send it to {mod97(IBAN)}", "iban"),
        (" ".join(mod97(IBAN)[place : place + 4] for place in range(0, 22, 4)), "iban"),
    ],
)
def test_personal_data_is_named_by_its_kind(text: str, rule: str) -> None:
    assert find_pii(text) == rule


@pytest.mark.parametrize(
    "text",
    [
        "ada@example.com, bob@mail.example.org, c@x.test, d@localhost, e@db.localhost, f@my.invalid",
        "user@domain.com foo@bar.com test@test.com a@b.co your.name@company.com",
        "noreply@github.com 123+bot@users.noreply.github.com git@github.com:team/repo.git",
        "@decorator.with.dots and a @ b and x@y and pkg@1.2.3",
        "matrix = a@b.T",
        "4242 4242 4242 4242 and 4111-1111-1111-1111 and 378282246310005",
        "number = 4539148803436468",
        "x = 4444444444444448 + 0.4539123456789014",
        "DE89 3704 0044 0532 0130 00 and GB82WEST12345698765432",
        "CONST_AB12CDEF34567890 = 'AB12 CDEF 3456'",
        "",
    ],
)
def test_examples_and_near_misses_pass(text: str) -> None:
    assert find_pii(text) is None


def test_a_wrong_check_digit_is_no_number() -> None:
    card, account = luhn(CARD), mod97(IBAN)
    assert find_pii(card[:-1] + str((int(card[-1]) + 1) % 10)) is None
    assert find_pii(account[:-1] + str((int(account[-1]) + 1) % 10)) is None


def test_an_exercise_on_the_luhn_check_may_have_numbers_that_pass_it() -> None:
    assert find_pii(f"assert luhn('{luhn(CARD)}') is True") is None


def test_hostile_text_takes_time_in_proportion() -> None:
    for piece in ("4", "4 ", "4111-", "a@b.", "a.", "@", "AA00", "DE00 "):
        started = time.process_time()
        find_pii("@" + piece * (100_000 // len(piece)) + " 0000000000000")
        assert time.process_time() - started < 2, piece
