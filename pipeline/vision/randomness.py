"""Random numbers that are a function of what they are for: an image, a crop, an epoch, a purpose.

A counter-based generator (Salmon et al. 2011): numbers are hashes of their place, so neither the order of images nor
the size of batches nor the number of workers changes what an image gets.
"""

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mixed(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014, figure 16)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(images: NDArray[np.uint64], draws: int, *scope: int) -> NDArray[np.float32]:
    """Numbers in [0, 1), (images, draws). images: a number of each image's own. scope: seed, epoch, crop, purpose."""
    with np.errstate(over="ignore"):
        state = images
        for part in scope:
            state = _mixed(state * _GOLDEN + np.uint64(part & (2**64 - 1)) + _GOLDEN)
        places = _mixed(state[:, None] + np.arange(1, draws + 1, dtype=np.uint64)[None] * _GOLDEN)
    return ((places >> np.uint64(40)).astype(np.float32)) * np.float32(2.0**-24)


def numbers_of(ids: list[str]) -> NDArray[np.uint64]:
    """A number of its own for each id: its first 16 hex digits."""
    return np.array([int(one[:16], 16) for one in ids], dtype=np.uint64)
