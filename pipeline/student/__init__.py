"""The student: architectures, loading, generation.

`load` and `generate` are reachable from here but imported when first used, so that importing this package costs
nothing (torch comes with them).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.student.generation import Generation, generate
    from pipeline.student.loading import LoadedModel, load

__all__ = ["Generation", "LoadedModel", "generate", "load"]


def __getattr__(name: str) -> Any:
    if name in ("Generation", "generate"):
        from pipeline.student import generation

        return getattr(generation, name)
    if name in ("LoadedModel", "load"):
        from pipeline.student import loading

        return getattr(loading, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
