"""Does a small student learn more from a larger teacher's soft targets than from the text alone? A controlled study.

    python scripts/bench/distillation.py [--json] [--folder DIR] [--exercises 7000] [--documents 2000] [--epochs 3]
        [--teacher-epochs 2.5] [--seeds 3] [--threads 1]

One student (phi-1-nano, 0.9M parameters), one tokenizer, the same documents in the same order for the same number of
steps; only the loss differs. The teacher (5M parameters) has read the whole corpus, the student reads a part of it,
as is usual where a teacher is a general model. First, with seed 0, every pair of temperature (1, 2, 4) and divergence
(forward KL, reverse KL, Jensen-Shannon), the soft loss weighing half; then, with seeds 1.., hard labels alone beside
the two pairs whose held-out loss was lowest. Judged on held-out exercises that neither model has read: cross-entropy
in nats per answer token, and pass@1 of greedy answers run against the exercises' tests in the sandbox.

Intervals are 95%: of the loss and its difference, Student's t over seeds; of pass@1, bootstrap over problems of the
seeds' mean; of the difference from hard labels, the same over problems in pairs. Every result is kept in DIR and not
made again, so a study that was killed goes on. About 45 minutes of one core where nothing else runs.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any, cast

# As the `hornbook` command does.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from pipeline.benchmarks.problems import ProblemSet
from pipeline.core.records import Document, Exercise, Problem
from pipeline.execution import Execution
from pipeline.models.architectures import Shape, phi_config
from pipeline.models.loading import load, save
from pipeline.recipe import PhaseTable, SoftTargetsTable, StudentTable, TokensTable
from pipeline.recipe_evaluation import EvaluationTable
from pipeline.recipe_text import load as load_recipe
from pipeline.run.run import planned, run
from pipeline.sandbox import Limits, Sandbox
from pipeline.stages.samples.stage import sample
from pipeline.stages.scores.stage import score
from pipeline.stages.scores.statistics import interval
from pipeline.stages.soft_targets.stage import write_soft_targets
from pipeline.stages.student.batches import held_out_rows, micro_batches
from pipeline.stages.student.objective import NamedLoss, Objective
from pipeline.stages.student.soft_loss import SoftLoss
from pipeline.stages.student.soft_targets import SoftTargets
from pipeline.stages.student.stage import train
from pipeline.stages.tokens.shards import TokenStore
from pipeline.stages.tokens.stage import pack
from pipeline.stages.tokens.tokenizers import train_bpe
from pipeline.store.places import Places, places

TEACHER = Shape(6, 256, 1024, 4, 32, tied=True)
VOCABULARY, LENGTH, HELD_OUT, ALPHA = 1024, 256, 0.05, 0.5
TEMPERATURES = (1.0, 2.0, 4.0)
DIVERGENCES = ("forward-kl", "reverse-kl", "jensen-shannon")
SAMPLING = EvaluationTable(benchmarks=("held-out exercises",), max_new_tokens=96)
T_QUANTILE = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 8: 2.365, 10: 2.262}
"""97.5% quantile of Student's t for that many seeds."""


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to train the student. temperature: 0.0 for hard labels alone."""

    divergence: str = "hard labels"
    temperature: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.divergence} T={self.temperature:g}" if self.temperature else self.divergence


class Study:
    """Everything that the arms share, made once below `folder`."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.execution = Execution(threads=options.threads, workers=options.threads)
        self.places: Places = places(str(folder / "data"))
        self.tokens = TokensTable(tokenizer=str(folder / "tokenizer"), vocabulary=VOCABULARY, sequence_length=LENGTH)
        self.documents = list(self._documents())
        self._tokenize()
        self.problems = self._problems()

    def say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def _documents(self) -> Iterator[Document]:
        """The corpus, by the pipeline's own stages."""
        overrides = [
            "teachers.composer.faults=[]",
            "distinct.clones=false",
            "seeds.textbooks=0",
            f"seeds.exercises={self.options.exercises}",
            f"execution.workers={self.options.threads}",
        ]
        recipe = load_recipe("tiny", overrides)
        run(recipe, self.places, name="corpus", until="decontaminated")
        key = planned(recipe, self.places).plan["decontaminated"].key
        return cast("Iterator[Document]", self.places.store.kept("decontaminated", key))

    def _tokenize(self) -> None:
        """One tokenizer; the teacher's tokens are the whole corpus, the student's a part of it."""
        held_out = StudentTable(held_out=HELD_OUT)
        tokenizer = train_bpe((d.text for d in self.documents), VOCABULARY)
        for name, count in (("teacher", 0), ("student", self.options.documents)):
            table = self.tokens.model_copy(update={"max_documents": count})
            out = self.folder / f"tokens-{name}"
            pack(self.documents, table=table, student=held_out, seed=0, out=out, cache=out, tokenizer=tokenizer)
        if not (self.folder / "untrained-teacher" / "config.json").exists():
            torch.manual_seed(0)
            save(self._teacher_model(tokenizer), tokenizer, self.folder / "untrained-teacher")

    def _teacher_model(self, tokenizer: Any) -> Any:
        from transformers import PhiForCausalLM

        end = tokenizer.eos_token_id
        return PhiForCausalLM(phi_config(TEACHER, vocabulary=len(tokenizer), positions=512, dropout=0.0, end=end))

    def _problems(self) -> ProblemSet:
        """The held-out exercises, as problems."""
        spans = TokenStore(self.folder / "tokens-teacher").spans
        apart = {spans.document_id[n] for n in spans.held_out.nonzero()[0]}
        problems = [
            Problem(
                benchmark="held-out exercises",
                task_id=exercise.id,
                prompt=exercise.prompt,
                entry_point=exercise.entry_point,
                test=exercise.test,
                canonical_solution=exercise.solution,
            )
            for exercise in self.documents
            if isinstance(exercise, Exercise) and exercise.id in apart
        ]
        return ProblemSet("held-out exercises", "", "", tuple(sorted(problems, key=lambda p: p.task_id)))

    def teacher(self) -> Path:
        """Folder of the trained teacher."""
        student = StudentTable(
            init=str(self.folder / "untrained-teacher"), held_out=HELD_OUT, phases=(self._phase(1e-3, 0),)
        )
        return self._train("tokens-teacher", student, 0, self.folder / "teacher", None)

    def _phase(self, rate: float, epochs: float) -> PhaseTable:
        epochs = epochs or self.options.teacher_epochs
        return PhaseTable(name="train", epochs=epochs, batch=4, lr=rate, warmup_steps=50, weight_decay=0.1)

    def _train(self, tokens: str, student: StudentTable, seed: int, out: Path, loss: NamedLoss | None) -> Path:
        if not (out / "model" / "config.json").exists():

            def watch(event: dict[str, Any]) -> None:
                if event["event"] == "train" and event["step"] % 200 == 0:
                    self.say(f"  {out.name} step {event['step']} of {event['steps']}, loss {event['loss']:.3f}")

            train(
                self.folder / tokens,
                student,
                self.tokens,
                seed=seed,
                out=out,
                cache=out,
                execution=self.execution,
                on_event=watch,
                loss=loss,
            )
        return out / "model"

    def soft_loss(self, arm: Arm, teacher: Path) -> NamedLoss | None:
        """The loss of an arm, its soft targets written where they are not there yet."""
        if not arm.temperature:
            return None
        table = SoftTargetsTable(
            teacher=str(teacher),
            temperature=arm.temperature,
            divergence=arm.divergence,  # type: ignore[arg-type]
            alpha=ALPHA,
        )
        out = self.folder / f"soft-targets-{arm.temperature:g}"
        if not (out / "soft-targets.json").exists():
            tokens = self.folder / "tokens-student"
            write_soft_targets(tokens, table, self.tokens, out=out, cache=out, execution=self.execution)
        return SoftLoss(SoftTargets(out), table)

    def result(self, arm: Arm, seed: int, teacher: Path) -> dict[str, Any]:
        """One trained student, judged."""
        student = StudentTable(
            init="scratch",
            architecture="phi-1-nano",
            held_out=HELD_OUT,
            phases=(self._phase(2e-3, self.options.epochs),),
        )
        out = self.folder / "students" / f"{arm.divergence.replace(' ', '-')}-{arm.temperature:g}-{seed}"
        if not (out / "result.json").exists():
            started = time.process_time()
            model = self._train("tokens-student", student, seed, out, self.soft_loss(arm, teacher))
            seconds = time.process_time() - started
            judged = {"arm": arm.name, "seed": seed, "cpu_seconds": round(seconds, 1), **self.judge(model)}
            (out / "result.json").write_text(json.dumps(judged), encoding="utf-8")
            self.say(f"{arm.name}, seed {seed}: loss {judged['loss']:.4f}, pass@1 {mean(judged['passed']):.3f}")
        return cast("dict[str, Any]", json.loads((out / "result.json").read_text(encoding="utf-8")))

    def judge(self, model: Path) -> dict[str, Any]:
        """Held-out loss, nats per answer token, and which of the problems are solved."""
        loaded = load(str(model), cache=self.folder, device="cpu")
        store = TokenStore(self.folder / "tokens-teacher")
        objective, total, labels = Objective(loaded.model), 0.0, 0
        with torch.no_grad():
            for batch in micro_batches(store, held_out_rows(store, LENGTH, len(store.spans)), 2048):
                total += float(objective(batch, training=False))
                labels += int((batch.labels >= 0).sum())
        samples = sample(
            [self.problems], loaded, SAMPLING, model_name="student", checkpoint="", seed=0, execution=self.execution
        )
        with Sandbox(Limits(cpu_seconds=5.0), workers=self.options.threads, mode=self.execution.sandbox) as sandbox:
            by_task = {one.task_id: bool(one.passed) for one in score(samples, self.problems.problems, sandbox)}
        return {"loss": total / labels, "passed": [by_task[p.task_id] for p in self.problems.problems]}


def summary(results: Sequence[dict[str, Any]], baseline: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means with intervals over an arm's seeds; the differences are from `baseline`'s, in pairs."""
    losses = [result["loss"] for result in results]
    rates, base = per_problem(results), per_problem(baseline)
    apart = [result["loss"] - other["loss"] for result, other in zip(results, baseline, strict=True)]
    gains = [a - b for a, b in zip(rates, base, strict=True)]
    # `interval` is for numbers in [0, 1]; differences are shifted there and back.
    low, high = interval([(gain + 1) / 2 for gain in gains], seed=0)
    return {
        "arm": results[0]["arm"],
        "seeds": [result["seed"] for result in results],
        "loss": mean(losses),
        "loss_half_width": half_width(losses),
        "pass@1": mean(rates),
        "interval": list(interval(rates, seed=0)),
        "loss_difference": mean(apart),
        "loss_differences": apart,
        "loss_difference_half_width": half_width(apart),
        "pass@1_difference": mean(gains),
        "difference_interval": [2 * low - 1, 2 * high - 1],
        "cpu_seconds": mean(result["cpu_seconds"] for result in results),
    }


def half_width(values: Sequence[float]) -> float | None:
    """Half of the 95% interval of the mean by Student's t; None for a number of seeds without a quantile here."""
    count = len(values)
    return T_QUANTILE[count] * stdev(values) / math.sqrt(count) if count in T_QUANTILE else None


def per_problem(results: Sequence[dict[str, Any]]) -> list[float]:
    """Share of the seeds that solve each problem."""
    return [mean(map(float, passed)) for passed in zip(*(result["passed"] for result in results), strict=True)]


def study(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole study; see the module's docstring."""
    made = Study(options, folder)
    teacher = made.teacher()
    judged_teacher = made.judge(teacher)
    made.say(f"teacher: loss {judged_teacher['loss']:.4f}, pass@1 {mean(judged_teacher['passed']):.3f}")
    hard = Arm()
    grid_arms = [Arm(d, t) for t in TEMPERATURES for d in DIVERGENCES]
    grid = {arm: made.result(arm, 0, teacher) for arm in [hard, *grid_arms]}
    best = sorted(grid_arms, key=lambda arm: grid[arm]["loss"])[:2]
    seeds = range(1, options.seeds + 1)
    final = {arm: [made.result(arm, seed, teacher) for seed in seeds] for arm in [hard, *best]}
    return {
        "problems": len(made.problems.problems),
        "teacher": {"loss": judged_teacher["loss"], "pass@1": mean(judged_teacher["passed"])},
        "grid": [
            {**asdict(arm), "loss": result["loss"], "pass@1": mean(result["passed"])} for arm, result in grid.items()
        ],
        "arms": [summary(results, final[hard]) for results in final.values()],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--exercises", type=int, default=7000)
    parser.add_argument("--documents", type=int, default=2000)
    parser.add_argument("--epochs", type=float, default=3)
    parser.add_argument("--teacher-epochs", type=float, default=2.5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    folder = options.folder or places().data / "distillation-study"
    folder.mkdir(parents=True, exist_ok=True)
    result = study(options, folder)
    if options.json:
        print(json.dumps(result))
        return
    print(f"teacher: loss {result['teacher']['loss']:.3f}, pass@1 {result['teacher']['pass@1']:.1%}")
    print(f"{'seed 0':<24}   loss  pass@1   ({result['problems']} problems)")
    for row in result["grid"]:
        name = Arm(row["divergence"], row["temperature"]).name
        print(f"  {name:<22} {row['loss']:.4f}  {row['pass@1']:6.1%}")
    print(
        f"{'other seeds':<24}   loss            pass@1 [95%]          difference from hard labels: loss, pass@1 [95%]"
    )
    for row in result["arms"]:
        low, high = row["interval"]
        down, up = row["difference_interval"]
        half, apart = (
            "" if row[key] is None else f"±{row[key]:.4f}" for key in ("loss_half_width", "loss_difference_half_width")
        )
        print(
            f"  {row['arm']:<22} {row['loss']:.4f} {half}  {row['pass@1']:6.1%} [{low:.1%}, {high:.1%}]  "
            f"{row['loss_difference']:+.4f}{apart}, {row['pass@1_difference']:+.1%} [{down:+.1%}, {up:+.1%}]"
        )


if __name__ == "__main__":
    main()
