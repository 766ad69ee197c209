"""The iBOT loss: what the teacher says of a patch is predicted by a student that does not see it."""

import torch
from torch import Tensor


def masked_patch_loss(student: Tensor, targets: Tensor, weights: Tensor, images: int, temperature: float) -> Tensor:
    """Mean over images of the mean cross-entropy over an image's masked patches (Zhou et al. 2022, iBOT eq. 2).

    L = 1/images sum_p weights[p] (- sum_k targets[p, k] log softmax(student[p] / temperature)_k)

    student, targets: (masked patches, prototypes) of all images together. weights: (masked patches,), for each 1 over
    the number of patches masked in its image, so every image counts alike. images: those in the batch, masked or not
    (Oquab et al. 2023 mask half of them). 0 where nothing is masked.
    """
    predicted = torch.log_softmax(student / temperature, dim=-1)
    return -((targets * predicted).sum(dim=-1) * weights).sum() / max(images, 1)
