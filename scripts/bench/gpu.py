"""What one GPU does at the paper's small size: training, FSDP, sampling, soft targets, values; at most eight minutes.

    python scripts/bench/gpu.py [--json] [--seconds 30] [--rows 16] [--dry-run]

The model is phi-1-small (350M, random weights) in bf16; nothing is downloaded. `training` is what `hornbook run` does
on rows of one length: torch.compile where it can be had, scaled dot-product attention, fused AdamW, rows of 2,048
tokens; `fsdp` is the same split over one process, which shows what splitting costs by itself. `mfu` is the model's
arithmetic (`hornbook plan` counts it alike) over the peak of the kind in data/accelerators.toml, and over a measured
product of 8,192 x 8,192 matrices where the kind is not known; `peak_from` says which. `sampling` writes 128 tokens for
each of 256 prompts at once, `soft_targets` keeps the top 64 of a teacher of the same size, `value_embedding` reads
documents of some 250 tokens in fp32 as the quality classifier does. Rates are per second, after a warm-up.

Without a CUDA device it says so and ends with exit code 1. --dry-run goes the same path on the CPU with a model of
0.9M, in seconds; its figures mean nothing.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from pipeline.models.accelerators import accelerators
from pipeline.models.architectures import build
from pipeline.models.embeddings import hidden_states
from pipeline.models.generation import generate
from pipeline.models.loading import LoadedModel
from pipeline.recipe import SoftTargetsTable
from pipeline.stages.soft_targets.stage import teacher_targets
from pipeline.stages.student.batches import Batch
from pipeline.stages.student.compiled import choose, usual_batch
from pipeline.stages.student.initial import flops_per_token
from pipeline.stages.student.objective import Objective
from pipeline.stages.tokens.tokenizers import train_bpe
from pipeline.training.optimizer import clipped_step, gradient_norm, make_optimizer
from pipeline.training.precision import peak_flops
from pipeline.training.state import shard
from pipeline.training.world import World

TEXT = 'def total(values):\n    """Return the sum of the values."""\n    result = 0\n    for value in values:\n' + (
    "        result += value\n    return result\n"
)


@dataclass(frozen=True)
class Size:
    """How large everything is. rows: of a training pass. answers: at once. seconds: that each part is timed for."""

    architecture: str
    device: torch.device
    rows: int
    length: int
    answers: int
    new_tokens: int
    documents: int
    seconds: float
    compile: str


def model_of(size: Size, tokenizer: Any) -> Any:
    """The model with random weights, on the device."""
    torch.manual_seed(0)
    with size.device:
        return build(
            size.architecture, vocabulary=len(tokenizer), positions=size.length, dropout=0.0, end=tokenizer.eos_token_id
        )


def rate(step: Callable[[], int], size: Size) -> float:
    """What `step` does in a second, by the count it returns, after two steps that are not timed."""
    for _ in range(2):
        step()
    _wait(size)
    start, done = time.perf_counter(), 0
    while not done or time.perf_counter() - start < size.seconds:
        done += step()
        _wait(size)
    return done / (time.perf_counter() - start)


def _wait(size: Size) -> None:
    if size.device.type == "cuda":
        torch.cuda.synchronize()


def training(size: Size, tokenizer: Any, peak: float, *, split: bool) -> dict[str, Any]:
    """Tokens a second and MFU of training steps."""
    model = model_of(size, tokenizer).train()
    flops = flops_per_token(model, size.length)
    if split:
        shard(model, size.device, 1)
    objective, optimizer = Objective(model, lean=not split), make_optimizer(model)
    for group in optimizer.param_groups:
        group["lr"] = 1e-4
    batch = usual_batch(size.rows * size.length, size.length, len(tokenizer)).to(size.device)
    scaler = torch.amp.GradScaler(size.device.type, enabled=False)

    def autocast() -> Any:
        return torch.autocast(size.device.type, torch.bfloat16)

    choice = choose(size.compile, objective, batch, one_length=True, autocast=autocast, world=World())

    def step() -> int:
        optimizer.zero_grad(set_to_none=True)
        with autocast():
            loss = objective(batch, training=True) / batch.labels.numel()
        loss.backward()
        clipped_step(optimizer, gradient_norm(optimizer), 1.0, scaler)
        return batch.ids.numel()

    speed = rate(step, size)
    memory = torch.cuda.max_memory_allocated() if size.device.type == "cuda" else None
    return {
        "tokens_per_second": round(speed, 1),
        "mfu": round(speed * flops / peak, 4),
        "compiled": choice.compiled,
        "why": choice.why,
        "peak_memory_bytes": memory,
    }


@contextlib.contextmanager
def alone(size: Size) -> Any:
    """A world of one process, connected."""
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0", "RANK": "0", "WORLD_SIZE": "1"}
    store = torch.distributed.HashStore()
    backend = "nccl" if size.device.type == "cuda" else "gloo"
    torch.distributed.init_process_group(backend, store=store, rank=0, world_size=1)
    try:
        yield
    finally:
        torch.distributed.destroy_process_group()


def sampling(size: Size, loaded: LoadedModel) -> dict[str, Any]:
    """Tokens a second of greedy answers, so many at once."""
    prompts = [f"def task_{n}(values):\n" for n in range(size.answers)]

    def step() -> int:
        answers = generate(loaded, prompts, max_new_tokens=size.new_tokens, batch=size.answers)
        return sum(answer.tokens for answer in answers)

    return {"batch": size.answers, "tokens_per_second": round(rate(step, size), 1)}


def soft_targets(size: Size, loaded: LoadedModel) -> dict[str, Any]:
    """Tokens a second of which a teacher's targets are kept (not written)."""
    objective, table = Objective.reading(loaded.model), SoftTargetsTable(teacher="bench", top_k=64)
    batch = usual_batch(size.rows * size.length, size.length, len(loaded.tokenizer))
    numbers = torch.where(batch.labels >= 0, torch.arange(batch.labels.numel()).view_as(batch.labels), -1)
    asked = Batch(batch.ids, batch.labels, numbers)

    def step() -> int:
        return len(teacher_targets(objective, asked, table, len(loaded.tokenizer), size.device).tokens)

    return {"top_k": 64, "tokens_per_second": round(rate(step, size), 1)}


def value_embedding(size: Size, model: Any, tokenizer: Any) -> dict[str, Any]:
    """Documents a second that the quality classifier's embedding reads."""
    embed = hidden_states(model.float(), tokenizer)
    texts = [TEXT * 4 + f"# {n}\n" for n in range(size.documents)]
    tokens = len(tokenizer(texts[0])["input_ids"])
    speed = rate(lambda: len(embed(texts)), size)
    return {"documents_per_second": round(speed, 1), "tokens_per_second": round(speed * tokens, 1)}


def peak_of(size: Size) -> tuple[float, str]:
    """Operations a second that an MFU of 1 would be, and where the figure comes from."""
    if size.device.type == "cuda":
        name = torch.cuda.get_device_name(size.device).lower()
        for kind in sorted(accelerators().values(), key=lambda one: -len(one.kind)):
            if all(part in name for part in kind.kind.split("-")):
                return kind.flops, f"data/accelerators.toml, {kind.kind}"
        return peak_flops("bf16", size.device), "measured, 8192 x 8192 x 8192 in bf16"
    return peak_flops("fp32", size.device), "measured, 1024 x 1024 x 1024 in fp32"


def measured(size: Size) -> dict[str, Any]:
    """Every figure, one after the other; what one holds on the device is let go before the next."""
    tokenizer = train_bpe([TEXT, "a b c d e f g"], 512)
    peak, peak_from = peak_of(size)
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name(size.device) if size.device.type == "cuda" else "cpu (dry run)",
        "torch": torch.__version__,
        "architecture": size.architecture,
        "rows": size.rows,
        "length": size.length,
        "peak_flops": peak,
        "peak_from": peak_from,
        "training": training(size, tokenizer, peak, split=False),
    }
    with alone(size):
        found["fsdp"] = training(size, tokenizer, peak, split=True)
    model = model_of(size, tokenizer).to(torch.bfloat16 if size.device.type == "cuda" else torch.float32).eval()
    loaded = LoadedModel(model, tokenizer, {"source": "random"})
    found["sampling"] = sampling(size, loaded)
    found["soft_targets"] = soft_targets(size, loaded)
    found["value_embedding"] = value_embedding(size, model, tokenizer)
    return found


def table(found: dict[str, Any]) -> str:
    """The figures for a person."""
    lines = [
        f"{found['device']}, torch {found['torch']}: {found['architecture']}, rows of {found['length']}",
        f"peak {found['peak_flops'] / 1e12:,.1f} TFLOP/s ({found['peak_from']})",
    ]
    for name in ("training", "fsdp", "sampling", "soft_targets", "value_embedding"):
        part = found[name]
        rest = [f"{part['tokens_per_second']:>12,.0f} tokens/s"]
        rest += [f"MFU {part['mfu']:.1%}, {'compiled' if part['compiled'] else part['why']}"] if "mfu" in part else []
        rest += [f"{part['documents_per_second']:,.1f} documents/s"] if "documents_per_second" in part else []
        rest += [f"{part['batch']} at once"] if "batch" in part else []
        lines.append(f"  {name.replace('_', ' '):<16}{'  '.join(rest)}")
    return "\n".join(lines)


def main() -> int:
    """Exit code 1 where there is no device to measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--seconds", type=float, default=30.0, help="that each of five parts is timed for")
    parser.add_argument("--rows", type=int, default=16, help="rows of 2,048 tokens in a training pass")
    parser.add_argument("--dry-run", action="store_true", help="the same path on the CPU at tiny sizes")
    options = parser.parse_args()
    if options.dry_run:
        size = Size("phi-1-nano", torch.device("cpu"), 2, 32, 4, 4, 3, 0.0, "off")
    elif torch.cuda.is_available():
        cuda = torch.device("cuda")
        size = Size("phi-1-small", cuda, options.rows, 2048, 256, 128, 1024, options.seconds, "on")
    else:
        print("no CUDA device: torch sees none here; --dry-run goes the same path on the CPU", file=sys.stderr)
        return 1
    with torch.random.fork_rng(devices=[]):
        found = measured(size)
    print(json.dumps(found, indent=1) if options.json else table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
