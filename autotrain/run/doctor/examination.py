"""All checks in order: at length for --doctor, and those that take no time at every start."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from autotrain.config import Settings
from autotrain.errors import AutotrainError, Refused
from autotrain.run.disk import needed_bytes
from autotrain.run.doctor.finding import Finding
from autotrain.run.doctor.quick import CHECKOUT, check_disk, check_key, check_packages, check_python
from autotrain.sources import find_key

# setup.sh leaves it in an environment of its own.
STAMP = ".autotrain-stamp"


def examine(settings: Settings, vram: float | None = None) -> int:
    """Print every check as soon as it is made; the exit status is 4 if the machine lacks something, else 0."""
    status = 0
    for finding in _findings(_checks(settings, vram)):
        print(finding, flush=True)
        if finding.level == "error":
            status = Refused.exit_status
    return status


def glance(settings: Settings, checkout: Path = CHECKOUT, environment: Path = Path(sys.prefix)) -> list[Finding]:
    """What the checks that take no time have to say; nothing where all is well."""
    packages = check_packages(checkout)
    if packages.level == "warning" and not (environment / STAMP).exists():
        # setup.sh has just said so of an environment that was activated.
        packages = Finding("ok", packages.subject, packages.text)
    found = [check_python(), packages, check_disk(settings.out_dir, needed_bytes(settings)), check_key(settings)]
    return [finding for finding in found if finding.level != "ok"]


def heed(findings: Sequence[Finding], force: bool) -> None:
    """Tell the findings, and raise Refused if one is an error, unless it is forced."""
    for finding in findings:
        print(f"loop.sh: {finding}", file=sys.stderr)
    if not force and any(finding.level == "error" for finding in findings):
        raise Refused("nothing was started; --doctor examines everything, --force starts it all the same")


Check = tuple[str, Callable[[], "Finding | Iterable[Finding]"]]


def _checks(settings: Settings, vram: float | None) -> list[Check]:
    from autotrain.run.doctor.hardware import check_bitsandbytes, check_card_here, check_memory, check_sandbox
    from autotrain.run.doctor.reach import check_base, check_engine, check_teacher

    return [
        ("python", check_python),
        ("packages", check_packages),
        ("card", lambda: check_card_here(settings)),
        ("memory", lambda: check_memory(settings, vram)),
        ("bitsandbytes", lambda: check_bitsandbytes(settings)),
        ("sandbox", lambda: check_sandbox(settings)),
        ("disk", lambda: check_disk(settings.out_dir, needed_bytes(settings))),
        ("key", lambda: check_key(settings)),
        ("teacher", lambda: check_teacher(settings, find_key())),
        ("base model", lambda: check_base(settings)),
        ("engine", lambda: check_engine(settings)),
    ]


def _findings(checks: Iterable[Check]) -> Iterator[Finding]:
    for subject, check in checks:
        try:
            found = check()
        # A library that is missing or broken: its check is one of those that say so.
        except (AutotrainError, ImportError, OSError) as error:
            found = Finding("error", subject, f"it cannot be looked at: {error}")
        yield from [found] if isinstance(found, Finding) else found
