"""Where settings come from: flags, environment, .env, YAML files and presets, merged by precedence."""

import argparse
import difflib
import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_settings import DotEnvSettingsSource, EnvSettingsSource

from autotrain.config import CARD_GB, MOST_LISTED, PRESETS, Settings, explain, flag_of, listed, public_fields, shown
from autotrain.errors import SettingsError
from autotrain.redact import glimpse, plain
from autotrain.yaml_file import read_yaml

if TYPE_CHECKING:
    from autotrain.monitor.hardware import Gpu

# All settings with a comment on each are a third of it.
MOST_KIB = 32
# A setting is a plain value; what is none is shown up to here.
YAML_DEPTH = 3
MOST = 10**18


@dataclass(frozen=True)
class Source:
    """One place settings come from, with the raw values found there by field name."""

    name: str
    values: Mapping[str, Any]
    problems: tuple[str, ...] = ()


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Give `parser` one flag a setting. Values stay text here: the schema reads them."""
    group = parser.add_argument_group(
        "settings (flag > environment > .env > OUT_DIR/config.yaml > ./config.yaml > preset)"
    )
    for name, field in public_fields().items():
        group.add_argument(
            flag_of(name, field),
            dest=name,
            nargs="?",
            const=None,
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            help=f"{field.description} (default: {shown(field.default)})".replace("%", "%%"),
        )


def from_flags(parser: argparse.ArgumentParser, argv: Sequence[str]) -> tuple[Source, argparse.Namespace]:
    """Read the command line; unknown flags become problems with a suggestion, not an early exit."""
    options, unknown = parser.parse_known_args(argv)
    found = {name: value for name, value in vars(options).items() if name in Settings.model_fields}
    known = [flag for action in parser._actions for flag in action.option_strings]
    problems = [
        f"{flag_of(name, Settings.model_fields[name])} (command line): a value is missing"
        for name, value in found.items()
        if value is None
    ]
    for before, word in zip(["", *unknown], unknown, strict=False):
        if word.startswith("-"):
            # The value is not shown: it may be a key.
            flag = word.split("=")[0]
            problems.append(f"{flag} (command line): unknown flag{_suggestion(flag, known)}")
        elif not before.startswith("-"):
            problems.append(f"{word!r} (command line): unexpected word")
    values = {name: value for name, value in found.items() if value is not None}
    return Source("command line", values, tuple(problems)), options


def from_environment() -> Source:
    return Source("environment", EnvSettingsSource(Settings, env_ignore_empty=True)())


def from_dotenv(path: Path) -> Source:
    """The settings in a .env, among variables of other programs."""
    try:
        problems = _broken_lines(path) if path.is_file() else []
        found = DotEnvSettingsSource(Settings, env_file=path, env_file_encoding="utf-8-sig", env_ignore_empty=True)()
    except (OSError, ValueError) as error:
        return Source(str(path), {}, (f"{path}: cannot be read: {error}",))
    values = {name: value for name, value in found.items() if name in Settings.model_fields}
    return Source(str(path), values, tuple(problems))


def _broken_lines(path: Path) -> list[str]:
    """What in a .env is no NAME=value and names a setting; the library passes over it. ValueError if it is too long."""
    from dotenv.parser import parse_stream

    if path.stat().st_size > 1024 * MOST_KIB:
        raise ValueError(f"it is longer than {MOST_KIB} KiB")
    return [
        f"{path} line {line.original.line}: not of the form NAME=value"
        for line in parse_stream(io.StringIO(path.read_text(encoding="utf-8-sig")))
        if line.error and not Settings.model_fields.keys().isdisjoint(re.findall(r"\w+", line.original.string.lower()))
    ]


def from_yaml(path: Path) -> Source:
    """The settings in a YAML file. Keys in either case."""
    try:
        content = read_yaml(path, MOST_KIB, YAML_DEPTH)
    except (FileNotFoundError, NotADirectoryError):
        return Source(str(path), {})
    except (ValueError, OSError) as error:
        return Source(str(path), {}, (f"{path}: cannot be read as YAML: {plain(str(error), 500)}",))
    if content is None:
        return Source(str(path), {})
    if not isinstance(content, dict):
        return Source(str(path), {}, (f"{path}: settings are lines of the form NAME: value",))
    values: dict[str, Any] = {}
    problems: list[str] = []
    known = [name.upper() for name in public_fields()]
    for key, value in content.items():
        name = key.lower() if isinstance(key, str) else ""
        where = f"{plain(key, 60) if name else glimpse(key)} ({path})"
        if name == "openai_api_key":
            problems.append(f"{where}: keys do not belong in a settings file; use the environment or .env")
        elif name not in Settings.model_fields:
            hint = _suggestion(name.upper(), known) if len(problems) < MOST_LISTED else ""
            problems.append(f"{where}: unknown setting{hint}")
        elif name in values:
            problems.append(f"{where}: given twice, in capitals and in small letters")
        elif isinstance(value, int) and abs(value) >= MOST:
            problems.append(f"{where}: {glimpse(value)} is beyond all measure")
        else:
            values[name] = value
    return Source(str(path), values, tuple(problems))


def gather(flags: Source, folder: Path = Path()) -> list[Source]:
    """All places that settings come from, the first one winning.

    `.env` and `config.yaml` are looked for in `folder`, and a second `config.yaml` in OUT_DIR.
    """
    *sources, user_file = _outside_out_dir(flags, folder)
    named = _first([*sources, user_file], "out_dir", Settings.model_fields["out_dir"].default)
    out_dir = Path(os.path.expanduser(str(named)))
    return with_preset([*sources, from_yaml(out_dir / "config.yaml"), user_file])


def _outside_out_dir(flags: Source, folder: Path) -> list[Source]:
    return [flags, from_environment(), from_dotenv(folder / ".env"), from_yaml(folder / "config.yaml")]


def find_out_dir(flags: Source, folder: Path = Path()) -> Path:
    """OUT_DIR alone, so that a run can be looked at and stopped whatever is wrong with other settings.

    Raises SettingsError if the flags are wrong, or if a file that could have named it cannot be read.
    """
    if flags.problems:
        raise SettingsError(listed(flags.problems))
    for source in _outside_out_dir(flags, folder):
        if "out_dir" in source.values:
            only = Source(source.name, {"out_dir": source.values["out_dir"]})
            return merge([only]).out_dir
        if source.problems and not source.values:
            raise SettingsError(listed(source.problems))
    return merge([]).out_dir


def with_preset(sources: Sequence[Source]) -> list[Source]:
    """The sources, and after them the preset that they name."""
    preset = str(_first(sources, "preset", None))
    if preset == "auto":
        from autotrain.monitor.hardware import gpus

        preset = preset_by_card(gpus())
    return [*sources, Source(f"preset {preset}", PRESETS.get(preset, {}))]


def preset_by_card(found: "Sequence[Gpu]") -> str:
    """The largest preset that a card found has the memory for; cpu where there is no card, or too small a one."""
    largest = max((gpu.total_mb / 1024 for gpu in found), default=0.0)
    # A card tells a little less than its name says.
    fitting = [name for name, size in CARD_GB.items() if largest >= 0.95 * size]
    return max(fitting, key=CARD_GB.__getitem__, default="cpu")


def resolve(flags: Source, folder: Path = Path()) -> Settings:
    """Merge all sources as `gather` finds them and check them; raise SettingsError naming every problem at once."""
    return merge(gather(flags, folder))


def merge(sources: Sequence[Source]) -> Settings:
    """The settings that these sources come to. Raises SettingsError naming every problem at once."""
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for source in sources:
        for name, value in source.values.items():
            if name not in merged:
                merged[name], origins[name] = value, source.name
    # Without the repetitions that there are when OUT_DIR is the current folder.
    problems = list(dict.fromkeys(problem for source in sources for problem in source.problems))
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        problems += explain(error, origins)
        raise SettingsError(listed(problems)) from None
    if problems:
        raise SettingsError(listed(problems))
    return settings


def find_key() -> str:
    """The teacher's key from the environment or ./.env, or nothing."""
    return str(_first([from_environment(), from_dotenv(Path(".env"))], "openai_api_key", ""))


def exposed_dotenv(folder: Path = Path()) -> Path | None:
    """The `.env` in `folder` if it holds the key and its permissions let others have it."""
    path = folder / ".env"
    try:
        is_open = path.stat().st_mode & 0o077 != 0
    except OSError:
        return None
    return path if is_open and "openai_api_key" in from_dotenv(path).values else None


def _first(sources: Sequence[Source], name: str, default: Any) -> Any:
    return next((source.values[name] for source in sources if name in source.values), default)


def _suggestion(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]}?" if near else "; --help lists all"
