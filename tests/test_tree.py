"""The shape of the checkout: names that outputs may take, what git ignores, and what an import costs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "autotrain"
HEAVY = {"torch", "transformers", "datasets", "trl", "peft", "bitsandbytes", "accelerate"}
OUTPUTS = [
    "autotrain/best_adapter",
    "autotrain/config.yaml",
    "autotrain/data",
    "autotrain/data/raw_round_1.jsonl",
    "autotrain/eval",
    "autotrain/eval/report_round_1.json",
    "autotrain/out_lora_round_1",
    "autotrain/out_lora_round_12/final/adapter_model.safetensors",
    "autotrain/pipeline.pid",
    "autotrain/runs",
    "autotrain/runs/run_20260101_000000_abcdef/state.json",
    ".venv",
    ".env",
]


def git(*arguments: str, stdin: str = "") -> str:
    command = ["git", "-c", f"safe.directory={ROOT}", *arguments]
    return subprocess.run(command, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False).stdout


def ignored(paths: list[str]) -> set[str]:
    """Those of these paths that .gitignore names, tracked or not."""
    return set(git("check-ignore", "--no-index", "--stdin", stdin="\n".join(paths)).splitlines())


def sources() -> list[str]:
    """Every source file under the project's own folders, outputs of a run in the checkout left out."""
    outputs = {ROOT / name for name in OUTPUTS}
    found: list[Path] = []
    for top in ("autotrain", "scripts", "tests", "docs", ".ci", ".local"):
        for folder, names, files in os.walk(ROOT / top):
            names[:] = [
                name
                for name in names
                if not name.startswith((".", "__pycache__"))
                and Path(folder, name) not in outputs
                and not (Path(folder) == PACKAGE and name.startswith("out_lora_"))
            ]
            found += [Path(folder, name) for name in files if Path(folder, name) not in outputs]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def test_git_ignores_every_output_and_no_source() -> None:
    assert ignored(OUTPUTS) == set(OUTPUTS)
    files = sources()
    assert "autotrain/sample.py" in files
    assert ignored(files) == set()


def test_no_part_of_the_package_has_the_name_of_an_output() -> None:
    taken = re.compile(r"data|eval|runs|best_adapter|out_lora_.*|utils?|config\.yaml|pipeline\.pid")
    parts = {part for path in sources() if path.startswith("autotrain/") for part in Path(path).parts[1:]}
    parts |= {Path(part).stem for part in parts if part.endswith(".py")}
    assert sorted(part for part in parts if taken.fullmatch(part)) == []


def test_pyproject_lists_the_packages_on_disk() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    block = re.search(r"^packages = \[(.*?)^\]", text, re.S | re.M)
    assert block is not None
    listed = re.findall(r'"(.+?)"', block.group(1))
    folders = {str(Path(path).parent) for path in sources() if re.match(r"autotrain/.*\.py$", path)}
    assert listed == sorted(folder.replace("/", ".") for folder in folders)
    assert [folder for folder in sorted(folders) if not (ROOT / folder / "__init__.py").exists()] == []


def test_importing_the_package_loads_nothing_heavy_prints_nothing_and_writes_nothing(tmp_path: Path) -> None:
    modules = [
        path[: -len(".py")].replace("/", ".").replace(".__init__", "")
        for path in sources()
        if re.match(r"autotrain/.*\.py$", path) and not path.endswith("__main__.py")
    ]
    code = f"""
import importlib, json, sys
loaded = {{}}
for name in {modules!r}:
    importlib.import_module(name)
    for heavy in {HEAVY!r} & set(sys.modules):
        loaded.setdefault(heavy, name)
json.dump(loaded, sys.stderr)
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stderr) == {}
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def doors() -> list[list[str]]:
    """The commands that users type: every stage script, and every module of the package that is one."""
    scripts = [[str(path.relative_to(ROOT))] for path in sorted((ROOT / "scripts").glob("*.py"))]
    modules = [
        ["-m", f"autotrain.{path.stem}"]
        for path in sorted(PACKAGE.glob("*.py"))
        if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
    ]
    return scripts + modules


@pytest.mark.parametrize("door", doors(), ids=lambda door: door[-1])
def test_help_answers_without_loading_anything_heavy(door: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", *door, "--help"]
    result = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert result.stdout.strip()
    imported = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "argparse" in imported or "autotrain" in imported
    assert imported & HEAVY == set()
