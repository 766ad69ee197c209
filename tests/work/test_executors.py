import os
import signal
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.core.errors import HornbookError, MissingExtra
from pipeline.core.records import Document, Passage
from pipeline.core.stage import Dropped, Kept
from pipeline.execution import Execution
from pipeline.stages.distinct.stage import Distinct
from pipeline.work import executor
from pipeline.work.local import Processes
from pipeline.work.protocol import SERIAL, blocks, spread
from pipeline.work.ray import RayCluster


def doubled(block: list[int]) -> list[int]:
    return [2 * n for n in block]


def slow_first(n: int) -> int:
    time.sleep(0.2 if n == 0 else 0)
    return n


def killed(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def failing(n: int) -> int:
    raise HornbookError(f"block {n} is odd", hint="use even ones")


def passages(count: int) -> list[Document]:
    """A third of them copies, near copies or renamed clones of others."""
    texts = []
    for i in range(count):
        k = i % (2 * count // 3)
        name = "f" if i == k else "renamed"
        texts.append(f"def {name}(a):\n    b = a + {k}\n    return [b, {k % 7}]\n" + f"# note {k} about it\n" * (k % 4))
    return [Passage(text=text, origin=str(i)) for i, text in enumerate(texts)]


def described(outcomes: Any) -> list[tuple[str, str, str, str]]:
    return [
        (o.record.id, o.reason, o.kept_id, o.detail) if isinstance(o, Dropped) else (o.record.id, "", "", "")
        for o in outcomes
    ]


class AloneStage:
    """Drops every third; looks at one record at a time."""

    def __call__(self, records: Any) -> Iterator[Any]:
        for record in records:
            yield Dropped(record, "third", "") if int(record.origin) % 3 == 0 else Kept(record)


def test_blocks_end_at_either_limit() -> None:
    items = [Passage(text="x" * n) for n in (1, 1, 1, 9, 1)]
    assert [len(block) for block in blocks(items, most=3, characters=10)] == [3, 2]
    assert [len(block) for block in blocks(items, most=9, characters=3)] == [3, 1, 1]
    assert list(blocks([])) == []


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    made = Processes(2, patience=0.0)
    yield made
    made.close()


def test_results_come_in_the_order_of_the_blocks(processes: Processes) -> None:
    assert list(processes.map(slow_first, range(12))) == list(range(12))
    assert list(processes.map(doubled, [[1, 2], [], [3]])) == [[2, 4], [], [6]]


def test_an_error_of_the_work_is_the_callers(processes: Processes) -> None:
    with pytest.raises(HornbookError, match="block 0 is odd") as caught:
        list(processes.map(failing, range(3)))
    assert caught.value.hint == "use even ones"


def stopping(n: int) -> int:
    if n == 1:
        raise StopIteration
    return n


def test_a_stop_iteration_of_the_work_ends_no_map(processes: Processes) -> None:
    for where in (SERIAL, processes):
        results = where.map(stopping, range(3))
        assert next(results) == 0
        with pytest.raises(RuntimeError, match="StopIteration"):
            next(results)


def test_a_small_map_starts_no_process() -> None:
    made = Processes(2)
    assert list(made.map(doubled, [[1]])) == [[2]]
    assert made._pool is None
    made.close()


def test_the_blocks_under_way_are_bounded(processes: Processes) -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield n

    results = processes.map(slow_first, source())
    next(results)
    assert taken <= 5
    assert list(results) == list(range(1, 100))


def test_a_killed_worker_is_an_error_that_says_what_to_do() -> None:
    made = Processes(2, patience=0.0)
    with pytest.raises(HornbookError, match=r"one of 2 worker processes was killed") as caught:
        list(made.map(killed, range(6)))
    assert "execution.workers = 1" in caught.value.hint
    made.close()


def test_stages_give_the_same_in_processes(processes: Processes) -> None:
    documents = passages(60)
    assert list(spread(AloneStage(), documents, processes)) == list(AloneStage()(documents))
    assert described(Distinct(executor=processes)(documents)) == described(Distinct()(documents))


def test_the_settings_choose_the_executor() -> None:
    with executor(Execution(workers=1)) as chosen:
        assert chosen is SERIAL
    with executor(Execution(workers=3)) as chosen:
        assert isinstance(chosen, Processes)
    with executor(Execution(engine="ray")) as chosen:
        assert isinstance(chosen, RayCluster)


def test_without_ray_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match="needs Ray, which is not installed") as caught:
        list(RayCluster("", 1).map(doubled, [[1]]))
    assert "hornbook[ray]" in caught.value.hint


def test_what_ray_prints_does_not_mix_with_results(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Talks:
        def __init__(self, *_: Any) -> None: ...

        def close(self) -> None:
            print("(raylet) a worker died")

    monkeypatch.setattr("pipeline.work.ray.RayCluster", Talks)
    with executor(Execution(engine="ray")):
        print("(raylet) a node died")
    print("the result")
    said = capsys.readouterr()
    assert said.out == "the result\n"
    assert said.err == "(raylet) a node died\n(raylet) a worker died\n"
