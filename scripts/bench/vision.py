"""Training speed on images beside transformers' Trainer: same network, batch, labels, precision and threads, one run.

    python scripts/bench/vision.py [--json] [--threads 2] [--seconds 10] [--rounds 3] [--models 1M,4M]

Random images of 28 x 28 pixels in batches of 64, in fp32. `hornbook` trains with labels as `hornbook run dino` does for
its comparison: each image is cropped, mirrored, jittered and blurred anew in every step. `hf_trainer` trains
Dinov2ForImageClassification, the same network under the same head, on the same pixels as they are: it is spared the
augmentation. lightly, the other library for this, needs torchvision, which has no build beside a CPU build of torch
everywhere: it is null where it does not install. `self_distillation` is DINOv2's objective, for which there is no peer:
two global crops are read by teacher and student, four local ones by the student, and their heads.

`share_of_gemm` is the floating point operations of the network's products per second (three times the forward pass; of
self-distillation those of all crops, without the heads) over the best rate that a 2048 x 1024 x 1024 product of torch's
reaches here; where oneDNN is the faster library ours multiplies by it, so its share may exceed 1. Rounds alternate, the
best of each counts.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
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

from pipeline.core.image_records import Image
from pipeline.execution import Execution
from pipeline.models.rates import gemm_gflops
from pipeline.recipe_images import AugmentationTable, BackboneTable, ObjectiveTable, OptimisationTable
from pipeline.vision import backbone
from pipeline.vision.augmentation import GLOBAL_CROPS
from pipeline.vision.objectives.labelled import Labelled
from pipeline.vision.objectives.protocol import Objective
from pipeline.vision.objectives.self_distillation import SelfDistillation
from pipeline.vision.pool import Pool
from pipeline.vision.products import choose_products
from pipeline.vision.randomness import numbers_of
from pipeline.vision.sizes import forward_flops
from pipeline.vision.training import _Run

IMAGES, BATCH, SIZE, CLASSES = 4096, 64, 28, 10
MODELS = {
    "1M": BackboneTable(width=128, depth=5, heads=4, patch=7),
    "4M": BackboneTable(width=256, depth=5, heads=4, patch=7),
}
AUGMENTATION = AugmentationTable(flip=0.5)


def images() -> tuple[Pool, Any]:
    """Random pixels with random labels."""
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (IMAGES, 1, SIZE, SIZE), dtype=np.uint8)
    labels = draws.integers(0, CLASSES, IMAGES)
    records = [Image(row=row, label=str(labels[row]), split="train", source=str(row)) for row in range(IMAGES)]
    return Pool(records, pixels, numbers_of([one.id for one in records]), np.arange(IMAGES)), labels


def hornbook(table: BackboneTable, make: Callable[[Any, backbone.Statistics], Objective], threads: int) -> Any:
    """A function that trains for some seconds and returns images per second."""
    pool, _ = images()
    how = OptimisationTable(steps=10**6, batch=BATCH, lr=1e-4)
    execution = Execution(threads=threads, device="cpu")
    with tempfile.TemporaryDirectory() as out:
        run = _Run(pool, table, how, make, None, 0, Path(out), execution, 0, None, lambda event: None)
    choose_products([run.network, run.objective.learned, run.objective.kept], None)
    run._step(0)
    done = 1

    def timed(seconds: float) -> float:
        nonlocal done
        start, first = time.perf_counter(), done
        while time.perf_counter() - start < seconds:
            run._step(done)
            done += 1
        return (done - first) * BATCH / (time.perf_counter() - start)

    return timed


def peer(table: BackboneTable) -> Callable[[float], float]:
    """The same with transformers' Trainer."""
    from transformers import Dinov2ForImageClassification

    pool, labels = images()
    config = backbone.build(table, 1, SIZE).config
    config.num_labels = CLASSES
    torch.manual_seed(0)
    ready = pool.statistics().normalised(pool.tensor(slice(None), torch.device("cpu")))
    rows = [{"pixel_values": image, "labels": int(label)} for image, label in zip(ready, labels, strict=True)]
    return hf_trainer(Dinov2ForImageClassification(config), rows, BATCH, 1)


def flops_an_image(table: BackboneTable, tool: str) -> int:
    """Of forward and backward pass; of a teacher's reading only the forward pass."""
    whole = forward_flops(table, 1, SIZE)
    if tool != "self_distillation":
        return 3 * whole
    local = forward_flops(table, 1, AUGMENTATION.local_size)
    return GLOBAL_CROPS * whole + 3 * (GLOBAL_CROPS * whole + AUGMENTATION.local_crops * local)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--models", default=",".join(MODELS))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    _, labels = images()
    peak = 0.0
    found: dict[str, Any] = {}
    for name in options.models.split(","):
        table = MODELS[name]

        def labelled(network: Any, statistics: backbone.Statistics) -> Objective:
            return Labelled(network, labels, AUGMENTATION, statistics)

        def distilled(network: Any, statistics: backbone.Statistics) -> Objective:
            return SelfDistillation(network, ObjectiveTable(), AUGMENTATION, statistics)

        runs = {
            "hornbook": hornbook(table, labelled, options.threads),
            "hf_trainer": peer(table),
            "self_distillation": hornbook(table, distilled, options.threads),
        }
        best = dict.fromkeys(runs, 0.0)
        for _ in range(options.rounds):
            peak = max(peak, gemm_gflops(torch.float32, 2048, 1024, 1024, seconds=1.0))
            for tool, run in runs.items():
                with contextlib.redirect_stdout(sys.stderr):  # the Trainer prints its statistics
                    best[tool] = max(best[tool], run(options.seconds))
        parameters = sum(one.numel() for one in backbone.build(table, 1, SIZE).parameters())
        found[name] = {
            "parameters": parameters,
            **{tool: {"images_per_second": round(r, 1)} for tool, r in best.items()},
        }
    for name, row in found.items():
        for tool in set(row) - {"parameters"}:
            rate = row[tool]["images_per_second"] * flops_an_image(MODELS[name], tool) / 1e9
            row[tool]["share_of_gemm"] = round(rate / peak, 3)
        row["lightly"] = None
    result = {"threads": options.threads, "gemm_gflops": round(peak, 1), "models": found}
    if options.json:
        print(json.dumps(result))
        return
    print(f"{options.threads} threads, product of torch {result['gemm_gflops']} GFLOP/s")
    for name, row in found.items():
        times = row["hornbook"]["images_per_second"] / row["hf_trainer"]["images_per_second"]
        rates = [_line(tool, row[tool]) for tool in ("hornbook", "hf_trainer", "self_distillation")]
        print(f"{name:>4}: {', '.join(rates)}; with labels {times:.2f}x")


def _line(tool: str, row: dict[str, Any]) -> str:
    return f"{tool} {row['images_per_second']:,.0f} images/s ({row['share_of_gemm']:.0%})"


if __name__ == "__main__":
    main()
