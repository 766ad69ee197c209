"""A circuit breaker: an endpoint that does not work is left alone, and probed now and then."""

import math


class Breaker:
    """Stops asking an endpoint that does not work: open after failures in a row, then one probe at a time."""

    FAILURES = 8
    """Failures in a row that open it; each endpoint has its own."""
    FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
    """Time until the first probe; doubles with each probe that fails."""
    LONGEST_AMONG_SEVERAL = 2.0
    """Longest time between probes of one of several servers: its question is asked elsewhere after, so a probe costs
    little, and a server that is back is put to work soon."""

    def __init__(self, longest: float = LONGEST_SECONDS) -> None:
        self._longest = longest
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
        self._probe_at = now + min(self._longest, self.FIRST_SECONDS * 2**self.probes_failed)
