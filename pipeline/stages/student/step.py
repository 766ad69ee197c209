"""The student in the walk."""

from typing import Any

from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import student_weights, weights
from pipeline.stages.student.facts import StudentFacts
from pipeline.store.manifest import Manifest
from pipeline.training import curve


def _settings(recipe: Recipe) -> dict[str, Any]:
    distilled = {"soft_targets": recipe.soft_targets} if recipe.soft_targets.teacher else {}
    return {"student": recipe.student.keyed("seed", "base_share"), "seed": recipe.seed, **distilled}


def seed_of(recipe: Recipe) -> int:
    """Root of training's randomness."""
    return recipe.seed if recipe.student.seed is None else recipe.student.seed


def _reads(recipe: Recipe) -> Any:
    """What it starts from, and a teacher in the loop."""
    found = student_weights(recipe)
    if recipe.soft_targets.teacher and recipe.soft_targets.mode != "cached":
        return [found, weights("soft_targets.teacher", recipe.soft_targets.teacher)]
    return found


def _make(making: Making) -> Manifest:
    """Train, or go on training; the artifact is the model's folder."""
    recipe, places = making.recipe, making.places
    making.loading("torch" if recipe.student.init == "scratch" else recipe.student.init)
    from pipeline.models.loading import pick_device
    from pipeline.stages.student import finished
    from pipeline.stages.student.job import Job
    from pipeline.stages.student.launch import launch, several

    folder = making.partial().absolute()
    job = Job(
        recipe=recipe,
        execution=making.execution,
        tokens=making.local("tokens").absolute(),
        out=folder,
        models=places.models.absolute(),
        soft_targets=making.local("soft-targets").absolute() if "soft-targets" in making.stage.inputs else None,
    )
    summary = finished.read(folder, job.settings)
    if summary is None:
        summary = launch(job, making.tell) if several(making.execution) else job.trained(making.tell, making.loading)
    facts = StudentFacts(
        parameters=summary.parameters,
        steps=summary.steps,
        tokens=summary.tokens,
        loss=summary.loss,
        held_out_loss=summary.held_out_loss,
        held_out_loss_before=summary.held_out_loss_before,
        held_out_by_kind={kind: of._asdict() for kind, of in summary.held_out_by_kind.items()},
        held_out_pass_rate=summary.held_out_pass_rate,
        precision=summary.precision,
        compiled=summary.compiled,
        products=summary.products,
        seconds=summary.seconds,
        curve=[point._asdict() for point in curve.read(folder / curve.FILE)],
        device=pick_device(making.execution.device).type,
    )
    return making.folder(folder, making.count("tokens"), facts, keep=("model",))


STEP = TextStep(
    name="student",
    version=2,
    caption="training",
    make=_make,
    inputs=("tokens", "soft-targets"),
    settings=_settings,
    reads=_reads,
)
