"""The composer as a teacher: a fixture whose answers cost nothing."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.core.identity import digest
from pipeline.core.known import COMPOSER
from pipeline.core.records import Prompt
from pipeline.recipe_teachers import ComposerTable
from pipeline.teacher.content import chat_body
from pipeline.teacher.kind import Kind, Setup
from pipeline.teacher.protocol import Desk, Failure, Lane, Question, Reply, Ticket, Trouble
from pipeline.teacher.threaded import Result, ThreadLane

if TYPE_CHECKING:
    from pipeline.teacher.composer import Composer

GROUP = 256
"""Questions handed to the thread at once."""
_TOGETHER = 32
"""Answers handed back at once."""


@dataclass(frozen=True, slots=True)
class ComposerTeacher:
    """The composer behind the teacher's interface. Its answers are free, yet journalled as any other teacher's: a run
    that is replayed needs all of them."""

    name: str
    composer: "Composer"
    max_tokens: int
    kind: str = "composer"
    journalled: bool = True

    def identity(self) -> dict[str, object]:
        return {"name": self.name, **self.composer.identity()}

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        """By prompt and sample: two prompts with equal messages never swap their answers."""
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
        composed = self._teacher.composer.compose(prompt, ticket.question.sample)
        if composed.finish == "failed":
            return Failure(Trouble.NO_ANSWER, "a fault that the recipe asks for")
        body = chat_body(composed.text, composed.finish, COMPOSER)
        (key,) = self._teacher.keys(ticket.messages, ticket.number, ticket.question)
        return Reply(key, "", COMPOSER, json.dumps(body).encode(), body, self._teacher.max_tokens)


def _build(table: ComposerTable, setup: Setup) -> ComposerTeacher:
    from pipeline.teacher.composer import Composer

    drawn = setup.seed if table.seed is None else table.seed
    return ComposerTeacher(table.name, Composer(drawn, table.faults, table.fault_share), table.max_tokens)


KIND = Kind(
    table=ComposerTable,
    what="a fixture with no model in it: it reads no topic, and answers well or badly as the recipe asks",
    build=_build,
    keyed="prompts",
)
