"""How fast an endpoint is asked: stated limits, learned limits, and one pause for all.

Three things hold a request back, and each says for how long: concurrency (additive increase, multiplicative decrease,
with a floor), buckets of requests and tokens a minute, and the pause that a Retry-After asks of everyone.

Limits are taken from the execution settings, else from `x-ratelimit-limit-*` headers, else learned from rejections:
what an endpoint accepted between two pauses, pauses included, is what it allows. From there the rate grows like TCP
CUBIC's window, slowly near the last known limit and faster the longer no rejection comes.

Some endpoints reject at random, whatever is sent (a busy shared deployment). There, slowing down only slows down: when
several learned rates in a row were obeyed and rejected all the same, the rate is forgotten for a while and a
Retry-After holds back only the request that got it, until the share of rejections shows that obeying mattered.
"""

import math
from collections import deque
from collections.abc import Mapping

from pipeline.teacher.wire import duration

FIRST_CONCURRENCY = 4
"""Requests in flight before anything is known of an endpoint; doubles each round trip."""
STATED_SHARE = 0.97
"""Share of a stated limit that is used: at 1.0, the jitter of the network alone makes rejections."""
DECREASE = 0.7
"""Factor of the concurrency after an overload."""
GROWTH = 0.02
"""Relative growth of a learned rate per second right after a rejection."""
GROWTH_SECONDS = 3.0
"""Time after which that growth has doubled; it goes with the square of time, as CUBIC's does."""
OBEYED_IN_VAIN = 3
"""Learned rates in a row that were rejected at once, before rejections count as unrelated to the rate."""
UNRELATED_SECONDS = 30.0
"""How long that verdict holds before it is tested again."""
LONGEST_BACKOFF = 30.0
"""Longest pause, seconds, for a rejection without Retry-After."""


class Bucket:
    """A token bucket. Debts are allowed: what turns out larger than estimated is paid back by waiting."""

    __slots__ = ("_at", "_level", "rate")

    def __init__(self, per_second: float) -> None:
        self.rate = per_second
        self._level = 1.0
        self._at = -math.inf

    def wait(self, now: float, amount: float) -> float:
        """Seconds until `amount` may be taken; 0.0 for now."""
        self._fill(now)
        missing = min(amount, self._burst()) - self._level
        return missing / self.rate if missing > 1e-9 else 0.0

    def take(self, now: float, amount: float) -> None:
        self._fill(now)
        self._level -= amount

    def give(self, amount: float) -> None:
        """Take back what was taken too much, or take more (negative)."""
        self._level = min(self._burst(), self._level + amount)

    def _burst(self) -> float:
        # A fiftieth of a second's worth: enough to be woken rarely, too little to look like a burst.
        return max(1.0, self.rate / 50)

    def _fill(self, now: float) -> None:
        if now > self._at:
            if self._at > -math.inf:
                self._level = min(self._burst(), self._level + (now - self._at) * self.rate)
            self._at = now


class Pace:
    """The pace of one endpoint. All times are seconds of one monotonic clock, given by the caller."""

    def __init__(self, most: int, requests_per_minute: float = 0, tokens_per_minute: float = 0) -> None:
        self.most = most
        self.floor = max(1, most // 16)
        self.concurrency = float(min(most, FIRST_CONCURRENCY))
        self.in_flight = 0
        self.rejections = 0
        self._told = requests_per_minute > 0
        self._requests = Bucket(requests_per_minute / 60) if requests_per_minute else None
        self._tokens_told = tokens_per_minute > 0
        self._tokens = Bucket(tokens_per_minute / 60) if tokens_per_minute else None
        self._slow_start = True
        self._decreased_at = -math.inf
        self._paused_until = -math.inf
        self._learned: Bucket | None = None
        self._epoch = -math.inf
        self._accepted = 0
        self._last_epoch = -math.inf
        self._last_accepted = 0
        self._rejected_at = -math.inf
        self._in_vain = 0
        self._backoff = 0
        self._unrelated_until = -math.inf
        self._recent: deque[bool] = deque(maxlen=50)
        self._mean_completion = 0.0

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until a request of about `tokens` may start: 0.0 now, infinite until another one ends."""
        if self.in_flight >= int(self.concurrency):
            return math.inf
        longest = self._paused_until - now
        for bucket, amount in ((self._requests, 1.0), (self._learned, 1.0), (self._tokens, tokens)):
            if bucket is not None:
                longest = max(longest, bucket.wait(now, amount))
        return max(0.0, longest)

    @property
    def counts_tokens(self) -> bool:
        """Whether there is a limit of tokens a minute."""
        return self._tokens is not None

    def expected_tokens(self, prompt_tokens: float, max_tokens: int) -> float:
        """Tokens a request will likely take: answers so far tell how long the next one is, the limit until then."""
        return prompt_tokens + min(float(max_tokens), self._mean_completion or float(max_tokens))

    def started(self, now: float, tokens: float) -> None:
        self.in_flight += 1
        if self._epoch == -math.inf:
            self._epoch = now
        for bucket, amount in ((self._requests, 1.0), (self._learned, 1.0), (self._tokens, tokens)):
            if bucket is not None:
                bucket.take(now, amount)

    def ended(self) -> None:
        """A request came back, however."""
        self.in_flight -= 1

    def succeeded(self, now: float, started: float, expected: float, used: int, completion: int) -> None:
        """An answer came to a request sent at `started`; used: its tokens, 0 if not told."""
        if self._tokens is not None and used:
            self._tokens.give(expected - used)
        if completion:
            self._mean_completion += (completion - self._mean_completion) * (0.05 if self._mean_completion else 1.0)
        if self._slow_start:
            self.concurrency = min(self.most, self.concurrency + 1)
        elif self.concurrency < self.most:
            self.concurrency = min(self.most, self.concurrency + 1 / self.concurrency)
        self._backoff = 0
        self._recent.append(True)
        if started >= self._epoch:
            self._accepted += 1
        elif started >= self._last_epoch:
            self._last_accepted += 1
        if self._learned is not None:
            self._grow(now)

    def _grow(self, now: float) -> None:
        learned = self._learned
        assert learned is not None
        if now < self._epoch:
            return
        since = now - self._rejected_at
        # One answer's part of the growth of a second, in which `rate` answers come.
        learned.rate += GROWTH * (1 + (since / GROWTH_SECONDS) ** 2)
        learned.rate = max(learned.rate, self._last_accepted / (self._epoch - self._last_epoch))

    def rejected(self, now: float, started: float, retry_after: float | None) -> float:
        """A 429 came to a request sent at `started`. Returns the seconds that this request itself must wait."""
        self.rejections += 1
        self._recent.append(False)
        if retry_after is None:
            wait = min(LONGEST_BACKOFF, 2.0**self._backoff)
            self._backoff += started >= self._epoch
        else:
            wait = retry_after
        if now < self._unrelated_until:
            if self._recent.count(False) > len(self._recent) / 2:
                self._unrelated_until = -math.inf
            else:
                return wait
        until = now + wait
        if started < self._epoch:
            # Sent before the pause that is already kept: it can only make it longer.
            if until > self._paused_until:
                self._epoch += until - self._paused_until
                self._paused_until = until
            return wait
        self._new_epoch(now, until)
        return wait

    def _new_epoch(self, now: float, until: float) -> None:
        span = max(until - self._epoch, 1e-3)
        measured = self._accepted / span
        current = self._learned.rate if self._learned else 0.0
        if current and self._accepted < max(3.0, current):
            self._in_vain += 1
        else:
            self._in_vain = 0
        self._last_epoch, self._last_accepted = self._epoch, self._accepted
        self._epoch, self._accepted = until, 0
        self._paused_until, self._rejected_at = until, now
        if self._in_vain >= OBEYED_IN_VAIN:
            self._in_vain = 0
            self._learned = None
            self._unrelated_until = now + UNRELATED_SECONDS
            self._paused_until = now
            self._epoch = now
            self.concurrency = float(self.most)
            return
        rate = max(measured, DECREASE * current, 1 / 60)
        if self._requests is not None:
            rate = max(rate, self._requests.rate / 2)
        elif self._learned is None or self._slow_start:
            self.concurrency = max(self.floor, self.concurrency * DECREASE)
        self._slow_start = False
        if self._learned is None:
            self._learned = Bucket(rate)
        self._learned.rate = rate

    def overloaded(self, now: float, started: float) -> None:
        """The endpoint could not keep up (503, timeout): fewer at once, by one step for all that were in flight."""
        self._slow_start = False
        if started > self._decreased_at:
            self._decreased_at = now
            self.concurrency = max(self.floor, self.concurrency * DECREASE)

    def read_headers(self, now: float, headers: Mapping[str, str]) -> None:
        """Learn stated limits (`x-ratelimit-limit-requests`, `-tokens`, a minute each) and what is left of them."""
        if not self._told:
            self._requests = self._stated(self._requests, headers.get("x-ratelimit-limit-requests"))
        if not self._tokens_told:
            self._tokens = self._stated(self._tokens, headers.get("x-ratelimit-limit-tokens"))
        for kind in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{kind}") == "0":
                reset = duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
                if reset:
                    self._paused_until = max(self._paused_until, now + min(reset, 60.0))

    def _stated(self, bucket: Bucket | None, value: str | None) -> Bucket | None:
        if value is None or not value.isdigit() or value == "0":
            return bucket
        rate = int(value) / 60 * STATED_SHARE
        if bucket is None:
            # With a stated limit there is nothing to feel out: the bucket holds the rate from here on.
            if self._slow_start:
                self.concurrency = float(self.most)
            return Bucket(rate)
        bucket.rate = rate
        return bucket


class Breaker:
    """Stops asking an endpoint that does not work: open after failures in a row, then one probe at a time."""

    FAILURES = 8
    """Failures in a row that open it; each endpoint has its own."""
    FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
    """Time until the first probe; doubles with each probe that fails."""

    def __init__(self) -> None:
        self.failures = 0
        self.probes_failed = 0
        self.opened_at: float | None = None
        self._probe_at = 0.0
        self._probing = False

    def wait(self, now: float) -> float:
        """Seconds until a request may be sent: 0.0 while closed, infinite while a probe is under way."""
        if self.opened_at is None:
            return 0.0
        return math.inf if self._probing else max(0.0, self._probe_at - now)

    def started(self) -> None:
        """A request is sent; while open it is the probe."""
        self._probing = self.opened_at is not None

    def succeeded(self) -> None:
        self.failures = self.probes_failed = 0
        self.opened_at, self._probing = None, False

    def failed(self, now: float) -> None:
        self.failures += 1
        if self._probing:
            self._probing = False
            self.probes_failed += 1
        elif self.opened_at is not None or self.failures < self.FAILURES:
            return
        if self.opened_at is None:
            self.opened_at = now
        self._probe_at = now + min(self.LONGEST_SECONDS, self.FIRST_SECONDS * 2**self.probes_failed)
