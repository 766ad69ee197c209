"""The lane of a teacher with `mode = "batch"`: OpenAI's Batch API, at half the price and within a day.

Requests are written to a file, uploaded and started as a batch; batches are looked at now and then, and when one ends
its answers are journalled like any others. `batches.jsonl` beside the journal says what was sent, so a process that
dies finds its batches again, even one that was created a moment before it could be written down: each carries the
name of its file. What expired or failed in passing is sent again in another batch.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import openai
import tenacity

from pipeline.errors import AuthenticationError, TeacherError
from pipeline.identity import digest
from pipeline.teacher.endpoint import EndpointTeacher
from pipeline.teacher.money import Reservation
from pipeline.teacher.protocol import Desk, Failure, Reply, Ticket, Trouble, answer_key
from pipeline.teacher.redaction import redact, redact_bytes
from pipeline.teacher.wire import BodyWriter, error_of, parse_body

MOST_REQUESTS = 50_000
MOST_BYTES = 100 << 20
"""A batch's limits; OpenAI documents 50,000 requests and 200 MB."""
POLL_SECONDS, LONGEST_POLL_SECONDS = 5.0, 60.0
"""Time between two looks at a batch: from the first to the second, half as long again each time."""
TEMPLATE_TOKENS = 64
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


class _Line(NamedTuple):
    """One request of a batch that is being filled."""

    custom_id: str
    ticket: Ticket
    data: bytes
    reservation: Reservation


class _Batch(NamedTuple):
    """A batch at the endpoint. name: of its file, in the journal's folder and in its metadata."""

    id: str
    name: str


class BatchLane:
    """See the module."""

    def __init__(self, teacher: EndpointTeacher, desk: Desk) -> None:
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

    @property
    def in_flight(self) -> int:
        """Requests in batches; none once draining, for they are found again by the next run."""
        return self._sending if self._desk.draining else len(self._waiting) + self._sending

    @property
    def held(self) -> int:
        return len(self._waiting) + len(self._filling) + len(self._retried)

    @property
    def appetite(self) -> int:
        return MOST_REQUESTS

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        key = self._endpoint.key
        self._client = openai.AsyncOpenAI(
            base_url=self._endpoint.base_url,
            api_key=key.reveal() if key else "none",
            default_headers=dict(self._teacher.headers),
            timeout=self._teacher.execution.timeout_seconds,
            max_retries=0,
        )
        for batch in await self._find_batches():
            names = set(_custom_ids(self._desk.folder / batch.name))
            self._elsewhere |= names
            self._spawn(self._watch(batch, names))

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.close()

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
        """Put a request into the batch being filled; False where the budget has no room for it now."""
        custom_id = f"{ticket.messages}-{ticket.number}"
        body = self._writer.body(ticket.question.messages, ticket.number)
        price, most = self._endpoint.price, self._teacher.max_tokens
        reservation = self._desk.ledger.reserve(len(body) + TEMPLATE_TOKENS, most, price, batch=True)
        if reservation is None:
            self._desk.put_back(ticket)
            if self._filling:
                self._send()
            elif not self._desk.ledger.waiting:
                self._desk.stop(self._desk.ledger.reached())
            return False
        if custom_id in self._elsewhere:
            self._elsewhere.discard(custom_id)
            self._waiting[custom_id] = (ticket, reservation)
            return True
        path = "/v1/chat/completions" if self._teacher.sampling.api == "chat" else "/v1/completions"
        head = json.dumps({"custom_id": custom_id, "method": "POST", "url": path}).encode()
        data = head[:-1] + b', "body": ' + body + b"}\n"
        if self._filled + len(data) > MOST_BYTES:
            self._send()
        self._filling.append(_Line(custom_id, ticket, data, reservation))
        self._filled += len(data)
        if len(self._filling) == MOST_REQUESTS:
            self._send()
        return True

    def _send(self) -> None:
        lines, self._filling, self._filled = self._filling, [], 0
        for line in lines:
            self._waiting[line.custom_id] = (line.ticket, line.reservation)
        self._sending += 1
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
            except openai.OpenAIError as error:
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
        try:
            data = b"".join(line.data for line in lines)
            name = f"batch-{digest([line.custom_id for line in lines])[:16]}-{os.urandom(4).hex()}.jsonl"
            path = self._desk.folder / name
            _write_synced(path, data)
            self._note({"name": name, "state": "sending"})
            uploaded = await self._call(self._client.files.create, file=(name, data), purpose="batch")
            url = "/v1/chat/completions" if self._teacher.sampling.api == "chat" else "/v1/completions"
            created = await self._call(
                self._client.batches.create,
                input_file_id=uploaded.id,
                endpoint=url,
                completion_window="24h",
                metadata={"hornbook": name},
            )
            batch = _Batch(created.id, name)
            self._note({"name": name, "state": "sent", "id": batch.id})
        finally:
            self._sending -= 1
        await self._watch(batch, {line.custom_id for line in lines})

    async def _watch(self, batch: _Batch, names: set[str]) -> None:
        """Wait until the batch has ended, then deal with every request of it."""
        pause = POLL_SECONDS
        while True:
            state = await self._call(self._client.batches.retrieve, batch.id)
            # Answers of an earlier process wait until their questions have been asked again by this one.
            known = self._desk.exhausted or not (names & self._elsewhere)
            if state.status in _ENDED and known:
                break
            await asyncio.sleep(pause if state.status not in _ENDED else 0.05)
            pause = min(LONGEST_POLL_SECONDS, pause * 1.5)
        if state.status == "failed":
            found = state.errors.data if state.errors and state.errors.data else []
            detail = "; ".join(str(error.message) for error in found[:3]) or "no reason given"
            self._finished(batch)
            raise TeacherError(
                f"the Batch API at {self._endpoint.base_url} refused batch {batch.id}: {redact(detail)}",
                hint="correct the teacher's model or sampling settings and run again",
            )
        for file in (state.output_file_id, state.error_file_id):
            if file:
                content = await self._call(self._client.files.content, file)
                for line in redact_bytes(content.content).splitlines():
                    self._collect(line, names)
        for custom_id in names & self._waiting.keys():
            self._again(custom_id, Failure(Trouble.OVERLOAD, f"batch {batch.id} {state.status} before this request"))
        self._finished(batch)
        self.pump()

    def _collect(self, line: bytes, names: set[str]) -> None:
        """One line of an output or error file."""
        try:
            found = json.loads(line)
            custom_id = found["custom_id"]
        except (ValueError, KeyError, TypeError):
            return
        if custom_id not in names:
            return
        response = found.get("response") or {}
        status, body = int(response.get("status_code") or 0), response.get("body")
        if status == 200:
            self._answered(custom_id, json.dumps(body).encode())
        elif status:
            self._again(custom_id, error_of(status, json.dumps(body).encode()))
        else:
            error = found.get("error") or {}
            detail = f"{error.get('code', 'no code')}: {error.get('message', '')}"
            self._again(custom_id, Failure(Trouble.OVERLOAD, detail))

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
            raw=raw,
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

    async def _call(self, function: Any, *arguments: Any, **named: Any) -> Any:
        """A call of the API, tried again for ten minutes while the endpoint does not work or is busy."""
        passing = (openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError)
        async for attempt in tenacity.AsyncRetrying(
            stop=tenacity.stop_after_delay(600),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=60),
            retry=tenacity.retry_if_exception_type(passing),
            reraise=True,
        ):
            with attempt:
                return await function(*arguments, **named)
        raise AssertionError("unreachable: reraise=True")

    @property
    def _book(self) -> Path:
        return self._desk.folder / "batches.jsonl"

    def _note(self, event: dict[str, str]) -> None:
        _write_synced(self._book, json.dumps({"url": self._endpoint.base_url, **event}).encode() + b"\n", append=True)

    def _finished(self, batch: _Batch) -> None:
        self._note({"name": batch.name, "state": "done", "id": batch.id})
        with contextlib.suppress(OSError):
            (self._desk.folder / batch.name).unlink()

    async def _find_batches(self) -> list[_Batch]:
        """Batches of an earlier process at this endpoint that are not done."""
        states: dict[str, dict[str, str]] = {}
        for event in _events(self._book):
            if event.get("url") == self._endpoint.base_url:
                states[event["name"]] = event
        open_ = [event for event in states.values() if event["state"] != "done"]
        lost = {event["name"] for event in open_ if event["state"] == "sending"}
        found = [_Batch(event["id"], event["name"]) for event in open_ if event["state"] == "sent"]
        if lost:
            try:
                page = await self._call(self._client.batches.list, limit=100)
            except openai.OpenAIError as error:
                raise TeacherError(
                    f"the Batch API at {self._endpoint.base_url} failed: {redact(str(error))}"
                ) from error
            for listed in page.data:
                name = (listed.metadata or {}).get("hornbook", "")
                if name in lost:
                    found.append(_Batch(listed.id, name))
                    self._note({"name": name, "state": "sent", "id": listed.id})
        return [batch for batch in found if (self._desk.folder / batch.name).exists()]


def _custom_ids(path: Path) -> Iterator[str]:
    with path.open("rb") as lines:
        for line in lines:
            yield json.loads(line)["custom_id"]


def _events(path: Path) -> Iterator[dict[str, str]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict) and "name" in event and "state" in event:
                yield event


def _write_synced(path: Path, data: bytes, *, append: bool = False) -> None:
    """Write and sync. Raises a HornbookError for a full disk or whatever else keeps it from being written."""
    from pipeline.teacher.journal import store_error

    try:
        with path.open("ab" if append else "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise store_error(error, path.parent) from error
