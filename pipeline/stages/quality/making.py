"""Maker of the quality stage where it decides over the whole corpus: a judge, an embedding, a forest, clusters."""

import shutil
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from pipeline.core.plan import PlannedStage
from pipeline.core.records import Completion, Document, Exercise, Passage, Prompt
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.stages.making import Making, conversation_folder, generation, tell_of_earlier, write_records
from pipeline.stages.reads import embedding_identity, embedding_of
from pipeline.store.store import Manifest

MODEL = "value-model"
VALUES = "values.parquet"


def valued(stage: PlannedStage, making: Making) -> Manifest:
    """Judge a sample, fit or load the forest, value and thin the corpus; model, values and journal join the artifact.

    The embedding is loaded only when the judge is done, so that the two models need not be in memory at once. What was
    answered and what was embedded is kept as it comes: a killed run goes on from there, and a run with another
    threshold pays for neither again.
    """
    from pipeline.models.embeddings import encoder, remembered
    from pipeline.stages.quality.stage import Quality
    from pipeline.stages.quality.valuing import Valuation

    recipe, places = making.recipe, making.places
    table = recipe.quality
    partial = conversation_folder(stage, making)
    valuations: list[Valuation] = []
    spent: dict[str, Any] = {}
    spec = embedding_of(recipe)
    embedding = embedding_identity(spec, table.embedding_tokens)

    def found(valuation: Valuation) -> None:
        valuations.append(valuation)
        for text in valuation.warnings():
            making.log({"event": "warning", "stage": stage.name, "text": text})

    def embedded(done: int, total: int) -> None:
        making.log({"event": "embedded", "stage": stage.name, "done": done, "total": total, "embedding": spec})

    quality = Quality(
        table,
        annotate=_judge(stage, making, partial, spent) if table.classifier and not table.model else None,
        embed=remembered(
            encoder(
                spec,
                places.models,
                making.execution.device,
                max_tokens=table.embedding_tokens,
                loading=lambda name: making.loading(stage, name),
            ),
            embedding,
            places.models,
            embedded,
            making.executor,
        ),
        seed=recipe.seed,
        about={"embedding": embedding, "judge": spent},
        found=found,
        executor=making.executor,
    )
    tally = Tally()

    def facts() -> dict[str, Any]:
        what = valuations[0].facts() if valuations else {}
        return {**what, "embedding": spec, "judge": spent or None}

    def files() -> Iterator[Path]:
        yield from sorted(partial.glob("journal*.jsonl"))
        for valuation in valuations:
            if valuation.model is not None:
                valuation.model.save(partial / MODEL)
                _write_values(partial / VALUES, valuation)
                yield from (partial / MODEL, partial / VALUES)

    outcomes = checked(quality, cast("Iterator[Document]", making.read(stage, *stage.inputs)), tally)
    kinds = (Passage, Exercise)
    manifest = write_records(stage, making, outcomes, tally, kinds, kinds, facts, files)
    if spent:
        tell_of_earlier(stage, making, [spent], spent["completions"])
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _judge(stage: PlannedStage, making: Making, journal: Path, spent: dict[str, Any]) -> Any:
    """The `annotate` of the recipe's judge. spent: filled with its name, model, whole answers, and the cost of all."""
    from pipeline import teacher
    from pipeline.stages.quality.judge import annotator, teacher_of
    from pipeline.teacher.earlier import earlier_journals

    recipe = making.recipe
    judge = teacher_of(recipe)
    built = teacher.build(judge, making.execution, recipe.seed, making.places.models)
    counted = teacher.Spent(judge.name, built.kind, spent)
    complete = teacher.Complete(
        {judge.name: built},
        journal=journal,
        execution=making.execution,
        on_event=lambda event: making.log({**event, "stage": stage.name}),
        reuse=earlier_journals(journal, generation(stage)),
        ledger=making.ledger,
        answered=lambda _, answer: counted.add(answer),
    )

    def asked(prompts: Iterable[Prompt]) -> Generator[Kept[Completion] | Dropped]:
        every = list(prompts)
        yield from replace(complete, total=len(every))(every)

    return annotator(asked, judge.name)


def _write_values(path: Path, valuation: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = sorted(valuation.values)
    pq.write_table(pa.table({"id": ids, "value": [valuation.values[i] for i in ids]}), path, compression="zstd")
