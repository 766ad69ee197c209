"""Exercises of languages other than Python, by their domain's checker; the one that scores, too."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import ClassVar

from pipeline import checkers
from pipeline.checkers.protocol import BAD_CHECK, Checker, Means, Ruling
from pipeline.core.errors import SandboxUnavailable
from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.domains.domain import Domain
from pipeline.domains.items import item_of_test, terms_of
from pipeline.languages.fences import code_blocks
from pipeline.recipe import AgreementTable, ValidatedTable
from pipeline.stages.validated.step import STEP
from pipeline.stages.validated.voting import agreed

BLOCK = 1024
"""Records between two waits of the sandbox for its last program."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Keeps exercises that the checker finds right. One with attempts gets solution and check by agreement first
    (`voting.py`). A passage is not executed, and says so."""

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    domain: Domain
    table: ValidatedTable
    means: Means
    agreement: AgreementTable = field(default_factory=AgreementTable)

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        table = self.table
        terms = terms_of(self.domain, table.cpu_seconds, table.memory_mb, table.packages)
        records = iter(records)
        with checkers.named(self.domain.checker).make(terms, self.means) as checker:
            while block := list(islice(records, BLOCK)):
                yield from self._block(block, checker)

    def _block(self, block: list[Document], checker: Checker) -> Iterator[Kept[Document] | Dropped]:
        """First what solutions agree on, then every check."""
        unsettled = [record for record in block if isinstance(record, Exercise) and record.attempts is not None]
        settled = dict(zip(map(id, unsettled), agreed(unsettled, self.agreement, self.domain, checker), strict=True))
        asked: list[Exercise] = []
        for record in block:
            outcome = settled.get(id(record), Kept(record))
            if isinstance(outcome, Kept) and isinstance(outcome.record, Exercise):
                asked.append(outcome.record)
        items = (item_of_test(one.id, one.prompt, one.solution, one.test) for one in asked)
        rulings = zip(asked, checker.rule(items), strict=True)
        for record in block:
            outcome = settled.get(id(record), Kept(record))
            if isinstance(outcome, Dropped):
                yield outcome
            elif isinstance(record, Exercise):
                judged = outcome_of(*next(rulings))
                yield judged if isinstance(judged, Kept) else replace(judged, record=record)
            else:
                yield self._unexecuted(record)

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
