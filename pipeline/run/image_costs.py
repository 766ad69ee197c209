"""What a recipe over images will take before anything is made: the keys of `hornbook plan --json` that it shares."""

from typing import Any

from pipeline.models.accelerators import A100, accelerator
from pipeline.recipe_images import BackboneTable, ImageRecipe, OptimisationTable
from pipeline.recipe_kinds import LoadedOf
from pipeline.run.machine import Machine, Phase, hours_lines, times
from pipeline.run.run import planned, stored
from pipeline.store.places import Places

MFU = 0.3
"""Share of them that training is taken to reach."""


def estimate(
    loaded: LoadedOf[ImageRecipe], places: Places, name: str = "", machine: Machine | None = None
) -> dict[str, Any]:
    """Stages with their state; images read and FLOPs of each training, and how long a `machine` takes (null for None);
    no teacher is asked anything."""
    recipe = loaded.recipe
    plan = planned(loaded, places, name).plan
    there = stored(plan, places)
    networks = [_network(recipe, stage.name) for stage in plan.stages if stage.name in _TABLES]
    flops = sum(one["flops"] for one in networks)
    memory = max((one["memory_bytes"] for one in networks), default=0)
    return {
        "recipe": recipe.name,
        "stages": [
            {"name": s.name, "key": s.key, "state": "stored" if there[s.name] else "to-make"} for s in plan.stages
        ],
        "teacher": {"requests": 0, "tokens": 0, "usd": 0.0},
        "student": {
            "parameters": parameters(recipe.scored, recipe.images.channels, recipe.images.size),
            "training_tokens": sum(one["images"] for one in networks),
            "flops": flops,
            "gpu_hours": round(sum(one["gpu_hours"] for one in networks), 6),
            "mfu": MFU,
            "memory_bytes": memory,
        },
        "networks": networks,
        "machine": _trained(networks, machine) if machine else None,
    }


def _trained(networks: list[dict[str, Any]], machine: Machine) -> dict[str, Any]:
    """All trainings on one device of the machine: a network of images is not split over several."""
    share, why = (
        (MFU, "assumed: small networks, crops made on the CPU") if machine.mfu is None else (machine.mfu, "--mfu")
    )
    phases = [Phase(one["stage"], one["images"], one["flops"]) for one in networks]
    return times(Machine(machine.kind, 1), share, why, phases)


_TABLES = ("self-distilled", "labelled", "distilled")


def parameters(table: BackboneTable, channels: int, size: int) -> int:
    """Numbers that a network of those sizes learns, without heads."""
    width = table.width
    block = (4 + 2 * table.mlp_ratio) * width**2 + (9 + table.mlp_ratio) * width + 2 * width
    patches = (size // table.patch) ** 2
    read = channels * table.patch**2 * width + width + (patches + 1) * width + (2 + table.registers) * width
    return table.depth * block + read + 2 * width


def _network(recipe: ImageRecipe, stage: str) -> dict[str, Any]:
    from pipeline.vision.sizes import forward_flops

    own = stage == "self-distilled"
    table: BackboneTable = recipe.backbone if own else recipe.scored
    how: OptimisationTable = recipe.training if own else recipe.scored_training
    channels, size = recipe.images.channels, recipe.images.size
    whole = forward_flops(table, channels, size)
    views = 3 * whole  # one view, forward and back
    if own or (stage == "distilled" and recipe.distillation.mode == "losses"):
        part = forward_flops(table, channels, recipe.augmentation.local_size)
        teacher = whole if own else forward_flops(recipe.backbone, channels, size)
        views = 2 * (3 * whole + teacher) + 3 * recipe.augmentation.local_crops * part
    images = how.steps * how.batch
    count = parameters(table, channels, size)
    flops = images * views
    return {
        "stage": stage,
        "parameters": count,
        "images": images,
        "flops": flops,
        "gpu_hours": flops / (accelerator(A100).flops * MFU) / 3600,
        "memory_bytes": 20 * count + 4 * how.batch * views // max(table.width, 1),
    }


def table(estimated: dict[str, Any]) -> str:
    """The estimate for a person."""
    lines = [f"  {stage['name']:<16} {stage['key'][:12]}  {stage['state']}" for stage in estimated["stages"]]
    lines.append("")
    lines += [
        f"  {one['stage']:<16} {one['parameters']:,} parameters read {one['images']:,} images, {one['flops']:.3g} FLOPs"
        for one in estimated["networks"]
    ]
    lines += hours_lines(estimated["machine"]) if estimated["machine"] else []
    return "\n".join([*lines, "", "  FLOPs are of products alone, heads left out; no teacher is asked anything"])
