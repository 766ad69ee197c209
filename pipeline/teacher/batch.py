"""The lane of a teacher with `mode = "batch"`: OpenAI's Batch API, at half the price and within a day.

Requests are written to a file, uploaded and started as a batch; batches are looked at now and then, and when one ends
its answers are journalled like any others; a process that died finds its batches again (`batch_api`). What expired or
failed in passing is sent again in another batch.

An endpoint's queue takes only so many tokens. A batch for which it has no room is sent again once another one has
ended, and in halves if it does not even fit alone. A batch that somebody cancelled ends the run: that was a decision.
"""

import asyncio
import json
import math
from typing import Any, NamedTuple

import openai

from pipeline.core.errors import AuthenticationError, TeacherError
from pipeline.core.money import Reservation
from pipeline.teacher.batch_api import Batch, Batches
from pipeline.teacher.endpoint import Service
from pipeline.teacher.protocol import Desk, Failure, Reply, Ticket, Trouble, answer_key
from pipeline.teacher.redaction import redact
from pipeline.teacher.wire import BodyWriter, error_of, parse_body

MOST_REQUESTS = 50_000
"""Requests of one batch, as OpenAI documents it."""
MOST_BYTES = 100 << 20
"""Size of one batch's file; half of the documented 200 MB, for the upload holds it in memory more than once."""
POLL_SECONDS, LONGEST_POLL_SECONDS = 5.0, 60.0
"""Time between two looks at a batch: from the first to the second, half as long again each time."""
TEMPLATE_TOKENS = 64
_NO_ROOM = frozenset({"token_limit_exceeded", "enqueued_token_limit_exceeded"})
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class _Line(NamedTuple):
    """One request of a batch that is being filled."""

    custom_id: str
    ticket: Ticket
    data: bytes
    reservation: Reservation


class BatchLane:
    """See the module."""

    def __init__(self, teacher: Service, desk: Desk) -> None:
        self._teacher = teacher
        self._desk = desk
        self._endpoint = teacher.endpoints[0]
        self._variant = teacher.variants[0]
        self._writer = BodyWriter(self._endpoint.base_url, self._endpoint.model, teacher.sampling)
        self._filling: list[_Line] = []
        self._filled = 0
        self._retried: list[Ticket] = []
        self._waiting: dict[str, tuple[Ticket, Reservation]] = {}
        self._elsewhere: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sending = 0
        self._most_requests = MOST_REQUESTS
        self._most_batches = math.inf
        self._batches = 0
        self._refusals = 0

    @property
    def in_flight(self) -> int:
        """Requests in batches; none once draining, for they are found again by the next run."""
        return self._sending if self._desk.draining else len(self._waiting) + self._sending

    @property
    def appetite(self) -> int:
        return MOST_REQUESTS

    @property
    def doing(self) -> str:
        return ""

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Condition()
        self._api = Batches(self._teacher, self._desk.folder)
        for batch in await self._api.unfinished():
            names = self._api.asked(batch)
            self._elsewhere |= names
            self._batches += 1
            self._spawn(self._follow(batch, names))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._api.close()

    def pump(self) -> None:
        while not self._desk.draining:
            ticket = self._retried.pop() if self._retried else self._desk.take()
            if ticket is None:
                if self._filling and self._desk.exhausted:
                    self._send()
                return
            if not self._add(ticket):
                return

    def _add(self, ticket: Ticket) -> bool:
        """Put a request into the batch being filled; False where the budget has no room for it until others end."""
        custom_id = f"{ticket.messages}-{ticket.number}"
        body = self._writer.body(ticket.question.messages, ticket.number)
        price, most = self._endpoint.price, self._teacher.max_tokens
        reservation = self._desk.ledger.reserve(len(body) + TEMPLATE_TOKENS, most, price, batch=True)
        if reservation is None:
            beyond = self._desk.ledger.beyond
            if beyond(len(body) + TEMPLATE_TOKENS, most, price, batch=True):
                self._desk.unaffordable(ticket, all_are=beyond(0, most, price, batch=True))
                return True
            self._desk.put_back(ticket)
            if self._filling:
                self._send()
            return False
        if custom_id in self._elsewhere:
            self._elsewhere.discard(custom_id)
            self._waiting[custom_id] = (ticket, reservation)
            return True
        data = self._api.line(custom_id, body)
        if self._filling and self._filled + len(data) > MOST_BYTES:
            self._send()
        self._filling.append(_Line(custom_id, ticket, data, reservation))
        self._filled += len(data)
        if len(self._filling) >= self._most_requests:
            self._send()
        return True

    def _send(self) -> None:
        lines, self._filling, self._filled = self._filling, [], 0
        for line in lines:
            self._waiting[line.custom_id] = (line.ticket, line.reservation)
        self._spawn(self._submit(lines))

    def _spawn(self, work: Any) -> None:
        async def guarded() -> None:
            try:
                await work
            except openai.AuthenticationError as error:
                self._desk.stop(
                    AuthenticationError(
                        f"{self._endpoint.base_url} refused the key of teacher {self._teacher.name!r}: "
                        f"{redact(error.message)}",
                        hint="set the variable named by api_key_env to a valid key and run again",
                    )
                )
            except (openai.OpenAIError, json.JSONDecodeError) as error:
                self._desk.stop(
                    TeacherError(
                        f"the Batch API at {self._endpoint.base_url} failed: {redact(str(error))}",
                        hint='batches already sent are found again by the next run; mode = "online" needs no Batch API',
                    )
                )
            except Exception as error:
                self._desk.stop(error)

        task = self._loop.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit(self, lines: list[_Line]) -> None:
        async with self._room:
            await self._room.wait_for(lambda: self._batches < self._most_batches)
            if self._desk.draining:
                return  # not sent, so nothing is owed: the next run asks these again
            self._batches += 1
            self._sending += 1
        try:
            batch = await self._api.send([line.custom_id for line in lines], b"".join(line.data for line in lines))
        except BaseException:
            await self._leave()
            raise
        finally:
            self._sending -= 1
        await self._follow(batch, {line.custom_id for line in lines})

    async def _leave(self) -> None:
        """A batch has left the endpoint's queue: another one may try."""
        async with self._room:
            self._batches -= 1
            self._room.notify_all()

    async def _follow(self, batch: Batch, names: set[str]) -> None:
        """Wait until the batch has ended, then deal with every request of it."""
        try:
            try:
                state = await self._ended(batch, names)
            finally:
                await self._leave()
            if state.status == "failed":
                errors = getattr(getattr(state, "errors", None), "data", None)
                await self._refused(batch, names, errors if isinstance(errors, list) else [])
                return
            for file in (getattr(state, name, None) for name in ("output_file_id", "error_file_id")):
                if file and isinstance(file, str):
                    for found in await self._api.answers(file):
                        self._collect(found, names)
            ended = f"batch {batch.id} {state.status} before this request"
        except openai.NotFoundError:
            # Deleted there, or kept no longer: its answers cannot be had, so they are asked for again.
            state, ended = None, f"{self._endpoint.base_url} knows batch {batch.id} no more"
        for custom_id in names & self._waiting.keys():
            self._again(custom_id, Failure(Trouble.OVERLOAD, ended))
        self._api.done(batch)
        if state is not None and state.status == "cancelled":
            raise TeacherError(
                f"batch {batch.id} at {self._endpoint.base_url} was cancelled",
                hint="its answers up to then are kept; run again to send the rest of it as a new batch",
            )
        self._refusals = 0
        self.pump()

    async def _ended(self, batch: Batch, names: set[str]) -> Any:
        """The state of the batch once it has ended."""
        pause = POLL_SECONDS
        while True:
            state = await self._api.state(batch)
            # Answers of an earlier process wait until their questions have been asked again by this one.
            known = self._desk.exhausted or not (names & self._elsewhere)
            if state.status in _ENDED and known:
                return state
            await asyncio.sleep(pause if state.status not in _ENDED else 0.05)
            pause = min(LONGEST_POLL_SECONDS, pause * 1.5)

    async def _refused(self, batch: Batch, names: set[str], errors: list[Any]) -> None:
        """The endpoint took no request of the batch: send them again where only its queue was full."""
        self._api.done(batch)
        detail = redact("; ".join(str(getattr(error, "message", error)) for error in errors[:3]) or "no reason given")
        said = f"the Batch API at {self._endpoint.base_url} refused batch {batch.id}: {detail}"
        if not any(getattr(error, "code", None) in _NO_ROOM for error in errors):
            raise TeacherError(said, hint="correct the teacher's model or sampling settings and run again")
        if self._batches:
            self._most_batches = self._batches
        else:
            self._most_batches = 1
            if len(names) == 1:
                self._refusals += 1
            self._most_requests = max(1, len(names) // 2)
        if self._refusals > self._teacher.execution.retries:
            raise TeacherError(
                said, hint="other batches may fill the queue: run again when they have ended, or use another model"
            )
        if self._refusals:
            await asyncio.sleep(min(LONGEST_POLL_SECONDS, POLL_SECONDS * 2**self._refusals))
        for custom_id in names & self._waiting.keys():
            ticket, reservation = self._waiting.pop(custom_id)
            self._desk.ledger.release(reservation)
            self._retried.append(ticket)
        self.pump()

    def _collect(self, found: dict[str, Any], names: set[str]) -> None:
        """One line of an output or error file; what is wrong with it is its own request's failure."""
        custom_id = found.get("custom_id")
        if not isinstance(custom_id, str) or custom_id not in names:
            return
        response, error = found.get("response"), found.get("error")
        if isinstance(response, dict) and response.get("status_code"):
            status, body = response["status_code"], json.dumps(response.get("body")).encode()
            if status == 200:
                self._answered(custom_id, body)
            else:
                self._again(custom_id, error_of(status if type(status) is int else 500, body))
        elif isinstance(error, dict):
            self._again(custom_id, Failure(Trouble.OVERLOAD, f"{error.get('code', 'no code')}: {error.get('message')}"))
        else:
            self._again(custom_id, Failure(Trouble.MALFORMED, "a line without a response and without an error"))

    def _answered(self, custom_id: str, raw: bytes) -> None:
        parsed = parse_body(raw)
        if isinstance(parsed, Failure):
            self._again(custom_id, parsed)
            return
        content = parsed.content
        messages, _, number = custom_id.rpartition("-")
        reply = Reply(
            key=answer_key(self._variant, messages, int(number)),
            endpoint=self._endpoint.base_url,
            model=self._endpoint.model,
            raw=parsed.line,
            body=parsed.body,
            max_tokens=self._teacher.max_tokens,
            usd=self._endpoint.price.usd(content.prompt_tokens, content.completion_tokens, batch=True),
        )
        waiting = self._waiting.pop(custom_id, None)
        if waiting is None:
            self._desk.record(messages, int(number), reply)
            return
        ticket, reservation = waiting
        self._desk.ledger.release(reservation)
        self._desk.answered(ticket, reply)

    def _again(self, custom_id: str, failure: Failure) -> None:
        """Send a request again in another batch, or give it up."""
        waiting = self._waiting.pop(custom_id, None)
        if waiting is None:
            return
        ticket, reservation = waiting
        self._desk.ledger.release(reservation)
        ticket.attempts += 1
        failure = Failure(failure.trouble, redact(failure.detail))
        if failure.trouble.may_pass and ticket.attempts <= self._teacher.execution.retries:
            self._retried.append(ticket)
        else:
            self._desk.failed(ticket, failure)
