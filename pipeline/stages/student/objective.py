"""The next-token loss of a batch, with logits computed only where there is loss, a chunk at a time."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from pipeline.core.errors import RecipeError
from pipeline.models.lean import Attend, Lean, Linear, MakeLinear, Rotary, causal, separate
from pipeline.models.products import available, live
from pipeline.models.rates import onednn_wins
from pipeline.stages.student.batches import IGNORE, Batch

CHUNK_LOGITS = 1 << 25
"""Most logits held at once: 128 MB in fp32, and as much again for their gradient."""


class Loss(Protocol):
    """Sum of the losses of logits (positions, vocab) against labels and store numbers, each (positions,)."""

    def __call__(self, logits: Tensor, labels: Tensor, numbers: Tensor) -> Tensor: ...


class Matching(Protocol):
    """What is added to a batch's loss for the states after each block, each (labels, hidden), as a scalar."""

    def __call__(self, states: Sequence[Tensor]) -> Tensor: ...


class Prepared(NamedTuple):
    """What is trained on: a batch (the text, or the student's own samples), and the losses of its logits and states."""

    batch: Batch
    loss: Loss
    matching: Matching | None = None


class NamedLoss(Protocol):
    """A way to make losses with what decides it, in JSON's types, so that a checkpoint is resumed under the same only.

    learned: asked once, before training; what the loss itself learns beside the student, with initial weights from the
    seed, or None. prepare: asked before each micro-batch's forward pass, with the batch on the CPU and the student's
    model.
    """

    @property
    def settings(self) -> dict[str, Any]: ...

    def learned(self, student: Any, seed: int) -> torch.nn.Module | None: ...

    def prepare(self, batch: Batch, student: Any) -> Prepared: ...


def cross_entropy(logits: Tensor, labels: Tensor, numbers: Tensor) -> Tensor:
    """Sum of next-token cross-entropies, nats; `numbers` are not used."""
    return functional.cross_entropy(logits, labels, reduction="sum")


class Fused(Protocol):
    """Compiled functions that training uses in the place of the plain ones (`pipeline.stages.student.compiled`)."""

    hidden: Callable[..., Tensor]
    cross_entropy: Callable[..., Tensor]


class Objective:
    """Sum of the losses of a batch at the positions that carry loss.

    model: a transformers causal LM; Llama, Qwen2 and Phi take the lean forward, others their own. prompt_gradient:
    False lets no gradient through what stands before a row's first label: it is run without one, and its keys and
    values are context for the rest. The loss is the same, the gradient is cut short, and a prompt token needs a third
    of the arithmetic.
    lean: False for the model's own forward, which a sharded model needs: its hooks gather the weights.
    """

    compiled: Fused | None = None
    """What training goes through in the place of the plain functions."""

    def __init__(self, model: Any, prompt_gradient: bool = True, lean: bool = True) -> None:
        self.model = model
        self.lean: Lean | None = None
        if lean and Lean.knows(model):
            self.multiply(separate)
        if not prompt_gradient and self.lean is None:
            raise RecipeError(
                "recipe: student.prompt_gradient = false needs the lean forward, which knows Llama, Qwen2 and Phi with "
                f"whole weights in each process, got {type(model).__name__} of this configuration",
                hint="set student.prompt_gradient = true",
            )
        self.prompt_gradient = prompt_gradient

    @classmethod
    def reading(cls, model: Any) -> "Objective":
        """For a model that is only read (a teacher): its products by oneDNN where that is faster."""
        objective = cls(model)
        if objective.lean and available(model.get_output_embeddings().weight) and onednn_wins():
            objective.multiply(live)
        return objective

    def multiply(self, linear: MakeLinear) -> None:
        """Make the lean forward's matrix products by `linear`; there must be a lean forward."""
        self.lean = Lean(self.model, linear)
        self.lean.detached = not any(p.requires_grad for p in self.model.model.layers[0].parameters())

    def __call__(
        self, batch: Batch, *, training: bool, loss: Loss = cross_entropy, matching: Matching | None = None
    ) -> Tensor:
        """The sum over all labels that are not `IGNORE`, as a scalar that has a gradient."""
        at = batch.labels != IGNORE
        if matching is not None:
            selected, states = self.with_states(batch, training=training)
            return chunked(selected, batch.labels[at], batch.numbers[at.cpu()], self.head, loss) + matching(states)
        selected, labels = self.selected(batch, training=training), batch.labels[at]
        if training and self.compiled and loss is cross_entropy and 0 < len(labels) * self._entries <= CHUNK_LOGITS:
            return self.compiled.cross_entropy(selected, labels)
        return chunked(selected, labels, batch.numbers[at.cpu()], self.head, loss)

    @property
    def _entries(self) -> int:
        return int(self.model.get_output_embeddings().weight.shape[0])

    def selected(self, batch: Batch, *, training: bool) -> Tensor:
        """What `head` turns into logits, at the label positions: (labels, hidden), or the logits for unknown models."""
        if self.lean is None:
            logits = self.model(input_ids=batch.ids).logits
            return _at_labels(logits, batch)
        if training and not self.prompt_gradient:
            return after_context(self.lean, batch)
        forward = self.compiled.hidden if training and self.compiled else self.lean.hidden
        return _at_labels(forward(batch.ids, *self._reading(self.lean, batch, training), training), batch)

    def with_states(self, batch: Batch, *, training: bool) -> tuple[Tensor, list[Tensor]]:
        """`selected`, and the states after each block at the label positions, each (labels, hidden)."""
        assert self.lean is not None, "whoever asks for states has looked that they are there"
        states: list[Tensor] = []
        reading = self._reading(self.lean, batch, training)
        hidden = self.lean.hidden(batch.ids, *reading, training, lambda x: states.append(_at_labels(x, batch)))
        return _at_labels(hidden, batch), states

    @staticmethod
    def _reading(lean: Lean, batch: Batch, training: bool) -> tuple[Rotary, Attend]:
        """Positions and attention of rows that are read from their start."""
        positions = torch.arange(batch.ids.shape[1], device=batch.ids.device)[None]
        return lean.rotary(positions), causal(lean.dropout[1] if training else 0.0)

    def head(self, selected: Tensor) -> Tensor:
        """Logits, (labels, vocab), fp32."""
        return selected.float() if self.lean is None else self.lean.lm_head(selected).float()


def _at_labels(values: Tensor, batch: Batch) -> Tensor:
    """Values (rows, time, ...) at the positions that carry loss, (labels, ...)."""
    return values.flatten(0, 1).index_select(0, (batch.labels != IGNORE).flatten().nonzero()[:, 0])


def after_context(lean: Lean, batch: Batch) -> Tensor:
    """Hidden states at the label positions, (labels, hidden), without a gradient through what precedes the first label.

    Two passes: the contexts, right-padded, of which keys and values are kept; then the rest of each row, which sees
    its context and itself. Same order and same values as one pass over whole rows.
    """
    carried = batch.labels != IGNORE
    device = batch.ids.device
    context = carried.int().argmax(-1)
    width = int(context.max())
    rest = int((carried.int() * torch.arange(1, carried.shape[1] + 1, device=device)).amax(-1).sub(context).max())
    places = torch.arange(rest, device=device)[None]
    at = (context[:, None] + places).clamp(max=carried.shape[1] - 1)
    past = _context(lean, batch.ids[:, :width]) if width else []
    seen = (torch.arange(width, device=device)[None] < context[:, None])[:, None].expand(-1, rest, -1)
    own = torch.ones(rest, rest, dtype=torch.bool, device=device).tril().expand(len(context), -1, -1)
    mask = torch.cat([seen, own], -1)[:, None]

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if past:
            k, v = torch.cat([past[layer][0], k], 2), torch.cat([past[layer][1], v], 2)
        dropout, grouped = lean.dropout[1], q.shape[1] != k.shape[1]
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, enable_gqa=grouped)

    hidden = lean.hidden(batch.ids.gather(1, at), lean.rotary(context[:, None] + places), attend, training=True)
    valid = carried.gather(1, at) & (context[:, None] + places < carried.shape[1])
    return hidden.flatten(0, 1).index_select(0, valid.flatten().nonzero()[:, 0])


@torch.no_grad()
def _context(lean: Lean, ids: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Keys and values of each layer, (rows, kv_heads, time, head), for right-padded contexts."""
    past: list[tuple[Tensor, Tensor]] = []
    within = causal(lean.dropout[1])

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        past.append((k, v))
        return within(layer, q, k, v)

    lean.hidden(ids, lean.rotary(torch.arange(ids.shape[1], device=ids.device)[None]), attend, training=True)
    return past


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
