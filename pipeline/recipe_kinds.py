"""The kinds of recipes, one for each walk, and a recipe that is loaded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import BaseModel

from pipeline import recipe_checks, recipe_images
from pipeline.core.errors import RecipeError
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.recipe_images import ImageRecipe

RecipeT = TypeVar("RecipeT")

RECIPES: Mapping[str, type[BaseModel]] = {"text": Recipe, "images": ImageRecipe}
"""What a recipe is, by its `walk`."""


@dataclass(frozen=True)  # without slots, as `Step`
class LoadedOf(Generic[RecipeT]):
    """A recipe ready to plan. source: the file or shipped name it came from."""

    recipe: RecipeT
    execution: Execution
    source: str


def kind_of(data: Mapping[str, Any]) -> type[BaseModel]:
    """What the raw data of a recipe is to be. Raises RecipeError for a walk that there is not."""
    walk = data.get("walk", "text")
    if not isinstance(walk, str) or walk not in RECIPES:
        raise RecipeError(
            f"recipe: walk = {walk!r:.60}: {' or '.join(map(repr, RECIPES))} is wanted",
            hint="leave it out for a corpus and a language model",
        )
    return RECIPES[walk]


def inconsistencies(recipe: BaseModel | None, execution: Execution | None) -> list[str]:
    """What no single key of a recipe shows, or of its execution settings."""
    found: list[str] = []
    if isinstance(recipe, Recipe):
        found = recipe_checks.inconsistencies(recipe)
    elif isinstance(recipe, ImageRecipe):
        found = recipe_images.inconsistencies(recipe)
    if recipe is not None and execution is not None:
        found += recipe_checks.misplaced_servers(getattr(recipe, "teachers", ()), execution)
    return found
