"""Asking teachers, from the consumer's thread: any questions of any teachers, or records of one teacher."""

import queue
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path

from pipeline.core.errors import Interrupted
from pipeline.core.events import OnEvent, silent
from pipeline.core.money import Ledger
from pipeline.core.records import Message, Record
from pipeline.execution import Execution
from pipeline.teacher.archive import Archive
from pipeline.teacher.engine import Engine
from pipeline.teacher.journal import Journal
from pipeline.teacher.progress import Progress
from pipeline.teacher.protocol import Answer, Failure, Outcome, Question, Teacher


def converse(
    questions: Iterable[Question],
    teachers: Mapping[str, Teacher],
    *,
    journal: Path,
    execution: Execution,
    on_event: OnEvent = silent,
    reuse: Iterable[Path] = (),
    ledger: Ledger | None = None,
    total: int | None = None,
) -> Generator[Outcome, None, None]:
    """Ask every question of its teacher: one outcome each, in the order in which answers come.

    journal: folder of this conversation's journal; what it holds already is not asked again. Equal messages asked of
    one teacher several times are so many samples of it. reuse: further journals (files or folders) whose answers may
    serve. ledger: to share a budget with other conversations; by default one with the budgets of `execution`, to
    which what the journal has paid for already counts.

    Raises StoreBusy if another process writes the journal, BudgetReached, AuthenticationError or another TeacherError
    when no teacher can go on, DiskFull, and Interrupted on Ctrl-C, each after draining what is in flight: those
    answers are in the journal and the next call goes on from there. Ctrl-C and SIGTERM wait for them for
    `engine.INTERRUPTED_SECONDS` at most, and a second Ctrl-C does not wait.
    """
    ledger = ledger or Ledger(execution.budget_usd, execution.budget_tokens)
    with ExitStack() as stack:
        book = stack.enter_context(Journal(journal))
        own = Archive([journal])
        stack.callback(own.close)
        others = Archive(place for place in reuse if place.resolve() != journal.resolve())
        stack.callback(others.close)
        ledger.charge(own.prompt_tokens, own.completion_tokens, own.usd)
        progress = Progress(on_event, total, ledger)
        engine = Engine(iter(questions), teachers, book, own, others, ledger, progress, execution.timeout_seconds)
        stack.callback(engine.join)
        stack.callback(engine.drain)
        yield from _outcomes(engine, progress)


def _outcomes(engine: Engine, progress: Progress) -> Iterator[Outcome]:
    unread: deque[Outcome] = deque()
    try:
        engine.start()
        while True:
            try:
                group = engine.outcomes.get(timeout=0.5)
            except queue.Empty:
                progress.tell(engine.in_flight, engine.doing)
                continue
            if group is None:
                break
            unread.extend(group)
            while unread:
                engine.consumed += 1
                yield unread.popleft()
            progress.tell(engine.in_flight, engine.doing)
    except KeyboardInterrupt:
        # What is drained goes to the consumer too: one that keeps answers in a place of its own needs them.
        yield from unread
        engine.hurry()
        yield from _drained(engine)
        waited = f"{engine.given_up} requests in flight were given up" if engine.given_up else _ALL
        raise Interrupted(
            f"interrupted after {progress.done} answers; {waited}",
            hint="run the same command again to go on: nothing that was answered is asked again",
        ) from None
    except GeneratorExit as left:
        if _interrupted(left):
            engine.hurry()
        raise
    engine.join()
    progress.tell(0, last=True)
    if engine.error is not None:
        raise engine.error


def _interrupted(left: BaseException) -> bool:
    """Whether a generator is left for Ctrl-C that came while its consumer was at work, be it through others."""
    cause = left.__context__
    while isinstance(cause, GeneratorExit):
        cause = cause.__context__
    return isinstance(cause, KeyboardInterrupt)


_ALL = "those in flight were waited for"


def _drained(engine: Engine) -> Iterator[Outcome]:
    engine.drain()
    try:
        while (group := engine.outcomes.get()) is not None:
            yield from group
    except KeyboardInterrupt:
        engine.abort()
    engine.join()


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
