"""Real runs of scripts/setup.sh on a small project whose packages come from a folder, not from a network."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
BASE_PYTHON = getattr(sys, "_base_executable", sys.executable)
Result = subprocess.CompletedProcess[str]
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
PACKAGES = "autotrain/run/doctor/packages.py"

PYPROJECT = """
dependencies = [
    "tiny>=1",
]

dev = [
    "prober>=1",
]

without-dependencies = [
    "lonely==1.0",
]
"""
SHOW = """
printf "PYTHON=%s\\n" "$PYTHON"
"$PYTHON" -c 'import autotrain, os; print(autotrain.NAME, os.environ["PYTHONUNBUFFERED"])'
"""


def make_wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Write a one-module wheel; `requires` names a package that it asks for."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


class Project:
    """A checkout in a folder with a space in its name, and a shell to start set-ups in it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a project"
        self.wheels = folder / "wheels"
        self.tools = folder / "tools"
        for path in (self.root / "scripts", self.root / "autotrain", self.wheels, self.tools):
            path.mkdir(parents=True)
        shutil.copy(ROOT / "scripts" / "setup.sh", self.root / "scripts")
        (self.root / "autotrain" / "__init__.py").write_text("NAME = 'ours'\n")
        (self.root / PACKAGES).parent.mkdir(parents=True)
        shutil.copy(ROOT / PACKAGES, self.root / PACKAGES)
        (self.root / "pyproject.toml").write_text(PYPROJECT)
        self.pin("1.0")
        make_wheel(self.wheels, "tiny", "1.0")
        make_wheel(self.wheels, "tiny", "1.1")
        make_wheel(self.wheels, "prober", "1.0")
        make_wheel(self.wheels, "lonely", "1.0", requires="a-package-that-is-nowhere")
        self.tool("python3", f'exec "{BASE_PYTHON}" "$@"')

    def pin(self, version: str) -> None:
        (self.root / "requirements.lock").write_text(f"tiny=={version}\nprober==1.0\n")

    def tool(self, name: str, body: str) -> Path:
        """Put a shell script of this name first on PATH."""
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    def start(self, command: str = "", **variables: str) -> "subprocess.Popen[str]":
        env = {
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "HOME": "",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }
        env.update(variables)
        return subprocess.Popen(
            ["bash", "-c", f"set -euo pipefail\n. scripts/setup.sh\n{command}"],
            cwd=self.root,
            env={name: value for name, value in env.items() if value != "unset"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: str = "", **variables: str) -> Result:
        process = self.start(command, **variables)
        out, err = process.communicate(timeout=120)
        return subprocess.CompletedProcess([], process.returncode, out, err)

    @property
    def stamp(self) -> Path:
        return self.root / ".venv" / ".autotrain-stamp"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


class Made(NamedTuple):
    project: Project
    first_starts: list[Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """An environment whose set-up was killed once, then started twice at the same time."""
    project = Project(tmp_path_factory.mktemp("made"))
    killed = project.start()
    while not (project.stamp.exists() and project.stamp.read_text()):
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    assert project.stamp.read_text() == "unfinished\n"
    both = [project.start(SHOW), project.start(SHOW)]
    outputs = [process.communicate(timeout=300) for process in both]
    return Made(project, [Result([], p.returncode, *out) for p, out in zip(both, outputs, strict=True)])


def user_environment(folder: Path, *packages: str) -> Path:
    """An environment of the user's own that holds these packages ("tiny-1.0")."""
    subprocess.run([BASE_PYTHON, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = folder / "lib" / f"python{VERSION}" / "site-packages"
    for package in packages:
        name, version = package.split("-")
        (site / f"{package}.dist-info").mkdir()
        (site / f"{package}.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    return folder


def test_a_killed_set_up_is_repaired_and_two_at_once_do_it_once(made: Made) -> None:
    assert [start.returncode for start in made.first_starts] == [0, 0], made.first_starts
    expected = f"PYTHON={made.project.root}/.venv/bin/python\nours 1\n"
    assert [start.stdout for start in made.first_starts] == [expected, expected]
    said = [start.stderr for start in made.first_starts]
    assert sum("making the Python environment" in text for text in said) == 1
    assert sum(bool(re.search(r"environment ready in \d+ s", text)) for text in said) == 1


def test_the_environment_holds_all_that_was_asked_for(made: Made) -> None:
    python = made.project.root / ".venv" / "bin" / "python"
    code = "import tiny, prober, lonely, autotrain; print(tiny.VERSION, autotrain.NAME)"
    by_hand = subprocess.run([python, "-c", code], cwd="/", env={}, capture_output=True, text=True)
    assert by_hand.stdout == "1.0 ours\n", by_hand.stderr


def test_the_next_start_does_nothing(made: Made) -> None:
    project = made.project
    before = project.stamp.stat().st_mtime_ns
    # Nothing but the environment's own interpreter is started: neither python3 nor pip could be.
    result = project.run(SHOW, PIP_FIND_LINKS="/nowhere", PATH="/usr/bin:/bin")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"PYTHON={project.root}/.venv/bin/python\nours 1\n"
    assert project.stamp.stat().st_mtime_ns == before


def test_a_new_lock_updates_the_environment_in_place(made: Made) -> None:
    project = made.project
    (project.root / ".venv" / "kept").write_text("")
    project.pin("1.1")
    result = project.run('"$PYTHON" -c "import tiny; print(tiny.VERSION)"')
    assert result.stdout == "1.1\n", result.stderr
    assert "updating" in result.stderr
    assert (project.root / ".venv" / "kept").exists()
    assert project.run().stderr == ""


def test_modules_are_compiled_though_python_is_told_to_keep_nothing(project: Project) -> None:
    assert project.run(PYTHONDONTWRITEBYTECODE="1").returncode == 0
    assert list((project.root / ".venv").rglob("tiny.*.pyc"))


def test_activating_the_projects_own_environment_changes_nothing(made: Made) -> None:
    project = made.project
    result = project.run(SHOW, VIRTUAL_ENV=str(project.root / ".venv"))
    assert (result.returncode, result.stderr) == (0, "")


def test_what_the_registry_did_wrong_is_told(made: Made) -> None:
    project = made.project
    whole = project.stamp.read_text()
    project.pin("7.0")
    no_such_version = project.run()
    assert no_such_version.returncode == 1
    assert f"no package that fits this machine and Python {VERSION}" in no_such_version.stderr
    assert "  | " in no_such_version.stderr
    assert "tiny" in no_such_version.stderr
    assert project.stamp.read_text() == "unfinished\n"

    # An update that failed before it changed anything: the next start would make it all again.
    project.stamp.write_text(whole)
    project.pin("1.2")
    closed = {"PIP_NO_INDEX": "unset", "PIP_FIND_LINKS": "unset", "PIP_INDEX_URL": "http://127.0.0.1:1/simple"}
    unreachable = project.run(PIP_RETRIES="1", **closed)
    assert unreachable.returncode == 1
    assert "the package registry cannot be reached" in unreachable.stderr
    assert f"{project.root}/.venv/setup.log" in unreachable.stderr
    assert project.stamp.read_text() == "unfinished\n"


def test_an_activated_environment_is_used_as_it_is(project: Project, tmp_path: Path) -> None:
    own = user_environment(tmp_path / "own", "tiny-1.0", "lonely-1.0")
    result = project.run(SHOW, VIRTUAL_ENV=str(own))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"PYTHON={own}/bin/python\nours 1\n"
    assert not (project.root / ".venv").exists()


def test_other_versions_in_an_activated_environment_are_told(project: Project, tmp_path: Path) -> None:
    own = user_environment(tmp_path / "own", "tiny-2.5", "lonely-1.0")
    result = project.run(SHOW, VIRTUAL_ENV=str(own))
    assert result.returncode == 0
    assert "tiny 2.5 (tested with 1.0)" in result.stderr


def test_an_activated_environment_that_lacks_packages_is_left_alone(project: Project, tmp_path: Path) -> None:
    own = user_environment(tmp_path / "own", "tiny-1.0")
    before = sorted(own.rglob("*"))
    result = project.run(VIRTUAL_ENV=str(own))
    assert result.returncode == 1
    assert f"{own} lacks lonely." in result.stderr
    assert f"'{own}/bin/python' -m pip install -c requirements.lock -e '.'" in result.stderr
    assert "--no-deps lonely==1.0" in result.stderr
    assert sorted(own.rglob("*")) == before

    with_tests = project.run(VIRTUAL_ENV=str(own), AUTOTRAIN_NEEDS="dev")
    assert f"{own} lacks lonely, prober." in with_tests.stderr
    assert "-e '.[dev]'" in with_tests.stderr


def test_condas_base_does_not_count_as_activated(project: Project, tmp_path: Path) -> None:
    own = user_environment(tmp_path / "conda")
    chosen = project.run(CONDA_PREFIX=str(own), CONDA_DEFAULT_ENV="work")
    assert f"{own} lacks" in chosen.stderr
    base = project.run(CONDA_PREFIX=str(own), CONDA_DEFAULT_ENV="base", AUTOTRAIN_PYTHON="/nowhere/python3")
    assert f"{own} lacks" not in base.stderr


def test_an_environment_that_was_removed_is_named(project: Project, tmp_path: Path) -> None:
    result = project.run(VIRTUAL_ENV=str(tmp_path / "gone"))
    assert result.returncode == 1
    assert f"{tmp_path / 'gone'} has no working bin/python" in result.stderr


@pytest.mark.parametrize("version", ["2.7", "3.9", "3.14"])
def test_a_python_that_is_too_old_or_too_new_is_named(project: Project, version: str) -> None:
    fake = project.tool("other", f"echo {version}")
    result = project.run(AUTOTRAIN_PYTHON=str(fake))
    assert result.returncode == 1
    assert f"Python 3.10 to 3.13 is needed; {fake} is Python {version}." in result.stderr
    assert not (project.root / ".venv").exists()


def test_a_python3_that_does_not_fit_is_passed_over_for_one_that_does(project: Project) -> None:
    project.tool("python3", "echo 3.9")
    project.tool("python3.13", "echo 3.13; exit 1")
    project.tool(f"python{VERSION}", f'exec "{BASE_PYTHON}" "$@"')
    project.tool("df", "echo; echo disk 1 1 1048576 1 /")
    result = project.run()
    assert "3.9" not in result.stderr
    assert "disk space" in result.stderr


def test_a_missing_venv_module_is_named_with_its_remedy(project: Project) -> None:
    words = "The virtual environment was not created successfully because ensurepip is not available"
    project.tool("python3", f'[ "$1$2" != -mvenv ] || {{ echo {words}; exit 1; }}\nexec "{BASE_PYTHON}" "$@"')
    result = project.run()
    assert result.returncode == 1
    assert f"sudo apt install python{VERSION}-venv" in result.stderr
    assert project.stamp.read_text() == "unfinished\n"


def test_too_little_disk_space_is_said_before_anything_is_installed(project: Project) -> None:
    project.tool("df", "echo header; echo disk 9 9 1572864 9 /")
    result = project.run()
    assert result.returncode == 1
    assert re.search(r"needs about \d+ GB of disk space \(.*\) and 1 GB are free", result.stderr)
    assert list((project.root / ".venv").iterdir()) == []


def test_a_folder_that_is_not_ours_is_left_alone(project: Project) -> None:
    user_environment(project.root / ".venv")
    before = sorted((project.root / ".venv").rglob("*"))
    result = project.run()
    assert result.returncode == 1
    assert "was not made by this set-up" in result.stderr
    assert sorted((project.root / ".venv").rglob("*")) == before


def read_list(name: str) -> list[str]:
    """What setup.sh reads from the real pyproject.toml."""
    source = (ROOT / "scripts" / "setup.sh").read_text()
    function = source[source.index("requirements() {") :].split("\n}\n")[0] + "\n}\n"
    result = subprocess.run(
        ["bash", "-c", f"{function}requirements {name}"],
        env={**os.environ, "ROOT": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return result.stdout.splitlines()


def test_the_lock_pins_all_that_pyproject_asks_for_and_names_no_place() -> None:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project = pyproject["project"]
    assert read_list("dependencies") == project["dependencies"]
    assert read_list("dev") == project["optional-dependencies"]["dev"]
    assert read_list("without-dependencies") == pyproject["tool"]["autotrain"]["without-dependencies"]

    lock = [
        line
        for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert all(re.match(r"[a-z0-9-]+==[a-z0-9.]+( ; .+)?$", line) for line in lock)
    pinned = {line.split("==")[0] for line in lock}
    for requirement in project["dependencies"] + project["optional-dependencies"]["dev"]:
        assert re.split("[<>=]", requirement)[0].lower().replace(".", "-") in pinned
