"""The lane of a teacher in this process: a stop does not wait for a model that is far from its next answer."""

import asyncio
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from asking import execution, prompt

from pipeline.core.errors import Interrupted
from pipeline.core.money import Ledger
from pipeline.teacher import progress, threaded
from pipeline.teacher.asking import converse
from pipeline.teacher.protocol import Answer, Failure, Question, Ticket, Trouble
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

    def failed(self, ticket: Ticket, failure: Failure) -> None:
        self.heard.append(failure)

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
        pass

    def close(self) -> None:
        self.closed.set()

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        self.started.set()
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


class Toy:
    """A teacher whose worker is far from its first answer."""

    name, kind, max_tokens, journalled = "mock", "local", 10, True

    def __init__(self) -> None:
        self.worker = Busy(heeds=False)

    def identity(self) -> dict[str, object]:
        return {}

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        return (f"{messages}/{number}",)

    def lane(self, desk: Any) -> ThreadLane:
        return ThreadLane(self.worker, desk)


def test_an_interruption_says_how_many_a_local_model_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threaded, "GRACE_SECONDS", 0.05)
    toy = Toy()
    questions = [Question(one, "mock", one.messages) for one in map(prompt, range(3))]

    def interrupted(event: Any) -> None:
        if toy.worker.started.is_set():
            raise KeyboardInterrupt

    answers = converse(
        questions, {"mock": toy}, journal=tmp_path / "j.jsonl", execution=execution(), on_event=interrupted
    )
    with pytest.raises(Interrupted, match="interrupted after 0 answers; 2 requests in flight were given up"):
        list(answers)
    toy.worker.released.set()


class Slow(Busy):
    """Takes its time to load, and remembers how many questions it is given at once."""

    group = 256

    def __init__(self) -> None:
        super().__init__(heeds=True)
        self.groups: list[int] = []

    def prepare(self) -> None:
        self.started.set()
        self.released.wait(FAR_SECONDS)

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        self.groups.append(len(tickets))
        yield [(ticket, Failure(Trouble.NO_ANSWER, "toy")) for ticket in tickets]


async def fed_while_loading(lane: ThreadLane, desk: Desk, worker: Slow) -> None:
    await lane.open()
    lane.pump()
    await asyncio.to_thread(worker.started.wait)
    desk.tickets += Desk().tickets * 20
    worker.released.set()
    while len(desk.heard) < 42:
        await asyncio.sleep(0.01)
    await asyncio.wait_for(lane.close(), FAR_SECONDS)


def test_what_is_asked_while_a_model_loads_is_answered_with_the_first_batch() -> None:
    desk, worker = Desk(), Slow()
    lane = ThreadLane(worker, desk)  # type: ignore[arg-type]
    asyncio.run(asyncio.wait_for(fed_while_loading(lane, desk, worker), FAR_SECONDS))
    assert worker.groups == [42]
    assert worker.closed.is_set()


ANSWER = Answer("x", "stop", "toy", 1, 1, 0.0, 0, 10)


def progress_at(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, events: list[Any], total: int
) -> progress.Progress:
    monkeypatch.setattr("pipeline.teacher.progress.time.monotonic", lambda: clock[0])
    return progress.Progress(events.append, total, Ledger(None, None))


def test_nothing_is_said_of_a_lane_that_does_nothing() -> None:
    assert ThreadLane(Busy(heeds=True), Desk()).doing == ""  # type: ignore[arg-type]


def test_the_time_left_of_a_slow_model_is_told_by_the_last_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer in 100 s: in most windows of ten seconds there is none, and the pace is still one in 100 s."""
    clock, events = [0.0], list[Any]()
    told = progress_at(clock, monkeypatch, events, 10)
    for second in range(1, 201):
        clock[0] = float(second)
        if second % 100 == 0:
            told.count(ANSWER)
        told.tell(1, "writing")
    assert events[98]["eta_seconds"] is None
    assert events[-1]["eta_seconds"] == 800.0
    assert events[150]["eta_seconds"] > 800.0
    assert events[-1]["doing"] == "writing"


def test_a_batch_that_ends_at_once_does_not_promise_that_the_next_will(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 of 640 answers within one second after three minutes: the rest takes half an hour, not ten seconds."""
    clock, events = [0.0], list[Any]()
    told = progress_at(clock, monkeypatch, events, 640)
    for second in range(1, 182):
        clock[0] = float(second)
        for _ in range(64 * (second == 180)):
            told.count(ANSWER)
        told.tell(64)
    assert events[-1]["eta_seconds"] == pytest.approx(9 * 181, rel=0.01)


def test_what_a_recording_holds_says_nothing_of_how_long_a_model_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, events = [0.0], list[Any]()
    told = progress_at(clock, monkeypatch, events, 440)
    for second in range(1, 101):
        clock[0] = float(second)
        for _ in range(416 * (second == 1)):
            told.count(ANSWER, looked_up=True)
        if second == 100:
            for _ in range(6):
                told.count(ANSWER)
        told.tell(24)
    assert events[-2]["eta_seconds"] is None
    assert events[-1]["eta_seconds"] == 300.0


def test_the_first_and_shortest_answers_of_a_batch_do_not_tell_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, events = [0.0], list[Any]()
    told = progress_at(clock, monkeypatch, events, 200)
    for second in range(1, 603):
        clock[0] = float(second)
        for _ in range(2 * (second == 500) + 48 * (second == 601)):
            told.count(ANSWER)
        told.tell(194)
    assert {event["eta_seconds"] for event in events[:-2]} == {None}
    assert events[-1]["eta_seconds"] == pytest.approx(150 / 50 * 602, rel=0.02)
