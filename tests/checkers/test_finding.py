"""Checkers are found by name, in the house and in packages."""

from dataclasses import replace
from importlib.metadata import EntryPoint

import pytest

from pipeline import checkers
from pipeline.checkers import finding
from pipeline.checkers.protocol import BAD_CHECK
from pipeline.core.errors import RecipeError

FOREIGN = replace(finding.SHIPPED["python"], name="foreign")


def test_an_unknown_name_lists_what_there_is() -> None:
    with pytest.raises(RecipeError) as raised:
        checkers.named("pyton")
    assert str(raised.value) == (
        f"there is no checker 'pyton'\n  did you mean 'python'? checkers are {', '.join(checkers.names())}"
    )


def test_a_package_brings_a_checker(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("foreign", f"{__name__}:FOREIGN", finding.GROUP),
        EntryPoint("broken", "no_such_module:KIND", finding.GROUP),
        EntryPoint("other", "pathlib:Path", finding.GROUP),
    ]
    monkeypatch.setattr(finding, "entry_points", lambda group: points if group == finding.GROUP else [])
    assert checkers.named("foreign").name == "foreign"
    assert checkers.names()[-3:] == ["broken", "foreign", "other"]
    with pytest.raises(RecipeError, match="the checker 'broken' of no_such_module:KIND cannot be loaded: ModuleNotFou"):
        checkers.named("broken")
    with pytest.raises(RecipeError, match="the checker 'other' of pathlib:Path is a type, not a checker's Kind"):
        checkers.named("other")


@pytest.mark.parametrize("name", checkers.names())
def test_a_checker_says_what_it_is(name: str) -> None:
    kind = checkers.named(name)
    assert kind.name == name
    assert BAD_CHECK in kind.reasons
    assert kind.what
    assert kind.keys
    assert all(meaning[0].islower() and not meaning.endswith(".") for meaning in kind.reasons.values())
