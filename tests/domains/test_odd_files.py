"""Files of a domain that no author means to write: each is a fault of that file, with its line where it has one."""

import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import InputError
from pipeline.core.identity import canonical_json, storable
from pipeline.core.resources import shipped
from pipeline.domains.faults import unheld
from pipeline.domains.loading import load
from pipeline.proving.starting import start

DEEP, HUGE = "[" * 5000 + "]" * 5000, "9" * 5000
CHECK = '{{"id": "a", "prompt": "q", "solution": "1", "check": {{"reference": {}}}}}\n'
FRONT = '+++\nname = "e"\nversion = {}\nkind = "exercise"\ndescription = "d"\nvariables = ["title"]\n+++\n{}\n'
GOLD = 'prompt = "q"\nsolution = "1"\n[check]\nx = {}\n[[wrong]]\nwhy = "w"\nsolution = "2"\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(shipped("prompts") / "sql", tmp_path / "mine"))


def faults(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        load(str(folder))
    return caught.value.message.replace(f"{folder}/", "")


@pytest.mark.parametrize(
    ("file", "text", "told"),
    [
        ("topics.toml", "x = " + DEEP, "topics.toml: is not TOML"),
        ("topics.toml", ".".join(["a"] * 3000) + ' = "A"', "topics.toml: is nested in more than 100 levels"),
        ("axes.toml", ".".join(["a"] * 3000) + ' = "A"', "axes.toml: is nested in more than 100 levels"),
        ("axes.toml", "[level.a]\nname = 0x" + "f" * 5000, "axes.toml:2: 'level.a.name' is a number of more than"),
        ("examples/odd.toml", GOLD.format("nan"), "odd.toml:4: 'check.x' is nan, for which JSON has no form"),
        ("examples/odd.toml", GOLD.format("[-inf]"), "odd.toml:4: 'check.x' is -inf, for which JSON has no form"),
        ("examples/odd.toml", GOLD.format("1979-05-27"), "odd.toml:4: 'check.x' is a date or time (1979-05-27)"),
        ("examples/odd.toml", GOLD.format("07:32:00"), "odd.toml:4: 'check.x' is a date or time (07:32:00)"),
        ("problems.jsonl", CHECK.format("NaN"), "problems.jsonl:1: 'check.reference' is nan"),
        ("problems.jsonl", CHECK.format("1e999"), "problems.jsonl:1: 'check.reference' is inf"),
        ("problems.jsonl", CHECK.format(HUGE), "problems.jsonl:1: is not JSON: Exceeds the limit (4300 digits)"),
        ("problems.jsonl", CHECK.format("[" * 400 + "]" * 400), "problems.jsonl:1: is nested in more than 100 levels"),
        ("problems.jsonl", CHECK.format(DEEP * 9), "problems.jsonl:1: is not JSON"),
        ("tasks.jsonl", CHECK.format('"\\ud800"'), "tasks.jsonl:1: 'check.reference' holds half of a surrogate pair"),
        ("tasks.jsonl", CHECK.format('{"\\udfff": 1}'), "'check.reference' has a key with half of a surrogate pair"),
        ("problems.jsonl", '{"id": "a", "id": "b"}', "problems.jsonl:1: is not JSON: the key 'id' is there twice"),
        ("exercise.md", FRONT.format(HUGE, "{{ title }}"), "exercise.md: front matter is not TOML: Exceeds the limit"),
        ("exercise.md", FRONT.format(DEEP, "{{ title }}"), "exercise.md: front matter is not TOML"),
        ("exercise.md", FRONT.format(1, "{{ title }}{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}"), "exercise.md:8: "),
        ("exercise.md", FRONT.format(1, "{{ title }}{{ " + HUGE + " }}"), "exercise.md:8: Exceeds the limit"),
    ],
)
def test_what_no_check_can_hold_is_a_fault_of_its_file(folder: Path, file: str, text: str, told: str) -> None:
    (folder / file).write_text(text)
    assert told in faults(folder)


@pytest.mark.parametrize(
    "file", ["domain.toml", "topics.toml", "examples/best-seller-per-category.toml", "problems.jsonl"]
)
def test_a_pipe_is_no_file_and_is_not_waited_for(folder: Path, file: str) -> None:
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    assert f"{file}: cannot be read: it is no file" in faults(folder)


def test_a_byte_order_mark_and_other_line_ends_change_nothing(folder: Path) -> None:
    before = load(str(folder))
    for path in [path for path in folder.rglob("*") if path.suffix in (".toml", ".md", ".jsonl")]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    after = load(str(folder))
    assert (after.topics, after.axes, after.shape) == (before.topics, before.axes, before.shape)
    assert [(one.prompt, one.check) for one in after.problems] == [(one.prompt, one.check) for one in before.problems]


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))


@given(VALUES)
def test_what_is_held_has_an_identity_and_can_be_stored(value: object) -> None:
    if not unheld(value):
        text = canonical_json(value)
        assert text == storable(text)
        assert json.loads(text) == value


@pytest.mark.parametrize("path", ["/etc/passwd", "../exercise.md", "a/../../b.md", "a\\u0000b"])
def test_a_template_lies_below_its_folder(folder: Path, path: str) -> None:
    toml = folder / "domain.toml"
    toml.write_text(toml.read_text().replace("[answer]", f'[templates]\nreword = "{path}"\n[answer]', 1))
    assert "domain.toml:" in faults(folder)
    assert "'templates.reword' should be a path below the folder" in faults(folder)


def test_what_is_no_file_is_not_copied_to_a_new_domain(folder: Path, tmp_path: Path) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    files = start(tmp_path / "other", str(folder)).files
    assert not {file.partition("/")[0] for file in files} & {"loop", "gone", "pipe"}
    assert load(str(tmp_path / "other")).topics == load(str(folder)).topics
