"""When a loss curve has gone wrong."""

import math
from collections.abc import Sequence

DIVERGED = 3.0
"""Nats by which the running loss may exceed its best before training counts as diverged."""

WINDOW = 20
"""Steps of the running loss."""


def trouble(losses: Sequence[float], loss: float) -> str:
    """What is wrong with `loss`, the next after `losses`, as the start of a sentence; "" for nothing."""
    if not math.isfinite(loss):
        return f"the loss is {loss}"
    recent = [*losses[1 - WINDOW :], loss]
    windows = (sum(losses[i : i + WINDOW]) / WINDOW for i in range(0, len(losses) - WINDOW + 1, WINDOW))
    best, now = min(windows, default=math.inf), sum(recent) / WINDOW
    if len(recent) == WINDOW and now > best + DIVERGED:
        return f"the loss diverged ({now:.2f} over the last {WINDOW} steps, best {best:.2f})"
    return ""
