"""DINOv2's objective: the student matches a teacher, which is its own moving average or a larger frozen network.

Oquab et al. 2023, 4: the DINO loss on class tokens across crops, the iBOT loss on masked patches with a head of its
own, Sinkhorn-Knopp centring, KoLeo. With a frozen teacher (5) the losses are the same, and the moving average of the
student is only what is kept.
"""

import copy
import math
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.recipe_images import AugmentationTable, ObjectiveTable
from pipeline.vision.augmentation import GLOBAL_CROPS, crops, masks
from pipeline.vision.backbone import Statistics, tokens
from pipeline.vision.heads import Heads
from pipeline.vision.losses.centring import SoftmaxCentring, sinkhorn_knopp
from pipeline.vision.losses.class_token import class_token_loss
from pipeline.vision.losses.koleo import koleo_loss
from pipeline.vision.losses.masked_patches import masked_patch_loss
from pipeline.vision.objectives.protocol import Batch, Lost


class SelfDistillation:
    """The objective for one network.

    frozen, frozen_heads: a teacher that does not change, None where the teacher is the network's own moving average.
    """

    def __init__(
        self,
        network: Any,
        table: ObjectiveTable,
        augmentation: AugmentationTable,
        statistics: Statistics,
        frozen: Any = None,
        frozen_heads: Heads | None = None,
    ) -> None:
        self.table, self.augmentation, self.statistics = table, augmentation, statistics
        width, device = int(network.config.hidden_size), network.device
        prototypes = frozen_heads.prototypes if frozen_heads else table.prototypes
        self.heads = Heads(width, table.hidden, table.bottleneck, prototypes).to(device)
        self.learned = nn.ModuleList([self.heads])
        self.kept, self.kept_heads = (_still(copy.deepcopy(one)) for one in (network, self.heads))
        self.teacher = _still(frozen.to(device)) if frozen is not None else self.kept
        self.teacher_heads = _still(frozen_heads.to(device)) if frozen_heads is not None else self.kept_heads
        self.centres = nn.ModuleList([SoftmaxCentring(prototypes), SoftmaxCentring(prototypes)]).to(device)

    def loss(self, network: Any, batch: Batch) -> Lost:
        views = crops(batch.pixels, batch.draws, self.augmentation)
        whole = self.statistics.normalised(views.of_all.flatten(0, 1))
        mask = self._masks(batch, whole)
        temperature = self._teacher_temperature(batch.progress)
        with torch.no_grad():
            seen = tokens(self.teacher, whole)
            class_logits = self.teacher_heads.of_class(seen.of_class)
            class_targets = self._targets(class_logits, temperature, 0)
            patch_targets = self._targets(self.teacher_heads.of_patches(seen.patches[mask]), temperature, 1)
        own = tokens(network, whole, mask)
        read = [own.of_class]
        if len(views.of_parts):
            read.append(tokens(network, self.statistics.normalised(views.of_parts.flatten(0, 1))).of_class)
        images = len(batch.pixels)
        logits = self.heads.of_class(torch.cat(read))
        logits = logits.view(-1, images, logits.shape[-1])
        of_class = class_token_loss(
            logits, class_targets.view(GLOBAL_CROPS, images, -1), self.table.student_temperature
        )
        weights = (1 / mask.sum(dim=1).clamp(min=1))[:, None].expand_as(mask)[mask]
        of_patches = masked_patch_loss(
            self.heads.of_patches(own.patches[mask]),
            patch_targets,
            weights,
            len(mask),
            self.table.student_temperature,
        )
        spread = torch.stack([koleo_loss(part) for part in own.of_class.float().chunk(GLOBAL_CROPS)]).mean()
        table = self.table
        total = table.class_weight * of_class + table.patch_weight * of_patches + table.koleo_weight * spread
        parts = {"class_loss": of_class, "patch_loss": of_patches, "koleo": spread, **_entropies(logits, class_targets)}
        return Lost(total, {name: value.detach() for name, value in parts.items()})

    def before_step(self, batch: Batch) -> None:
        """At the start the prototypes stay (Caron et al. 2021, appendix C)."""
        if batch.step < self.table.frozen_steps:
            for head in (self.heads.of_class, self.heads.of_patches):
                head.prototypes.grad = None

    @torch.no_grad()
    def after_step(self, network: Any, batch: Batch) -> None:
        """The moving average: momentum rises to 1 along a cosine (Caron et al. 2021, 3.1)."""
        momentum = 1 - (1 - self.table.momentum) * (math.cos(math.pi * batch.progress) + 1) / 2
        for average, trained in ((self.kept, network), (self.kept_heads, self.heads)):
            torch._foreach_lerp_(list(average.parameters()), list(trained.parameters()), 1 - momentum)

    def tensors(self) -> dict[str, Tensor]:
        parts = {"network": self.kept, "heads": self.kept_heads, "centres": self.centres}
        return {f"{part}.{name}": value for part, of in parts.items() for name, value in of.state_dict().items()}

    def _targets(self, logits: Tensor, temperature: float, which: int) -> Tensor:
        if not len(logits):
            return logits
        if self.table.centring == "softmax":
            found: Tensor = self.centres[which](logits, temperature)
            return found
        return sinkhorn_knopp(logits, temperature)

    def _masks(self, batch: Batch, whole: Tensor) -> Tensor:
        side = whole.shape[-1] // int(self.teacher.config.patch_size)
        share = self.table.masked_images if self.table.patch_weight else 0.0
        drawn = [masks(batch.draws, crop, side, share, self.table.mask_ratio) for crop in range(GLOBAL_CROPS)]
        return torch.cat(drawn).to(whole.device)

    def _teacher_temperature(self, progress: float) -> float:
        table = self.table
        risen = min(1.0, progress / table.temperature_warmup) if table.temperature_warmup else 1.0
        return table.teacher_temperature + risen * (table.teacher_temperature_end - table.teacher_temperature)


def _still(module: Any) -> Any:
    return module.requires_grad_(False).eval()


def _entropies(logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """Nats: of the mean of what the student says of whole views (how many prototypes are used: centring makes the mean
    target even, so it would not tell), and the mean of each target's own (how sure the teacher is)."""
    used = torch.softmax(logits[:GLOBAL_CROPS].detach().float() * _SHARP, dim=-1).mean(dim=(0, 1))
    return {
        "prototype_entropy": -torch.special.xlogy(used, used).sum(),
        "target_entropy": -torch.special.xlogy(targets, targets).sum(dim=-1).float().mean(),
    }


_SHARP = 20.0
"""Inverse temperature at which prototypes are counted as used: the nearest one counts nearly alone."""
