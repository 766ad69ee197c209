"""Features of images: what a network says of each, and what is compared with it."""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.vision.backbone import Statistics, tokens
from pipeline.vision.pool import Pool

BATCH = 256


class Features(NamedTuple):
    """of_class: class tokens, which k-NN compares. pooled: class token and the patches' mean side by side, which the
    linear probe reads, (images, 2 width), as in DINOv2. Both float32."""

    of_class: NDArray[np.float32]
    pooled: NDArray[np.float32]


@torch.no_grad()
def extracted(model: Any, statistics: Statistics, pool: Pool, device: torch.device) -> Features:
    """The features of all images of the pool, whole and as they are."""
    width = int(model.config.hidden_size)
    parts = [[np.zeros((0, size), np.float32)] for size in (width, 2 * width)]
    for _, pixels, _ in pool.batches(BATCH, device):
        seen = tokens(model, statistics.normalised(pixels))
        pooled = torch.cat([seen.of_class, seen.patches.mean(dim=1)], dim=1)
        for part, value in zip(parts, (seen.of_class, pooled), strict=True):
            part.append(value.float().cpu().numpy())
    return Features(*(np.concatenate(part) for part in parts))


def raw_pixels(pool: Pool) -> Features:
    """The pixels themselves, in [0, 1]."""
    flat: NDArray[np.float32] = pool.pixels.reshape(len(pool), -1).astype(np.float32) / np.float32(255)
    return Features(flat, flat)


def principal_components(train: Pool, test: Pool, width: int, seed: int) -> tuple[Features, Features]:
    """Pixels on the first `width` principal axes of the training images, whitened."""
    from sklearn.decomposition import PCA

    pixels = [raw_pixels(pool).of_class for pool in (train, test)]
    most = min(width, *pixels[0].shape)
    axes = PCA(most, whiten=True, svd_solver="randomized", random_state=seed % 2**32).fit(pixels[0])
    found = [axes.transform(part).astype(np.float32) for part in pixels]
    return Features(found[0], found[0]), Features(found[1], found[1])
