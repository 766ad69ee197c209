"""Phi's parallel block with its gradient written out, for training in fp32 on the CPU.

Autograd over single operations pays for what it cannot see: zeros filled and added for each slice of the rotary
embedding, three products where queries, keys, values and the MLP read the same input, a pass over memory for each sum
of residuals. Here a block is one node: four matrix products forward (one of them for all that reads the
normalised input), sums done by the products themselves. Held equal to the plain block, values and gradients, by a test.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from pipeline.student.lean import Lean, Rotary

BLOCK = 128
"""Queries of a block of attention: keys after the block are not computed."""

LINEAR = 2 * math.sqrt(2 / math.pi)
CUBIC = 0.044715 * LINEAR


class BlockWeights(NamedTuple):
    """The parameters of one Phi block, in the order in which `ParallelBlock.apply` takes them."""

    norm_weight: Tensor
    norm_bias: Tensor
    q: Tensor
    k: Tensor
    v: Tensor
    up: Tensor
    q_bias: Tensor
    k_bias: Tensor
    v_bias: Tensor
    up_bias: Tensor
    out: Tensor
    down: Tensor
    out_bias: Tensor
    down_bias: Tensor


LONGEST = 512
"""Tokens of the longest row: attention keeps a square of them."""


class ParallelBlocks:
    """All blocks of a Phi model.

    lean: the model's plain forward, of which this takes the place where `fit` says so.
    """

    def __init__(self, lean: Lean, model: Any) -> None:
        self.lean = lean
        self.epsilon = model.config.layer_norm_eps
        self.weights = [block_weights(block) for block in model.model.layers]

    @staticmethod
    def know(lean: Lean, model: Any) -> bool:
        """Whether the model is a Phi in fp32 on the CPU: no dropout, as many keys as queries, no block frozen."""
        first = next(model.parameters())
        plain = first.device.type == "cpu" and first.dtype == torch.float32 and not any(lean.dropout)
        whole = all(parameter.requires_grad for parameter in model.model.layers.parameters())
        return lean.phi and plain and whole and lean.heads == lean.kv_heads

    def fit(self, ids: Tensor) -> bool:
        """Whether rows of this length go through here; not under autocast, whose casts these products do not make."""
        return ids.shape[1] <= LONGEST and not torch.is_autocast_enabled("cpu")

    def hidden(self, ids: Tensor, rotary: Rotary) -> Tensor:
        """As `Lean.hidden` with causal attention."""
        x = self.lean.embed(ids)
        for weights in self.weights:
            x = ParallelBlock.apply(x, rotary, self.lean.head, self.epsilon, *weights)  # type: ignore[no-untyped-call]
        return self.lean.final_norm(x)


def block_weights(block: Any) -> BlockWeights:
    """Those of a transformers `PhiDecoderLayer`."""
    attention, mlp, norm = block.self_attn, block.mlp, block.input_layernorm
    readers = (attention.q_proj, attention.k_proj, attention.v_proj, mlp.fc1)
    writers = (attention.dense, mlp.fc2)
    return BlockWeights(
        norm.weight,
        norm.bias,
        *(m.weight for m in readers),
        *(m.bias for m in readers),
        *(m.weight for m in writers),
        *(m.bias for m in writers),
    )


class ParallelBlock(torch.autograd.Function):
    """x + attention(norm(x)) + mlp(norm(x)), x (batch, time, hidden), causal within each row, without dropout."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rotary: Rotary, head: int, epsilon: float, *parameters: Tensor) -> Tensor:
        w = BlockWeights(*parameters)
        batch, time, hidden = x.shape
        flat = x.reshape(-1, hidden)
        normed, mean, rstd = torch.native_layer_norm(flat, [hidden], w.norm_weight, w.norm_bias, epsilon)
        weight = torch.cat([w.q, w.k, w.v, w.up])
        mixed = torch.addmm(torch.cat([w.q_bias, w.k_bias, w.v_bias, w.up_bias]), normed, weight.t())
        sizes = [w.q.shape[0], w.k.shape[0], w.v.shape[0], w.up.shape[0]]
        *read, inner = torch.split(mixed, sizes, -1)
        q, k, v = (part.view(batch, time, -1, head).transpose(1, 2).contiguous() for part in read)
        turn_(q, rotary, 1)
        turn_(k, rotary, 1)
        attended, shares = attend(*(part.view(-1, time, head) for part in (q, k, v)))
        joined = attended.view(batch, -1, time, head).transpose(1, 2).reshape(len(flat), -1)
        gate = gelu_gate(inner)
        active = inner * gate
        y = torch.addmm(flat, joined, w.out.t()).addmm_(active, w.down.t()).add_(w.out_bias + w.down_bias)
        ctx.save_for_backward(
            *(flat, normed, mean, rstd, weight, inner, q, k, v, joined, gate, active, rotary.cos, rotary.sin),
            *parameters,
            *shares,
        )
        ctx.sizes = sizes
        return y.view_as(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        flat, normed, mean, rstd, weight, inner, q, k, v, joined, gate, active, cos, sin = ctx.saved_tensors[:14]
        count = 14 + len(BlockWeights._fields)
        w, shares = BlockWeights(*ctx.saved_tensors[14:count]), ctx.saved_tensors[count:]
        batch, _, time, head = q.shape
        dy = grad.reshape(flat.shape)
        d_attended = torch.mm(dy, w.out).view(batch, time, -1, head).transpose(1, 2).reshape(-1, time, head)
        dq, dk, dv = attend_backward(
            d_attended, q.view(-1, time, head), k.view(-1, time, head), v.view(-1, time, head), shares
        )
        d_mixed = flat.new_empty(len(flat), weight.shape[0])
        parts = torch.split(d_mixed, ctx.sizes, -1)
        for number, (part, gradient) in enumerate(zip(parts, (dq, dk, dv), strict=False)):
            if number < 2:
                turn_(gradient.view(q.shape), Rotary(cos, sin), -1)
            part.view(batch, time, -1, head).copy_(gradient.view(q.shape).transpose(1, 2))
        torch.mul(torch.mm(dy, w.down), gelu_slope(inner, gate, active), out=parts[3])
        dx, d_norm_weight, d_norm_bias = torch.ops.aten.native_layer_norm_backward(
            torch.mm(d_mixed, weight), flat, [flat.shape[-1]], mean, rstd, w.norm_weight, w.norm_bias, [True] * 3
        )
        bias = dy.sum(0)
        return (
            dx.add_(dy).view_as(grad),
            *(None, None, None, d_norm_weight, d_norm_bias),
            *torch.split(torch.mm(d_mixed.t(), normed), ctx.sizes),
            *torch.split(d_mixed.sum(0), ctx.sizes),
            *(torch.mm(dy.t(), joined), torch.mm(dy.t(), active), bias, bias.clone()),
        )


def attend(q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Causal attention of q, k, v (rows, time, head): its result, and the weights of each block of queries.

    The weights are kept for the gradient, (rows, block, keys seen): quadratic memory, and so for short rows only.
    """
    result, shares, scale = torch.empty_like(q), [], q.shape[-1] ** -0.5
    for start in range(0, q.shape[1], BLOCK):
        stop = min(start + BLOCK, q.shape[1])
        hidden = torch.full((stop - start, stop), -torch.inf).triu(start + 1)
        scores = torch.baddbmm(hidden, q[:, start:stop], k[:, :stop].transpose(1, 2), alpha=scale)
        shares.append(torch.softmax(scores, -1))
        result[:, start:stop] = torch.bmm(shares[-1], v[:, :stop])
    return result, shares


def attend_backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, shares: Sequence[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend` in q, k and v."""
    dq, dk, dv, scale = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v), q.shape[-1] ** -0.5
    for number, share in enumerate(shares):
        start, stop = number * BLOCK, number * BLOCK + share.shape[1]
        dy = grad[:, start:stop]
        d_share = torch.bmm(dy, v[:, :stop].transpose(1, 2))
        d_scores = torch.ops.aten._softmax_backward_data(d_share, share, -1, share.dtype)
        dv[:, :stop].baddbmm_(share.transpose(1, 2), dy)
        dq[:, start:stop] = torch.bmm(d_scores, k[:, :stop])
        dk[:, :stop].baddbmm_(d_scores.transpose(1, 2), q[:, start:stop], alpha=scale)
    return dq.mul_(scale), dk, dv


def gelu_gate(x: Tensor) -> Tensor:
    """What x is multiplied with in gelu's tanh form: (1 + tanh(u)) / 2 = sigmoid(2u), of which exp is the faster one.

    Hendrycks and Gimpel 2016, section 2, with u = sqrt(2 / pi) (x + 0.044715 x^3).
    """
    return (x * x).mul_(CUBIC).add_(LINEAR).mul_(x).sigmoid_()


def gelu_slope(x: Tensor, gate: Tensor, active: Tensor) -> Tensor:
    """Derivative of x * gate(x) in x, for gate = `gelu_gate(x)` and active = x * gate."""
    slope = (x * x).mul_(3 * CUBIC).add_(LINEAR)
    return slope.mul_(active).mul_(1 - gate).add_(gate)


def turn_(x: Tensor, rotary: Rotary, sign: int) -> None:
    """Rotate x (batch, heads, time, head) in place by its positions, or back where `sign` is -1."""
    half = rotary.cos.shape[-1]
    first, second = x[..., :half], x[..., half : 2 * half]
    old = first.clone()
    first.mul_(rotary.cos).addcmul_(second, rotary.sin, value=-sign)
    second.mul_(rotary.cos).addcmul_(old, rotary.sin, value=sign)
