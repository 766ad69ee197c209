import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import RecipeError
from pipeline.recipe_problems import to_toml
from pipeline.recipe_text import dump, load, shipped_recipes


def write(tmp_path, text):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    return str(path)


@pytest.mark.parametrize("name", shipped_recipes())
def test_every_shipped_recipe_loads_and_says_what_it_is(name):
    recipe = load(name).recipe
    assert recipe.name == name
    assert recipe.description


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_dumped_recipe_loads_as_the_same_recipe(name, tmp_path):
    loaded = load(name)
    again = load(write(tmp_path, dump(loaded.recipe, loaded.execution)))
    assert (again.recipe, again.execution) == (loaded.recipe, loaded.execution)


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=3)
    ),
)


@given(VALUES)
def test_a_value_is_written_on_one_line_and_read_back(value):
    text = to_toml(value)
    assert "\n" not in text
    assert tomllib.loads(f"key = {text}") == {"key": value}


def test_tables_in_lists_and_odd_names_are_read_back(tmp_path):
    loaded = load("tiny", ["description=\"a 'quoted' \\\\ \\u0007 text\"", 'teachers.composer.name="dot.ted"'])
    again = load(write(tmp_path, dump(loaded.recipe)))
    assert again.recipe == loaded.recipe


def test_all_errors_at_once_each_with_key_value_and_next_step(tmp_path):
    path = write(
        tmp_path,
        """
        [seeds]
        exercses = 5
        words = -1
        [distinct]
        bands = 7
        [tokns]
        [[teachers]]
        name = "x"
        kind = "gpt"
        [execution]
        wrokers = 2
        """,
    )
    with pytest.raises(RecipeError) as caught:
        load(path)
    message = str(caught.value)
    assert f"{path} has 6 problems:" in message
    assert "seeds.exercses: unknown key; did you mean 'exercises'?" in message
    assert "seeds.words = -1: 0 or more is wanted" in message
    assert "distinct: bands = 7 does not divide permutations = 128" in message
    assert "tokns: unknown key; did you mean 'tokens'?" in message
    assert "teachers.0.kind = 'gpt': 'openai', 'local', 'composer' or 'replay' is wanted" in message
    assert "execution.wrokers: unknown key; did you mean 'workers'?" in message


def test_overrides_reach_tables_and_teachers_by_number_and_by_name():
    loaded = load("tiny", ["seeds.exercises=7", "teachers.composer.max_tokens=99", "execution.workers=3"])
    assert loaded.recipe.seeds.exercises == 7
    assert loaded.recipe.teachers[0].max_tokens == 99
    assert loaded.execution.workers == 3
    assert load("tiny", ["teachers.0.name=abc"]).recipe.teachers[0].name == "abc"


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds", "override 'seeds': expected key=value"),
        ("=3", "override '=3': expected key=value"),
        ("teachers.nobody.model=x", "'nobody' is not a table of this recipe"),
        ("teachers.9.model=x", "'9' is not a table of this recipe"),
        ("seeds.exercises=many", "seeds.exercises = 'many': a whole number is wanted"),
    ],
)
def test_bad_overrides(override, message):
    with pytest.raises(RecipeError, match="tiny has 1 problem:") as caught:
        load("tiny", [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "evaluation.benchmarks=humaneval",
            """evaluation.benchmarks = 'humaneval': a list is wanted: ["humaneval"] in a recipe, """
            """evaluation.benchmarks='["humaneval"]' on the command line""",
        ),
        ("evaluation.benchmarks=[humaneval,held-out]", """evaluation.benchmarks='["humaneval", "held-out"]' on the"""),
        ("evaluation.benchmarks=humaneval,held-out", """a list is wanted: ["humaneval", "held-out"] in a recipe"""),
        ("student.layers=0,2", "student.layers='[0, 2]' on the command line"),
        ("student.layers=3", "student.layers='[3]' on the command line"),
        ("student.phases.0.betas=0.9", "student.phases.0.betas = 0.9: a list is wanted"),
        ("sources.licences=x", """sources.licences='["x"]' on the command line"""),
        ("execution.trackers=wandb", """execution.trackers='["wandb"]' on the command line"""),
        ("decontaminated.benchmarks=inf", "decontaminated.benchmarks = inf: a list is wanted: [inf] in a recipe"),
        ("teachers=3", "teachers = 3: tables are wanted: [[teachers]] in a recipe, teachers.0.KEY=value"),
        ("seeds=5", "seeds = 5: a table is wanted; set its keys, e.g. seeds.exercises=..."),
    ],
)
def test_a_list_that_is_none_is_shown_as_it_is_written(override, message):
    with pytest.raises(RecipeError) as caught:
        load("tiny", [override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 5000, "is not valid TOML: "),
        ("a = " + "9" * 5000, "is not valid TOML: "),
        ("seed = 0x" + "f" * 5000, "seed = a number that is too long to be shown: "),
        ("[seeds]\nexercises = 0x" + "f" * 5000, "seeds.exercises = a number that is too long to be shown: "),
        ("[seeds]\nexercises = 9999999999999999", "1000000000000000 or less is wanted"),
        ("[[student.phases]]\nlr = inf", "student.phases.0.lr = inf: a finite number is wanted"),
        ("[[teachers]]\nname='a'\nkind='local'\nextra_body={a=2020-01-01}", "cannot be sent as JSON"),
        ("[[teachers]]\nname='a'\nkind='local'\nextra_body={a=nan}", "cannot be sent as JSON"),
        ("teachers = 5", "teachers = 5: tables are wanted"),
        ("name = '../x'", "name: '../x' begins with '.'; a name is a letter or digit, then"),
        ("name = 'LATEST'", "name: 'LATEST' is reserved for the newest run"),
    ],
)
def test_broken_and_hostile_recipes_are_refused_with_their_fault(text, message, tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(write(tmp_path, text))
    assert message in str(caught.value)


def test_a_file_that_is_no_recipe_is_not_read(tmp_path, monkeypatch):
    path = tmp_path / "weights.toml"
    with path.open("wb") as file:
        file.truncate(17 * 2**20)
    with pytest.raises(RecipeError, match=r"weights.toml has 17,825,792 bytes, more than"):
        load(str(path))
    with pytest.raises(RecipeError, match="no recipe '/dev/zero'"):
        load("/dev/zero")
    with pytest.raises(RecipeError, match="cannot be read: File name too long"):
        load("x" * 5000)
    with pytest.raises(RecipeError, match="is not UTF-8 text"):
        load("tiny", ["name=\udcff"])


def test_unknown_recipe_suggests_the_nearest():
    with pytest.raises(RecipeError, match="no recipe 'tinny'") as caught:
        load("tinny")
    assert "did you mean 'tiny'?" in str(caught.value)


def test_toml_syntax_names_the_line(tmp_path):
    with pytest.raises(RecipeError, match=r"is not valid TOML: .*line 2"):
        load(write(tmp_path, "name = 'x'\nseed = = 3\n"))


def test_a_recipe_that_is_not_text(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_bytes(b"name = '\xff'")
    with pytest.raises(RecipeError, match="is not UTF-8 text: byte 8"):
        load(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 'x'", "nothing to make a corpus from"),
        ("[seeds]\nexercises = 3", "seeds.exercises = 3, but no teacher has exercise_share > 0"),
        ("[sources]\nkind = 'folder'", "sources.kind = 'folder' needs sources.path"),
        (
            "[seeds]\nexercises = 1\n[[teachers]]\nname='a'\nkind='openai'",
            "teachers.0.model and base_url must be given for kind = 'openai'",
        ),
        (
            "[seeds]\nexercises = 1\n[[teachers]]\nname='a'\nkind='composer'\n[[teachers]]\nname='a'\nkind='composer'",
            "the name 'a' is used 2 times",
        ),
        ("[sources]\nkind='stdlib'\n[quality]\njudge='x'", "quality.judge = 'x': no teacher of that name"),
        ("[sources]\nkind='stdlib'\n[evaluation]\nsamples=5", "evaluation.samples = 5 with temperature = 0"),
    ],
)
def test_what_no_single_field_shows(text, message, tmp_path):
    with pytest.raises(RecipeError) as caught:
        load(write(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        (["soft_targets.on_policy=0.5"], "soft_targets sets on_policy without a teacher; set soft_targets.teacher"),
        (["soft_targets.mode=online"], "soft_targets sets mode without a teacher"),
        (["soft_targets.hidden_weight=1"], "soft_targets sets hidden_weight without a teacher"),
        (
            ["soft_targets.teacher=t", "soft_targets.hidden_weight=1"],
            "soft_targets.hidden_weight = 1.0 with mode = 'cached': hidden states are not on disk; set soft",
        ),
        (
            ["soft_targets.teacher=t", "soft_targets.mode=online", "soft_targets.hidden_layers=[1]"],
            "soft_targets.hidden_layers = [1] with hidden_weight = 0: nothing is matched",
        ),
        (
            [
                "soft_targets.teacher=t",
                "soft_targets.mode=online",
                "soft_targets.hidden_weight=1",
                "student.prompt_gradient=false",
            ],
            "which reads prompts apart; set student.prompt_gradient = true",
        ),
        (
            ["soft_targets.teacher=t", "soft_targets.on_policy=0.5"],
            "soft_targets.on_policy = 0.5 with mode = 'cached': what the student will say is not on disk; "
            "set soft_targets.mode = 'online'",
        ),
        (
            ["soft_targets.teacher=t", "soft_targets.mode=online", "soft_targets.on_policy=0.5", "tokens.loss=all"],
            "soft_targets.on_policy = 0.5 with tokens.loss = 'all': no document has a prompt",
        ),
        (
            ["soft_targets.teacher=t", "tokens.mask_documents=false"],
            "set tokens.mask_documents = true, or soft_targets.mode = 'online'",
        ),
        (["soft_targets.teacher=t", "soft_targets.on_policy=2"], "soft_targets.on_policy = 2: "),
        (["soft_targets.teacher=t", "soft_targets.divergence=kl"], "'forward-kl', 'reverse-kl' or 'jensen-shannon'"),
        (["student.layers=[0, 2]"], "student.layers = [0, 2] with student.init = 'scratch'"),
        (["student.init=m", "student.layers=[2, 0]"], "layers = [2, 0] must rise"),
        (
            ["student.init=a/m", "student.dropout=0.1"],
            "student.dropout = 0.1 with student.init = 'a/m': a pretrained model",
        ),
    ],
)
def test_distillation_that_contradicts_itself_is_refused(overrides, wanted):
    with pytest.raises(RecipeError) as caught:
        load("tiny", overrides)
    assert wanted in str(caught.value)
    assert "has 1 problem:" in str(caught.value)
