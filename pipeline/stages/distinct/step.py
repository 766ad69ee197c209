"""Distinct in the walk."""

from pipeline.core.records import Exercise, Passage
from pipeline.stages.making import Making, TextStep
from pipeline.store.manifest import Manifest


def _make(making: Making) -> Manifest:
    from pipeline.domains.loading import load
    from pipeline.stages.distinct.stage import Distinct

    language = load(making.recipe.domain).language
    return making.through(Distinct(making.recipe.distinct, making.executor, language=language))


STEP = TextStep(
    name="distinct",
    version=5,
    caption="exact, near and renamed duplicates removed",
    make=_make,
    inputs=("validated", "rewordings"),
    settings=lambda recipe: {"distinct": recipe.distinct.keyed("duplicates")},
    kept=(Passage, Exercise),
    dropped=(Passage, Exercise),
    reasons={
        "exact-duplicate": "the same text as one kept",
        "near-duplicate": "shares too many shingles of words with one kept",
        "clone": "the same syntax tree as one kept, once names, comments and docstrings are left out",
    },
    corpus=True,
)
