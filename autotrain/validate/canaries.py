"""Made-up secrets that the scanner must find before it is believed: one for each layer and each disguise.

They are put together when they are asked for, so that no scanner ever finds a key in this file.
"""

import base64
import json


def plain_canary() -> str:
    """A line with a made-up GitHub token, which any rule set knows."""
    token = "gh" + "p_" + "".join("7Kq2Zx9Lm4"[place % 10] + "aRt"[place % 3] for place in range(18))
    return f'value = "{token}"\n'


def canaries() -> dict[str, str]:
    """For each rule and each disguise, by name, a text that is to be found."""
    password = "Ot" + "ter!Quartz" + "42"
    address = "postgres" + f"://shop:{password}@db1.intern/shop"
    halves = [json.dumps(address[:14]), json.dumps(address[14:])]
    encoded = base64.b64encode(address.encode()).decode()
    return {
        "prefixes": plain_canary(),
        "key blocks": "-----BEGIN OPENSSH PRIV" + "ATE KEY-----\n",
        "addresses": address,
        "assignments": f'password = "{password}"',
        "headers": "Authorization: Bea" + "rer 0a1-0b2-0c3-0d4-0e5",
        "random strings": 'x = "' + "q7Zt0Wn3Kx" + "9Rb5Vh2Lp8Sd4" + 'Gf"',
        "look-alikes": "".join(
            chr(ord(character) + 0xFEE0) if character.isalpha() else character for character in address
        ),
        "invisible characters": "\u200b".join(address) + "\xad",
        "escapes": "".join(f"\\x{ord(character):02x}" for character in address[:9])
        + "".join(f"\\u{ord(character):04x}" for character in address[9:]),
        "seams": f"x = ({halves[0]}\n    + {halves[1]})",
        "joined literals": f'"".join([{", ".join(halves)}])',
        "reversed": f"x = {json.dumps(address[::-1])}[::-1]",
        "base64": f'x = b64decode("{encoded}")',
        "hex": f'x = bytes.fromhex("{address.encode().hex()}")',
    }
