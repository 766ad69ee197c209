"""Where blocks of work are done: in this process, in processes of this machine, or on the nodes of a Ray cluster.

A stage hands over a pure function and a stream of blocks, and gets the results back in the order of the blocks, so
what it writes is the same wherever it was worked out. At most twice as many blocks as there are workers are under
way: memory does not grow with the corpus. A block whose node dies is done again elsewhere.

Blocks go to Ray as tasks, not as a Ray Data set: a stage is fed from a stream on this machine, and Ray Data reads from
files or from what is whole already, so the corpus would lie in the object store before the first block is worked on,
and each record would be turned into an Arrow row and back.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pipeline import __version__
from pipeline.errors import HornbookError, MissingExtra
from pipeline.execution import Execution

In = TypeVar("In")
Out = TypeVar("Out")
Item = TypeVar("Item")

BLOCK_ITEMS = 512
BLOCK_CHARACTERS = 1_000_000
"""A block ends at either: about 0.1 to 1 s of work, and 1 MB to send."""
PATIENCE_SECONDS = 1.0
"""A map works in this process for so long before it starts others: small corpora are done before those have begun."""
RETRIES = 10
"""How often a block is done again whose node died. An exception of the work itself is never retried."""


class Executor(Protocol):
    """parallel: whether blocks are done elsewhere. cpu_seconds: CPU time spent elsewhere so far."""

    @property
    def parallel(self) -> bool: ...
    @property
    def cpu_seconds(self) -> float: ...

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """`work` of each block, in the order of the blocks. Both must pickle; an exception of `work` is raised here."""
        ...


class Serial:
    """Everything in this process."""

    parallel = False
    cpu_seconds = 0.0

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """See `Executor`."""
        return map(work, blocks)


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
    return _timed(work, block)


def _timed(work: Callable[[Any], Any], block: Any) -> tuple[Any, float]:
    started = time.process_time()
    return work(block), time.process_time() - started


class RayCluster:
    """A Ray cluster: the one at `address`, or one of this machine alone, started by the first map.

    The nodes need the same version of Hornbook and of Python as this machine; nothing else is asked of them, no
    shared disk either. Blocks and results travel through this machine.
    """

    parallel = True

    def __init__(self, address: str, workers: int) -> None:
        self.cpu_seconds = 0.0
        self._address = address
        self._workers = workers
        self._ours = False
        self._ray: Any = None

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """See `Executor`. Raises HornbookError where a block's node dies `RETRIES` times or the cluster is gone."""
        ray = self._connected()
        task = ray.remote(num_cpus=1, max_retries=RETRIES)(_timed)
        shared = ray.put(work)
        waiting: deque[Any] = deque()
        ahead = 2 * self._cores()
        for block in blocks:
            waiting.append(task.remote(shared, block))
            if len(waiting) >= ahead:
                yield self._result(waiting)
                ahead = 2 * self._cores()
        while waiting:
            yield self._result(waiting)

    def _cores(self) -> int:
        return max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def _result(self, waiting: "deque[Any]") -> Any:
        from ray.exceptions import RayError, RayTaskError

        try:
            result, cpu_seconds = self._ray.get(waiting.popleft())
        except RayTaskError as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ModuleNotFoundError):
                raise _not_there(self._address, str(cause)) from error
            raise (cause if isinstance(cause, Exception) else error) from None
        except RayError as error:
            first = str(error).strip().splitlines()[0]
            raise HornbookError(
                f"Ray could not finish a block of work: {type(error).__name__}: {first}",
                hint="look at the nodes with `ray status`; finished stages are stored, run the same command again",
            ) from error
        self.cpu_seconds += cpu_seconds
        return result

    def _connected(self) -> Any:
        if self._ray is not None:
            return self._ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
            from ray.exceptions import RayError
        except ImportError as error:
            raise MissingExtra(
                "execution.engine = 'ray' needs Ray, which is not installed",
                hint="pip install 'hornbook[ray]', or use execution.engine = 'local'",
            ) from error
        if not ray.is_initialized():
            where: dict[str, Any] = {"address": self._address}
            if not self._address:
                where = {"address": "local", "num_cpus": self._workers, "include_dashboard": False}
            try:
                _answers(self._address)
                with _same_handlers():
                    ray.init(**where, log_to_driver=False, configure_logging=False, namespace="hornbook")
            except (OSError, RayError, RuntimeError, ValueError, AssertionError) as error:
                first = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise HornbookError(
                    f"no Ray cluster answers at execution.address = {self._address!r}: {first}",
                    hint="start one with `ray start --head` and give its address, or '' for one of this machine",
                ) from error
            self._ours = True
        self._ray = ray
        if self._address:
            self._same_version()
        return ray

    def _same_version(self) -> None:
        there = self._result(deque([self._ray.remote(num_cpus=0)(_timed).remote(_version, None)]))
        if there != __version__:
            raise _not_there(self._address, f"version {there}")

    def close(self) -> None:
        """Leave the cluster; one that was started here ends."""
        if self._ours:
            self._ray.shutdown()
        self._ray, self._ours = None, False


def _answers(address: str) -> None:
    """Raises OSError where nothing listens at host:port; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextlib.contextmanager
def _same_handlers() -> Iterator[None]:
    """Undoes that Ray handles SIGTERM: a run ends the same way with it and without."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)


def _version(_: None) -> str:
    return __version__


def _not_there(address: str, found: str) -> HornbookError:
    return HornbookError(
        f"the nodes of the Ray cluster {address!r} do not have hornbook {__version__}: {found}",
        hint=f"pip install hornbook=={__version__} on each node",
    )


@contextlib.contextmanager
def executor(execution: Execution) -> Iterator[Executor]:
    """The executor that the settings ask for; nothing is started before it is used."""
    chosen: Processes | RayCluster
    if execution.engine == "ray":
        chosen = RayCluster(execution.address, execution.worker_count())
    elif execution.worker_count() == 1:
        yield SERIAL
        return
    else:
        chosen = Processes(execution.worker_count())
    try:
        yield chosen
    finally:
        chosen.close()
