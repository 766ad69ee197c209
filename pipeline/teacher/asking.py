"""One teacher asked about any records: a judge about documents, an endpoint about problems."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

from pipeline.core.events import OnEvent, silent
from pipeline.core.money import Ledger
from pipeline.core.records import Message, Record
from pipeline.execution import Execution
from pipeline.teacher.engine import converse
from pipeline.teacher.protocol import Answer, Failure, Question, Teacher


def ask(
    questions: Iterable[tuple[Record, tuple[Message, ...]]],
    teacher: Teacher,
    *,
    journal: Path,
    execution: Execution,
    on_event: OnEvent = silent,
    reuse: Iterable[Path] = (),
    ledger: Ledger | None = None,
    total: int | None = None,
) -> Iterator[tuple[Record, Answer | Failure]]:
    """Ask one teacher about any records: a judge about documents, an endpoint about problems.

    Each (record, messages) gives one (record, result), in the order in which answers come. Journal, errors and
    resuming are those of `converse`. An answer that ran into `max_tokens` is an Answer with finish_reason "length".
    """
    conversation = converse(
        (Question(record, teacher.name, messages) for record, messages in questions),
        {teacher.name: teacher},
        journal=journal,
        execution=execution,
        on_event=on_event,
        reuse=reuse,
        ledger=ledger,
        total=total,
    )
    with closing(conversation):
        for outcome in conversation:
            yield outcome.question.record, outcome.result
