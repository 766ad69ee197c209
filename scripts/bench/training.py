"""Training speed beside transformers' Trainer: same Phi model, batch, sequence length, precision and threads, one run.

    python scripts/bench/training.py [--json] [--threads 2] [--seconds 20] [--models 1M,5M,10M] [--compile-peer]

Both train on the same random tokens with loss on every token: batches of 8 rows of 256. `share_of_gemm` is the
model's floating point operations per second (6 per parameter and token, and causal attention) over `gemm_gflops`, the
best rate that a 2048 x 1024 x 1024 matrix product of torch's reaches here in fp32, on the same threads: larger than any
product of these models, so the models' own products may stay a few percent below it. Where oneDNN is the faster library
(it is on AMD's processors) ours uses it, so its share of torch's own product may exceed 1; `onednn_gflops` is oneDNN's
rate for the same product, and `share_of_onednn` the share of that. Both train in fp32. Rounds of the two alternate, the
best round of each counts. `hornbook` is what long training on rows of one length (tokens.mask_documents = false) does
by default: torch.compile is tried and kept where it is faster (execution.compile = "auto"); `hornbook_plain` never
compiles. The Trainer is as it comes; --compile-peer adds `hf_trainer_compiled`, with its torch_compile.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

# As the `hornbook` command does; it counts for both, which share a process.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np
import torch
from trainer_peer import hf_trainer

from pipeline.models.architectures import Shape, phi_config
from pipeline.models.products import available, live, onednn
from pipeline.models.rates import gemm_gflops, onednn_wins
from pipeline.stages.student.batches import Batch
from pipeline.stages.student.compiled import choose
from pipeline.stages.student.objective import Objective
from pipeline.training.optimizer import clipped_step, gradient_norm, make_optimizer
from pipeline.training.world import World

ROWS, TIME, VOCABULARY = 8, 256, 1024
SHAPES = {
    "1M": Shape(4, 128, 512, 2, 32, tied=True),
    "5M": Shape(6, 256, 1024, 4, 32, tied=True),
    "10M": Shape(8, 320, 1280, 5, 32, tied=True),
}


def model_of(shape: Shape) -> Any:
    """The Phi model of a shape, random weights."""
    from transformers import PhiForCausalLM

    torch.manual_seed(0)
    return PhiForCausalLM(phi_config(shape, vocabulary=VOCABULARY, positions=TIME, dropout=0.0, end=0))


def flops_per_token(shape: Shape) -> float:
    """Forward and backward: 6 per parameter (a tied embedding is used once as a matrix), and causal attention."""
    return 6 * shape.parameters(VOCABULARY) + 6 * shape.layers * shape.hidden * TIME


def token_rows(count: int) -> np.ndarray:  # type: ignore[type-arg]
    return np.random.default_rng(0).integers(0, VOCABULARY, (count, TIME))


def products() -> str:
    """What ours multiplies with here."""
    return "onednn" if onednn_wins() else "torch"


def hornbook(shape: Shape, compile: str = "auto") -> Callable[[float], float]:
    """A function that trains for some seconds and returns tokens per second."""
    model = model_of(shape).train()
    objective, optimizer = Objective(model), make_optimizer(model)
    if onednn_wins():
        objective.multiply(live)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for group in optimizer.param_groups:
        group["lr"] = 1e-4
    ids = torch.from_numpy(token_rows(ROWS))
    labels = torch.full_like(ids, -100)
    labels[:, :-1] = ids[:, 1:]
    batch = Batch(ids, labels, torch.full_like(ids, -1))
    choose(
        compile,
        objective,
        batch,
        one_length=True,
        autocast=contextlib.nullcontext,
        world=World(),
        passes=sys.maxsize,
    )
    count = ROWS * (TIME - 1)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = objective(batch, training=True) / count
        loss.backward()
        clipped_step(optimizer, gradient_norm(optimizer), 1.0, scaler)
        loss.item()

    step()

    def run(seconds: float) -> float:
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            step()
            steps += 1
        return steps * ROWS * TIME / (time.perf_counter() - start)

    return run


def peer(shape: Shape, compile: bool = False) -> Callable[[float], float]:
    """The same with transformers' Trainer."""
    rows = [{"input_ids": row.tolist(), "labels": row.tolist()} for row in token_rows(4096)]
    return hf_trainer(model_of(shape), rows, ROWS, TIME, compile)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile-peer", action="store_true")
    parser.add_argument("--models", default=",".join(SHAPES))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    result: dict[str, Any] = {"threads": torch.get_num_threads(), "models": {}}
    peak, other = 0.0, 0.0
    for name in options.models.split(","):
        shape = SHAPES[name]
        runs = {
            "hornbook": hornbook(shape),
            "hf_trainer": peer(shape),
            "hornbook_plain": hornbook(shape, compile="off"),
        }
        if options.compile_peer:
            runs["hf_trainer_compiled"] = peer(shape, compile=True)
        best = dict.fromkeys(runs, 0.0)
        for _ in range(options.rounds):
            peak = max(peak, gemm_gflops(torch.float32, 2048, 1024, 1024, seconds=1.0))
            if available(torch.empty(0)):
                other = max(other, gemm_gflops(torch.float32, 2048, 1024, 1024, seconds=1.0, product=onednn))
            for tool, run in runs.items():
                with contextlib.redirect_stdout(sys.stderr):  # the Trainer prints its statistics
                    best[tool] = max(best[tool], run(options.seconds))
        result["models"][name] = {tool: {"tokens_per_second": round(rate)} for tool, rate in best.items()}
        result["models"][name]["parameters"] = shape.parameters(VOCABULARY)
    result |= {"gemm_gflops": round(peak, 1), "onednn_gflops": round(other, 1) or None, "products": products()}
    for name, row in result["models"].items():
        for tool in set(row) - {"parameters"}:
            rate = row[tool]["tokens_per_second"] * flops_per_token(SHAPES[name]) / 1e9
            row[tool] |= {
                "share_of_gemm": round(rate / peak, 3),
                "share_of_onednn": round(rate / other, 3) if other else None,
            }
    if options.json:
        print(json.dumps(result))
        return
    torchs, onednns = result["gemm_gflops"], result["onednn_gflops"]
    print(f"{result['threads']} threads, product of torch {torchs} GFLOP/s, of oneDNN {onednns}; we use {products()}'s")
    for name, row in result["models"].items():
        mine, theirs = row["hornbook"], row["hf_trainer"]
        times = mine["tokens_per_second"] / theirs["tokens_per_second"]
        print(f"{name:>4}: {_line('hornbook', mine)}, {_line('HF Trainer', theirs)}, {times:.2f}x")
        for other in set(row) - {"hornbook", "hf_trainer", "parameters"}:
            print(f"      {_line(other, row[other])}")


def _line(tool: str, row: dict[str, Any]) -> str:
    """One tool's rate, and its shares of torch's and of oneDNN's product."""
    shares = [row["share_of_gemm"], *([row["share_of_onednn"]] if row["share_of_onednn"] else [])]
    return f"{tool} {row['tokens_per_second']} tokens/s ({', '.join(f'{share:.0%}' for share in shares)})"


if __name__ == "__main__":
    main()
