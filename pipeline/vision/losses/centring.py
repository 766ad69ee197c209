"""How a teacher's logits become targets that do not collapse onto one prototype.

Both take logits of shape (rows, prototypes) and give rows that sum to 1. Neither has a gradient.
"""

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn_knopp(logits: Tensor, temperature: float, iterations: int = 3) -> Tensor:
    """Targets in which all prototypes are used alike (Caron et al. 2020, SwAV 3.1; Oquab et al. 2023, 4).

    Q = exp(logits / temperature), then `iterations` times: each column is scaled to sum to rows / prototypes, each row
    to sum to 1. So rows sum to 1 exactly, columns the nearer to rows / prototypes the more iterations there are. Of few
    rows the columns cannot be even: one row stays a softmax over what the columns leave of it.
    """
    rows, prototypes = logits.shape
    scaled = logits.double() / temperature
    q = torch.exp(scaled - scaled.max())
    for _ in range(iterations):
        q = q / q.sum(dim=0, keepdim=True).clamp_min(_LEAST) * (rows / prototypes)
        q = q / q.sum(dim=1, keepdim=True).clamp_min(_LEAST)
    return q.to(logits.dtype)


_LEAST = 1e-300
"""A prototype that no row is near has a sum of 0, and stays unused."""


class SoftmaxCentring(torch.nn.Module):
    """Targets softmax((logits - centre) / temperature), the centre a moving mean of logits (Caron et al. 2021, eq. 4).

    centre: (prototypes,), part of the state of a training. momentum: of the moving mean, the paper's 0.9.
    """

    centre: Tensor

    def __init__(self, prototypes: int, momentum: float = 0.9) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("centre", torch.zeros(prototypes))

    @torch.no_grad()
    def forward(self, logits: Tensor, temperature: float) -> Tensor:
        """The targets by the centre so far, which then moves towards these logits."""
        targets = torch.softmax((logits - self.centre) / temperature, dim=-1)
        self.centre.lerp_(logits.mean(dim=0), 1 - self.momentum)
        return targets
