"""Which images are the same: exact copies, and near ones by a perceptual hash that pixels then confirm."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.core.image_records import Image
from pipeline.core.stage import Dropped, Kept

SIDE = 32
"""Side of the grey picture that is hashed and compared."""
BANDS = 4
"""Parts of a hash: two hashes that differ in at most BANDS - 1 bits have a part in common, so none is missed."""


def grey_pictures(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(images, channels, height, width) -> (images, SIDE, SIDE), the mean of the channels, read bilinearly."""
    grey = pixels.astype(np.float32).mean(axis=1)
    weights = [_weights(length) for length in grey.shape[1:]]
    found: NDArray[np.float32] = np.einsum("ah,nhw,bw->nab", weights[0], grey, weights[1], optimize=True)
    return found.astype(np.float32)


def _weights(length: int) -> NDArray[np.float32]:
    """(SIDE, length): each row the share of each pixel in one of the new ones; wider than a pixel where it shrinks."""
    reach = max(1.0, length / SIDE)
    centres = (np.arange(SIDE) + 0.5) * length / SIDE - 0.5
    rows = np.clip(1 - np.abs(np.arange(length)[None] - centres[:, None]) / reach, 0, None)
    found: NDArray[np.float32] = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    return found


def perceptual_hashes(pictures: NDArray[np.float32]) -> NDArray[np.uint64]:
    """64 bits each: whether each of the 8 x 8 lowest cosines is above their median (Zauner 2010, pHash)."""
    places = np.arange(SIDE)
    cosines = np.cos(np.pi * (2 * places[None] + 1) * np.arange(1, 9)[:, None] / (2 * SIDE)).astype(np.float32)
    found = np.einsum("ua,nab,vb->nuv", cosines, pictures, cosines, optimize=True).reshape(len(pictures), 64)
    bits = found > np.median(found, axis=1, keepdims=True)
    hashes: NDArray[np.uint64] = (bits.astype(np.uint64) << np.arange(64, dtype=np.uint64)).sum(1, dtype=np.uint64)
    return hashes


def standardised(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rows of mean 0 and length 1, so that products are correlations; zeros for a picture of one grey."""
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.where(length > 1e-3, flat / np.maximum(length, 1e-3), 0).astype(np.float32)


class _Index:
    """Images kept so far, by parts of their hashes."""

    def __init__(self, hashes: NDArray[np.uint64], rows: NDArray[np.float32], distance: int) -> None:
        self._hashes, self._rows, self._distance = hashes, rows, distance
        self._buckets: dict[tuple[int, int], list[int]] = defaultdict(list)

    def add(self, place: int) -> None:
        for bucket in self._buckets_of(place):
            self._buckets[bucket].append(place)

    def most_alike(self, place: int) -> tuple[int, float] | None:
        """The image most alike of those whose hashes are near, and their correlation; None where none is near."""
        near = sorted({other for bucket in self._buckets_of(place) for other in self._buckets.get(bucket, ())})
        if not near:
            return None
        others = np.array(near)
        differing = (self._hashes[others] ^ self._hashes[place]).view(np.uint8).reshape(-1, 8)
        others = others[np.unpackbits(differing, axis=1).sum(axis=1) <= self._distance]
        if not len(others):
            return None
        alike = self._rows[others] @ self._rows[place]
        best = int(alike.argmax())
        return int(others[best]), float(alike[best])

    def _buckets_of(self, place: int) -> list[tuple[int, int]]:
        value = int(self._hashes[place])
        return [(band, value >> (16 * band) & 0xFFFF) for band in range(BANDS)]


def unique(
    images: Sequence[Image], pixels: NDArray[np.uint8], similarity: float, distance: int
) -> Iterator[Kept[Image] | Dropped]:
    """All test images, and of the training images those that no other one is the same as.

    pixels: (rows, channels, height, width), to which `Image.row` leads. Test images are all kept, whatever they are
    like: scores are of what the source says they are of. A training image is dropped where it has the pixels of one
    that was kept, or is near one: first compared with test images, so that none of them is trained on, then with
    training images before it.
    """
    ordered = [*(one for one in images if one.split == "test"), *(one for one in images if one.split == "train")]
    pictures = np.concatenate(
        [grey_pictures(pixels[[one.row for one in ordered[n : n + 4096]]]) for n in range(0, len(ordered), 4096)]
        or [np.zeros((0, SIDE, SIDE), np.float32)]
    )
    hashes, rows = perceptual_hashes(pictures), standardised(pictures)
    exact: dict[str, Image] = {}
    seen = {split: _Index(hashes, rows, distance) for split in ("test", "train")}
    for place, image in enumerate(ordered):
        if image.split == "train":
            found = _same(place, image, ordered, exact, seen, similarity)
            if found is not None:
                yield found
                continue
        exact.setdefault(image.pixels, image)
        seen[image.split].add(place)
        yield Kept(image)


def _same(
    place: int,
    image: Image,
    ordered: Sequence[Image],
    exact: dict[str, Image],
    seen: dict[str, _Index],
    similarity: float,
) -> Dropped | None:
    """Why a training image is dropped, None where it is not."""
    twin = exact.get(image.pixels)
    if twin is not None:
        reason = "same-pixels" if twin.split == "train" else "test-image"
        return Dropped(image, reason, f"the pixels of {twin.source}", twin.id, 1.0)
    for split, reason in (("test", "test-image"), ("train", "near-image")):
        near = seen[split].most_alike(place)
        if near is not None and near[1] >= similarity:
            other = ordered[near[0]]
            return Dropped(image, reason, f"{near[1]:.4f} >= {similarity} with {other.source}", other.id, near[1])
    return None
