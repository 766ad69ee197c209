"""Names are checked once, everywhere: what is no name is refused with its fault, and is never a path."""

import re
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core import names
from pipeline.core.errors import UsageError
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import ComposerTable

GOOD = ["a", "7", "A.b_c-d", "first-run-0123abcd", "v1.0", "a..b", "x" * names.LONGEST, "LATEST2", "not-latest"]
BAD = {
    "": "is empty",
    ".": "begins with '.'",
    "..": "begins with '.'",
    "../x": "begins with '.'",
    "/etc": "begins with '/'",
    "-x": "begins with '-'",
    "_x": "begins with '_'",
    "~": "begins with '~'",
    "a/b": "has '/' in it",
    "a\\b": r"has '\\' in it",
    "a b": "has ' ' in it",
    "a\n": r"has '\n' in it",
    "a\0": r"has '\x00' in it",
    "a:b": "has ':' in it",
    "naïve": "has 'ï' in it",
    "٣": "begins with '٣'",
    "a\udcff": r"has '\udcff' in it",
    "LATEST": "is reserved for the newest run",
    "Latest": "is reserved for the newest run",
    "x" * (names.LONGEST + 1): "has 101 characters, more than 100",
}


@pytest.mark.parametrize("name", GOOD)
def test_a_name_is_taken_as_it_is(name):
    assert names.checked(name, "--name") == name
    assert Recipe(name=name).name == ComposerTable(name=name).name == name


@pytest.mark.parametrize(("name", "fault"), BAD.items())
def test_what_is_no_name_is_refused_with_its_fault_and_the_rule(name, fault):
    with pytest.raises(UsageError, match=re.escape(fault)) as error:
        names.checked(name, "--name")
    assert error.value.message.startswith("--name = ")
    assert error.value.hint == names.RULE
    for make in (lambda: Recipe(name=name), lambda: ComposerTable(name=name)):
        with pytest.raises(ValidationError):
            make()


@given(st.text(alphabet=st.one_of(st.sampled_from("aZ0._-/\\ \0\n~:é"), st.characters()), max_size=120))
def test_a_name_is_one_part_of_a_path_below_its_folder(name):
    if names.objection(name):
        return
    path = PurePosixPath("runs") / name
    assert path.parts == ("runs", name)
    assert name.isascii()
    assert not name.startswith((".", "-"))
    assert len(name.encode()) <= names.LONGEST
