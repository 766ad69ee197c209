"""Quality in the walk: record by record, or over the whole corpus with a judge, an embedding, a forest, clusters."""

import shutil
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.core.contents import file_digest
from pipeline.core.identity import digest
from pipeline.core.records import Completion, Exercise, Passage, Prompt
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.quality.exclusion import excluded, unmet
from pipeline.stages.reads import embedding_identity, own_reader, weights
from pipeline.store.manifest import Manifest

MODEL = "value-model"
VALUES = "values.parquet"


def _whole(recipe: Recipe) -> bool:
    """Whether the stage decides over the whole corpus."""
    return recipe.quality.classifier or recipe.quality.flatten < 1


def _embedding(recipe: Recipe) -> str:
    """The model that the value classifier reads with."""
    return recipe.quality.embedding or own_reader(recipe)


def _reads(recipe: Recipe) -> Any:
    """The ids that are not wanted; the embedding's weights, and what gives the values: a saved model's bytes, or the
    judge and its template."""
    table = recipe.quality
    unwanted = excluded(table.exclude)
    read: dict[str, Any] = {"excluded": digest(sorted(unwanted))} if unwanted else {}
    if not _whole(recipe):
        return read or None
    read["embedding"] = weights("quality.embedding", _embedding(recipe))
    if table.classifier and table.model:
        from pipeline.stages.quality.classifier import FILE
        from pipeline.stages.quality.valuing import folder_of, reused

        reused(table.model, {**read["embedding"], "tokens": table.embedding_tokens})
        read["model"] = file_digest(folder_of(table.model) / FILE)
    elif table.classifier:
        from pipeline.core.template import load
        from pipeline.languages.grade import READING
        from pipeline.stages.quality.judge import teacher_of, template_path
        from pipeline.teacher.building import identity

        judge = identity(teacher_of(recipe), recipe.seed)
        read |= {"judge": judge, "template": load(template_path(recipe.domain)).digest, "grades": READING}
    return read


def _language(recipe: Recipe) -> str:
    from pipeline.domains.loading import load

    return load(recipe.domain).language


def _make(making: Making) -> Manifest:
    from pipeline.stages.quality.stage import Quality

    table = making.recipe.quality
    unwanted = excluded(table.exclude)
    if _whole(making.recipe):
        manifest = _valued(making, unwanted)
    else:
        quality = Quality(table, language=_language(making.recipe), excluded=unwanted)
        manifest = making.through(quality, alone=True)
    if told := unmet(table.exclude, len(unwanted), manifest.dropped.get("excluded", 0)):
        making.note(told)
    return manifest


def _valued(making: Making, unwanted: Mapping[str, str]) -> Manifest:
    """Judge a sample, fit or load the forest, value and thin the corpus; model, values and journal join the artifact.

    The embedding is loaded only when the judge is done, so that the two models need not be in memory at once. What was
    answered and what was embedded is kept as it comes: a killed run goes on from there, and a run with another
    threshold pays for neither again.
    """
    from pipeline.models.embeddings import encoder, remembered
    from pipeline.stages.quality.facts import QualityFacts
    from pipeline.stages.quality.stage import Quality
    from pipeline.stages.quality.valuing import Valuation

    recipe, places = making.recipe, making.places
    table = recipe.quality
    partial = making.conversation()
    valuations: list[Valuation] = []
    annotate, spent = _judge(making) if table.classifier and not table.model else (None, {})
    spec = _embedding(recipe)
    embedding = embedding_identity(spec, table.embedding_tokens)

    def found(valuation: Valuation) -> None:
        valuations.append(valuation)
        for text in valuation.warnings():
            making.tell({"event": "warning", "text": text})

    def embedded(done: int, total: int) -> None:
        making.tell({"event": "embedded", "done": done, "total": total, "embedding": spec})

    device, tokens = making.execution.device, table.embedding_tokens
    read = encoder(spec, places.models, device, max_tokens=tokens, loading=making.loading)
    quality = Quality(
        table,
        annotate=annotate,
        embed=remembered(read, embedding, places.models, embedded, making.executor),
        seed=recipe.seed,
        about={"embedding": embedding, "judge": spent},
        found=found,
        executor=making.executor,
        language=_language(recipe),
        excluded=unwanted,
    )
    tally = Tally()

    def facts() -> QualityFacts:
        what = valuations[0].facts() if valuations else QualityFacts()
        return replace(what, embedding=spec, judge=spent or None)

    def files() -> Iterator[Path]:
        yield from sorted(partial.glob("journal*.jsonl"))
        for valuation in valuations:
            if valuation.model is not None:
                valuation.model.save(partial / MODEL)
                _write_values(partial / VALUES, valuation)
                yield from (partial / MODEL, partial / VALUES)

    manifest = making.write(checked(quality, making.read(), tally), tally, facts, files)
    if spent:
        making.tell_of_earlier([spent], spent["completions"])
    shutil.rmtree(partial, ignore_errors=True)
    return manifest


def _judge(making: Making) -> tuple[Any, dict[str, Any]]:
    """The `annotate` of the recipe's judge, and what is filled with its name, model, whole answers, and all costs."""
    from pipeline.stages.completions.stage import asking
    from pipeline.stages.quality.judge import annotator, teacher_of

    judge = teacher_of(making.recipe)
    asked = asking(making, [judge])

    def answers(prompts: Iterable[Prompt]) -> Generator[Kept[Completion] | Dropped]:
        every = list(prompts)
        yield from replace(asked.complete, total=len(every))(every)

    return annotator(answers, judge.name, making.recipe.domain), asked.spent[judge.name].facts


def _write_values(path: Path, valuation: Any) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = sorted(valuation.values)
    pq.write_table(pa.table({"id": ids, "value": [valuation.values[i] for i in ids]}), path, compression="zstd")


def _settings(recipe: Recipe) -> dict[str, Any]:
    """The table; where labels lie says nothing, what they say is among what is read."""
    table = recipe.quality.keyed("valued")
    del table["exclude"]
    return {"quality": table, "seed": recipe.seed}


STEP = TextStep(
    name="quality",
    version=5,
    caption="heuristics, secrets, educational value",
    make=_make,
    inputs=("distinct",),
    settings=_settings,
    reads=_reads,
    kept=(Passage, Exercise),
    dropped=(Passage, Exercise),
    reasons={
        "too-short": "fewer characters than quality.min_characters",
        "repeated": "says the same again, in its own lines or beside the documents kept of its cluster",
        "low-value": "little to learn from: by what it shows of itself, or by the value classifier",
        "excluded": "labelled bad in the file that quality.exclude names",
        "secret": "holds a credential, or personal data where quality.personal_data is drop",
    },
    corpus=True,
)
