"""Crops: what an image gets depends on itself, the crop and the epoch alone."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.recipe_images import AugmentationTable
from pipeline.vision.augmentation import Draws, blurred, crops, masks, resized_crop
from pipeline.vision.randomness import uniform

NUMBERS = np.arange(1, 9, dtype=np.uint64) * np.uint64(0x1234567)


def images(channels: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).random((8, channels, 12, 12), dtype=np.float32))


@pytest.mark.parametrize("channels", [1, 3])
def test_an_image_gets_the_same_crops_in_any_batch_and_order(channels: int) -> None:
    table = AugmentationTable(local_size=6, local_crops=2, flip=0.5, solarise=0.5)
    given_, order = images(channels), np.array([5, 1, 6])
    whole = crops(given_, Draws(NUMBERS, 3, 1), table)
    part = crops(given_[order], Draws(NUMBERS[order], 3, 1), table)
    assert whole.of_all.shape == (2, 8, channels, 12, 12)
    assert whole.of_parts.shape == (2, 8, channels, 6, 6)
    assert torch.allclose(whole.of_all[:, order], part.of_all, atol=1e-6)
    assert torch.allclose(whole.of_parts[:, order], part.of_parts, atol=1e-6)
    assert float(whole.of_all.min()) >= 0
    assert float(whole.of_all.max()) <= 1


def test_other_epochs_crops_and_seeds_give_other_crops() -> None:
    table = AugmentationTable(local_crops=0)
    first = crops(images(1), Draws(NUMBERS, 3, 1), table).of_all
    assert not torch.allclose(first[0], first[1])
    for draws in (Draws(NUMBERS, 3, 2), Draws(NUMBERS, 4, 1)):
        assert not torch.allclose(first, crops(images(1), draws, table).of_all)


def test_a_crop_of_the_whole_image_is_the_image_and_flips_are_mirrors() -> None:
    draws = torch.full((8, 5), 0.5)
    given_ = images(3)
    assert torch.allclose(resized_crop(given_, draws, 12, (1.0, 1.0), 1.0, 0.0), given_, atol=1e-5)
    assert torch.allclose(resized_crop(given_, draws, 12, (1.0, 1.0), 1.0, 1.0), given_.flip(-1), atol=1e-5)


def test_a_blur_keeps_one_colour_and_lessens_differences() -> None:
    sigma = torch.full((8,), 0.04)
    assert torch.allclose(blurred(torch.full((8, 3, 12, 12), 0.3), sigma), torch.tensor(0.3), atol=1e-6)
    assert float(blurred(images(1), sigma).std()) < float(images(1).std())


@given(st.integers(0, 1000), st.integers(2, 7), st.floats(0.05, 0.5), st.floats(0.5, 0.9))
@settings(max_examples=30, deadline=None)
def test_masks_are_of_the_wanted_size_or_empty(seed: int, side: int, low: float, high: float) -> None:
    found = masks(Draws(NUMBERS, seed, 0), 0, side, 1.0, (low, high)).sum(dim=1)
    assert found.min() >= max(1, round(low * side * side) - 1)
    assert found.max() <= round(high * side * side) + 1
    assert not masks(Draws(NUMBERS, seed, 0), 0, side, 0.0, (low, high)).any()


def test_random_numbers_are_even_and_apart() -> None:
    found = uniform(np.arange(2000, dtype=np.uint64), 8, 1, 2)
    assert found.min() >= 0
    assert found.max() < 1
    assert abs(found.mean() - 0.5) < 0.01
    assert np.abs(np.corrcoef(found.T) - np.eye(8)).max() < 0.1
    assert not np.allclose(found, uniform(np.arange(2000, dtype=np.uint64), 8, 1, 3))
