"""Distillation by cached features: a teacher has read each image once, and the student says what it said."""

from typing import Any

import torch
from torch import Tensor, nn

from pipeline.recipe_images import AugmentationTable, DistillationTable
from pipeline.training.average import Average
from pipeline.vision.backbone import Statistics, tokens
from pipeline.vision.cached import CachedFeatures, view_of
from pipeline.vision.losses.cached_features import cached_feature_loss
from pipeline.vision.objectives.protocol import Batch, Lost


class Regression:
    """The student's tokens, each kind through a linear layer of its own, are brought near the teacher's."""

    def __init__(
        self,
        network: Any,
        cached: CachedFeatures,
        table: DistillationTable,
        augmentation: AugmentationTable,
        statistics: Statistics,
        seed: int,
    ) -> None:
        self.cached, self.table, self.augmentation = cached, table, augmentation
        self.statistics, self.seed = statistics, seed
        width = int(network.config.hidden_size)
        self.layers = nn.ModuleList(nn.Linear(width, cached.width) for _ in range(2)).to(network.device)
        self.learned, self.kept = nn.ModuleList([self.layers]), network
        self.average = Average(network.parameters(), table.average) if table.average else None

    def loss(self, network: Any, batch: Batch) -> Lost:
        view = batch.draws.epoch % self.cached.views
        pixels = view_of(batch.pixels, batch.draws.numbers, self.seed, view, self.augmentation)
        seen = tokens(network, self.statistics.normalised(pixels))
        wanted = self.cached.read(batch.rows, view, batch.pixels.device)
        of_class = cached_feature_loss(self.layers[0](seen.of_class), wanted.of_class, self.table.smooth)
        of_patches = cached_feature_loss(self.layers[1](seen.patches), wanted.patches, self.table.smooth)
        parts = {"class_loss": of_class.detach(), "patch_loss": of_patches.detach()}
        return Lost(of_class + self.table.patch_weight * of_patches, parts)

    def before_step(self, batch: Batch) -> None:
        """Nothing is held back."""

    def after_step(self, network: Any, batch: Batch) -> None:
        if self.average:
            self.average.update()

    def tensors(self) -> dict[str, Tensor]:
        if not self.average:
            return {}
        counted = {"updates": torch.tensor(self.average.updates)}
        return counted | {f"values.{n}": value for n, value in enumerate(self.average.values)}
