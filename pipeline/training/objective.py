"""The next-token loss of a batch, with logits computed only where there is loss, a chunk at a time."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

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
        return cross_entropy_sum(self.selected(batch, training=training), batch.labels[batch.labels != IGNORE], self.head)

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
    """Sum of cross-entropies of `head(selected)` against `labels`, (labels,), recomputing no chunk twice.

    The gradient of a chunk is taken while its logits are there, so that of a large vocabulary only
    `CHUNK_LOGITS` logits are ever alive.
    """
    if not len(labels):
        return selected.sum() * 0.0
    size = max(1, CHUNK_LOGITS // _width(head, selected))
    if len(labels) <= size or not torch.is_grad_enabled():
        pieces = zip(selected.split(size), labels.split(size), strict=True)
        total: Tensor = torch.stack([F.cross_entropy(head(x), y, reduction="sum") for x, y in pieces]).sum()
        return total
    losses = [
        torch.utils.checkpoint.checkpoint(lambda x, y: F.cross_entropy(head(x), y, reduction="sum"), x, y, use_reentrant=False)
        for x, y in zip(selected.split(size), labels.split(size), strict=True)
    ]
    return torch.stack(losses).sum()  # type: ignore[arg-type]


def _width(head: Any, selected: Tensor) -> int:
    with torch.no_grad():
        return int(head(selected[:1]).shape[-1])
