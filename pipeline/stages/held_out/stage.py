"""The stage `held-out`: exercises are drawn from the corpus as problems, before anything is trained on it.

A student is asked what its own teacher asks, but nothing that it has read: what is drawn leaves the corpus, so do the
exercises whose function has the name of a problem's, and the stage after it, `decontaminated`, compares all that is
left with the problems by wording and by tree, as with any other benchmark.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from pipeline.core.errors import EmptyCorpus
from pipeline.core.identity import rng_seed
from pipeline.core.known import HELD_OUT
from pipeline.core.records import Document, Exercise, Problem
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe import HeldOutTable
from pipeline.stages.held_out.step import STEP
from pipeline.store.spool import Spool


class Candidate(NamedTuple):
    """An exercise that may be drawn: its id, its topic and the name of its function."""

    id: str
    topic: str
    name: str


def drawn(candidates: Iterable[Candidate], most: int, seed: int) -> tuple[str, ...]:
    """Ids of at most `most` of the candidates: one of each topic before a second of any, no two of one name.

    Which they are depends on the ids, topics and names alone, not on the order of the candidates.
    """

    def rank(*parts: str) -> int:
        return rng_seed(seed, "held-out", *parts)

    topics: dict[str, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        topics[candidate.topic].append(candidate)
    hands = [sorted(topics[topic], key=lambda one: rank("id", one.id)) for topic in sorted(topics)]
    hands.sort(key=lambda hand: rank("topic", hand[0].topic))
    names: set[str] = set()
    chosen: list[str] = []
    while any(hands) and len(chosen) < most:
        for hand in hands:
            one = next((one for one in hand if not one.name or one.name not in names), None)
            if one is None:
                hand.clear()
            elif len(chosen) < most:
                hand.remove(one)
                names.add(one.name)
                chosen.append(one.id)
    return tuple(chosen)


def problem_of(exercise: Exercise, benchmark: str = HELD_OUT) -> Problem:
    """The problem that an exercise is, by its id."""
    return Problem(
        benchmark=benchmark,
        task_id=exercise.id,
        prompt=exercise.prompt,
        entry_point=exercise.entry_point,
        test=exercise.test,
        canonical_solution=exercise.solution,
    )


@dataclass(slots=True)
class HoldOut:
    """Documents to the documents that may be trained on. The documents wait on disk until the last one has come.

    problems: what was drawn, in the order of the documents; those that it holds before are kept back, and nothing is
    drawn. Raises EmptyCorpus where the corpus has no exercise with a test that could be drawn.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: HeldOutTable
    seed: int = 0
    problems: list[Problem] = field(default_factory=list)

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        if self.problems:
            yield from self._kept_back(records)
            return
        documents: Spool[Document] = Spool()
        candidates: list[Candidate] = []
        for document in records:
            documents.append(document)
            # An exercise in other words is there or not by the recipe; what is asked does not depend on it.
            if isinstance(document, Exercise) and document.test and not document.wording:
                candidates.append(Candidate(document.id, document.topic, document.entry_point))
        most = min(self.table.problems, int(self.table.share * len(candidates)))
        chosen = frozenset(drawn(candidates, most, self.seed))
        if documents and not chosen:
            raise EmptyCorpus(
                f"held_out.share = {self.table.share:g} of {len(candidates)} exercises with tests is less than one "
                "problem",
                hint="make more exercises, raise held_out.share, or take 'held-out' out of evaluation.benchmarks",
            )
        names = {one.name: one.id for one in candidates if one.id in chosen and one.name}
        for document in documents:
            if document.id in chosen:
                assert isinstance(document, Exercise)
                self.problems.append(problem_of(document))
                yield Dropped(document, "held-out", f"problem {len(self.problems)} of {len(chosen)}")
            else:
                yield _unlike(document, names)

    def _kept_back(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        """Without the problems that there are already, each by its id."""
        names = {problem.entry_point: problem.task_id for problem in self.problems if problem.entry_point}
        place = {problem.task_id: number for number, problem in enumerate(self.problems, 1)}
        for document in records:
            if document.id in place:
                yield Dropped(document, "held-out", f"problem {place[document.id]} of {len(place)}")
            else:
                yield _unlike(document, names)


def _unlike(document: Document, names: Mapping[str, str]) -> Kept[Document] | Dropped:
    """The document, unless its function has the name of a problem's. names: name -> the problem's id."""
    if isinstance(document, Exercise) and document.entry_point in names:
        detail = f"{document.entry_point} is the function of problem {names[document.entry_point]}"
        return Dropped(document, "same-name", detail)
    return Kept(document)
