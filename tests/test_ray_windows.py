"""What travels to a Ray cluster and back, without a cluster; tests/test_ray.py has one."""

import pickle
import sys
import types
from typing import Any

import pytest

from pipeline.errors import HornbookError
from pipeline.ray_cluster import PACK, TASK_SECONDS, _pack
from pipeline.ray_windows import Do, Done, Failed, Starts, pickled, table_of


class Reference:
    """As an object in Ray's store."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def hex(self) -> str:
        return str(id(self))


class Actor:
    """As an actor `Starts`."""

    def __init__(self) -> None:
        starts = Starts()
        self.add = types.SimpleNamespace(remote=lambda number: Reference(starts.add(number)))


@pytest.fixture(autouse=True)
def ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Ray that only gets."""
    made: Any = types.ModuleType("ray")
    made.get = lambda reference: reference.value
    errors: Any = types.ModuleType("ray.exceptions")
    errors.RaySystemError = type("RaySystemError", (Exception,), {})
    monkeypatch.setitem(sys.modules, "ray", made)
    monkeypatch.setitem(sys.modules, "ray.exceptions", errors)


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
