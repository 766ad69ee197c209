"""The lane of a teacher that works in this process: one thread, which is given questions in groups."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from pipeline.teacher.protocol import Desk, Failure, Reply, Ticket

Result = tuple[Ticket, Reply | Failure]
GRACE_SECONDS = 3.0
"""How long a stopped run waits for what a worker is doing. A model may be minutes away from its next answer, which cost
nothing; the thread is left to end with the process then."""


class Worker(Protocol):
    """What a teacher does in its thread."""

    group: int
    """Most questions given at once; a model sorts them by length and fills its batches from them."""
    doing: str
    """What it is about, for a person who waits (see `Lane.doing`); read on another thread."""

    def prepare(self) -> None:
        """Load what is heavy. Called once, on the thread, before the first question."""

    def close(self) -> None:
        """Release what `prepare` took; called once the thread is done."""

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        """Answer all tickets in any order; what is yielded together is journalled together.

        Once `stopping()` is true, what is under way is finished, or abandoned after `GRACE_SECONDS`, and the rest is
        left unanswered.
        """


class ThreadLane:
    """Feeds a worker; the next group is taken when the last one is done, the first when the worker is prepared: by then
    there are more questions than when the first of them came, and a model takes them all at once."""

    def __init__(self, worker: Worker, desk: Desk) -> None:
        self._worker = worker
        self._desk = desk
        self._held = 0
        self._taken: list[Ticket] = []
        self._prepared = False
        self._stopping = threading.Event()
        self._grace_ends = 0.0
        self._thread: threading.Thread | None = None

    @property
    def in_flight(self) -> int:
        return self._held + len(self._taken) if self._thread is not None and not self._abandoned else 0

    @property
    def _abandoned(self) -> bool:
        return self._stopping.is_set() and self._loop.time() > self._grace_ends

    @property
    def appetite(self) -> int:
        return self._worker.group

    @property
    def doing(self) -> str:
        return self._worker.doing if self._thread is not None else ""

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()

    def pump(self) -> None:
        if self._desk.draining:
            self._stop()
            return
        if self._thread is not None:
            return
        while len(self._taken) < self._worker.group and (ticket := self._desk.take()) is not None:
            self._taken.append(ticket)
        if not self._taken:
            return
        tickets: list[Ticket] = []
        if self._prepared:
            tickets, self._taken = self._taken, tickets
        self._held = len(tickets)
        self._thread = threading.Thread(target=self._run, args=(tickets,), name="teacher", daemon=True)
        self._thread.start()

    def _run(self, tickets: Sequence[Ticket]) -> None:
        error: Exception | None = None
        try:
            self.prepare()
            for results in self._worker.work(tickets, self._stopping.is_set) if tickets else ():
                self._tell(self._finish, results)
        except Exception as caught:
            error = caught
        self._tell(self._done, error)

    def _tell(self, hear: Callable[[Any], None], what: Any) -> None:
        """Hand `what` to the loop's thread; to nobody where the run has ended without waiting."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(hear, what)

    def prepare(self) -> None:
        """Prepare the worker if it is not yet; on the worker's thread."""
        if not self._prepared:
            self._worker.prepare()
            self._prepared = True

    def _finish(self, results: list[Result]) -> None:
        for ticket, result in results:
            self._held -= 1
            if isinstance(result, Failure):
                self._desk.failed(ticket, result)
            else:
                self._desk.answered(ticket, result)

    def _done(self, error: Exception | None) -> None:
        self._thread = None
        unanswered, self._held = self._held, 0
        if error is not None:
            self._desk.stop(error)
        elif unanswered and not self._desk.draining:
            self._desk.stop(RuntimeError(f"a teacher left {unanswered} questions unanswered"))
        self.pump()

    def _stop(self) -> None:
        if not self._stopping.is_set():
            self._grace_ends = self._loop.time() + GRACE_SECONDS
            self._stopping.set()

    async def close(self) -> None:
        self._stop()
        while self._thread is not None and not self._abandoned:
            await asyncio.sleep(0.02)
        if self._thread is None:
            self._worker.close()
