"""Measured rates of matrix products, and what follows from them: which library and which arithmetic is faster here."""

import contextlib
import functools
import time
from collections.abc import Iterator

import torch
from torch.nn import functional

from pipeline.models.lean import integers_multiply, quantised
from pipeline.models.products import Product, available, onednn

CPU = torch.device("cpu")

BF16_ADVANTAGE = 1.2
"""bf16 must beat fp32 by this factor on matrix products: casts and the optimiser, which stays in fp32, eat the rest. So
must fp32 to be generated with, which takes twice the memory."""

_GENERATING = (64, 1536, 4096, 0.05)
"""Rows, inner size, columns and seconds of the product by which arithmetics for generation are compared."""

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
    # No random numbers: a measurement must not change what the caller draws next.
    left = torch.ones(rows, inner, device=device, dtype=dtype)
    right = torch.ones(columns, inner, device=device, dtype=dtype)
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


def fp32_gflops(rows: int = 1024, inner: int = 576, columns: int = 1536, seconds: float = 0.1) -> float:
    """The best rate of an fp32 product on the CPU by any library that training can use, as `gemm_gflops`."""
    products: list[Product] = [functional.linear, *([onednn] if available(torch.empty(0)) else [])]
    return max(gemm_gflops(torch.float32, rows, inner, columns, seconds, product=product) for product in products)


@functools.cache
def bf16_wins() -> bool:
    """Whether bf16 products on the CPU are clearly faster than fp32 ones by any library. Measured once."""
    with _one_thread():
        return gemm_gflops(torch.bfloat16) > BF16_ADVANTAGE * fp32_gflops()


@functools.cache
def fp32_generates_faster() -> bool:
    """Whether fp32 products of a batch's rows are clearly faster than bf16 ones on a CPU that has both: a Xeon with
    avx512_bf16 gave 118 GFLOP/s beside 76. Measured once."""
    half, whole = _generating_gflops()
    return whole > BF16_ADVANTAGE * half


@functools.cache
def _generating_gflops() -> tuple[float, float]:
    """The rates of a batch's rows in bf16 and in fp32. Measured once."""
    with _one_thread():
        return gemm_gflops(torch.bfloat16, *_GENERATING), gemm_gflops(torch.float32, *_GENERATING)


@functools.cache
def integers_generate_faster() -> bool:
    """Whether products of 8-bit integers, the scales of their rows included, are clearly faster for a batch's rows than
    bf16 and fp32: CPUs with VNNI or AMX (a Zen 4 core: 371 GFLOP/s beside 226 and 75). Measured once."""
    if not integers_multiply():
        return False
    layer = torch.nn.Linear(1536, 4096, bias=False)
    with _one_thread(), torch.inference_mode():
        (product,) = quantised([layer])
        whole = gemm_gflops(torch.float32, *_GENERATING, product=lambda x, weight, bias: product(x))
    return whole > BF16_ADVANTAGE * max(_generating_gflops())


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
