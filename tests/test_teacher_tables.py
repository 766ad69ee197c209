"""A teacher's table has the keys of its kind: those of others are refused, all at once, and each says what it is."""

import pytest

from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.recipe_base import tables_in
from pipeline.recipe_teachers import AnyTeacher, OpenAITable
from pipeline.recipe_text import dump, load
from pipeline.teacher.building import KINDS, usd
from pipeline.teacher.kind import Setup

ENDPOINT = """
[seeds]
exercises = 1
[[teachers]]
name = "gpt"
kind = "openai"
model = "gpt-4o-mini"
base_url = "https://api.openai.com/v1"
"""


def loaded(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return load(str(path))


def test_keys_of_other_kinds_and_of_fallbacks_are_all_told_at_once(tmp_path):
    text = ENDPOINT + 'replay = "x"\nengine = "transformers"\ntemprature = 1\n'
    text += '[[teachers.fallbacks]]\nmodel = "m"\nwieght = 2\n[[teachers.fallbacks]]\nweight = -1\nbase_uri = "x"\n'
    with pytest.raises(RecipeError) as caught:
        loaded(tmp_path, text)
    found = str(caught.value).splitlines()[1:-1]
    assert sorted(found) == sorted(
        f"  - teachers.0.{problem}"
        for problem in (
            "replay: unknown key where kind = 'openai'; only 'replay' has it: leave it out",
            "engine: unknown key where kind = 'openai'; only 'local' has it: leave it out",
            "temprature: unknown key; did you mean 'temperature'?",
            "fallbacks.0.wieght: unknown key; did you mean 'weight'?",
            "fallbacks.1.weight = -1: more than 0 is wanted",
            "fallbacks.1.base_uri: unknown key; did you mean 'base_url'?",
        )
    )


@pytest.mark.parametrize(
    ("overrides", "problems"),
    [
        (
            ["teachers.0.temperature=0.2"],
            ["temperature: unknown key where kind = 'composer'; only 'openai' or 'local' has it: leave it out"],
        ),
        (["teachers.0.fault_share=2"], ["fault_share = 2: 1 or less is wanted"]),
        (
            ["teachers.0.kind=gpt", "teachers.0.max_tokens=no", "teachers.0.tets=seed", "teachers.0.base_url=x"],
            [
                "kind = 'gpt': 'openai', 'local', 'composer' or 'replay' is wanted",
                "max_tokens = 'no': a whole number is wanted",
                "tets: unknown key; did you mean 'tests'?",
            ],
        ),
        (["teachers.0.kind=[1]"], ["kind = [1]: 'openai', 'local', 'composer' or 'replay' is wanted"]),
        (["teachers=[{}]"], ["kind: missing; it must be given", "name: missing; it must be given"]),
        (["teachers.0.kind=replay"], ["replay must name a journal of an earlier run for kind = 'replay'"]),
    ],
)
def test_what_is_wrong_with_a_kind_or_its_keys(overrides, problems):
    with pytest.raises(RecipeError) as caught:
        load("tiny", overrides)
    assert str(caught.value).splitlines()[1:-1] == [f"  - teachers.0.{problem}" for problem in problems]


def test_lists_of_tables_inside_a_teacher_are_shown_as_they_are_written(tmp_path):
    with pytest.raises(RecipeError, match=r"tables are wanted: \[\[teachers.fallbacks\]\] in a recipe, teachers.0"):
        loaded(tmp_path, ENDPOINT + "fallbacks = 3\n")
    with pytest.raises(RecipeError, match=r"teachers.0.fallbacks.0 = 3: a table is wanted; set its keys, e.g. "):
        loaded(tmp_path, ENDPOINT + "fallbacks = [3]\n")


def test_a_recipe_that_an_earlier_version_resolved_is_read(tmp_path):
    # It had the keys of all kinds in every table, those of others at their defaults.
    idle = 'base_url = ""\nengine = "auto"\nmode = "online"\nstop = []\nweight = 1.0\nfallbacks = []\nreplay = ""\n'
    text = dump(load("tiny").recipe).replace('kind = "composer"\n', f'kind = "composer"\n{idle}')
    text = text.replace("[prompts]", "[teachers.headers]\n[teachers.extra_body]\n[prompts]")
    assert "fallbacks" in text
    assert loaded(tmp_path, text).recipe == load("tiny").recipe


def test_another_kind_takes_what_only_the_old_one_knows_with_it():
    asked = ["teachers.0.kind=local", "teachers.0.temperature=0.5", "teachers.0.max_tokens=9"]
    (table,) = load("tiny", asked).recipe.teachers
    assert (table.kind, table.temperature, table.max_tokens) == ("local", 0.5, 9)
    assert load("tiny", asked[::-1]).recipe.teachers == (table,)
    for wrong in ("faults=['crash']", "fault_share=0.1"):
        with pytest.raises(
            RecipeError, match=r"teachers.0.fault\w+: unknown key where kind = 'local'; only 'composer'"
        ):
            load("tiny", ["teachers.0.kind=local", f"teachers.0.{wrong}"])


def test_what_a_fallback_leaves_out_is_the_teachers(tmp_path):
    text = ENDPOINT + 'weight = 3.0\n[[teachers.fallbacks]]\nmodel = "m"\n[[teachers.fallbacks]]\nweight = 2\n'
    (table,) = loaded(tmp_path, text).recipe.teachers
    url = "https://api.openai.com/v1"
    built = KINDS["openai"].build(table, Setup(Execution(), 0, tmp_path, print, with_keys=False))
    assert built.identity()["endpoints"] == [[url, "gpt-4o-mini", 3.0], [url, "m", 1.0], [url, "gpt-4o-mini", 2.0]]


def test_every_kind_of_table_has_its_declaration():
    assert {name: kind.table for name, kind in KINDS.items()} == tables_in(AnyTeacher)
    assert all(kind.what and not kind.what.endswith(".") for kind in KINDS.values())
    assert [name for name, kind in KINDS.items() if not kind.has_model] == ["composer"]
    assert [name for name, kind in KINDS.items() if kind.renewable] == ["openai", "local"]
    assert [name for name, kind in KINDS.items() if kind.dated] == ["openai", "replay"]


def test_only_what_is_paid_has_a_price():
    table = OpenAITable(name="gpt", model="gpt-4o-mini", base_url="https://api.openai.com/v1")
    assert usd(table, 1_000_000, 0) == pytest.approx(0.15)
    assert usd(table.model_copy(update={"mode": "batch"}), 1_000_000, 0) == pytest.approx(0.075)
    assert usd(table.model_copy(update={"model": "nobody-knows"}), 1, 1) is None
    assert {usd(one, 10**6, 10**6) for one in load("tiny").recipe.teachers} == {0.0}
