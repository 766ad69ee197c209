"""Training the student: batches, schedule, objective, checkpoints and the loop. `train` is imported when first used."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.training.loop import TrainingSummary, train

__all__ = ["TrainingSummary", "train"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from pipeline.training import loop

        return getattr(loop, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
