"""Every variable that the sources name is listed, with its meaning, by `environment`, `doctor` and a page."""

import re
from pathlib import Path

from pipeline.core.environment import VARIABLES, listed, without_secrets

ROOT = Path(__file__).resolve().parents[2]


def test_the_variables_in_the_sources_are_those_listed():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "pipeline").rglob("*.py")]
    named = {name for text in sources for name in re.findall(r"HORNBOOK_[A-Z_]+[A-Z]", text)}
    assert named == {one.name for one in VARIABLES if not one.of_others}
    for one in VARIABLES:
        assert any(one.name in text for text in sources)


def test_the_page_of_the_command_line_lists_them_too():
    page = (ROOT / "pipeline" / "cli" / "README.md").read_text(encoding="utf-8")
    for one in VARIABLES:
        if not one.of_others:
            assert f"`{one.name}`" in page


def test_a_variable_that_is_not_set_has_no_value_and_a_password_is_not_shown(monkeypatch):
    monkeypatch.setenv("HORNBOOK_DATA", "s3://key:secret@bucket/x")
    monkeypatch.delenv("HORNBOOK_PRICES", raising=False)
    values = {one["name"]: one["value"] for one in listed()}
    assert values["HORNBOOK_DATA"] == "s3://bucket/x"
    assert values["HORNBOOK_PRICES"] is None


def test_without_secrets_leaves_other_text_alone():
    for text in ("", "plain", "/a/b@c", "s3://bucket/a@b", "https://h/x"):
        assert without_secrets(text) == text
