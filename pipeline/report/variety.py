"""How varied the documents are after each stage, and what the value classifier made of them."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline import walk
from pipeline.report.corpus import entropy, ngram_share, text_of
from pipeline.report.drawn import smallest_ids
from pipeline.run.reading import RunView
from pipeline.stages.quality.facts import QualityFacts

"""The stages whose kept records are documents, in the order of the walk."""

SAMPLED = 400
"""Most documents measured after a stage: those with the smallest ids. Every stage is measured on equally many, since a
Vendi score grows with the number of documents."""


@dataclass(frozen=True, slots=True)
class StageDiversity:
    """How varied the documents are that a stage kept.

    documents: all of them; sampled: how many were measured, equal for all stages. vendi: Vendi score (Friedman and
    Dieng 2023) of hashed word and word-pair features, the effective number of different documents among the sampled.
    distinct_4grams: different word 4-grams over all (Li et al. 2016). near: share of the sampled that have another one
    at a cosine of .9 or more. topics, effective_topics: of all documents; 0 for real code.
    """

    stage: str
    documents: int
    sampled: int
    vendi: float
    distinct_4grams: float | None
    near: float
    topics: int
    effective_topics: float

    def to_json(self) -> dict[str, Any]:
        """One entry of the report's `diversity_by_stage`."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, slots=True)
class Extreme:
    """A document of very high or very low predicted value. kept: whether the stage kept it."""

    id: str
    value: float
    text: str
    is_code: bool
    origin: str
    kept: bool

    def to_json(self) -> dict[str, Any]:
        """One entry of `best` or `worst`."""
        return {name: getattr(self, name) for name in ("id", "value", "origin", "kept", "text")}


@dataclass(frozen=True, slots=True)
class ValueView:
    """The facts of the quality stage's classifier and sampler, with the texts of the ten best and ten worst."""

    facts: QualityFacts
    best: tuple[Extreme, ...]
    worst: tuple[Extreme, ...]

    def to_json(self) -> dict[str, Any]:
        """The report's `value`."""
        listed = {"best": [e.to_json() for e in self.best], "worst": [e.to_json() for e in self.worst]}
        return self.facts.to_json() | listed


def by_stage(run: RunView) -> list[StageDiversity]:
    """One entry for each finished stage with documents; the sample is as large as the smallest stage allows."""
    kept: dict[str, int] = {}
    for name in walk.documents():
        stage = run.stage(name)
        if stage is not None and stage.manifest is not None and stage.manifest.kept:
            kept[name] = stage.manifest.kept
    size = min((*kept.values(), SAMPLED))
    return [_measured(run, name, documents, size) for name, documents in kept.items()]


def _measured(run: RunView, name: str, documents: int, size: int) -> StageDiversity:
    from pipeline.stages.quality.diversity import hashed_features, near_share, vendi_score

    columns = ["id", "type", "text", "prompt", "solution"]
    texts = [text_of(row) for row in smallest_ids(run, name, size, columns=columns)]
    features = hashed_features(texts)
    topics = Counter(topic for row in run.rows(name, columns=["id", "topic"]) if (topic := row.get("topic")))
    return StageDiversity(
        stage=name,
        documents=documents,
        sampled=size,
        vendi=round(vendi_score(features), 1),
        distinct_4grams=ngram_share(texts, 4),
        near=round(near_share(features), 4),
        topics=len(topics),
        effective_topics=round(math.exp(entropy(topics)), 1) if topics else 0.0,
    )


def value(run: RunView) -> ValueView | None:
    """What the quality stage says of its classifier; None where it had none and thinned nothing."""
    facts = run.facts("quality", QualityFacts)
    best, worst = facts.best or (), facts.worst or ()
    if not facts.classifier and not facts.clusters:
        return None
    shown = {entry["id"] for entry in (*best, *worst)}
    kept = {row["id"]: row for row in run.where("quality", "part", "id", shown)}
    dropped = {row["id"]: row for row in run.where("quality", "dropped", "id", shown - kept.keys())}

    def extremes(entries: Sequence[Mapping[str, Any]]) -> tuple[Extreme, ...]:
        found = []
        for entry in entries:
            row = kept.get(entry["id"]) or dropped.get(entry["id"])
            if row:
                is_code = row["type"] == "exercise" or not row.get("teacher")
                origin = str(row.get("origin") or row.get("topic") or "")
                found.append(Extreme(entry["id"], entry["value"], text_of(row), is_code, origin, entry["id"] in kept))
        return tuple(found)

    return ValueView(facts, extremes(best), extremes(worst))
