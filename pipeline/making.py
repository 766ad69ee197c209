"""How each stage's artifact is made: opens the inputs, calls the stage's pure function, writes what it gives.

One function per stage, all with the same shape, looked up by name in `MAKERS`. Heavy libraries are imported inside
the function that needs them, so that planning and browsing never wait for torch.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from pipeline import __version__
from pipeline.execution import Execution
from pipeline.places import Places
from pipeline.plan import Plan, PlannedStage
from pipeline.progress import Event
from pipeline.recipe import Recipe
from pipeline.records import (
    Completion,
    Document,
    Exercise,
    Passage,
    Problem,
    Prompt,
    Record,
    Sample,
    Score,
    Seed,
)
from pipeline.stage import Dropped, Kept, Stage, Tally, checked
from pipeline.store import Manifest, Writer, cpu_seconds


@dataclass(frozen=True, slots=True)
class Clock:
    """Time since a stage began, wall and CPU (this process and its finished children), both in seconds."""

    started: float = field(default_factory=time.monotonic)
    cpu_started: float = field(default_factory=cpu_seconds)

    def seconds(self) -> float:
        """Wall seconds."""
        return time.monotonic() - self.started

    def cpu_seconds(self) -> float:
        """CPU seconds."""
        return cpu_seconds() - self.cpu_started


@dataclass(frozen=True, slots=True)
class Making:
    """What every maker needs. log: takes events. clock: of the stage being made."""

    recipe: Recipe
    execution: Execution
    places: Places
    plan: Plan
    log: Callable[[Event], None]
    clock: Clock = field(default_factory=Clock)

    def read(self, stage: PlannedStage, *names: str) -> Iterator[Record]:
        """Kept records of the named inputs that the recipe has, one after the other."""
        for name in names:
            if name in stage.inputs:
                yield from self.places.store.kept(name, stage.inputs[name])

    def count(self, stage: PlannedStage, *names: str) -> int:
        """Records that the stage's inputs hold, or those of its inputs named."""
        inputs = {name: key for name, key in stage.inputs.items() if not names or name in names}
        manifests = (self.places.store.manifest(name, key) for name, key in inputs.items())
        return sum(manifest.kept for manifest in manifests if manifest is not None)


def make(stage: PlannedStage, making: Making) -> Manifest:
    """Make one artifact; its inputs are in the store."""
    return MAKERS[stage.name](stage, replace(making, clock=Clock()))


def _write(
    stage: PlannedStage,
    making: Making,
    outcomes: Iterable[Kept[Any] | Dropped],
    tally: Tally,
    kept_types: Sequence[type[Record]],
    dropped_types: Sequence[type[Record]] = (),
    facts: Callable[[], Mapping[str, Any]] = dict,
) -> Manifest:
    """Write outcomes as they come, with a progress event now and then, and finish the artifact."""
    writer = Writer(making.places.store, stage.name, stage.key, kept_types, dropped_types)
    total = making.count(stage)
    for number, outcome in enumerate(outcomes, 1):
        writer.write(outcome)
        if number % 256 == 0:
            making.log({"event": "records", "stage": stage.name, "done": number, "total": total, "kept": tally.kept})
    return _finish(writer, stage, making, tally, facts())


def _finish(writer: Writer, stage: PlannedStage, making: Making, tally: Tally, facts: Mapping[str, Any]) -> Manifest:
    return writer.finish(
        tally,
        seconds=making.clock.seconds(),
        cpu_seconds=making.clock.cpu_seconds(),
        version=stage.version,
        inputs=stage.inputs,
        settings=stage.settings,
        facts=facts,
        made_by=f"hornbook {__version__}",
    )


def _record_stage(
    stage: PlannedStage,
    making: Making,
    function: Stage[Any, Any],
    records: Iterable[Record],
    kept_types: Sequence[type[Record]],
    dropped_types: Sequence[type[Record]],
) -> Manifest:
    tally = Tally()
    outcomes = checked(function, records, tally)
    return _write(stage, making, outcomes, tally, kept_types, dropped_types)


def _made(records: Iterable[Record], tally: Tally) -> Iterator[Kept[Any]]:
    """Records that a stage makes out of nothing: each counts as one in and one kept."""
    for record in records:
        tally.entered += 1
        tally.kept += 1
        yield Kept(record)


def _seeds(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.seeds import draw
    from pipeline.teacher.composer import tasks

    tally = Tally()
    drawn = draw(making.recipe.seeds, making.recipe.teachers, making.recipe.seed, tasks)
    return _write(stage, making, _made(drawn, tally), tally, (Seed,))


def _prompts(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.prompting import Render

    return _record_stage(stage, making, Render(making.recipe.prompts), making.read(stage, "seeds"), (Prompt,), (Seed,))


def _completions(stage: PlannedStage, making: Making) -> Manifest:
    """Ask the teachers. The journal is the folder of work in progress, and stays with the artifact: it is what a
    replay teacher answers from, and where later runs find answers that are already paid for."""
    from pipeline import teacher

    recipe, places = making.recipe, making.places
    teachers = {
        table.name: teacher.build(table, making.execution, recipe.seed, places.models) for table in recipe.teachers
    }
    samples = recipe.completions.samples_per_prompt
    partial = places.store.partial(stage.name, stage.key, places.models)
    complete = teacher.Complete(
        teachers,
        journal=partial,
        execution=making.execution,
        on_event=lambda event: making.log({**event, "stage": stage.name}),
        reuse=tuple(folder for folder in sorted(partial.parent.iterdir()) if folder.is_dir() and folder != partial),
        total=making.count(stage) * samples,
    )
    prompts = cast("Iterator[Prompt]", making.read(stage, "prompts"))
    tally = Tally()
    usage: dict[str, dict[str, Any]] = {
        name: {"name": name, "kind": asked.kind, "model": "", "completions": 0, "tokens": 0, "usd": 0.0}
        for name, asked in teachers.items()
    }
    writer = Writer(places.store, stage.name, stage.key, (Completion,), (Prompt,))
    for outcome in checked(complete, teacher.expand(prompts, samples), tally):
        writer.write(outcome)
        if isinstance(outcome, Kept):
            completion = outcome.record
            spent = usage[completion.teacher]
            spent["model"] = spent["model"] or completion.model
            spent["completions"] += 1
            spent["tokens"] += completion.prompt_tokens + completion.completion_tokens
            spent["usd"] = round(spent["usd"] + completion.usd, 8)
    for shard in sorted(partial.glob("*.jsonl")):
        writer.add(shard)
    manifest = _finish(writer, stage, making, tally, {"teachers": list(usage.values())})
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _raw_code(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.sources import passages

    tally = Tally()

    def counted() -> Iterator[Kept[Any] | Dropped]:
        for outcome in passages(making.recipe.sources):
            tally.entered += 1
            if isinstance(outcome, Dropped):
                tally.dropped[outcome.reason] += 1
            else:
                tally.kept += 1
            yield outcome

    return _write(stage, making, counted(), tally, (Passage,), (Passage,))


def _documents(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.parsing import Parse

    return _record_stage(stage, making, Parse(), making.read(stage, "completions"), (Passage, Exercise), (Completion,))


def _validated(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.sandbox import Limits, Sandbox
    from pipeline.validation import Validate

    table = making.recipe.validated
    limits = Limits(cpu_seconds=table.cpu_seconds, memory_mb=table.memory_mb)
    with Sandbox(
        limits,
        workers=making.execution.worker_count(),
        mode=making.execution.sandbox,
        packages=table.packages,
    ) as sandbox:
        validate = Validate(table, sandbox)
        records = making.read(stage, "documents", "raw-code")
        tally = Tally()
        return _write(
            stage,
            making,
            checked(validate, cast("Iterator[Document]", records), tally),
            tally,
            (Passage, Exercise),
            (Passage, Exercise),
            lambda: {"sandbox": sandbox.manifest()},
        )


def _document_stage(stage: PlannedStage, making: Making, function: Stage[Any, Any]) -> Manifest:
    records = making.read(stage, *stage.inputs)
    return _record_stage(stage, making, function, records, (Passage, Exercise), (Passage, Exercise))


def _distinct(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.dedup import Distinct

    return _document_stage(stage, making, Distinct(making.recipe.distinct, threads=making.execution.worker_count()))


def _quality(stage: PlannedStage, making: Making) -> Manifest:
    """With the classifier on, the judge's answers stay in the folder of work in progress: they were paid for."""
    from pipeline.quality import Quality

    recipe, places = making.recipe, making.places
    if not recipe.quality.classifier:
        return _document_stage(stage, making, Quality(recipe.quality))
    from pipeline import teacher
    from pipeline.quality.embedding import hidden_states
    from pipeline.quality.judge import annotator
    from pipeline.student import load

    judge = next(t for t in recipe.teachers if t.name == (recipe.quality.judge or recipe.teachers[0].name))
    asked = teacher.Complete(
        {judge.name: teacher.build(judge, making.execution, recipe.seed, places.models)},
        journal=places.store.partial(stage.name, stage.key, places.models),
        execution=making.execution,
        on_event=lambda event: making.log({**event, "stage": stage.name}),
    )
    spec = "smollm2" if recipe.student.init == "scratch" else recipe.student.init
    reader = load(spec, cache=places.models, device=making.execution.device)
    quality = Quality(
        recipe.quality,
        annotate=annotator(asked, judge.name),
        embed=hidden_states(reader.model, reader.tokenizer),
        seed=recipe.seed,
    )
    return _document_stage(stage, making, quality)


def _decontaminated(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.decontamination import Decontaminate

    table = making.recipe.decontaminated
    return _document_stage(stage, making, Decontaminate(table, _problems(table.benchmarks)))


def _problems(names: Iterable[str]) -> list[Problem]:
    from pipeline.evaluation.problems import load

    return [problem for name in names for problem in load(name).problems]


def _tokens(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.tokens import pack

    recipe = making.recipe
    partial = _scratch(stage, making)
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
    return _folder_artifact(stage, making, partial, summary.documents + summary.held_out_documents, facts)


def _soft_targets(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.distillation import write_soft_targets

    recipe, places = making.recipe, making.places
    scratch = _scratch(stage, making)
    summary = write_soft_targets(
        places.store.local("tokens", stage.inputs["tokens"], places.models),
        recipe.soft_targets,
        recipe.tokens,
        out=scratch,
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
    return _folder_artifact(stage, making, scratch, making.count(stage), facts)


def _student(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.training import train

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
    )
    facts = {
        "parameters": summary.parameters,
        "steps": summary.steps,
        "tokens": summary.tokens,
        "loss": summary.loss,
        "held_out_loss": summary.held_out_loss,
        "held_out_loss_before": summary.held_out_loss_before,
        "precision": summary.precision,
        "seconds": summary.seconds,
        "curve": _curve(curve),
    }
    return _folder_artifact(stage, making, partial, making.count(stage, "tokens"), facts, keep=("model",))


def _loss(stage: PlannedStage, making: Making) -> Any:
    """The loss with soft targets where the recipe has them, None for hard labels alone."""
    key = stage.inputs.get("soft-targets")
    if key is None:
        return None
    from pipeline.distillation import SoftLoss, SoftTargets

    places = making.places
    return SoftLoss(SoftTargets(places.store.local("soft-targets", key, places.models)), making.recipe.soft_targets)


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


def _samples(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.evaluation.problems import load as load_problems
    from pipeline.evaluation.sampling import sample
    from pipeline.student import load

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
        for outcome in _made(samples, tally):
            facts["tokens"] += cast("Sample", outcome.record).tokens
            yield outcome
        facts["tokens_per_second"] = round(facts["tokens"] / max(time.monotonic() - started, 1e-9), 1)

    manifest = _write(stage, making, counted(), tally, (Sample,), facts=lambda: facts)
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _scores(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.evaluation.problems import load
    from pipeline.evaluation.scoring import score
    from pipeline.sandbox import Limits, Sandbox

    table = making.recipe.evaluation
    sets = [load(name) for name in table.benchmarks]
    problems = [problem for problem_set in sets for problem in problem_set.problems]
    samples = cast("Iterator[Sample]", making.read(stage, "samples-before", "samples-after"))
    tally = Tally()
    workers, mode = making.execution.worker_count(), making.execution.sandbox
    with Sandbox(Limits(cpu_seconds=table.cpu_seconds), workers=workers, mode=mode) as sandbox:
        facts = {
            "benchmarks": [{"name": s.name, "digest": s.digest, "problems": len(s.problems)} for s in sets],
            "sandbox": sandbox.manifest(),
        }
        scores = _made(score(samples, problems, sandbox), tally)
        return _write(stage, making, scores, tally, (Score,), facts=lambda: facts)


def _scratch(stage: PlannedStage, making: Making) -> Path:
    """An empty work folder, for a stage that does not go on from what a crash left."""
    partial = making.places.store.partial(stage.name, stage.key, making.places.models)
    shutil.rmtree(partial)
    partial.mkdir()
    return partial


def _folder_artifact(
    stage: PlannedStage,
    making: Making,
    folder: Path,
    documents: int,
    facts: Mapping[str, Any],
    keep: Sequence[str] = (),
) -> Manifest:
    """Finish an artifact that is files, not records: those of `folder`, or only its entries named in `keep`."""
    writer = Writer(making.places.store, stage.name, stage.key, ())
    for entry in sorted(folder.iterdir()):
        if keep and entry.name not in keep:
            continue
        writer.add(entry)
    manifest = _finish(writer, stage, making, Tally(documents, documents), facts)
    shutil.rmtree(folder, ignore_errors=True)
    return manifest


MAKERS: dict[str, Callable[[PlannedStage, Making], Manifest]] = {
    "seeds": _seeds,
    "prompts": _prompts,
    "completions": _completions,
    "raw-code": _raw_code,
    "documents": _documents,
    "validated": _validated,
    "distinct": _distinct,
    "quality": _quality,
    "decontaminated": _decontaminated,
    "tokens": _tokens,
    "soft-targets": _soft_targets,
    "student": _student,
    "samples-before": _samples,
    "samples-after": _samples,
    "scores": _scores,
}
