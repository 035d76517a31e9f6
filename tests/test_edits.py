"""Files in a text and edits of them: what is read, what is refused, and where an edit applies."""

import json

import pytest

from autotrain.gate.edits import Edits, FileEdit, Unusable, apply_edits, read_edits, read_files, show_files

TWO = "# file: a.py\nx = 1\n\n\n# file: lib/b_2.py\n\ny = 'ü'\nz = '# file: c.py'\n"


def edit(search: str, replace: str, path: str = "a.py") -> Edits:
    return Edits(edits=[FileEdit(path=path, search=search, replace=replace)])


def test_files_are_told_apart_by_their_headers() -> None:
    files = {"a.py": "x = 1\n", "lib/b_2.py": "y = 'ü'\nz = '# file: c.py'\n"}
    assert read_files(TWO) == files
    assert read_files(f"```python\n{TWO}```") == files
    assert read_files(TWO.replace("\n", "\r\n")) == files
    assert read_files(show_files(files)) == files
    assert read_files("\n# file: a.py") == {"a.py": "\n"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1",
        "x = 1\n# file: a.py\ny = 2",
        " # file: a.py\nx = 1",
        "# file: a.txt\nx",
        "# file: ../a.py\nx = 1",
        "# file: /a.py\nx = 1",
        "# file: a b.py\nx = 1",
        "# file: a-b.py\nx = 1",
        "# file: a.b.py\nx = 1",
        "# file:\nx = 1",
        "# file: a.py\nx = 1\n# file: a.py\ny = 2",
        "".join(f"# file: {name}.py\nx = 1\n" for name in "abcd"),
    ],
)
def test_what_is_no_set_of_files_is_refused(text: str) -> None:
    with pytest.raises(Unusable):
        read_files(text)


def test_edits_apply_in_order_and_to_nothing_else() -> None:
    files = {"a.py": "x = 1\n", "b.py": "x = 1\n"}
    assert apply_edits(files, edit("1", "2")) == {"a.py": "x = 2\n", "b.py": "x = 1\n"}
    both = Edits(edits=[*edit("1", "22").edits, *edit("22", "3").edits])
    assert apply_edits(files, both)["a.py"] == "x = 3\n"
    assert files["a.py"] == "x = 1\n"


@pytest.mark.parametrize(
    ("text", "wanted", "why"),
    [
        ("x = 1\n", edit("y", "z"), "nowhere"),
        ("x = 1\n", edit("x", "y", path="b.py"), "no such file"),
        ("x = x\n", edit("x", "y"), "more than once"),
        ("aaa\n", edit("aa", "b"), "more than once"),
    ],
)
def test_an_edit_that_fits_nowhere_or_twice_is_refused(text: str, wanted: Edits, why: str) -> None:
    with pytest.raises(Unusable, match=f"edit 1: .*{why}"):
        apply_edits({"a.py": text}, wanted)


def test_only_the_json_of_edits_is_an_answer() -> None:
    value = {"edits": [{"path": "a.py", "search": "1", "replace": ""}]}
    assert read_edits(f" {json.dumps(value)}\n") == edit("1", "")
    for wrong in (
        {},
        [],
        {"edits": []},
        {"edits": [{"path": "a.py", "search": 1, "replace": ""}]},
        {**value, "why": ""},
    ):
        with pytest.raises(Unusable):
            read_edits(json.dumps(wrong))
    for text in ("", "{", "NaN", f"{json.dumps(value)} done", "[" * 100_000):
        with pytest.raises(ValueError, match=r"line 1|JSON|nested|Extra data"):
            read_edits(text)
