"""Where blocks of work are done on the nodes of a Ray cluster, by Ray Data.

A stage is fed from a stream on this machine, and Ray Data works on data sets that are whole. So the stream is cut into
windows of `WINDOW` tasks a core, each a data set with one row of pickled bytes a block: no record becomes an Arrow row,
and the memory is that of two windows, whatever the corpus. The second is under way while the first ends, so that no
core waits.

Measured beside plain Ray tasks (`scripts/bench/ray_engines.py`, README): the same results; the same CPU seconds for the
heuristics of `quality`, 1.4 times for `distinct`'s features, the cheapest work there is; 2 CPU s more for the first map
of a run, 0.1 s for a small one later. A first version, one data set fed by a long read task, cost twice as
much, and a read task that is begun again on another node cannot take from the stream again what it had taken.
"""

import contextlib
import logging
import os
import pickle
import signal
import socket
import threading
import time
import warnings
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import count, islice
from typing import Any

from pipeline import __version__
from pipeline.core.errors import HornbookError, MissingExtra
from pipeline.work.protocol import In, Out
from pipeline.work.ray_windows import Do, Done, Failed, Starts, Window, pickled, table_of

WINDOW = 2
"""Tasks a core in each of the two data sets that are under way."""
PACK = 4
TASK_SECONDS = 0.25
"""A task of Ray Data costs about 20 ms of CPU beside its work, so that blocks that take less than this go up to `PACK`
to a task: at most 16 blocks a core are under way in a map. A block ends at 1M characters; one of `distinct` at 2M,
and two of its maps are under way at once where it works out normal forms: about 64M characters a core there."""
PATIENCE_SECONDS = 5.0
"""What closing waits, in all, for work that does not let itself be interrupted."""
RETRIES = 10
"""How often a block is done again whose worker or node died. An exception of the work itself is never retried."""


class RayCluster:
    """A Ray cluster: the one at `address`, or one of this machine alone, started by the first map.

    The nodes need the same version of Hornbook and of Python as this machine; nothing else is asked of them, no
    shared disk either. Blocks and results travel through this machine.
    """

    parallel = True
    far = True

    def __init__(self, address: str, workers: int) -> None:
        self.cpu_seconds = 0.0
        self._address = address
        self._workers = workers
        self._ours = False
        self._quiet = contextlib.ExitStack()
        self._ray: Any = None
        self._starts: Any = None
        self._numbers = count()
        self._sent: deque[tuple[Any, Any]] = deque(maxlen=2)
        self._windows: weakref.WeakSet[Window] = weakref.WeakSet()

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """See `Executor`. Raises HornbookError where a block kills its workers or the cluster is gone."""
        self._connected()
        do = Do(self._put(work), self._starts, RETRIES + 1)
        source = iter(blocks)
        waiting: deque[Window] = deque()
        spent, done = 0.0, 0
        try:
            while True:
                while len(waiting) < 2:
                    tables = self._tables(source, _pack(done, spent))
                    if not tables:
                        break
                    waiting.append(Window(tables, do))
                    self._windows.add(waiting[-1])
                if not waiting:
                    return
                for row in self._rows(waiting[0]):
                    done_here = self._result(row)
                    spent, done = spent + done_here.seconds, done + 1
                    self.cpu_seconds += done_here.cpu_seconds
                    yield done_here.value
                waiting.popleft()
        finally:
            for window in waiting:
                window.stop()

    def _put(self, work: Any) -> Any:
        """`work` in the object store; a model that is asked again and again is sent once."""
        from ray.exceptions import RayError

        for sent, ref in self._sent:
            if sent is work:
                return ref
        try:
            self._sent.append((work, self._ray.put(work)))
        except RayError as error:
            raise HornbookError(
                f"the object store of this machine has no room for {type(work).__name__}: {type(error).__name__}",
                hint="start Ray with more: `ray start --object-store-memory BYTES`",
            ) from error
        return self._sent[-1][1]

    def _tables(self, source: Iterator[Any], pack: int) -> list[Any]:
        """The next blocks of a window: what a task works on is one table, of `pack` blocks."""
        tables = []
        for _ in range(self._window()):
            rows = [pickled(block) for block in islice(source, pack)]
            if not rows:
                break
            tables.append(table_of(rows, next(self._numbers)))
        return tables

    def _window(self) -> int:
        """Tasks of a window. Raises HornbookError where there is no core, on which Ray would wait for ever."""
        with self._told():
            cores = int(self._ray.cluster_resources().get("CPU", 0))
        if cores < 1:
            raise HornbookError(
                f"the Ray cluster {self._address!r} has {cores} CPU cores, wanted at least 1",
                hint="join a node with cores: `ray start --address HOST:6379 --num-cpus N`",
            )
        return WINDOW * cores

    def _rows(self, window: "Window") -> Iterator[bytes]:
        with self._told():
            yield from window

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What Ray raises, as a HornbookError."""
        from ray.exceptions import RayError

        try:
            yield
        except (RayError, ConnectionError) as error:
            cause = getattr(error, "cause", None)
            if isinstance(cause, ImportError):  # never the work's: that comes as a result
                raise _not_there(self._address, str(cause)) from error
            raise HornbookError(
                f"Ray could not finish a block of work: {type(cause or error).__name__}: {_first(cause or error)}",
                hint="look at the nodes with `ray status`; finished stages are stored, run the same command again",
            ) from error

    def _result(self, row: bytes) -> "Done":
        result: Done | Failed = pickle.loads(row)
        if isinstance(result, Done):
            return result
        if result.unreadable:
            raise _not_there(self._address, str(result.error))
        raise result.error

    def _connected(self) -> Any:
        if self._starts is not None:
            return self._ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # a thread that outlives the cluster starts no other
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the settings of Ray Data 2.60 deprecate themselves when they are made
                import ray
                import ray.data
                from ray.exceptions import RayError

                ray.data.DataContext.get_current()
        except ImportError as error:
            raise MissingExtra(
                f"execution.engine = 'ray' needs Ray with Ray Data, which is not installed: {error}",
                hint="pip install 'hornbook[ray]', or use execution.engine = 'local'",
            ) from error
        self._ray = ray
        if not ray.is_initialized():
            where: dict[str, Any] = {"address": self._address}
            if not self._address:
                where = {"address": "local", "num_cpus": self._workers, "include_dashboard": False}
            try:
                _answers(self._address)
                with _same_handlers():
                    ray.init(**where, log_to_driver=False, configure_logging=False, namespace="hornbook")
            except (OSError, RayError, RuntimeError, ValueError, AssertionError) as error:
                raise HornbookError(
                    f"no Ray cluster answers at execution.address = {self._address!r}: {_first(error)}",
                    hint="start one with `ray start --head` and give its address, or '' for one of this machine",
                ) from error
            self._ours = True
        self._quiet.close()
        self._quiet.enter_context(_quiet())
        if self._address:
            self._same_version()
        self._starts = self._counting()
        return ray

    def _counting(self) -> Any:
        """An actor of this node that counts how often each block was begun: Ray Data itself would never give up."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(self._ray.get_runtime_context().get_node_id(), soft=False)
        return self._ray.remote(num_cpus=0, scheduling_strategy=here)(Starts).remote()

    def _same_version(self) -> None:
        """Asks every node that works: Ray Data would try for ever where one cannot read what it is sent."""
        from ray.exceptions import RayError
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        ask = self._ray.remote(num_cpus=0)(_version)
        nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
        there = [NodeAffinitySchedulingStrategy(node, soft=True) for node in nodes]
        try:
            versions = self._ray.get([ask.options(scheduling_strategy=node).remote() for node in there])
        except RayError as error:
            raise _not_there(self._address, str(getattr(error, "cause", None) or error)) from error
        for version in versions:
            if version != __version__:
                raise _not_there(self._address, f"version {version}")

    def close(self) -> None:
        """Leave the cluster; one that was started here ends. Interrupts what an error left under way."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        windows = list(self._windows)
        for window in windows:
            window.stop()
        for window in windows:
            window.thread.join(max(0.0, deadline - time.monotonic()))
        if self._ours:
            self._ray.shutdown()
        if not any(window.thread.is_alive() for window in windows):
            self._quiet.close()
        self._sent.clear()
        self._ray, self._starts, self._ours = None, None, False


def _pack(done: int, spent: float) -> int:
    """How many blocks a task gets, by the seconds that those done took."""
    if not done:
        return 1
    return max(1, min(PACK, int(done * TASK_SECONDS / max(spent, 1e-9))))


def _answers(address: str) -> None:
    """Raises OSError where nothing listens at host:port; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextlib.contextmanager
def _same_handlers() -> Iterator[None]:
    """Undoes that Ray handles SIGTERM: a run ends the same way with it and without."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


def _version() -> str:
    return __version__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Has Ray Data tell of itself in the session's log file, and there of warnings only; undone at the end."""
    logger = logging.getLogger("ray.data")
    streams = [handler for handler in logger.handlers if isinstance(handler, logging.StreamHandler)]
    levels = [(handler, handler.level) for handler in streams]
    level = logger.level
    logger.setLevel(logging.WARNING)
    for handler in streams:
        handler.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)
        for handler, before in levels:
            handler.setLevel(before)


def _first(error: BaseException) -> str:
    """The first line of what an exception says."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _not_there(address: str, found: str) -> HornbookError:
    return HornbookError(
        f"the nodes of the Ray cluster {address!r} do not have hornbook {__version__}: {found}",
        hint=f"pip install hornbook=={__version__} on each node",
    )
