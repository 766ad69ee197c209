"""Completions in the walk."""

from typing import Any

from pipeline.core.records import Completion, Prompt
from pipeline.core.stage import Tally, checked
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.seeds.step import wanted
from pipeline.store.manifest import Manifest


def _reads(recipe: Recipe) -> list[Any]:
    """What each teacher is, and of whose exercises a part is enough, which depends on the domain's language."""
    from pipeline.teacher.building import identity

    cut = _cut(recipe)
    return [*(identity(table, recipe.seed) for table in recipe.teachers), *([{"cut": cut}] if cut else [])]


def _cut(recipe: Recipe) -> list[str]:
    """Teachers of whose exercises the function is enough: several solutions agree on the tests, and the calls that had
    come when an answer was cut will do. Outside Python an answer's parts are not known to be whole."""
    from pipeline.domains.loading import load

    agreeing = [table.name for table in recipe.teachers if table.tests == "agreement"]
    return agreeing if agreeing and load(recipe.domain).language == "python" else []


def _make(making: Making) -> Manifest:
    """Ask the teachers."""
    from pipeline.stages.completions.stage import asking, expand

    samples = making.recipe.completions.samples_per_prompt
    asked = asking(making, making.recipe.teachers, making.count() * samples, _cut(making.recipe))
    tally = Tally()
    outcomes = checked(asked.complete, expand(making.read("prompts"), samples), tally)
    return asked.write(outcomes, tally, making.count() * samples)


STEP = TextStep(
    name="completions",
    version=2,
    caption="the teachers' answers as they came",
    make=_make,
    inputs=("prompts",),
    wanted=wanted,
    settings=lambda recipe: {"completions": recipe.completions},
    reads=_reads,
    kept=(Completion,),
    dropped=(Prompt,),
    reasons={
        "refused": "the teacher, or the server's filter, would not answer",
        "truncated": "the answer reached max_tokens before its end",
        "failed": "no answer came, after all retries; the detail has the server's last word",
    },
    corpus=True,
)
