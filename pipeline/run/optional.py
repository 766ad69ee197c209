"""Teachers that a run goes on without where their model cannot be had: left out before anything is planned."""

from dataclasses import replace
from typing import NamedTuple

from pipeline.core.errors import DiskFull, HornbookError, InputError
from pipeline.core.plan import Plan
from pipeline.models.fetching import Tell, fetch
from pipeline.models.named import located, named
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import AnyTeacher, LocalTable, ReplayTable, TeacherTable
from pipeline.recipe_text import Loaded
from pipeline.run.journalled import ASKING
from pipeline.store.places import Places


class Present(NamedTuple):
    """The recipe that can be made here, and a line for each teacher that was left out."""

    loaded: Loaded
    left_out: tuple[str, ...]


def present(loaded: Loaded, whole: Plan, places: Places, tell: Tell) -> Present:
    """`loaded` without the optional teachers whose models are neither here nor to be had.

    whole: the plan with all of them: where what they are asked for is stored, nothing is fetched and nobody left out.
    tell: hears of downloads. Raises DiskFull, and InputError for a file that has other bytes than the model: those are
    to be mended. The keys are those of the smaller recipe, so with the model at hand a later run makes more.
    """
    asked = [stage for stage in whole.stages if stage.name in ASKING]
    if all(places.store.manifest(stage.name, stage.key) is not None for stage in asked):
        return Present(loaded, ())
    recipe, left_out = loaded.recipe, []
    for table in recipe.teachers:
        model = named(table.weights) if isinstance(table, LocalTable) and table.optional else None
        if model is None or not _asked(recipe, table) or located(model, places.models) is not None:
            continue
        try:
            fetch(model, places.models, tell)
        except (DiskFull, InputError):
            raise
        except HornbookError as error:
            left_out.append(f"without teacher {table.name!r}: {error.message}; {error.hint}")
            recipe = _without(recipe, table.name)
    return Present(replace(loaded, recipe=recipe), tuple(left_out))


def _asked(recipe: Recipe, table: TeacherTable) -> bool:
    """Whether anything is asked of a teacher: seeds, what a recording lacks, solutions, grades."""
    seeds = recipe.seeds.exercises * table.exercise_share + recipe.seeds.textbooks * table.textbook_share
    others = [one.otherwise for one in recipe.teachers if isinstance(one, ReplayTable)]
    again = (recipe.agreement.solver, recipe.rewordings.writer, recipe.rewordings.solver)
    return bool(seeds) or table.name in (*others, *again, recipe.quality.judge)


def _without(recipe: Recipe, name: str) -> Recipe:
    """The recipe with nobody in that teacher's place: what would have been left to it fails."""
    kept: list[AnyTeacher] = []
    for table in recipe.teachers:
        if isinstance(table, ReplayTable) and table.otherwise == name:
            table = table.model_copy(update={"otherwise": ""})
        if table.name != name:
            kept.append(table)
    return recipe.model_copy(update={"teachers": tuple(kept)})
