"""The training loss with soft targets: a mixture of the divergence from the teacher and the hard labels."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from pipeline.recipe import SoftTargetsTable
from pipeline.stages.student.batches import Batch
from pipeline.stages.student.divergences import Targets, soft_loss
from pipeline.stages.student.objective import Prepared, cross_entropy
from pipeline.stages.student.soft_targets import SoftTargets


@dataclass(frozen=True, slots=True)
class SoftLoss:
    """alpha * T^2 * divergence + (1 - alpha) * cross-entropy, summed over positions (Hinton et al. 2015, 2).

    T is the temperature under which the targets were written.
    """

    targets: SoftTargets
    table: SoftTargetsTable

    @property
    def settings(self) -> dict[str, Any]:
        """What decides this loss."""
        return {"soft_targets": self.table.model_dump(), "temperature": self.targets.manifest["temperature"]}

    def learned(self, student: Any, seed: int) -> None:
        """Nothing."""

    def prepare(self, batch: Batch, student: Any) -> Prepared:
        """The batch as it is: its targets are found on disk by `numbers`."""
        return Prepared(batch, self)

    def __call__(self, logits: Tensor, labels: Tensor, numbers: Tensor) -> Tensor:
        """The summed loss of logits (positions, vocab)."""
        tokens, log_probabilities = self.targets.targets(numbers)
        there = Targets(tokens.to(logits.device), log_probabilities.to(logits.device))
        soft = soft_loss(logits, there, self.table.divergence, float(self.targets.manifest["temperature"]))
        return self.table.alpha * soft + (1 - self.table.alpha) * cross_entropy(logits, labels, numbers)
