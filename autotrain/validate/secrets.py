"""The secret scanner: a sample that holds anything like a key or a password is dropped whole.

Two layers: the rule set of kingfisher (in this process, never over the network) and our own rules in
`autotrain.shapes`, each run on the text as it stands and with its disguises undone. What it does not see: secrets
that code builds step by step, or that were encoded twice.
"""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from autotrain.disguises import undone
from autotrain.errors import Refused
from autotrain.redact import live_secrets
from autotrain.sample import Sample
from autotrain.shapes import find_secrets
from autotrain.validate.canaries import canaries, plain_canary
from autotrain.validate.pii import find_pii

TEXTS_A_SCAN = 25


@dataclass(frozen=True)
class Hit:
    """What a sample is dropped for: the rule's name, never the value nor the text around it."""

    rule: str
    kind: Literal["secret", "pii"]


class Scanner:
    """The loaded rules; building one takes about 0.6 s, and about 6 s the first time on a machine.

    `timeout` is in seconds for one text; `pii` says whether personal data is looked for too. Raises Refused if the
    rules do not load or a planted canary is not caught.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, timeout: float = 2.0, *, pii: bool = True) -> None:
        self._live = live_secrets(environ)
        self._timeout = timeout
        self._pii = pii
        try:
            import kingfisher_sdk

            # Without a policy, comments like `kingfisher:ignore` change nothing.
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
        hit = self._hit(text)
        return hit.rule if hit else None

    def scan_samples(self, samples: Sequence[Sample]) -> list[Hit | None]:
        """What is found in any string of each sample, or None. Raises nothing: a scan that fails is a hit."""
        texts = [text_of(sample) for sample in samples]
        hits: list[Hit | None] = []
        for start in range(0, len(texts), TEXTS_A_SCAN):
            part = texts[start : start + TEXTS_A_SCAN]
            clean = self._engine_finds_nothing(part)
            hits += [self._try(text, clean) for text in part]
        return hits

    def _engine_finds_nothing(self, texts: Sequence[str]) -> bool:
        """Whether the engine has seen these texts as one and found nothing, which is half the price."""
        if len(texts) < 2:
            return False
        try:
            return self._engine_rule("\n\n\n".join(texts), time.monotonic() + self._timeout) is None
        except Exception:
            return False  # each is asked alone then, and says what is wrong

    def _try(self, text: str, seen_by_engine: bool) -> Hit | None:
        try:
            return self._hit(text, seen_by_engine)
        except Exception as error:
            return Hit(f"scanner failed: {type(error).__name__}", "secret")

    def _hit(self, text: str, seen_by_engine: bool = False) -> Hit | None:
        deadline = time.monotonic() + self._timeout
        personal: str | None = None
        for variant in (text, *undone(text)):
            rule = self._own_rule(variant)
            if rule is None and not (seen_by_engine and variant is text):
                rule = self._engine_rule(variant, deadline)
            if rule is not None:
                return Hit(rule, "secret")
            if self._pii and personal is None:
                personal = find_pii(variant)
            if time.monotonic() > deadline:
                raise TimeoutError
        return Hit(personal, "pii") if personal else None

    def _own_rule(self, text: str) -> str | None:
        return next((finding.rule for finding in find_secrets(text, self._live)), None)

    def _engine_rule(self, text: str, deadline: float) -> str | None:
        findings = self._engine.scan(text, timeout=max(deadline - time.monotonic(), 1e-9))
        return next((finding.rule_id for finding in findings if finding.visible), None)

    def _check_canaries(self) -> None:
        missed = [] if self._engine_rule(plain_canary(), time.monotonic() + 60) else ["kingfisher's rules"]
        for name, text in canaries().items():
            if not any(self._own_rule(variant) for variant in (text, *undone(text))):
                missed.append(name)
        if self._pii and find_pii("to ada@" + "lovelace.name") is None:
            missed.append("personal data")
        if missed:
            raise Refused(
                f"the secret scanner missed its planted canary ({', '.join(missed)}): it cannot be trusted, so "
                "nothing is kept; reinstall kingfisher-secret-scanner and autotrain"
            )


def text_of(sample: Sample) -> str:
    """Every string of the sample, keys and the insides of JSON answers too, as one text to scan."""
    found: list[str] = []
    _collect(sample.to_json(), "", found)
    return "\n\n".join(found)


def _collect(value: Any, key: str, found: list[str]) -> None:
    if isinstance(value, str):
        # With its key, so that {"api_key": "…"} reads as the assignment that it is.
        found.append(f'{key} = "{value}"' if key and "\n" not in value else value)
        if value.lstrip().startswith(("{", "[")):
            _collect(_as_json(value), "", found)
    elif isinstance(value, dict):
        for name, item in value.items():
            _collect(item, str(name), found)
        found.append(" ".join(map(str, value)))
    elif isinstance(value, list):
        for item in value:
            _collect(item, key, found)


def _as_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
