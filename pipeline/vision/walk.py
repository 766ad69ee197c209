"""The walk over images: images, a network that learns from them, its scores. The second tuple of steps.

::

    images -> unique-images -> self-distilled -+-------------------------------> probes
                           \\-> labelled        \\-> (teacher-features) -> distilled -/
"""

from collections.abc import Mapping
from typing import Any

from pipeline.core import step
from pipeline.core.plan import Plan
from pipeline.recipe_images import ImageRecipe
from pipeline.recipe_paths import without_folders
from pipeline.vision import steps
from pipeline.vision.steps import ImageStep

WALK: tuple[ImageStep, ...] = (
    steps.IMAGES,
    steps.UNIQUE_IMAGES,
    steps.SELF_DISTILLED,
    steps.LABELLED,
    steps.TEACHER_FEATURES,
    steps.DISTILLED,
    steps.PROBES,
)


def named(name: str) -> ImageStep:
    """The step of that name; KeyError where the walk has none."""
    return {one.name: one for one in WALK}[name]


def names() -> tuple[str, ...]:
    """The steps' names, in the order of the walk."""
    return tuple(one.name for one in WALK)


def reads(recipe: ImageRecipe) -> dict[str, Any]:
    """Per stage that the recipe has, what identifies the things outside the store that it reads. Raises InputError."""
    found = {one.name: one.reads(recipe) for one in WALK if one.wanted(recipe)}
    return {name: what for name, what in found.items() if what is not None}


def plan(recipe: ImageRecipe, reads: Mapping[str, Any], generations: Mapping[str, str] | None = None) -> Plan:
    """The stages of the walk that a recipe needs."""
    return step.plan(WALK, without_folders(recipe), reads, generations)
