"""What the training loop asks of an objective."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.vision.augmentation import Draws


class Batch(NamedTuple):
    """Images of one step. pixels: (images, channels, side, side) in [0, 1]. rows: places among all training images,
    those kept apart too. progress: share of the steps that were made before, in [0, 1). step: from 0."""

    pixels: Tensor
    rows: NDArray[np.int64]
    draws: Draws
    step: int
    progress: float


class Lost(NamedTuple):
    """total: what is minimised. parts: its terms and what is watched, by name, on whichever device."""

    total: Tensor
    parts: Mapping[str, Tensor]


class Objective(Protocol):
    """A loss with what belongs to it.

    learned: modules trained beside the network. kept: the network that is exported and watched: a moving average, or
    the trained one. tensors: all that changes outside the optimiser, by name, written into checkpoints.
    """

    learned: nn.ModuleList
    kept: Any

    def loss(self, network: Any, batch: Batch) -> Lost: ...

    def before_step(self, batch: Batch) -> None:
        """With the gradients there."""

    def after_step(self, network: Any, batch: Batch) -> None: ...

    def tensors(self) -> dict[str, Tensor]: ...
