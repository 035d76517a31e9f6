"""YAML that people write by hand. It is read in bounds, and nothing in it makes anything but plain values."""

from pathlib import Path
from typing import Any


def read_yaml(path: Path, most_kib: int, depth: int) -> Any:
    """The value in a YAML 1.2 file, in which 2e-4 is a number and `no` is text; nested at most `depth` deep.

    Raises OSError if it cannot be read, ValueError in one line if it is no such file.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with path.open("rb") as stream:
        content = stream.read(1024 * most_kib + 1)
    if len(content) > 1024 * most_kib:
        raise ValueError(f"it is longer than {most_kib} KiB")
    try:
        text = content.decode("utf-8")
        _check_form(text, depth)
        return YAML(typ="safe", pure=True).load(text)
    # The library raises these too, where a value is not what its tag says.
    except (YAMLError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        words = " ".join(str(error).split())
        known = isinstance(error, YAMLError | ValueError | RecursionError)
        raise ValueError(words if known else f"a value is not what its tag says: {words}") from None


def _check_form(text: str, depth: int) -> None:
    """Refuse what would take long to read, or would be larger than it looks, before it is read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent

    at = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        if isinstance(event, CollectionStartEvent):
            at += 1
            line = f"line {event.start_mark.line + 1}"
            if event.anchor is not None:
                raise ValueError(f"{line}: a list or mapping with an anchor (&{event.anchor}) is not read")
            if at > depth:
                raise ValueError(f"{line}: nested more than {depth} deep")
        elif isinstance(event, CollectionEndEvent):
            at -= 1
