"""Which problems of a benchmark have a similar document in a corpus: the paper's table 3, for any corpus."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pipeline.records import Document, Problem

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


def split(problems: Sequence[Problem], documents: Iterable[Document], taus: Sequence[float] = TAUS) -> Splits:
    """Split `problems` into those with a similar document and those without, at each of `taus`.

    Among equally close documents the one with the smallest id is named, so the order of `documents` does not matter.
    """
    from pipeline.decontamination.trees import ProblemTrees

    trees = ProblemTrees(problems)
    best: dict[str, tuple[float, str]] = {}
    for document in documents:
        for match in trees.matches(document.text, min(taus)):
            rate, document_id = best.get(match.problem.task_id, (0.0, ""))
            if match.rate > rate or (match.rate == rate and document.id < document_id):
                best[match.problem.task_id] = (match.rate, document.id)
    closest = tuple(ProblemMatch(p.task_id, *best.get(p.task_id, (0.0, ""))) for p in problems)
    return Splits(
        closest,
        tuple(
            Split(
                tau,
                tuple(match.task_id for match in closest if match.rate >= tau),
                tuple(match.task_id for match in closest if match.rate < tau),
            )
            for tau in taus
        ),
    )
