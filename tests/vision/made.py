"""A small pool of images and small tables, for tests."""

import hashlib

import numpy as np

from pipeline.core.image_records import Image
from pipeline.recipe_images import AugmentationTable, BackboneTable, ObjectiveTable, OptimisationTable
from pipeline.vision.pool import Pool
from pipeline.vision.randomness import numbers_of

BACKBONE = BackboneTable(width=16, depth=2, heads=2, patch=4, mlp_ratio=2)
AUGMENTATION = AugmentationTable(local_size=4, local_crops=2)
OBJECTIVE = ObjectiveTable(prototypes=16, hidden=16, bottleneck=8, frozen_steps=2)
TRAINING = OptimisationTable(steps=6, batch=8, warmup_steps=1)


def pool(count: int = 24, channels: int = 1) -> Pool:
    """Images of 8 x 8 pixels in three classes, bright in different corners."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 60, (count, channels, 8, 8)).astype(np.uint8)
    images = []
    for row in range(count):
        kind = row % 3
        pixels[row, :, 4 * (kind // 2) : 4 * (kind // 2) + 4, 4 * (kind % 2) : 4 * (kind % 2) + 4] += 150
        digest = hashlib.sha256(pixels[row].tobytes()).hexdigest()
        images.append(Image(source=f"train/{row}", split="train", label="abc"[kind], pixels=digest, row=row))
    return Pool(images, pixels, numbers_of([one.id for one in images]), np.arange(count))
