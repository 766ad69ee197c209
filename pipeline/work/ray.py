"""Blocks of work done on the nodes of a Ray cluster, each block a plain Ray task.

A stage is fed from a stream on this machine, and its results are written here, in order. Ray Data reads, works and
writes on the nodes, on data sets that are whole: a stream would have to be cut into many of them.
"""

import contextlib
import functools
import os
import pickle
import signal
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from pipeline import __version__
from pipeline.core.errors import HornbookError, MissingExtra
from pipeline.work.protocol import In, Out, timed

AHEAD = 4
"""Blocks a core that are under way in a map: others are done while a slow one holds the results back."""
RETRIES = 10
"""How often a block is done again whose worker or node died. An exception of the work itself is never retried."""
LOOK_SECONDS = 10.0
"""How long a block is waited for before the cluster is asked whether it still has a core."""


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
        self._up = self._ours = False
        self._ray: Any = None
        self._task: Any = None
        self._sent: deque[tuple[Any, Any]] = deque(maxlen=2)

    def map(self, work: Callable[[In], Out], blocks: Iterable[In]) -> Iterator[Out]:
        """See `Executor`. Raises HornbookError where a block kills its workers or the cluster is gone."""
        ray = self._connected()
        source = iter(blocks)
        waiting: deque[tuple[Any, Any]] = deque()  # blocks and their results, as references
        with self._told():
            shared, ahead = self._put(work), AHEAD * self._cores()
        try:
            while True:
                for block in islice(source, ahead - len(waiting)):
                    with self._told():
                        sent = ray.put(block)
                        waiting.append((sent, self._task.remote([shared], __version__, sent)))
                if not waiting:
                    return
                with self._told():
                    found = pickle.loads(self._first(shared, waiting))
                if isinstance(found, Exception):
                    raise found
                self.cpu_seconds += found[1]
                yield found[0]
        finally:
            with contextlib.suppress(Exception):  # a cluster that is gone has nothing under way
                if waiting and ray.is_initialized():
                    # Only what is not done: cancelling a task that has just ended can abort the driver (Ray 2.60).
                    left = [result for _, result in waiting]
                    for result in ray.wait(left, num_returns=len(left), timeout=0)[1]:
                        ray.cancel(result)

    def _put(self, work: Any) -> Any:
        """`work` in the object store; a model that is asked again and again is sent once."""
        if not any(sent is work for sent, _ in self._sent):
            self._sent.append((work, self._ray.put(work)))
        return next(reference for sent, reference in self._sent if sent is work)

    def _first(self, shared: Any, waiting: deque[tuple[Any, Any]]) -> bytes:
        """The first result, which leaves `waiting`; its block is done again where its worker or node dies."""
        errors = self._ray.exceptions
        dead = (errors.WorkerCrashedError, errors.NodeDiedError, errors.LocalRayletDiedError, errors.OutOfMemoryError)
        deaths = 0
        while True:
            block, result = waiting[0]
            try:
                data: bytes = self._ray.get(result, timeout=LOOK_SECONDS)
                waiting.popleft()
                return data
            except errors.GetTimeoutError:
                self._cores()
            except (*dead, errors.ObjectLostError) as error:
                deaths += 1
                if deaths > RETRIES:
                    raise HornbookError(
                        f"a block of work was given up whose worker died {deaths} times, most likely for its memory",
                        hint="give the nodes fewer cores for their memory (`ray start --num-cpus`)",
                    ) from error
                waiting[0] = block, self._task.remote([shared], __version__, block)

    def _cores(self) -> int:
        """Cores of the cluster. Raises HornbookError where there is none, on which Ray would wait for ever."""
        cores = int(self._ray.cluster_resources().get("CPU", 0))
        if cores < 1:
            raise HornbookError(
                f"the Ray cluster {self._address!r} has {cores} CPU cores, wanted at least 1",
                hint="join a node with cores: `ray start --address HOST:6379 --num-cpus N`",
            )
        return cores

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What Ray raises, as a HornbookError."""
        if not self._ray.is_initialized():  # it might start a cluster by itself
            raise HornbookError("a map on a Ray cluster was read on after the cluster was left")
        errors = self._ray.exceptions
        try:
            yield
        except (errors.RayError, ConnectionError) as error:
            lines = str(getattr(error, "cause", None) or error).strip().splitlines() or [""]
            if isinstance(error, errors.RayTaskError) and not isinstance(error, errors.TaskCancelledError):
                raise HornbookError(
                    f"the nodes of the Ray cluster {self._address!r} do not have hornbook {__version__}: {lines[-1]}",
                    hint=f"pip install hornbook=={__version__} on each node",
                ) from error
            raise HornbookError(
                f"Ray could not finish a block of work: {type(error).__name__}: {lines[0]}",
                hint="look at the nodes with `ray status`; finished stages are stored, run the same command again",
            ) from error

    def _connected(self) -> Any:
        if self._up:
            return self._ray
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_ENABLE_AUTO_CONNECT", "0")  # a map that outlives the cluster starts no other
        try:
            import ray
        except ImportError as error:
            raise MissingExtra(
                f"execution.engine = 'ray' needs Ray, which is not installed: {error}",
                hint="pip install 'hornbook[ray]', or use execution.engine = 'local'",
            ) from error
        if not ray.is_initialized():
            own = {"address": "local", "num_cpus": self._workers, "include_dashboard": False}
            before = signal.getsignal(signal.SIGTERM)
            try:
                host, colon, port = self._address.removeprefix("ray://").rpartition(":")
                if colon and port.isdigit():  # Ray itself would try for minutes
                    socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
                where = {"address": self._address} if self._address else own
                ray.init(**where, log_to_driver=False, configure_logging=False)
            except (OSError, ray.exceptions.RayError, RuntimeError, ValueError, AssertionError) as error:
                said = str(error).partition("\n")[0]
                raise HornbookError(
                    f"no Ray cluster answers at execution.address = {self._address!r}: {said}",
                    hint="start one with `ray start --head` and give its address, or '' for one of this machine",
                ) from error
            finally:
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGTERM, before)  # a run ends the same way with Ray and without
            self._ours = True
        # Ray's own retries are off: those of a task that ran out of memory may never end.
        self._up, self._ray, self._task = True, ray, ray.remote(num_cpus=1, max_retries=0)(_attempt)
        return ray

    def close(self) -> None:
        """Leave the cluster, which ends what is under way there; one that was started here ends too."""
        self._sent.clear()
        if self._ours:
            self._ray.shutdown()
        self._up = self._ours = False


def _attempt(shared: list[Any], version: str, block: Any) -> bytes:
    """On a node: what came of a block and its CPU seconds, or what the work raised, pickled. shared: the work, by its
    reference. What this raises itself is that the node lacks what the work needs."""
    if version != __version__:
        raise RuntimeError(f"version {__version__}")
    work = _received(shared[0])
    try:
        return pickle.dumps(timed(work, block), protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever it is, it is raised again where the map was asked for
        told: Exception = error
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # it cannot travel
            told = RuntimeError(f"{type(error).__name__}: {error}")
        return pickle.dumps(told)


@functools.lru_cache(maxsize=2)  # two maps of a stage may take turns
def _received(work: Any) -> Any:
    import ray

    return ray.get(work)
