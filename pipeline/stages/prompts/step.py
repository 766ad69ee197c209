"""Prompts in the walk."""

from typing import Any

from pipeline.core.records import Prompt, Seed
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted
from pipeline.store.manifest import Manifest


def _reads(recipe: Recipe) -> list[Any]:
    """The templates, and the teachers that are asked by one of their own."""
    from pipeline.domains.loading import load
    from pipeline.stages.prompts.stage import calling, digest

    domain = load(recipe.domain)
    return [digest(domain), sorted(calling(domain, recipe.teachers))]


def _make(making: Making) -> Manifest:
    from pipeline.domains.loading import load
    from pipeline.stages.prompts.stage import Render, calling

    domain = load(making.recipe.domain)
    return making.through(Render(domain, calling(domain, making.recipe.teachers)), alone=True)


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
