"""AdamW (Loshchilov and Hutter 2019), with the clipping of gradients done inside its one pass over memory."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


def make_optimizer(*models: Any) -> torch.optim.AdamW:
    """AdamW, fused, for the parameters of all `models`; weight decay on matrices only, not on norms and biases."""
    trained = [p for model in models for p in model.parameters() if p.requires_grad]
    matrices, others = [p for p in trained if p.ndim >= 2], [p for p in trained if p.ndim < 2]
    groups = [{"params": matrices, "decays": True}, {"params": others, "decays": False}]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=0.0, fused=True)


def gradient_norm(optimizer: torch.optim.Optimizer) -> float:
    """Euclidean norm of all gradients together."""
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients)
    return float(norm.full_tensor() if isinstance(norm, DTensor) else norm)


def clipped_step(optimizer: torch.optim.AdamW, norm: float, clip: float, scaler: torch.amp.GradScaler) -> None:
    """One step with the gradients, of norm `norm`, scaled down to norm `clip` where they are longer (0: never).

    The fused kernel divides by a factor as it reads a gradient, which saves a pass over all of them. Under a gradient
    scaler, whose field that factor is, and for sharded gradients they are scaled before.
    """
    factor = max(norm / clip, 1.0) if clip else 1.0
    owner: Any = optimizer
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if scaler.is_enabled() or any(isinstance(gradient, DTensor) for gradient in gradients):
        if factor > 1 and math.isfinite(factor):
            torch._foreach_mul_(gradients, 1 / factor)
        scaler.step(optimizer)
        return
    owner.grad_scale = _scalar(factor, gradients[0]) if factor > 1 else None
    owner.found_inf = _scalar(0.0, gradients[0]) if factor > 1 else None
    try:
        optimizer.step()
    finally:
        owner.grad_scale = owner.found_inf = None


def _scalar(value: float, like: Tensor) -> Tensor:
    return torch.tensor(value, dtype=torch.float32, device=like.device)
