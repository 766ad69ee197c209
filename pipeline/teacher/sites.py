"""The endpoints of an online lane at work: which of them takes a request, and when."""

import math
from collections.abc import Iterator

from pipeline.core.money import Ledger
from pipeline.teacher.breaker import Breaker
from pipeline.teacher.endpoint import Endpoint, Service
from pipeline.teacher.pace import Pace
from pipeline.teacher.protocol import Ticket
from pipeline.teacher.transport import Transport, transport
from pipeline.teacher.wire import BodyWriter

TEMPLATE_TOKENS = 64
"""Tokens that a chat template may add to a prompt (a default system message), for the worst case of a request."""


class Site:
    """One endpoint at work."""

    def __init__(self, teacher: Service, endpoint: Endpoint, variant: str) -> None:
        execution = teacher.execution
        self.endpoint = endpoint
        self.variant = variant
        self.writer = BodyWriter(endpoint.base_url, endpoint.model, teacher.sampling)
        # With a long queue every endpoint is always as full as it may be, so the weight must bound that.
        heaviest = max(other.weight for other in teacher.endpoints)
        most = max(1, round(execution.concurrency * endpoint.weight / heaviest))
        self.pace = Pace(most, execution.requests_per_minute, execution.tokens_per_minute)
        self.breaker = Breaker()
        self.transport: Transport = transport(
            endpoint.base_url, endpoint.headers(dict(teacher.headers)), execution.timeout_seconds, execution.concurrency
        )
        self.credit = 0.0
        self.answered = False
        self.dead = ""

    def wait(self, now: float, tokens: float) -> float:
        if self.dead:
            return math.inf
        return max(self.breaker.wait(now), self.pace.wait(now, tokens))

    def rest(self, now: float) -> float:
        """Seconds for which nothing at all is sent here, whatever is in flight."""
        return math.inf if self.dead else max(self.breaker.wait(now), self.pace.pause(now))


class Sites:
    """All endpoints of a service."""

    def __init__(self, service: Service, ledger: Ledger) -> None:
        self._most = service.max_tokens
        self._ledger = ledger
        self._sites = [
            Site(service, endpoint, variant)
            for endpoint, variant in zip(service.endpoints, service.variants, strict=True)
        ]

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites)

    def index(self, site: Site) -> int:
        """The place of an endpoint, as in `Ticket.avoid`."""
        return self._sites.index(site)

    def affordable(self, ticket: Ticket) -> list[Site]:
        """The endpoints whose worst case for this request is not beyond the caps for good; dead ones do not count."""
        if not self._ledger.capped:
            return self._sites
        asked = ticket.question.messages
        sizes = [len(site.writer.body(asked, ticket.number)) + TEMPLATE_TOKENS for site in self._sites]
        return [site for site, size in zip(self._sites, sizes, strict=True) if self.can_pay(site, size)]

    def can_pay(self, site: Site, prompt_tokens: int = 0) -> bool:
        """Whether the worst case of a request of so many tokens at an endpoint may ever be paid."""
        beyond = self._ledger.beyond(prompt_tokens, self._most, site.endpoint.price)
        return not site.dead and not beyond

    def choose(self, ticket: Ticket, now: float, sites: list[Site]) -> tuple[Site | None, float]:
        """The endpoint of `sites` for a request by smooth weighted round robin among those that can take it now.

        Where none can: None and the seconds until one can. A retry goes to another endpoint if there is one.
        """
        if len(sites) == 1:
            wait = sites[0].wait(now, self.expected(sites[0], ticket))
            return (sites[0], 0.0) if wait <= 0 else (None, wait)
        waits = [site.wait(now, self.expected(site, ticket)) for site in sites]
        able = [site for site, wait in zip(sites, waits, strict=True) if wait <= 0]
        if not able:
            return None, min(waits)
        if len(able) > 1 and ticket.avoid >= 0 and self._sites[ticket.avoid] in able:
            able.remove(self._sites[ticket.avoid])
        for site in able:
            site.credit += site.endpoint.weight
        best = max(able, key=lambda site: site.credit)
        best.credit -= sum(site.endpoint.weight for site in able)
        return best, 0.0

    def expected(self, site: Site, ticket: Ticket) -> float:
        """Tokens that a request will likely take, 0.0 where nothing counts them."""
        if not site.pace.counts_tokens:
            return 0.0
        prompt = sum(len(message.content) for message in ticket.question.messages) / 4
        return site.pace.expected_tokens(prompt, self._most)
