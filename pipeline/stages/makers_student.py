"""Makers of the student and its scores: tokens, soft targets, training, samples, scores."""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pipeline.core.events import Event
from pipeline.core.plan import PlannedStage
from pipeline.core.records import Document, Sample, Score
from pipeline.core.stage import Kept, Tally
from pipeline.stages.making import Making, folder_artifact, made, scratch, write_records
from pipeline.store.store import Manifest

if TYPE_CHECKING:
    from pipeline.benchmarks.problems import ProblemSet


def tokens(stage: PlannedStage, making: Making) -> Manifest:
    """Pack documents into token shards with their span table."""
    from pipeline.stages.tokens.stage import pack

    recipe = making.recipe
    partial = scratch(stage, making)
    documents = cast("Iterator[Document]", making.read(stage, "decontaminated"))
    summary = pack(
        documents,
        table=recipe.tokens,
        student=recipe.student,
        seed=recipe.seed,
        out=partial,
        cache=making.places.models,
    )
    facts = {
        "documents": summary.documents,
        "held_out_documents": summary.held_out_documents,
        "tokens": summary.tokens,
        "loss_tokens": summary.loss_tokens,
        "vocabulary": summary.vocabulary,
    }
    return folder_artifact(stage, making, partial, summary.documents + summary.held_out_documents, facts)


def soft_targets(stage: PlannedStage, making: Making) -> Manifest:
    """Write the white-box teacher's top-k logits for every token."""
    from pipeline.stages.soft_targets.stage import write_soft_targets

    recipe, places = making.recipe, making.places
    partial = scratch(stage, making)
    making.loading(stage, recipe.soft_targets.teacher)
    summary = write_soft_targets(
        places.store.local("tokens", stage.inputs["tokens"], places.models),
        recipe.soft_targets,
        recipe.tokens,
        out=partial,
        cache=places.models,
        execution=making.execution,
        on_event=lambda event: making.log({**event, "stage": stage.name}),
    )
    facts = {
        "rows": summary.rows,
        "top_k": summary.top_k,
        "temperature": summary.temperature,
        "covered": summary.covered,
        "bytes": summary.bytes,
        "teacher": summary.teacher,
    }
    return folder_artifact(stage, making, partial, making.count(stage), facts)


def student(stage: PlannedStage, making: Making) -> Manifest:
    """Train, or go on training; the artifact is the model's folder."""
    table = making.recipe.student
    making.loading(stage, "torch" if table.init == "scratch" else table.init)
    from pipeline.stages.student.held_out_judge import judge_of
    from pipeline.stages.student.stage import train
    from pipeline.stages.tokens.shards import TokenStore

    recipe, places = making.recipe, making.places
    tokens = places.store.local("tokens", stage.inputs["tokens"], places.models)
    partial = places.store.partial(stage.name, stage.key, places.models)
    curve = partial / "curve.jsonl"

    def on_event(event: Event) -> None:
        if event["event"] == "train":
            with curve.open("a", encoding="utf-8") as file:
                file.write(json.dumps({name: event.get(name) for name in ("step", "loss", "lr")}) + "\n")
        making.log({**event, "stage": stage.name})

    summary = train(
        tokens,
        recipe.student,
        recipe.tokens,
        seed=recipe.seed,
        out=partial,
        cache=places.models,
        execution=making.execution,
        on_event=on_event,
        loss=_loss(stage, making),
        judge=judge_of(TokenStore(tokens), recipe, making.execution),
    )
    facts = {
        "parameters": summary.parameters,
        "steps": summary.steps,
        "tokens": summary.tokens,
        "loss": summary.loss,
        "held_out_loss": summary.held_out_loss,
        "held_out_loss_before": summary.held_out_loss_before,
        "held_out_pass_rate": summary.held_out_pass_rate,
        "precision": summary.precision,
        "compiled": summary.compiled,
        "products": summary.products,
        "seconds": summary.seconds,
        "curve": _curve(curve),
    }
    return folder_artifact(stage, making, partial, making.count(stage, "tokens"), facts, keep=("model",))


def _loss(stage: PlannedStage, making: Making) -> Any:
    """The loss with soft targets where the recipe has them, None for hard labels alone."""
    table = making.recipe.soft_targets
    if not table.teacher:
        return None
    places, recipe = making.places, making.recipe
    if table.mode == "cached":
        from pipeline.stages.soft_targets.stage import SoftTargets
        from pipeline.stages.student.soft_loss import SoftLoss

        key = stage.inputs["soft-targets"]
        return SoftLoss(SoftTargets(places.store.local("soft-targets", key, places.models)), table)
    from pipeline.models.loading import load
    from pipeline.stages.student.online import online_loss
    from pipeline.stages.tokens.shards import TokenStore

    making.loading(stage, table.teacher)
    teacher = load(table.teacher, cache=places.models, device=making.execution.device)
    store = TokenStore(places.store.local("tokens", stage.inputs["tokens"], places.models))
    return online_loss(teacher, table, store, recipe.tokens)


def _curve(path: Path, points: int = 400) -> list[dict[str, Any]]:
    """The training curve by step: the last line of each step (a resumed run repeats some), thinned to `points`."""
    if not path.exists():
        return []
    by_step: dict[int, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:  # torn by a kill
            continue
        by_step[entry["step"]] = entry
    steps = [by_step[step] for step in sorted(by_step)]
    stride = max(1, len(steps) // points)
    return steps[::stride] + (steps[-1:] if (len(steps) - 1) % stride else [])


def samples(stage: PlannedStage, making: Making) -> Manifest:
    """Ask the student, before or after training, the benchmarks' problems; answers are journaled as they come."""
    making.loading(stage, making.recipe.student.init if stage.name == "samples-before" else "the student")
    from pipeline.benchmarks.problems import load as load_problems
    from pipeline.models.loading import load
    from pipeline.stages.samples.stage import sample

    recipe, places = making.recipe, making.places
    table = recipe.evaluation
    before = stage.name == "samples-before"
    if before:
        spec, checkpoint = recipe.student.init, stage.key
    else:
        folder = places.store.local("student", stage.inputs["student"], places.models)
        spec, checkpoint = str(folder / "model"), stage.inputs["student"]
    loaded = load(spec, cache=places.models, device=making.execution.device)
    sets = [load_problems(name) for name in table.benchmarks]
    partial = places.store.partial(stage.name, stage.key, places.models)
    samples = sample(
        sets,
        loaded,
        table,
        model_name="before" if before else "after",
        checkpoint=checkpoint,
        seed=recipe.seed,
        execution=making.execution,
        journal=partial / "samples.jsonl",
        on_event=lambda event: making.log({**event, "stage": stage.name}),
    )
    tally = Tally()
    facts: dict[str, Any] = {"prompt_form": table.prompt_form, "model": spec, "tokens": 0}
    started = time.monotonic()

    def counted() -> Iterator[Kept[Sample]]:
        for outcome in made(samples, tally):
            facts["tokens"] += cast("Sample", outcome.record).tokens
            yield outcome
        facts["tokens_per_second"] = round(facts["tokens"] / max(time.monotonic() - started, 1e-9), 1)

    manifest = write_records(stage, making, counted(), tally, (Sample,), facts=lambda: facts)
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def scores(stage: PlannedStage, making: Making) -> Manifest:
    """Judge the samples in the sandbox, and find what the corpus has that is like the benchmarks' problems."""
    from pipeline.benchmarks.problems import load
    from pipeline.sandbox import Limits, Sandbox
    from pipeline.stages.scores.stage import score

    table = making.recipe.evaluation
    sets = [load(name) for name in table.benchmarks]
    problems = [problem for problem_set in sets for problem in problem_set.problems]
    samples = cast("Iterator[Sample]", making.read(stage, "samples-before", "samples-after"))
    tally = Tally()
    workers, mode = making.execution.worker_count(), making.execution.sandbox
    limits = Limits(cpu_seconds=table.cpu_seconds, memory_mb=table.memory_mb)
    with Sandbox(limits, workers=workers, mode=mode, packages=table.packages) as sandbox:
        facts = {
            "benchmarks": [{"name": s.name, "digest": s.digest, "problems": len(s.problems)} for s in sets],
            "sandbox": sandbox.manifest(),
        }
        if "decontaminated" in stage.inputs:
            facts["closest"] = closest([s.limited(table.limit) for s in sets], stage, making)
        scores = made(score(samples, problems, sandbox), tally)
        read = ("samples-before", "samples-after")
        return write_records(stage, making, scores, tally, (Score,), facts=lambda: facts, read=read)


def closest(
    sets: Sequence["ProblemSet"], stage: PlannedStage, making: Making
) -> dict[str, dict[str, tuple[float, str]]]:
    """AST match rate and id of the closest document by benchmark and problem, where it is at the least tau or more.

    The decontaminated corpus knows them of the benchmarks it was held against; it is compared with others here.
    """
    from pipeline.stages.decontaminated.split import splits

    manifest = making.places.store.manifest("decontaminated", stage.inputs["decontaminated"])
    known = manifest.facts.get("closest", {}) if manifest is not None else {}
    found: dict[str, dict[str, tuple[float, str]]] = {}
    others: list[ProblemSet] = []
    for one in sets:
        fact = known.get(one.name, {})
        if fact.get("digest") == one.digest and len(one.problems) == one.total:
            found[one.name] = {task: (rate, document_id) for task, (rate, document_id) in fact["matches"].items()}
        else:
            others.append(one)
    if others:
        documents = cast("Iterator[Document]", making.read(stage, "decontaminated"))
        for name, split in splits({s.name: s.problems for s in others}, documents, executor=making.executor).items():
            found[name] = {match.task_id: (match.rate, match.document_id) for match in split.closest if match.rate}
    return {one.name: found[one.name] for one in sets}
