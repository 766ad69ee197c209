"""How fast an endpoint is asked: stated limits, learned limits, and one pause for all.

Three things hold a request back, and each says for how long: concurrency (additive increase, multiplicative decrease,
with a floor), buckets of requests and tokens a minute, and the pause that a Retry-After asks of everyone.

Limits are taken from the execution settings, else from `x-ratelimit-limit-*` headers, else learned from rejections:
what an endpoint accepted between two pauses, pauses included, is what it allows. From there the rate goes the way of
TCP CUBIC's window: back to the last known limit, along it, and ever faster beyond it the longer no rejection comes.

Some endpoints reject at random, whatever is sent (a busy shared deployment). There, slowing down only slows down: when
several learned rates in a row were obeyed and rejected all the same, the rate is forgotten for a while and a
Retry-After holds back only the request that got it, until the share of rejections shows that obeying mattered.
"""

import heapq
import math
from collections import deque
from collections.abc import Mapping

from pipeline.teacher.wire import duration

FIRST_CONCURRENCY = 4
"""Requests in flight before anything is known of an endpoint."""
RAMP = 8.0
"""Growth of the concurrency per round trip until the first rejection: smooth in time, not in waves, because a rejection
comes back sooner than an answer and then stops the ramp before much more is sent."""
STATED_SHARE = 0.97
"""Share of a stated limit that is used: at 1.0, the jitter of the network alone makes rejections."""
DECREASE = 0.7
"""Factor of the concurrency after an overload."""
BACK_OFF = 0.05
"""Share of the learned limit that is given up after a rejection."""
PLATEAU_SECONDS = 6.0
"""Time in which the rate comes back to the limit learned last; it doubles each time that the limit is confirmed."""
LONGEST_PLATEAU = 60.0
SURE = 10
"""Answers from which a limit is learned with some trust."""
UNSURE_SECONDS = 2.0
"""A limit learned from fewer is held this long without a rejection; then the rate doubles every second."""
OBEYED_IN_VAIN = 3
"""Learned rates in a row that were rejected within `SURE` answers, before rejections count as unrelated to the rate.

Doubles each time that this proves wrong.
"""
VAIN_DECREASE = 0.5
"""Factor of a learned rate that was obeyed in vain: three in a row are an eighth of the rate."""
UNRELATED_SECONDS = 30.0
"""How long that verdict holds before it is tested again."""
LONGEST_BACKOFF = 30.0
"""Longest pause, seconds, for a rejection without Retry-After."""


class Bucket:
    """A token bucket. Debts are allowed: what turns out larger than estimated is paid back by waiting."""

    __slots__ = ("_at", "_held_at", "_level", "rate")

    def __init__(self, per_second: float) -> None:
        self.rate = per_second
        self._level = 1.0
        self._at = -math.inf
        self._held_at = -math.inf

    def wait(self, now: float, amount: float) -> float:
        """Seconds until `amount` may be taken; 0.0 for now."""
        self._fill(now)
        missing = min(amount, self._burst()) - self._level
        if missing <= 1e-9:
            return 0.0
        wait = missing / self.rate
        if wait > 0.001:
            self._held_at = now
        return wait

    def take(self, now: float, amount: float) -> None:
        self._fill(now)
        self._level -= amount

    def give(self, amount: float) -> None:
        """Take back what was taken too much, or take more (negative)."""
        self._level = min(self._burst(), self._level + amount)

    def binding(self, now: float) -> bool:
        """Whether this bucket held a request back within the last second."""
        return now - self._held_at < 1.0

    def _burst(self) -> float:
        # A tenth of a second's worth: what a busy machine that wakes up late must catch up with.
        return max(1.0, self.rate / 10)

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
        self._stated_at = -math.inf
        self._slow_start = True
        self._ramp: tuple[float, float] | None = None
        self._ramp_over = False
        self._decreased_at = -math.inf
        self._paused_until = -math.inf
        self._learned: Bucket | None = None
        self._epoch = -math.inf
        self._accepted = 0
        self._last_epoch = -math.inf
        self._last_accepted = 0
        self._limit = 0.0
        self._plateau = PLATEAU_SECONDS
        self._sure = True
        self._telling = True
        self._in_vain = 0
        self._patience = OBEYED_IN_VAIN
        self._backoff = 0
        self._unrelated_until = -math.inf
        self._recent: deque[bool] = deque(maxlen=50)
        self._trial = _Trial(0.0, 0.0)
        self._mean_completion = 0.0

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until a request of about `tokens` may start: 0.0 now, infinite until another one ends."""
        if self._ramp is not None:
            self._climb(now)
        if self.in_flight >= int(self.concurrency):
            return math.inf if self._ramp is None else 0.002
        longest = self._paused_until - now
        for bucket, amount in ((self._requests, 1.0), (self._learned, 1.0), (self._tokens, tokens)):
            if bucket is not None:
                longest = max(longest, bucket.wait(now, amount))
        return max(0.0, longest)

    def _climb(self, now: float) -> None:
        """Concurrency on the ramp; it ends at the most, or when answers stay away."""
        assert self._ramp is not None
        since, trip = self._ramp
        steps = (now - since) / trip
        self.concurrency = min(self.most, FIRST_CONCURRENCY * RAMP ** min(steps, 10.0))
        if self.concurrency >= self.most or steps > 10:
            self._end_ramp()

    def _end_ramp(self) -> None:
        self._ramp = None
        self._ramp_over = True

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
        if not self._ramp_over:
            self._ramp = self._ramp or (now, max(0.001, now - started))
        elif self._slow_start:
            self.concurrency = min(self.most, self.concurrency + 0.5)
        elif self.concurrency < self.most:
            self.concurrency = min(self.most, self.concurrency + 1 / self.concurrency)
        self._backoff = 0
        self._recent.append(True)
        if now < self._unrelated_until and self._trial.answered(started):
            self._unrelated_until = -math.inf
            self._patience *= 2
        if started >= self._epoch:
            self._accepted += 1
        elif started >= self._last_epoch:
            self._last_accepted += 1
        self._grow(now)

    def _grow(self, now: float) -> None:
        """Raise the learned rate for one answer: at most by 0.7, which is to double it in a second."""
        learned = self._learned
        if learned is None or now < self._epoch:
            return
        # Answers to requests sent before the pause came after it: the endpoint allows more than it seemed to.
        self._limit = max(self._limit, self._last_accepted / (self._epoch - self._last_epoch))
        self._sure = self._sure or (self._telling and self._last_accepted >= SURE)
        if self._sure:
            after = (now - self._epoch) / self._plateau - 1
            wanted = self._limit * (1 + BACK_OFF * after**3)
        elif now - self._epoch < UNSURE_SECONDS:
            return
        else:
            wanted = math.inf
        learned.rate = max(learned.rate, min(wanted, learned.rate + 0.7, learned.rate * 2))

    def rejected(self, now: float, started: float, retry_after: float | None) -> float:
        """A 429 came to a request sent at `started`. Returns the seconds that this request itself must wait."""
        self.rejections += 1
        self._end_ramp()
        self._recent.append(False)
        if retry_after is not None:
            wait = retry_after
        elif started < self._epoch:
            wait = max(0.0, self._paused_until - now)
        else:
            wait = min(LONGEST_BACKOFF, 2.0**self._backoff)
            self._backoff += 1
        if now < self._unrelated_until:
            self._trial.rejected(started)
            return wait
        until = now + wait
        if started < max(self._epoch, self._stated_at):
            # Sent before the pause that is already kept, or before the limit was known: nothing to learn from.
            if until > self._paused_until:
                self._epoch = max(self._epoch, until)
                self._paused_until = until
            return wait
        self._new_epoch(now, until)
        return wait

    def _new_epoch(self, now: float, until: float) -> None:
        span = max(until - self._epoch, 1e-3)
        measured = self._accepted / span
        if not self._learned:
            # The first rejection may come after two requests and mean little: take a rate that soon shows more.
            measured = max(self._accepted, SURE) / span
        current = self._learned.rate if self._learned else 0.0
        vain = bool(current) and self._accepted < SURE
        if vain:
            limit = max(measured, current * VAIN_DECREASE)
        elif current and self._sure:
            limit = max(measured, min(current, self._accepted / max(now - self._epoch, 1e-3)))
            confirmed = limit < 1.25 * self._limit
            self._plateau = min(LONGEST_PLATEAU, self._plateau * 2) if confirmed else PLATEAU_SECONDS
        else:
            limit = max(measured, current * DECREASE)
        self._in_vain = self._in_vain + 1 if vain else 0
        # A start that took long was slower than the limit for most of its time.
        self._telling = current > 0 or now - self._epoch < UNSURE_SECONDS
        self._sure = self._telling and self._accepted >= SURE
        self._last_epoch, self._last_accepted = self._epoch, self._accepted
        self._epoch, self._accepted = until, 0
        self._paused_until = until
        if self._in_vain >= self._patience:
            self._believe_unrelated(now)
            return
        if self._requests is not None and self._requests.binding(now):
            limit = max(limit, self._requests.rate)
        self._limit = max(limit, 1 / 60)
        rate = self._limit * (1 - BACK_OFF)
        if self._learned is None:
            self._learned = Bucket(rate)
        self._learned.rate = rate

    def _believe_unrelated(self, now: float) -> None:
        """Stop holding back for rejections that come whatever is sent; `_Trial` watches whether that was right."""
        self._trial = _Trial(now, self._recent.count(False) / len(self._recent))
        self._in_vain = 0
        self._learned = None
        self._unrelated_until = now + UNRELATED_SECONDS
        self._paused_until = self._epoch = now

    def overloaded(self, now: float, started: float) -> None:
        """The endpoint could not keep up (503, timeout): fewer at once, by one step for all that were in flight."""
        self._slow_start = False
        self._end_ramp()
        if started > self._decreased_at:
            self._decreased_at = now
            self.concurrency = max(self.floor, self.concurrency * DECREASE)

    def read_headers(self, now: float, headers: Mapping[str, str]) -> None:
        """Learn stated limits (`x-ratelimit-limit-requests`, `-tokens`, a minute each) and what is left of them."""
        if not self._told:
            if self._requests is None and "x-ratelimit-limit-requests" in headers:
                self._stated_at = now
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
            return Bucket(rate)
        bucket.rate = rate
        return bucket


class _Trial:
    """Watches rejections while they are believed to be unrelated to the rate.

    Requests are judged together that were sent within a second, and only when an answer comes to one sent later:
    rejections come sooner than answers, and at any other moment there would seem to be too many of them.
    """

    SECONDS = 1.0
    RESPONSES = 50
    """Fewest responses that are judged."""

    def __init__(self, now: float, share: float) -> None:
        """share: of rejections among responses when the trial began at `now`."""
        self._most = min(0.95, max(0.5, 1.5 * share))
        self._until = now + self.SECONDS
        self._answers = 0
        self._rejected: list[float] = []

    def rejected(self, started: float) -> None:
        """A request sent at `started` was rejected."""
        heapq.heappush(self._rejected, started)

    def answered(self, started: float) -> bool:
        """A request sent at `started` was answered; True if rejections are so many that the rate matters after all."""
        if started < self._until:
            self._answers += 1
            return False
        rejections = sum(sent < self._until for sent in self._rejected)
        total = self._answers + rejections
        self._until = started + self.SECONDS
        if total < self.RESPONSES:
            return False
        self._rejected = sorted(sent for sent in self._rejected if sent >= started)
        self._answers = 1
        return rejections > self._most * total


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
