"""How each stage's artifact is made: opens the inputs, calls the stage's pure function, writes what it gives.

One function per stage, all with the same shape, looked up by name in `MAKERS`. Heavy libraries are imported inside
the function that needs them, so that planning and browsing never wait for torch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    Seed,
)
from pipeline.stage import Dropped, Kept, Stage, Tally, checked
from pipeline.store import Manifest, Writer


@dataclass(frozen=True, slots=True)
class Making:
    """What every maker needs. log: takes events."""

    recipe: Recipe
    execution: Execution
    places: Places
    plan: Plan
    log: Callable[[Event], None]

    def read(self, stage: PlannedStage, *names: str) -> Iterator[Record]:
        """Kept records of the named inputs that the recipe has, one after the other."""
        for name in names:
            if name in stage.inputs:
                yield from self.places.store.kept(name, stage.inputs[name])

    def count(self, stage: PlannedStage) -> int:
        """Records that the stage's inputs hold."""
        manifests = (self.places.store.manifest(name, key) for name, key in stage.inputs.items())
        return sum(manifest.kept for manifest in manifests if manifest is not None)


def make(stage: PlannedStage, making: Making) -> Manifest:
    """Make one artifact; its inputs are in the store."""
    return MAKERS[stage.name](stage, making)


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
    return _finish(writer, stage, tally, facts())


def _finish(writer: Writer, stage: PlannedStage, tally: Tally, facts: Mapping[str, Any]) -> Manifest:
    return writer.finish(
        tally,
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
    from pipeline import teacher

    teachers = {
        table.name: teacher.build(table, making.execution, making.recipe.seed, making.places.models)
        for table in making.recipe.teachers
    }
    partial = making.places.store.partial(stage.name, stage.key, making.places.models)
    complete = teacher.Complete(
        teachers,
        journal=partial,
        execution=making.execution,
        samples_per_prompt=making.recipe.completions.samples_per_prompt,
        on_event=lambda event: making.log({"stage": stage.name, **event}),
    )
    prompts = cast("Iterator[Prompt]", making.read(stage, "prompts"))
    tally = Tally()
    usage: dict[str, dict[str, Any]] = {
        name: {"name": name, "kind": asked.kind, "completions": 0, "tokens": 0, "usd": 0.0}
        for name, asked in teachers.items()
    }

    def counted() -> Iterator[Kept[Any] | Dropped]:
        for outcome in checked(complete, prompts, tally):
            if isinstance(outcome, Kept):
                completion: Completion = outcome.record
                spent = usage[completion.teacher]
                spent["completions"] += 1
                spent["tokens"] += completion.prompt_tokens + completion.completion_tokens
                spent["usd"] = round(spent["usd"] + completion.usd, 8)
                spent.setdefault("model", completion.model)
            yield outcome

    return _write(stage, making, counted(), tally, (Completion,), (Prompt,), lambda: {"teachers": list(usage.values())})


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

    return _document_stage(stage, making, Distinct(making.recipe.distinct))


def _quality(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.quality import Quality

    return _document_stage(stage, making, Quality(making.recipe.quality))


def _decontaminated(stage: PlannedStage, making: Making) -> Manifest:
    from pipeline.decontamination import Decontaminate

    table = making.recipe.decontaminated
    return _document_stage(stage, making, Decontaminate(table, _problems(table.benchmarks)))


def _problems(names: Iterable[str]) -> list[Problem]:
    from pipeline.evaluation.problems import load

    return [problem for name in names for problem in load(name).problems]


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
}
