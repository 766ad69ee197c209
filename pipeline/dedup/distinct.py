"""The stage `distinct`: of documents that are the same, nearly the same or renamed copies, one is kept.

Documents are taken in the order of the keeper rule (`keeper_key`), and each is compared with those kept before it.
So the document kept is the first of its kind by that rule whatever the order of the input, every drop is verified
against the very document that is kept (chains of resemblance cannot form), and a second pass drops nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from pipeline.dedup.clones import normal_form
from pipeline.recipe import DistinctTable
from pipeline.records import Document, Exercise
from pipeline.stage import Dropped, Kept

if TYPE_CHECKING:
    from pipeline.dedup.features import Features
    from pipeline.dedup.index import Index

BATCH_CHARACTERS = 2_000_000
"""Characters of a batch: about 20 MB of scratch memory per thread."""
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

    table: the recipe's settings. threads: how many batches are hashed at once; changes nothing in the result.
    index: documents kept before, from `Index.load`: they win over every new one, and the new ones kept are added to
    it. With an index the normal form of every document is worked out, so that `Index.save` can store it.

    Two exercises that differ in nothing but the constants of their code are never near-duplicates of each other:
    that difference is wanted. `max_constant_variants` caps how many such variants are kept, of any document.
    """

    name: ClassVar[str] = "distinct"
    version: ClassVar[int] = 1
    reasons: ClassVar[frozenset[str]] = frozenset({"exact-duplicate", "near-duplicate", "clone"})
    table: DistinctTable = field(default_factory=DistinctTable)
    threads: int = 1
    index: "Index | None" = None

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        from pipeline.dedup.index import Index

        ordered = sorted(records, key=keeper_key)
        run = _Run(self.table, self.index if self.index is not None else Index(self.table), self.index is not None)
        for batch, features in _featured(ordered, self.table, max(1, self.threads)):
            for i, document in enumerate(batch):
                yield run.outcome(document, features, i)


def _batches(documents: Sequence[Document]) -> Iterator[list[Document]]:
    batch: list[Document] = []
    characters = 0
    for document in documents:
        batch.append(document)
        characters += len(document.text)
        if characters >= BATCH_CHARACTERS or len(batch) >= BATCH_DOCUMENTS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def _featured(
    documents: Sequence[Document], table: DistinctTable, threads: int
) -> Iterator[tuple[list[Document], "Features"]]:
    """Batches with their features, in order; at most `threads` batches are worked on ahead."""
    from pipeline.dedup.features import features

    def work(batch: list[Document]) -> tuple[list[Document], "Features"]:
        return batch, features([document.text for document in batch], table)

    batches = _batches(documents)
    if threads == 1:
        yield from map(work, batches)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting = [pool.submit(work, batch) for batch in islice(batches, threads)]
        while waiting:
            result = waiting.pop(0).result()
            waiting.extend(pool.submit(work, batch) for batch in islice(batches, 1))
            yield result


@dataclass(slots=True)
class _Run:
    """One pass: the index, and the documents of this pass that were kept.

    kept: documents by their number in the index. variants: numbers of kept documents by normal form without constants.
    """

    table: DistinctTable
    index: "Index"
    eager: bool
    kept: dict[int, Document] = field(default_factory=dict)
    variants: dict[bytes, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number in range(len(self.index)):
            variant = self.index.variant(number)
            if variant:
                self.variants.setdefault(variant, []).append(number)

    def outcome(self, document: Document, features: "Features", i: int) -> Kept[Document] | Dropped:
        """Keep document `i` of the batch, or drop it for one kept before."""
        table, index = self.table, self.index
        twin = index.exact(features, i)
        if twin is not None:
            return self._dropped(document, "exact-duplicate", twin, 1.0, "equal text: 1.00 = 1.00")
        form: bytes | None = None
        variant: bytes | None = None
        matches = index.near(features, i)
        if matches and isinstance(document, Exercise):
            form, variant = normal_form(document.text), normal_form(document.text, constants=False)
            matches = [match for match in matches if not self._is_variant(match.number, form, variant)]
        if matches:
            best = matches[0]
            detail = f"{best.similarity:.2f} >= {table.similarity}"
            return self._dropped(document, "near-duplicate", best.number, best.similarity, detail)
        if table.clones:
            candidates = index.same_outline(features, i)
            if form is None and (candidates or (self.eager and features.outlines[i])):
                form = normal_form(document.text)
            twin = next((number for number in candidates if form and self._form(number) == form), None)
            if twin is not None:
                similarity = self._similarity(features, i, twin)
                return self._dropped(document, "clone", twin, similarity, f"equal normal form; text {similarity:.2f}")
        cap = table.max_constant_variants
        if cap and features.outlines[i]:
            variant = normal_form(document.text, constants=False) if variant is None else variant
            others = self.variants.get(variant, []) if variant else []
            if len(others) >= cap:
                similarity = self._similarity(features, i, others[0])
                detail = f"differs in constants only from {len(others)} kept >= {cap}; text {similarity:.2f}"
                return self._dropped(document, "clone", others[0], similarity, detail)
        number = index.add(features, i, document.id)
        self.kept[number] = document
        if self.eager and variant is None and isinstance(document, Exercise):
            variant = normal_form(document.text, constants=False)
        if form is not None:
            index.set_form(number, form)
        if variant is not None:
            index.set_variant(number, variant)
            if variant and cap:
                self.variants.setdefault(variant, []).append(number)
        return Kept(document)

    def _dropped(self, document: Document, reason: str, number: int, similarity: float, detail: str) -> Dropped:
        return Dropped(document, reason, detail, self.index.id(number), similarity)

    def _similarity(self, features: "Features", i: int, number: int) -> float:
        from pipeline.dedup.kernels import jaccard

        return float(jaccard(features.shingles(i), self.index.shingles(number)))

    def _is_variant(self, number: int, form: bytes, variant: bytes) -> bool:
        """Whether kept document `number` is an exercise that differs from these forms in its constants only."""
        return bool(variant) and self._variant(number) == variant and self._form(number) != form

    def _form(self, number: int) -> bytes:
        form = self.index.form(number)
        if form is None:
            form = normal_form(self.kept[number].text)
            self.index.set_form(number, form)
        return form

    def _variant(self, number: int) -> bytes:
        variant = self.index.variant(number)
        if variant is None:
            kept = self.kept[number]
            variant = normal_form(kept.text, constants=False) if isinstance(kept, Exercise) else b""
            self.index.set_variant(number, variant)
        return variant
