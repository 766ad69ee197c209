"""Pictures of what a network sees: patches coloured by their features, and the nearest neighbours of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.vision.backbone import Statistics, tokens
from pipeline.vision.pool import Pool

PATCHES, NEIGHBOURS = "patches.png", "neighbours.png"
SHOWN, NEAREST = 10, 6
TILE, GAP = 56, 4
"""Side of a picture in the sheet and the space between two, pixels."""


@torch.no_grad()
def patch_colours(model: Any, statistics: Statistics, pool: Pool, device: torch.device) -> NDArray[np.uint8]:
    """(images, rows, columns, 3): each patch's three first principal components, over all patches of these images, as
    red, green and blue (Oquab et al. 2023, figure 1, without its cut of the background)."""
    patches = tokens(model, statistics.normalised(pool.tensor(slice(None), device))).patches.float().cpu()
    side = round(patches.shape[1] ** 0.5)
    flat = patches.reshape(-1, patches.shape[-1])
    flat = flat - flat.mean(dim=0)
    _, _, axes = torch.linalg.svd(flat, full_matrices=False)
    axes = axes[:3] * torch.sign(axes[:3].sum(dim=1, keepdim=True))
    found = (flat @ axes.T).numpy()
    low, high = np.quantile(found, (0.02, 0.98), axis=0)
    scaled = np.clip((found - low) / np.maximum(high - low, 1e-6), 0, 1)
    colours: NDArray[np.uint8] = (255 * scaled).round().astype(np.uint8).reshape(len(pool), side, side, -1)
    return colours


def tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(channels, h, w) or (h, w, 3) as a square of `TILE` pixels in colour, its pixels as squares."""
    from PIL import Image
    from PIL.Image import Resampling

    colour = (
        pixels if pixels.shape[-1] == 3 and pixels.ndim == 3 and pixels.shape[0] != 1 else pixels.transpose(1, 2, 0)
    )
    if colour.shape[-1] == 1:
        colour = colour.repeat(3, axis=-1)
    whole = Image.fromarray(np.ascontiguousarray(colour)).resize((TILE, TILE), Resampling.NEAREST)
    return np.asarray(whole, dtype=np.uint8)


def sheet(rows: Sequence[Sequence[NDArray[np.uint8]]]) -> NDArray[np.uint8]:
    """Tiles in rows on white; the first column stands apart."""
    width = max(len(row) for row in rows)
    found = np.full((len(rows) * (TILE + GAP) + GAP, width * (TILE + GAP) + 3 * GAP, 3), 255, dtype=np.uint8)
    for down, row in enumerate(rows):
        for across, one in enumerate(row):
            top, left = GAP + down * (TILE + GAP), GAP + across * (TILE + GAP) + (2 * GAP if across else 0)
            found[top : top + TILE, left : left + TILE] = one
    return found


def write_pictures(
    folder: Path, colours: NDArray[np.uint8], asked: Pool, bank: Pool, near: NDArray[np.int64]
) -> tuple[Path, ...]:
    """`PATCHES`, one row of images over one of their colours, and `NEIGHBOURS`, an image and its nearest in each row.

    near: (images, nearest), places in the bank.
    """
    from PIL import Image

    images = [tile(one) for one in asked.pixels]
    sheets = {
        PATCHES: [images, [tile(one) for one in colours]],
        NEIGHBOURS: [[own, *(tile(bank.pixels[n]) for n in row)] for own, row in zip(images, near, strict=True)],
    }
    for name, rows in sheets.items():
        Image.fromarray(sheet(rows)).save(folder / name, optimize=True)
    return tuple(folder / name for name in sheets)


def nearest(bank: NDArray[np.float32], queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """The k rows of the bank most similar to each query, the most similar first."""
    bank, queries = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12) for rows in (bank, queries))
    return np.argsort(-(queries @ bank.T), axis=1, kind="stable")[:, :k].astype(np.int64)
