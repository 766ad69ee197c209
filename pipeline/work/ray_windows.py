"""Blocks of work as windows of Ray Data: what `RayCluster` sends, and what a worker process makes of it."""

import contextlib
import pickle
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.core.errors import HornbookError
from pipeline.work.protocol import timed


class Done(NamedTuple):
    """A result; seconds: how long it took, cpu_seconds: of this process."""

    value: Any
    cpu_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """An exception of the work, or that a block was given up. unreadable: the node could not unpickle work or block."""

    error: Exception
    unreadable: bool = False


class Unreadable(Exception):
    """What was sent cannot be unpickled here: a module that it names is not on this node."""


class Starts:
    """How often each block was begun."""

    def __init__(self) -> None:
        self._count: Counter[int] = Counter()

    def add(self, number: int) -> int:
        """Count a start of block `number`; returns how many there were."""
        self._count[number] += 1
        return self._count[number]


def pickled(value: Any) -> bytes:
    """`value` in Python's newest pickle format: the nodes have the same Python."""
    return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)


def table_of(rows: list[bytes], number: int) -> Any:
    """An Arrow table of pickled values; number: of the task that works on them."""
    import pyarrow as pa

    return pa.table({"number": [number] * len(rows), "data": pa.array(rows, pa.large_binary())})


_WORK: dict[str, Callable[[Any], Any]] = {}
"""What a worker process was last sent: two maps of a stage may take turns."""


class Do:
    """The work, in the form that Ray Data asks for: rows of pickled blocks to rows of pickled results."""

    def __init__(self, work: Any, starts: Any, most: int) -> None:
        """work: in the object store. starts: the actor `Starts`. most: how often a block is begun."""
        self._work = work
        self._starts = starts
        self._most = most

    def __call__(self, table: Any) -> Any:
        number = int(table["number"][0].as_py())
        try:
            work = self._begun(number)
        except Exception as error:
            return table_of([_failure(error)], number)
        return table_of([self._done(work, data.as_buffer()) for data in table["data"]], number)

    def _begun(self, number: int) -> Callable[[Any], Any]:
        import ray
        from ray.exceptions import RaySystemError

        if ray.get(self._starts.add.remote(number)) > self._most:
            raise HornbookError(
                f"a block of work was given up whose worker died {self._most} times, most likely for its memory",
                hint="give the nodes fewer cores for their memory (`ray start --num-cpus`)",
            )
        key = self._work.hex()
        if key not in _WORK:
            if len(_WORK) == 2:
                _WORK.clear()
            try:
                _WORK[key] = ray.get(self._work)
            except RaySystemError as error:
                raise Unreadable((str(error).splitlines() or [""])[0]) from None
        return _WORK[key]

    def _done(self, work: Callable[[Any], Any], data: Any) -> bytes:
        try:
            block = pickle.loads(data)
        except (ImportError, AttributeError) as error:
            return _failure(Unreadable(f"{type(error).__name__}: {error}"))
        except Exception as error:
            return _failure(error)
        try:
            started = time.monotonic()
            value, cpu_seconds = timed(work, block)
            return pickled(Done(value, cpu_seconds, time.monotonic() - started))
        except Exception as error:  # whatever it is, it is raised again where the map was asked for
            return _failure(error)


def _failure(error: Exception) -> bytes:
    failed = Failed(error, isinstance(error, Unreadable))
    try:
        data = pickled(failed)
        pickle.loads(data)
    except Exception:  # an exception that cannot travel is told
        return pickled(Failed(RuntimeError(f"{type(error).__name__}: {error}")))
    return data


class Window:
    """A data set under way in a thread of its own: iterates over its rows in order, as they come."""

    def __init__(self, tables: list[Any], do: Do) -> None:
        self._found: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped = False
        self._running: Any = None
        self.thread = threading.Thread(target=self._run, args=(tables, do), daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Let what is not begun be, and interrupt what is under way. Does not wait for it."""
        self._stopped = True
        if self._running is not None and self.thread.is_alive():
            threading.Thread(target=_cancelled, args=(self._running,), daemon=True).start()

    def __iter__(self) -> Iterator[bytes]:
        last = -1
        while (found := self._found.get()) is not None:
            if isinstance(found, BaseException):
                raise found
            number = found["number"][0].as_py()
            if number <= last:
                raise HornbookError(f"Ray Data returned task {number} after task {last}, wanted in order")
            last = number
            yield from (data.as_buffer() for data in found["data"])
        if self._stopped:  # its end is not that of its blocks
            raise HornbookError("a map on the Ray cluster was read on after it was stopped")

    def _run(self, tables: list[Any], do: Do) -> None:
        try:
            for table in self._tables(tables, do):
                self._found.put(table)
                if self._stopped:
                    break
        except BaseException as error:
            self._found.put(error)
        self._found.put(None)

    def _tables(self, tables: list[Any], do: Do) -> Iterator[Any]:
        import ray.data

        data = ray.data.from_blocks(tables)
        tables.clear()
        settings = data.context  # a copy of the process's, which others may use
        settings.execution_options.preserve_order = True
        settings.enable_progress_bars = False
        settings.print_on_execution_start = False
        done = data.map_batches(do, batch_size=None, batch_format="pyarrow", zero_copy_batch=True, num_cpus=1)
        self._watch(done)
        if not self._stopped:
            yield from done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)

    def _watch(self, data: Any) -> None:
        """Takes note of what works on `data`: Ray has no public way to end it from another thread before it has a
        result. A version that lacks this one ends it at the next result."""
        make = getattr(data, "_create_executor", None)
        if make is None:
            return

        def noted() -> Any:
            self._running = make()
            return self._running

        data._create_executor = noted


def _cancelled(running: Any) -> None:
    with contextlib.suppress(Exception):  # a cluster that is gone has nothing under way
        running.shutdown(force=False)
