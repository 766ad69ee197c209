"""Makers of the corpus, seeds to decontaminated documents: each opens its inputs and calls its stage's function."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from pipeline.core.plan import PlannedStage
from pipeline.core.records import Completion, Exercise, Passage, Prompt, Seed
from pipeline.core.stage import Dropped, Kept, Stage, Tally, checked
from pipeline.stages.making import (
    Making,
    conversation_folder,
    finish,
    generation,
    made,
    record_stage,
    tell_of_earlier,
    write_records,
)
from pipeline.store.store import Manifest, Writer

if TYPE_CHECKING:
    from pipeline.benchmarks.problems import ProblemSet
    from pipeline.stages.decontaminated.split import Closest


def seeds(stage: PlannedStage, making: Making) -> Manifest:
    """Draw the seeds."""
    from pipeline.stages.seeds.sampling import draw
    from pipeline.teacher.composer import tasks

    tally = Tally()
    drawn = draw(making.recipe.seeds, making.recipe.teachers, making.recipe.seed, tasks)
    return write_records(stage, making, made(drawn, tally), tally, (Seed,))


def prompts(stage: PlannedStage, making: Making) -> Manifest:
    """Render the templates."""
    from pipeline.stages.prompts.stage import Render

    render = Render(making.recipe.prompts)
    return record_stage(stage, making, render, making.read(stage, "seeds"), (Prompt,), (Seed,), alone=True)


def completions(stage: PlannedStage, making: Making) -> Manifest:
    """Ask the teachers. The journal is the folder of work in progress, and stays with the artifact: it is what a
    replay teacher answers from, and where later runs find answers that are already paid for."""
    from pipeline import teacher
    from pipeline.teacher.earlier import earlier_journals

    recipe, places = making.recipe, making.places

    def tell(text: str) -> None:
        making.log({"event": "note", "stage": stage.name, "text": text})

    teachers = {
        table.name: teacher.build(table, making.execution, recipe.seed, places.models, tell)
        for table in recipe.teachers
    }
    samples = recipe.completions.samples_per_prompt
    spent = {name: teacher.Spent(name, asked.kind) for name, asked in teachers.items()}
    partial = conversation_folder(stage, making)
    complete = teacher.Complete(
        teachers,
        journal=partial,
        execution=making.execution,
        on_event=lambda event: making.log({**event, "stage": stage.name}),
        reuse=earlier_journals(partial, generation(stage)),
        ledger=making.ledger,
        total=making.count(stage) * samples,
        answered=lambda name, answer: spent[name].add(answer),
    )
    prompts = cast("Iterator[Prompt]", making.read(stage, "prompts"))
    tally = Tally()
    writer = Writer(places.store, stage.name, stage.key, (Completion,), (Prompt,))
    for outcome in checked(complete, teacher.expand(prompts, samples), tally):
        writer.write(outcome)
    for shard in sorted(partial.glob("*.jsonl")):
        writer.add(shard)
    facts = [one.facts for one in spent.values()]
    manifest = finish(writer, stage, making, tally, {"teachers": facts})
    tell_of_earlier(stage, making, facts, tally.entered)
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def raw_code(stage: PlannedStage, making: Making) -> Manifest:
    """Read real code from the recipe's source."""
    from pipeline.stages.raw_code.stage import passages

    tally = Tally()

    def tell(text: str) -> None:
        making.log({"event": "note", "stage": stage.name, "text": text})

    def counted() -> Iterator[Kept[Any] | Dropped]:
        for outcome in passages(making.recipe.sources, making.executor, tell):
            tally.entered += 1
            if isinstance(outcome, Dropped):
                tally.dropped[outcome.reason] += 1
            else:
                tally.kept += 1
            yield outcome

    return write_records(stage, making, counted(), tally, (Passage,), (Passage,))


def documents(stage: PlannedStage, making: Making) -> Manifest:
    """Parse completions into passages and exercises."""
    from pipeline.stages.documents.stage import Parse

    completions = making.read(stage, "completions")
    return record_stage(stage, making, Parse(), completions, (Passage, Exercise), (Completion,), alone=True)


def validated(stage: PlannedStage, making: Making) -> Manifest:
    """Run tests and examples in the sandbox, on this machine's cores or, block by block, on the nodes of a cluster."""
    from pipeline.sandbox import Sandbox
    from pipeline.stages.validated.stage import Validate, ValidateBlocks, limits_of

    table, execution = making.recipe.validated, making.execution
    on_ray = execution.engine == "ray"
    with Sandbox(
        limits_of(table),
        workers=1 if on_ray else execution.worker_count(),
        mode=execution.sandbox,
        packages=table.packages,
    ) as sandbox:
        # On a cluster the sandbox of this machine only says what every node's must be: one without its layers refuses.
        function = ValidateBlocks(table, execution.sandbox) if on_ray else Validate(table, sandbox)
        kinds = (Passage, Exercise)
        records = making.read(stage, "documents", "raw-code")
        facts = {"sandbox": sandbox.manifest()}
        return record_stage(stage, making, function, records, kinds, kinds, alone=on_ray, facts=lambda: facts)


def _document_stage(
    stage: PlannedStage,
    making: Making,
    function: Stage[Any, Any],
    *,
    alone: bool = False,
    facts: Callable[[], Mapping[str, Any]] = dict,
) -> Manifest:
    records, kinds = making.read(stage, *stage.inputs), (Passage, Exercise)
    return record_stage(stage, making, function, records, kinds, kinds, alone=alone, facts=facts)


def distinct(stage: PlannedStage, making: Making) -> Manifest:
    """Drop duplicates."""
    from pipeline.stages.distinct.stage import Distinct

    return _document_stage(stage, making, Distinct(making.recipe.distinct, making.executor))


def quality(stage: PlannedStage, making: Making) -> Manifest:
    """Heuristics, secrets, and where the recipe asks for it the value classifier and the sampler of crowded clusters.

    The judge's journal stays with the artifact, as that of the completions does, beside the model (`value-model/`) and
    every document's value (`values.parquet`).
    """
    from pipeline.stages.quality.stage import Quality

    table = making.recipe.quality
    if not table.classifier and table.flatten == 1:
        return _document_stage(stage, making, Quality(table), alone=True)
    from pipeline.stages.quality.making import valued

    return valued(stage, making)


def decontaminated(stage: PlannedStage, making: Making) -> Manifest:
    """Drop what overlaps with the recipe's benchmarks.

    The manifest says which document kept is closest to each problem, so that the corpus need not be compared again
    where scores are split by what it holds (`making_student.scores`).
    """
    from pipeline.benchmarks.problems import load
    from pipeline.models.embeddings import MAX_TOKENS, encoder, remembered
    from pipeline.stages.decontaminated.split import Closest
    from pipeline.stages.decontaminated.stage import Decontaminate
    from pipeline.stages.reads import comparing_model, embedding_identity

    recipe = making.recipe
    table = recipe.decontaminated
    embed = None
    if table.embedding < 1:
        spec, cache = comparing_model(recipe), making.places.models
        reads = encoder(spec, cache, making.execution.device, loading=lambda name: making.loading(stage, name))
        embed = remembered(reads, embedding_identity(spec, MAX_TOKENS), cache, executor=making.executor)
    sets = [load(name) for name in table.benchmarks]
    problems = [problem for one in sets for problem in one.problems]
    closest = Closest()
    named = Counter(one.name for one in sets)

    def facts() -> dict[str, Any]:
        known = {s.name: {"digest": s.digest, "matches": _matches(s, closest)} for s in sets if named[s.name] == 1}
        return {"closest": known}

    stage_function = Decontaminate(table, problems, embed, making.executor, closest.add)
    return _document_stage(stage, making, stage_function, facts=facts)


def _matches(problem_set: "ProblemSet", closest: "Closest") -> dict[str, tuple[float, str]]:
    """AST match rate and id of the closest document by problem, for those that have one."""
    found = (closest.of(problem_set.name, problem.task_id) for problem in problem_set.problems)
    return {match.task_id: (match.rate, match.document_id) for match in found if match.rate}
