"""Whether features still tell images apart."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

LEAST_SPREAD = 0.02
"""Spread below which features are one point."""
LEAST_RANK = 1.5
"""Effective rank below which features lie on a line."""
LEAST_ENTROPY = 0.1
"""Share of its most, log(prototypes), below which the entropy of the mean target says that few prototypes are used."""
PATIENCE = 3
"""Looks in a row that must find it: one batch may be of like images."""


class Health(NamedTuple):
    """spread: root of the summed variances of features of length 1, in [0, 1], 0 where all are one. rank: effective
    rank, the exponential of the entropy of the singular values of the centred features (Roy and Vetterli 2007)."""

    spread: float
    rank: float


@torch.no_grad()
def health(features: Tensor) -> Health:
    """Of features (images, width), at least two."""
    rows = torch.nn.functional.normalize(features.float(), dim=-1)
    centred = rows - rows.mean(dim=0)
    spread = float(centred.square().sum(dim=1).mean().sqrt())
    values = torch.linalg.svdvals(centred)
    shares = values / values.sum().clamp_min(1e-12)
    return Health(spread, float(torch.exp(-torch.special.xlogy(shares, shares).sum())))


class Watch:
    """Counts looks at which something is wrong. wrong: how many in a row were."""

    def __init__(self, prototypes: int, wrong: int = 0) -> None:
        self._most = math.log(prototypes) if prototypes > 1 else 0.0
        self.wrong = wrong

    def __call__(self, found: Health, prototype_entropy: float | None) -> str:
        """What is wrong, as the start of a sentence, at the third look in a row; "" for nothing."""
        told = _told(found, prototype_entropy, self._most)
        self.wrong = self.wrong + 1 if told else 0
        return f"the features have collapsed: {told}" if self.wrong >= PATIENCE else ""


def _told(found: Health, entropy: float | None, most: float) -> str:
    if not found.spread >= LEAST_SPREAD:
        return f"their spread is {found.spread:.4f}, wanted at least {LEAST_SPREAD}"
    if found.rank < LEAST_RANK:
        return f"their effective rank is {found.rank:.2f}, wanted at least {LEAST_RANK}"
    if entropy is not None and most and entropy < LEAST_ENTROPY * most:
        return f"the prototypes' entropy is {entropy:.3f} nats, wanted at least {LEAST_ENTROPY * most:.3f}"
    return ""
