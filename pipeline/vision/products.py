"""Products of a network in training by oneDNN, where that is faster here (`pipeline.models.rates`)."""

from collections.abc import Sequence
from typing import Any

import torch

from pipeline.models.products import available, live
from pipeline.models.rates import onednn_wins


def choose_products(modules: Sequence[Any], before: bool | None) -> bool:
    """Let all `torch.nn.Linear` of `modules` multiply by oneDNN, in place, with gradients; whether they do.

    before: what a run that is resumed chose, None for one that begins: each rounds in its own way, so it stays.
    """
    chosen = onednn_wins() if before is None else before
    linear: list[Any] = [inner for outer in modules for inner in outer.modules() if type(inner) is torch.nn.Linear]
    for module in linear if chosen else ():
        if available(module.weight):
            (module.forward,) = live((module,))
    return chosen
