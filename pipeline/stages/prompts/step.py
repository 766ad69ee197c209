"""Prompts in the walk."""

from pipeline.core.records import Prompt, Seed
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted
from pipeline.store.manifest import Manifest


def _reads(recipe: Recipe) -> str:
    from pipeline.domains.loading import load
    from pipeline.stages.prompts.stage import digest

    return digest(load(recipe.domain))


def _make(making: Making) -> Manifest:
    from pipeline.domains.loading import load
    from pipeline.stages.prompts.stage import Render

    return making.through(Render(load(making.recipe.domain)), alone=True)


STEP = TextStep(
    name="prompts",
    version=1,
    caption="seeds rendered through a template",
    make=_make,
    inputs=("seeds",),
    wanted=wanted,
    settings=lambda recipe: {},
    reads=_reads,
    kept=(Prompt,),
    dropped=(Seed,),
    corpus=True,
)
