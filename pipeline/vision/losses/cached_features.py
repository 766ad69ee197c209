"""Regression of a teacher's features, which were written down once."""

from torch import Tensor
from torch.nn import functional


def cached_feature_loss(student: Tensor, teacher: Tensor, smooth: float = 1.0) -> Tensor:
    """Mean over tokens of 1 - cos(student, teacher) + smooth * smooth-L1(student, teacher).

    student, teacher: (..., width). The cosine is of whole vectors, the smooth-L1 (Girshick 2015, eq. 3, beta = 1) a
    mean over their entries; so the teacher's should be of size 1. At least 0, and 0 where both are equal. smooth = 0
    leaves the cosine, which the length of neither changes.
    """
    cosine = 1 - functional.cosine_similarity(student, teacher, dim=-1).mean()
    return cosine + smooth * functional.smooth_l1_loss(student, teacher)
