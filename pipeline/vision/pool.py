"""The images that are learned from or scored, in memory or mapped, and their order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.core.identity import rng_seed
from pipeline.core.image_records import Image
from pipeline.vision.backbone import Statistics
from pipeline.vision.randomness import numbers_of

PIXELS = "pixels.npy"
"""File of the artifact of `images`: (images, channels, size, size), one byte each, in the order of its records."""


@dataclass(frozen=True, slots=True)
class Pool:
    """Images with their pixels. numbers: of each image its own, for what is drawn for it. places: of each among all
    that the pool was once a part of."""

    images: Sequence[Image]
    pixels: NDArray[np.uint8]
    numbers: NDArray[np.uint64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, images: Sequence[Image], file: Path) -> "Pool":
        """Those images, whose pixels are rows of the file."""
        stored = np.load(file, mmap_mode="r")
        return cls(
            images, stored[[one.row for one in images]], numbers_of([one.id for one in images]), np.arange(len(images))
        )

    def __len__(self) -> int:
        return len(self.images)

    def part(self, places: Sequence[int] | NDArray[np.int64]) -> "Pool":
        """Those at the places, in their order."""
        places = np.asarray(places, dtype=np.int64)
        return Pool(
            [self.images[place] for place in places], self.pixels[places], self.numbers[places], self.places[places]
        )

    def tensor(self, places: NDArray[np.int64] | slice, device: torch.device) -> Tensor:
        """Pixels in [0, 1]."""
        return torch.from_numpy(np.ascontiguousarray(self.pixels[places])).to(device).float() / 255

    def batches(self, size: int, device: torch.device) -> Iterator[tuple[slice, Tensor, NDArray[np.uint64]]]:
        """All of them in order: places, pixels, numbers."""
        for start in range(0, len(self), size):
            place = slice(start, min(start + size, len(self)))
            yield place, self.tensor(place, device), self.numbers[place]

    def statistics(self) -> Statistics:
        """Mean and standard deviation of each channel."""
        sums = np.zeros((2, self.pixels.shape[1]))
        for start in range(0, len(self), 4096):
            part = self.pixels[start : start + 4096].astype(np.float64) / 255
            sums += np.stack([part.sum(axis=(0, 2, 3)), (part**2).sum(axis=(0, 2, 3))])
        mean, square = sums / max(1, self.pixels.size // self.pixels.shape[1])
        std = np.sqrt(np.maximum(square - mean**2, 1e-6))
        return Statistics(tuple(map(float, mean)), tuple(map(float, std)))

    def classes(self) -> tuple[list[str], NDArray[np.int64]]:
        """The labels there are, sorted, and the place of each image's among them; -1 for an image without one."""
        names = sorted({one.label for one in self.images if one.label})
        places = {name: number for number, name in enumerate(names)}
        return names, np.array([places.get(one.label, -1) for one in self.images], dtype=np.int64)


def order(images: int, batch: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Places of an epoch's images, (steps, batch); those that fill no batch are left for another epoch."""
    drawn = np.random.default_rng(rng_seed(seed, "order", epoch)).permutation(images)
    return drawn[: images // batch * batch].reshape(-1, batch)
