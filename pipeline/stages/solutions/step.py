"""Solutions in the walk."""

from typing import Any

from pipeline.core.records import Exercise, Passage
from pipeline.core.stage import Tally, checked
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import TeacherTable, with_others
from pipeline.stages.making import Making, TextStep
from pipeline.store.manifest import Manifest


def agreeing(recipe: Recipe) -> tuple[TeacherTable, ...]:
    """The teachers whose exercises are tested by what several solutions agree on."""
    return tuple(table for table in recipe.teachers if table.tests == "agreement")


def wanted(recipe: Recipe) -> bool:
    """Whether solutions are asked for at all."""
    asked = recipe.seeds.exercises and any(table.exercise_share for table in agreeing(recipe))
    return bool(asked) and recipe.validated.keep != "all"


def solving(recipe: Recipe) -> tuple[TeacherTable, ...]:
    """The teachers that are asked: the solver where one is named, else those whose exercises they are; and whom these
    leave to others what is not recorded."""
    solver = recipe.agreement.solver
    asked = [one for one in recipe.teachers if one.name == solver] if solver else agreeing(recipe)
    return with_others(recipe.teachers, {one.name for one in asked})


def _settings(recipe: Recipe) -> dict[str, Any]:
    """How many are asked, and of which exercises. What a teacher is, and the template, is in the documents' key."""
    table = recipe.agreement
    return {
        "teachers": [one.name for one in agreeing(recipe)],
        "solutions": table.solutions,
        "min_calls": table.min_calls,
        **({"solver": table.solver} if table.solver else {}),
    }


def _make(making: Making) -> Manifest:
    """Ask the teachers again."""
    from pipeline.domains.loading import load
    from pipeline.stages.completions.stage import asking
    from pipeline.stages.solutions.stage import Solve, asks

    recipe, table = making.recipe, making.recipe.agreement
    names = frozenset(one.name for one in agreeing(recipe))
    total = table.solutions * sum(asks(record, names, table) for record in making.read())
    asked = asking(making, solving(recipe), total)
    tally = Tally()
    solve = Solve(names, table, load(recipe.domain), asked.complete)
    return asked.write(checked(solve, making.read(), tally), tally, total)


STEP = TextStep(
    name="solutions",
    version=3,
    caption="exercises solved again by their teacher, blind",
    make=_make,
    inputs=("documents",),
    wanted=wanted,
    settings=_settings,
    kept=(Passage, Exercise),
    corpus=True,
)
