"""README says what the schema says."""

from pathlib import Path

from autotrain.config import settings_table

README = Path(__file__).parent.parent / "README.md"


def test_settings_table_is_the_schemas() -> None:
    assert settings_table() in README.read_text(encoding="utf-8")


def test_linked_pages_exist() -> None:
    import re

    links = re.findall(r"\]\(([^)#:]+)\)", README.read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []
