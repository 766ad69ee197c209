"""Rates: a token bucket, what a rejection says about an endpoint's limit, and whether it says anything."""

import heapq
import math
from collections.abc import Sequence


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
        # Some milliseconds' worth, which a machine that wakes up late must catch up with: below 50 requests a second
        # they are evenly spaced, because some limiters know no burst at all.
        return max(1.0, self.rate / 50)

    def _fill(self, now: float) -> None:
        if now > self._at:
            if self._at > -math.inf:
                self._level = min(self._burst(), self._level + (now - self._at) * self.rate)
            self._at = now


class Trial:
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
        self._since, self._until = now, now + self.SECONDS
        self._answers = 0
        self._rejected: list[float] = []

    def rejected(self, started: float) -> None:
        """A request sent at `started` was rejected."""
        heapq.heappush(self._rejected, started)

    def answered(self, started: float) -> float:
        """A request sent at `started` was answered: 0.0, or, if rejections are so many that the rate matters after
        all, the rate at which requests were accepted."""
        if started < self._until:
            self._answers += 1
            return 0.0
        rejections = sum(sent < self._until for sent in self._rejected)
        answers, total = self._answers, self._answers + rejections
        span = started - self._since
        self._until = started + self.SECONDS
        if total < self.RESPONSES:
            self._answers += 1
            return 0.0
        self._rejected = sorted(sent for sent in self._rejected if sent >= started)
        self._answers, self._since = 1, started
        return answers / span if rejections > self._most * total else 0.0


def rate_that_ran_dry(sent: Sequence[float], dry: float, burst: float, now: float, low: float, high: float) -> float:
    """The rate in [low, high] at which a token bucket that was dry at `dry` would be dry again at `now`.

    sent: times of the requests accepted in between, ascending; burst: what the bucket holds. At a higher rate the
    request that was rejected at `now` would have been accepted; bisection, for what is left grows with the rate.
    """
    for _ in range(20):
        rate = (low + high) / 2
        level, at = 0.0, dry
        for time in sent:
            level = min(burst, level + (time - at) * rate) - 1
            at = time
        if min(burst, level + (now - at) * rate) < 1:
            low = rate
        else:
            high = rate
    return (low + high) / 2
