"""Every walk there is, and which one a recipe is of."""

from collections.abc import Mapping
from typing import Any, Protocol

from pipeline import walk
from pipeline.core.plan import Plan
from pipeline.recipe_images import ImageRecipe
from pipeline.vision import walk as image_walk


class Walk(Protocol):
    """What a run asks of a walk: a module has these."""

    WALK: tuple[Any, ...]

    def named(self, name: str) -> Any: ...

    def names(self) -> tuple[str, ...]: ...

    def reads(self, recipe: Any) -> dict[str, Any]: ...

    def plan(self, recipe: Any, reads: Mapping[str, Any], generations: Mapping[str, str] | None = None) -> Plan: ...


def of(recipe: Any) -> Walk:
    """The walk that a recipe is of."""
    return image_walk if isinstance(recipe, ImageRecipe) else walk


def names() -> tuple[str, ...]:
    """The steps of all walks, one walk after the other."""
    return (*walk.names(), *image_walk.names())


def steps() -> tuple[Any, ...]:
    """The same, as steps."""
    return (*walk.WALK, *image_walk.WALK)
