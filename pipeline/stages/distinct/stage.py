"""The stage `distinct`: of documents that are the same, nearly the same or renamed copies, one is kept.

Documents are taken in the order of the keeper rule (`keeper_key`), and each is compared with those kept before it.
So the document kept is the first of its kind by that rule whatever the order of the input, every drop is verified
against the very document that is kept (chains of resemblance cannot form), and a second pass drops nothing.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from pipeline.core.records import Document, Exercise
from pipeline.core.stage import Dropped, Kept
from pipeline.languages.python.normal_form import Wording, normal_form
from pipeline.recipe import DistinctTable
from pipeline.stages.distinct.code import Code
from pipeline.stages.distinct.step import STEP
from pipeline.store.spool import Texts, ordered
from pipeline.work.protocol import SERIAL, Executor, blocks

if TYPE_CHECKING:
    from pipeline.stages.distinct.features import Array, Features
    from pipeline.stages.distinct.index import Batch, Index

BATCH_CHARACTERS = 2_000_000
"""Characters of a batch: about 20 MB of scratch memory per worker."""
BATCH_DOCUMENTS = 2_048


def keeper_key(document: Document) -> tuple[int, str]:
    """The keeper rule: among duplicates, the smallest key is kept.

    An exercise whose tests the pipeline owns comes before one with its teacher's tests, that before a document
    without tests; equals are told apart by id, which is a hash of the content.
    """
    if isinstance(document, Exercise) and document.test.strip():
        return (0 if document.test_owner == "seed" else 1), document.id
    return 2, document.id


@dataclass(frozen=True, slots=True)
class Distinct:
    """Drop exact duplicates, near-duplicates and renamed clones.

    table: the recipe's settings. executor: where features and normal forms are worked out; changes nothing in the
    result. index: documents kept before, from `Index.load`: they win over every new one, and the new ones kept are
    added to it. language: of the corpus; outside Python clones are exercises whose solutions have equal normal forms.
    With an index the normal form of every document is worked out, so that `Index.save` can store it.

    Two exercises that differ in nothing but the constants of their code are never near-duplicates of each other:
    that difference is wanted. `max_constant_variants` caps how many such variants are kept, of any document. With
    `max_wordings` above 1, or 0 for any number, exercises whose docstrings say the same code in other words are no
    clones of each other up to that number; they do not count as variants, and near-duplicates they can still be. The
    wordings of documents that came with `index` are not known: a new exercise with the normal form of one is a clone in
    any words, so the same documents again keep nothing.

    `similarity` of a drop is under the measure that dropped it: exact Jaccard of the texts for a near-duplicate, 1.0
    for equal texts and for equal normal forms; the detail of a clone has the Jaccard of the texts too.

    The sort, the index and the verdicts are this process's. Memory: documents beyond `spool.MEMORY_CHARACTERS` wait on
    disk, and so do kept texts beyond the first 64 million characters. The index grows with the documents kept
    (`Index.nbytes`), and so do the numbers of kept exercises and variants, and the normal forms and wordings that were
    compared. With a parallel executor the forms it worked out and an entry for every outline stay too: they grow with
    all documents, dropped ones among them.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: DistinctTable = field(default_factory=DistinctTable)
    executor: Executor = SERIAL
    index: "Index | None" = None
    language: str = "python"

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        from pipeline.stages.distinct.index import Index

        table = self.table
        if table.duplicates == "keep":
            yield from map(Kept, records)
            return
        run = _Run(
            table, self.index if self.index is not None else Index(table), self.index is not None, Code(self.language)
        )
        batches = _featured(ordered(records, keeper_key), table, self.executor, run.code)
        if self.language == "python" and self.executor.parallel and (table.clones or table.max_constant_variants):
            batches = _with_forms(batches, run, self.executor)
        for batch, features in batches:
            yield from run.outcomes(batch, features)


Featured = tuple[list[Document], "Features"]


@dataclass(frozen=True, slots=True)
class _FeaturesOf:
    """`features` of a list of texts, in a form that can travel."""

    table: DistinctTable
    code: Code

    def __call__(self, texts: list[tuple[str, str]]) -> "Features":
        from pipeline.stages.distinct.features import features

        written = [text for text, _ in texts]
        if self.code.language == "python":
            return features(written, self.table)
        by_form = self.table.clones or self.table.max_constant_variants
        forms = [self.code.form(kept) if by_form else b"" for _, kept in texts]
        return features(written, self.table, [int.from_bytes(form[:4], "little") for form in forms])


def _featured(
    documents: Iterable[Document], table: DistinctTable, executor: Executor, code: Code
) -> Iterator[Featured]:
    """Batches with their features, in order."""
    sent: deque[list[Document]] = deque()

    def texts() -> Iterator[list[tuple[str, str]]]:
        for batch in blocks(documents, most=BATCH_DOCUMENTS, characters=BATCH_CHARACTERS):
            sent.append(batch)
            yield [(document.written, code.of(document)) for document in batch]

    for features in executor.map(_FeaturesOf(table, code), texts()):
        yield sent.popleft(), features


class Forms(NamedTuple):
    """Normal forms of a document, with and without constants; None for one that was not worked out."""

    form: bytes | None
    variant: bytes | None


class _Wanted(NamedTuple):
    text: str
    variant: bool


def _forms(wanted: list[_Wanted]) -> list[Forms]:
    return [Forms(normal_form(w.text), normal_form(w.text, constants=False) if w.variant else None) for w in wanted]


def _with_forms(batches: Iterator[Featured], run: "_Run", executor: Executor) -> Iterator[Featured]:
    """The same batches, after the normal forms that their documents may need have been worked out by the executor.

    Needed are those of exercises, and of texts whose outline came before. That is a superset: what this process asks
    for and does not find here, it works out itself.
    """
    first: dict[int, tuple[str, int]] = {}
    texts = Texts()
    sent: deque[tuple[Featured, list[str]]] = deque()

    def wanted() -> Iterator[list[_Wanted]]:
        for batch, features in batches:
            ids: list[str] = []
            asked: list[_Wanted] = []

            def ask(record_id: str, text: str, variant: bool, ids: list[str] = ids, to: list[_Wanted] = asked) -> None:
                ids.append(record_id)
                to.append(_Wanted(text, variant))

            for document, outline in zip(batch, features.outlines.tolist(), strict=True):
                variant = isinstance(document, Exercise) or bool(run.table.max_constant_variants)
                if not outline:
                    if isinstance(document, Exercise):
                        ask(document.id, document.text, True)
                    continue
                if run.eager or variant:
                    ask(document.id, document.text, variant)
                elif outline in first:
                    record_id, number = first[outline]
                    if number >= 0:
                        ask(record_id, texts[number], False)
                        first[outline] = record_id, -1
                    ask(document.id, document.text, False)
                else:
                    first[outline] = document.id, texts.append(document.text)
            sent.append(((batch, features), ids))
            yield asked

    for found in executor.map(_forms, wanted()):
        batch, ids = sent.popleft()
        run.known.update(zip(ids, found, strict=True))
        yield batch


@dataclass(slots=True)
class _Run:
    """One pass: the index, and what is known of the documents of this pass that were kept.

    texts: of the documents kept, those before `base` came with the index. exercises: their numbers that are exercises.
    by_form: numbers of kept documents by outline and normal form, of the outlines in `compared`, which came twice.
    variants: numbers of kept documents by normal form without constants, one of each normal form. wordings: what kept
    exercises say, where that was asked. known: forms that an executor worked out.
    """

    table: DistinctTable
    index: "Index"
    eager: bool
    code: Code
    base: int = 0
    texts: Texts = field(default_factory=Texts)
    exercises: set[int] = field(default_factory=set)
    compared: set[int] = field(default_factory=set)
    by_form: dict[tuple[int, bytes], list[int]] = field(default_factory=dict)
    variants: dict[bytes, list[int]] = field(default_factory=dict)
    wordings: dict[int, Wording] = field(default_factory=dict)
    known: dict[str, Forms] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.base = len(self.index)
        if self.table.max_constant_variants:
            counted: set[bytes | None] = set()
            for number in range(self.base):
                variant, form = self.index.variant(number), self.index.form(number)
                if variant and (not form or form not in counted):
                    counted.add(form)
                    self.variants.setdefault(variant, []).append(number)

    def outcomes(self, documents: list[Document], features: "Features") -> Iterator[Kept[Document] | Dropped]:
        """Keep each document of a batch, or drop it for one kept before."""
        from pipeline.stages.distinct.index import Batch
        from pipeline.stages.distinct.sieve import EXACT, KEPT

        batch = Batch(features, [document.id for document in documents])
        asks = self._asks(documents, features)
        at = 0
        while at < len(documents):
            stop = self.index.sift(batch, asks, at)
            judged = zip(documents[at:stop], *(column[at:stop].tolist() for column in batch.verdicts), strict=True)
            for i, (document, verdict, number, similarity) in enumerate(judged, at):
                if verdict == KEPT:
                    self._remember(document, number, bool(features.outlines[i]))
                    yield Kept(document)
                elif verdict == EXACT:
                    yield self._dropped(document, "exact-duplicate", number, 1.0, "equal text: 1.00 = 1.00")
                else:
                    yield self._near(document, number, similarity)
            if stop < len(documents):
                yield self._outcome(documents[stop], batch, stop)
            at = stop + 1

    def _asks(self, documents: list[Document], features: "Features") -> "Array":
        """(n,) uint8: which documents are not for the compiled loop, but for `_outcome`; see `sieve`."""
        import numpy as np

        from pipeline.stages.distinct.sieve import ALWAYS, IF_CLONE, IF_NEAR

        asks = np.full(len(documents), IF_CLONE, dtype=np.uint8)
        if self.eager or self.table.max_constant_variants:
            asks[features.outlines != 0] = ALWAYS
        for i, document in enumerate(documents):
            if isinstance(document, Exercise):
                asks[i] = ALWAYS if self.eager else max(asks[i], IF_NEAR)
        return asks

    def _outcome(self, document: Document, batch: "Batch", i: int) -> Kept[Document] | Dropped:
        """Keep document `i` of the batch, whose text is new, or drop it for one kept before."""
        table, index = self.table, self.index
        outlined = bool(batch.keys.outlines[i])
        form: bytes | None = None
        variant: bytes | None = None
        reworded = False
        matches = index.near(batch, i)
        if matches and isinstance(document, Exercise):
            form, variant = self._form_of(document), self._variant_of(document)
            matches = [match for match in matches if not self._is_variant(match.number, form, variant)]
        if matches:
            return self._near(document, matches[0].number, matches[0].similarity)
        if table.clones and outlined:
            candidates = index.has_outline(batch, i)
            if form is None and (candidates or self.eager):
                form = self._form_of(document)
            if form and candidates:
                twin, reworded, why = self._twin(document, self._twins(batch, i, form))
                if twin is not None:
                    detail = f"{why}; text {self._similarity(batch, i, twin):.2f}"
                    return self._dropped(document, "clone", twin, 1.0, detail)
        cap = table.max_constant_variants
        if cap and outlined and not reworded:
            variant = self._variant_of(document) if variant is None else variant
            others = self.variants.get(variant, []) if variant else []
            if len(others) >= cap:
                detail = (
                    f"differs in constants only from {len(others)} kept >= {cap}; "
                    f"text {self._similarity(batch, i, others[0]):.2f}"
                )
                return self._dropped(document, "clone", others[0], 1.0, detail)
        number = index.add(batch, i)
        self._remember(document, number, outlined)
        if self.eager and variant is None and isinstance(document, Exercise):
            variant = self._variant_of(document)
        if form is not None:
            index.set_form(number, form)
            outline = int(batch.keys.outlines[i])
            if outline in self.compared:
                self.by_form.setdefault((outline, form), []).append(number)
        if variant is not None:
            index.set_variant(number, variant)
            if variant and cap and not reworded:
                self.variants.setdefault(variant, []).append(number)
        return Kept(document)

    def _twins(self, batch: "Batch", i: int, form: bytes) -> list[int]:
        """Kept documents with the outline of document `i` and the normal form `form`, oldest first.

        Those of an outline are looked through once; the ones kept after that are put beside them as they come.
        """
        outline = int(batch.keys.outlines[i])
        if outline not in self.compared:
            self.compared.add(outline)
            for number in self.index.same_outline(batch, i):
                self.by_form.setdefault((outline, self._form(number)), []).append(number)
        return self.by_form.get((outline, form), [])

    def _twin(self, document: Document, twins: list[int]) -> tuple[int | None, bool, str]:
        """The document kept in place of this one, out of `twins` with its normal form; whether this one is a wording of
        theirs that is wanted; why it goes.

        A twin from before this pass has a wording that is not known, and counts as the same: else documents that a pass
        dropped would be kept when they come again.
        """
        cap = self.table.max_wordings
        same = "equal normal form: 1.00 = 1.00"
        if not twins:
            return None, False, ""
        if cap == 1 or not isinstance(document, Exercise):
            return twins[0], False, same
        said = self.code.wording(self.code.of(document))
        for number in twins:
            if number < self.base or number not in self.exercises or said.same(self._wording(number)):
                return number, False, same
        if cap and len(twins) >= cap:
            return twins[0], False, f"{len(twins)} wordings kept of an equal normal form >= {cap}"
        return None, True, ""

    def _wording(self, number: int) -> Wording:
        if number not in self.wordings:
            self.wordings[number] = self.code.wording(self._text(number))
        return self.wordings[number]

    def _remember(self, document: Document, number: int, outlined: bool) -> None:
        """What later documents may ask of this one, which is kept."""
        exercise = isinstance(document, Exercise)
        self.texts.append(self.code.of(document) if outlined or exercise else "")
        if exercise:
            self.exercises.add(number)

    def _near(self, document: Document, number: int, similarity: float) -> Dropped:
        detail = f"{similarity:.2f} >= {self.table.similarity}"
        return self._dropped(document, "near-duplicate", number, similarity, detail)

    def _dropped(self, document: Document, reason: str, number: int, similarity: float, detail: str) -> Dropped:
        return Dropped(document, reason, detail, self.index.id(number), similarity)

    def _similarity(self, batch: "Batch", i: int, number: int) -> float:
        from pipeline.core.shingles import jaccard

        return float(jaccard(batch.features.shingles(i), self.index.shingles(number)))

    def _is_variant(self, number: int, form: bytes, variant: bytes) -> bool:
        """Whether kept document `number` is an exercise that differs from these forms in its constants only."""
        return bool(variant) and self._variant(number) == variant and self._form(number) != form

    def _form_of(self, document: Document) -> bytes:
        known = self.known.get(document.id)
        return known.form if known is not None and known.form is not None else self._made(document, True)

    def _variant_of(self, document: Document) -> bytes:
        known = self.known.get(document.id)
        if known is not None and known.variant is not None:
            return known.variant
        return self._made(document, False)

    def _made(self, document: Document, constants: bool) -> bytes:
        return self.code.form(self.code.of(document), constants=constants)

    def _form(self, number: int) -> bytes:
        form = self.index.form(number)
        if form is None:
            known = self.known.get(self.index.id(number))
            form = known.form if known is not None else None
            if form is None:
                form = self.code.form(self._text(number)) if number >= self.base else b""
            self.index.set_form(number, form)
        return form

    def _variant(self, number: int) -> bytes:
        variant = self.index.variant(number)
        if variant is None:
            exercise = number in self.exercises
            variant = self.code.form(self._text(number), constants=False) if exercise else b""
            self.index.set_variant(number, variant)
        return variant

    def _text(self, number: int) -> str:
        return self.texts[number - self.base]
