"""Data parallelism: each process takes its share of a step's rows; gradients are summed before the optimiser steps.

Started by torchrun, which sets RANK, LOCAL_RANK and WORLD_SIZE, for a run that has `execution.processes`, or by hand::

    torchrun --nproc-per-node 2 -m pipeline.cli.train TOKENS RECIPE OUT

With execution.parallel = "ddp" weights and optimiser are whole in every process; with "fsdp" they are split
(`state.py`). A checkpoint holds whole tensors in both cases, so a run may be resumed with another number
of processes, or the other way of splitting. Losses are divided by the whole step's loss tokens, so the loss curve is
that of one process up to rounding.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

RowT = TypeVar("RowT", bound=Any)

BUCKET = 1 << 24
"""Gradient values summed in one message: 64 MB, large enough for bandwidth, small enough for memory."""


@dataclass(frozen=True, slots=True)
class World:
    """This process among all of a run. rank: its number. size: how many there are."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes files and reports."""
        return self.rank == 0

    def share(self, rows: tuple[RowT, ...], length: Callable[[RowT], int]) -> tuple[RowT, ...]:
        """The rows of a step that this process computes; by their `length` long and short ones are dealt evenly."""
        if self.size == 1:
            return rows
        ordered = sorted(rows, key=lambda row: (length(row), row))
        return tuple(ordered[self.rank :: self.size])

    def sum(self, value: float) -> float:
        """The sum of `value` over all processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        if distributed.get_backend() == "nccl":
            total = total.cuda()
        distributed.all_reduce(total)
        return float(total)

    def greatest(self, value: int) -> int:
        """The greatest `value` of all processes."""
        if self.size == 1:
            return value
        found = torch.tensor(value)
        if distributed.get_backend() == "nccl":
            found = found.cuda()
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return int(found)

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its sum over all processes; a parameter without one counts as zeros."""
        if self.size == 1:
            return
        bucket: list[Tensor] = []
        filled = 0
        for parameter in parameters:
            if not parameter.requires_grad:
                continue
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            bucket.append(parameter.grad)
            filled += parameter.numel()
            if filled >= BUCKET:
                _sum_bucket(bucket)
                bucket, filled = [], 0
        if bucket:
            _sum_bucket(bucket)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.size > 1:
            distributed.barrier()


def _sum_bucket(gradients: list[Tensor]) -> None:
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    parts = torch.split(flat, [gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))


def rank() -> int:
    """This process' number, also before there is a `World`; the one of 0 writes files and reports."""
    return int(os.environ.get("RANK", "0"))


def gpu_count() -> int:
    """GPUs that torch sees on this machine."""
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def own_gpu() -> None:
    """Let "cuda" mean the GPU with this process' number on its machine: each has its own."""
    if "LOCAL_RANK" in os.environ and gpu_count():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % gpu_count())


def leave() -> None:
    """Close what `join` connected."""
    if distributed.is_initialized():
        distributed.destroy_process_group()


def join(device: torch.device) -> World:
    """The world that torchrun's environment describes, connected; a world of one without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return World()
    own_gpu()
    if not distributed.is_initialized():
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return World(distributed.get_rank(), size)
