"""Changing single settings in a config.yaml: only their lines change, all else stays as it was written."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotrain.errors import SettingsError
from autotrain.files import replace_text
from autotrain.redact import redact
from autotrain.sources import Source, from_yaml, merge

HEADER = "# Saved by the menu. README.md lists all settings; flags, the environment and .env win over this file.\n"


def save_settings(path: Path, changes: Mapping[str, Any]) -> None:
    """Write these settings (by field name; None takes one away) into `path`, atomically.

    Raises SettingsError, and leaves the file alone, if it is broken, if the result would not be allowed,
    or if its form is one in which single lines cannot be changed.
    """
    before = from_yaml(path)
    if before.problems:
        raise SettingsError("\n".join(before.problems))
    for name, value in changes.items():
        # A folder may have a digest for its name, as those of downloaded models have.
        shown = isinstance(value, str) and (redact(value, len(value) + 1) == value.strip() or Path(value).exists())
        if isinstance(value, str) and not shown:
            raise SettingsError(f"{name.upper()} looks like a secret, or holds control characters; it is not saved")
    wanted = {**before.values, **changes}
    wanted = {name: value for name, value in wanted.items() if value is not None or name not in changes}
    merge([Source(str(path), wanted)])
    if wanted == before.values:
        return
    # As it is on the disk: line ends too.
    text = path.read_bytes().decode("utf-8") if path.exists() else HEADER
    after = changed_text(text, changes)
    if _values(after) != wanted:
        raise SettingsError(f"{path} is not written one `NAME: value` a line; change {_listed(changes)} by hand")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_text(path.resolve(), after)


def changed_text(text: str, changes: Mapping[str, Any]) -> str:
    """The YAML `text` with these settings changed, added at its end or (None) taken away with their line."""
    entries = _entries(text)
    end = "\r\n" if "\r\n" in text else "\n"
    upper, indent = False, ""
    edits: list[tuple[int, int, str]] = []
    added = ""
    for key, _, _ in entries.values():
        upper, indent = key.value.isupper(), " " * key.start_mark.column
    for name, value in changes.items():
        if name not in entries:
            if value is not None:
                added += f"{indent}{name.upper() if upper else name}: {_scalar(value)}{end}"
            continue
        key, value_start, value_end = entries[name]
        if value is None:
            line_start = text.rfind("\n", 0, key.start_mark.index) + 1
            edits.append((line_start, _next_line(text, value_end), ""))
        else:
            # A text over several lines ends with its last line's end.
            after = end if text[value_start:value_end].endswith("\n") else ""
            before = "" if text[value_start - 1 : value_start].isspace() else " "
            edits.append((value_start, value_end, before + _scalar(value) + after))
    for start, stop, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[stop:]
    if added and text and not text.endswith("\n"):
        text += end
    return text + added


def _entries(text: str) -> dict[str, tuple[Any, int, int]]:
    """The settings in a YAML mapping, by field name: key, and where its value begins and ends in the text."""
    from ruamel.yaml import YAML, MappingNode

    root = YAML(pure=True).compose(text)
    entries = {}
    for key, value in root.value if isinstance(root, MappingNode) else []:
        start, end = value.start_mark.index, value.end_mark.index
        if start == end:
            # An absent value is said to be where the next line begins.
            start = end = text.find(":", key.end_mark.index) + 1
        entries[str(key.value).lower()] = key, start, end
    return entries


def _values(text: str) -> dict[str, Any] | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe", pure=True).load(text) or {}
    except YAMLError:
        return None
    return {str(key).lower(): value for key, value in content.items()} if isinstance(content, dict) else None


def _scalar(value: Any) -> str:
    """A value as it stands behind `NAME: `."""
    from ruamel.yaml import YAML

    yaml = YAML(pure=True)
    yaml.width = 1_000_000
    stream = io.StringIO()
    yaml.dump({"x": int(value) if isinstance(value, bool) else value}, stream)
    return stream.getvalue().removeprefix("x:").strip()


def _next_line(text: str, position: int) -> int:
    if text[position - 1 : position] == "\n":
        return position
    found = text.find("\n", position)
    return len(text) if found < 0 else found + 1


def _listed(changes: Mapping[str, Any]) -> str:
    return ", ".join(name.upper() for name in changes)
