"""Crops of images, as tensors, a batch at a time: where they lie, how they are lit, and which patches are masked.

What an image gets is a function of the seed, its id, the crop and the epoch alone. All crops of a kind are made by the
same few operations on the whole batch, on whichever device it is on. Departs from torchvision's: one fixed order of
brightness, contrast, saturation and hue; bilinear reading without a low-pass, for crops are about as large as what they
show.
"""

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pipeline.recipe_images import AugmentationTable
from pipeline.vision.randomness import uniform

GLOBAL_CROPS = 2
PLACE, LIGHT, MASK = range(3)
"""Purposes of random numbers, so that one more draw for one of them leaves the others as they are."""

SOLARISED = 7
"""Which number for light says whether a crop is solarised."""

GREY = (0.299, 0.587, 0.114)
"""Share of red, green and blue in brightness (ITU-R BT.601)."""


class Crops(NamedTuple):
    """Crops of a batch, pixels in [0, 1]: views (views, images, channels, side, side)."""

    of_all: Tensor
    of_parts: Tensor


class Draws(NamedTuple):
    """For whom random numbers are drawn. numbers: of each image its own. epoch: how often it was seen before."""

    numbers: NDArray[np.uint64]
    seed: int
    epoch: int

    def of(self, count: int, crop: int, purpose: int) -> Tensor:
        """(images, count), in [0, 1)."""
        return torch.from_numpy(uniform(self.numbers, count, self.seed, self.epoch, crop, purpose))


def crops(images: Tensor, draws: Draws, table: AugmentationTable) -> Crops:
    """Two global crops and the local ones of images (n, channels, height, width), pixels in [0, 1]."""
    parts = range(GLOBAL_CROPS, GLOBAL_CROPS + table.local_crops)
    return Crops(
        _views(images, draws, range(GLOBAL_CROPS), images.shape[-1], table.global_scale, table),
        _views(images, draws, parts, table.local_size, table.local_scale, table),
    )


def first_crop(images: Tensor, draws: Draws, table: AugmentationTable) -> Tensor:
    """The first global crop alone, (n, channels, height, width)."""
    return _views(images, draws, range(1), images.shape[-1], table.global_scale, table)[0]


def _views(
    images: Tensor, draws: Draws, numbers: range, side: int, scale: tuple[float, float], table: AugmentationTable
) -> Tensor:
    """Crops of those numbers, all of them in one pass: (views, images, channels, side, side)."""
    if not numbers:
        return images.new_empty((0, len(images), images.shape[1], side, side))
    place = torch.cat([draws.of(5, n, PLACE) for n in numbers]).to(images.device)
    light = torch.cat([draws.of(11, n, LIGHT) for n in numbers]).to(images.device)
    # A crop that is never solarised draws no number below that share.
    light[:, SOLARISED] += torch.tensor([float(n != 1) for n in numbers]).repeat_interleave(len(images)).to(light)
    cut = resized_crop(images.repeat(len(numbers), 1, 1, 1), place, side, scale, table.aspect, table.flip)
    return lit(cut, light, table).view(len(numbers), *images.shape[:2], side, side)


def resized_crop(
    images: Tensor, draws: Tensor, side: int, scale: tuple[float, float], aspect: float, flip: float
) -> Tensor:
    """A random part of each image as a square of `side` pixels, read bilinearly.

    draws: (images, 5) in [0, 1), for area, aspect, place across, place down, and mirroring. scale: least and most
    share of the area; the aspect is drawn evenly in its logarithm between 1 / aspect and aspect, and cut where a side
    would be longer than the image's.
    """
    area = scale[0] + draws[:, 0] * (scale[1] - scale[0])
    ratio = torch.exp((2 * draws[:, 1] - 1) * float(np.log(aspect)))
    width, height = (area * ratio).sqrt().clamp(max=1.0), (area / ratio).sqrt().clamp(max=1.0)
    across, down = (2 * draws[:, 2] - 1) * (1 - width), (2 * draws[:, 3] - 1) * (1 - height)
    mirrored = torch.where(draws[:, 4] < flip, -1.0, 1.0)
    zero = torch.zeros_like(width)
    rows = torch.stack([torch.stack([width * mirrored, zero, across], 1), torch.stack([zero, height, down], 1)], 1)
    grid = functional.affine_grid(rows, [len(images), images.shape[1], side, side], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def lit(images: Tensor, draws: Tensor, table: AugmentationTable) -> Tensor:
    """Brightness, contrast, colour, blur and solarisation. draws: (images, 11) in [0, 1). Pixels stay in [0, 1]."""
    columns = [column[:, None, None, None] for column in draws.unbind(dim=1)]
    jitter = table.jitter
    if jitter:
        images = images * (1 + jitter * (2 * columns[0] - 1))
        middle = _grey(images).mean(dim=(1, 2, 3), keepdim=True)
        images = middle + (images - middle) * (1 + jitter * (2 * columns[1] - 1))
        if images.shape[1] == 3:
            images = _coloured(images, 1 + jitter * (2 * columns[2] - 1), jitter / 4 * (2 * draws[:, 3] - 1))
    if images.shape[1] == 3 and table.grey:
        images = torch.where(columns[4] < table.grey, _grey(images), images)
    images = images.clamp(0.0, 1.0)
    if table.blur:
        images = torch.where(columns[5] < table.blur, blurred(images, 0.005 + 0.035 * draws[:, 6]), images)
    if table.solarise:
        images = torch.where((columns[SOLARISED] < table.solarise) & (images > 0.5), 1 - images, images)
    return images


def _grey(images: Tensor) -> Tensor:
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(GREY, device=images.device, dtype=images.dtype)[:, None, None]
    return (images * weights).sum(dim=1, keepdim=True)


def _coloured(images: Tensor, saturation: Tensor, hue: Tensor) -> Tensor:
    """Saturation times the factor; hue turned by `hue` of a circle in the plane across the grey axis."""
    grey = images.mean(dim=1, keepdim=True)
    colour = (images - grey) * saturation
    angle = 2 * torch.pi * hue
    same = (torch.cos(angle) / 1.0)[:, None, None, None]
    turned = (torch.sin(angle) / 3**0.5)[:, None, None, None] * (colour.roll(1, dims=1) - colour.roll(-1, dims=1))
    return grey + colour * same + turned


def blurred(images: Tensor, sigma: Tensor) -> Tensor:
    """A Gaussian blur of each image of its own sigma, which is a share of the side; brightness is kept."""
    count, channels, height, width = images.shape
    reach = max(1, round(0.08 * width))
    places = torch.arange(-reach, reach + 1, device=images.device, dtype=images.dtype)
    kernel = torch.exp(-0.5 * (places[None] / (sigma[:, None] * width)) ** 2)
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)
    rows = functional.pad(images, (reach,) * 4, mode="reflect").view(1, count * channels, height + 2 * reach, -1)
    rows = functional.conv2d(rows, kernel[:, None, None, :], groups=count * channels)
    rows = functional.conv2d(rows, kernel[:, None, :, None], groups=count * channels)
    return rows.view_as(images)


def masks(draws: Draws, crop: int, side: int, share: float, ratio: tuple[float, float]) -> Tensor:
    """Which of side x side patches are masked: (images, patches), a block in `share` of the images, else nothing.

    Of an image that is masked the part is drawn evenly between the ends of `ratio`, and at least one patch. The patches
    are those nearest to a point in a stretched square, so they lie together, and their number is exact. Departs from
    BEiT's several rectangles: one block an image.
    """
    numbers = draws.of(5, crop, MASK)
    patches = side * side
    wanted = ((ratio[0] + numbers[:, 1] * (ratio[1] - ratio[0])) * patches).round().clamp(1, patches)
    wanted = torch.where(numbers[:, 0] < share, wanted, 0.0)
    line = (torch.arange(side) + 0.5) / side
    stretch = torch.exp((2 * numbers[:, 4] - 1) * float(np.log(2.0)))
    across = (line[None, None, :] - numbers[:, 2, None, None]).abs() * stretch[:, None, None]
    down = (line[None, :, None] - numbers[:, 3, None, None]).abs() / stretch[:, None, None]
    far = torch.maximum(across, down).reshape(len(numbers), patches) + 1e-4 * (across + down).reshape(-1, patches)
    place = far.argsort(dim=1, stable=True).argsort(dim=1, stable=True)
    return place < wanted[:, None]
