"""The lane of a teacher in this process: a stop does not wait for a model that is far from its next answer."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from asking import prompt

from pipeline.core.money import Ledger
from pipeline.teacher import progress, threaded
from pipeline.teacher.protocol import Answer, Question, Ticket
from pipeline.teacher.threaded import Result, ThreadLane

FAR_SECONDS = 60.0
"""A wait that long means that the lane waited for its worker."""


class Desk:
    """Gives two tickets, then drains."""

    def __init__(self) -> None:
        asked = [prompt(number, "q") for number in range(2)]
        self.tickets = [Ticket(Question(one, "mock", one.messages), "digest", 0) for one in asked]
        self.draining = False
        self.heard: list[Any] = []

    def take(self) -> Ticket | None:
        return self.tickets.pop() if self.tickets else None

    def answered(self, ticket: Ticket, reply: Any) -> None:
        self.heard.append(reply)

    def stop(self, error: Exception) -> None:
        self.heard.append(error)


class Busy:
    """Works until it is released, and then says whether it was closed before."""

    group = 2

    def __init__(self, *, heeds: bool) -> None:
        self.heeds = heeds
        self.doing = "loading toy"
        self.started, self.released, self.closed = threading.Event(), threading.Event(), threading.Event()

    def prepare(self) -> None:
        self.started.set()

    def close(self) -> None:
        self.closed.set()

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        while not self.released.wait(0.01):
            if self.heeds and stopping():
                return
        yield []


async def stopped(lane: ThreadLane, desk: Desk, worker: Busy) -> None:
    await lane.open()
    lane.pump()
    await asyncio.to_thread(worker.started.wait)
    assert lane.in_flight == 2
    assert lane.doing == "loading toy"
    desk.draining = True
    lane.pump()
    await asyncio.wait_for(lane.close(), FAR_SECONDS)
    assert lane.in_flight == 0


def test_a_worker_that_is_busy_is_left_behind_and_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "GRACE_SECONDS", 0.05)
    desk, worker = Desk(), Busy(heeds=False)
    lane = ThreadLane(worker, desk)  # type: ignore[arg-type]
    asyncio.run(stopped(lane, desk, worker))
    assert not worker.closed.is_set()
    (left,) = [thread for thread in threading.enumerate() if thread.name == "teacher"]
    worker.released.set()
    left.join(FAR_SECONDS)
    assert not left.is_alive()  # what it says to a loop that has ended is heard by nobody, and is no error
    assert desk.heard == []


def test_a_worker_that_heeds_the_stop_is_closed() -> None:
    desk, worker = Desk(), Busy(heeds=True)
    asyncio.run(stopped(ThreadLane(worker, desk), desk, worker))  # type: ignore[arg-type]
    assert worker.closed.is_set()


def test_nothing_is_said_of_a_lane_that_does_nothing() -> None:
    assert ThreadLane(Busy(heeds=True), Desk()).doing == ""  # type: ignore[arg-type]


def test_the_time_left_of_a_slow_model_is_told_by_the_whole_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in 100 s: in most windows of ten seconds there is none, and the pace is still one in 100 s."""
    clock = [0.0]
    monkeypatch.setattr("pipeline.teacher.progress.time.monotonic", lambda: clock[0])
    events: list[Any] = []
    told = progress.Progress(events.append, 10, Ledger(None, None))
    for second in range(1, 201):
        clock[0] = float(second)
        if second % 100 == 0:
            told.count(Answer("x", "stop", "toy", 1, 1, 0.0, 0, 10))
        told.tell(1, "writing")
    assert events[98]["eta_seconds"] is None
    assert events[-1]["eta_seconds"] == 800.0
    assert events[150]["eta_seconds"] > 800.0
    assert events[-1]["doing"] == "writing"
