"""What is installed, beside what requirements.lock pins. setup.sh runs this file by itself: it imports nothing of ours.

`python packages.py CHECKOUT LIST…` prints the names that are missing, and other versions than tested to stderr.
"""

import re
import sys
from importlib import metadata
from pathlib import Path


def requirements(pyproject: Path, name: str) -> list[str]:
    """The requirements of a list in pyproject.toml: dependencies, dev or without-dependencies."""
    # Python 3.10 has no reader of TOML.
    found = re.search(rf"^{name} = \[(.*?)^\]", pyproject.read_text(encoding="utf-8"), re.S | re.M)
    return re.findall(r'^ *"(.*)",?$', found[1], re.M) if found else []


def compare(checkout: Path, *lists: str) -> tuple[list[str], list[str]]:
    """The direct requirements that are not installed, and those in another version than the lock's, in words."""
    pins: dict[str, list[str]] = {}
    for line in (checkout / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if "==" in line and not line.startswith("#"):
            name, version = line.split(";")[0].strip().split("==")
            pins.setdefault(name, []).append(version)
    missing, other = [], []
    for requirement in (one for name in lists for one in requirements(checkout / "pyproject.toml", name)):
        asked, _, marker = requirement.partition(";")
        if "sys_platform" in marker and sys.platform not in marker:
            continue
        name = re.split("[<>=~!]", asked)[0]
        try:
            installed = metadata.version(name)
        except metadata.PackageNotFoundError:
            missing.append(name)
            continue
        tested = pins.get(name.lower().replace(".", "-"), [asked.partition("==")[2]])
        # The part after the plus names a build: torch's for CPUs or for a CUDA.
        if installed.split("+")[0] not in tested:
            other.append(f"{name} {installed} (tested with {' or '.join(tested)})")
    return missing, other


def main(checkout: str, *lists: str) -> None:
    """Tell setup.sh."""
    missing, other = compare(Path(checkout), *lists)
    if other:
        print("autotrain: going on with versions of your own:", ", ".join(other), file=sys.stderr)
    print(", ".join(missing))


if __name__ == "__main__":
    main(*sys.argv[1:])
