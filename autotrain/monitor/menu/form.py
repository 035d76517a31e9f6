"""The menu's list of settings: what holds, where it comes from, and the changes that are not made yet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from autotrain.config import CARD_GB, PRESETS, Settings, allowed, public_fields, shown
from autotrain.config_file import save_settings
from autotrain.redact import redact
from autotrain.sources import Source, from_yaml, gather, with_preset

HERE = "set here"
MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Row:
    """One setting: `value` as the list shows it, `text` as it is edited. `problem` says that it is not allowed."""

    name: str
    value: str
    text: str
    origin: str
    help: str
    allowed: str
    changed: bool = False
    problem: str | None = None


def check(name: str, value: Any) -> Any:
    """The value as the schema reads it; raise ValueError saying what is allowed."""
    try:
        return getattr(Settings(**{name: value}), name)
    except ValidationError:
        raise ValueError(f"{name.upper()} = {_clean(value)!r}: allowed is {allowed(name)}") from None


def show(value: Any) -> str:
    """A value on the screen: without secrets and terminal controls."""
    return _clean(shown(value))


def _clean(value: Any) -> str:
    return redact(str(value), MOST_CHARACTERS)


def _row(name: str, sources: Sequence[Source], changed: bool) -> Row:
    info = public_fields()[name]
    source = next((source for source in sources if name in source.values), None)
    raw = info.default if source is None else source.values[name]
    problem, value = None, raw
    try:
        value = check(name, raw)
    except ValueError as error:
        problem = str(error)
    text = "" if value is None else str(int(value) if isinstance(value, bool) else value)
    return Row(
        name,
        value=show(value),
        # What may not be shown cannot be edited, only replaced.
        text=text if redact(text, len(text)) == text else "",
        origin="default" if source is None else source.name,
        help=str(info.description),
        allowed=allowed(name),
        changed=changed,
        problem=problem,
    )


def _names() -> list[str]:
    """What the lists show. OUT_DIR is the menu's own: another one needs another menu."""
    return [name for name in public_fields() if name != "out_dir"]


@dataclass
class StartForm:
    """The settings of a run that is about to be started: what holds anyway, and what was chosen here."""

    out_dir: Path
    chosen: dict[str, str] = field(default_factory=dict)

    def source(self) -> Source:
        """What goes to the loop as flags."""
        return Source(HERE, {"out_dir": str(self.out_dir), **self.chosen})

    def rows(self) -> list[Row]:
        sources = gather(self.source())
        return [_row(name, sources, name in self.chosen) for name in _names()]

    def problems(self) -> list[str]:
        """What is wrong with the places that settings come from."""
        return [problem for source in gather(self.source()) for problem in source.problems]

    def set(self, name: str, text: str) -> None:
        """Choose a value. Raises ValueError saying what is allowed."""
        check(name, text)
        self.chosen[name] = text

    def put_back(self, name: str) -> None:
        """Take back what was chosen here."""
        self.chosen.pop(name, None)


@dataclass
class ConfigForm:
    """OUT_DIR/config.yaml as it is, and the changes that are not saved yet (None: the line goes)."""

    out_dir: Path
    changes: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.out_dir / "config.yaml"

    def problems(self) -> list[str]:
        """Why the file cannot be changed; nothing if it can."""
        return list(from_yaml(self.path).problems)

    def _sources(self, changes: Mapping[str, Any]) -> tuple[list[Source], int]:
        """All sources with the file as it would be, and the file's place among them."""
        sources = gather(Source("command line", {"out_dir": str(self.out_dir)}))[:-1]
        place = next(index for index, source in enumerate(sources) if source.name == str(self.path))
        values = {**sources[place].values, **changes}
        kept = {name: value for name, value in values.items() if value is not None or name not in changes}
        sources[place] = Source(str(self.path), kept)
        return with_preset(sources), place

    def rows(self) -> list[Row]:
        sources, place = self._sources(self.changes)
        return [self._file_row(name, sources, place) for name in _names()]

    def _file_row(self, name: str, sources: Sequence[Source], place: int) -> Row:
        row = _row(name, sources, name in self.changes)
        over = next((source for source in sources[:place] if name in source.values), None)
        if over is None or name not in sources[place].values:
            return row
        # The list is about the file; that something wins over it has to be said.
        inner = _row(name, sources[place:], name in self.changes)
        return replace(inner, origin=f"{inner.origin}; {over.name} wins")

    def set(self, name: str, text: str) -> None:
        """Change a value; one that holds without the file anyway needs no line. Raises ValueError."""
        value = check(name, text)
        present = from_yaml(self.path).values
        sources, place = self._sources({**self.changes, name: None})
        below = next((source.values[name] for source in sources[place + 1 :] if name in source.values), None)
        default = Settings.model_fields[name].default
        if value == (default if below is None else check(name, below)):
            self.put_back(name)
        elif name in present and present[name] is not None and _same(name, present[name], value):
            self.changes.pop(name, None)
        else:
            self.changes[name] = value

    def put_back(self, name: str) -> None:
        """Let the setting be what it is without a line in the file."""
        self.changes.pop(name, None)
        if name in from_yaml(self.path).values:
            self.changes[name] = None

    def save(self) -> int:
        """Write the changes; return how many there were. Raises SettingsError and keeps them if it cannot be done."""
        count = len(self.changes)
        save_settings(self.path, self.changes)
        self.changes.clear()
        return count


def _same(name: str, raw: Any, value: Any) -> bool:
    try:
        return bool(check(name, raw) == value)
    except ValueError:
        return False


def preset_lines() -> list[tuple[str, str]]:
    """Each preset with the card it is for and what it sets."""
    lines = []
    for name, values in PRESETS.items():
        if name in CARD_GB:
            parts = ", ".join(f"{key.upper()} {value}" for key, value in values.items())
            lines.append((name, f"{CARD_GB[name]} GB: {parts or 'the defaults'}"))
        else:
            rounds, samples = values["rounds"], values["samples_per_round"]
            size = f"{rounds} {'round' if rounds == 1 else 'rounds'} of {samples} samples"
            lines.append((name, f"no GPU, key or network: embedded model, {size}"))
    return lines
