"""The stage `quality`: what is too short, repeats itself, holds secrets, or is not worth a student's time."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from pipeline.core.errors import HornbookError
from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.languages.base import Language
from pipeline.languages.finding import named
from pipeline.models.embeddings import Embedding
from pipeline.recipe import QualityTable
from pipeline.stages.quality import findings, heuristics
from pipeline.stages.quality.judge import Annotation
from pipeline.stages.quality.personal import personal
from pipeline.stages.quality.secrets import credentials
from pipeline.stages.quality.step import STEP
from pipeline.stages.quality.valuing import Selection, Valuation
from pipeline.work.protocol import SERIAL, Executor

Annotate = Callable[[Sequence[Document]], Sequence[Annotation]]
"""A judge's verdict on each document; one that comes twice in a row is judged twice."""
Find = Callable[[str, Language], Iterator[findings.Finding]]
"""What a rule finds in a text of a corpus in some language."""


def _unheard(valuation: Valuation) -> None:
    """For callers who want the records alone."""


@dataclass(frozen=True, slots=True)
class Quality:
    """Drop documents by heuristics, secrets and, where the recipe asks for it, predicted educational value.

    annotate and embed are needed where `table.classifier` is set, unless it names a model; embed also where
    `table.flatten` is below 1. seed: root of the choice of the annotated sample. about: what `embed` and `annotate`
    are, for the saved model. found: told what the classifier and the sampler did. executor: where the forest values the
    documents; changes nothing in the result. language: of the corpus. excluded: ids that are not wanted, each with the
    detail of its drop; the id of a record whose secrets are masked is looked for too.

    With "mask", secrets are replaced in the kept record, which then has a new id.

    What a crowded cluster gives up is dropped as "repeated": it says again what the documents kept of it say.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: QualityTable = field(default_factory=QualityTable)
    annotate: Annotate | None = None
    embed: Embedding | None = None
    seed: int = 0
    about: Mapping[str, Any] = field(default_factory=dict)
    found: Callable[[Valuation], None] = _unheard
    executor: Executor = SERIAL
    language: str = "python"
    excluded: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        whole = self.table.classifier or self.table.flatten < 1
        passed: list[Document] = []
        for document in records:
            outcome = self._judged(document)
            if isinstance(outcome, Dropped) or not whole or not self._is_valued(document):
                yield outcome
            else:
                passed.append(outcome.record)
        if whole and passed:
            yield from self._selected(passed)

    def _is_valued(self, document: Document) -> bool:
        raw = isinstance(document, Passage) and not document.completion_id
        return raw or self.table.valued == "all"

    def _judged(self, document: Document) -> Kept[Document] | Dropped:
        outcome = self._found(document)
        unwanted = self.excluded.get(document.id) or self.excluded.get(outcome.record.id)
        return Dropped(document, "excluded", unwanted) if unwanted else outcome

    def _found(self, document: Document) -> Kept[Document] | Dropped:
        text, table = document.text, self.table
        length = len(text.strip())
        if length < table.min_characters:
            return Dropped(document, "too-short", f"{length} < {table.min_characters} characters")
        detail = heuristics.repeated(text, table.max_repeated_lines)
        if detail:
            return Dropped(document, "repeated", detail)
        detail = heuristics.low_value(text, named(self.language).min_alphanumeric)
        if detail:
            return Dropped(document, "low-value", detail)
        return self._without_secrets(document)

    def _without_secrets(self, document: Document) -> Kept[Document] | Dropped:
        language = named(self.language)
        rules: list[tuple[str, Find]] = [
            (self.table.secrets, credentials),
            (self.table.personal_data, personal),
        ]
        text, masking = document.text, list[Find]()
        for treatment, find in rules:
            finding = None if treatment == "off" else next(find(text, language), None)
            if finding is None:
                continue
            if treatment == "drop":
                return Dropped(document, "secret", findings.described(text, finding))
            masking.append(find)
        if not masking:
            return Kept(document)
        return self._masked(document, masking)

    def _masked(self, document: Document, rules: Sequence[Find]) -> Kept[Document] | Dropped:
        """The document with marks in place of what `rules` find; dropped where that would break its code."""

        language = named(self.language)

        def clean(text: str) -> str:
            return findings.masked(text, [finding for find in rules for finding in find(text, language)])

        text = document.text
        whole = clean(text)
        if language.flaw(whole) and not language.flaw(text):
            finding = next(rules[0](text, language))
            return Dropped(document, "secret", f"{findings.described(text, finding)}; masked, the code would not parse")
        if isinstance(document, Exercise):
            prompt = clean(document.prompt)
            solution = whole[len(prompt) :] if whole.startswith(prompt) else clean(document.solution)
            return Kept(replace(document, prompt=prompt, solution=solution))
        return Kept(replace(document, text=whole))

    def _selected(self, documents: list[Document]) -> Iterator[Kept[Document] | Dropped]:
        if self.embed is None:
            raise HornbookError(
                "quality.classifier = true and quality.flatten < 1 need an embedding",
                hint="use a recipe and `hornbook run`, or set quality.classifier = false and quality.flatten = 1.0",
            )
        documents.sort(key=lambda document: document.id)
        selection = Selection(
            self.table, self.embed, self.annotate, self.seed, self.about, executor=self.executor, found=self.found
        )
        yield from selection(documents)
