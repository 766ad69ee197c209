"""The KoLeo regulariser: features of a batch spread out."""

import torch
from torch import Tensor
from torch.nn import functional


def koleo_loss(features: Tensor, epsilon: float = 1e-8) -> Tensor:
    """- 1/n sum_i log(d_i + epsilon), d_i the distance of row i to its nearest other row (Sablayrolles et al. 2019).

    features: (n, width) of one view of each image, n at least 2; rows are scaled to length 1 first (Oquab et al. 2023,
    4). So it depends on directions alone, and d_i lies in [0, 2]. Nearest rows are found without a gradient.
    """
    rows = functional.normalize(features, dim=-1)
    with torch.no_grad():
        near = rows @ rows.T
        near.fill_diagonal_(-2.0)
        nearest = near.argmax(dim=1)
    distances = (rows - rows[nearest]).norm(dim=-1)
    return -torch.log(distances + epsilon).mean()
