"""Personal data with a clear form: e-mail addresses, payment card numbers and bank account numbers.

Names, postal addresses and phone numbers have none, and are not looked for. What documentation gives as an
example is nobody's.
"""

import re

from autotrain.shapes import is_placeholder

_EMAIL = re.compile(
    r"([A-Za-z0-9](?<![\w.+-].)[\w.+-]{0,63})@((?:[A-Za-z0-9-]{1,63}\.){1,8})([A-Za-z]{2,24})(?![\w@-]|\.\w)"
)
# RFC 2606 and RFC 6761, and what never leaves a machine or a house.
_NO_TOPS = frozenset({"example", "test", "invalid", "localhost", "local", "lan", "internal", "localdomain"})
_NO_DOMAINS = re.compile(
    r"(?:.*\.)?(?:example\.(?:com|net|org)|localhost\..*|users\.noreply\.github\.com|noreply\.\w+\.com)", re.IGNORECASE
)
_NO_PEOPLE = re.compile(
    r"(?:no|not|donot|do-not)[._-]?reply|git|svn|hg|nobody|mailer-daemon|someone|somebody", re.IGNORECASE
)
_EXAMPLE_WORDS = re.compile(
    r"(?:domain|company|corp|email|mail|site|server|my|your|web|acme|[a-z])(?:\d|-|$)", re.IGNORECASE
)

# A text's form says at a glance whether a number can be in it: 0 a digit, A a capital, - a blank or dash.
_FORM = bytes(
    48 if chr(code).isdecimal() and code < 128 else 65 if 65 <= code <= 90 else 45 if chr(code) in " -" else 46
    for code in range(256)
)
_CARD_FORMS = (b"0" * 13, b"0000-0000-0000-0000", b"0000-000000-0000")
_CARD = re.compile(
    r"[2-6](?<![\w.,-].)(?:\d{12,18}|\d{3}([ -])\d{4}\1\d{4}\1\d{4}|\d{3}([ -])\d{6}\2\d{4,5})(?![\w-]|[.,]\d)"
)
# What the issuers' numbers begin with, and how long they are.
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|2720\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}"  # Discover
    r"|35(?:2[89]|[3-8]\d)\d{12}"  # JCB
    r"|3(?:0[0-5]|[68]\d)\d{11}"  # Diners Club
    r"|62\d{14,17}"  # UnionPay
)
# The numbers that payment services publish for tests.
_TEST_CARDS = frozenset(
    """
    4242424242424242 4000056655665556 4000000000000002 4000000000009995 4000002500003155 4000000000003220
    4111111111111111 4012888888881881 4222222222222 4917610000000000 4917610000000000003 4005519200000004
    4009348888881881 4012000033330026 4532015112830366 4539578763621486 4916338506082832 4556737586899855
    4485275742308327 4024007103939509 4000000000000069 4000000000000119 4000000000000127 4000000000000341
    4000000000009987 4000000000009979 5555555555554444 5200828282828210 5105105105105100 5454545454545454
    5425233430109903 5431111111111111 5424000000000015 2223003122003222 2222420000001113 2223000048400011
    2223000010309703 5399999999999999 378282246310005 371449635398431 378734493671000 370000000000002
    341111111111111 374245455400126 343434343434343 6011111111111117 6011000990139424 6011000000000004
    6011981111111113 6011601160116611 6510000000000000 3566002020360505 3530111333300000 3566111111111113
    3528000000000007 3569990010095841 3056930009020004 30569309025904 38520000023237 36227206271667
    36700102000000 36148900647913 36006666333344 6205500000000000004 6200000000000005 6243030000000001
    6212345678901265
    """.split()  # noqa: SIM905
)  # fmt: skip

_IBAN = re.compile(r"[A-Z]{2}\d{2}(?<![A-Za-z0-9]....)(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])")
# How long an account number of each country is.
_IBAN_LENGTHS = {
    entry[:2]: int(entry[2:])
    for entry in """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18
    FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21
    LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27
    ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20
    """.split()  # noqa: SIM905
}
# The registry's own examples, and those of encyclopedias.
_EXAMPLE_IBANS = frozenset(
    """
    AD1200012030200359100100 AE070331234567890123456 AL47212110090000000235698741 AT611904300234573201
    AZ21NABZ00000000137010001944 BA391290079401028494 BE68539007547034 BE71096123456769 BG80BNBG96611020345678
    BH67BMAG00001299123456 BR1800360305000010009795493C1 BY13NBRB3600900000002Z00AB00 CH9300762011623852957
    CR05015202001026284066 CY17002001280000001200527600 CZ6508000000192000145399 DE89370400440532013000
    DE91100000000123456789 DK5000400440116243 DO28BAGR00000001212453611324 EE382200221020145685
    EG380019000500000000263180002 ES9121000418450200051332 FI2112345600000785 FO6264600001631634
    FR1420041010050500013M02606 FR7630006000011234567890189 GB29NWBK60161331926819 GB33BUKB20201555555555
    GB82WEST12345698765432 GB94BARC10201530093459 GE29NB0000000101904917 GI75NWBK000000007099453 GL8964710001000206
    GR1601101250000000012300695 GT82TRAJ01020000001210029690 HR1210010051863000160 HU42117730161111101800000000
    IE29AIBK93115212345678 IE64IRCE92050112345678 IL620108000000099999999 IQ98NBIQ850123456789012
    IS140159260076545510730399 IT60X0542811101000000123456 JO94CBJO0010000000000131000302
    KW81CBKU0000000000001234560101 KZ86125KZT5004100100 LB62099900000001001901229114
    LC55HEMM000100010012001200023015 LI21088100002324013AA LT121000011101001000 LU280019400644750000
    LV80BANK0000435195001 MC5811222000010123456789030 MD24AG000225100013104168 ME25505000012345678951
    MK07250120000058984 MR1300020001010000123456753 MT84MALT011000012345MTLCAST001S
    MU17BOMM0101101030300200000MUR NL91ABNA0417164300 NO9386011117947 PK36SCBL0000001123456702
    PL61109010140000071219812874 PS92PALS000000000400123456702 PT50000201231234567890154
    QA58DOHB00001234567890ABCDEFG RO49AAAA1B31007593840000 RS35260005601001611379 SA0380000000608010167519
    SC18SSCB11010000000000001497USD SE4550000000058398257466 SI56263300012039086 SK3112000000198742637541
    SM86U0322509800000000270100 ST68000100010051845310112 SV62CENR00000000000000700025 TL380080012345678910157
    TN5910006035183598478831 TR330006100519786457841326 UA213223130000026007233566001 VA59001123000012345678
    VG96VPVG0000012345678901 XK051212012345678906
    """.split()  # noqa: SIM905
)  # fmt: skip


def find_pii(text: str) -> str | None:
    """The first kind of personal data in `text`, `e-mail`, `card-number` or `iban`, or None."""
    if "@" in text and any(not _is_nobodys(*match.groups()) for match in _EMAIL.finditer(text)):
        return "e-mail"
    form = text.encode("ascii", "replace").translate(_FORM)
    if any(digits in form for digits in _CARD_FORMS):
        cards = (re.sub(r"[ -]", "", match[0]) for match in _CARD.finditer(text))
        # An exercise on the check itself cannot do without numbers that pass it.
        if any(map(_is_card, cards)) and "luhn" not in text.lower():
            return "card-number"
    if b"AA00" in form and any(_is_iban(match[0].replace(" ", "")) for match in _IBAN.finditer(text)):
        return "iban"
    return None


def _is_nobodys(local: str, domain: str, top: str) -> bool:
    if top.lower() in _NO_TOPS or _NO_DOMAINS.fullmatch(domain + top) or _NO_PEOPLE.fullmatch(local):
        return True
    names = domain.rstrip(".").split(".")
    return all(is_placeholder(name) or bool(_EXAMPLE_WORDS.match(name)) for name in names)


def _is_card(digits: str) -> bool:
    if digits in _TEST_CARDS or len(set(digits)) <= 3 or not _ISSUED.fullmatch(digits):
        return False
    doubled = "0246813579"
    return (
        sum(int(doubled[int(digit)]) if place % 2 else int(digit) for place, digit in enumerate(digits[::-1])) % 10 == 0
    )


def _is_iban(account: str) -> bool:
    if account in _EXAMPLE_IBANS or _IBAN_LENGTHS.get(account[:2]) != len(account):
        return False
    return int("".join(str(int(character, 36)) for character in account[4:] + account[:4])) % 97 == 1
