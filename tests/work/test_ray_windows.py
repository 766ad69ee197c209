"""What travels to a Ray cluster and back, without a cluster; tests/test_ray.py has one."""

import itertools
import pickle
import sys
import types
from typing import Any

import pytest

from pipeline.core.errors import HornbookError, MissingExtra
from pipeline.work.ray_cluster import PACK, PATIENCE_SECONDS, TASK_SECONDS, RayCluster, _pack
from pipeline.work.ray_windows import _WORK, Do, Done, Failed, Starts, pickled, table_of

_NUMBERS = itertools.count()


class Reference:
    """As an object in Ray's store: its name is never another object's, not even after its death."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self._name = f"reference-{next(_NUMBERS)}"

    def hex(self) -> str:
        return self._name


class Actor:
    """As an actor `Starts`."""

    def __init__(self) -> None:
        starts = Starts()
        self.add = types.SimpleNamespace(remote=lambda number: Reference(starts.add(number)))


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A Ray that gets, and that begins and ends, in a worker that was sent no work yet."""
    _WORK.clear()
    made: Any = types.ModuleType("ray")
    made.get = lambda reference: reference.value
    made.up = False
    made.is_initialized = lambda: made.up
    made.init = lambda **_: setattr(made, "up", True)
    made.shutdown = lambda: setattr(made, "up", False)
    made.data = types.ModuleType("ray.data")
    made.data.DataContext = types.SimpleNamespace(get_current=lambda: None)
    errors: Any = types.ModuleType("ray.exceptions")
    errors.RayError = type("RayError", (Exception,), {})
    errors.RaySystemError = type("RaySystemError", (errors.RayError,), {})
    for module in (made, made.data, errors):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


class LocalError(Exception):
    """Does not pickle: its constructor wants more than its message."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def odd(n: int) -> int:
    if n == 1:
        raise HornbookError(f"block {n} is odd", hint="use even ones")
    if n == 3:
        raise LocalError(n, n)
    return -n


def results(do: Do, blocks: list[int], number: int = 7) -> list[Any]:
    table = do(table_of([pickled(block) for block in blocks], number))
    assert table["number"].to_pylist() == [number] * len(table)
    return [pickle.loads(data.as_buffer()) for data in table["data"]]


def test_each_block_of_a_task_has_its_result_or_its_error() -> None:
    first, second, third, fourth = results(Do(Reference(odd), Actor(), 1), [0, 1, 2, 3])
    assert [isinstance(one, Done) for one in (first, second, third, fourth)] == [True, False, True, False]
    assert (first.value, third.value) == (0, -2)
    assert isinstance(second, Failed)
    assert isinstance(second.error, HornbookError)
    assert (second.error.message, second.error.hint) == ("block 1 is odd", "use even ones")
    assert str(fourth.error) == "LocalError: 3 and 3"


def test_a_task_that_was_begun_too_often_is_given_up() -> None:
    do = Do(Reference(odd), Actor(), 2)
    assert [results(do, [0])[0].value for _ in range(2)] == [0, 0]
    (given_up,) = results(do, [0, 2])
    assert "a block of work was given up whose worker died 2 times" in given_up.error.message
    assert results(do, [2], number=8)[0].value == -2


def test_short_blocks_share_a_task() -> None:
    assert _pack(0, 0.0) == 1
    assert _pack(10, 10 * TASK_SECONDS) == _pack(10, 100 * TASK_SECONDS) == 1
    assert _pack(10, 5 * TASK_SECONDS) == 2
    assert _pack(10, 0.0) == PACK


class Missing:
    """Its module is not on the node."""

    def __reduce__(self) -> Any:
        return __import__, ("only_here",)


def importing(n: Any) -> Any:
    raise ImportError("No module named 'optional'")


def test_a_node_that_cannot_read_is_not_a_work_that_cannot_import(ray: Any) -> None:
    (own,) = results(Do(Reference(importing), Actor(), 1), [0])
    assert (type(own.error), own.unreadable) == (ImportError, False)
    (block,) = results(Do(Reference(odd), Actor(), 1), [Missing()])
    assert block.unreadable
    assert "only_here" in str(block.error)

    def unreadable(reference: Any) -> Any:
        if reference.value is importing:
            raise sys.modules["ray.exceptions"].RaySystemError("No module named 'only_here'\nat once")
        return reference.value

    ray.get = unreadable
    (work,) = results(Do(Reference(importing), Actor(), 1), [0])
    assert (str(work.error), work.unreadable) == ("No module named 'only_here'", True)
    where = RayCluster("", 1)
    with pytest.raises(ImportError, match="optional"):
        where._result(pickled(own))
    with pytest.raises(HornbookError, match=r"do not have hornbook .*: No module named 'only_here'"):
        where._result(pickled(work))


def test_ray_without_what_ray_data_needs_names_the_extra(ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray.data", None)
    where = RayCluster("", 1)
    with pytest.raises(MissingExtra, match=r"needs Ray with Ray Data.*ray\.data") as caught:
        list(where.map(odd, [0]))
    assert "hornbook[ray]" in caught.value.hint
    assert not ray.up
    where.close()


def test_a_ray_that_was_begun_ends_whatever_fails_then(ray: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(self: RayCluster) -> None:
        raise HornbookError("no actor")

    monkeypatch.setattr(RayCluster, "_counting", fails)
    where = RayCluster("", 1)
    for _ in range(2):
        with pytest.raises(HornbookError, match="no actor"):
            list(where.map(odd, [0]))
    assert ray.up
    where.close()
    assert not ray.up
    ray.up = True
    with pytest.raises(HornbookError, match="no actor"):
        list(where.map(odd, [0]))
    where.close()
    assert ray.up


def test_a_cluster_without_cores_or_that_is_lost_is_said(ray: Any) -> None:
    where = RayCluster("HOST:6379", 1)
    where._ray = ray
    ray.cluster_resources = lambda: {"memory": 1.0}
    with pytest.raises(HornbookError, match="'HOST:6379' has 0 CPU cores, wanted at least 1"):
        where._window()

    def lost() -> Any:
        raise sys.modules["ray.exceptions"].RaySystemError("gone")

    ray.cluster_resources = lost
    with pytest.raises(HornbookError, match="RaySystemError: gone"):
        where._window()


class Clock:
    """As the module `time`."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


class LongWindow:
    """Its thread never ends."""

    def __init__(self, clock: Clock) -> None:
        self.stopped = False
        self._clock = clock
        self.thread = self

    def stop(self) -> None:
        self.stopped = True

    def join(self, seconds: float) -> None:
        assert self.stopped
        self._clock.now += seconds

    def is_alive(self) -> bool:
        return True


def test_closing_waits_once_for_all_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr("pipeline.work.ray_cluster.time", clock)
    where = RayCluster("", 1)
    windows: list[Any] = [LongWindow(clock) for _ in range(3)]
    for window in windows:
        where._windows.add(window)
    where.close()
    assert all(window.stopped for window in windows)
    assert clock.now == PATIENCE_SECONDS
