"""Where blocks of work are done: in this process, in processes of this machine, or on the nodes of a Ray cluster.

A stage hands over a pure function and a stream of blocks, and gets the results back in the order of the blocks, so
what it writes is the same wherever it was worked out. How many blocks are under way is bounded, by twice as many as
there are worker processes or by two windows of a Ray cluster (`ray_cluster`): memory does not grow with the corpus. A
block whose node dies is done again elsewhere.
"""

import contextlib
import multiprocessing
import pickle
import signal
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline.core.errors import HornbookError
from pipeline.execution import Execution

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")

BLOCK_ITEMS = 512
BLOCK_CHARACTERS = 1_000_000
"""A block ends at either: about 0.1 to 1 s of work, and 1 MB to send."""
PATIENCE_SECONDS = 1.0
"""A map works in this process for so long before it starts others: small corpora are done before those have begun."""


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


class Processes:
    """Worker processes of this machine, started by the first map that lasts."""

    parallel = True
    far = False

    def __init__(self, workers: int, *, patience: float = PATIENCE_SECONDS) -> None:
        self.cpu_seconds = 0.0
        self._workers = workers
        self._patience = patience
        self._pool: ProcessPoolExecutor | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._works = 0

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """See `Executor`. Raises HornbookError where a worker process is killed (for its memory, most likely)."""
        source = iter(blocks)
        spent = 0.0
        while self._pool is None and spent < self._patience:
            try:
                block = next(source)
            except StopIteration:
                return
            started = time.monotonic()
            done = work(block)
            spent += time.monotonic() - started
            yield done
        pool = self._started()
        assert self._folder is not None
        self._works += 1
        path = Path(self._folder.name) / f"{self._works}.pickle"
        path.write_bytes(pickle.dumps(work, protocol=pickle.HIGHEST_PROTOCOL))
        waiting: deque[Future[tuple[Any, float]]] = deque()
        try:
            for block in source:
                waiting.append(pool.submit(_in_process, str(path), block))
                if len(waiting) >= 2 * self._workers:
                    yield self._result(waiting)
            while waiting:
                yield self._result(waiting)
        except BrokenProcessPool as error:
            raise HornbookError(
                f"one of {self._workers} worker processes was killed, most likely for its memory",
                hint="use fewer: execution.workers = 1 does everything in one process",
            ) from error
        finally:
            for future in waiting:
                future.cancel()
            path.unlink(missing_ok=True)

    def _result(self, waiting: "deque[Future[tuple[Any, float]]]") -> Any:
        result, cpu_seconds = waiting.popleft().result()
        self.cpu_seconds += cpu_seconds
        return result

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._folder = tempfile.TemporaryDirectory(prefix="hornbook-")
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self._workers, context, initializer=_begin)
        return self._pool

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        if self._folder is not None:
            self._folder.cleanup()


_WORK: dict[str, Callable[[Any], Any]] = {}


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle


def _in_process(path: str, block: Any) -> tuple[Any, float]:
    work = _WORK.get(path)
    if work is None:
        work = pickle.loads(Path(path).read_bytes())
        _WORK.clear()
        _WORK[path] = work
    return timed(work, block)


def timed(work: Callable[[Any], Any], block: Any) -> tuple[Any, float]:
    """`work` of a block, and the CPU seconds it took."""
    started = time.process_time()
    return work(block), time.process_time() - started


@contextlib.contextmanager
def executor(execution: Execution) -> Iterator[Executor]:
    """The executor that the settings ask for; nothing is started before it is used.

    Inside, with Ray, what libraries print goes to stderr: Ray tells of dead workers on stdout, where results are.
    """
    chosen: Any
    if execution.engine == "ray":
        from pipeline.work.ray_cluster import RayCluster

        chosen = RayCluster(execution.address, execution.worker_count())
    elif execution.worker_count() == 1:
        yield SERIAL
        return
    else:
        chosen = Processes(execution.worker_count())
    aside = contextlib.redirect_stdout(sys.stderr) if execution.engine == "ray" else contextlib.nullcontext()
    with aside:
        try:
            yield chosen
        finally:
            chosen.close()
