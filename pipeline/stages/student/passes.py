"""Forward and backward passes over the rows of a step: in micro-batches, under the run's precision, on any world."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pipeline.models.products import available, live
from pipeline.models.rates import onednn_wins
from pipeline.recipe import PhaseTable
from pipeline.stages.student.batches import Batch, Row, collate, documents_of, micro_batches, row_length
from pipeline.stages.student.compiled import Choice, choose, usual_batch
from pipeline.stages.student.objective import NamedLoss, Objective, Prepared, cross_entropy
from pipeline.stages.tokens.shards import TokenStore
from pipeline.training.precision import DTYPES
from pipeline.training.world import World

CPU_MICRO_TOKENS = 1024
"""Tokens of a forward pass on the CPU where the phase names no micro-batch: wider ones are no faster, only larger."""


PLURALS = {"textbook": "passages", "exercise": "exercises"}
"""How the kinds of documents in the span table are told of."""


class HeldOut(NamedTuple):
    """Held-out documents of a kind. documents: measured. loss: their mean, nats per loss token."""

    documents: int
    loss: float


class Passes:
    """Losses and gradients of rows.

    sharded: whether the weights are split over the world's processes. length: of the longest row, tokens. loss: what
    is minimised, None for the next-token cross-entropy.
    """

    def __init__(
        self,
        objective: Objective,
        store: TokenStore,
        *,
        device: torch.device,
        precision: str,
        world: World,
        sharded: bool,
        length: int,
        loss: NamedLoss | None,
    ) -> None:
        self.objective, self.store, self.device, self.world = objective, store, device, world
        self.precision, self.sharded, self.length, self.loss = precision, sharded, length, loss
        self.learned: torch.nn.Module | None = None
        """What the loss learns beside the student."""
        self.scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")

    def gradients(self, rows: tuple[Row, ...], loss_tokens: int, phase: PhaseTable) -> float:
        """Add the gradients of the step's mean loss; returns that loss in nats per loss token.

        Micro-batches are summed and divided by the whole step's loss tokens: how the step is cut changes nothing.
        """
        batches = list(micro_batches(self.store, self.world.share(rows, row_length), self.micro_tokens(phase)))
        if self.sharded:
            return self._sharded_gradients(batches, rows, loss_tokens)
        total = torch.zeros((), dtype=torch.float64)
        for batch in batches:
            loss = self.loss_sum(batch, training=True) / loss_tokens
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach().double().cpu()
        self.world.sum_gradients(
            [*self.objective.model.parameters(), *(self.learned.parameters() if self.learned else ())]
        )
        return self.world.sum(float(total))

    def _sharded_gradients(self, batches: list[Batch], rows: tuple[Row, ...], loss_tokens: int) -> float:
        """As `gradients`. Each pass gathers weights from all processes, so all make equally many, some for nothing;
        FSDP2 takes the mean of the gradients, so the loss is multiplied by the number of processes."""
        total = 0.0
        for number in range(self.world.greatest(len(batches))):
            real = number < len(batches)
            batch = batches[number] if real else collate(self.store, rows[:1])
            loss = self.loss_sum(batch, training=True) / loss_tokens * float(real)
            self.scaler.scale(loss * self.world.size).backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return self.world.sum(total)

    def micro_tokens(self, phase: PhaseTable) -> int:
        """Tokens of a forward pass, padding included."""
        if phase.micro_batch:
            return phase.micro_batch * self.length
        whole = phase.batch * self.length
        return min(whole, max(CPU_MICRO_TOKENS, self.length)) if self.device.type == "cpu" else whole

    def loss_sum(self, batch: Batch, *, training: bool) -> Tensor:
        """Summed loss of a batch under the run's precision."""
        prepared = Prepared(batch, cross_entropy)
        if self.loss is not None and training:
            prepared = self.loss.prepare(batch, self.objective.model)
        batch, loss, matching = prepared
        with self._autocast():
            return self.objective(batch.to(self.device), training=training, loss=loss, matching=matching)

    def mean_loss(self, rows: Sequence[Row]) -> float | None:
        """Mean cross-entropy of rows, nats per loss token; None for no rows. Dropout is off, whatever the forward pass,
        and no random number is drawn."""
        return self._mean_loss(rows) if rows else None

    def held_out_by_kind(self, rows: Sequence[Row]) -> dict[str, HeldOut]:
        """`mean_loss` of the rows of each kind of document: its plural, and what was measured; without empty kinds."""
        groups: dict[str, list[tuple[int, Row]]] = {}
        for row, (document, kind) in zip(rows, documents_of(self.store, rows), strict=True):
            groups.setdefault(PLURALS[kind], []).append((document, row))
        return {
            kind: HeldOut(len({document for document, _ in found}), self._mean_loss([row for _, row in found]))
            for kind, found in sorted(groups.items())
        }

    @torch.no_grad()
    def _mean_loss(self, rows: Sequence[Row]) -> float:
        total, labels = 0.0, 0
        was_training = self.objective.model.training
        self.objective.model.eval()
        try:
            for batch in micro_batches(self.store, rows, max(CPU_MICRO_TOKENS, self.length)):
                total += float(self.loss_sum(batch, training=False))
                labels += int((batch.labels >= 0).sum())
        finally:
            self.objective.model.train(was_training)
        return total / labels

    def choose_products(self, before: bool | None) -> bool:
        """Whether the matrix products go through oneDNN: where it is measured faster, or as an earlier part of the run
        chose (`before`), since the two round differently. Never without a lean forward in fp32 on the CPU."""
        if self.objective.lean is None or self.precision != "fp32" or self.device.type != "cpu":
            return False
        chosen = onednn_wins() if before is None else before and available(torch.empty(0))
        chosen = bool(self.world.greatest(int(chosen)))
        if chosen:
            self.objective.multiply(live)
        return chosen

    def in_step(self, phase: PhaseTable) -> int:
        """Passes that this process makes in a step of full rows."""
        return max(1, math.ceil(phase.batch * self.length / self.world.size / self.micro_tokens(phase)))

    def compile(self, wanted: str, phase: PhaseTable, *, one_length: bool, before: bool | None, passes: int) -> Choice:
        """Compile the passes as `execution.compile` says; see `pipeline.stages.student.compiled.choose`."""
        if self.learned is not None and wanted != "off":
            why = "not compiled: hidden-state matching reads what is between the blocks"
            return Choice(False, why, told=wanted == "on")
        vocabulary = int(self.store.manifest["vocabulary"])
        return choose(
            wanted,
            self.objective,
            usual_batch(self.micro_tokens(phase), self.length, vocabulary).to(self.device),
            one_length=one_length,
            autocast=self._autocast,
            world=self.world,
            before=before,
            passes=passes,
        )

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, DTYPES[self.precision], enabled=self.precision != "fp32")
