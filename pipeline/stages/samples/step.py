"""Samples in the walk: the student is asked the benchmarks' problems, before training and after it."""

import shutil
import time
from collections.abc import Iterator
from typing import Any

from pipeline.core.records import Sample
from pipeline.core.stage import Dropped, Kept, Tally, made
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import benchmark_digests, problem_sets, student_weights
from pipeline.stages.samples.facts import SamplesFacts
from pipeline.store.manifest import Manifest

SCORING = {"before", "cpu_seconds", "likelihood", "likelihood_of", "memory_mb", "packages", "splits"}
"""Keys of [evaluation] that do not change what is answered."""


def _sampling(recipe: Recipe) -> dict[str, Any]:
    table = recipe.evaluation
    asked = {name: value for name, value in table.keyed("precision").items() if name not in SCORING}
    return asked | {"seed": recipe.seed}


def has_base(recipe: Recipe) -> bool:
    """Whether there is a student before training that is to be compared with."""
    student = recipe.student
    return recipe.evaluation.before and student.init != "scratch" and not student.layers


def _before_settings(recipe: Recipe) -> dict[str, Any]:
    student = recipe.student
    return {"init": student.init, "precision": student.precision, "evaluation": _sampling(recipe)}


def _make_before(making: Making) -> Manifest:
    return _make(making, "before", making.recipe.student.init, making.stage.key)


def _make_after(making: Making) -> Manifest:
    making.loading("the student")
    return _make(making, "after", str(making.local("student") / "model"), making.stage.inputs["student"])


def _make(making: Making, name: str, spec: str, checkpoint: str) -> Manifest:
    """Answers are journaled as they come."""
    if name == "before":
        making.loading(spec)
    from pipeline.models.loading import load
    from pipeline.stages.samples.stage import sample

    recipe, table = making.recipe, making.recipe.evaluation
    folder = making.partial()
    samples = sample(
        problem_sets(making, table.benchmarks),
        load(spec, cache=making.places.models, device=making.execution.device, dtype=table.precision),
        table,
        model_name=name,
        checkpoint=checkpoint,
        seed=recipe.seed,
        execution=making.execution,
        journal=folder / "samples.jsonl",
        on_event=making.tell,
    )
    tally = Tally()
    tokens, started = 0, time.monotonic()

    def counted() -> Iterator[Kept[Sample] | Dropped]:
        nonlocal tokens
        for outcome in made(samples, tally):
            if isinstance(outcome, Kept):
                tokens += outcome.record.tokens
            yield outcome

    def facts() -> SamplesFacts:
        seconds = max(time.monotonic() - started, 1e-9)
        return SamplesFacts(table.prompt_form, spec, tokens, round(tokens / seconds, 1))

    manifest = making.write(counted(), tally, facts=facts)
    shutil.rmtree(folder, ignore_errors=True)
    return manifest


BEFORE = TextStep(
    name="samples-before",
    version=4,
    caption="answers of the untrained student",
    make=_make_before,
    inputs=("held-out",),
    wanted=lambda recipe: bool(recipe.evaluation.benchmarks) and has_base(recipe),
    settings=_before_settings,
    reads=lambda recipe: [student_weights(recipe), benchmark_digests(recipe.evaluation.benchmarks)],
    kept=(Sample,),
)
AFTER = TextStep(
    name="samples-after",
    version=4,
    caption="answers of the trained student",
    make=_make_after,
    inputs=("student", "held-out"),
    wanted=lambda recipe: bool(recipe.evaluation.benchmarks),
    settings=lambda recipe: {"evaluation": _sampling(recipe)},
    reads=lambda recipe: benchmark_digests(recipe.evaluation.benchmarks),
    kept=(Sample,),
)
