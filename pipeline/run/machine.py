"""What training takes on N GPUs of a kind: hours, and memory with weights whole in each or split over them. No torch.

An estimate: the arithmetic is counted (`pipeline.models.architectures`), the share of the peak is assumed, and what
an allocator wastes and a network delays is not known. `scripts/bench/gpu.py` measures the share on a machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.core.contents import size_text
from pipeline.core.money import hours_text
from pipeline.models.accelerators import Accelerator
from pipeline.models.architectures import PhaseCost, StudentCost
from pipeline.recipe import StudentTable

ROOM = 0.9
"""Share of a device's memory that training may plan with: the rest is CUDA's own, and what the allocator cannot use."""

LOGITS = 2 * 4 * (1 << 25)
"""Bytes of a chunk of logits in fp32 and of its gradient (`CHUNK_LOGITS` of `pipeline.stages.student.objective`)."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Devices that a plan is made for. mfu: share of their peak that training reaches, None for the kind's own."""

    kind: Accelerator
    gpus: int = 1
    mfu: float | None = None


class Phase(NamedTuple):
    """A training, or a phase of one. tokens: read, or images. flops: floating point operations."""

    name: str
    tokens: int
    flops: float


def times(machine: Machine, mfu: float, mfu_from: str, phases: Sequence[Phase]) -> dict[str, Any]:
    """The machine at work on `phases`, one after the other, at that share of its peak.

    hours and days: of the wall clock, alike on all devices. tokens_per_second: of all devices together.
    """
    kind, gpus = machine.kind, machine.gpus
    rate = kind.flops * mfu
    hours = [phase.flops / rate / 3600 / gpus for phase in phases]
    whole = sum(hours)
    return {
        "kind": kind.kind,
        "title": kind.title,
        "gpus": gpus,
        "peak_flops": kind.flops,
        "memory_bytes": kind.memory_bytes,
        "mfu": mfu,
        "mfu_from": mfu_from,
        "phases": [
            {**phase._asdict(), "gpu_hours": round(each * gpus, 4), "hours": round(each, 4)}
            for phase, each in zip(phases, hours, strict=True)
        ],
        "gpu_hours": round(whole * gpus, 4),
        "hours": round(whole, 4),
        "days": round(whole / 24, 4),
        "tokens_per_second": round(sum(phase.tokens for phase in phases) / whole / 3600, 1) if whole else None,
    }


def trained(student: StudentCost, table: StudentTable, machine: Machine) -> dict[str, Any]:
    """The machine at work on `student`: `times`, and memory of one device by `execution.parallel`; null for "fsdp" on
    one device, where nothing is split."""
    kind, gpus = machine.kind, machine.gpus
    share, why = (kind.mfu, kind.mfu_from) if machine.mfu is None else (machine.mfu, "--mfu")
    return {
        **times(machine, share, why, [Phase(phase.name, phase.tokens, phase.flops) for phase in student.phases]),
        "memory": {
            "ddp": _memory(student, table, kind, gpus, split=False),
            "fsdp": _memory(student, table, kind, gpus, split=True) if gpus > 1 else None,
        },
    }


def _memory(student: StudentCost, table: StudentTable, kind: Accelerator, gpus: int, *, split: bool) -> dict[str, Any]:
    """Bytes of one device in the phase that takes most.

    gathered: with weights split, the embeddings and two blocks, whole, and gradients of both (FSDP2 gathers a block
    while the one before it computes). copies: of the weights in the lower precision, that autocast keeps for a pass.
    """
    count, parts = student.parameters, gpus if split else 1
    embeddings = 2 * student.vocabulary * student.hidden
    block = max(count - embeddings, 0) // max(student.layers, 1)
    states = {
        "weights": 4 * count // parts,
        "gradients": 4 * count // parts,
        "optimizer": 8 * count // parts,
        "average": 4 * count // parts * (bool(table.ema) + bool(table.base_share)),
        "copies": 0 if table.precision == "fp32" else 2 * count,
        "gathered": 8 * embeddings + 12 * block if split else 0,
    }
    passes = [_of_pass(student, table, phase, gpus, split=split) for phase in student.phases]
    largest: dict[str, int] = max(passes, key=lambda one: sum(one.values()))
    found = states | largest
    total = sum(found.values())
    return {**found, "bytes": total, "fits": total <= ROOM * kind.memory_bytes}


def _of_pass(student: StudentCost, table: StudentTable, phase: PhaseCost, gpus: int, *, split: bool) -> dict[str, int]:
    """What a forward pass leaves for the backward pass. A split model goes through transformers' own forward, which
    makes all logits at once, in the lower precision, where the lean one makes a chunk at a time."""
    share = math.ceil(phase.rows / gpus)
    rows = min(phase.micro_rows or share, share)
    wide = table.precision == "fp32"
    whole = rows * student.length * student.vocabulary * (8 if wide else 4)
    return {
        "activations": student.activation_bytes(rows) * (2 if wide else 1),
        "logits": whole + LOGITS if split else min(LOGITS, 2 * whole),
    }


def hours_lines(found: dict[str, Any]) -> list[str]:
    """`times` for a person."""
    phases = ", ".join(f"{one['name']} {_hours(one['hours'])}" for one in found["phases"])
    return [
        f"  on {found['gpus']} x {found['title']}: {_hours(found['hours'])}, {hours_text(found['gpu_hours'], 'GPU')}"
        + (f" ({phases})" if len(found["phases"]) > 1 else ""),
        f"    at {found['mfu']:.0%} of the peak of {found['peak_flops'] / 1e12:,.0f} TFLOP/s; {found['mfu_from']}",
    ]


def lines(found: dict[str, Any]) -> list[str]:
    """`trained` for a person."""
    said = hours_lines(found)
    for way, memory in found["memory"].items():
        if memory:
            said.append(f"    {_memory_text(way, memory)} of {size_text(found['memory_bytes'])}")
    if not any(memory and memory["fits"] for memory in found["memory"].values()):
        said.append("    that does not fit: set a smaller micro_batch in student.phases, or take more GPUs")
    return said


def _memory_text(way: str, memory: dict[str, Any]) -> str:
    how = "weights whole in each" if way == "ddp" else "split by execution.parallel=fsdp"
    parts = (
        ("weights", memory["weights"] + memory["copies"] + memory["average"]),
        ("gradients", memory["gradients"]),
        ("optimizer", memory["optimizer"]),
        ("gathered", memory["gathered"]),
        ("activations", memory["activations"] + memory["logits"]),
    )
    each = ", ".join(f"{name} {size_text(size)}" for name, size in parts if size)
    return f"memory of each, {how}: {size_text(memory['bytes'])} ({each}){'' if memory['fits'] else ', too much'}"


def _hours(hours: float) -> str:
    """ "45 min", "95.1 h (3.96 days)"."""
    if hours < 1:
        return f"{hours * 60:,.2g} min"
    return f"{hours:,.1f} h" + (f" ({hours / 24:,.2f} days)" if hours >= 24 else "")
