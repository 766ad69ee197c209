"""What is kept beyond what a recipe wants (`[want]`): dropped once all cleaning is done."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from pipeline.core.records import Document, Exercise
from pipeline.core.stage import Dropped, Kept, Stage
from pipeline.recipe_seeds import WantTable
from pipeline.stages.decontaminated.step import STEP
from pipeline.store.spool import Spool


def _unheard(document: Document) -> None:
    """For callers who want the records alone."""


@dataclass(frozen=True, slots=True)
class Enough:
    """A stage that keeps no more of the teachers' exercises and passages than `want` says; what it keeps beyond is
    dropped as surplus. Real code is not counted. The outcomes wait on disk until the last one has come.

    The topics that are most crowded give up most, and of a topic the documents with the largest ids, so that the order
    of the records changes nothing. kept: told of each document that is kept in the end.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    stage: Stage[Document, Document]
    want: WantTable
    kept: Callable[[Document], None] = _unheard

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        outcomes: Spool[Kept[Document] | Dropped] = Spool(memory=0)
        found: dict[type, dict[str, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
        for number, outcome in enumerate(self.stage(records)):
            outcomes.append(outcome)
            if isinstance(outcome, Kept) and outcome.record.teacher:
                found[type(outcome.record)][outcome.record.topic].append((outcome.record.id, number))
        surplus: dict[int, str] = {}
        for kind, topics in found.items():
            most = self.want.exercises if kind is Exercise else self.want.textbooks
            ranked = sorted((place, one) for ids in topics.values() for place, one in enumerate(sorted(ids)))
            for _, (_, number) in ranked[most or len(ranked) :]:
                surplus[number] = f"{len(ranked):,} are kept, {most:,} are wanted"
        for number, outcome in enumerate(outcomes):
            if number in surplus:
                yield Dropped(outcome.record, "surplus", surplus[number])
                continue
            if isinstance(outcome, Kept):
                self.kept(outcome.record)
            yield outcome
