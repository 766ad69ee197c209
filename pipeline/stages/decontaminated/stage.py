"""The stage `decontaminated`: documents that overlap with a benchmark problem are dropped, and the problem is named."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.errors import HornbookError
from pipeline.core.records import Document, Exercise, Passage, Problem
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import DecontaminatedTable
from pipeline.stages.decontaminated.split import TAUS, Near, near
from pipeline.stages.decontaminated.step import STEP
from pipeline.store.spool import Spool
from pipeline.work.protocol import SERIAL, Executor, blocks

if TYPE_CHECKING:
    from pipeline.stages.decontaminated.forms import ProblemForms
    from pipeline.stages.decontaminated.ngrams import Gram, NgramMatch, ProblemNgrams
    from pipeline.stages.decontaminated.trees import ProblemTrees, TreeMatch

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]
EMBED_DOCUMENTS = 1_024


def _unheard(document: Near) -> None:
    """For callers who want the records alone."""


@dataclass(frozen=True, slots=True)
class Decontaminate:
    """Drop documents that share an n-gram, a syntax tree or an embedding with one of `problems`.

    embed: (texts) -> (texts, features) float32; needed where `table.embedding` is below 1. A document is dropped for
    the first reason in the order n-gram, tree, embedding. executor: where documents are held against the problems;
    changes nothing in the result. Outcomes come in the order of the records. similar: told, just before it is kept, of
    each document that is close to problems at the lowest of `split.TAUS` or more, so that a split of the benchmarks
    (`split.gathered`) needs no second comparison.

    Which n-grams are stock phrases of the corpus is counted over all documents, so each waits for the last one, on
    disk beyond `spool.MEMORY_CHARACTERS`. Copies of one text make no stock phrase: among the documents that hold one,
    near-duplicates count once. language: of the corpus; outside Python, solutions are compared in their own language.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: DecontaminatedTable = field(default_factory=DecontaminatedTable)
    problems: Sequence[Problem] = ()
    embed: Embed | None = None
    executor: Executor = SERIAL
    similar: Callable[[Near], None] = _unheard
    language: str = "python"

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        from pipeline.stages.decontaminated.forms import ProblemForms
        from pipeline.stages.decontaminated.ngrams import ProblemNgrams
        from pipeline.stages.decontaminated.trees import ProblemTrees

        if not self.problems:
            yield from map(Kept, records)
            return
        if self.table.embedding < 1 and self.embed is None:
            raise HornbookError(
                f"decontaminated.embedding = {self.table.embedding} needs an embedding model",
                hint="set decontaminated.embedding = 1.0 to go by n-grams and trees alone",
            )
        ngrams = ProblemNgrams(self.problems, self.table.ngram)
        python = self.language == "python"
        trees = ProblemTrees(self.problems) if python else ProblemForms(self.problems, self.language)
        compare = _Compare(ngrams, trees, self.table.tree)
        documents: Spool[Document] = Spool()
        found: dict[int, _Found] = {}
        close: Spool[Near] = Spool()
        for seen in self.executor.map(compare, _texts(records, documents, self.language)):
            found.update((seen.start + place, what) for place, what in seen.found.items())
            for one in seen.near:
                close.append(one)
        shared = self._shared(ngrams, found, documents)
        if self.table.embedding < 1:
            outcomes = self._by_embedding(documents, found, shared)
        else:
            outcomes = (
                self._exactly(n, document, found, shared) or Kept(document) for n, document in enumerate(documents)
            )
        told = iter(close)
        next_one = next(told, None)
        for outcome in outcomes:
            if next_one is not None and outcome.record.id == next_one.document_id:
                if isinstance(outcome, Kept):
                    self.similar(next_one)
                next_one = next(told, None)
            yield outcome

    def _shared(
        self, ngrams: "ProblemNgrams", found: "dict[int, _Found]", documents: Spool[Document]
    ) -> "dict[int, NgramMatch]":
        numbers = [number for number, what in found.items() if what.grams]

        def counted() -> list[bool]:
            from pipeline.stages.distinct.stage import Distinct

            wanted = set(numbers)
            holding = {n: Passage(text=d.written, topic=str(n)) for n, d in enumerate(documents) if n in wanted}
            kept = {o.record.id for o in Distinct()(holding.values()) if isinstance(o, Kept)}
            return [holding[n].id in kept for n in numbers]

        decided = ngrams.decided([found[number].grams for number in numbers], counted, len(documents))
        return {number: match for number, match in zip(numbers, decided, strict=True) if match is not None}

    def _exactly(
        self, number: int, document: Document, found: "dict[int, _Found]", shared: "dict[int, NgramMatch]"
    ) -> Dropped | None:
        """The drop of a document for its words or its tree, or None."""
        match = shared.get(number)
        if match is not None:
            words = match.words.count(" ") + 1
            detail = (
                f"{match.problem.task_id}: {words} words >= {min(words, self.table.ngram)}, "
                f'{match.share:.0%} of its n-grams: "{match.words}"'
            )
            return Dropped(document, "ngram-overlap", detail)
        tree = found[number].tree if number in found else None
        if tree is not None:
            where = f"{tree.name or 'the whole text'}, line {tree.line}"
            detail = f"{tree.problem.task_id}: AST match {tree.rate:.3f} >= {self.table.tree} ({where})"
            if tree.why:
                detail += f", {tree.why}"
            return Dropped(document, "tree-overlap", detail)
        return None

    def _by_embedding(
        self, documents: Spool[Document], found: "dict[int, _Found]", shared: "dict[int, NgramMatch]"
    ) -> Iterator[Kept[Document] | Dropped]:
        assert self.embed is not None
        wanted = _unit(self.embed([problem.prompt + problem.canonical_solution for problem in self.problems]))
        number = 0
        for batch in blocks(documents, most=EMBED_DOCUMENTS):
            drops = [self._exactly(number + i, document, found, shared) for i, document in enumerate(batch)]
            number += len(batch)
            left = [document for document, drop in zip(batch, drops, strict=True) if drop is None]
            cosines = iter(_unit(self.embed([document.text for document in left])) @ wanted.T if left else ())
            for document, drop in zip(batch, drops, strict=True):
                yield drop or self._judged(document, next(cosines))

    def _judged(self, document: Document, cosines: npt.NDArray[Any]) -> Kept[Document] | Dropped:
        closest = int(cosines.argmax())
        if cosines[closest] < self.table.embedding:
            return Kept(document)
        detail = f"{self.problems[closest].task_id}: cosine {cosines[closest]:.3f} >= {self.table.embedding}"
        return Dropped(document, "embedding-overlap", detail)


class _Found(NamedTuple):
    """What one document shares with the problems."""

    grams: "tuple[Gram, ...]"
    tree: "TreeMatch | None"


class _Seen(NamedTuple):
    """What the documents from number `start` share, by their place in the block; most share nothing.

    near: those that are close to a problem, in their order.
    """

    start: int
    found: dict[int, _Found]
    near: list[Near]


@dataclass(frozen=True, slots=True)
class _Compare:
    """Holds blocks of (id, text) against the problems, in a form that can travel."""

    ngrams: "ProblemNgrams"
    trees: "ProblemTrees | ProblemForms"
    least: float

    def __call__(self, block: tuple[int, list["_Text"]]) -> _Seen:
        start, documents = block
        seen = _Seen(start, {}, [])
        grams = self.ngrams.hits([text.written for text in documents])
        for place, ((document_id, _, code), shared) in enumerate(zip(documents, grams, strict=True)):
            compared = self.trees.compared(code, min(self.least, *TAUS))
            tree = next(iter(compared.matches(self.least)), None)
            if shared or tree is not None:
                seen.found[place] = _Found(shared, tree)
            close = near(document_id, compared, min(TAUS))
            if close is not None:
                seen.near.append(close)
        return seen


class _Text(NamedTuple):
    """What of a document is compared: its own words, and its code, which in Python is all of it."""

    id: str
    written: str
    code: str


def _texts(records: Iterable[Document], documents: Spool[Document], language: str) -> Iterator[tuple[int, list[_Text]]]:
    """Blocks of texts with the number of their first, as the records go into `documents`."""
    python = language == "python"
    for block in blocks(records):
        start = len(documents)
        for document in block:
            documents.append(document)
        yield (
            start,
            [_Text(d.id, d.written, d.solution if isinstance(d, Exercise) and not python else d.text) for d in block],
        )


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[Any] = vectors / np.maximum(lengths, 1e-12)
    return unit
