"""Soft targets in the walk."""

from typing import Any

from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.reads import weights
from pipeline.stages.soft_targets.facts import SoftTargetsFacts
from pipeline.store.manifest import Manifest


def _settings(recipe: Recipe) -> dict[str, Any]:
    # What is on disk does not depend on how it is used, so another alpha or divergence does not make it anew.
    written = recipe.soft_targets.model_dump(mode="json", include={"teacher", "top_k", "temperature"})
    return {"soft_targets": written, "tokens": recipe.tokens.keyed("topics")}


def _make(making: Making) -> Manifest:
    from pipeline.stages.soft_targets.stage import write_soft_targets

    recipe = making.recipe
    folder = making.scratch()
    making.loading(recipe.soft_targets.teacher)
    summary = write_soft_targets(
        making.local("tokens"),
        recipe.soft_targets,
        recipe.tokens,
        out=folder,
        cache=making.places.models,
        execution=making.execution,
        on_event=making.tell,
    )
    facts = SoftTargetsFacts(
        rows=summary.rows,
        top_k=summary.top_k,
        temperature=summary.temperature,
        covered=summary.covered,
        bytes=summary.bytes,
        teacher=summary.teacher,
    )
    return making.folder(folder, making.count(), facts)


STEP = TextStep(
    name="soft-targets",
    version=3,
    caption="a teacher model's logits on the tokens",
    make=_make,
    inputs=("tokens",),
    wanted=lambda recipe: bool(recipe.soft_targets.teacher) and recipe.soft_targets.mode == "cached",
    settings=_settings,
    reads=lambda recipe: weights("soft_targets.teacher", recipe.soft_targets.teacher),
)
