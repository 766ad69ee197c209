"""Paths in a recipe begin at its file, those of overrides at the current folder; keys see what lies there alone."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import RecipeError, UsageError
from pipeline.core.resources import shipped
from pipeline.recipe import Recipe
from pipeline.recipe_paths import locate, without_folders
from pipeline.recipe_text import dump, load
from pipeline.walk import plan, reads

TEACHERS = '[seeds]\nexercises = 2\n[[teachers]]\nname = "a"\nkind = "composer"\n'

FIELDS = {
    "domain": "domain = {0}\n" + TEACHERS,
    "teachers.0.replay": TEACHERS.replace('"composer"', '"replay"') + "replay = {0}",
    "teachers.0.model": TEACHERS.replace('"composer"', '"local"') + "model = {0}",
    "sources.path": '[sources]\nkind = "folder"\npath = {0}',
    "quality.embedding": '[sources]\nkind = "stdlib"\n[quality]\nembedding = {0}',
    "decontaminated.encoder": '[sources]\nkind = "stdlib"\n[decontaminated]\nencoder = {0}',
    "decontaminated.benchmarks.0": '[sources]\nkind = "stdlib"\n[decontaminated]\nbenchmarks = [{0}]',
    "evaluation.benchmarks.1": '[sources]\nkind = "stdlib"\n[evaluation]\nbenchmarks = ["humaneval", {0}]',
    "tokens.tokenizer": '[sources]\nkind = "stdlib"\n[tokens]\ntokenizer = {0}',
    "student.init": '[sources]\nkind = "stdlib"\n[student]\ninit = {0}',
    "soft_targets.teacher": '[sources]\nkind = "stdlib"\n[soft_targets]\nteacher = {0}',
}


def value_at(recipe, key):
    found = recipe.model_dump(mode="json")
    for part in key.split("."):
        found = found[int(part)] if part.isdigit() else found[part]
    return found


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a recipe's folder in it, and another that is the current one."""
    (tmp_path / "recipes" / "inner").mkdir(parents=True)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.mark.parametrize("key", FIELDS)
@pytest.mark.parametrize(("text", "place"), [("./x", "recipes/x"), ("../y/z", "y/z"), ("inner/../x", "recipes/x")])
def test_a_path_in_a_recipe_begins_at_the_recipe_and_one_of_an_override_at_the_current_folder(
    project, key, text, place
):
    path = project / "recipes" / "mine.toml"
    path.write_text(FIELDS[key].format(json.dumps(text)))
    assert value_at(load("../recipes/mine.toml").recipe, key) == str(project / place)
    if not key.endswith("benchmarks.1"):
        whole = key.removesuffix(".0")
        override = f'{whole}=["{text}"]' if whole != key else f"{key}={text}"
        found = value_at(load(str(path), [override]).recipe, key)
        assert found == str((project / "here" / text).resolve())


@pytest.mark.parametrize("key", FIELDS)
def test_a_home_a_variable_and_an_absolute_path(project, monkeypatch, key):
    monkeypatch.setenv("HOME", str(project))
    monkeypatch.setenv("BASE", str(project / "base"))
    for text, place in (("~/x", "x"), ("$BASE/x", "base/x"), (str(project / "a"), "a")):
        (project / "mine.toml").write_text(FIELDS[key].format(json.dumps(text)))
        assert value_at(load(str(project / "mine.toml")).recipe, key) == str(project / place)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("student.init", "smollm2"),
        ("student.init", "scratch"),
        ("student.init", "HuggingFaceTB/SmolLM2-135M"),
        ("tokens.tokenizer", "train"),
        ("tokens.tokenizer", "Salesforce/codegen-350M-mono"),
        ("soft_targets.teacher", "owner/name.v1"),
        ("decontaminated.benchmarks.0", "humaneval"),
        ("evaluation.benchmarks.1", "mbpp"),
        ("domain", "python"),
    ],
)
def test_a_word_and_a_hub_name_stay_as_they_are(project, key, text):
    for folder in (project, project / "here"):
        (folder / "humaneval").write_text("a file of a benchmark's name does not take its place")
    (project / "mine.toml").write_text(FIELDS[key].format(json.dumps(text)))
    assert value_at(load(str(project / "mine.toml")).recipe, key) == text


def test_what_looks_like_a_hub_name_is_a_folder_where_one_is_there(project):
    (project / "recipes" / "teacher" / "model").mkdir(parents=True)
    path = project / "recipes" / "mine.toml"
    path.write_text(FIELDS["student.init"].format('"teacher/model"'))
    assert load(str(path)).recipe.student.init == str(project / "recipes" / "teacher" / "model")
    assert load(str(path), ["student.init=teacher/model"]).recipe.student.init == "teacher/model"


def test_the_model_of_an_endpoint_is_never_a_path(project):
    (project / "owner" / "model").mkdir(parents=True)
    text = TEACHERS.replace('"composer"', '"openai"') + 'model = "owner/model"\nbase_url = "http://127.0.0.1:1/v1"'
    (project / "mine.toml").write_text(text)
    loaded = load(str(project / "mine.toml"))
    assert loaded.recipe.teachers[0].model == "owner/model"
    override = ["teachers.a.kind=openai", "teachers.a.model=owner/model", "teachers.a.base_url=http://127.0.0.1:1/v1"]
    (project / "mine.toml").write_text(TEACHERS)
    assert load(str(project / "mine.toml"), override).recipe.teachers[0].model == "owner/model"


def test_a_resolved_recipe_means_the_same_wherever_it_is_read(project):
    path = project / "recipes" / "mine.toml"
    path.write_text(FIELDS["student.init"].format('"./x"'))
    loaded = load(str(path))
    (project / "run").mkdir()
    (project / "run" / "recipe.toml").write_text(dump(loaded.recipe))
    assert load(str(project / "run" / "recipe.toml")).recipe == loaded.recipe


@pytest.mark.parametrize("text", ["a\\u0000b", "~nobody-of-that-name/x"])
def test_what_can_be_no_path_is_a_problem_of_the_recipe(project, text):
    (project / "mine.toml").write_text(FIELDS["domain"].format(f'"{text}"'))
    with pytest.raises(RecipeError, match=r"domain = .*: can be no path: "):
        load(str(project / "mine.toml"))


NAMES = st.sampled_from(["seeds", "teachers", "data", "model", "kind", "student", "init", "evaluation", "benchmarks"])
ANYTHING = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner)
)


@given(data=st.dictionaries(NAMES, ANYTHING))
def test_data_that_fits_no_recipe_is_left_to_validation(data):
    problems = []
    locate(Recipe, data, lambda place: Path("/base"), problems)
    assert all("can be no path" in problem for problem in problems)


def checkout(folder):
    """A recipe with everything that it reads beside it."""
    shutil.copytree(shipped("prompts") / "python", folder / "mine")
    (folder / "code").mkdir()
    (folder / "code" / "a.py").write_text("def a():\n    return 1\n")
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text("{}")
    (folder / "model" / "tokenizer.json").write_text("{}")
    row = {"task_id": "t/0", "prompt": "def f(x):\n", "entry_point": "f", "canonical_solution": "    return x\n"}
    (folder / "problems.jsonl").write_text(json.dumps({**row, "test": "def check(f):\n    assert f(1) == 1\n"}) + "\n")
    (folder / "mine.toml").write_text(
        'domain = "mine"\n'
        + TEACHERS
        + '[sources]\nkind = "folder"\npath = "code"\n[decontaminated]\nbenchmarks = ["problems.jsonl"]\n'
        + '[tokens]\ntokenizer = "./model"\n[student]\ninit = "./model"\n'
        + '[evaluation]\nbenchmarks = ["problems.jsonl"]\n'
    )
    return folder / "mine.toml"


def keys(path, overrides=()):
    recipe = load(str(path), overrides).recipe
    return {stage.name: stage.key for stage in plan(recipe, reads(recipe)).stages}


def test_two_checkouts_of_one_recipe_have_equal_keys_however_their_paths_are_given(tmp_path, monkeypatch):
    first, second = checkout(tmp_path / "one"), checkout(tmp_path / "some" / "where" / "else")
    os.utime(second.parent / "code" / "a.py", (1, 1))
    monkeypatch.chdir(second.parent)
    given = [
        "domain=mine",
        f"sources.path={first.parent}/code",
        "tokens.tokenizer=../else/model",
        'evaluation.benchmarks=["./problems.jsonl"]',
    ]
    assert keys(first) == keys(second) == keys(second, given) == keys(first, given)


@pytest.mark.parametrize(
    ("name", "text", "stage"),
    [
        ("code/a.py", "def a():\n    return 2\n", "raw-code"),
        ("model/tokenizer.json", '{"a": 1}', "tokens"),
        ("model/config.json", '{"a": 1}', "student"),
        ("mine/words.toml", 'all = ["one", "two"]\n', "seeds"),
    ],
)
def test_other_contents_in_the_same_place_are_another_key(tmp_path, name, text, stage):
    path = checkout(tmp_path)
    before = keys(path)
    (tmp_path / name).write_text(text)
    after = keys(path)
    assert before[stage] != after[stage]


@pytest.mark.parametrize("tests", ["teacher", "agreement", "seed"])
@pytest.mark.parametrize("name", ["python", "sql", "regex", "pandas"])
@pytest.mark.parametrize("folder", ["mine", "sql"])
def test_a_domain_is_planned_wherever_its_folder_lies_and_whatever_it_is_called(tmp_path, folder, name, tests):
    shutil.copytree(shipped("prompts") / name, tmp_path / folder)
    path = tmp_path / "recipe.toml"
    toml = FIELDS["domain"].format(json.dumps(str(tmp_path / folder))).replace('"composer"', '"replay"\nreplay = "a"')
    path.write_text(toml.replace("exercises = 2", "exercises = 1") + f'tests = "{tests}"\n')
    (tmp_path / "a").write_text("")
    recipe = load(str(path)).recipe
    stages = {stage.name: stage for stage in plan(recipe, reads(recipe)).stages}
    told = {"cut": ["a"]} in stages["completions"].settings["reads"]
    assert told == (tests == "agreement" and name in ("python", "pandas"))


def test_a_recipe_without_paths_has_the_keys_that_it_had():
    recipe = load("first-run").recipe
    assert without_folders(recipe) is recipe


@pytest.mark.parametrize("key", [key for key in FIELDS if key != "teachers.0.model"])
def test_an_error_names_the_path_as_resolved(project, key):
    text = FIELDS[key].format('"nowhere.jsonl"' if "benchmarks" in key else '"./nowhere"')
    text += "\nclassifier = false\nflatten = 0.5" if key == "quality.embedding" else ""
    text += "\nembedding = 0.9" if key == "decontaminated.encoder" else ""
    (project / "recipes" / "mine.toml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(f"{project}/recipes/nowhere")):
        reads(load("../recipes/mine.toml").recipe)
