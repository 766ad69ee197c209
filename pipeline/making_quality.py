"""Maker of the quality stage where it decides over the whole corpus: a judge, an embedding, a forest, clusters."""

from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any, cast

from pipeline.artifacts import Making, write_records
from pipeline.digests import embedding_of
from pipeline.plan import PlannedStage
from pipeline.records import Completion, Document, Exercise, Passage
from pipeline.stage import Tally, checked
from pipeline.store import Manifest

MODEL = "value-model"
VALUES = "values.parquet"


def valued(stage: PlannedStage, making: Making) -> Manifest:
    """Judge a sample, fit or load the forest, value and thin the corpus; model, values and journal join the artifact.

    The embedding is loaded only when the judge is done, so that the two models need not be in memory at once.
    """
    from pipeline.quality import Quality
    from pipeline.quality.embedding import Embedding, encoder
    from pipeline.quality.valuing import Finding

    recipe, places = making.recipe, making.places
    table = recipe.quality
    partial = places.store.partial(stage.name, stage.key, places.models)
    findings: list[Finding] = []
    spent: dict[str, Any] = {}
    spec = embedding_of(recipe)

    @cache
    def reader() -> Embedding:
        return encoder(spec, cache=places.models, device=making.execution.device, max_tokens=table.embedding_tokens)

    def embed(texts: Sequence[str]) -> Any:
        making.log({"event": "note", "stage": stage.name, "text": f"embedding {len(texts):,} documents with {spec}"})
        return reader()(texts)

    quality = Quality(
        table,
        annotate=_judge(stage, making, partial, spent) if table.classifier and not table.model else None,
        embed=embed,
        seed=recipe.seed,
        about={"embedding": {**stage.settings["reads"]["embedding"], "tokens": table.embedding_tokens}, "judge": spent},
        found=findings.append,
    )
    tally = Tally()

    def facts() -> dict[str, Any]:
        found = findings[0].facts() if findings else {}
        return {**found, "embedding": spec, "judge": spent or None}

    def files() -> Iterator[Path]:
        yield from sorted(partial.glob("journal*.jsonl"))
        for finding in findings:
            if finding.model is not None:
                finding.model.save(partial / MODEL)
                _write_values(partial / VALUES, finding)
                yield from (partial / MODEL, partial / VALUES)

    outcomes = checked(quality, cast("Iterator[Document]", making.read(stage, *stage.inputs)), tally)
    kinds = (Passage, Exercise)
    return write_records(stage, making, outcomes, tally, kinds, kinds, facts, files)


def _judge(stage: PlannedStage, making: Making, journal: Path, spent: dict[str, Any]) -> Any:
    """The `annotate` of the recipe's judge. spent: filled with its name, model, answers, tokens and dollars."""
    from pipeline import teacher
    from pipeline.quality.judge import annotator

    recipe = making.recipe
    judge = next(t for t in recipe.teachers if t.name == (recipe.quality.judge or recipe.teachers[0].name))
    built = teacher.build(judge, making.execution, recipe.seed, making.places.models)
    spent |= {"name": judge.name, "kind": built.kind, "model": "", "completions": 0, "tokens": 0, "usd": 0.0}
    complete = teacher.Complete(
        {judge.name: built},
        journal=journal,
        execution=making.execution,
        on_event=lambda event: making.log({**event, "stage": stage.name}),
        reuse=tuple(folder for folder in sorted(journal.parent.iterdir()) if folder.is_dir() and folder != journal),
        ledger=making.ledger,
        total=recipe.quality.annotate + recipe.quality.repeats,
    )

    def seen(answer: Completion) -> None:
        spent["model"] = spent["model"] or answer.model
        spent["completions"] += 1
        spent["tokens"] += answer.prompt_tokens + answer.completion_tokens
        spent["usd"] = round(spent["usd"] + answer.usd, 8)

    return annotator(complete, judge.name, seen=seen)


def _write_values(path: Path, finding: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = sorted(finding.values)
    pq.write_table(pa.table({"id": ids, "value": [finding.values[i] for i in ids]}), path, compression="zstd")
