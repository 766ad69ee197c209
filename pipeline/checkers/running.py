"""A checker that executes in the sandbox: each item is a program, or is ruled on without one."""

import contextlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from types import TracebackType
from typing import Any

from pipeline.checkers.protocol import Check, Item, Ruling, bad_check, right, unscored, wrong
from pipeline.sandbox import Example, Program, Sandbox, Verdict

BLOCK = 1024
"""Items between two waits of the sandbox for its last program."""


@dataclass(frozen=True, slots=True)
class Work:
    """How one kind of checker has its items executed.

    faults: of a check. program: what to run for an item whose check has no fault, or its ruling where there is nothing
    to run. ruling: what the verdict means.
    """

    faults: Callable[[Check], list[str]]
    program: Callable[[Item], Program | Ruling]
    ruling: Callable[[Item, Verdict], Ruling]


class Executing:
    """A `Checker` through the sandbox."""

    def __init__(self, name: str, work: Work, sandbox: Sandbox) -> None:
        self.name = name
        self.work = work
        self.sandbox = sandbox

    def __enter__(self) -> "Executing":
        self.sandbox.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sandbox.close()

    def manifest(self) -> dict[str, Any]:
        """The sandbox's layers and limits."""
        return self.sandbox.manifest()

    def rule(self, items: Iterable[Item]) -> Iterator[Ruling]:
        with contextlib.nullcontext() if self.sandbox.is_open else self:
            items = iter(items)
            while block := list(islice(items, BLOCK)):
                yield from self._block(block)

    def _block(self, block: list[Item]) -> Iterator[Ruling]:
        known: deque[Ruling | None] = deque()
        waiting: deque[Item] = deque()

        def programs() -> Iterator[Program]:
            for item in block:
                made = self._prepared(item)
                known.append(made if isinstance(made, Ruling) else None)
                if isinstance(made, Program):
                    waiting.append(item)
                    yield made

        for verdict in self.sandbox.run(programs()):
            while known and (ready := known[0]) is not None:
                known.popleft()
                yield ready
            known.popleft()
            yield self._ruling(waiting.popleft(), verdict)
        yield from (ready for ready in known if ready is not None)

    def _prepared(self, item: Item) -> Program | Ruling:
        faults = self.work.faults(item.check)
        return bad_check(item, faults) if faults else self.work.program(item)

    def _ruling(self, item: Item, verdict: Verdict) -> Ruling:
        if verdict.verdict == "infrastructure":
            return unscored(item, f"the sandbox could not judge: {verdict.detail}")
        return self.work.ruling(item, verdict)


def calling(item: Item, module: str, **given: Any) -> Program:
    """A program that prints, as JSON, what `module.answer(**given)` returns; `module` is one that the sandbox was made
    with. What runs there is ours, so its word can be taken; the item is only data to it."""
    source = f"import {module} as module"
    call = f"import json; print(json.dumps(module.answer(**json.loads({json.dumps(given)!r}))))"
    return Program(item.id, source, examples=(Example(call),), observe=True)


def answered(verdict: Verdict) -> Any:
    """What the module's `answer` returned; None where the program ended before, which the verdict tells of."""
    shown = verdict.observed[0] if verdict.observed else None
    return json.loads(shown.text) if shown is not None and verdict.passed and not shown.raised else None


def ruled(item: Item, verdict: Verdict) -> Ruling:
    """The ruling that the module's `answer` returned: "fault" for a bad check, else "reason", "" where the item is
    right, with "expected", "found" and "where"."""
    said = answered(verdict)
    if said is None:
        return ended(item, verdict)
    if "fault" in said:
        return bad_check(item, [said["fault"]])
    if not said["reason"]:
        return right(item, verdict.cpu_seconds)
    return wrong(item, said["reason"], said["expected"], said["found"], said["where"], verdict.cpu_seconds)


def oversize(item: Item, text: str, most: int) -> Ruling:
    """The item is wrong, for its text is longer than `most` characters and is not run."""
    return wrong(item, "too-large", f"at most {most:,} characters", f"{len(text):,}")


def ended(item: Item, verdict: Verdict) -> Ruling:
    """What it means that a module of ours was ended by the sandbox: the item was too much for it.

    A checker that uses it has the reasons `timeout` and `too-large`.
    """
    if verdict.verdict in ("timeout-cpu", "timeout-wall"):
        return Ruling(item.id, False, "timeout", detail=verdict.detail, cpu_seconds=verdict.cpu_seconds)
    shown = verdict.observed[0].raised if verdict.observed else ""
    if verdict.verdict in ("memory", "output", "crash", "early-exit") or "MemoryError" in shown:
        detail = f"{verdict.verdict}: {verdict.detail or shown}"
        return Ruling(item.id, False, "too-large", detail=detail, cpu_seconds=verdict.cpu_seconds)
    return unscored(item, f"the checker itself failed: {verdict.verdict} {verdict.detail or shown}")
