"""The stage `decontaminated`: documents that overlap with a benchmark problem are dropped, and the problem is named."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from pipeline.errors import HornbookError
from pipeline.recipe import DecontaminatedTable
from pipeline.records import Document, Problem
from pipeline.stage import Dropped, Kept

Embed = Callable[[Sequence[str]], npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Decontaminate:
    """Drop documents that share an n-gram, a syntax tree or an embedding with one of `problems`.

    embed: (texts) -> (texts, features) float32; needed where `table.embedding` is below 1. A document is dropped for
    the first reason in the order n-gram, tree, embedding.
    """

    name: ClassVar[str] = "decontaminated"
    version: ClassVar[int] = 1
    reasons: ClassVar[frozenset[str]] = frozenset({"ngram-overlap", "tree-overlap", "embedding-overlap"})
    table: DecontaminatedTable = field(default_factory=DecontaminatedTable)
    problems: Sequence[Problem] = ()
    embed: Embed | None = None

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        from pipeline.decontamination.ngrams import ProblemNgrams
        from pipeline.decontamination.trees import ProblemTrees

        documents = list(records)
        if not self.problems:
            yield from map(Kept, documents)
            return
        table = self.table
        trees = ProblemTrees(self.problems)
        shared = ProblemNgrams(self.problems, table.ngram).matches([document.text for document in documents])
        left: list[Document] = []
        for document, overlap in zip(documents, shared, strict=True):
            if overlap is not None:
                words = overlap.words.count(" ") + 1
                detail = (
                    f"{overlap.problem.task_id}: {words} words >= {min(words, table.ngram)}, "
                    f'{overlap.share:.0%} of its n-grams: "{overlap.words}"'
                )
                yield Dropped(document, "ngram-overlap", detail)
                continue
            matches = trees.matches(document.text, table.tree)
            if matches:
                detail = f"{matches[0].problem.task_id}: AST match {matches[0].rate:.3f} >= {table.tree}"
                yield Dropped(document, "tree-overlap", detail)
            elif table.embedding < 1:
                left.append(document)
            else:
                yield Kept(document)
        if left:
            yield from self._by_embedding(left)

    def _by_embedding(self, documents: Sequence[Document]) -> Iterator[Kept[Document] | Dropped]:
        if self.embed is None:
            raise HornbookError(
                f"decontaminated.embedding = {self.table.embedding} needs an embedding model",
                hint="set decontaminated.embedding = 1.0 to go by n-grams and trees alone",
            )
        wanted = _unit(self.embed([problem.prompt + problem.canonical_solution for problem in self.problems]))
        for start in range(0, len(documents), 1_024):
            batch = documents[start : start + 1_024]
            cosines = _unit(self.embed([document.text for document in batch])) @ wanted.T
            for document, row in zip(batch, cosines, strict=True):
                closest = int(row.argmax())
                if row[closest] >= self.table.embedding:
                    problem = self.problems[closest]
                    detail = f"{problem.task_id}: cosine {row[closest]:.3f} >= {self.table.embedding}"
                    yield Dropped(document, "embedding-overlap", detail)
                else:
                    yield Kept(document)


def _unit(vectors: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: npt.NDArray[Any] = vectors / np.maximum(lengths, 1e-12)
    return unit
