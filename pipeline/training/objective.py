"""The next-token loss of a batch, with logits computed only where there is loss, a chunk at a time."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pipeline.student.lean import Lean, causal
from pipeline.training.batches import IGNORE, Batch

CHUNK_LOGITS = 1 << 25
"""Most logits held at once: 128 MB in fp32, and as much again for their gradient."""


class Objective:
    """Sum of the next-token cross-entropies (nats) of a batch.

    model: a transformers causal LM; Llama and Phi take the lean forward, others their own.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.lean = Lean(model) if Lean.knows(model) else None

    def __call__(self, batch: Batch, *, training: bool) -> Tensor:
        """The sum over all labels that are not `IGNORE`, as a scalar that has a gradient."""
        labels = batch.labels[batch.labels != IGNORE]
        return cross_entropy_sum(self.selected(batch, training=training), labels, self.head)

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


def cross_entropy_sum(selected: Tensor, labels: Tensor, head: Any) -> Tensor:
    """Sum of cross-entropies of `head(selected)` against `labels`, (labels,).

    Where there are more than `CHUNK_LOGITS` logits they are made a chunk at a time, and again for the gradient, so
    that memory stays bounded for any vocabulary.
    """
    if not len(labels):
        return selected.sum() * 0.0

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(head(x), y, reduction="sum")

    size = max(1, CHUNK_LOGITS // _width(head, selected))
    chunks = list(zip(torch.split(selected, size), torch.split(labels, size), strict=True))
    if len(chunks) == 1 or not torch.is_grad_enabled():
        return torch.stack([loss(x, y) for x, y in chunks]).sum()
    return torch.stack([checkpoint(loss, x, y, use_reentrant=False) for x, y in chunks]).sum()


def _width(head: Any, selected: Tensor) -> int:
    with torch.no_grad():
        return int(head(selected[:1]).shape[-1])
