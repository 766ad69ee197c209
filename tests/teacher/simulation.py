"""A server with a rate limit in virtual time: what a `Pace` makes of it, without a second of waiting."""

import heapq
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from pipeline.teacher.pace import Pace

Accepts = Callable[[float], bool]


def bucket(rate: float, burst: float) -> Accepts:
    """A token bucket; burst 1 is a limiter that wants requests evenly spaced."""
    state = {"level": burst, "at": 0.0}

    def accepts(now: float) -> bool:
        state["level"] = min(burst, state["level"] + (now - state["at"]) * rate)
        state["at"] = now
        if state["level"] < 1 - 1e-9:
            return False
        state["level"] -= 1
        return True

    return accepts


def window(rate: float, seconds: float = 1.0) -> Accepts:
    """So many requests in each window of the clock."""
    state = {"window": -1.0, "count": 0.0}

    def accepts(now: float) -> bool:
        if now // seconds != state["window"]:
            state["window"], state["count"] = now // seconds, 0.0
        state["count"] += 1
        return state["count"] <= rate * seconds

    return accepts


def sliding(rate: float, seconds: float = 1.0) -> Accepts:
    """So many accepted requests in the last `seconds`."""
    accepted: list[float] = []

    def accepts(now: float) -> bool:
        while accepted and accepted[0] <= now - seconds:
            accepted.pop(0)
        if len(accepted) >= rate * seconds:
            return False
        accepted.append(now)
        return True

    return accepts


def at_random(share: float, seed: int = 0) -> Accepts:
    """Rejects a share of requests, whatever the rate."""
    draw = random.Random(seed)
    return lambda now: draw.random() >= share


@dataclass(frozen=True)
class Outcome:
    """seconds: until the last answer; rejections: 429s seen."""

    seconds: float
    rejections: int


def simulate(
    pace: Pace,
    accepts: Accepts,
    requests: int,
    *,
    latency: float = 0.05,
    retry_after: float | None = 1.0,
    headers: dict[str, str] | None = None,
) -> Outcome:
    """Ask `requests` questions at the pace, rejected ones again; a rejection takes a tenth of `latency`."""
    order = itertools.count()
    events: list[tuple[float, int, str, float]] = []
    now, done, rejections, ready = 0.0, 0, 0, requests
    while done < requests:
        while ready and (wait := pace.wait(now, 0.0)) <= 0:
            pace.started(now, 0.0)
            ready -= 1
            kind = "answer" if accepts(now) else "rejection"
            heapq.heappush(events, (now + (latency if kind == "answer" else latency / 10), next(order), kind, now))
        if ready and now + wait < (events[0][0] if events else math.inf):
            now += max(wait, 1e-6)
            continue
        now, _, kind, started = heapq.heappop(events)
        if kind == "retry":
            ready += 1
            continue
        pace.ended()
        pace.read_headers(now, headers or {})
        if kind == "answer":
            done += 1
            pace.succeeded(now, started, 0.0, 0, 0)
        else:
            rejections += 1
            delay = pace.rejected(now, started, retry_after)
            heapq.heappush(events, (now + delay, next(order), "retry", now))
        if now > 3600:
            break
    return Outcome(now, rejections)
