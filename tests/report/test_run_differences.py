"""Two runs side by side."""

from pathlib import Path

import pytest
from example_run import Example, build

from pipeline.report.browse import diff, diff_text
from pipeline.report.differences import Diff
from pipeline.store.store import Store


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Diff:
    root = tmp_path_factory.mktemp("pair")
    one = build(root, exercises=20, textbooks=2, problems=9, name="one")
    for scratch in ("tokens-scratch", "weights-scratch"):
        if (root / scratch).exists():
            (root / scratch).rename(root / f"old-{scratch}")
    two = build(root, exercises=30, textbooks=2, problems=9, name="two")
    return diff(one.folder, two.folder, Store(one.store.root))


def test_recipe_differences_name_the_key_and_both_values(found: Diff) -> None:
    assert [(d.key, d.a, d.b) for d in found.recipe] == [("seeds.exercises", 20, 30)]


def test_stages_that_do_not_depend_on_the_change_are_shared(found: Diff) -> None:
    same = {stage.name for stage in found.stages if stage.same}
    assert same == {"raw-code", "samples-before"}


def test_scores_are_compared_on_common_problems(found: Diff) -> None:
    for score in found.scores:
        assert score.comparison is not None
        assert (score.comparison.test.gained, score.comparison.test.lost) == (0, 0)


def test_the_text_names_both_runs_and_what_differs(found: Diff) -> None:
    text = diff_text(found)
    for wanted in ("a  one", "b  two", "seeds.exercises  20 -> 30", "same artifact", "invented after"):
        assert wanted in text
    assert set(found.to_json()) == {"a", "b", "recipe", "stages", "scores"}


def test_a_run_does_not_differ_from_itself(example: Example) -> None:
    same = diff(example.folder, Path(example.folder), example.store)
    assert same.recipe == ()
    assert all(stage.same for stage in same.stages)
    assert "the same" in diff_text(same)
