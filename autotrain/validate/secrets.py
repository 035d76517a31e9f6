"""The secret scanner: a sample that holds anything like a key or a password is dropped whole.

Two layers: the rule set of kingfisher (in this process, never over the network) and our own shapes in
`autotrain.redact`. What it does not see: secrets split over several strings or built by code.
"""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from autotrain.errors import Refused
from autotrain.redact import find_secrets, live_secrets
from autotrain.sample import Sample


class Scanner:
    """The loaded rules; building one takes about 0.6 s, and about 6 s the first time on a machine.

    Raises Refused if the rules do not load or a planted canary is not caught.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, timeout: float = 2.0) -> None:
        self._live = live_secrets(environ)
        self._timeout = timeout
        try:
            import kingfisher_sdk

            self._engine = kingfisher_sdk.Scanner()
        except Exception as error:
            raise Refused(
                f"the secret scanner did not load ({type(error).__name__}: {error}), and without it nothing "
                "is kept; reinstall it with: pip install --force-reinstall kingfisher-secret-scanner"
            ) from error
        self._check_canaries()

    def scan(self, text: str) -> str | None:
        """The name of the first rule that `text` breaks, or None.

        Raises whatever the engine raises, TimeoutError among them: the caller must take that as a hit.
        """
        own = self._own_rule(text)
        return own if own is not None else self._engine_rule(text, self._timeout)

    def _own_rule(self, text: str) -> str | None:
        return next((finding.rule for finding in find_secrets(text, self._live)), None)

    def _engine_rule(self, text: str, timeout: float | None) -> str | None:
        findings = self._engine.scan(text, timeout=timeout)
        return next((finding.rule_id for finding in findings if finding.visible), None)

    def _check_canaries(self) -> None:
        # Put together here, so that no scanner ever finds a key in this file.
        canary = "gh" + "p_" + "".join("7Kq2Zx9Lm4"[place % 10] + "aRt"[place % 3] for place in range(18))
        line = f'value = "{canary}"\n'
        layers = {"own": self._own_rule(line), "kingfisher": self._engine_rule(line, None)}
        for layer, rule in layers.items():
            if rule is None:
                raise Refused(
                    f"the secret scanner missed its planted canary (a made-up GitHub token, {layer} rules): "
                    "it cannot be trusted, so nothing is kept; reinstall kingfisher-secret-scanner"
                )


def text_of(sample: Sample) -> str:
    """Every string of the sample, keys and the insides of JSON answers too, as one text to scan."""
    return "\n\n".join(_strings(sample.to_json()))


def _strings(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _strings(item, str(name))
        yield " ".join(str(name) for name in value)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item, key)
    elif isinstance(value, str):
        yield value
        # With its key, so that {"api_key": "…"} reads as the assignment that it is.
        if key and "\n" not in value:
            yield f'{key} = "{value}"'
        yield from _strings(_as_json(value))


def _as_json(text: str) -> Any:
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
