"""The template format: what is read, and the file, line and key of everything that is wrong."""

import re
from pathlib import Path

import pytest

from pipeline.core.errors import InputError
from pipeline.core.records import Message
from pipeline.core.resources import shipped
from pipeline.core.template import load, template_digest

FRONT = """+++
name = "n"
version = 1
kind = "{kind}"
description = "d"
variables = [{variables}]
{more}+++
"""


def written(tmp_path: Path, body: str, variables: str = '"title"', kind: str = "textbook", more: str = "") -> Path:
    path = tmp_path / "t.md"
    path.write_text(FRONT.format(kind=kind, variables=variables, more=more) + body)
    return path


def test_a_body_without_markers_is_one_user_message(tmp_path: Path) -> None:
    template = load(written(tmp_path, "\nOn {{ title }}.\n\n"))
    assert template.messages(title="loops", other=1) == (Message("user", "On loops."),)
    assert (template.name, template.version, template.kind, template.description) == ("n", 1, "textbook", "d")


def test_markers_make_messages_in_order(tmp_path: Path) -> None:
    body = "=== system ===\nS\n\n=== user ===\nAbout {{ title }}\n=== assistant ===\nA\n=== user ===\nagain\n"
    messages = load(written(tmp_path, body)).messages(title="x")
    assert [(m.role, m.content) for m in messages] == [
        ("system", "S"),
        ("user", "About x"),
        ("assistant", "A"),
        ("user", "again"),
    ]


def test_the_front_matter_may_hold_the_system_message(tmp_path: Path) -> None:
    path = written(tmp_path, "{{ title }}", more='system = """You teach {{ title }}."""\n')
    assert load(path).messages(title="x")[0] == Message("system", "You teach x.")


def test_an_empty_message_is_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "=== system ===\n{% if title == 'y' %}S{% endif %}\n=== user ===\n{{ title }}\n")
    assert [m.role for m in load(path).messages(title="x")] == ["user"]
    assert [m.role for m in load(path).messages(title="y")] == ["system", "user"]


def test_blocks_leave_no_blank_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a\n{% if title %}\nb {{ title }}\n{% endif %}\nc\n")
    assert load(path).messages(title="x")[0].content == "a\nb x\nc"


def test_values_are_not_templates(tmp_path: Path) -> None:
    assert load(written(tmp_path, "{{ title }}")).messages(title="{{ 1 + 1 }}")[0].content == "{{ 1 + 1 }}"


@pytest.mark.parametrize(
    ("body", "variables", "kind", "more", "message"),
    [
        ("{{ titel }}", '"title"', "textbook", "", "t.md:8: the text uses 'titel', which"),
        ("x\n{{ titel }}", '"titel"', "textbook", "", "t.md:6: 'titel' is no variable of a textbook template"),
        ("no variable", '"title"', "textbook", "", "t.md:6: 'variables' lists 'title', which the text does not use"),
        ("\n{% if title %}\n{{ title ", '"title"', "textbook", "", "t.md:10: "),
        ("{{ title }}", '"title"', "poem", "", "t.md:4: 'kind' should be one of textbook, exercise, judge, got 'poem'"),
        ("{{ title }}", '"title"', "textbook", "versoin = 2\n", "unknown key 'versoin'; did you mean 'version'"),
        ("{{ title }}", '"title"', "textbook", "system = 3\n", "t.md:7: 'system' should be a str, got 3"),
        ("{{ title }}", "1", "textbook", "", "t.md:6: 'variables' should be a list of names"),
        ("{{ title }}", '"title"', "textbook", "x = \n", "front matter is not TOML"),
        ("{{ title }}", '"title"', "judge", "", "t.md:1: [sample] of a judge template should give a value"),
        ("{% include 'other.md' %}{{ title }}", '"title"', "textbook", "", "no loader"),
    ],
)
def test_mistakes_name_the_place(tmp_path: Path, body: str, variables: str, kind: str, more: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        load(written(tmp_path, body, variables, kind, more)).messages(title="x")
    assert message in str(caught.value)


def test_toml_errors_count_lines_as_the_file_does(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at line 7"):
        load(written(tmp_path, "{{ title }}", more="x = \n"))


@pytest.mark.parametrize("text", ["", "hello", "+++\nname = 1\n"])
def test_a_file_without_front_matter_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.md"
    path.write_text(text)
    with pytest.raises(InputError, match=r"t\.md:1: a template starts with TOML between two lines"):
        load(path)


def test_a_lacking_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "t.md"
    path.write_text('+++\nname = "n"\n+++\nx')
    with pytest.raises(InputError, match="lacks 'version'"):
        load(path)


def test_a_missing_template_suggests_its_neighbour(tmp_path: Path) -> None:
    written(tmp_path, "{{ title }}").rename(tmp_path / "passage.md")
    with pytest.raises(InputError, match="did you mean 'passage.md'"):
        load(tmp_path / "pasage.md")


def test_rendering_errors_name_the_line(tmp_path: Path) -> None:
    template = load(written(tmp_path, "=== user ===\n\nok\n{{ title.upper().nothing }}\n"))
    with pytest.raises(InputError, match=r"t\.md:11: 'str object' has no attribute 'nothing'"):
        template.messages(title="x")
    with pytest.raises(InputError, match=r"'title' is undefined"):
        template.messages(titel="x")


@pytest.mark.parametrize(
    "attack", ["title.__class__.__mro__", "''.__class__.__base__.__subclasses__()", "title.append(1)"]
)
def test_templates_cannot_reach_the_interpreter_or_change_values(tmp_path: Path, attack: str) -> None:
    template = load(written(tmp_path, "{{ " + attack + " }}{{ title }}"))
    with pytest.raises(InputError):
        template.messages(title=["x"])


def test_the_digest_covers_all_but_line_endings(tmp_path: Path) -> None:
    path = written(tmp_path, "{{ title }}\n")
    before = template_digest(path)
    assert load(path).digest == before
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert template_digest(path) == before
    path.write_text(path.read_text().replace('description = "d"', 'description = "e"'))
    assert template_digest(path) != before


SHIPPED = sorted(path for path in shipped("prompts").rglob("*.md") if path.name != "README.md")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_templates_begin_with_what_never_changes(path: Path) -> None:
    """What prompts have in common is computed, and billed, once where it comes first: at most a label follows."""
    _, _, text = path.read_text(encoding="utf-8").split("+++", 2)
    constant = [len(piece) for piece in re.split(r"{{.*?}}|{%.*?%}", re.sub(r"{#.*?#}", "", text, flags=re.S))]
    assert sum(constant[1:]) <= max(200, 0.1 * sum(constant))
