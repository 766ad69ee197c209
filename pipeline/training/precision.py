"""The arithmetic of the forward pass, chosen by a measurement where the recipe says "auto"."""

import time
from typing import Literal

import torch

Precision = Literal["auto", "fp32", "bf16", "fp16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

CPU = torch.device("cpu")

ADVANTAGE = 1.2
"""bf16 must beat fp32 by this factor on matrix products: casts and the optimiser, which stays in fp32, eat the rest."""


def gemm_gflops(
    dtype: torch.dtype,
    rows: int = 1024,
    inner: int = 576,
    columns: int = 1536,
    seconds: float = 0.1,
    device: torch.device = CPU,
) -> float:
    """Measured rate of a matrix product, in 1e9 floating point operations per second, best of several."""
    left = torch.randn(rows, inner, device=device).to(dtype)
    right = torch.randn(columns, inner, device=device).to(dtype)
    best = 0.0
    stop = time.perf_counter() + seconds
    torch.nn.functional.linear(left[:32], right)
    while True:
        start = time.perf_counter()
        torch.nn.functional.linear(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        now = time.perf_counter()
        best = max(best, 2e-9 * rows * inner * columns / (now - start))
        if now > stop:
            return best


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
    return "bf16" if gemm_gflops(torch.bfloat16) > ADVANTAGE * gemm_gflops(torch.float32) else "fp32"


def peak_flops(precision: Literal["fp32", "bf16", "fp16"], device: torch.device) -> float:
    """Measured rate of a large matrix product on `device`, floating point operations per second: the 1 of an MFU."""
    size = 8192 if device.type == "cuda" else 1024
    return 1e9 * gemm_gflops(DTYPES[precision], size, size, size, seconds=0.05, device=device)
