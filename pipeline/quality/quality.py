"""The stage `quality`: what is too short, repeats itself, holds secrets, or is not worth a student's time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import HornbookError
from pipeline.quality import heuristics, secrets
from pipeline.recipe import QualityTable
from pipeline.records import Document, Exercise
from pipeline.stage import Dropped, Kept

Annotate = Callable[[Sequence[Document]], Sequence[float | None]]
"""Educational value of each document in [0, 10] by a judge; None where the judge gave no usable answer."""
Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
"""(texts, features) float32 embedding of each text."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Drop documents by heuristics, secrets and, where the recipe asks for it, predicted educational value.

    annotate and embed are needed where `table.classifier` is set. seed: root of the choice of the annotated sample.
    With "mask", secrets are replaced in the kept record, which then has a new id.
    """

    name: ClassVar[str] = "quality"
    version: ClassVar[int] = 1
    reasons: ClassVar[frozenset[str]] = frozenset({"repeated", "too-short", "low-value", "secret"})
    table: QualityTable = field(default_factory=QualityTable)
    annotate: Annotate | None = None
    embed: Embed | None = None
    seed: int = 0

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        passed: list[Document] = []
        for document in records:
            outcome = self._judged(document)
            if isinstance(outcome, Dropped) or not self.table.classifier:
                yield outcome
            else:
                passed.append(outcome.record)
        if self.table.classifier and passed:
            yield from self._classified(passed)

    def _judged(self, document: Document) -> Kept[Document] | Dropped:
        text, table = document.text, self.table
        length = len(text.strip())
        if length < table.min_characters:
            return Dropped(document, "too-short", f"{length} < {table.min_characters} characters")
        detail = heuristics.repeated(text, table.max_repeated_lines)
        if detail:
            return Dropped(document, "repeated", detail)
        detail = heuristics.low_value(text)
        if detail:
            return Dropped(document, "low-value", detail)
        return self._without_secrets(document)

    def _without_secrets(self, document: Document) -> Kept[Document] | Dropped:
        rules = [
            (self.table.secrets, secrets.credentials),
            (self.table.personal_data, secrets.personal),
        ]
        masking: list[Callable[[str], Iterator[secrets.Finding]]] = []
        for treatment, find in rules:
            if treatment == "off":
                continue
            finding = next(find(document.text), None)
            if finding is None:
                continue
            if treatment == "drop":
                return Dropped(document, "secret", secrets.described(document.text, finding))
            masking.append(find)
        if not masking:
            return Kept(document)

        def clean(text: str) -> str:
            return secrets.masked(text, [finding for find in masking for finding in find(text)])

        if isinstance(document, Exercise):
            return Kept(replace(document, prompt=clean(document.prompt), solution=clean(document.solution)))
        return Kept(replace(document, text=clean(document.text)))

    def _classified(self, documents: Sequence[Document]) -> Iterator[Kept[Document] | Dropped]:
        from pipeline.quality.classifier import fit

        if self.annotate is None or self.embed is None:
            raise HornbookError(
                "quality.classifier = true needs a judge and an embedding",
                hint="name a teacher in quality.judge, or set quality.classifier = false",
            )
        model = fit(documents, self.annotate, self.embed, sample=self.table.annotate, seed=self.seed)
        values = model.values(self.embed([document.text for document in documents]))
        limit = float(np.quantile(values, 1 - self.table.keep_quantile)) if self.table.keep_quantile else np.inf
        for document, value in zip(documents, values, strict=True):
            if value < limit:
                yield Dropped(document, "low-value", f"predicted value {value:.3f} < {limit:.3f}")
            else:
                yield Kept(document)
