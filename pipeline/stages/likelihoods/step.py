"""Likelihoods in the walk: of the benchmarks' reference solutions, before training and after it."""

from typing import Any

from pipeline.core.records import Likelihood, Problem
from pipeline.recipe import Recipe
from pipeline.stages.likelihoods.stage import REASONS, Likelihoods
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import benchmark_digests, problem_sets, student_weights
from pipeline.stages.samples.step import has_base
from pipeline.store.manifest import Manifest


def _asked(recipe: Recipe) -> dict[str, Any]:
    return {"benchmarks": list(recipe.evaluation.measured), "limit": recipe.evaluation.limit}


def _make_before(making: Making) -> Manifest:
    return _make(making, "before", making.recipe.student.init, making.stage.key)


def _make_after(making: Making) -> Manifest:
    return _make(making, "after", str(making.local("student") / "model"), making.stage.inputs["student"])


def _make(making: Making, name: str, spec: str, checkpoint: str) -> Manifest:
    from pipeline.models.loading import load

    table = making.recipe.evaluation
    making.loading(spec if name == "before" else "the student")
    model = load(spec, cache=making.places.models, device=making.execution.device)
    problems = [
        problem for one in problem_sets(making, table.measured) for problem in one.limited(table.limit).problems
    ]
    return making.through(Likelihoods(model, name, checkpoint, making.tell), problems)


BEFORE = TextStep(
    name="likelihoods-before",
    version=1,
    caption="how likely the untrained student finds the reference solutions",
    make=_make_before,
    inputs=("held-out",),
    wanted=lambda recipe: bool(recipe.evaluation.measured) and has_base(recipe),
    settings=lambda recipe: {"init": recipe.student.init, "evaluation": _asked(recipe)},
    reads=lambda recipe: [student_weights(recipe), benchmark_digests(recipe.evaluation.measured)],
    kept=(Likelihood,),
    dropped=(Problem,),
    reasons=REASONS,
)
AFTER = TextStep(
    name="likelihoods-after",
    version=1,
    caption="how likely the trained student finds the reference solutions",
    make=_make_after,
    inputs=("student", "held-out"),
    wanted=lambda recipe: bool(recipe.evaluation.measured),
    settings=lambda recipe: {"evaluation": _asked(recipe)},
    reads=lambda recipe: benchmark_digests(recipe.evaluation.measured),
    kept=(Likelihood,),
    dropped=(Problem,),
    reasons=REASONS,
)
