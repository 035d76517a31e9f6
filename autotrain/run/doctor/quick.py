"""Checks that take no time and no network: Python, packages, the disk, the key. Every start makes them."""

import os
import sys
import tempfile
from pathlib import Path

from autotrain.config import OFFLINE_TEACHERS, Settings
from autotrain.run.disk import free_bytes, shown
from autotrain.run.doctor.finding import Finding, Level
from autotrain.run.doctor.packages import compare, requirements
from autotrain.sources import exposed_dotenv, find_key, from_environment

CHECKOUT = Path(__file__).resolve().parents[3]
OLDEST, NEWEST = (3, 10), (3, 13)


def check_python(
    version: tuple[int, ...] = sys.version_info[:3], prefix: str = sys.prefix, base_prefix: str = sys.base_prefix
) -> Finding:
    """The interpreter's version, and whether it is the project's own or everybody's."""
    shown = ".".join(map(str, version))
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        return Finding("error", "python", shown, "3.10 to 3.13 is needed: AUTOTRAIN_PYTHON=/path/to/python3.12")
    if prefix != base_prefix:
        return Finding("ok", "python", f"{shown}, in a virtual environment")
    if Path(prefix, "conda-meta").is_dir():
        return Finding("ok", "python", f"{shown}, in a conda environment")
    return Finding(
        "warning", "python", f"{shown} of the system", "./scripts/loop.sh makes a virtual environment, and takes it"
    )


def check_packages(checkout: Path = CHECKOUT) -> Finding:
    """The installed packages beside the checkout's lock."""
    if not (checkout / "requirements.lock").is_file():
        return Finding("ok", "packages", "not run from a checkout: there is no requirements.lock to compare them with")
    missing, other = compare(checkout, "dependencies")
    missing_alone, other_alone = compare(checkout, "without-dependencies")
    problems = [f"{', '.join(missing + missing_alone)} missing"] if missing or missing_alone else []
    problems += other + other_alone
    if not problems:
        return Finding("ok", "packages", "as in requirements.lock")
    pip = f"'{sys.executable}' -m pip install"
    remedies = [f"{pip} -c requirements.lock -e ."] if missing or other else []
    if missing_alone or other_alone:
        alone = requirements(checkout / "pyproject.toml", "without-dependencies")
        remedies.append(f"{pip} --no-deps {' '.join(alone)}")
    level: Level = "error" if missing or missing_alone else "warning"
    return Finding(level, "packages", ", ".join(problems), f"in {checkout}: {' && '.join(remedies)}")


def check_disk(out_dir: Path, needed: int) -> Finding:
    """Whether OUT_DIR, or the folder it will be made in, can be written to, and whether a run has room there."""
    folders = [out_dir, out_dir / "runs"]
    standing = [folder for folder in folders if folder.is_dir()]
    nearest = next(folder for folder in [out_dir, *out_dir.absolute().parents] if os.path.exists(folder))
    try:
        for folder in standing:
            # Tried, because permissions do not tell of quotas and of disks that were mounted read-only.
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"\0" * 4096)
    except OSError as error:
        return Finding("error", "disk", f"{folder} cannot be written to: {error.strerror}", "set another OUT_DIR")
    if not standing and not os.access(nearest, os.W_OK | os.X_OK):
        return Finding("error", "disk", f"{out_dir} cannot be made: {nearest} cannot be written to", "set OUT_DIR")
    free = free_bytes(nearest)
    text = f"{out_dir} can be written to, {shown(free)} are free, about {shown(needed)} are needed"
    if free < needed:
        return Finding("warning", "disk", text, "make room, or set OUT_DIR to another disk")
    return Finding("ok", "disk", text)


def check_key(settings: Settings) -> Finding:
    """Whether the teacher's key is there, can be sent, and is nobody else's to read. The key is never shown."""
    is_needed = settings.teacher_model not in OFFLINE_TEACHERS
    key = find_key().strip()
    if is_needed and not (key.isascii() and key.isprintable()):
        return Finding("error", "key", "it holds characters that cannot be sent", "check OPENAI_API_KEY")
    exposed = exposed_dotenv()
    if exposed is not None:
        return Finding("warning", "key", f"{exposed} holds it and can be read by others", f"chmod 600 {exposed}")
    if not is_needed:
        return Finding("ok", "key", f"not needed: the teacher is {settings.teacher_model}")
    if key:
        place = "the environment" if from_environment().values.get("openai_api_key") else ".env"
        return Finding("ok", "key", f"in {place}")
    if settings.teacher_base_url:
        return Finding("ok", "key", "none: TEACHER_BASE_URL is asked without one")
    return Finding(
        "error",
        "key",
        f"none, and the teacher {settings.teacher_model} is a server that wants one",
        "export OPENAI_API_KEY=..., set TEACHER_BASE_URL to a server of your own, or take --teacher builtin",
    )
