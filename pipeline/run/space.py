"""What a run takes on disk, by the tokens that a plan counts. No torch."""

from collections.abc import Sequence
from typing import Any

from pipeline import walks
from pipeline.core.contents import size_text
from pipeline.core.money import CHARACTERS_PER_TOKEN
from pipeline.models.architectures import StudentCost
from pipeline.recipe import Recipe, StudentTable

PACKED = 0.25
"""Bytes on disk of a byte of text in Parquet with zstd: 1,499 files of Python's library, 16.8 MB, came to 4.2 MB."""

KEPT_CHECKPOINTS = 3
"""Checkpoints on disk at once: the two that are kept (`pipeline.training.checkpoint`), and the one being written."""


def space(
    recipe: Recipe,
    stages: Sequence[str],
    answers: int,
    source: int,
    student: StudentCost,
    soft_targets: int,
    raw_bytes: int | None = None,
) -> dict[str, int]:
    """Bytes of the run's artifacts, as if nothing were stored or dropped.

    stages: the walk's for this recipe. answers, source: tokens of the teachers' answers and of real code; each stage
    that writes documents holds them once, in Parquet, and the answers lie in the journal too. raw_bytes: of real code
    before it is filtered, which the stages up to `quality` hold; None where that is not known. A checkpoint has the
    weights and AdamW's two moments in fp32; the model is written in fp32.
    """
    walk = walks.of(recipe)
    writing = [name for name in stages if walk.named(name).corpus]
    own = sum(name in ("completions", "documents") for name in (*writing, "completions"))
    shared = sum(name not in ("completions", "documents", "raw-code") for name in writing)
    unfiltered = sum(name in ("raw-code", "validated", "distinct", "quality") for name in writing)
    text = CHARACTERS_PER_TOKEN * source
    copies = CHARACTERS_PER_TOKEN * answers * (shared + own) if writing else 0
    if source:
        copies += unfiltered * (text if raw_bytes is None else raw_bytes) + (shared + 1 - unfiltered) * text
    width = 2 if student.vocabulary <= 1 << 16 else 4
    checkpoint = checkpoint_bytes(student.parameters, recipe.student)
    parts = {
        "corpus": round(copies * PACKED),
        "tokens": (answers + source) * width,
        "soft_targets": soft_targets,
        "checkpoints": KEPT_CHECKPOINTS * checkpoint + (4 * student.parameters if recipe.student.keep != "last" else 0),
        "model": 4 * student.parameters,
    }
    return {**parts, "bytes": sum(parts.values()), "checkpoint": checkpoint}


def checkpoint_bytes(parameters: int, table: StudentTable) -> int:
    """Bytes of one checkpoint: weights, two moments, and the average where there is one."""
    return (16 if table.ema else 12) * parameters


def line(found: dict[str, Any]) -> str:
    """`space` for a person."""
    names = {"soft_targets": "soft targets"}
    parts = ", ".join(
        f"{names.get(name, name)} {size_text(size)}"
        for name, size in found.items()
        if size and name not in ("bytes", "checkpoint")
    )
    return f"  disk: {size_text(found['bytes'])} ({parts}; a checkpoint {size_text(found['checkpoint'])})"
