"""The next-token loss of a batch, with logits computed only where there is loss, a chunk at a time."""

from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pipeline.student.lean import Lean, Linear, causal
from pipeline.training.batches import IGNORE, Batch

CHUNK_LOGITS = 1 << 25
"""Most logits held at once: 128 MB in fp32, and as much again for their gradient."""


class Loss(Protocol):
    """Sum of the losses of logits (positions, vocab) against labels and store numbers, each (positions,)."""

    def __call__(self, logits: Tensor, labels: Tensor, numbers: Tensor) -> Tensor: ...


class NamedLoss(Loss, Protocol):
    """A loss with what decides it, in JSON's types, so that a checkpoint is resumed under the same loss only."""

    @property
    def settings(self) -> dict[str, Any]: ...


def cross_entropy(logits: Tensor, labels: Tensor, numbers: Tensor) -> Tensor:
    """Sum of next-token cross-entropies, nats; `numbers` are not used."""
    return functional.cross_entropy(logits, labels, reduction="sum")


class Objective:
    """Sum of the losses of a batch at the positions that carry loss.

    model: a transformers causal LM; Llama and Phi take the lean forward, others their own.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.lean = Lean(model) if Lean.knows(model) else None

    def __call__(self, batch: Batch, *, training: bool, loss: Loss = cross_entropy) -> Tensor:
        """The sum over all labels that are not `IGNORE`, as a scalar that has a gradient."""
        at = batch.labels != IGNORE
        numbers = batch.numbers[at.cpu()]
        return chunked(self.selected(batch, training=training), batch.labels[at], numbers, self.head, loss)

    def selected(self, batch: Batch, *, training: bool) -> Tensor:
        """What `head` turns into logits, at the label positions: (labels, hidden), or the logits for unknown models."""
        at = (batch.labels != IGNORE).flatten().nonzero()[:, 0]
        if self.lean is None:
            logits = self.model(input_ids=batch.ids).logits
            return logits.flatten(0, 1)[at]  # type: ignore[no-any-return]
        positions = torch.arange(batch.ids.shape[1], device=batch.ids.device)[None]
        attend = causal(self.lean.dropout[1] if training else 0.0)
        hidden = self.lean.hidden(batch.ids, self.lean.rotary(positions), attend, training)
        return hidden.flatten(0, 1).index_select(0, at)

    def head(self, selected: Tensor) -> Tensor:
        """Logits, (labels, vocab), fp32."""
        return selected.float() if self.lean is None else self.lean.lm_head(selected).float()


def chunked(selected: Tensor, labels: Tensor, numbers: Tensor, head: Linear, loss: Loss) -> Tensor:
    """Sum of `loss(head(selected), labels, numbers)` over all positions.

    Where there are more than `CHUNK_LOGITS` logits they are made a chunk at a time, and again for the gradient, so
    that memory stays bounded for any vocabulary.
    """
    if not len(labels):
        return selected.sum() * 0.0

    def of(x: Tensor, y: Tensor, n: Tensor) -> Tensor:
        return loss(head(x), y, n)

    size = max(1, CHUNK_LOGITS // _width(head, selected))
    chunks = list(zip(*(torch.split(entry, size) for entry in (selected, labels, numbers)), strict=True))
    if len(chunks) == 1 or not torch.is_grad_enabled():
        return torch.stack([of(*chunk) for chunk in chunks]).sum()
    return torch.stack([checkpoint(of, *chunk, use_reentrant=False) for chunk in chunks]).sum()


def _width(head: Linear, selected: Tensor) -> int:
    with torch.no_grad():
        return int(head(selected[:1]).shape[-1])
