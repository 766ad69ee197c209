"""How fast an endpoint answers at one concurrency, measured by questions that a run has to ask anyway."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.core.events import Event
from pipeline.execution import Execution
from pipeline.teacher.asking import converse
from pipeline.teacher.kinds.openai import EndpointTeacher
from pipeline.teacher.protocol import Answer, Question

FIRST, FACTOR = 4, 4
"""The first concurrency, and the factor to the next: a sweep finds the best to within it, then looks between."""
GAIN = 1.05
"""A concurrency is better than another only where it gives this many times the tokens: the rest is noise, and what is
asked less at once meets fewer limits."""
LEVELS = 6
"""Concurrencies that the time given is meant for."""
WAVES = 2
"""Answers wanted, in units of what is in flight: the first wave is left out, for nothing was under way before it."""


@dataclass(frozen=True, slots=True)
class Level:
    """One concurrency. answers, failed: outcomes in `seconds`. tokens, usd: of all its answers, tokens without prompts.
    rejected: answers of 429. tokens_per_second: once the first wave was answered. few: fewer answers came than that
    needs, so the first wave counts too and the rate is a guess."""

    concurrency: int
    answers: int
    failed: int
    rejected: int
    tokens: int
    usd: float
    seconds: float
    tokens_per_second: float
    few: bool

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        found = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {**found, "seconds": round(self.seconds, 2), "tokens_per_second": round(self.tokens_per_second, 1)}


def rate(answers: list[tuple[float, int]], began: float, in_flight: int) -> tuple[float, bool]:
    """Tokens a second of answers, (time, tokens) in order, and whether they are too few to leave the first wave out."""
    if not answers:
        return 0.0, True
    few = len(answers) < WAVES * in_flight
    since = began if few else answers[in_flight - 1][0]
    counted = answers if few else answers[in_flight:]
    return sum(tokens for _, tokens in counted) / max(counted[-1][0] - since, 1e-9), few


def measure(
    questions: Iterator[Question],
    build: Callable[[Execution], EndpointTeacher],
    execution: Execution,
    concurrency: int,
    *,
    journal: Path,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
) -> Level:
    """Ask with `concurrency` requests in flight at each server until `seconds` have passed and the second wave is
    answered, but no longer than twice that. What is in flight then is waited for, and is in the journal as all else."""
    run = execution.model_copy(update={"concurrency": concurrency})
    teacher = build(run)
    servers = sum(len(one.servers.listed()) or 1 if one.servers else 1 for one in teacher.endpoints)
    found: list[tuple[float, int]] = []
    last: dict[str, Any] = {}
    failed, usd, began = 0, 0.0, clock()

    def on_event(event: Event) -> None:
        if event["event"] == "teacher":
            last.update(event)

    conversation = converse(questions, {teacher.name: teacher}, journal=journal, execution=run, on_event=on_event)
    with closing(conversation):
        for outcome in conversation:
            now = clock() - began
            if isinstance(outcome.result, Answer):
                found.append((now, outcome.result.completion_tokens))
                usd += outcome.result.usd
            else:
                failed += 1
            if now >= seconds and (len(found) >= WAVES * concurrency * servers or now >= 2 * seconds):
                break
    tokens_per_second, few = rate(found, 0.0, concurrency * servers)
    return Level(
        concurrency,
        len(found),
        failed,
        int(last.get("rate_limited", 0)),
        sum(tokens for _, tokens in found),
        round(usd, 8),
        clock() - began,
        tokens_per_second,
        few,
    )


def sweep(level: Callable[[int], Level | None], most: int) -> list[Level]:
    """Measure concurrencies up to `most`: upwards until more is no better, then between the best and its neighbours.

    level: measures one, None where there is nothing left to ask, or no time. Returns them by concurrency.
    """
    found: dict[int, Level] = {}

    def tried(concurrency: int) -> Level | None:
        if concurrency not in found:
            one = level(concurrency)
            if one is None:
                return None
            found[concurrency] = one
        return found[concurrency]

    concurrency = min(FIRST, most)
    while tried(concurrency) is not None and best(found).concurrency == concurrency < most:
        concurrency = min(most, concurrency * FACTOR)
    if found:
        middle = best(found).concurrency
        for other in (middle // 2, middle * 2):
            if 1 <= other <= most:
                tried(other)
    return [found[concurrency] for concurrency in sorted(found)]


def best(levels: Mapping[int, Level]) -> Level:
    """The one with the most tokens a second; of those that are nearly as fast, the one with the least in flight."""
    fastest = max(one.tokens_per_second for one in levels.values())
    return next(levels[number] for number in sorted(levels) if levels[number].tokens_per_second * GAIN >= fastest)
