"""Images that are the same, and test images out of training."""

import hashlib
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.image_records import Image
from pipeline.core.stage import Dropped, Kept
from pipeline.vision.unique import perceptual_hashes, unique


def record(row: int, pixels: np.ndarray, split: str) -> Image:
    digest = hashlib.sha256(pixels.tobytes()).hexdigest()
    return Image(source=f"{split}/{row}", split=split, pixels=digest, row=row)  # type: ignore[arg-type]


def smooth(seed: int, count: int) -> Any:
    """Images in which each of the cosines that are hashed is there."""
    found = np.random.default_rng(seed).normal(size=(count, 8, 8)) * 2
    cosines = np.cos(np.pi * (2 * np.arange(32) + 1) * np.arange(1, 9)[:, None] / 64)
    return np.clip(127 + np.einsum("ua,nuv,vb->nab", cosines, found, cosines), 0, 255).astype(np.uint8)[:, None]


def test_copies_near_copies_and_test_images_are_dropped_with_what_was_kept() -> None:
    base = smooth(0, 4)
    brighter = np.clip(base[1].astype(int) + 2, 0, 255).astype(np.uint8)
    noisy = np.clip(base[3].astype(int) + np.random.default_rng(1).integers(-1, 2, base[3].shape), 0, 255)
    pixels = np.stack([base[0], base[1], base[0], brighter, noisy.astype(np.uint8), base[3], base[2]])
    splits = ["train", "train", "train", "train", "train", "test", "test"]
    records = [record(row, pixels[row], split) for row, split in enumerate(splits)]
    found = list(unique(records, pixels, 0.99, 3))
    gone: list[Any] = [one for one in found if isinstance(one, Dropped)]
    dropped = {one.record.source: one for one in gone}
    assert {name: one.reason for name, one in dropped.items()} == {
        "train/2": "same-pixels",
        "train/3": "near-image",
        "train/4": "test-image",
    }
    assert dropped["train/3"].kept_id == records[1].id
    assert dropped["train/4"].kept_id == records[5].id
    assert ">= 0.99 with" in dropped["train/4"].detail
    assert len(found) == len(records)


@given(st.integers(0, 500), st.integers(0, 12))
@settings(max_examples=20, deadline=None)
def test_what_is_kept_once_is_kept_again(seed: int, copies: int) -> None:
    pixels = smooth(seed, 12)
    pixels[:copies] = pixels[0]
    records = [record(row, pixels[row], "test" if row % 4 == 3 else "train") for row in range(12)]
    kept = [one.record for one in unique(records, pixels, 0.99, 3) if isinstance(one, Kept)]
    again = [one.record for one in unique(kept, pixels, 0.99, 3) if isinstance(one, Kept)]
    assert again == kept
    assert [one for one in kept if one.split == "test"] == [one for one in records if one.split == "test"]


def test_hashes_do_not_change_with_brightness() -> None:
    pictures = np.random.default_rng(0).random((5, 32, 32), dtype=np.float32)
    assert np.array_equal(perceptual_hashes(pictures), perceptual_hashes(pictures * 0.5 + 0.2))
