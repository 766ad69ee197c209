"""Teachers that answer inside this process and cost nothing: the composer, and a replay of an earlier run."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pipeline.core.errors import InputError
from pipeline.core.identity import digest
from pipeline.core.records import Prompt
from pipeline.teacher.content import chat_body
from pipeline.teacher.journal import Archive
from pipeline.teacher.protocol import Desk, Failure, Lane, Question, Reply, Ticket, Trouble
from pipeline.teacher.recorded import contents, unpacked
from pipeline.teacher.threaded import Result, ThreadLane

GROUP = 256
"""Questions handed to the thread at once."""
_TOGETHER = 32
"""Answers handed back at once."""


class Composing(Protocol):
    """What the composer offers (see `pipeline.teacher.composer`)."""

    def identity(self) -> dict[str, object]: ...
    def compose(self, prompt: Prompt, number: int = 0) -> str: ...


@dataclass(frozen=True, slots=True)
class ComposerTeacher:
    """The composer behind the teacher's interface. Its answers are free, yet journalled as any other teacher's: a run
    that is replayed needs all of them."""

    name: str
    composer: Composing
    max_tokens: int
    kind: str = "composer"
    journalled: bool = True

    def identity(self) -> dict[str, object]:
        return {"name": self.name, **self.composer.identity()}

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        """By prompt and sample, as the composer draws: two prompts with equal messages never swap their answers."""
        drawn = [messages, number] if question is None else [question.record.id, question.sample]
        return (digest([self.kind, self.composer.identity(), *drawn]),)

    def lane(self, desk: Desk) -> Lane:
        return ThreadLane(_ComposerWorker(self), desk)


class _ComposerWorker:
    group = GROUP
    doing = ""

    def __init__(self, teacher: ComposerTeacher) -> None:
        self._teacher = teacher

    def prepare(self) -> None:
        """Nothing to load."""

    def close(self) -> None:
        """Nothing to release."""

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        results: list[Result] = []
        for ticket in tickets:
            if stopping():
                break
            results.append((ticket, self._answer(ticket)))
            if len(results) == _TOGETHER:
                yield results
                results = []
        if results:
            yield results

    def _answer(self, ticket: Ticket) -> Reply | Failure:
        prompt = ticket.question.record
        if not isinstance(prompt, Prompt):
            return Failure(Trouble.BAD_REQUEST, f"the composer answers prompts, not a {prompt.type}")
        text = self._teacher.composer.compose(prompt, ticket.question.sample)
        body = chat_body(text, "stop", "composer")
        (key,) = self._teacher.keys(ticket.messages, ticket.number, ticket.question)
        return Reply(key, "", "composer", json.dumps(body).encode(), body, self._teacher.max_tokens)


@dataclass(frozen=True, slots=True)
class ReplayTeacher:
    """Answers from the journals of an earlier run, by messages alone, so whichever model gave them.

    place: a journal, or a folder with journals or recordings in it. The n-th asking of the same messages gets the n-th
    answer; what is not there is a failure, never a made-up text. Prices and models stay those of the first run.
    """

    name: str
    place: Path
    max_tokens: int
    kind: str = "replay"
    journalled: bool = False

    def identity(self) -> dict[str, object]:
        """What its journals hold: one that grew may answer more, a copy elsewhere answers the same."""
        return {"kind": self.kind, "name": self.name, "max_tokens": self.max_tokens, "journals": contents(self.place)}

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        return ()

    def lane(self, desk: Desk) -> Lane:
        return ThreadLane(_ReplayWorker(self), desk)


class _ReplayWorker:
    group = GROUP
    doing = ""

    def __init__(self, teacher: ReplayTeacher) -> None:
        self._teacher = teacher
        self._archive: Archive | None = None

    def prepare(self) -> None:
        with unpacked(self._teacher.place) as places:
            self._archive = Archive(places, by_messages=True)
        if not self._archive.answers:
            raise InputError(
                f"teacher {self._teacher.name!r}: there is no journalled answer in {self._teacher.place}",
                hint="name the journal.jsonl of an earlier run, or a folder with one in it, in teachers.replay",
            )

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()

    def work(self, tickets: Sequence[Ticket], stopping: Callable[[], bool]) -> Iterator[list[Result]]:
        for start in range(0, len(tickets), _TOGETHER):
            if stopping():
                break
            yield [(ticket, self._answer(ticket)) for ticket in tickets[start : start + _TOGETHER]]

    def _answer(self, ticket: Ticket) -> Reply | Failure:
        assert self._archive is not None
        entry = self._archive.find_messages(ticket.messages, ticket.number)
        if entry is None:
            which = f"answer {ticket.number + 1}" if ticket.number else "answer"
            detail = f"{self._teacher.place} holds no {which} to these messages (digest {ticket.messages[:12]})"
            return Failure(Trouble.NO_ANSWER, detail)
        return Reply(entry.key, entry.endpoint, entry.model, b"", entry.body, entry.max_tokens, entry.usd, entry.at)
