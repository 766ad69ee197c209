"""The lane of an endpoint teacher: as many requests in flight as pace, breaker and budget allow, and no barrier.

Whatever changes (an answer, a timer, a new question) calls `pump`, which starts all that can start. A request that
failed and may be asked again goes to a heap of retries and holds no slot while it waits, so one slow or unlucky
request never holds the others.
"""

import asyncio
import heapq
import itertools
import math
import time

import tenacity

from pipeline.core.errors import AuthenticationError, TeacherError
from pipeline.core.money import Reservation
from pipeline.teacher.address import KEY_SETTING
from pipeline.teacher.endpoint import Endpoint, Service
from pipeline.teacher.protocol import Desk, Failure, Reply, Ticket, Trouble, answer_key
from pipeline.teacher.redaction import redact
from pipeline.teacher.response import Response
from pipeline.teacher.sites import TEMPLATE_TOKENS, Site, Sites
from pipeline.teacher.transport import TransportError
from pipeline.teacher.wire import Parsed, error_of, parse_body, retry_after

_RETRYING = tenacity.Retrying(wait=tenacity.wait_random_exponential(multiplier=0.25, max=15.0))
"""Seconds before another try: uniform below 0.25 * 2^tries, at most 15 ("full jitter"). When an endpoint is down, it is
the breaker that waits longer, for all."""
REJECTIONS_PER_RETRY = 6
"""Waits for a rate limit allowed per retry allowed: a 429 is not the request's fault, but some requests never fit."""
PROBES_BEFORE_FIRST_ANSWER = 3
"""Probes that an endpoint which never answered is given before the run stops."""
LONGEST_SILENCE = 600.0
"""Seconds of trying without one answer after which the run stops; also the longest Retry-After that is waited for."""
FIGURES_SECONDS = 30.0
"""Time between two events that tell how each of several servers does."""
BAD_REQUESTS = 5
"""Requests refused as malformed, before any was answered, that show the recipe to be wrong and not the prompts."""


class OnlineLane:
    """See the module."""

    def __init__(self, teacher: Service, desk: Desk) -> None:
        self._teacher = teacher
        self._desk = desk
        self._retries: list[tuple[float, int, Ticket]] = []
        self._order = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._bad_requests = 0
        self._last_answer = -math.inf
        self._trying_since = math.inf
        self._figures_at = -math.inf
        self._servers = len(teacher.endpoints)
        self._path = "/chat/completions" if teacher.sampling.api == "chat" else "/completions"

    @property
    def in_flight(self) -> int:
        return len(self._tasks)

    @property
    def appetite(self) -> int:
        return 2 * self._teacher.execution.concurrency * max(1, self._servers)

    @property
    def doing(self) -> str:
        return "" if self._servers else "waiting for a server"

    async def open(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sites = Sites(self._teacher, self._desk.ledger)
        self._servers = len(self._sites)

    async def close(self) -> None:
        if self._timer:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._sites.several:
            self._desk.tell(self._sites.event(self._loop.time()))
        for site in self._sites.everyone():
            await site.transport.close()

    def _look(self, now: float) -> None:
        """Which servers there are; now and then, how they do."""
        for text in self._sites.look(now):
            self._note(text)
        self._servers = len(self._sites)
        if self._sites.several and now - self._figures_at >= FIGURES_SECONDS:
            if self._figures_at > -math.inf:
                self._desk.tell(self._sites.event(now))
            self._figures_at = now

    def _note(self, text: str) -> None:
        self._desk.tell({"event": "note", "text": f"teacher {self._teacher.name}: {text}"})

    def pump(self) -> None:
        now = self._loop.time()
        self._look(now)
        while not self._desk.draining:
            if not self._servers:
                self._stop_if_none_comes(now)
                break
            ticket = self._next(now)
            if ticket is None:
                break
            sites = self._sites.affordable(ticket)
            if not sites:
                self._desk.unaffordable(ticket, all_are=not any(map(self._sites.can_pay, self._sites)))
                continue
            site, wait = self._sites.choose(ticket, now, sites)
            if site is None:
                self._return(ticket)
                self._wake(now + wait)
                break
            body = site.writer.body(ticket.question.messages, ticket.number)
            reservation = self._desk.ledger.reserve(
                len(body) + TEMPLATE_TOKENS, self._teacher.max_tokens, site.endpoint.price
            )
            if reservation is None:  # until those in flight have cost less than their worst case
                self._return(ticket)
                break
            self._start(site, ticket, body, reservation, now)
        if self._retries:
            self._wake(self._retries[0][0])

    def _next(self, now: float) -> Ticket | None:
        if self._retries and self._retries[0][0] <= now:
            return heapq.heappop(self._retries)[2]
        return self._desk.take()

    def _return(self, ticket: Ticket) -> None:
        if ticket.attempts or ticket.rejections:
            heapq.heappush(self._retries, (0.0, next(self._order), ticket))
        else:
            self._desk.put_back(ticket)

    def _wake(self, when: float) -> None:
        """Pump again at `when` (loop time); at once is never needed, and what is infinite is woken by an answer."""
        if when == math.inf or when <= self._loop.time():
            return
        if self._timer is None or when < self._timer.when():
            if self._timer:
                self._timer.cancel()
            self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.pump()

    def _start(self, site: Site, ticket: Ticket, body: bytes, reservation: Reservation, now: float) -> None:
        expected = self._sites.expected(site, ticket)
        site.started(now, expected)
        if self._trying_since == math.inf:
            self._trying_since = now
        task = self._loop.create_task(self._ask(site, ticket, body, reservation, expected, now))
        self._tasks.add(task)

    async def _ask(
        self, site: Site, ticket: Ticket, body: bytes, reservation: Reservation, expected: float, started: float
    ) -> None:
        release = self._desk.ledger.release
        try:
            response = await site.transport.post(self._path, body)
        except TransportError as error:
            release(reservation, maybe_billed=error.sent)
            self._failed(site, ticket, Failure(error.trouble, error.detail), started)
        except asyncio.CancelledError:
            release(reservation, maybe_billed=True)
            raise
        except Exception as error:
            release(reservation, maybe_billed=True)
            self._desk.stop(error)
        else:
            try:
                self._responded(site, ticket, response, reservation, started, expected)
            except Exception as error:
                self._desk.stop(error)
        finally:
            site.ended(self._loop.time())
            task = asyncio.current_task()
            if task is not None:
                self._tasks.discard(task)
        self.pump()

    def _responded(
        self,
        site: Site,
        ticket: Ticket,
        response: Response,
        reservation: Reservation,
        started: float,
        expected: float,
    ) -> None:
        now = self._loop.time()
        site.pace.read_headers(now, response.headers)
        if response.status != 200:
            self._desk.ledger.release(reservation)
            failure = error_of(response.status, response.body, response.headers.get("location", ""))
            self._failed(site, ticket, failure, started, retry_after(response.headers, time.time()))
            return
        parsed = parse_body(response.body)
        if isinstance(parsed, Failure):
            self._desk.ledger.release(reservation, maybe_billed=True)
            self._failed(site, ticket, parsed, started)
            return
        told = parsed.content.prompt_tokens + parsed.content.completion_tokens > 0
        # A server that does not tell its tokens is charged the worst case, or a cap could not hold.
        self._desk.ledger.release(reservation, maybe_billed=not told)
        self._answered(site, ticket, parsed, started, expected)

    def _answered(self, site: Site, ticket: Ticket, parsed: Parsed, started: float, expected: float) -> None:
        now = self._loop.time()
        content = parsed.content
        site.answered += 1
        site.tokens += content.completion_tokens
        if site.breaker.opened_at is not None and self._sites.several:
            self._note(f"server {site.address} answers again")
        site.breaker.succeeded()
        used = content.prompt_tokens + content.completion_tokens
        site.pace.succeeded(now, started, expected, used, content.completion_tokens)
        self._bad_requests = 0
        self._last_answer = now
        reply = Reply(
            key=answer_key(site.variant, ticket.messages, ticket.number),
            endpoint=site.address,
            model=site.endpoint.model,
            raw=parsed.line,
            body=parsed.body,
            max_tokens=self._teacher.max_tokens,
            usd=site.endpoint.price.usd(content.prompt_tokens, content.completion_tokens),
        )
        self._desk.answered(ticket, reply)

    def _failed(self, site: Site, ticket: Ticket, failure: Failure, started: float, wait: float | None = None) -> None:
        now = self._loop.time()
        site.failed += 1
        trouble = failure.trouble
        failure = Failure(trouble, redact(failure.detail))
        if trouble is Trouble.AUTHENTICATION:
            self._desk.stop(
                AuthenticationError(
                    f"{site.address} refused the key of teacher {self._teacher.name!r}: {failure.detail}",
                    hint=_key_hint(site.endpoint),
                )
            )
            return
        if trouble in (Trouble.NOT_FOUND, Trouble.QUOTA):
            site.dead = f"{site.address} ({site.endpoint.model}): {trouble}: {failure.detail}"
            heapq.heappush(self._retries, (now, next(self._order), ticket))
            self._stop_if_all_dead()
            return
        if trouble is Trouble.RATE_LIMIT:
            self._desk.rate_limited()
            ticket.rejections += 1
            delay = min(site.pace.rejected(now, started, wait), LONGEST_SILENCE)
            ticket.avoid = site.number
            if any(other is not site and other.rest(now) < delay for other in self._sites):
                delay = 0.0  # `_choose` waits for whichever endpoint is free first
            if ticket.rejections > REJECTIONS_PER_RETRY * (self._teacher.execution.retries + 1):
                self._desk.failed(ticket, failure)
            else:
                heapq.heappush(self._retries, (now + delay, next(self._order), ticket))
            self._stop_if_told_to_come_back_later(now, failure)
            self._stop_if_silent(now, failure)
            return
        if not trouble.may_pass:
            self._desk.failed(ticket, failure)
            self._stop_if_recipe_is_wrong(trouble, failure)
            return
        self._retry_later(site, ticket, failure, now, started, wait)

    def _retry_later(
        self, site: Site, ticket: Ticket, failure: Failure, now: float, started: float, wait: float | None
    ) -> None:
        was_out = site.breaker.opened_at is not None
        site.breaker.failed(now)
        if site.breaker.opened_at is not None and not was_out and self._sites.several:
            self._note(f"server {site.address} is left out and tried now and then: {failure.detail}")
        if failure.trouble in (Trouble.OVERLOAD, Trouble.TIMEOUT):
            site.pace.overloaded(now, started)
        ticket.attempts += 1
        ticket.avoid = site.number
        if ticket.attempts > self._teacher.execution.retries:
            self._desk.failed(ticket, Failure(failure.trouble, f"{failure.detail} (tried {ticket.attempts} times)"))
        else:
            delay = max(_backoff(ticket.attempts), min(wait or 0.0, LONGEST_SILENCE))
            heapq.heappush(self._retries, (now + delay, next(self._order), ticket))
        never = [s for s in self._sites if not s.answered and s.breaker.probes_failed >= PROBES_BEFORE_FIRST_ANSWER]
        if len(never) == len(self._sites) and not self._sites.from_files:
            unreached = failure.trouble in (Trouble.CONNECTION, Trouble.TIMEOUT)
            said = f"cannot be reached at {site.address}" if unreached else f"gets no answer from {site.address}"
            hint = "start the server or correct its address" if unreached else "mend what the server says"
            self._desk.stop(
                TeacherError(f"teacher {self._teacher.name!r} {said}: {failure.detail}", hint=f"{hint}, then run again")
            )
        self._stop_if_silent(now, failure)

    def _stop_if_all_dead(self) -> None:
        if all(site.dead for site in self._sites) and self._servers:
            self._desk.stop(
                TeacherError(
                    f"teacher {self._teacher.name!r} cannot go on: " + "; ".join(site.dead for site in self._sites),
                    hint="correct the model's name (teachers.model, --model) or the URL (teachers.base_url), "
                    "or top up the account, then run again",
                )
            )

    def _stop_if_told_to_come_back_later(self, now: float, failure: Failure) -> None:
        """A limit a day, say, is not waited for: nobody watches a run that sleeps for hours."""
        if (
            min((math.inf if site.dead else site.pace.pause(now) for site in self._sites), default=0.0)
            > LONGEST_SILENCE
        ):
            told = ", ".join(
                f"{site.address} for {site.pace.pause(now):,.0f} s" for site in self._sites if not site.dead
            )
            self._desk.stop(
                TeacherError(
                    f"teacher {self._teacher.name!r} is told to wait ({told}): {failure.detail}",
                    hint="what was answered is kept: run again when the limit has passed",
                )
            )

    def _stop_if_silent(self, now: float, failure: Failure) -> None:
        since = now - max(self._last_answer, self._trying_since)
        if since > max(LONGEST_SILENCE, 5 * self._teacher.execution.timeout_seconds):
            self._desk.stop(
                TeacherError(
                    f"teacher {self._teacher.name!r} has not answered for {since:.0f} s; last: {failure.detail}",
                    hint="what was answered is kept: run again when the endpoint works",
                )
            )

    def _stop_if_none_comes(self, now: float) -> None:
        """No server is listed, and no file has named one for too long."""
        if self._trying_since == math.inf:
            self._trying_since = now
        said = self._sites.trouble or f"no server is listed in {self._sites.from_files}"
        self._stop_if_silent(now, Failure(Trouble.CONNECTION, said))

    def _stop_if_recipe_is_wrong(self, trouble: Trouble, failure: Failure) -> None:
        if trouble is not Trouble.BAD_REQUEST or any(site.answered for site in self._sites):
            return
        self._bad_requests += 1
        if self._bad_requests >= BAD_REQUESTS:
            self._desk.stop(
                TeacherError(
                    f"teacher {self._teacher.name!r} refused the first {BAD_REQUESTS} requests: {failure.detail}",
                    hint="correct the sampling settings or extra_body of this teacher",
                )
            )


def _backoff(tries: int) -> float:
    """Seconds to wait after so many tries."""
    state = tenacity.RetryCallState(_RETRYING, None, (), {})
    state.attempt_number = tries
    return _RETRYING.wait(state)


def _key_hint(endpoint: Endpoint) -> str:
    """What to do about a refused key: the variable to look at, or to name."""
    if endpoint.key is None or not endpoint.key.variable:
        return f"name the environment variable that holds a valid key in {KEY_SETTING}, and run again"
    return f"set the environment variable {endpoint.key.variable} to a valid key and run again"
