"""Where questions meet teachers: one thread with an event loop, one lane for each teacher, one journal for all.

The caller's thread pulls outcomes out of a generator; the loop's thread reads questions as lanes get hungry, looks
each up in the journals, hands it to its lane, journals the answer and passes it on. Both ends are bounded: questions
are read only as fast as they are answered, answers only as fast as they are consumed, so memory does not grow with
the number of questions.
"""

import asyncio
import queue
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import HornbookError, RecipeError
from pipeline.core.events import Event
from pipeline.core.money import Ledger
from pipeline.teacher.archive import Archive
from pipeline.teacher.index import Table
from pipeline.teacher.journal import Journal
from pipeline.teacher.lines import Entry, encode, entry_of, read
from pipeline.teacher.progress import Progress
from pipeline.teacher.protocol import (
    Answer,
    Failure,
    Lane,
    Outcome,
    Question,
    Reply,
    Teacher,
    Ticket,
    messages_digest,
)

_MOST_WAITING = 4096
"""Questions read ahead, over all lanes, while one lane is slower than another."""
_MOST_UNREAD = 4096
"""Outcomes that wait for the consumer before reading on."""
_SLICE = 128
"""Questions read in one turn of the loop, so that sockets are served in between."""
_FLUSH_SECONDS = 0.02
"""Outcomes go to the consumer's thread in groups this far apart: a switch of threads costs as much as a parse."""
_TICK_SECONDS = 0.25


class _Desk:
    """One lane's side of the engine (see `protocol.Desk`)."""

    def __init__(self, engine: "Engine", teacher: Teacher) -> None:
        self.engine = engine
        self.teacher = teacher
        self.waiting: deque[Ticket] = deque()
        self.asked = Table()
        self.lane: Lane = teacher.lane(self)
        self.unasked = 0
        self.broke = False

    @property
    def draining(self) -> bool:
        return self.engine.draining

    @property
    def exhausted(self) -> bool:
        return self.engine.exhausted and not self.waiting

    @property
    def ledger(self) -> Ledger:
        return self.engine.ledger

    @property
    def folder(self) -> Path:
        return self.engine.journal.folder

    @property
    def hungry(self) -> bool:
        return not self.broke and len(self.waiting) < self.lane.appetite

    def take(self) -> Ticket | None:
        if self.hungry:
            self.engine.feed_soon()
        if not self.waiting:
            return None
        self.engine.waiting -= 1
        return self.waiting.popleft()

    def put_back(self, ticket: Ticket) -> None:
        self.engine.waiting += 1
        self.waiting.appendleft(ticket)

    def answered(self, ticket: Ticket, reply: Reply) -> None:
        entry = self._journal(ticket.messages, ticket.number, reply)
        if entry is not None:
            self.engine.finish(ticket.question, read(entry, earlier=not self.teacher.journalled))

    def record(self, messages: str, number: int, reply: Reply) -> None:
        if self.engine.stored(self.teacher, messages, number) is None:
            self._journal(messages, number, reply)

    def _journal(self, messages: str, number: int, reply: Reply) -> Entry | None:
        entry = entry_of(messages, number, reply)
        if self.teacher.journalled:
            try:
                self.engine.journal.append(encode(entry, reply.raw))
            except HornbookError as error:
                self.engine.stop(error)
                return None
            self.engine.progress.charge(self.ledger, entry)
        return entry

    def failed(self, ticket: Ticket, failure: Failure) -> None:
        self.engine.finish(ticket.question, failure)

    def unaffordable(self, ticket: Ticket, *, all_are: bool) -> None:
        self.unasked += 1
        self.broke = self.broke or all_are
        self.engine.left_unasked()

    def rate_limited(self) -> None:
        self.engine.progress.rate_limited += 1

    def tell(self, event: Event) -> None:
        self.engine.progress.events.append(event)

    def stop(self, error: Exception) -> None:
        self.engine.stop(error)


class _Stored(NamedTuple):
    """An answer found in a journal. earlier: in one of another conversation."""

    entry: Entry
    earlier: bool


INTERRUPTED_SECONDS = 8.0
"""Longest wait, after Ctrl-C or SIGTERM, for answers that are on their way and may be paid for: Docker ends a process
by force after ten seconds, Slurm and Kubernetes after thirty."""


class Engine:
    """The loop's thread and everything that only it touches."""

    def __init__(
        self,
        questions: Iterator[Question],
        teachers: Mapping[str, Teacher],
        journal: Journal,
        own: Archive,
        others: Archive,
        ledger: Ledger,
        progress: Progress,
        drain_seconds: float,
    ) -> None:
        self._questions = questions
        self.journal = journal
        self._archives = [archive for archive in (own, others) if archive.answers]
        self._others = others
        self.ledger = ledger
        self.progress = progress
        self._drain_seconds = drain_seconds
        self.draining = False
        self.exhausted = False
        self.waiting = 0
        self.error: BaseException | None = None
        self.outcomes: queue.SimpleQueue[list[Outcome] | None] = queue.SimpleQueue()
        self.consumed = 0
        self._produced = 0
        self._open = 0
        self._unsent: list[Outcome] = []
        self._feeding = False
        self._aborted = False
        self._due = 0
        self._started = threading.Event()
        self._desks = {name: _Desk(self, teacher) for name, teacher in teachers.items()}
        self._asks = any(teacher.journalled for teacher in teachers.values())
        self._most_waiting = max(_MOST_WAITING, 2 * sum(desk.lane.appetite for desk in self._desks.values()))
        self._thread = threading.Thread(target=self._run, name="teachers", daemon=True)

    @property
    def in_flight(self) -> int:
        return sum(desk.lane.in_flight for desk in self._desks.values())

    @property
    def given_up(self) -> int:
        """Requests that were in flight when the engine was stopped, and gave no outcome."""
        return max(0, self._due - self._produced)

    @property
    def doing(self) -> str:
        return "; ".join(filter(None, (desk.lane.doing for desk in self._desks.values())))

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    def hurry(self) -> None:
        """From the consumer's thread, before `drain`: wait no longer than `INTERRUPTED_SECONDS` for what is in flight.

        Who interrupts a run ends it by force soon after, be it a person, Slurm or a container's runtime.
        """
        self._drain_seconds = min(self._drain_seconds, INTERRUPTED_SECONDS)

    def drain(self, error: BaseException | None = None) -> None:
        """From the consumer's thread: start nothing more, finish what is in flight, end."""
        if self._thread.is_alive():
            self._started.wait()
            try:
                self._loop.call_soon_threadsafe(self.stop, error)
            except RuntimeError:
                pass  # the loop has just ended by itself

    def abort(self) -> None:
        """From the consumer's thread: do not even wait for what is in flight."""
        self._aborted = True

    def join(self) -> None:
        if self._thread.ident is not None:
            self._thread.join()

    def stop(self, error: BaseException | None) -> None:
        """Nothing new starts. The first error is the one that is raised in the end."""
        if self.error is None:
            self.error = error
        if not self.draining:
            self.draining = True
            self._due = self._produced + self.in_flight
            for desk in self._desks.values():
                self._loop.call_soon(desk.lane.pump)
            self._done.set()

    def finish(self, question: Question, result: Answer | Failure, *, was_open: bool = True) -> None:
        """Pass an outcome on."""
        looked_up = self._asks and not self._desks[question.teacher].teacher.journalled
        self.progress.count(result, looked_up=looked_up)
        if not self._unsent:
            self._loop.call_later(_FLUSH_SECONDS, self._flush)
        self._unsent.append(Outcome(question, result))
        self._produced += 1
        if was_open:
            self._open -= 1
            if self.exhausted and not self._open:
                self._done.set()

    def left_unasked(self) -> None:
        """One open question fewer, without an outcome; where no teacher can be paid any more, nothing more is read."""
        self._open -= 1
        self.exhausted = self.exhausted or all(desk.broke for desk in self._desks.values())
        if self.exhausted and not self._open:
            self._done.set()

    def _flush(self) -> None:
        if self._unsent:
            self.outcomes.put(self._unsent)
            self._unsent = []

    def feed_soon(self) -> None:
        if not self._feeding and not self.exhausted and not self.draining:
            self._feeding = True
            self._loop.call_soon(self._feed)

    def _feed(self) -> None:
        """Read questions for hungry lanes, then wake them."""
        self._feeding = False
        fed: set[str] = set()
        try:
            for _ in range(_SLICE):
                if self.draining or self.exhausted or not self._may_read():
                    break
                question = next(self._questions, None)
                if question is None:
                    self.exhausted = True
                    if not self._open:
                        self._done.set()
                    fed.update(self._desks)
                elif self._admit(question):
                    fed.add(question.teacher)
        except Exception as error:
            self.stop(error)
        for name in fed:
            self._desks[name].lane.pump()
        if not self.exhausted and not self.draining and self._hungry():
            self._feeding = True
            self._loop.call_later(0 if self._may_read() else _FLUSH_SECONDS, self._feed)

    def _hungry(self) -> bool:
        return any(desk.hungry for desk in self._desks.values())

    def _may_read(self) -> bool:
        unread = self._produced - self.consumed
        return self.waiting < self._most_waiting and unread < _MOST_UNREAD and self._hungry()

    def _admit(self, question: Question) -> bool:
        """Answer a question from a journal, or queue it for its lane; True if it was queued."""
        desk = self._desks.get(question.teacher)
        if desk is None:
            raise RecipeError(
                f"a prompt asks for the teacher {question.teacher!r}, but the recipe has {sorted(self._desks)}",
                hint="add the teacher to the recipe, or remake the seeds",
            )
        digest = messages_digest(question.messages)
        times = desk.asked.get(digest) or 0
        desk.asked.put(digest, times + 1)
        number = question.earlier + times
        found = self.stored(desk.teacher, digest, number, question) if desk.teacher.journalled else None
        if found is not None:
            self.progress.reused += 1
            self.finish(question, read(found.entry, earlier=found.earlier), was_open=False)
            return False
        if desk.broke:
            desk.unasked += 1
            return False
        self._open += 1
        self.waiting += 1
        desk.waiting.append(Ticket(question, digest, number))
        return True

    def stored(
        self, teacher: Teacher, messages: str, number: int, question: Question | None = None
    ) -> "_Stored | None":
        """The journalled answer that serves, or None; one that is none by now's reading is asked again."""
        if not self._archives:
            return None
        for key in teacher.keys(messages, number, question):
            for archive in self._archives:
                entry = archive.serving((key,), teacher.max_tokens)
                if entry is not None:
                    return _Stored(entry, archive is self._others)
        return None

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:
            self.error = self.error or error
        finally:
            self._started.set()
            if self._unsent:
                self.outcomes.put(self._unsent)
            self.outcomes.put(None)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        self._started.set()
        opened: list[Lane] = []
        try:
            for desk in self._desks.values():
                await desk.lane.open()
                opened.append(desk.lane)
            self.feed_soon()
            while not self._done.is_set():
                await self._tick()
            began = self._loop.time()
            unasked = {name: desk.unasked for name, desk in self._desks.items() if desk.unasked}
            if unasked and self.error is None:
                self.error = self.ledger.reached(unasked)
            while self.draining and self.in_flight and not self._aborted and self._waits(began):
                await asyncio.sleep(0.02)
        finally:
            self.draining = True
            for lane in opened:
                await lane.close()

    def _waits(self, began: float) -> bool:
        """Whether what is in flight is still waited for, since `began`; an interruption shortens it at any time."""
        return self._loop.time() < began + self._drain_seconds

    async def _tick(self) -> None:
        """Wait for the end; meanwhile wake every lane now and then, for what no other event tells it."""
        try:
            await asyncio.wait_for(self._done.wait(), _TICK_SECONDS)
        except TimeoutError:
            for desk in self._desks.values():
                desk.lane.pump()
            self.feed_soon()
