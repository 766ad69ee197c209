"""Kinds of GPUs that `hornbook plan` can compute with: `data/accelerators.toml`."""

import difflib
from dataclasses import dataclass

from pipeline.core.errors import HornbookError, UsageError
from pipeline.core.resources import MEND, shipped_table

A100 = "a100"
"""The kind in whose hours a plan speaks where none is named."""


@dataclass(frozen=True, slots=True)
class Accelerator:
    """One device. tflops: peak of a dense bf16 product, 1e12 FLOP/s. memory_gb: 1e9 bytes. mfu: share of the peak that
    training is taken to reach, mfu_from: why."""

    kind: str
    title: str
    tflops: float
    memory_gb: float
    mfu: float
    mfu_from: str
    source: str

    @property
    def flops(self) -> float:
        """Peak, floating point operations per second."""
        return self.tflops * 1e12

    @property
    def memory_bytes(self) -> int:
        """Memory of one device, bytes."""
        return round(self.memory_gb * 1e9)


def accelerators() -> dict[str, Accelerator]:
    """All kinds by name. Raises HornbookError where the shipped table is broken."""
    try:
        return {kind: Accelerator(kind, **table) for kind, table in shipped_table("accelerators.toml")["kinds"].items()}
    except (TypeError, KeyError) as error:
        raise HornbookError(f"accelerators.toml: {error}", hint=MEND) from error


def accelerator(kind: str) -> Accelerator:
    """The kind of that name, in any case. Raises UsageError that lists those there are."""
    known = accelerators()
    if kind.lower() in known:
        return known[kind.lower()]
    near = difflib.get_close_matches(kind.lower(), known, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    raise UsageError(f"--kind = {kind!r} is not known", hint=f"{guess}data/accelerators.toml has {', '.join(known)}")
