"""What a stage and whoever does its work have in common.

A stage hands over a pure function and a stream of blocks, and gets the results back in the order of the blocks, so
what it writes is the same wherever it was worked out. How many blocks are under way is bounded: memory does not grow
with the corpus.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")

BLOCK_ITEMS = 512
BLOCK_CHARACTERS = 1_000_000
"""A block ends at either: about 0.1 to 1 s of work, and 1 MB to send."""


class Executor(Protocol):
    """parallel: whether blocks are done in other processes; far: on other machines, whose cores torch in this process
    cannot use. cpu_seconds: CPU time spent elsewhere so far."""

    @property
    def parallel(self) -> bool: ...
    @property
    def far(self) -> bool: ...
    @property
    def cpu_seconds(self) -> float: ...

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """`work` of each block, in the order of the blocks. Both must pickle; an exception of `work` is raised here."""
        ...


class Serial:
    """Everything in this process."""

    parallel = False
    far = False
    cpu_seconds = 0.0

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """See `Executor`."""
        for block in blocks:  # not `map`, which takes a StopIteration of the work for the end of the blocks
            yield work(block)


SERIAL = Serial()


def blocks(
    items: Iterable[Item], *, most: int = BLOCK_ITEMS, characters: int = BLOCK_CHARACTERS
) -> Iterator[list[Item]]:
    """`items` in lists of at most `most`, shorter where their texts reach `characters`."""
    block: list[Item] = []
    size = 0
    for item in items:
        block.append(item)
        size += len(getattr(item, "text", ""))
        if len(block) >= most or size >= characters:
            yield block
            block, size = [], 0
    if block:
        yield block


def spread(
    stage: Callable[[Iterable[Item]], Iterable[Out]], items: Iterable[Item], executor: Executor
) -> Iterator[Out]:
    """Outcomes of a stage that looks at one record at a time, in blocks; the same as `stage(items)`."""
    if not executor.parallel:
        yield from stage(items)
        return
    for outcomes in executor.map(_Listed(stage), blocks(items)):
        yield from outcomes


class _Listed:
    """A stage's outcomes as a list, which can travel."""

    def __init__(self, stage: Callable[[Iterable[Any]], Iterable[Any]]) -> None:
        self._stage = stage

    def __call__(self, block: Sequence[Any]) -> list[Any]:
        return list(self._stage(block))


def timed(work: Callable[[Any], Any], block: Any) -> tuple[Any, float]:
    """`work` of a block, and the CPU seconds it took."""
    started = time.process_time()
    return work(block), time.process_time() - started
