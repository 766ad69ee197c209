"""Soft targets from a teacher in the loop: nothing on disk, the whole vocabulary, and the student's own samples too.

The teacher reads every batch that the student reads: over several epochs that is more arithmetic than targets on
disk, which are made once. It is what on-policy distillation needs, whose text is not known beforehand.
"""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.core.errors import RecipeError
from pipeline.models.lean import Lean
from pipeline.models.loading import LoadedModel
from pipeline.recipe import SoftTargetsTable, TokensTable
from pipeline.stages.student.batches import IGNORE, Batch
from pipeline.stages.student.divergences import whole_losses
from pipeline.stages.student.hidden import BatchMatch, HiddenMatch
from pipeline.stages.student.objective import Objective, Prepared
from pipeline.stages.student.own_samples import with_own_samples
from pipeline.stages.student.soft_targets import check_vocabulary
from pipeline.stages.tokens.shards import TokenStore


@dataclass(slots=True)
class OnlineLoss:
    """alpha * T^2 * divergence + (1 - alpha) * cross-entropy on text; T^2 * divergence alone on the student's samples.

    A sample has no right answer to be a hard label (Agarwal et al. 2024, eq. 5 likewise has the divergence alone). With
    `hidden_weight` the distance of hidden states is added, to both (`pipeline.stages.student.hidden`).

    vocabulary, end: of the tokens' tokenizer. length: longest row, tokens. match: set by `learned`. Made by
    `online_loss`.
    """

    teacher: LoadedModel
    table: SoftTargetsTable
    vocabulary: int
    end: int
    length: int
    objective: Objective = field(repr=False)
    match: HiddenMatch | None = field(default=None, repr=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides this loss."""
        return {"soft_targets": self.table.model_dump(), "teacher": self.teacher.identity}

    def learned(self, student: Any, seed: int) -> HiddenMatch | None:
        """The projections between hidden states, where those are matched.

        Raises RecipeError where the layers named do not fit, or the lean forward, which hands out states, knows one of
        the models not.
        """
        if not self.table.hidden_weight:
            return None
        for name, model in (("teacher", self.teacher.model), ("student", student)):
            if not Lean.knows(model):
                raise RecipeError(
                    f"recipe: 'soft_targets.hidden_weight' = {self.table.hidden_weight} needs Llama, Qwen2 or Phi "
                    f"models, got a {name} that is {type(model).__name__}",
                    hint="set soft_targets.hidden_weight = 0 for soft targets alone",
                )
        self.match = HiddenMatch(student, self.teacher.model, self.table.hidden_layers, seed)
        return self.match

    def prepare(self, batch: Batch, student: Any) -> Prepared:
        """The batch, some of its answers the student's own, and its loss, for which the teacher has read it."""
        own, weights = torch.zeros(len(batch.ids), dtype=torch.bool), torch.ones(len(batch.ids))
        if self.table.on_policy:
            batch, own, weights = with_own_samples(
                batch,
                student,
                share=self.table.on_policy,
                new_tokens=self.table.max_new_tokens,
                length=self.length,
                vocabulary=self.vocabulary,
                end=self.end,
            )
        at = batch.labels != IGNORE
        states: list[Tensor] = []
        with torch.no_grad():
            read = batch.to(self.teacher.device)
            if self.match is None:
                selected = self.objective.selected(read, training=False)
            else:
                selected, states = self.objective.with_states(read, training=False)
        # What the loss is given as numbers are rows of `selected`, in the order of the labels.
        numbers = torch.full_like(batch.numbers, -1)
        numbers[at] = torch.arange(int(at.sum()))
        rows = at.nonzero()[:, 0]
        loss = _BatchLoss(self, selected, own[rows], weights[rows])
        prepared = Prepared(Batch(batch.ids, batch.labels, numbers), loss)
        if self.match is None:
            return prepared
        matched = [states[layer] for layer in self.match.layers]
        return prepared._replace(matching=BatchMatch(self.match, self.table.hidden_weight, matched, weights[rows]))


@dataclass(frozen=True, slots=True)
class _BatchLoss:
    """The loss of one batch. selected: what the teacher's head makes logits of. own, weights: each (labels,)."""

    made_by: OnlineLoss
    selected: Tensor
    own: Tensor
    weights: Tensor

    def __call__(self, logits: Tensor, labels: Tensor, numbers: Tensor) -> Tensor:
        table = self.made_by.table
        with torch.no_grad():
            chosen = self.selected[numbers.to(self.selected.device)]
            teacher = self.made_by.objective.head(chosen)[:, : self.made_by.vocabulary].to(logits.device)
        soft = whole_losses(logits, teacher, table.divergence, table.temperature)
        hard = functional.cross_entropy(logits, labels, reduction="none")
        own, weights = self.own[numbers].to(logits.device), self.weights[numbers].to(logits.device)
        return (torch.where(own, soft, table.alpha * soft + (1 - table.alpha) * hard) * weights).sum()


def online_loss(teacher: LoadedModel, table: SoftTargetsTable, store: TokenStore, limits: TokensTable) -> OnlineLoss:
    """The loss for training on `store` with `teacher` in the loop.

    Raises RecipeError where the teacher's tokenizer is not the tokens'.
    """
    check_vocabulary(store, teacher)
    return OnlineLoss(
        teacher=teacher,
        table=table,
        vocabulary=int(store.manifest["vocabulary"]),
        end=int(store.manifest["eos"]),
        length=limits.sequence_length,
        objective=Objective.reading(teacher.model),
    )
