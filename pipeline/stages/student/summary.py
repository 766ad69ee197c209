"""What a training came to."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.stages.student.passes import HeldOut


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """What training did.

    loss: mean over the last tenth of the steps. held_out_loss: of the exported weights, nats per loss token, None where
    no document is held out. held_out_by_kind: the same of "exercises" and of "passages", for they are not to be
    compared. held_out_pass_rate: share of the held-out exercises that they solve, None where the recipe does not choose
    by it. seconds: of this process and earlier ones that it resumed. model: folder in HF format. compiled: whether
    training went through torch.compile. products: what multiplied matrices, "torch" or "onednn".
    """

    steps: int
    tokens: int
    loss: float
    held_out_loss: float | None
    held_out_by_kind: Mapping[str, HeldOut]
    held_out_pass_rate: float | None
    held_out_loss_before: float | None
    seconds: float
    precision: str
    parameters: int
    model: Path
    compiled: bool
    products: Literal["torch", "onednn"]
