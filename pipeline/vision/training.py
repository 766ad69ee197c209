"""The training loop over images: steps of an objective, watched for collapse, resumable at any moment.

On the CPU a resumed run is the uninterrupted one, bit for bit: crops are a function of image and epoch, batches of the
step, and a checkpoint holds the network, what the objective moves, the optimiser's moments and the random state. What
it shares with the language model's loop (`pipeline/stages/student`) is in `pipeline/training`.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pipeline.core.errors import DiskFull, TrainingError, UsageError
from pipeline.core.events import OnEvent, silent
from pipeline.core.identity import digest, rng_seed
from pipeline.execution import Execution
from pipeline.models.loading import pick_device
from pipeline.recipe_images import BackboneTable, OptimisationTable
from pipeline.training import checkpoint
from pipeline.training.divergence import trouble
from pipeline.training.eta import Eta
from pipeline.training.export import export
from pipeline.training.optimizer import clipped_step, gradient_norm, make_optimizer
from pipeline.training.precision import peak_flops
from pipeline.training.schedule import learning_rate
from pipeline.vision import backbone
from pipeline.vision.augmentation import Draws
from pipeline.vision.collapse import Watch, health
from pipeline.vision.objectives.protocol import Batch, Objective
from pipeline.vision.pool import Pool, order
from pipeline.vision.products import choose_products
from pipeline.vision.sizes import forward_flops

VERSION = 1
"""Raised when the same settings would give other weights; a checkpoint of another version is not resumed."""

LOOK_STEPS = 25
"""Steps between looks at whether the features have collapsed."""

Knn = Callable[[Any, backbone.Statistics], float]
"""Scores a network by k-NN on images that it is not trained on, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What training came to. loss: mean over the last tenth of the steps. seconds: of all calls. flops: of products in
    an image's forward pass. watched: "step" and what was seen there, at most one each 25 steps."""

    steps: int
    images: int
    loss: float
    seconds: float
    parameters: int
    flops: int
    images_per_second: float
    mfu: float
    products: str
    watched: list[dict[str, Any]]


def train(
    pool: Pool,
    table: BackboneTable,
    how: OptimisationTable,
    make_objective: Callable[[Any, backbone.Statistics], Objective],
    *,
    about: Any,
    seed: int,
    out: Path,
    execution: Execution,
    prototypes: int = 0,
    knn: Knn | None = None,
    finish: Callable[[Objective, Path], None] = silent,
    on_event: OnEvent = silent,
) -> Trained:
    """Train a network of `table` on the images of `pool`; the result is `out / "model"`.

    about: all that beside the arguments decides what is trained, for checkpoints. prototypes: of the objective, 0 for
    one without. finish: writes what else belongs into the model's folder. Raises TrainingError where the loss is not
    finite or diverges, or the features collapse, naming the last good checkpoint.
    """
    if len(pool) < how.batch:
        raise UsageError(
            f"{len(pool):,} training images are fewer than a batch of {how.batch}",
            hint="lower the batch of the training",
        )
    return _Run(pool, table, how, make_objective, about, seed, out, execution, prototypes, knn, on_event).train(finish)


class _Run:
    def __init__(
        self,
        pool: Pool,
        table: BackboneTable,
        how: OptimisationTable,
        make_objective: Callable[[Any, backbone.Statistics], Objective],
        about: Any,
        seed: int,
        out: Path,
        execution: Execution,
        prototypes: int,
        knn: Knn | None,
        on_event: OnEvent,
    ) -> None:
        self.pool, self.how, self.seed, self.out, self.execution = pool, how, seed, out, execution
        self.knn, self.on_event = knn, on_event
        self.device = pick_device(execution.device)
        if self.device.type == "cpu":
            torch.set_num_threads(execution.thread_count())
        torch.manual_seed(rng_seed(seed, "backbone"))
        channels, size = pool.pixels.shape[1], pool.pixels.shape[-1]
        self.network = backbone.build(table, channels, size).to(self.device).train()
        self.statistics = pool.statistics()
        self.objective = make_objective(self.network, self.statistics)
        self.optimizer = make_optimizer(self.network, self.objective.learned)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=False)
        self.watch = Watch(prototypes)
        self.flops = forward_flops(table, channels, size)
        self.settings = digest(
            [VERSION, table.model_dump(), how.model_dump(), seed, about, [one.id for one in pool.images]]
        )
        self.losses: list[float] = []
        self.watched: list[dict[str, Any]] = []
        self.seconds = 0.0
        self.onednn: bool | None = None
        self.per_epoch = len(pool) // how.batch

    def train(self, finish: Callable[[Objective, Path], None]) -> Trained:
        started = self._resume()
        self.onednn = choose_products([self.network, self.objective.learned, self.objective.kept], self.onednn)
        clock = saved = time.monotonic()
        eta = Eta([(self.how.steps, 1)], started, clock)
        for step in range(started, self.how.steps):
            parts = self._step(step)
            self._look(step + 1, parts)
            now = time.monotonic()
            self.seconds, clock = self.seconds + now - clock, now
            self._tell(step + 1, parts, eta(step + 1, now))
            if now - saved > self.execution.checkpoint_seconds and step + 1 < self.how.steps:
                self._save(step + 1)
                saved = time.monotonic()

        def write(folder: Path) -> None:
            with self._kept_weights():
                backbone.save(self.objective.kept, folder, self.statistics)
            finish(self.objective, folder)

        export(self.out, self.how.steps, write, self._keep_trained)
        return self._summary()

    def _step(self, step: int) -> dict[str, float]:
        how = self.how
        epoch, place = divmod(step, self.per_epoch)
        rows = order(len(self.pool), how.batch, self.seed, epoch)[place]
        draws = Draws(self.pool.numbers[rows], self.seed, epoch)
        pixels, places = self.pool.tensor(rows, self.device), self.pool.places[rows]
        batch = Batch(pixels, places, draws, step, step / how.steps)
        rate = learning_rate(how, step, how.steps)
        decay = how.weight_decay_end + (how.weight_decay - how.weight_decay_end) * (
            (1 + math.cos(math.pi * batch.progress)) / 2
        )
        for group in self.optimizer.param_groups:
            group["lr"], group["weight_decay"] = rate, decay if group["decays"] else 0.0
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16) if how.precision == "bf16" else nullcontext():
            lost = self.objective.loss(self.network, batch)
        loss = float(lost.total.detach())
        wrong = trouble(self.losses, loss)
        if wrong:
            raise self._failed(f"{wrong} at step {step + 1} of {how.steps}")
        lost.total.backward()  # type: ignore[no-untyped-call]
        self.objective.before_step(batch)
        norm = gradient_norm(self.optimizer)
        if not math.isfinite(norm):
            raise self._failed(f"the gradient norm is {norm} at step {step + 1} of {how.steps}")
        clipped_step(self.optimizer, norm, how.clip, self.scaler)
        self.objective.after_step(self.network, batch)
        self.losses.append(loss)
        parts = {name: float(value) for name, value in lost.parts.items()}
        return {"loss": loss, "lr": rate, "grad_norm": norm, **parts}

    def _look(self, done: int, parts: dict[str, float]) -> None:
        """Every so often: whether features still tell images apart, and how well by k-NN."""
        scored = bool(self.knn and self.how.knn_steps and done % self.how.knn_steps == 0)
        if done % LOOK_STEPS and not scored and done < self.how.steps:
            return
        places = np.random.default_rng(rng_seed(self.seed, "look")).permutation(len(self.pool))[:256]
        kept = self.objective.kept
        trained = kept.training
        random = torch.get_rng_state()
        with torch.no_grad(), self._kept_weights():
            kept.eval()
            pixels = self.statistics.normalised(self.pool.tensor(np.sort(places), self.device))
            found = health(backbone.tokens(kept, pixels).of_class)
            score = {"knn": self.knn(kept, self.statistics)} if scored and self.knn else {}
            kept.train(trained)
        torch.set_rng_state(random)
        entropy = parts.get("prototype_entropy")
        seen = {"spread": found.spread, "rank": found.rank, **score}
        self.watched.append({"step": done, **seen, **parts})
        wrong = self.watch(found, entropy)
        if wrong:
            raise self._failed(
                f"{wrong} at step {done} of {self.how.steps}",
                "lower the training's lr, raise objective.teacher_temperature, or use centring = 'sinkhorn-knopp'",
            )
        parts.update(seen)

    def _kept_weights(self) -> Any:
        """Inside, the network that is kept has the weights that are exported."""
        average = getattr(self.objective, "average", None)
        return average.used() if average else nullcontext()

    def _tell(self, done: int, parts: dict[str, float], left: float | None) -> None:
        rate = self.how.batch * len(self.losses) / max(self.seconds, 1e-9)
        told = {"event": "train", "step": done, "steps": self.how.steps, **parts, "images_per_second": round(rate, 1)}
        self.on_event({**told, "eta_seconds": left})

    def _failed(self, message: str, advice: str = "lower the training's lr, or raise warmup_steps") -> TrainingError:
        last = checkpoint.newest(self.out / "checkpoints", self.settings)
        where = f"the last good checkpoint is {last.folder}" if last else "there is no checkpoint before it"
        return TrainingError(message, hint=f"{where}; {advice}")

    def _state(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "learned": self.objective.learned.state_dict(),
            "objective": self.objective.tensors(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state(self.device) if self.device.type == "cuda" else None,
            "losses": self.losses,
            "watched": self.watched,
            "wrong": self.watch.wrong,
            "seconds": self.seconds,
            "onednn": self.onednn,
        }

    def _save(self, step: int) -> None:
        saved = checkpoint.write(self.out / "checkpoints", step, self._state(), self.settings)
        self.on_event({"event": "checkpoint", "step": step, "steps": self.how.steps, "folder": str(saved.folder)})

    def _resume(self) -> int:
        found = checkpoint.newest(self.out / "checkpoints", self.settings)
        if found is None:
            return 0
        state = found.load()
        self.network.load_state_dict(state["network"])
        self.objective.learned.load_state_dict(state["learned"])
        _restore(self.objective, state["objective"])
        self.optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        self.losses, self.watched, self.seconds = state["losses"], state["watched"], state["seconds"]
        self.watch.wrong, self.onednn = state["wrong"], state["onednn"]
        self.on_event({"event": "resume", "step": found.step, "steps": self.how.steps, "folder": str(found.folder)})
        return found.step

    def _keep_trained(self) -> None:
        with suppress(DiskFull, OSError):
            self._save(self.how.steps)

    def _summary(self) -> Trained:
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        seen = self.how.batch * self.how.steps
        rate = seen / max(self.seconds, 1e-9)
        return Trained(
            steps=self.how.steps,
            images=seen,
            loss=sum(tail) / len(tail),
            seconds=self.seconds,
            parameters=sum(p.numel() for p in self.network.parameters()),
            flops=self.flops,
            images_per_second=rate,
            mfu=3 * self.flops * rate / peak_flops(self.how.precision, self.device),
            products="onednn" if self.onednn else "torch",
            watched=self.watched,
        )


@torch.no_grad()
def _restore(objective: Objective, saved: dict[str, Tensor]) -> None:
    for name, value in objective.tensors().items():
        if name != "updates":
            value.copy_(saved[name])
    average = getattr(objective, "average", None)
    if average:
        average.updates = int(saved["updates"])
