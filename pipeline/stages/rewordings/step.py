"""Rewordings in the walk."""

from collections.abc import Iterator
from typing import Any

from pipeline.core.records import Exercise
from pipeline.core.stage import Tally, checked
from pipeline.recipe import Recipe
from pipeline.recipe_teachers import TeacherTable, with_others
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted as drawn
from pipeline.store.manifest import Manifest


def wanted(recipe: Recipe) -> bool:
    """Whether exercises are said in other words: those that passed, of which it is known what is right."""
    return bool(recipe.rewordings.per_exercise) and recipe.validated.keep == "passed" and drawn(recipe)


def asked(recipe: Recipe) -> tuple[TeacherTable, ...]:
    """The teachers that write other words and that solve from these, each once: those who are named, else all that
    write exercises; and to whom these leave what is not recorded."""
    table, every = recipe.rewordings, tuple(one.name for one in recipe.teachers if one.exercise_share)
    writers = {table.writer} if table.writer else set(every)
    return with_others(recipe.teachers, writers | ({table.solver} if table.solver else writers))


def _reads(recipe: Recipe) -> str:
    """The two templates that are rendered. Raises RecipeError where the domain has them not."""
    from pipeline.core.identity import digest
    from pipeline.core.template import template_digest
    from pipeline.domains.loading import load
    from pipeline.stages.rewordings.wording import check_rewords

    domain = load(recipe.domain)
    check_rewords(domain)
    return digest([template_digest(domain.template(name)) for name in ("reword", "complete")])


def _settings(recipe: Recipe) -> dict[str, Any]:
    """What a teacher is, is in the documents' key."""
    return {
        "rewordings": recipe.rewordings,
        "validated": recipe.validated.keyed("keep", "mutants", "min_mutants_killed"),
    }


def _make(making: Making) -> Manifest:
    """Ask the writer, then the solver, then the sandbox, block by block."""
    from pipeline.domains.loading import load
    from pipeline.sandbox import Sandbox
    from pipeline.stages.completions.stage import asking, expand
    from pipeline.stages.rewordings.stage import Reword
    from pipeline.stages.validated.stage import Validate, limits_of

    recipe, execution = making.recipe, making.execution
    domain = load(recipe.domain)
    table = recipe.validated.model_copy(
        update={"packages": (*recipe.validated.packages, *domain.packages), "mutants": 0, "min_mutants_killed": 0.0}
    )
    times = recipe.rewordings.per_exercise

    def exercises() -> Iterator[Exercise]:
        return (record for record in making.read("validated") if isinstance(record, Exercise))

    total = times * sum(1 for _ in exercises())
    teachers = asking(making, asked(recipe))
    tally = Tally()
    limits, workers = limits_of(table), execution.worker_count()
    with Sandbox(limits, workers=workers, mode=execution.sandbox, packages=table.packages) as sandbox:
        reword = Reword(recipe.rewordings, domain, teachers.complete, Validate(table, sandbox))
        outcomes = checked(reword, expand(exercises(), times), tally)
        return teachers.write(outcomes, tally, 2 * total)


STEP = TextStep(
    name="rewordings",
    version=2,
    caption="exercises said in other words, and solved blind from these",
    make=_make,
    inputs=("validated",),
    wanted=wanted,
    settings=_settings,
    reads=_reads,
    kept=(Exercise,),
    dropped=(Exercise,),
    reasons={
        "unanswered": "the writer or the solver gave no whole answer; the detail says who, and why",
        "no-docstring": "the exercise has no docstring with lines of its own, or the answer gave none that is new",
        "unsolved": "from these words alone the solver wrote nothing that passes the exercise's test",
    },
    corpus=True,
)
