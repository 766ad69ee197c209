"""The DINO loss: what one crop's class token says of the prototypes is predicted from another crop's."""

import torch
from torch import Tensor


def class_token_loss(student: Tensor, targets: Tensor, temperature: float) -> Tensor:
    """Mean cross-entropy between the teacher's targets and the student's predictions (Caron et al. 2021, eq. 3).

    L = mean over pairs (g, c), c != g, and over images of - sum_k targets[g, k] log softmax(student[c] / temperature)_k

    student: logits (crops, images, prototypes), the global crops first. targets: (global crops, images, prototypes),
    rows that sum to 1. A crop is never compared with itself. At its least, the targets' mean entropy, where the
    student's distribution is the target in every pair.
    """
    predicted = torch.log_softmax(student / temperature, dim=-1)
    losses = -torch.einsum("gik,cik->gc", targets, predicted) / student.shape[1]
    pairs = targets.shape[0] * student.shape[0] - targets.shape[0]
    return (losses.sum() - losses.diagonal().sum()) / pairs
