"""A teacher's features of each image and of some crops of it, on disk: read once, learned from often.

::

    class.npy      (images, views, width)            float16
    patches.npy    (images, views, patches, width)   float16
    statistics.npz mean and std of each entry of both, (2, width) each: students learn what is standardised

View 0 is the whole image as it is; the others are crops, lit and placed as in training, the same in every epoch.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.recipe_images import AugmentationTable
from pipeline.vision.augmentation import Draws, first_crop
from pipeline.vision.backbone import Statistics, Tokens, tokens

CACHED_EPOCH = 2**31
"""Epoch of the draws of cached crops: one that no training reaches."""


def view_of(pixels: Tensor, numbers: NDArray[np.uint64], seed: int, view: int, table: AugmentationTable) -> Tensor:
    """The view of that number of images (n, channels, side, side)."""
    if not view:
        return pixels
    return first_crop(pixels, Draws(numbers, seed, CACHED_EPOCH + view), table)


def write(
    folder: Path,
    teacher: Any,
    statistics: Statistics,
    batches: Iterator[tuple[slice, Tensor, NDArray[np.uint64]]],
    images: int,
    views: int,
    table: AugmentationTable,
    seed: int,
    tell: Callable[[int], None],
) -> None:
    """Let the teacher read all views of all images. batches: places, pixels in [0, 1] and numbers of images."""
    arrays: tuple[NDArray[np.float16], ...] = ()
    sums: list[NDArray[np.float64]] = []
    for place, pixels, numbers in batches:
        for view in range(views):
            with torch.no_grad():
                seen = tokens(teacher, statistics.normalised(view_of(pixels, numbers, seed, view, table)))
            if not arrays:
                arrays = tuple(
                    np.lib.format.open_memmap(folder / name, "w+", np.float16, (images, views, *part.shape[1:]))
                    for name, part in zip(("class.npy", "patches.npy"), seen, strict=True)
                )
                sums = [np.zeros((3, part.shape[-1])) for part in seen]
            for array, part, total in zip(arrays, seen, sums, strict=True):
                array[place, view] = part.cpu().numpy().astype(np.float16)
                flat = part.double().reshape(-1, part.shape[-1]).cpu().numpy()
                total += np.stack([flat.sum(0), (flat**2).sum(0), np.full(flat.shape[1], len(flat))])
        tell(place.stop)
    for array in arrays:
        array.flush()  # type: ignore[attr-defined]
    mean = np.stack([total[0] / total[2] for total in sums])
    std = np.sqrt(np.maximum(np.stack([total[1] / total[2] for total in sums]) - mean**2, 1e-8))
    np.savez(folder / "statistics.npz", mean=mean.astype(np.float32), std=std.astype(np.float32))


class CachedFeatures:
    """The folder that `write` wrote."""

    def __init__(self, folder: Path) -> None:
        self._arrays = [np.load(folder / name, mmap_mode="r") for name in ("class.npy", "patches.npy")]
        with np.load(folder / "statistics.npz") as found:
            self._mean, self._std = torch.from_numpy(found["mean"]), torch.from_numpy(found["std"])

    @property
    def views(self) -> int:
        """Views of each image."""
        return int(self._arrays[0].shape[1])

    @property
    def width(self) -> int:
        """Of the teacher's states."""
        return int(self._arrays[0].shape[-1])

    def read(self, rows: NDArray[np.int64], view: int, device: torch.device) -> Tokens:
        """The standardised features of those images."""
        parts = [
            ((torch.from_numpy(array[rows, view].astype(np.float32)) - self._mean[n]) / self._std[n]).to(device)
            for n, array in enumerate(self._arrays)
        ]
        return Tokens(*parts)
