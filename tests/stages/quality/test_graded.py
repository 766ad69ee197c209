"""The value model that is shipped: what it reads with, what it was trained on, and that it tells documents apart."""

import json

from pipeline.core.resources import shipped
from pipeline.models.embeddings import DEFAULT
from pipeline.recipe import QualityTable
from pipeline.recipe_text import load
from pipeline.stages.quality.valuing import GRADED, folder_of, reused
from pipeline.stages.reads import embedding_identity


def test_it_reads_with_the_embedded_model_as_it_is_set_by_default() -> None:
    identity = embedding_identity(DEFAULT, QualityTable().embedding_tokens)
    assert reused(GRADED, identity).about["embedding"] == identity


def test_it_was_trained_on_the_grades_beside_it_and_tells_what_it_has_not_seen_apart() -> None:
    grades = json.loads((shipped("value-model") / "grades.json").read_text())
    assert {type(grade) for grade in grades.values()} == {int}
    assert set(grades.values()) == set(range(11))
    report = reused(GRADED, None).report
    assert report.annotated == len(grades)
    low, _ = report.auc_interval()
    assert low > 0.7


def test_its_name_is_no_path() -> None:
    recipe = load("first-run", ["quality.classifier=true", "quality.model=graded"]).recipe
    assert recipe.quality.model == GRADED
    assert folder_of(recipe.quality.model) == shipped("value-model")
