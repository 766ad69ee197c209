"""What is wrong with any setting is said in our words, whatever stands in its place."""

import re

import pytest

from pipeline.core.errors import RecipeError
from pipeline.recipe_problems import wanted
from pipeline.recipe_settings import tables
from pipeline.recipe_text import load

KEYS = [setting.key.replace(".N", ".0") for table in tables() for setting in table.settings]
VALUES = ["-1", "1.5", "1e300", "nan", "inf", "true", '""', '"x"', "[]", "[-1]", '["x"]', "{}", "{a=1}", "1979-05-27"]


@pytest.mark.parametrize("value", [*VALUES, "9" * 5000])
@pytest.mark.parametrize("recipe", ["tiny", "dino"])
def test_no_word_of_pydantics_reaches_whoever_writes_a_recipe(recipe: str, value: str) -> None:
    """Each setting alone would hide none either, but takes minutes."""
    found: list[str] = []
    for part in range(8):
        try:
            load(recipe, [f"{key}={value}" for key in KEYS[part::8] if key not in ("domain", "walk")])
        except RecipeError as error:
            found += error.problems
    theirs = [one for one in found if re.search(r"[Ii]nput should|validation|valid |unable to parse", one)]
    assert not theirs
    assert value in ("{}",) or found


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("student.phases=[]", "student.phases = []: at least 1 of them is wanted"),
        ("seed=1.5", "seed = 1.5: a whole number is wanted"),
        ("student.held_out=2", "student.held_out = 2: 1 or less is wanted"),
        ("student.ema=1", "student.ema = 1: less than 1 is wanted"),
        ("student.phases.0.lr=0", "student.phases.0.lr = 0: more than 0 is wanted"),
        ("student.phases.0.betas=[0.9]", "student.phases.0.betas.1: missing; it must be given"),
        ("student.phases.0.betas=[0.9, 0.9, 0.9]", "betas = [0.9, 0.9, 0.9]: at most 2 of them are wanted"),
        ("validated.require_test=maybe", "validated.require_test = 'maybe': true or false is wanted"),
        ("tokens.tokenizer=", "tokens.tokenizer = '': a name is wanted"),
        ("description=3", "description = 3: text is wanted, in quotes"),
        ("quality.min_value=a", "quality.min_value = 'a': a number is wanted"),
        ("tokens.loss=1", "tokens.loss = 1: 'all' or 'answer' is wanted"),
        ("validated=3", "validated = 3: a table is wanted; set its keys, e.g. validated."),
    ],
)
def test_key_value_and_what_is_wanted_are_named(given: str, said: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(said)):
        load("first-run", [given])


def test_an_error_of_a_kind_that_is_not_listed_keeps_its_words() -> None:
    assert wanted({"type": "url_scheme", "msg": "URL scheme should be 'http'"}) == "URL scheme should be 'http'"
