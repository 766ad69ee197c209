"""What a teacher is: something that answers questions, one answer or one failure for each.

A question carries the record that it is about, so that whoever asked can go on with the answer without a join. A
teacher says how it is told apart from other teachers (`identity`, `keys`) and opens a `Lane`, which takes questions
from a `Desk` and gives answers back to it. The desk (`pipeline.teacher.engine`) owns the journal, the ledger and the
order of things; a lane owns its own parallelism: sockets for an endpoint, one thread for a local model.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from pipeline.core.events import Event
from pipeline.core.identity import digest, storable
from pipeline.core.money import Ledger
from pipeline.core.records import Message, Record

Reason = Literal["refused", "truncated", "failed"]


class Trouble(StrEnum):
    """Why a request had no answer. What may pass is retried; what cannot ends the request or the run."""

    RATE_LIMIT = "rate limit"
    OVERLOAD = "overload"
    SERVER = "server error"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    MALFORMED = "malformed answer"
    REFUSAL = "refusal"
    FILTER = "content filter"
    CONTEXT = "context too long"
    BAD_REQUEST = "bad request"
    AUTHENTICATION = "authentication"
    NOT_FOUND = "not found"
    QUOTA = "quota exhausted"
    NO_ANSWER = "no stored answer"

    @property
    def may_pass(self) -> bool:
        """Whether asking again can help."""
        return self in _PASSING

    @property
    def reason(self) -> Reason:
        """The reason under which a record is dropped when this is its end."""
        return "refused" if self in (Trouble.REFUSAL, Trouble.FILTER) else "failed"


_PASSING = frozenset(
    {
        Trouble.RATE_LIMIT,
        Trouble.OVERLOAD,
        Trouble.SERVER,
        Trouble.TIMEOUT,
        Trouble.CONNECTION,
        Trouble.MALFORMED,
    }
)


@dataclass(frozen=True, slots=True)
class Question:
    """Messages for the teacher of that name.

    record: what the answer is about, given back with it; in no key but the composer's. sample: n-th time that this
    record is asked. earlier: answers to these messages that there are from another teacher; this one's count on.
    """

    record: Record
    teacher: str
    messages: tuple[Message, ...]
    sample: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A teacher's whole answer, read from its journal line.

    finish_reason: "stop", "length", or the server's own word for an ending that is not known here. usd: the price when
    it was given. number: n-th time that these messages were asked. earlier: it was given to, and paid by, another
    conversation: its journal is not this one's, or is replayed. notes: what a reader of the run must know of it (see
    `content.Content`). at: when it was given, seconds since the epoch, 0 where that is not known.
    """

    text: str
    finish_reason: str
    model: str
    prompt_tokens: int
    completion_tokens: int
    usd: float
    number: int
    max_tokens: int
    earlier: bool = False
    notes: tuple[str, ...] = ()
    at: int = 0


@dataclass(frozen=True, slots=True)
class Failure:
    """A question without a usable answer. detail: for a person, without secrets, in characters that UTF-8 can hold."""

    trouble: Trouble
    detail: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "detail", storable(self.detail))

    @property
    def reason(self) -> Reason:
        return self.trouble.reason


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one question."""

    question: Question
    result: Answer | Failure


@dataclass(slots=True, eq=False)
class Ticket:
    """One question on its way through a lane.

    messages: digest of the messages. number: n-th time these messages are asked, of this teacher and of one whose
    answers there were before. attempts: tries
    that count against the retries; rejections: waits for a rate limit, which do not. avoid: number of the server
    that failed last, or -1.
    """

    question: Question
    messages: str
    number: int
    attempts: int = 0
    rejections: int = 0
    avoid: int = -1


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer before it is read: `raw` is one line of chat-completion JSON, `body` the same parsed.

    key: under which it is journalled. usd: its price now. at: when it was given, seconds since the epoch; 0 for now.
    """

    key: str
    endpoint: str
    model: str
    raw: bytes
    body: dict[str, Any]
    max_tokens: int
    usd: float = 0.0
    at: int = 0


class Desk(Protocol):
    """Where a lane gets its questions and leaves its answers. Only called on the event loop's thread."""

    @property
    def draining(self) -> bool:
        """True once no new request may start; what is in flight is still wanted."""

    def take(self) -> Ticket | None:
        """The next question, or None if none waits now (see `exhausted`); `Lane.pump` is called when that changes."""

    def put_back(self, ticket: Ticket) -> None:
        """Return a ticket that could not be started; it is the next one taken."""

    @property
    def exhausted(self) -> bool:
        """True when no further question will ever come."""

    @property
    def ledger(self) -> Ledger:
        """The run's spend; `answered` and `record` charge it, reservations are the lane's."""

    @property
    def folder(self) -> Path:
        """The journal's folder, for what a lane must find again after its process died."""

    def answered(self, ticket: Ticket, reply: Reply) -> None:
        """Journal the answer, then read it."""

    def record(self, messages: str, number: int, reply: Reply) -> None:
        """Journal a paid answer that nobody in this process waits for, unless the journal has it already."""

    def failed(self, ticket: Ticket, failure: Failure) -> None:
        """The question ends here."""

    def unaffordable(self, ticket: Ticket, *, all_are: bool) -> None:
        """The question is not asked: its worst case passes a cap for good, so the run will end with BudgetReached, once
        what other questions and other teachers can still be asked for is answered.

        all_are: whether no question to this teacher can be afforded any more, however short.
        """

    def rate_limited(self) -> None:
        """Count a 429."""

    def tell(self, event: Event) -> None:
        """An event for whoever watches the run, and for its report."""

    def stop(self, error: Exception) -> None:
        """The run cannot go on: nothing new starts, what is in flight is drained, then `error` is raised."""


class Lane(Protocol):
    """A teacher at work."""

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""

    @property
    def appetite(self) -> int:
        """Questions that should wait at the desk, so that the lane never starves."""

    @property
    def doing(self) -> str:
        """What goes on while no answer comes, for a person ("loading ..."); "" where there is nothing to say."""

    async def open(self) -> None:
        """Make ready (sessions, threads). Raises a HornbookError if the lane cannot work."""

    def pump(self) -> None:
        """Start what can be started now; called whenever something may have changed. Never blocks."""

    async def close(self) -> None:
        """Release everything; called once, after draining."""


class Teacher(Protocol):
    """Something that can be asked."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str:
        """ "openai", "local", "composer" or "replay"."""

    @property
    def max_tokens(self) -> int:
        """Longest answer, tokens."""

    @property
    def journalled(self) -> bool:
        """Whether answers are worth keeping; not those of replays, which come from a journal, or of the composer."""

    def identity(self) -> dict[str, object]:
        """What changes answers, for the stage key: never a secret, never a setting of speed."""

    def keys(self, messages: str, number: int, question: Question | None = None) -> tuple[str, ...]:
        """Journal keys that would answer the `number`-th asking of messages with this digest, best first.

        question: the one that asks, for a teacher whose answers depend on more than messages; None where an answer
        was paid for that nobody waits for.
        """

    def lane(self, desk: Desk) -> Lane:
        """A lane that works for `desk`."""


def messages_digest(messages: tuple[Message, ...]) -> str:
    """Digest of a conversation, 64 hex digits: what an answer is stored under, whoever gave it."""
    return digest([[message.role, message.content] for message in messages])


def answer_key(variant: str, messages: str, number: int) -> str:
    """Journal key: digest of everything that changes the answer except `max_tokens`, 64 hex digits.

    variant: digest of model, base URL and sampling. `max_tokens` is kept beside the key, because an answer that
    ended by itself is the answer under any larger limit too.
    """
    return hashlib.sha256(f"{variant}/{messages}/{number}".encode()).hexdigest()
