"""The forward pass of Llama, Qwen2 and Phi models on transformers' weights, without transformers' layers around it.

transformers' modules carry the weights and are what is saved; this is only another way to compute with them, for
training and for generation. It is held equal to transformers' own forward by a test. What it leaves out is cost:
mask construction, cache objects, per-module hooks, logits where nobody reads them. Models that it does not know go
through transformers itself (`Lean.knows`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.sizes import not_lean

Linear = Callable[[Tensor], Tensor]

_SMALLEST = 1e-12
"""The least scale of a row of integers: one of zeros alone has a scale, too."""


class Attend(Protocol):
    """Attention of one layer: q (batch, heads, time, head), k and v (batch, kv_heads, time, head) -> as q."""

    def __call__(self, layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor: ...


class MakeLinear(Protocol):
    """Turns modules that read the same input into one or more functions; their outputs are concatenated in order."""

    def __call__(self, modules: Sequence[Any]) -> tuple[Linear, ...]: ...


def separate(modules: Sequence[Any]) -> tuple[Linear, ...]:
    """One matrix product per module, on the live parameters: what training uses."""
    return tuple(modules)


def packed(modules: Sequence[Any]) -> tuple[Linear, ...]:
    """One product for all modules, on weights laid out once for oneDNN where it is there: what generation uses.

    A copy of the weights is made. The fewer rows are read at once, the more it gains.
    """
    weight = torch.cat([m.weight.detach() for m in modules])
    bias = torch.cat([m.bias.detach() for m in modules]) if modules[0].bias is not None else None
    if _laid_out(weight):
        onednn = torch.ops.mkldnn
        laid_out = onednn._reorder_linear_weight(weight.contiguous(), 32)
        return (lambda x: onednn._linear_pointwise(x, laid_out, bias, "none", [], ""),)
    return (lambda x: functional.linear(x, weight, bias),)


def _laid_out(weight: Tensor) -> bool:
    """Whether oneDNN lays out weights like these for this CPU: those in half precision for some CPUs alone."""
    onednn = torch.ops.mkldnn
    if weight.device.type != "cpu" or not torch._C._has_mkldnn or not hasattr(onednn, "_linear_pointwise"):
        return False
    if weight.dtype == torch.bfloat16:
        return bool(onednn._is_mkldnn_bf16_supported())
    return weight.dtype == torch.float32 or bool(onednn._is_mkldnn_fp16_supported())


def integers_multiply() -> bool:
    """Whether this build of torch has oneDNN's products of 8-bit integers."""
    return bool(torch._C._has_mkldnn) and hasattr(torch.ops.onednn, "qlinear_prepack")


def quantised(modules: Sequence[Any]) -> tuple[Linear, ...]:
    """As `packed`, in 8-bit integers: each row of the weights and each position of the input with a scale of its own
    (Dettmers et al. 2022, LLM.int8(), 3.1, without its decomposition). For oneDNN on a CPU."""
    weight = torch.cat([m.weight.detach() for m in modules])
    bias = torch.cat([m.bias.detach() for m in modules]) if modules[0].bias is not None else None
    scales = (weight.abs().amax(1).float() / 127).clamp_min(_SMALLEST)
    whole = (weight / scales[:, None]).round_().to(torch.int8)
    onednn = torch.ops.onednn
    laid_out = onednn.qlinear_prepack(whole, None)
    zeros = torch.zeros(len(scales), dtype=torch.long)

    def product(x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        scale = (rows.abs().amax(1, keepdim=True).float() / 127).clamp_min(_SMALLEST)
        read = (rows / scale).round_().add_(128).to(torch.uint8)
        y = onednn.qlinear_pointwise(
            read, 1.0, 128, laid_out, scales, zeros, None, 1.0, 0, torch.float32, "none", [], ""
        ).mul_(scale)
        y = (y if bias is None else y.add_(bias)).to(x.dtype)
        shaped: Tensor = y.view(*x.shape[:-1], -1)
        return shaped

    return (product,)


class Rotary(NamedTuple):
    """Cosines and sines of positions, each (batch or 1, 1, time, rotated / 2)."""

    cos: Tensor
    sin: Tensor


@dataclass(frozen=True, slots=True)
class _Layer:
    """Functions of one block. `norm2` is None where attention and MLP run in parallel (Phi)."""

    norm1: Linear
    qkv: tuple[Linear, ...]
    out: tuple[Linear, ...]
    norm2: Linear | None
    up: tuple[Linear, ...]
    down: tuple[Linear, ...]


class Lean:
    """A Llama, Qwen2 or Phi causal LM as plain functions.

    model: the transformers model. linear: `separate` for training, `packed` for generation (which copies weights, so
    it does not follow later updates).
    """

    def __init__(self, model: Any, linear: MakeLinear = separate) -> None:
        if not self.knows(model):
            raise ValueError(f"the lean forward does not know {type(model).__name__} with this configuration")
        config = model.config
        self.config = config
        self.phi = config.model_type == "phi"
        self.heads = config.num_attention_heads
        self.kv_heads = config.num_key_value_heads or self.heads
        self.head = getattr(config, "head_dim", None) or config.hidden_size // self.heads
        self.embed = model.model.embed_tokens
        embedding, residual = (config.embd_pdrop, config.resid_pdrop) if self.phi else (0.0, 0.0)
        self.dropout = (embedding, config.attention_dropout, residual)
        self.detached = False
        """Whether no gradient flows into the embedding of the input: where the first blocks are frozen."""
        self.frequencies = model.model.rotary_emb.inv_freq
        self.final_norm = self._norm(model.model.final_layernorm if self.phi else model.model.norm)
        self.lm_head = linear([model.lm_head])[0]
        self.layers = [self._layer(block, linear) for block in model.model.layers]
        self._sizes = [self.heads * self.head, self.kv_heads * self.head, self.kv_heads * self.head]

    @staticmethod
    def knows(model: Any) -> bool:
        """Whether this forward computes exactly what the model's own forward does."""
        return not not_lean(model.config.to_dict())

    def _norm(self, module: Any) -> Linear:
        if self.phi:
            return module  # type: ignore[no-any-return]
        weight, epsilon = module.weight, module.variance_epsilon
        return lambda x: functional.rms_norm(x, weight.shape, weight, epsilon)

    def _layer(self, block: Any, linear: MakeLinear) -> _Layer:
        attention, mlp = block.self_attn, block.mlp
        return _Layer(
            norm1=self._norm(block.input_layernorm),
            qkv=linear([attention.q_proj, attention.k_proj, attention.v_proj]),
            out=linear([attention.dense if self.phi else attention.o_proj]),
            norm2=None if self.phi else self._norm(block.post_attention_layernorm),
            up=linear([mlp.fc1] if self.phi else [mlp.gate_proj, mlp.up_proj]),
            down=linear([mlp.fc2 if self.phi else mlp.down_proj]),
        )

    def rotary(self, positions: Tensor) -> Rotary:
        """Tables for `positions` (batch or 1, time), in fp32."""
        angles = positions[:, None, :, None].float() * self.frequencies.to(positions.device)
        return Rotary(angles.cos(), angles.sin())

    def hidden(
        self,
        ids: Tensor,
        rotary: Rotary,
        attend: Attend,
        training: bool = False,
        after: Callable[[Tensor], None] | None = None,
    ) -> Tensor:
        """Hidden states after the last norm, (batch, time, hidden), for token ids (batch, time).

        after: given the states after each block, in their order.
        """
        embedding, _, residual = self.dropout if training else (0.0, 0.0, 0.0)
        x = functional.dropout(self.embed(ids), embedding, training)
        x = x.detach() if self.detached else x
        rotary = Rotary(rotary.cos.to(x.dtype), rotary.sin.to(x.dtype))
        for number, layer in enumerate(self.layers):
            h = layer.norm1(x)
            a = self._attention(number, layer, h, rotary, attend)
            if layer.norm2 is None:
                m = layer.down[0](functional.gelu(layer.up[0](h), approximate="tanh"))
                x = functional.dropout(a, residual, training) + functional.dropout(m, residual, training) + x
            else:
                x = x + a
                x = x + self._gated(layer, layer.norm2(x))
            if after is not None:
                after(x)
        return self.final_norm(x)

    def _gated(self, layer: _Layer, h: Tensor) -> Tensor:
        if len(layer.up) == 1:
            gate, up = layer.up[0](h).chunk(2, -1)
        else:
            gate, up = layer.up[0](h), layer.up[1](h)
        return layer.down[0](functional.silu(gate) * up)

    def _attention(self, number: int, layer: _Layer, h: Tensor, rotary: Rotary, attend: Attend) -> Tensor:
        batch, time, _ = h.shape
        if len(layer.qkv) == 1:
            parts: Sequence[Tensor] = torch.split(layer.qkv[0](h), self._sizes, -1)
        else:
            parts = [project(h) for project in layer.qkv]
        q, k, v = (part.view(batch, time, -1, self.head).transpose(1, 2) for part in parts)
        mixed = attend(number, rotate(q, rotary), rotate(k, rotary), v)
        return layer.out[0](mixed.transpose(1, 2).reshape(batch, time, -1))


def rotate(x: Tensor, rotary: Rotary) -> Tensor:
    """Rotary embedding of x (batch, heads, time, head) in transformers' half-split order; further dimensions pass."""
    half = rotary.cos.shape[-1]
    first, second = x[..., :half], x[..., half : 2 * half]
    turned = [first * rotary.cos - second * rotary.sin, second * rotary.cos + first * rotary.sin]
    if 2 * half < x.shape[-1]:
        turned.append(x[..., 2 * half :])
    return torch.cat(turned, -1)


def causal(dropout: float = 0.0) -> Attend:
    """Causal attention within each row, for rows padded on the right: no mask, for no real token sees the padding."""

    def attend(layer: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(
            q, k, v, is_causal=True, dropout_p=dropout, enable_gqa=q.shape[1] != k.shape[1]
        )

    return attend
