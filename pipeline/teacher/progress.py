"""How far a conversation is, as events for a progress line and for programs."""

import time
from collections import deque

from pipeline.core.events import Event, OnEvent
from pipeline.core.money import Ledger
from pipeline.teacher.lines import Entry
from pipeline.teacher.protocol import Answer, Failure

_SECONDS = 0.5
"""Shortest time between two events."""
_MARK_SECONDS = 10.0
_MARKS = 60
"""The time left is told by the last ten minutes: a local model answers in batches of minutes, then many at once."""
_TELLING = 0.25
"""Answers, as a share of those in flight, from which on the time left is told: the first of a batch are the shortest
ones, and by two of them after ten minutes a quarter of an hour was told as 32 hours."""


class Progress:
    """Counts outcomes and tells of them at most twice a second.

    An event is {"event": "teacher", "done", "total" (None if not known), "kept", "reused", "in_flight",
    "requests_per_second", "tokens_per_second" (both over the time since the last but few events), "rate_limited",
    "usd", "tokens", "eta_seconds" (None if not known), "doing" (what goes on while no answer comes, or "")}.

    events: further ones, which the loop's thread leaves here and the consumer's thread emits.
    """

    def __init__(self, on_event: OnEvent, total: int | None, ledger: Ledger) -> None:
        self._on_event = on_event
        self._total = total
        self._ledger = ledger
        self.done = 0
        self.kept = 0
        self.reused = 0
        self.looked_up = 0
        self.rate_limited = 0
        self._completion_tokens = 0
        self._told_at = time.monotonic()
        self._window = [(self._told_at, 0, 0)]
        self._marks = deque([(self._told_at, 0)], maxlen=_MARKS)
        self.events: deque[Event] = deque()

    def count(self, result: Answer | Failure, *, looked_up: bool = False) -> None:
        """Count an outcome; kept are answers that ended by themselves. looked_up: in a recording, in no time, while
        others are asked."""
        self.done += 1
        self.looked_up += looked_up
        if isinstance(result, Answer) and result.finish_reason != "length":
            self.kept += 1

    def charge(self, ledger: Ledger, entry: Entry) -> None:
        """Count what an answer cost. Where the endpoint does not say, its length is taken for it."""
        prompt, completion = entry.prompt_tokens, entry.completion_tokens
        ledger.charge(prompt, completion, entry.usd)
        self._completion_tokens += completion

    def tell(self, in_flight: int, doing: str = "", *, last: bool = False) -> None:
        """Emit an event if the last one is long enough ago, or if it is the last."""
        while self.events:
            self._on_event(self.events.popleft())
        now = time.monotonic()
        if now - self._told_at < _SECONDS and not last:
            return
        self._told_at = now
        asked = self.done - self.reused - self.looked_up
        self._window.append((now, asked, self._completion_tokens))
        if len(self._window) > 21:
            del self._window[0]
        then, asked_then, tokens_then = self._window[0]
        span = max(now - then, 1e-9)
        rate = (asked - asked_then) / span
        left = None if self._total is None else max(0, self._total - self.done)
        marked, asked_before = self._marks[0]
        pace = (asked - asked_before) / max(now - marked, 1e-9)
        eta = 0.0 if left == 0 else None
        if left and pace and asked >= _TELLING * in_flight:
            eta = round(left / pace, 1)
        if now - self._marks[-1][0] >= _MARK_SECONDS:
            self._marks.append((now, asked))
        self._on_event(
            {
                "event": "teacher",
                "done": self.done,
                "total": self._total,
                "kept": self.kept,
                "reused": self.reused,
                "in_flight": in_flight,
                "requests_per_second": round(rate, 2),
                "tokens_per_second": round((self._completion_tokens - tokens_then) / span, 1),
                "rate_limited": self.rate_limited,
                "usd": round(self._ledger.usd, 6),
                "tokens": self._ledger.tokens,
                "eta_seconds": eta,
                "doing": doing,
            }
        )
