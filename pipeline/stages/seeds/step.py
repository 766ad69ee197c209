"""Seeds in the walk."""

from itertools import chain
from pathlib import Path
from typing import Any

from pipeline.core.records import Seed
from pipeline.core.stage import Tally, made
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.store.manifest import Manifest


def wanted(recipe: Recipe) -> bool:
    """Whether teachers are asked at all."""
    return bool(recipe.seeds.total or recipe.seeds.more)


def _settings(recipe: Recipe) -> dict[str, Any]:
    """Of a teacher's tests only whether a seed brings them: what is asked otherwise is the same."""
    asked = [
        [t.name, t.exercise_share, t.textbook_share, "seed" if t.tests == "seed" else "teacher"]
        for t in recipe.teachers
    ]
    drawn = {key: value for key, value in recipe.seeds.keyed("rounds").items() if key != "more"}
    return {"seeds": drawn, "teachers": asked, "seed": recipe.seed}


def _reads(recipe: Recipe) -> dict[str, Any]:
    """What seeds are dealt from, and who makes tasks where a teacher is given them."""
    from pipeline.core.identity import digest
    from pipeline.domains.loading import load
    from pipeline.stages.seeds.files import file_digest
    from pipeline.teacher.composer import Composer

    domain = load(recipe.domain)
    read: dict[str, Any] = {"data": digest([domain.topics, domain.axes, domain.names, domain.words])}
    if any(teacher.tests == "seed" for teacher in recipe.teachers):
        own = [[task.prompt, task.check] for task in domain.tasks]
        read["tasks"] = digest(own) if own else Composer(0).identity()
    if recipe.seeds.more:
        read["more"] = [file_digest(Path(file)) for file in recipe.seeds.more]
    return read


def _make(making: Making) -> Manifest:
    from pipeline.domains.loading import load
    from pipeline.stages.seeds.files import seeds_in
    from pipeline.stages.seeds.sampling import draw
    from pipeline.teacher.composer import tasks

    tally, recipe = Tally(), making.recipe
    drawn = draw(load(recipe.domain), recipe.seeds, recipe.teachers, recipe.seed, tasks)
    return making.write(made(chain(drawn, seeds_in(recipe)), tally), tally)


STEP = TextStep(
    name="seeds",
    version=1,
    caption="what the teachers are asked for: topic, axes, names, words",
    make=_make,
    wanted=wanted,
    settings=_settings,
    reads=_reads,
    kept=(Seed,),
    corpus=True,
)
