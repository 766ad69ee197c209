"""A teacher that answers from the journals of an earlier run, or from a recording that is shipped."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.core.errors import InputError, RecipeError
from pipeline.recipe_teachers import ReplayTable
from pipeline.teacher.archive import Archive, SharedArchive
from pipeline.teacher.kind import Kind, Setup
from pipeline.teacher.protocol import Desk, Failure, Lane, Question, Reply, Ticket, Trouble
from pipeline.teacher.recorded import contents, journals, replayed, unpacked
from pipeline.teacher.threaded import Result, ThreadLane

GROUP = 256
"""Questions handed to the thread at once."""
_TOGETHER = 32
"""Answers handed back at once."""


@dataclass(frozen=True, slots=True)
class ReplayTeacher:
    """Answers from the journals of an earlier run, by messages alone, so whichever model gave them.

    place: a journal, or a folder with journals or recordings in it. The n-th asking of the same messages gets the n-th
    answer; what is not there is a failure, never a made-up text. Prices and models stay those of the first run.
    otherwise, most_otherwise: the teacher that is asked what is not there, and how often at most (0: always); who asks
    sees to it (`pipeline.stages.completions.routes`).
    """

    name: str
    place: Path
    max_tokens: int
    otherwise: str = ""
    most_otherwise: int = 0
    kind: str = "replay"
    journalled: bool = False
    answers: SharedArchive = field(init=False, compare=False, repr=False)
    """Its recording by messages: unpacked once for all who look something up in it at the same time."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "answers", SharedArchive(self._opened))

    def identity(self) -> dict[str, object]:
        """What its journals hold: one that grew may answer more, a copy elsewhere answers the same."""
        others = {"otherwise": self.otherwise, "most_otherwise": self.most_otherwise} if self.otherwise else {}
        told = {"kind": self.kind, "name": self.name, "max_tokens": self.max_tokens, **others}
        return {**told, "journals": contents(self.place)}

    def _opened(self) -> Archive:
        """Raises InputError where there are no answers."""
        with unpacked(self.place) as places:
            archive = Archive(places, by_messages=True)
        if not archive.answers:
            raise InputError(
                f"teacher {self.name!r}: there is no journalled answer in {self.place}",
                hint="name the journal.jsonl of an earlier run, or a folder with one in it, in teachers.replay",
            )
        return archive

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
        self._archive = self._teacher.answers.take()

    def close(self) -> None:
        if self._archive is not None:
            self._teacher.answers.leave()

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


def _build(table: ReplayTable, setup: Setup) -> ReplayTeacher:
    place = replayed(table.replay)
    if not table.replay or not place.exists() or not journals(place):
        raise RecipeError(
            f"teacher {table.name!r}: replay should name a journal or a folder with journals, got {table.replay!r}",
            hint="journals are the journal*.jsonl files of an earlier run's completions; recorded:NAME names a shipped "
            "recording",
        )
    return ReplayTeacher(table.name, place, table.max_tokens, table.otherwise, table.most_otherwise)


KIND = Kind(table=ReplayTable, what="answers recorded by an earlier run", build=_build, keyed="nothing", dated=True)
