"""What the stage `quality` says in its manifest where it decided over the whole corpus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from pipeline.core.facts import Facts
from pipeline.stages.quality.evaluating import ClassifierReport


@dataclass(frozen=True, slots=True)
class QualityFacts(Facts):
    """What the value classifier and the sampler of crowded clusters did.

    classifier: how good it is, None without one; about: what it was trained with; reused: the folder that it is from,
    "" for trained here. limit: smallest value kept, of `valued` documents; values: a histogram of theirs over [0, 1].
    best, worst: "id" and "value" of ten documents each. diversity: Vendi scores before and after, and of how many
    documents; clusters: None where nothing was thinned. embedding: name of the model read with. judge: what its answers
    cost, as `pipeline.teacher.Spent` counts, None where none was asked.
    """

    classifier: ClassifierReport | None = None
    about: Mapping[str, Any] | None = None
    reused: str | None = None
    warnings: Sequence[str] | None = None
    limit: float | None = None
    valued: int | None = None
    values: Sequence[int] | None = None
    best: Sequence[Mapping[str, Any]] | None = None
    worst: Sequence[Mapping[str, Any]] | None = None
    diversity: Mapping[str, Any] | None = None
    clusters: Mapping[str, int] | None = None
    embedding: str | None = None
    judge: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """As a manifest holds them, by name."""
        return Facts.to_json(self) | {"classifier": self.classifier.to_json() if self.classifier else None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From a manifest; what it lacks is None."""
        report = data.get("classifier")
        found = cls(**{name: data.get(name) for name in cls.__dataclass_fields__})
        return replace(found, classifier=ClassifierReport.from_json(report) if report else None)
