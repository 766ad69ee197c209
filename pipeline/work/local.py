"""Blocks of work done in processes of this machine."""

import contextlib
import multiprocessing
import pickle
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from pipeline.core.errors import HornbookError
from pipeline.store.locks import own_folder
from pipeline.work.protocol import In, Out, timed

PATIENCE_SECONDS = 1.0
"""A map works in this process for so long before it starts others: small corpora are done before those have begun."""


class Processes:
    """Worker processes of this machine, started by the first map that lasts."""

    parallel = True
    far = False

    def __init__(self, workers: int, *, patience: float = PATIENCE_SECONDS) -> None:
        self.cpu_seconds = 0.0
        self._workers = workers
        self._patience = patience
        self._pool: ProcessPoolExecutor | None = None
        self._folder: Path | None = None
        self._open = contextlib.ExitStack()
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
        path = self._folder / f"{self._works}.pickle"
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
            self._folder = self._open.enter_context(own_folder())
            context = multiprocessing.get_context("forkserver")
            self._pool = ProcessPoolExecutor(self._workers, context, initializer=_begin)
        return self._pool

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
        self._open.close()


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
