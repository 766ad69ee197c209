"""A real Ray cluster on this machine, where `hornbook[ray]` is installed."""

import importlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray", reason="needs hornbook[ray]")

import pyarrow.parquet as pq  # noqa: E402

from pipeline import __version__  # noqa: E402
from pipeline.clean.clean import clean  # noqa: E402
from pipeline.cli.main import main  # noqa: E402
from pipeline.core.errors import HornbookError  # noqa: E402
from pipeline.core.records import Document, Passage, Problem  # noqa: E402
from pipeline.core.stage import Dropped, Tally, checked  # noqa: E402
from pipeline.recipe import DecontaminatedTable, DistinctTable  # noqa: E402
from pipeline.stages.decontaminated.stage import Decontaminate  # noqa: E402
from pipeline.stages.distinct.stage import Distinct  # noqa: E402
from pipeline.stages.quality.stage import Quality  # noqa: E402
from pipeline.work.protocol import SERIAL, Executor, spread  # noqa: E402
from pipeline.work.ray import AHEAD, RayCluster  # noqa: E402

# Slow: Ray 2.60 can abort this process where a task is cancelled as it ends ("complete task that was not pending").
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning")]

BODY = """    total = 0
    for x in a:
        if x > k:
            total += x * x
    return [total, k]
"""
PROBLEM = Problem(
    benchmark="b",
    task_id="b/1",
    prompt='def g(a, k):\n    """Nothing that anybody says elsewhere in these words."""\n',
    entry_point="g",
    test="assert g",
    canonical_solution=BODY,
)
NODE = {"num_cpus": 1, "object_store_memory": 100_000_000}


def documents(count: int) -> list[Document]:
    """A third of them near copies or renamed clones of others; some are too short, some overlap with PROBLEM."""
    made: list[Document] = []
    for i in range(count):
        k = i % (2 * count // 3)
        name = "f" if i == k else "renamed"
        text = f"def {name}(a):\n    b = a + {k}\n    return [b, {k % 7}]\n" + f"# note {k} about it\n" * (k % 4)
        if k % 50 == 0:
            text = f"def h{k}(a, k):\n" + PROBLEM.canonical_solution.replace("total", f"t{k}")
        made.append(Passage(text=text if k % 97 else f"x = {k}", origin=str(i)))
    return made


def described(outcomes: Any) -> list[tuple[str, ...]]:
    return [
        (o.record.id, o.reason, o.kept_id, o.detail) if isinstance(o, Dropped) else (o.record.id,) for o in outcomes
    ]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one core; a test may add others and takes them away again."""
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    made.add_node(**NODE)
    made.wait_for_nodes()
    yield made
    made.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def where(cluster: Any) -> Iterator[RayCluster]:
    """Connects at its next map, also after a test that closed it."""
    made = RayCluster(cluster.address, 1)
    yield made
    made.close()


def node_of(_: int) -> str:
    time.sleep(0.2)
    return str(ray.get_runtime_context().get_node_id())


def walked(records: list[Document], executor: Executor) -> Iterator[list[tuple[str, ...]]]:
    """The stages that go through an executor, one after the other over the same records."""
    yield described(checked(Quality(), records, Tally(), lambda stage, items: spread(stage, items, executor)))
    decontaminate = Decontaminate(DecontaminatedTable(), [PROBLEM], executor=executor)
    yield described(checked(decontaminate, records, Tally()))
    yield described(checked(Distinct(DistinctTable(), executor), records, Tally()))


def test_a_node_killed_in_the_middle_loses_nothing(
    cluster: Any, where: RayCluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records = documents(900)
    expected = list(walked(records, SERIAL))
    assert {o[1] for found in expected for o in found if len(o) > 1} >= {"too-short", "tree-overlap", "clone"}
    monkeypatch.setattr("pipeline.stages.distinct.stage.BATCH_DOCUMENTS", 30)
    lasting = {node.node_id for node in cluster.list_all_nodes()}
    assert list(where.map(abs, [-1])) == [1]  # by one of them: the node that this process is connected to must last
    third = cluster.add_node(**NODE)
    while set(where.map(node_of, range(9))) != {*lasting, third.node_id}:
        pass
    assert list(walked(records, where)) == expected
    assert where.cpu_seconds > 0

    outcomes = []
    for number, outcome in enumerate(checked(Distinct(executor=where), records, Tally())):
        if number == 300:
            cluster.remove_node(third, allow_graceful=False)
        outcomes.append(outcome)
    assert described(outcomes) == expected[2]
    assert set(where.map(node_of, range(8))) <= lasting

    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": r.text}) + "\n" for r in records), encoding="utf-8")
    far = clean([path], tmp_path / "far", problems=[PROBLEM], executor=where)
    near = clean([path], tmp_path / "near", problems=[PROBLEM])
    assert far.to_json() | {"out": ""} == near.to_json() | {"out": ""}
    for part in ("kept", "dropped"):
        assert pq.read_table(tmp_path / "far" / part).equals(pq.read_table(tmp_path / "near" / part))


def test_a_run_on_ray_keeps_what_a_run_on_one_machine_keeps(cluster: Any, tmp_path: Path) -> None:
    settings = ["seeds.exercises=60", "seeds.textbooks=6", "sources.kind=stdlib", "sources.limit=30"]
    made = []
    for engine, address in (("local", ""), ("ray", cluster.address)):
        settings += [f"execution.engine={engine}", f'execution.address="{address}"', "execution.workers=2"]
        where = ["--data", str(tmp_path / engine), "--name", engine, "--until", "decontaminated"]
        with pytest.raises(SystemExit) as end:
            main(["run", "tiny", *settings, *where])
        assert end.value.code == 0
        store = tmp_path / engine / "store"
        stages = sorted(path.parent.relative_to(store) for path in store.glob("*/*/manifest.json"))
        made.append(
            {
                stage: [pq.read_table(path).to_pylist() for path in sorted((store / stage).glob("*.parquet"))]
                for stage in stages
            }
        )
    assert made[0] == made[1]
    assert {"raw-code", "documents", "validated", "distinct", "quality", "decontaminated"} <= {
        str(stage.parent) for stage in made[0]
    }


def slow_first(n: int) -> int:
    time.sleep(1 if n == 0 else 0)
    return n


def test_results_come_in_order_and_the_blocks_under_way_are_bounded(where: RayCluster) -> None:
    taken = 0

    def source() -> Iterator[int]:
        nonlocal taken
        for n in range(100):
            taken += 1
            yield n

    results = where.map(slow_first, source())
    assert next(results) == 0
    assert taken <= 3 * AHEAD  # a node that another test took away may still count
    assert list(results) == list(range(1, 100))


class LocalError(Exception):
    """Does not unpickle: its constructor wants more than its message."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} and {b}")


def failing(n: int) -> int:
    if n == 1:
        raise HornbookError(f"block {n} is odd", hint="use even ones")
    if n == 3:
        raise LocalError(n, n)
    if n == 5:
        raise ImportError("No module named 'optional'")
    if n == 7:
        raise StopIteration
    return n


def test_an_error_of_the_work_is_the_callers(where: RayCluster) -> None:
    with pytest.raises(HornbookError, match="block 1 is odd") as caught:
        list(where.map(failing, [0, 1, 2]))
    assert caught.value.hint == "use even ones"
    with pytest.raises(RuntimeError, match="LocalError: 3 and 3"):
        list(where.map(failing, [2, 3]))
    with pytest.raises(ImportError, match="^No module named 'optional'$"):
        list(where.map(failing, [5]))
    results = where.map(failing, [6, 7, 8])
    assert next(results) == 6
    with pytest.raises(RuntimeError, match="StopIteration"):
        next(results)


def killing(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_what_the_nodes_cannot_do_is_said_and_nothing_else(
    where: RayCluster,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.work.ray.RETRIES", 1)
    with pytest.raises(HornbookError, match="a block of work was given up whose worker died 2 times") as caught:
        list(where.map(killing, range(6)))
    assert "--num-cpus" in caught.value.hint
    monkeypatch.syspath_prepend(tmp_path_factory.mktemp("here"))
    source = "class Block: ...\n\ndef work(n): return n\n"
    (Path(sys.path[0]) / "only_here.py").write_text(source, encoding="utf-8")
    only_here = importlib.import_module("only_here")
    for work, block in ((only_here.work, 0), (abs, only_here.Block())):
        with pytest.raises(HornbookError, match=r"nodes of the Ray cluster .* do not have hornbook .*only_here"):
            list(where.map(work, [block]))
    assert list(where.map(abs, [-1])) == [1]
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def test_a_node_with_another_hornbook_is_refused(cluster: Any, where: RayCluster, tmp_path: Path) -> None:
    assert list(where.map(abs, [-1])) == [1]
    other = "import pipeline\npipeline.__version__ = '0.0.1'\n"
    (tmp_path / "sitecustomize.py").write_text(other, encoding="utf-8")
    node = cluster.add_node(**NODE, env_vars={"PYTHONPATH": str(tmp_path)})
    try:
        with pytest.raises(HornbookError, match=rf"do not have hornbook {re.escape(__version__)}: version 0\.0\.1"):
            list(where.map(node_of, range(3_000)))
    finally:
        cluster.remove_node(node, allow_graceful=False)


@dataclass
class Long:
    """Leaves a file when it begins and one when it ends, a minute later."""

    begun: Path
    ended: Path

    def __call__(self, n: int) -> int:
        self.begun.with_name(f"begun-{os.getpid()}").touch()
        for _ in range(600):
            time.sleep(0.1)
        self.ended.touch()
        return n


def test_an_abandoned_map_is_interrupted_and_a_ray_that_is_up_already_stays(where: RayCluster, tmp_path: Path) -> None:
    assert list(where.map(abs, [-1])) == [1]
    guest = RayCluster("", 1)
    long = Long(tmp_path / "begun", tmp_path / "ended")

    def source() -> Iterator[int]:
        yield from range(2)
        while len(list(tmp_path.glob("begun-*"))) < 2:
            time.sleep(0.1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(guest.map(long, source()))
    assert list(guest.map(abs, [-1, -2])) == [1, 2]
    assert not long.ended.exists()
    guest.close()
    assert ray.is_initialized()


def test_leaving_a_cluster_ends_what_is_under_way(where: RayCluster, tmp_path: Path) -> None:
    where.close()
    long = Long(tmp_path / "begun", tmp_path / "ended")

    def source() -> Iterator[int]:
        yield from range(2)
        while len(list(tmp_path.glob("begun-*"))) < 2:
            time.sleep(0.1)
        where.close()
        yield 2

    with pytest.raises(HornbookError, match="was read on after the cluster was left"):
        list(where.map(long, source()))
    assert not ray.is_initialized()
    assert list(where.map(abs, [-1, -2])) == [1, 2]
    assert not long.ended.exists()


def test_a_cluster_without_cores_or_that_is_lost_is_said(where: RayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.work.ray.LOOK_SECONDS", 0.1)
    results = where.map(slow_first, [1, 0])
    assert next(results) == 1
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"memory": 1.0})
    with pytest.raises(HornbookError, match="has 0 CPU cores, wanted at least 1"):
        next(results)
    with pytest.raises(HornbookError, match="has 0 CPU cores, wanted at least 1"):
        list(where.map(abs, [0]))

    def lost() -> Any:
        raise ray.exceptions.RaySystemError("gone")

    monkeypatch.setattr(ray, "cluster_resources", lost)
    with pytest.raises(HornbookError, match="RaySystemError: .*gone"):
        list(where.map(abs, [0]))


def test_a_cluster_of_this_machine_alone_begins_and_ends_with_its_maps(where: RayCluster) -> None:
    where.close()
    before = signal.getsignal(signal.SIGTERM)
    alone = RayCluster("", 1)
    assert list(alone.map(abs, [-2, -3])) == [2, 3]
    assert signal.getsignal(signal.SIGTERM) is before
    alone.close()
    assert not ray.is_initialized()
    with pytest.raises(HornbookError, match=r"no Ray cluster answers at execution\.address = '127\.0\.0\.1:1'"):
        list(RayCluster("127.0.0.1:1", 1).map(abs, [0]))
