"""A sweep's file: what it says of each run's recipe, and everything that is wrong with it at once."""

from pathlib import Path

import pytest

from pipeline.cli.main import main
from pipeline.core.errors import RecipeError, UsageError
from pipeline.models import fitting
from pipeline.recipe import Recipe
from pipeline.sweep.file import Sweep, read_sweep, shipped

HEAD = 'name = "mine"\nrecipe = "tiny"\nseeds = [1, 2]\n'
ARMS = """
[set]
evaluation.limit = 3

[[arms]]
name = "first"

[[arms]]
name = "second"
set.student.phases.0.lr = 0.5
set.teachers.composer.fault_share = 0.25
"""


def sweep(tmp_path: Path, text: str, *overrides: str, **options: object) -> Sweep:
    path = tmp_path / "sweep.toml"
    path.write_text(text)
    return read_sweep(str(path), overrides, **options)  # type: ignore[arg-type]


def problems(tmp_path: Path, text: str, *overrides: str) -> tuple[str, ...]:
    with pytest.raises(RecipeError) as refused:
        sweep(tmp_path, text, *overrides)
    return refused.value.problems


def test_an_arm_is_the_base_with_what_is_set_for_all_then_by_the_arm_then_on_the_command_line(tmp_path: Path) -> None:
    found = sweep(tmp_path, HEAD + ARMS, "seeds.exercises=5")
    assert [(t.arm, t.seed, t.run) for t in found.trials] == [
        ("first", 1, "mine.first.1"),
        ("first", 2, "mine.first.2"),
        ("second", 1, "mine.second.1"),
        ("second", 2, "mine.second.2"),
    ]
    first, second = found.trials[0].loaded.recipe, found.trials[3].loaded.recipe
    assert (first.evaluation.limit, second.evaluation.limit) == (3, 3)
    assert (first.student.phases[0].lr, second.student.phases[0].lr) == (1e-3, 0.5)
    assert second.student.phases[0].steps == 8  # the rest of the table is the base's
    assert getattr(second.teachers[0], "fault_share", None) == 0.25
    assert (second.seed, second.student.seed) == (1, 2)
    assert second.seeds.exercises == 5


def test_a_seed_may_be_that_of_the_whole_recipe(tmp_path: Path) -> None:
    recipe = sweep(tmp_path, HEAD + 'seed_key = "seed"\n' + ARMS).trials[1].loaded.recipe
    assert (recipe.seed, recipe.student.seed) == (2, None)


SET_BY_SEEDS = "{} is set by the experiment's seeds, one for each run; leave it out"


@pytest.mark.parametrize(
    ("text", "override", "said"),
    [
        (HEAD + ARMS + "set.student.seed = 5\n", "", "arm second: " + SET_BY_SEEDS.format("student.seed")),
        (HEAD + ARMS, "student.seed=5", "every arm: " + SET_BY_SEEDS.format("student.seed")),
        (HEAD + 'seed_key = "seed"\n' + ARMS + "set.seed = 5\n", "", "arm second: " + SET_BY_SEEDS.format("seed")),
        (HEAD.replace("tiny", "dino") + '[[arms]]\nname = "a"\nset.seed = 5\n', "", SET_BY_SEEDS.format("seed")),
    ],
)
def test_what_the_seeds_set_is_set_by_nothing_else_or_all_runs_of_an_arm_would_be_one(
    tmp_path: Path, text: str, override: str, said: str
) -> None:
    (problem,) = problems(tmp_path, text, *([override] if override else []))
    assert problem.endswith(said)
    assert sweep(tmp_path, HEAD + 'seed_key = "seed"\n' + ARMS, "student.seed=5").trials[1].loaded.recipe.seed == 2


def test_an_unknown_key_of_a_scale_is_told_with_those_that_there_are_and_a_byte_order_mark_is_none(
    tmp_path: Path,
) -> None:
    wrong = problems(tmp_path, "\ufeff" + HEAD + ARMS + "[scales.big]\nrecipes = 'tiny'\nzzz = 1\n")
    assert wrong == (
        "scales.big.recipes: unknown key; did you mean 'recipe'?",
        "scales.big.zzz: unknown key; known here: recipe, seeds, set",
    )


def test_without_pairs_each_arm_is_compared_with_the_one_before_it(tmp_path: Path) -> None:
    assert sweep(tmp_path, HEAD + ARMS).pairs == (("first", "second"),)
    assert sweep(tmp_path, HEAD + 'pairs = [["before", "second"]]\n' + ARMS).pairs == (("before", "second"),)


def test_a_scale_has_its_own_recipe_seeds_and_settings_below_those_of_the_arms(tmp_path: Path) -> None:
    big = '[[teachers]]\nname = "composer"\nkind = "composer"\n[[student.phases]]\n[student]\ninit = "smollm2"\n'
    (tmp_path / "big.toml").write_text(f"[seeds]\nexercises = 3\n{big}")
    scale = '[scales.big]\nrecipe = "big.toml"\nseeds = [7]\nset.student.phases.0.lr = 0.25\n'
    found = sweep(tmp_path, HEAD + ARMS + scale, scale="big")
    assert (found.name, found.seeds) == ("mine-big", (7,))
    assert [t.loaded.recipe.student.phases[0].lr for t in found.trials] == [0.25, 0.5]
    assert found.trials[0].loaded.recipe.student.init == "smollm2"


def test_a_base_recipe_and_the_paths_of_an_arm_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('[sources]\nkind = "folder"\npath = "code"\n')
    text = (
        'name = "mine"\nrecipe = "base.toml"\n[[arms]]\nname = "a"\n[[arms]]\nname = "b"\nset.sources.path = "more"\n'
    )
    paths = [trial.loaded.recipe.sources.path for trial in sweep(tmp_path, text).trials]
    assert paths == [str(tmp_path / "code"), str(tmp_path / "more")]


def test_everything_that_is_wrong_with_the_names_is_told_at_once(tmp_path: Path) -> None:
    text = (
        'name = "mine"\nrecipe = "tiny"\nseeds = [1, 1]\nsplit_by = "none"\npairs = [["a", "c"], ["a", "a"], ["a"]]\n'
        '[[arms]]\nname = "a"\n[[arms]]\nname = "a"\n[[arms]]\nname = "before"\n'
    )
    assert problems(tmp_path, text) == (
        "arms: the name 'a' is used 2 times; names must differ",
        "arms: the name 'before' is the untrained student's; choose another",
        "pairs.0 = ['a', 'c']: there is no arm 'c'; arms: a, a, before",
        "pairs.1 = ['a', 'a']: an arm beside itself; name two arms",
        "pairs.2 = ['a']: 1 names; a pair has two",
        "split_by = 'none': there is no such arm; arms: a, a, before",
        "seeds = [1, 1]: a seed is named twice; name each once",
    )


def test_what_is_wrong_with_an_arms_recipe_is_told_with_its_name_and_what_with_all_once(tmp_path: Path) -> None:
    arms = (
        HEAD + '[set]\nevaluation.limt = 3\n[[arms]]\nname = "a"\n[[arms]]\nname = "b"\nset.student.phases.9.lr = 1\n'
    )
    assert problems(tmp_path, arms) == (
        "every arm: evaluation.limt: unknown key; did you mean 'limit'?",
        "arm b: student.phases: '9' is none of them; there are pretrain: name one, or give the whole list",
    )


def test_a_wrong_value_and_an_unknown_key_of_the_file_itself_are_told_like_those_of_a_recipe(tmp_path: Path) -> None:
    assert problems(tmp_path, 'name = "a b"\nrecipe = "tiny"\nseed = [1]\n[[arms]]\nnam = "x"\n') == (
        'name: \'a b\' has \' \' in it; a name is a letter or digit, then letters, digits, ".", "_" and "-" (ASCII, at '
        "most 100 characters); LATEST is reserved for the newest run",
        "arms.0.name: missing; it must be given",
        "arms.0.nam: unknown key; did you mean 'name'?",
        "seed: unknown key; did you mean 'seeds'?",
    )


def test_a_sweep_of_nothing_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path, 'name = "mine"\nrecipe = "tiny"\nseeds = []\narms = []\n') == (
        "arms = []: there is nothing to make; add an [[arms]] table with a name",
        "seeds = []: there is nothing to make; name one seed or more, e.g. [1, 2, 3]",
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arms": ["third"]}, "--arm = 'third': the sweep has no such arm"),
        ({"scale": "big"}, "--scale = 'big': the sweep has no such scale"),
    ],
)
def test_an_option_that_names_nothing_of_the_file_is_refused(
    tmp_path: Path, options: dict[str, object], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        sweep(tmp_path, HEAD + ARMS, **options)
    assert refused.value.message == said


def test_a_plan_of_some_stages_is_refused_and_not_one_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["ladder", "--plan", "--until", "nope"])
    assert stop.value.code == 2
    assert "--plan shows all stages" in capsys.readouterr().err


def test_a_name_that_makes_a_runs_name_too_long_is_refused(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, HEAD.replace("mine", "m" * 95) + ARMS)
    assert problem.startswith("name = 'mmm")
    assert "104 characters; at most 100" in problem


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_experiment_can_be_read_at_each_of_its_scales(name: str) -> None:
    found = read_sweep(name)
    assert found.table.description
    for scale in found.table.scales:
        assert read_sweep(name, scale=scale).trials


@pytest.mark.parametrize("name", shipped())
def test_the_students_of_every_shipped_experiment_can_be_trained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As far as their models' kinds go, also those that are not on this machine."""
    kinds = {"smollm2": "llama", "qwen2.5-coder-0.5b": "qwen2", "qwen2.5-coder-1.5b": "qwen2", "": "llama"}
    monkeypatch.setattr(fitting, "config_of", lambda spec, models: {"model_type": kinds[spec]})
    for trial in read_sweep(name).trials:
        if isinstance(trial.loaded.recipe, Recipe):
            fitting.check_recipe(trial.loaded.recipe, tmp_path)
