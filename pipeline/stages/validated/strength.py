"""How much of its solution an exercise's test pins down: mutants of the solution are run against it.

A test that accepts wrong programs teaches them, and is what makes self-training collapse; so the share of mutants that
the test refuses is measured, and an exercise whose share is too small is dropped as weak-test. About 12 CPU
milliseconds a mutant, and a CPU second for one that never ends.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from pipeline.core.records import Document, Exercise
from pipeline.core.stage import Dropped, Kept
from pipeline.languages.python.mutants import Mutant, mutants
from pipeline.recipe import ValidatedTable
from pipeline.sandbox import Limits, Program, Sandbox, reached

SURVIVORS_SHOWN = 3


@dataclass(slots=True)
class _Slot:
    """An outcome that waits for the verdicts on its mutants. left: how many are still to come."""

    outcome: Kept[Document] | Dropped
    made: list[Mutant] = field(default_factory=list)
    left: int = 0
    survived: list[Mutant] = field(default_factory=list)


def limits_of(table: ValidatedTable) -> Limits:
    """Those of mutants, and of solutions of which several are to agree: nearly all that take a fifth as long as an
    exercise's solution may never end, and they are nearly all of the time that is spent."""
    return Limits(cpu_seconds=min(table.cpu_seconds, max(1.0, table.cpu_seconds / 5)), memory_mb=table.memory_mb)


def measured(
    outcomes: Iterable[Kept[Document] | Dropped], table: ValidatedTable, sandbox: Sandbox
) -> Iterator[Kept[Document] | Dropped]:
    """The outcomes, in their order; exercises kept say how many mutants were made and killed, or are dropped.

    sandbox: open, with `limits_of` the table. An exercise of which no mutant can be made is kept, with 0 made. Raises
    SandboxUnavailable where the sandbox could not judge a mutant.
    """
    queue: deque[_Slot] = deque()
    waiting: deque[tuple[_Slot, Mutant]] = deque()

    def programs() -> Iterator[Program]:
        for outcome in outcomes:
            slot = _Slot(outcome)
            queue.append(slot)
            if isinstance(outcome, Kept) and isinstance(outcome.record, Exercise):
                exercise = outcome.record
                slot.made = mutants(exercise.text, exercise.entry_point, table.mutants)
                slot.left = len(slot.made)
                for number, mutant in enumerate(slot.made):
                    waiting.append((slot, mutant))
                    yield Program(
                        f"{exercise.id}/{number}", mutant.source, exercise.entry_point, exercise.test, needs_test=False
                    )

    for verdict in sandbox.run(programs()):
        slot, mutant = waiting.popleft()
        slot.left -= 1
        if reached(verdict, f"judge a mutant of exercise {verdict.program_id}").passed:
            slot.survived.append(mutant)
        while queue and not queue[0].left:
            yield _settled(queue.popleft(), table)
    while queue:
        yield _settled(queue.popleft(), table)


def _settled(slot: _Slot, table: ValidatedTable) -> Kept[Document] | Dropped:
    outcome = slot.outcome
    if isinstance(outcome, Dropped) or not isinstance(outcome.record, Exercise):
        return outcome
    made, killed = len(slot.made), len(slot.made) - len(slot.survived)
    exercise = replace(outcome.record, mutants=made, killed=killed)
    if made and killed / made < table.min_mutants_killed:
        lives = ", ".join(f"{one.kind} in line {one.line}" for one in slot.survived[:SURVIVORS_SHOWN])
        share = f"{killed / made:.2f} < {table.min_mutants_killed:g} of {made} mutants killed"
        return Dropped(exercise, "weak-test", f"{share}; alive: {lives}")
    return Kept(exercise)
