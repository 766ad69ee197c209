"""The arithmetic of the passes, and the library that multiplies matrices, each chosen by a measurement."""

import contextlib
import functools
import time
from collections.abc import Iterator
from typing import Literal

import torch
from torch.nn import functional

from pipeline.student.products import Product, available, onednn

Precision = Literal["auto", "fp32", "bf16", "fp16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

CPU = torch.device("cpu")

ADVANTAGE = 1.2
"""bf16 must beat fp32 by this factor on matrix products: casts and the optimiser, which stays in fp32, eat the rest."""

ONEDNN_ADVANTAGE = 1.15
"""oneDNN must beat torch's own product by this factor: a choice within the noise would differ from run to run."""


def gemm_gflops(
    dtype: torch.dtype,
    rows: int = 1024,
    inner: int = 576,
    columns: int = 1536,
    seconds: float = 0.1,
    device: torch.device = CPU,
    product: Product = functional.linear,
) -> float:
    """Measured rate of a matrix product, in 1e9 floating point operations per second, best of several.

    product: `functional.linear` (torch's own), or `onednn`.
    """
    left = torch.randn(rows, inner, device=device).to(dtype)
    right = torch.randn(columns, inner, device=device).to(dtype)
    best = 0.0
    stop = time.perf_counter() + seconds
    product(left[:32], right, None)
    while True:
        start = time.perf_counter()
        product(left, right, None)
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
    return "bf16" if bf16_wins() else "fp32"


@functools.cache
def bf16_wins() -> bool:
    """Whether bf16 products on the CPU are clearly faster than fp32 ones by any library. Measured once."""
    with _one_thread():
        return gemm_gflops(torch.bfloat16) > ADVANTAGE * fp32_gflops()


@functools.cache
def onednn_wins() -> bool:
    """Whether fp32 products on the CPU should go through oneDNN: where it is clearly faster. Measured once."""
    if not available(torch.empty(0)):
        return False
    with _one_thread():
        plain, other = (
            gemm_gflops(torch.float32, 512, 512, 512, seconds=0.05, product=product)
            for product in (functional.linear, onednn)
        )
    return other > ONEDNN_ADVANTAGE * plain


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Measures the arithmetic and not the machine's load: a thread never waits for one that other programs hold up, and
    the best of several short products is one that nobody interrupted."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def fp32_gflops(rows: int = 1024, inner: int = 576, columns: int = 1536, seconds: float = 0.1) -> float:
    """The best rate of an fp32 product on the CPU by any library that training can use, as `gemm_gflops`."""
    products: list[Product] = [functional.linear, *([onednn] if available(torch.empty(0)) else [])]
    return max(gemm_gflops(torch.float32, rows, inner, columns, seconds, product=product) for product in products)


def peak_flops(precision: Literal["fp32", "bf16", "fp16"], device: torch.device) -> float:
    """Measured rate of a large matrix product on `device`, floating point operations per second: the 1 of an MFU."""
    size = 8192 if device.type == "cuda" else 1024
    if precision == "fp32" and device.type == "cpu":
        return 1e9 * fp32_gflops(size, size, size, seconds=0.05)
    return 1e9 * gemm_gflops(DTYPES[precision], size, size, size, seconds=0.05, device=device)
