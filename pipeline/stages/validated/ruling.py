"""Exercises of languages other than Python, by their domain's checker; the one that scores, too."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from pipeline import checkers
from pipeline.checkers.protocol import BAD_CHECK, Item, Means, Ruling
from pipeline.core.errors import SandboxUnavailable
from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.domains.domain import Domain
from pipeline.domains.items import item_of_test, terms_of
from pipeline.languages.fences import code_blocks
from pipeline.recipe import ValidatedTable
from pipeline.stages.validated.step import STEP


@dataclass(frozen=True, slots=True)
class Rule:
    """Keeps exercises that the checker finds right. A passage is not executed, and says so."""

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    domain: Domain
    table: ValidatedTable
    means: Means

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        table = self.table
        terms = terms_of(self.domain, table.cpu_seconds, table.memory_mb, table.packages)
        waiting: deque[Document] = deque()

        def items() -> Iterator[Item]:
            for record in records:
                waiting.append(record)
                if isinstance(record, Exercise):
                    yield item_of_test(record.id, record.prompt, record.solution, record.test)

        with checkers.named(self.domain.checker).make(terms, self.means) as checker:
            for ruling in checker.rule(items()):
                while not isinstance(waiting[0], Exercise):
                    yield self._unexecuted(waiting.popleft())
                yield outcome_of(waiting.popleft(), ruling)
            while waiting:
                yield self._unexecuted(waiting.popleft())

    def _unexecuted(self, passage: Document) -> Kept[Document] | Dropped:
        assert isinstance(passage, Passage)
        record = replace(passage, executed=0)
        if self.table.unexecuted == "keep":
            return Kept(record)
        blocks = len(code_blocks(passage.text))
        return Dropped(record, "not-executed", f"0 of {blocks} blocks were run, at least 1 is required")


def outcome_of(record: Document, ruling: Ruling) -> Kept[Document] | Dropped:
    """What a ruling means for an exercise; the checker's own word for it begins the detail.

    Raises SandboxUnavailable where the machine could not judge.
    """
    if ruling.passed:
        return Kept(record)
    if ruling.passed is None and ruling.reason != BAD_CHECK:
        raise SandboxUnavailable(
            f"the checker could not judge exercise {record.id}: {ruling.detail}", hint="`hornbook doctor` says why"
        )
    known = ruling.reason in STEP.reasons
    detail = ruling.detail if known else f"{ruling.reason}: {ruling.detail}"
    return Dropped(record, ruling.reason if known else "test-failed", detail)
