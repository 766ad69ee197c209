"""The arithmetic of the forward pass, chosen by a measurement where the recipe says "auto"."""

from typing import Literal

import torch

from pipeline.models.rates import bf16_wins, fp32_gflops, gemm_gflops
from pipeline.training.world import World

Precision = Literal["auto", "fp32", "bf16", "fp16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
COARSE_TO_FINE: tuple[Literal["fp32", "bf16", "fp16"], ...] = ("bf16", "fp16", "fp32")


def pick_precision(precision: Precision, device: torch.device) -> Literal["fp32", "bf16", "fp16"]:
    """`precision`, or for "auto" the faster of fp32 and bf16 on this device.

    On CPUs the difference goes either way: with avx512_bf16 or AMX bf16 is twice as fast, without it 50 times slower.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if device.type != "cpu":
        return "fp32"
    return "bf16" if bf16_wins() else "fp32"


def agreed_precision(chosen: Literal["fp32", "bf16", "fp16"], world: World) -> Literal["fp32", "bf16", "fp16"]:
    """One precision for all processes, each of which measured for itself: the finest that any of them chose."""
    return COARSE_TO_FINE[world.greatest(COARSE_TO_FINE.index(chosen))]


def peak_flops(precision: Literal["fp32", "bf16", "fp16"], device: torch.device) -> float:
    """Measured rate of a large matrix product on `device`, floating point operations per second: the 1 of an MFU."""
    size = 8192 if device.type == "cuda" else 1024
    if precision == "fp32" and device.type == "cpu":
        return 1e9 * fp32_gflops(size, size, size, seconds=0.05)
    return 1e9 * gemm_gflops(DTYPES[precision], size, size, size, seconds=0.05, device=device)
