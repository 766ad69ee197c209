"""Which problems of a benchmark have a similar document in a corpus: the paper's table 3, for any corpus."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.executors import SERIAL, Executor, blocks
from pipeline.records import Document, Problem

if TYPE_CHECKING:
    from pipeline.decontamination.trees import ProblemTrees

TAUS = (0.95, 0.9, 0.85, 0.8)
"""Match rates of Gunasekar et al. 2023, table 3."""


@dataclass(frozen=True, slots=True)
class ProblemMatch:
    """The document closest to a problem. rate: AST match rate in [0, 1]; 0.0, "" where none reaches the lowest tau."""

    task_id: str
    rate: float
    document_id: str


@dataclass(frozen=True, slots=True)
class Split:
    """A benchmark split by one tau: task ids with and without a document at match rate tau or more, in order."""

    tau: float
    similar: tuple[str, ...]
    non_similar: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Splits:
    """The closest document of every problem, and the split at each tau asked for."""

    closest: tuple[ProblemMatch, ...]
    by_tau: tuple[Split, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON: the closest document of each problem, and both halves at each tau."""
        return {
            "closest": [asdict(match) for match in self.closest],
            "by_tau": [
                {"tau": s.tau, "similar": list(s.similar), "non_similar": list(s.non_similar)} for s in self.by_tau
            ],
        }


def split(
    problems: Sequence[Problem],
    documents: Iterable[Document],
    taus: Sequence[float] = TAUS,
    executor: Executor = SERIAL,
) -> Splits:
    """Split `problems` into those with a similar document and those without, at each of `taus`.

    Among equally close documents the one with the smallest id is named, so the order of `documents` does not matter.
    executor: where documents are held against the problems; changes nothing in the result.
    """
    return splits({"": problems}, documents, taus, executor)[""]


def splits(
    benchmarks: Mapping[str, Sequence[Problem]],
    documents: Iterable[Document],
    taus: Sequence[float] = TAUS,
    executor: Executor = SERIAL,
) -> dict[str, Splits]:
    """`split` of several benchmarks, by name, in one pass over the documents."""
    from pipeline.decontamination.trees import ProblemTrees

    compare = _Compare({name: ProblemTrees(problems) for name, problems in benchmarks.items()}, min(taus))
    best: dict[tuple[str, str], ProblemMatch] = {}
    texts = ([(document.id, document.text) for document in block] for block in blocks(documents))
    for found in executor.map(compare, texts):
        for name, match in found:
            known = best.get((name, match.task_id))
            if known is None or (-match.rate, match.document_id) < (-known.rate, known.document_id):
                best[name, match.task_id] = match
    return {
        name: _split([best.get((name, p.task_id)) or ProblemMatch(p.task_id, 0.0, "") for p in problems], taus)
        for name, problems in benchmarks.items()
    }


@dataclass(frozen=True, slots=True)
class _Compare:
    """Holds blocks of (id, text) against the problems, in a form that can travel: matches with their benchmark."""

    trees: "Mapping[str, ProblemTrees]"
    least: float

    def __call__(self, block: Sequence[tuple[str, str]]) -> list[tuple[str, ProblemMatch]]:
        return [
            (name, ProblemMatch(match.problem.task_id, match.rate, document_id))
            for document_id, text in block
            for name, trees in self.trees.items()
            for match in trees.matches(text, self.least)
        ]


def _split(closest: Sequence[ProblemMatch], taus: Sequence[float]) -> Splits:
    return Splits(
        tuple(closest),
        tuple(
            Split(
                tau,
                tuple(match.task_id for match in closest if match.rate >= tau),
                tuple(match.task_id for match in closest if match.rate < tau),
            )
            for tau in taus
        ),
    )
