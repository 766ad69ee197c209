"""Distillation from a white-box teacher (Hinton et al. 2015): divergences, soft targets on disk, on-policy batches."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.distillation.online import OnlineLoss, online_loss
    from pipeline.distillation.soft_loss import SoftLoss
    from pipeline.distillation.soft_targets import SoftTargets, SoftTargetsSummary, write_soft_targets

__all__ = ["OnlineLoss", "SoftLoss", "SoftTargets", "SoftTargetsSummary", "online_loss", "write_soft_targets"]


def __getattr__(name: str) -> Any:
    if name == "SoftLoss":
        from pipeline.distillation.soft_loss import SoftLoss

        return SoftLoss
    if name in ("OnlineLoss", "online_loss"):
        from pipeline.distillation import online

        return getattr(online, name)
    if name in __all__:
        from pipeline.distillation import soft_targets

        return getattr(soft_targets, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
