"""Which problems of a benchmark have a similar document in a corpus: the paper's table 3, for any corpus."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from pipeline.core.records import Document, Problem
from pipeline.work.protocol import SERIAL, Executor, blocks

if TYPE_CHECKING:
    from pipeline.stages.decontaminated.forms import ComparedForms
    from pipeline.stages.decontaminated.trees import Compared, ProblemTrees

TAUS = (0.95, 0.9, 0.85, 0.8)
"""Match rates of Gunasekar et al. 2023, table 3."""


@dataclass(frozen=True, slots=True)
class ProblemMatch:
    """The document closest to a problem. rate: AST match rate in [0, 1]; 0.0, "" where none reaches the lowest tau."""

    task_id: str
    rate: float
    document_id: str


@dataclass(frozen=True, slots=True)
class Near:
    """A document that is close to problems at the lowest tau or more. matches: with the benchmark of the problem."""

    document_id: str
    matches: tuple[tuple[str, ProblemMatch], ...]


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
    from pipeline.stages.decontaminated.trees import ProblemTrees

    compare = _Compare({name: ProblemTrees(problems) for name, problems in benchmarks.items()}, min(taus))
    texts = ([(document.id, document.text) for document in block] for block in blocks(documents))
    return gathered(benchmarks, chain.from_iterable(executor.map(compare, texts)), taus)


def gathered(
    benchmarks: Mapping[str, Sequence[Problem]], near: Iterable[Near], taus: Sequence[float] = TAUS
) -> dict[str, Splits]:
    """`splits` of documents that were compared already. near: those that are close to a problem, in any order."""
    closest = Closest()
    for document in near:
        closest.add(document)
    return {
        name: _split([closest.of(name, p.task_id) for p in problems], taus) for name, problems in benchmarks.items()
    }


class Closest:
    """The closest document of each problem, whatever the order in which documents come."""

    def __init__(self) -> None:
        self._best: dict[tuple[str, str], ProblemMatch] = {}

    def add(self, document: Near) -> None:
        """Take in what a document is close to."""
        for name, match in document.matches:
            known = self._best.get((name, match.task_id))
            if known is None or (-match.rate, match.document_id) < (-known.rate, known.document_id):
                self._best[name, match.task_id] = match

    def of(self, benchmark: str, task_id: str) -> ProblemMatch:
        """The closest document of a problem, with rate 0.0 where none is close."""
        return self._best.get((benchmark, task_id)) or ProblemMatch(task_id, 0.0, "")


def near(document_id: str, compared: "Compared | ComparedForms", least: float) -> Near | None:
    """A document that was held against the problems of several benchmarks at once; None where it is close to none."""
    matches = tuple(
        (name, ProblemMatch(match.problem.task_id, match.rate, document_id))
        for name in compared.benchmarks()
        for match in compared.matches(least, name)
    )
    return Near(document_id, matches) if matches else None


@dataclass(frozen=True, slots=True)
class _Compare:
    """Holds blocks of (id, text) against the problems, in a form that can travel."""

    trees: "Mapping[str, ProblemTrees]"
    least: float

    def __call__(self, block: Sequence[tuple[str, str]]) -> list[Near]:
        found = []
        for document_id, text in block:
            matches = tuple(
                (name, ProblemMatch(match.problem.task_id, match.rate, document_id))
                for name, trees in self.trees.items()
                for match in trees.matches(text, self.least)
            )
            if matches:
                found.append(Near(document_id, matches))
        return found


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
