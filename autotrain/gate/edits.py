"""Small files in one text, edits of them as JSON, and what comes of applying one to the other.

The text holds 1 to 3 Python files, each begun by a line `# file: NAME.py`; the edits are
{"edits": [{"path": "...", "search": "...", "replace": "..."}]}, applied in order, and `search` has to
occur exactly once in the file as it is at that point.
"""

import re

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autotrain.gate.program import Problem, syntax_problem
from autotrain.sample import describe, fenced_code, strict_json

MAX_FILES = 3
MAX_EDITS = 10
_HEADER = re.compile(r"^# file:(.*)$", re.MULTILINE)
_PATH = re.compile(r"(?:[A-Za-z_][A-Za-z0-9_]*/)*[A-Za-z_][A-Za-z0-9_]*\.py")

# Written where the program runs, which is a folder that vanishes with it. Modules that Python has loaded
# for itself must not stand in for files of the same name.
_WRITE_FILES = """\
def _write_files(files):
    import os, sys
    for path, text in files.items():
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
        sys.modules.pop(path[:-3].replace("/", "."), None)
    sys.path.insert(0, os.getcwd())


_write_files({files!r})
del _write_files
"""


class FileEdit(BaseModel):
    """Replace `search`, which stands in the file exactly once, by `replace`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    path: str
    search: str = Field(min_length=1)
    replace: str


class Edits(BaseModel):
    """The answer to an agent edit."""

    model_config = ConfigDict(extra="forbid", strict=True)

    edits: list[FileEdit] = Field(min_length=1, max_length=MAX_EDITS)


class Unusable(Exception):
    """Why files, or edits of them, cannot be used; the message quotes nothing of them."""


def read_files(text: str) -> dict[str, str]:
    """The files in a sample's input by their paths, each ending in one newline; raise Unusable if they are none."""
    if text.lstrip().startswith("```"):
        text = fenced_code(text) or text
    before, *parts = _HEADER.split(text.replace("\r\n", "\n"))
    paths = [path.strip() for path in parts[::2]]
    if before.strip() or not paths:
        raise Unusable("it does not begin with a line `# file: NAME.py`")
    if len(paths) > MAX_FILES:
        raise Unusable(f"{len(paths)} files, at most {MAX_FILES}")
    if not all(map(_PATH.fullmatch, paths)) or len(set(paths)) < len(paths):
        raise Unusable("the paths are not different names of Python files")
    return {path: content.strip("\n") + "\n" for path, content in zip(paths, parts[1::2], strict=True)}


def show_files(files: dict[str, str]) -> str:
    """The text that `read_files` reads."""
    return "\n".join(f"# file: {path}\n{content}" for path, content in files.items()).rstrip("\n")


def read_edits(answer: str) -> Edits:
    """The edits in an answer that is nothing but their JSON.

    Raises Unusable if they have another shape, and ValueError if the answer is no JSON.
    """
    try:
        return Edits.model_validate(strict_json(answer))
    except ValidationError as error:  # a ValueError too
        raise Unusable(describe(error)[:300]) from None


def apply_edits(files: dict[str, str], edits: Edits) -> dict[str, str]:
    """The files after the edits; raise Unusable naming the first one that does not apply, counted from 1."""
    edited = dict(files)
    for number, edit in enumerate(edits.edits, start=1):
        if edit.path not in edited:
            raise Unusable(f"edit {number}: there is no such file")
        text = edited[edit.path]
        if not occurs_once(text, edit.search):
            times = "more than once" if edit.search in text else "nowhere"
            raise Unusable(f"edit {number}: `search` occurs {times} in its file, not once")
        edited[edit.path] = text.replace(edit.search, edit.replace)
    return edited


def occurs_once(text: str, part: str) -> bool:
    """Whether `part` stands in the text exactly once, overlapping places counted."""
    first = text.find(part)
    return first >= 0 and text.find(part, first + 1) < 0


def broken_file(files: dict[str, str]) -> Problem | None:
    """Why the first file that is no Python is none."""
    return next(filter(None, map(syntax_problem, files.values())), None)


def with_files(files: dict[str, str]) -> str:
    """The code after which tests can import from the files: it writes them into the working folder."""
    return _WRITE_FILES.replace("{files!r}", repr(files))
