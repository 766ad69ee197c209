"""The student in the walk."""

from typing import Any

from pipeline.core.events import Event
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import student_weights, weights
from pipeline.stages.student.facts import StudentFacts
from pipeline.store.manifest import Manifest
from pipeline.training import curve


def _settings(recipe: Recipe) -> dict[str, Any]:
    distilled = {"soft_targets": recipe.soft_targets} if recipe.soft_targets.teacher else {}
    return {"student": recipe.student.keyed("seed"), "seed": recipe.seed, **distilled}


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
    from pipeline.stages.student.held_out_judge import judge_of
    from pipeline.stages.student.stage import train
    from pipeline.stages.tokens.shards import TokenStore

    tokens = making.local("tokens")
    folder = making.partial()
    steps = folder / "curve.jsonl"

    def on_event(event: Event) -> None:
        if event["event"] == "train":
            curve.add(steps, event)
        making.tell(event)

    summary = train(
        tokens,
        recipe.student,
        recipe.tokens,
        seed=seed_of(recipe),
        out=folder,
        cache=places.models,
        execution=making.execution,
        on_event=on_event,
        loss=_loss(making),
        judge=judge_of(TokenStore(tokens), recipe, making.execution),
    )
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
        curve=[point._asdict() for point in curve.read(steps)],
        device=pick_device(making.execution.device).type,
    )
    return making.folder(folder, making.count("tokens"), facts, keep=("model",))


def _loss(making: Making) -> Any:
    """The loss with soft targets where the recipe has them, None for hard labels alone."""
    table = making.recipe.soft_targets
    if not table.teacher:
        return None
    if table.mode == "cached":
        from pipeline.stages.student.soft_loss import SoftLoss
        from pipeline.stages.student.soft_targets import SoftTargets

        return SoftLoss(SoftTargets(making.local("soft-targets")), table)
    from pipeline.models.loading import load
    from pipeline.stages.student.online import online_loss
    from pipeline.stages.tokens.shards import TokenStore

    making.loading(table.teacher)
    teacher = load(table.teacher, cache=making.places.models, device=making.execution.device)
    return online_loss(teacher, table, TokenStore(making.local("tokens")), making.recipe.tokens)


STEP = TextStep(
    name="student",
    version=2,
    caption="training",
    make=_make,
    inputs=("tokens", "soft-targets"),
    settings=_settings,
    reads=_reads,
)
