"""Training with labels, to compare with: a linear layer on the class token and the patches' mean, cross-entropy."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from pipeline.recipe_images import AugmentationTable
from pipeline.vision.augmentation import first_crop
from pipeline.vision.backbone import Statistics, tokens
from pipeline.vision.objectives.protocol import Batch, Lost


class Labelled:
    """labels: class of each training image, from 0; -1 for an image without one, which carries no loss."""

    def __init__(
        self, network: Any, labels: NDArray[np.int64], augmentation: AugmentationTable, statistics: Statistics
    ) -> None:
        self.labels, self.augmentation, self.statistics = torch.from_numpy(labels), augmentation, statistics
        classes = int(labels.max(initial=0)) + 1
        self.layer = nn.Linear(2 * int(network.config.hidden_size), classes).to(network.device)
        self.learned, self.kept = nn.ModuleList([self.layer]), network

    def loss(self, network: Any, batch: Batch) -> Lost:
        view = first_crop(batch.pixels, batch.draws, self.augmentation)
        seen = tokens(network, self.statistics.normalised(view))
        logits = self.layer(torch.cat([seen.of_class, seen.patches.mean(dim=1)], dim=1))
        return Lost(functional.cross_entropy(logits, self.labels[batch.rows].to(logits.device), ignore_index=-1), {})

    def before_step(self, batch: Batch) -> None:
        """Nothing is held back."""

    def after_step(self, network: Any, batch: Batch) -> None:
        """Nothing moves but the network."""

    def tensors(self) -> dict[str, Tensor]:
        return {}
