"""Learning rate as a function of the step."""

import math
from typing import Literal, Protocol


class Rates(Protocol):
    """The settings of a schedule: the peak, its warm-up and how it falls. A recipe's table of a training has them."""

    @property
    def lr(self) -> float: ...

    @property
    def warmup_steps(self) -> int: ...

    @property
    def schedule(self) -> Literal["cosine", "linear", "constant"]: ...

    @property
    def min_lr_ratio(self) -> float: ...


def learning_rate(phase: Rates, step: int, total: int) -> float:
    """Rate of optimiser step `step` (from 0) of `total`: linear warm-up, then the phase's schedule.

    The decay ends at the last step with `min_lr_ratio` of the peak (one step further for "linear" and "cosine", so
    that the last step still moves where the ratio is 0).
    """
    warmup = min(phase.warmup_steps, max(total - 1, 0))
    if step < warmup:
        return phase.lr * (step + 1) / (warmup + 1)
    if phase.schedule == "constant":
        return phase.lr
    progress = (step - warmup) / max(total - warmup, 1)
    shape = (1 + math.cos(math.pi * progress)) / 2 if phase.schedule == "cosine" else 1 - progress
    return phase.lr * (phase.min_lr_ratio + (1 - phase.min_lr_ratio) * shape)
