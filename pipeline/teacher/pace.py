"""How fast an endpoint is asked: stated limits, learned limits, and one pause for all.

Three things hold a request back, and each says for how long: concurrency (a steep ramp, additive increase,
multiplicative decrease, with a floor), buckets of requests and tokens a minute, and the pause that a Retry-After asks
of everyone.

Limits are taken from the execution settings, else from `x-ratelimit-limit-*` headers, else learned from rejections:
the rate at which a bucket as large as the endpoint's seems to be would have run dry at the moment of the rejection
(`limits.rate_that_ran_dry`). From there the rate goes the way of TCP CUBIC's window: back to the last known limit,
along it, and ever faster beyond it the longer no rejection comes.

Some endpoints reject at random, whatever is sent (a busy shared deployment). There, slowing down only slows down: when
several learned rates in a row were obeyed and rejected all the same, the rate is forgotten for a while and a
Retry-After holds back only the request that got it, until the share of rejections shows that obeying mattered.
"""

import math
from collections import deque
from collections.abc import Mapping

from pipeline.teacher.limits import Bucket, Trial, rate_that_ran_dry
from pipeline.teacher.wire import duration

FIRST_CONCURRENCY = 4
"""Requests in flight at the very start."""
RAMP_SECONDS = 0.02
"""The ramp grows by a factor of e in this time: steep, but a limiter that says no within some milliseconds stops it
before a dozen requests more are sent. It does not wait for answers, which may take a minute."""
UNHEARD = 16
"""Most requests in flight while an endpoint has said nothing at all, for the first `UNHEARD_SECONDS`."""
UNHEARD_SECONDS = 1.0
STATED_SHARE = 0.97
"""Share of a stated limit that is used: at 1.0, the jitter of the network alone makes rejections."""
DECREASE = 0.7
"""Factor of the concurrency after an overload."""
BACK_OFF = 0.05
"""Share of the learned limit that is given up after a rejection."""
PLATEAU_SECONDS = 12.0
"""Time in which the rate comes back to the limit learned last; it doubles each time that the limit is confirmed."""
LONGEST_PLATEAU = 60.0
SURE = 10
"""Answers from which a limit is learned with some trust."""
UNSURE_SECONDS = 1.0
"""A limit learned from fewer is held this long without a rejection; then the rate doubles every second. Also the
least time over which the first rate is measured: what was accepted in a few milliseconds was a burst."""
OBEYED_IN_VAIN = 4
"""Learned limits in a row that were not passed and rejected all the same, before rejections count as unrelated.

Doubles each time that this proves wrong.
"""
SURE_DECREASE = 0.9
"""Least factor of a learned rate that had been measured well."""
VAIN_DECREASE = 0.4
"""Factor of a learned rate that was obeyed in vain."""
UNRELATED_SECONDS = 30.0
"""How long that verdict holds before it is tested again."""
_MOST_SENT = 4096
"""Requests remembered to learn from a rejection."""
LONGEST_BACKOFF = 30.0
"""Longest pause, seconds, for a rejection without Retry-After."""
SHORTEST_PAUSE = 0.05
"""A Retry-After of 0, or an HTTP date that has just passed, is taken for this many seconds."""


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
        self._ramp_from: float | None = None
        self._ramp_base = float(FIRST_CONCURRENCY)
        self._ramp_over = self.concurrency >= most
        self._heard = False
        self._decreased_at = -math.inf
        self._paused_until = -math.inf
        self._learned: Bucket | None = None
        self._epoch = -math.inf
        self._accepted = 0
        self._last_epoch = -math.inf
        self._last_accepted = 0
        self._sent: deque[float] = deque(maxlen=_MOST_SENT)
        self._dry_at = -math.inf
        self._first_span = math.inf
        self._first_accepted = 0
        self._burst: float | None = None
        self._limit = 0.0
        self._plateau = PLATEAU_SECONDS
        self._sure = True
        self._in_vain = 0
        self._patience = OBEYED_IN_VAIN
        self._backoff = 0
        self._unrelated_until = -math.inf
        self._recent: deque[bool] = deque(maxlen=50)
        self._trial = Trial(0.0, 0.0)
        self._mean_completion = 0.0

    def wait(self, now: float, tokens: float) -> float:
        """Seconds until a request of about `tokens` may start: 0.0 now, infinite until another one ends."""
        if not self._ramp_over:
            self._climb(now)
        if self.in_flight >= int(self.concurrency):
            return math.inf if self._ramp_over else 0.002
        longest = self._paused_until - now
        for bucket, amount in ((self._requests, 1.0), (self._learned, 1.0), (self._tokens, tokens)):
            if bucket is not None:
                longest = max(longest, bucket.wait(now, amount))
        return max(0.0, longest)

    def pause(self, now: float) -> float:
        """Seconds that a Retry-After still holds back everyone, 0.0 for none."""
        return max(0.0, self._paused_until - now)

    def _climb(self, now: float) -> None:
        """Concurrency on the ramp, which ends at the most or with a rejection."""
        if self._ramp_from is None:
            self._ramp_from = now
        since = now - self._ramp_from
        self.concurrency = min(self.most, self._ramp_base * math.exp(min(since / RAMP_SECONDS, 20.0)))
        if not self._heard:
            if since < UNHEARD_SECONDS:
                self.concurrency = min(self.concurrency, UNHEARD)
            else:
                self._hear(now)
        if self.concurrency >= self.most:
            self._ramp_over = True

    def _hear(self, now: float) -> None:
        """The endpoint answers, or is slow to: the ramp goes on from where it is."""
        if not self._heard:
            self._heard = True
            self._ramp_from, self._ramp_base = now, self.concurrency

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
        self._sent.append(now)
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
        self._hear(now)
        if not self._ramp_over:
            pass
        elif self._slow_start:
            self.concurrency = min(self.most, self.concurrency + 0.5)
        elif self.concurrency < self.most:
            self.concurrency = min(self.most, self.concurrency + 1 / self.concurrency)
        self._backoff = 0
        self._recent.append(True)
        if now < self._unrelated_until and (rate := self._trial.answered(started)):
            self._unrelated_until = -math.inf
            self._patience *= 2
            self._learn(rate, now, sure=True)
        if started >= self._epoch:
            self._accepted += 1
        elif started >= self._last_epoch:
            self._last_accepted += 1
        if self._burst is None and (self._dry_at == -math.inf or started < self._dry_at):
            self._first_accepted += 1
        self._grow(now)

    def _grow(self, now: float) -> None:
        """Raise the learned rate for one answer: at most by 0.7, which is to double it in a second."""
        learned = self._learned
        if learned is None or now < self._epoch:
            return
        # Answers to requests sent before the pause came after it: the endpoint allows more than it seemed to.
        self._limit = max(self._limit, self._last_accepted / max(self._epoch - self._last_epoch, UNSURE_SECONDS))
        if not self._sure and self._last_accepted >= SURE:
            learned.rate = max(learned.rate, self._limit * (1 - BACK_OFF))
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
        self._ramp_over = True
        self._recent.append(False)
        if self._sent and started >= self._sent[0]:
            self._sent.remove(started)
        if retry_after is not None:
            wait = max(SHORTEST_PAUSE, retry_after)
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
        current = self._learned.rate if self._learned else 0.0
        if current:
            limit = self._limit_from(now, until, current)
        else:
            # The first rejection may come after two requests and mean little: take a rate that soon shows more.
            limit = max(self._accepted, SURE) / max(until - self._epoch, UNSURE_SECONDS)
            self._first_span = now - self._epoch
        self._last_epoch, self._last_accepted = self._epoch, self._accepted
        self._dry_at = now
        self._sent.clear()
        if self._in_vain >= self._patience:
            self._believe_unrelated(now)
            return
        if self._requests is not None and self._requests.binding(now):
            limit = max(limit, self._requests.rate)
        self._learn(limit, until, sure=current > 0 and self._accepted >= SURE)
        self._paused_until = until

    def _limit_from(self, now: float, until: float, current: float) -> float:
        """What a rejection at the learned rate `current` says of the limit."""
        measured = self._accepted / max(until - self._epoch, SHORTEST_PAUSE)
        self._in_vain = self._in_vain + 1 if self._accepted < SURE or current <= self._limit else 0
        if self._accepted < SURE:
            trusted = self._sure and self._in_vain <= 1
            return max(measured, current * (DECREASE if trusted else VAIN_DECREASE))
        if self._burst is None:
            # What was accepted at once, before anything was learned, is about what the endpoint's bucket holds.
            self._burst = self._first_accepted if self._first_span < UNSURE_SECONDS else current
        burst = max(1.0, self._burst)
        dry = rate_that_ran_dry(sorted(self._sent), self._dry_at, burst, now, 0.0, current)
        limit = max(measured, dry, current * (SURE_DECREASE if self._sure else DECREASE))
        if self._sure:
            confirmed = limit < 1.25 * self._limit
            self._plateau = min(LONGEST_PLATEAU, self._plateau * 2) if confirmed else PLATEAU_SECONDS
        return limit

    def _learn(self, limit: float, since: float, *, sure: bool) -> None:
        """Take `limit` for the endpoint's, from `since` on. sure: it was measured over enough answers."""
        self._limit = max(limit, 1 / 60)
        self._sure = sure
        self._epoch, self._accepted = since, 0
        if self._learned is None:
            self._learned = Bucket(self._limit)
        self._learned.rate = self._limit * (1 - BACK_OFF)

    def _believe_unrelated(self, now: float) -> None:
        """Stop holding back for rejections that come whatever is sent; `Trial` watches whether that was right."""
        self._trial = Trial(now, self._recent.count(False) / len(self._recent))
        self._in_vain = 0
        self._learned = None
        self._unrelated_until = now + UNRELATED_SECONDS
        self._paused_until = self._epoch = now

    def overloaded(self, now: float, started: float) -> None:
        """The endpoint could not keep up (503, timeout): fewer at once, by one step for all that were in flight."""
        self._slow_start = False
        self._ramp_over = True
        if started > self._decreased_at:
            self._decreased_at = now
            self.concurrency = max(self.floor, self.concurrency * DECREASE)

    def read_headers(self, now: float, headers: Mapping[str, str]) -> None:
        """Learn stated limits (`x-ratelimit-limit-requests`, `-tokens`, a minute each) and what is left of them."""
        if not self._told:
            known = self._requests is not None
            self._requests = self._stated(self._requests, headers.get("x-ratelimit-limit-requests"))
            if not known and self._requests is not None and self._requests.rate < self.most:
                self._stated_at = now
        if not self._tokens_told:
            self._tokens = self._stated(self._tokens, headers.get("x-ratelimit-limit-tokens"))
        for kind in ("requests", "tokens"):
            if headers.get(f"x-ratelimit-remaining-{kind}") == "0":
                reset = duration(headers.get(f"x-ratelimit-reset-{kind}", ""))
                if reset:
                    self._paused_until = max(self._paused_until, now + min(reset, 60.0))

    def _stated(self, bucket: Bucket | None, value: str | None) -> Bucket | None:
        if value is None or not (value.isascii() and value.isdigit() and len(value) < 16) or not int(value):
            return bucket
        rate = int(value) / 60 * STATED_SHARE
        if bucket is None:
            return Bucket(rate)
        bucket.rate = rate
        return bucket
