"""Documents in the walk."""

from pipeline.core.records import Completion, Exercise, Passage
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted
from pipeline.store.manifest import Manifest


def _make(making: Making) -> Manifest:
    from pipeline.stages.documents.stage import Parse

    return making.through(Parse(), alone=True)


STEP = TextStep(
    name="documents",
    version=2,
    caption="answers parsed into passages and exercises",
    make=_make,
    inputs=("completions",),
    wanted=wanted,
    settings=lambda recipe: {},
    kept=(Passage, Exercise),
    dropped=(Completion,),
    reasons={
        "no-code": "the answer has no block of code where one is wanted",
        "unclosed-fence": "the answer ends inside a block of code",
        "no-signature": "no function in the code is the one that was asked for, or it says nothing of itself",
        "unparsable": "the code is no Python",
    },
    corpus=True,
)
