"""The servers of an online lane at work: which of them takes a request, and when; which come, go, fail and return."""

import math
import time
from collections.abc import Iterator
from typing import Any

from pipeline.core.errors import HornbookError
from pipeline.core.money import Ledger
from pipeline.teacher.breaker import Breaker
from pipeline.teacher.endpoint import Endpoint, Service
from pipeline.teacher.pace import Pace
from pipeline.teacher.protocol import Ticket
from pipeline.teacher.servers import Servers
from pipeline.teacher.transport import Transport, transport
from pipeline.teacher.wire import BodyWriter

TEMPLATE_TOKENS = 64
"""Tokens that a chat template may add to a prompt (a default system message), for the worst case of a request."""
LOOK_SECONDS = 1.0
"""Time between two looks at a file of servers."""


class Site:
    """One server at work.

    address: its base URL. number: tells it apart from all others of the lane, as in `Ticket.avoid`. answered, failed:
    requests so far; tokens: of its answers. dead: why it is never asked again, "" for no reason.
    """

    def __init__(self, teacher: Service, endpoint: Endpoint, variant: str, address: str, number: int) -> None:
        execution = teacher.execution
        self.endpoint = endpoint
        self.variant = variant
        self.address = address
        self.number = number
        self.writer = BodyWriter(endpoint.base_url, endpoint.model, teacher.sampling)
        # With a long queue every endpoint is always as full as it may be, so the weight must bound that.
        heaviest = max(other.weight for other in teacher.endpoints)
        most = max(1, round(execution.concurrency * endpoint.weight / heaviest))
        self.pace = Pace(most, execution.requests_per_minute, execution.tokens_per_minute)
        self.breaker = Breaker(Breaker.LONGEST_AMONG_SEVERAL if endpoint.servers else Breaker.LONGEST_SECONDS)
        self.transport: Transport = transport(
            address, endpoint.headers(dict(teacher.headers)), execution.timeout_seconds, execution.concurrency
        )
        self.started_in_all = self.answered = self.failed = self.tokens = 0
        self.dead = ""
        self._busy = 0.0
        self._busy_since = 0.0

    def wait(self, now: float, tokens: float) -> float:
        if self.dead:
            return math.inf
        return max(self.breaker.wait(now), self.pace.wait(now, tokens))

    def rest(self, now: float) -> float:
        """Seconds for which nothing at all is sent here, whatever is in flight."""
        return math.inf if self.dead else max(self.breaker.wait(now), self.pace.pause(now))

    @property
    def load(self) -> tuple[float, float]:
        """What is outstanding here for its weight, then what was sent here so far: the least takes the next request.

        Failures in a row count as outstanding: a server that fails at once has nothing in flight, and would draw all.
        """
        weight = self.endpoint.weight
        return (self.pace.in_flight + self.breaker.failures) / weight, self.started_in_all / weight

    def started(self, now: float, tokens: float) -> None:
        if not self.pace.in_flight:
            self._busy_since = now
        self.started_in_all += 1
        self.pace.started(now, tokens)
        self.breaker.started()

    def ended(self, now: float) -> None:
        """A request came back, however."""
        self.pace.ended()
        if not self.pace.in_flight:
            self._busy += now - self._busy_since

    def figures(self, now: float) -> dict[str, Any]:
        """What it did so far, for events and the report; "busy_seconds": time in which it had something to answer."""
        busy = self._busy + (now - self._busy_since if self.pace.in_flight else 0.0)
        return {
            "server": self.address,
            "answered": self.answered,
            "failed": self.failed,
            "tokens": self.tokens,
            "busy_seconds": round(busy, 3),
            "in_flight": self.pace.in_flight,
            "out": bool(self.dead) or self.breaker.opened_at is not None,
        }


class Sites:
    """All servers of a service: one for each endpoint, or those that are listed in its place.

    Raises RecipeError or InputError where a list cannot be used.
    """

    def __init__(self, service: Service, ledger: Ledger) -> None:
        self._service = service
        self._ledger = ledger
        self._most = service.max_tokens
        self._sites: list[Site] = []
        self._left: list[Site] = []
        self._stamps = [endpoint.servers.stamp() if endpoint.servers else () for endpoint in service.endpoints]
        self._coming: dict[int, tuple[str, ...]] = {}
        self._troubles: dict[int, str] = {}
        self._looked = -math.inf
        self._began = time.time()
        for place, endpoint in enumerate(service.endpoints):
            self._take(place, endpoint.servers.listed() if endpoint.servers else (endpoint.base_url,))

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites)

    def __len__(self) -> int:
        return len(self._sites)

    @property
    def several(self) -> bool:
        """Whether there are lists of servers, of which is told how each of them does."""
        return any(endpoint.servers for endpoint in self._service.endpoints)

    @property
    def from_files(self) -> str:
        """The files from which further servers may come, "" for none."""
        lists = [endpoint.servers for endpoint in self._service.endpoints if endpoint.servers]
        return ", ".join(one.source for one in lists if one.file)

    @property
    def trouble(self) -> str:
        """What is wrong with the files as they are now, "" for nothing."""
        return "; ".join(self._troubles.values())

    def everyone(self) -> list[Site]:
        """Also those that are listed no more, of which answers may still come."""
        return [*self._sites, *self._left]

    def look(self, now: float) -> list[str]:
        """Read again the files that have changed: servers come and go. Returns what to tell a person.

        What is in flight at one that is listed no more is still waited for. A file may be half written: one that names
        no server, or cannot be used, changes nothing, and a new list counts once two looks have found it the same.
        """
        if not self.from_files or now - self._looked < LOOK_SECONDS:
            return []
        self._looked = now
        told: list[str] = []
        for place, endpoint in enumerate(self._service.endpoints):
            if endpoint.servers is None:
                continue
            stamp = endpoint.servers.stamp()
            if stamp != self._stamps[place] or place in self._coming:
                told += self._read(place, endpoint.servers)
                self._stamps[place] = stamp
        return told

    def _read(self, place: int, servers: Servers) -> list[str]:
        """Read the list of the endpoint at `place`, and take it if it is good and the same as at the last look."""
        before = self._coming.pop(place, None)
        here = {site.address for site in self._sites if site.endpoint is self._service.endpoints[place]}
        try:
            listed = servers.listed()
            trouble = f"{servers.source} names no server" if here and not listed else ""
        except HornbookError as error:
            listed, trouble = (), error.message
        known = self._troubles.pop(place, "")
        if trouble:
            self._troubles[place] = trouble
            after = "; the servers listed before are asked" if here else ""
            return [f"{trouble}{after}"] if trouble != known else []
        if set(listed) == here:
            return []
        if listed != before:
            self._coming[place] = listed
            return []
        return self._take(place, listed)

    def _take(self, place: int, listed: tuple[str, ...]) -> list[str]:
        """Let the servers of the endpoint at `place` be those that are listed."""
        endpoint, variant = self._service.endpoints[place], self._service.variants[place]
        here = [site for site in self._sites if site.endpoint is endpoint]
        told = []
        for site in here:
            if site.address not in listed:
                self._sites.remove(site)
                self._left.append(site)
                told.append(f"server {site.address} is listed no more")
        for address in listed:
            if address not in {site.address for site in here}:
                number = len(self._sites) + len(self._left)
                self._sites.append(Site(self._service, endpoint, variant, address, number))
                told.append(f"server {address} is listed")
        return told

    def affordable(self, ticket: Ticket) -> list[Site]:
        """The servers whose worst case for this request is not beyond the caps for good; dead ones do not count."""
        if not self._ledger.capped:
            return self._sites
        asked = ticket.question.messages
        sizes = [len(site.writer.body(asked, ticket.number)) + TEMPLATE_TOKENS for site in self._sites]
        return [site for site, size in zip(self._sites, sizes, strict=True) if self.can_pay(site, size)]

    def can_pay(self, site: Site, prompt_tokens: int = 0) -> bool:
        """Whether the worst case of a request of so many tokens at a server may ever be paid."""
        beyond = self._ledger.beyond(prompt_tokens, self._most, site.endpoint.price)
        return not site.dead and not beyond

    def choose(self, ticket: Ticket, now: float, sites: list[Site]) -> tuple[Site | None, float]:
        """The server of `sites` with the least outstanding among those that can take the request now.

        Where none can: None and the seconds until one can. A retry goes to another server if there is one.
        """
        waits = [site.wait(now, self.expected(site, ticket)) for site in sites]
        able = [site for site, wait in zip(sites, waits, strict=True) if wait <= 0]
        if not able:
            return None, min(waits)
        others = [site for site in able if site.number != ticket.avoid]
        return min(others or able, key=lambda site: site.load), 0.0

    def expected(self, site: Site, ticket: Ticket) -> float:
        """Tokens that a request will likely take, 0.0 where nothing counts them."""
        if not site.pace.counts_tokens:
            return 0.0
        prompt = sum(len(message.content) for message in ticket.question.messages) / 4
        return site.pace.expected_tokens(prompt, self._most)

    def event(self, now: float) -> dict[str, Any]:
        """How each server does, since this conversation `began` (seconds since the epoch)."""
        servers = [site.figures(now) for site in self.everyone()]
        return {"event": "servers", "teacher": self._service.name, "began": round(self._began, 3), "servers": servers}
