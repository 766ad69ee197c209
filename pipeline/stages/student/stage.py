"""The training loop: phases of optimiser steps over packed tokens, resumable at any moment.

On the CPU a resumed run is the uninterrupted one, bit for bit: batches are a function of the step, and a checkpoint
holds weights, optimiser moments and the random state.
"""

import math
import time
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import torch
from torch import Tensor

from pipeline.core.errors import DiskFull, RecipeError, TrainingError
from pipeline.core.events import Event, OnEvent, silent
from pipeline.core.identity import digest, rng_seed
from pipeline.execution import Execution
from pipeline.models.loading import LoadedModel, ended_by, load_tokenizer, pick_device, save
from pipeline.recipe import StudentTable, TokensTable
from pipeline.stages.student import finished
from pipeline.stages.student.batches import Loader, held_out_rows
from pipeline.stages.student.initial import flops_of, freeze, initial_model, refuse_unsharded
from pipeline.stages.student.objective import NamedLoss, Objective
from pipeline.stages.student.passes import Passes
from pipeline.stages.student.selection import Candidate, Judge, Selection, weights_digest
from pipeline.stages.student.summary import TrainingSummary
from pipeline.stages.tokens.shards import TokenStore
from pipeline.training import checkpoint, curve
from pipeline.training.average import Average, TowardsBase, used
from pipeline.training.divergence import trouble
from pipeline.training.eta import Eta
from pipeline.training.export import export
from pipeline.training.optimizer import clipped_step, gradient_norm, make_optimizer
from pipeline.training.precision import agreed_precision, peak_flops, pick_precision
from pipeline.training.schedule import learning_rate
from pipeline.training.state import load_optimizer, load_weights, shard, whole, whole_weights
from pipeline.training.world import join

VERSION = 3
"""Raised when the same settings would give other weights; a checkpoint of another version is not resumed."""

HELD_OUT_ROWS = 64
"""Most held-out rows whose loss is measured: enough for two digits, a few seconds on two cores."""


def train(
    tokens: Path,
    student: StudentTable,
    limits: TokensTable,
    *,
    seed: int,
    out: Path,
    cache: Path,
    execution: Execution,
    on_event: OnEvent = silent,
    loss: NamedLoss | None = None,
    judge: Judge | None = None,
) -> TrainingSummary:
    """Train the student on the token folder `tokens`; the result is `out / "model"`.

    limits: the recipe's tokens table (sequence length, document mask). out: kept between calls; where it holds a
    checkpoint of the same settings, training goes on from there. cache: folder of converted models. loss: what
    is minimised, None for the next-token cross-entropy (which is always what is reported for held-out documents).
    judge: counts the held-out exercises that the student solves; needed where the recipe keeps the best by pass@1.

    Where the same training is finished in `out`, nothing is done. The curve is in `out / "curve.jsonl"`. Raises
    TrainingError where the loss is not finite or diverges, naming the last good checkpoint.
    """
    found = finished.read(out, lambda: finished.settings_of(VERSION, TokenStore(tokens), student, limits, seed, loss))
    if found:
        return found
    out.mkdir(parents=True, exist_ok=True)
    return _Run(tokens, student, limits, seed, out, cache, execution, on_event, loss, judge).train()


class _Run:
    def __init__(
        self,
        tokens: Path,
        student: StudentTable,
        limits: TokensTable,
        seed: int,
        out: Path,
        cache: Path,
        execution: Execution,
        on_event: OnEvent,
        loss: NamedLoss | None,
        judge: Judge | None,
    ) -> None:
        self.student, self.limits, self.execution, self.on_event, self.out = student, limits, execution, on_event, out
        if (student.keep == "best-pass@1") != (judge is not None):
            raise ValueError(f"student.keep is {student.keep!r}, and there is {'a' if judge else 'no'} judge")
        self.device = pick_device(execution.device)
        if self.device.type == "cpu":
            torch.set_num_threads(execution.thread_count())
        self.world = join(self.device)
        self.store = TokenStore(tokens)
        self.vocabulary = int(self.store.manifest["vocabulary"])
        self.precision = agreed_precision(pick_precision(student.precision, self.device), self.world)
        self.peak = peak_flops(self.precision, self.device) * self.world.size
        self.seed = seed
        self._open_model(cache, loss)
        self.scaler = self.passes.scaler
        self.loaders = [
            Loader(
                self.store,
                phase,
                sequence_length=limits.sequence_length,
                mask_documents=limits.mask_documents,
                seed=seed,
            )
            for phase in student.phases
        ]
        self.held_out = held_out_rows(self.store, limits.sequence_length, HELD_OUT_ROWS)
        self.total = sum(loader.total for loader in self.loaders)
        manifest = {key: value for key, value in self.store.manifest.items() if key != "format"}
        self.loss, minimised = loss, loss.settings if loss else None
        self.settings = digest(
            [VERSION, student.keyed("base_share"), limits.model_dump(), seed, self.precision, manifest, minimised]
        )
        self.learned = loss.learned(self.model, seed) if loss else None
        self.passes.learned = self.learned
        self.optimizer = make_optimizer(self.model, *([self.learned] if self.learned else []))
        self.average = Average(self.model.parameters(), student.ema) if student.ema else None
        self.base = TowardsBase(self.model.parameters(), student.base_share) if student.base_share else None
        self.selection = Selection(student, out / "checkpoints", self.total - self.loaders[-1].total + 1, judge)
        self.losses: list[float] = []
        self.read, self.seconds = 0, 0.0
        self.before: float | None = None
        self.compiled: bool | None = None
        self.onednn: bool | None = None

    def _open_model(self, cache: Path, loss: NamedLoss | None) -> None:
        """The model as it is before training, spread over the processes, and the passes through it."""
        torch.manual_seed(rng_seed(self.seed, "student"))
        self.tokenizer = load_tokenizer(str(self.store.tokenizer_folder))
        self.model = initial_model(self.student, self.tokenizer, cache, self.device, self.limits.sequence_length)
        vocabulary = int(self.model.get_input_embeddings().weight.shape[0])
        if vocabulary < self.vocabulary:
            raise RecipeError(
                f"recipe: the tokens have a vocabulary of {self.vocabulary}, the student has one of {vocabulary}",
                hint='set tokens.tokenizer = "student", so that both are the same',
            )
        if self.world.size > 1:
            torch.manual_seed(rng_seed(self.seed, "dropout", self.world.rank))
        self.sharded = self.execution.parallel == "fsdp" and self.world.size > 1
        freeze(self.model, self.student.frozen_layers)
        if self.sharded:
            soft = loss.settings["soft_targets"] if loss else {"on_policy": 0.0, "hidden_weight": 0.0}
            refuse_unsharded(self.student, soft["on_policy"], soft["hidden_weight"])
            shard(self.model, self.device, self.world.size)
        self.flops = flops_of(self.student, self.model, self.limits.sequence_length)
        self.passes = Passes(
            Objective(self.model, self.student.prompt_gradient, lean=not self.sharded),
            self.store,
            device=self.device,
            precision=self.precision,
            world=self.world,
            sharded=self.sharded,
            length=self.limits.sequence_length,
            loss=loss,
        )

    def train(self) -> TrainingSummary:
        started = self._resume()
        self.model.train()
        self._choose_speed()
        if started == 0:
            self.before = self.passes.mean_loss(self.held_out)
        clock = saved = time.monotonic()
        work = [(loader.total, self.passes.in_step(loader.phase)) for loader in self.loaders]
        self.eta = Eta(work, started, clock)
        first = 0
        for loader in self.loaders:
            for number in range(max(started - first, 0), loader.total):
                done = first + number + 1
                self._step(loader, number, done - 1)
                self._measure(done)
                now = time.monotonic()
                self.seconds, clock = self.seconds + now - clock, now
                due = now - saved > self.execution.checkpoint_seconds and done < self.total
                if self.world.greatest(int(due)) if self.sharded else due:
                    self._save(done)
                    saved = time.monotonic()
            first += loader.total
        after = self._finally()
        self.seconds += time.monotonic() - clock
        tail = self.losses[-max(1, len(self.losses) // 10) :]
        self.summary = TrainingSummary(
            steps=self.total,
            tokens=self.read,
            loss=sum(tail) / len(tail),
            held_out_loss=after.loss if after else None,
            held_out_by_kind=self.by_kind,
            held_out_pass_rate=after.pass_rate if after else None,
            held_out_loss_before=self.before,
            seconds=self.seconds,
            precision=self.precision,
            parameters=sum(p.numel() for p in self.model.parameters()),
            model=self.out / "model",
            compiled=bool(self.compiled),
            products="onednn" if self.onednn else "torch",
        )
        self._finish()
        return self.summary

    def _choose_speed(self) -> None:
        """What multiplies matrices, and whether passes are compiled: measured once, and kept by a resumed run, for each
        rounds in its own way."""
        self.onednn = self.passes.choose_products(self.onednn)
        wanted, one_length = self.execution.compile, not self.limits.mask_documents
        ahead = sum(loader.total * self.passes.in_step(loader.phase) for loader in self.loaders)
        choice = self.passes.compile(
            wanted, self.student.phases[0], one_length=one_length, before=self.compiled, passes=ahead
        )
        self.compiled = choice.compiled
        if choice.told:
            self._report({"event": "note", "text": f"student: {choice.why}"})

    def _step(self, loader: Loader, number: int, overall: int) -> None:
        start = time.monotonic()
        step, phase = loader.step(number), loader.phase
        rate = learning_rate(phase, number, loader.total)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
            group["betas"] = phase.betas
            group["weight_decay"] = phase.weight_decay if group["decays"] else 0.0
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.passes.gradients(step.rows, step.loss_tokens, phase)
        wrong = trouble(self.losses, loss)
        if wrong:
            raise self._failed(f"{wrong} at step {overall + 1} of {self.total}")
        self.scaler.unscale_(self.optimizer)
        norm = gradient_norm(self.optimizer)
        if not math.isfinite(norm) and self.precision != "fp16":
            raise self._failed(f"the gradient norm is {norm} at step {overall + 1} of {self.total}")
        clipped_step(self.optimizer, norm, phase.clip, self.scaler)
        self.scaler.update()
        if self.average:
            self.average.update()
        self.losses.append(loss)
        self.read += step.tokens
        seconds = time.monotonic() - start
        self._report(
            {
                "event": "train",
                "phase": phase.name,
                "step": overall + 1,
                "steps": self.total,
                "loss": loss,
                "lr": rate,
                "grad_norm": norm,
                "tokens": self.read,
                "tokens_per_second": step.tokens / max(seconds, 1e-9),
                "mfu": self.flops and step.tokens * self.flops / max(seconds, 1e-9) / self.peak,
                "eta_seconds": self.eta(overall + 1, time.monotonic()),
            }
        )

    def _measure(self, done: int) -> None:
        """The held-out loss where it is due, and the weights put aside where they are the best."""
        every = self.student.held_out_steps
        if every and done % every == 0 and done < self.total:
            with self._scored():
                self._candidate(done)

    def _candidate(self, done: int) -> Candidate | None:
        """The weights after step `done`, measured, and put aside where they are the best; None where nothing is held
        out."""
        loss = self.passes.mean_loss(self.held_out)
        if loss is None:
            return None
        found = Candidate(done, loss)
        if self.selection.due(done):
            weights = whole_weights(self.model)
            if self.selection.judge:
                found = found._replace(pass_rate=self._pass_rate(self.selection.judge, weights))
            self.selection.keep_if_best(found, weights, write=self.world.first)
        passed = {} if found.pass_rate is None else {"held_out_pass_rate": found.pass_rate}
        self._report({"event": "held-out", "step": done, "steps": self.total, "held_out_loss": loss, **passed})
        return found

    def _pass_rate(self, judge: Judge, weights: dict[str, Tensor]) -> float:
        """Share of the held-out exercises solved; the first process asks, the others wait for what it counts."""
        solved = scored = 0
        if self.world.first:
            model = LoadedModel(self.model.eval(), self.tokenizer, {})
            solved, scored = judge(model, weights_digest(weights), self.out / "checkpoints")
            self.model.train()
        solved, scored = (int(self.world.sum(count)) for count in (solved, scored))
        if not scored:
            raise TrainingError(
                "the sandbox could score none of the held-out exercises, by which student.keep = 'best-pass@1' chooses",
                hint="look at what `hornbook doctor` says of the sandbox, then run the same command again",
            )
        return solved / scored

    def _finally(self) -> Candidate | None:
        """Put the weights to export into `exported`, their held-out loss by kind into `by_kind`; what was measured."""
        with self._scored():
            last = self._candidate(self.total)
            if last is None or not self.selection.chooses:
                self.exported = whole_weights(self.model)
                self.by_kind = self.passes.held_out_by_kind(self.held_out)
                return last
        self.world.wait()
        self.exported = self.selection.weights()
        trained = whole_weights(self.model)
        load_weights(self.model, self.exported)
        self.by_kind = self.passes.held_out_by_kind(self.held_out)
        load_weights(self.model, trained)
        best = self.selection.best
        assert best is not None
        self._report({"event": "best", "steps": self.total, "step": best.step, "held_out_loss": best.loss})
        return best

    def _scored(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights that are scored and exported."""
        return used(self.average, self.base)

    def _failed(self, message: str) -> TrainingError:
        last = checkpoint.newest(self.out / "checkpoints", self.settings)
        where = f"the last good checkpoint is {last.folder}" if last else "there is no checkpoint before it"
        return TrainingError(message, hint=f"{where}; lower the phase's lr, or raise warmup_steps")

    def _save(self, step: int) -> None:
        state = {
            "model": whole(self.model.state_dict()),
            "optimizer": whole(self.optimizer.state_dict()),
            "average": self.average.state() if self.average else None,
            "best": self.selection.state(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
            "losses": self.losses,
            "read": self.read,
            "seconds": self.seconds,
            "learned": self.learned.state_dict() if self.learned else None,
            "before": self.before,
            "compiled": self.compiled,
            "onednn": self.onednn,
        }
        if self.device.type == "cuda":
            state["random_cuda"] = torch.cuda.get_rng_state(self.device)
        if not self.world.first:
            return
        best = self.selection.best.step if self.selection.best else None
        saved = checkpoint.write(self.out / "checkpoints", step, state, self.settings, best)
        self._report({"event": "checkpoint", "step": step, "steps": self.total, "folder": str(saved.folder)})

    def _resume(self) -> int:
        found = checkpoint.newest(self.out / "checkpoints", self.settings)
        if found is None:
            return 0
        state = found.load()
        load_weights(self.model, state["model"])
        load_optimizer(self.optimizer, state["optimizer"])
        self.selection.load(state["best"])
        if self.average:
            self.average.load(state["average"])
        if self.learned:
            self.learned.load_state_dict(state["learned"])
        self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])
        if self.device.type == "cuda":
            torch.cuda.set_rng_state(state["random_cuda"], self.device)
        if self.world.size > 1:
            torch.manual_seed(rng_seed(self.seed, "dropout", self.world.rank, found.step))
        self.losses, self.read = state["losses"], state["read"]
        self.seconds, self.before, self.compiled = state["seconds"], state["before"], state["compiled"]
        self.onednn = state.get("onednn", False)  # checkpoints from before there was a choice have none
        self._report({"event": "resume", "step": found.step, "steps": self.total, "folder": str(found.folder)})
        return found.step

    def _finish(self) -> None:
        if self.sharded:
            self._save(self.total)
        if self.world.first:
            export(self.out, self.total, self._write_model, self._keep_trained)
        self.world.wait()

    def _write_model(self, folder: Path) -> None:
        ended_by(self.model, self.tokenizer.eos_token_id)
        save(self.model.eval(), self.tokenizer, folder, self.exported)
        trained = finished.settings_of(VERSION, self.store, self.student, self.limits, self.seed, self.loss)
        finished.write(folder, trained, self.summary)

    def _keep_trained(self) -> None:
        """What was trained since the last checkpoint, so that a rerun only exports; weights that are split over the
        processes were written before."""
        newest = checkpoint.newest(self.out / "checkpoints", self.settings)
        if not self.sharded and (newest is None or newest.step < self.total):
            with suppress(DiskFull, OSError):
                self._save(self.total)

    def _report(self, event: Event) -> None:
        if self.world.first:
            if event["event"] == "train":
                curve.add(self.out / curve.FILE, event)
            self.on_event(event)
