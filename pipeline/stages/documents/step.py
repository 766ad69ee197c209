"""Documents in the walk."""

from typing import Any

from pipeline.core.records import Completion, Exercise, Passage
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted
from pipeline.store.manifest import Manifest


def _make(making: Making) -> Manifest:
    from pipeline.domains.loading import load
    from pipeline.stages.documents.stage import Parse

    return making.through(Parse(load(making.recipe.domain)), alone=True)


def _reads(recipe: Recipe) -> Any:
    """How a domain's answers are taken apart; nothing for Python, whose exercises are functions."""
    from pipeline.core.identity import digest
    from pipeline.domains.loading import load

    domain = load(recipe.domain)
    return None if domain.language == "python" else digest([domain.language, domain.answer, domain.shape])


STEP = TextStep(
    name="documents",
    version=3,
    caption="answers parsed into passages and exercises",
    make=_make,
    inputs=("completions",),
    wanted=wanted,
    settings=lambda recipe: {},
    reads=_reads,
    kept=(Passage, Exercise),
    dropped=(Completion,),
    reasons={
        "no-code": "the answer has no block of code where one is wanted",
        "unclosed-fence": "the answer ends inside a block of code",
        "no-signature": "no function in the code is the one that was asked for, or it says nothing of itself",
        "unparsable": "the code is no Python, or none of the domain's language",
        "no-task": "outside Python: the answer does not say what is asked, where the domain looks for it",
        "no-check": "outside Python: the answer has no check, or one that the domain's checker cannot read",
    },
    corpus=True,
)
