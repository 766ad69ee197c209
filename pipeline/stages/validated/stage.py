"""Runs an exercise's tests and examples, and a passage's code, and drops what does not hold."""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import ClassVar

from pipeline.core.records import Document, Exercise, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.core.syntax import NO_PYTHON, tree_of
from pipeline.languages.fences import code_blocks
from pipeline.languages.python.examples import passage_program
from pipeline.recipe import AgreementTable, ValidatedTable
from pipeline.sandbox import Limits, Program, Sandbox, Verdict, reached
from pipeline.sandbox.docstrings import docstring_examples
from pipeline.sandbox.reduce import asserts_anything
from pipeline.sandbox.types import Mode
from pipeline.stages.validated import strength
from pipeline.stages.validated.agreement import agreed
from pipeline.stages.validated.step import STEP

REASON_OF = {
    "failed": "test-failed",
    "no-test": "no-test",
    "syntax-error": "syntax-error",
    "timeout-cpu": "timeout",
    "timeout-wall": "timeout",
    "memory": "crash",
    "crash": "crash",
    "early-exit": "crash",
    "output": "crash",
    "blocked": "crash",
    "uncomparable": "uncomparable",
}
"""Reason for each verdict but `passed`, and `infrastructure`, which stops the stage."""
BLOCK = 1024
"""Records between two waits of the sandbox for its last program."""


def limits_of(table: ValidatedTable) -> Limits:
    """The sandbox limits that a recipe asks for."""
    return Limits(cpu_seconds=table.cpu_seconds, memory_mb=table.memory_mb)


@dataclass(frozen=True, slots=True)
class Validate:
    """Keeps exercises whose solution passes its test and docstring examples, and passages whose code runs.

    A teacher's passage: all its Python blocks run in order as one program, and `>>>` examples show what the text says.
    Real code only has to parse; it is never run. A passage kept says how much of it was executed. An exercise with
    attempts gets its test by agreement first (`agreement.py`). Outcomes come in the order of the records. `sandbox` is
    opened for the duration of a call unless it is open.
    """

    name: ClassVar[str] = STEP.name
    reasons: ClassVar[Mapping[str, str]] = STEP.reasons
    table: ValidatedTable
    sandbox: Sandbox
    agreement: AgreementTable = field(default_factory=AgreementTable)

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        table = self.table
        if table.keep == "all":
            yield from map(Kept, records)
            return
        if table.keep == "failed":
            yield from map(_turned, self._judged(records))
            return
        if not table.mutants:
            yield from self._judged(records)
            return
        with self._brief() as second:
            yield from strength.measured(self._judged(records), table, second)

    def _brief(self) -> Sandbox:
        """Another sandbox, for what need not be waited for as long as for an exercise's own solution."""
        box = self.sandbox
        return Sandbox(strength.limits_of(self.table), workers=box.workers, mode=box.mode, packages=box.packages)

    def _judged(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        with contextlib.nullcontext() if self.sandbox.is_open else self.sandbox:
            records = iter(records)
            while block := list(islice(records, BLOCK)):
                yield from self._block(block)

    def _block(self, block: list[Document]) -> Iterator[Kept[Document] | Dropped]:
        """First what solutions agree on, then, of what that leaves, every test and example."""
        unsettled = [record for record in block if isinstance(record, Exercise) and record.attempts is not None]
        with self._brief() if unsettled else contextlib.nullcontext() as brief:
            settled = iter(list(agreed(unsettled, self.agreement, brief)) if brief else ())
        queue: deque[_Slot] = deque()
        waiting: deque[_Slot] = deque()
        for verdict in self.sandbox.run(self._programs(block, settled, queue, waiting)):
            slot = waiting.popleft()
            outcome = outcome_of(_executed(slot.record, slot.examples), verdict)
            slot.outcome = outcome if isinstance(outcome, Kept) else replace(outcome, record=slot.given)
            yield from _ready(queue)
        yield from _ready(queue)

    def _programs(
        self,
        block: list[Document],
        settled: Iterator[Kept[Exercise] | Dropped],
        queue: "deque[_Slot]",
        waiting: "deque[_Slot]",
    ) -> Iterator[Program]:
        for given in block:
            unsettled = isinstance(given, Exercise) and given.attempts is not None
            outcome = next(settled) if unsettled else None
            record = outcome.record if isinstance(outcome, Kept) else given
            slot = _Slot(given, record, outcome if isinstance(outcome, Dropped) else None)
            queue.append(slot)
            if slot.outcome is not None:
                continue
            work = self.prepare(record)
            if isinstance(work, Program):
                slot.examples = len(work.examples)
                waiting.append(slot)
                yield work
            else:
                slot.outcome = work

    def prepare(self, record: Document) -> Program | Kept[Document] | Dropped:
        """The program to run for a record, or its outcome where there is nothing to run."""
        if isinstance(record, Exercise):
            return self._exercise(record)
        if not record.completion_id:
            return _parsed(record)
        return passage_program(record.id, record.text) or self._unexecuted(record)

    def _unexecuted(self, passage: Passage) -> Kept[Document] | Dropped:
        record = _executed(passage, 0)
        if self.table.unexecuted == "keep":
            return Kept(record)
        blocks = len(code_blocks(passage.text))
        return Dropped(record, "not-executed", f"0 of {blocks} blocks are Python, at least 1 is required")

    def _exercise(self, exercise: Exercise) -> Program | Dropped:
        test = exercise.test
        if not _asserts(test):
            if self.table.require_test:
                return Dropped(
                    exercise, "no-test", f"0 assertions in a test of {len(test)} characters, at least 1 is required"
                )
            test = ""
        examples = docstring_examples(exercise.text, exercise.entry_point)
        return Program(exercise.id, exercise.text, exercise.entry_point, test, examples, self.table.require_test)


@dataclass(frozen=True, slots=True)
class ValidateBlocks:
    """`Validate` for records that have travelled: each call opens a sandbox of one worker where it is made.

    Raises SandboxUnavailable on a machine that cannot give what `mode` asks for, before any program is run.
    """

    name: ClassVar[str] = Validate.name
    reasons: ClassVar[Mapping[str, str]] = Validate.reasons
    table: ValidatedTable
    mode: Mode
    agreement: AgreementTable = field(default_factory=AgreementTable)

    def __call__(self, records: Iterable[Document]) -> Iterator[Kept[Document] | Dropped]:
        table = self.table
        with Sandbox(limits_of(table), workers=1, mode=self.mode, packages=table.packages) as sandbox:
            yield from Validate(table, sandbox, self.agreement)(records)


_FAILED = ("test-failed", "no-agreement")
"""Reasons of drops that `validated.keep = "failed"` keeps: programs that run, and do not do what was asked."""


def _turned(outcome: Kept[Document] | Dropped) -> Kept[Document] | Dropped:
    """Exercises that failed in place of those that passed; what is no exercise, or failed in another way, as it was."""
    record = outcome.record
    if not isinstance(record, Exercise):
        return outcome
    if isinstance(outcome, Kept):
        return Dropped(record, "passed", "1 of 1 tests passed, 0 are wanted")
    return Kept(replace(record, attempts=None)) if outcome.reason in _FAILED else outcome


@dataclass(slots=True)
class _Slot:
    """given: as it came, which is what a drop is of. record: with the test that was agreed on."""

    given: Document
    record: Document
    outcome: Kept[Document] | Dropped | None
    examples: int = 0


def _ready(queue: deque[_Slot]) -> Iterator[Kept[Document] | Dropped]:
    while queue and queue[0].outcome is not None:
        outcome = queue.popleft().outcome
        assert outcome is not None
        yield outcome


def _executed(record: Document, count: int) -> Document:
    """The record, which for a passage says how much of it was executed."""
    return replace(record, executed=count) if isinstance(record, Passage) else record


def outcome_of(record: Document, verdict: Verdict) -> Kept[Document] | Dropped:
    """What a verdict means for a record. Raises SandboxUnavailable for `infrastructure`."""
    if reached(verdict, f"judge {record.type} {record.id}").passed:
        return Kept(record)
    plain = verdict.verdict in ("failed", "no-test", "syntax-error", "uncomparable")
    detail = verdict.detail if plain else f"{verdict.verdict}: {verdict.detail}"
    return Dropped(record, REASON_OF[verdict.verdict], detail)


def _parsed(passage: Passage) -> Kept[Document] | Dropped:
    try:
        tree_of(passage.text)
    except NO_PYTHON as error:
        return Dropped(passage, "syntax-error", f"{type(error).__name__}: {error}"[:300])
    return Kept(_executed(passage, 0))


def _asserts(test: str) -> bool:
    """Whether `test` asserts anything; a test that does not parse is left to the sandbox, which says where."""
    try:
        return asserts_anything(tree_of(test))
    except NO_PYTHON:
        return True
