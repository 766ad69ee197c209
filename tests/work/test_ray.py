"""A real Ray cluster of two nodes on this machine. Minutes, and only where `hornbook[ray]` is installed: -m slow."""

import importlib
import json
import os
import re
import signal
import sys
import threading
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
from pipeline.work.ray_cluster import RayCluster  # noqa: E402

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


def node_of(_: int) -> str:
    time.sleep(0.2)
    return str(ray.get_runtime_context().get_node_id())


@dataclass
class TwoNodes:
    address: str
    cluster: Any
    first: str
    second: Any

    def kill_second(self) -> None:
        self.cluster.remove_node(self.second, allow_graceful=False)


@pytest.fixture
def two_nodes() -> Iterator[TwoNodes]:
    from ray.cluster_utils import Cluster

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    memory = {"num_cpus": 1, "object_store_memory": 200_000_000, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=memory)
    second = cluster.add_node(num_cpus=1, object_store_memory=200_000_000)
    cluster.wait_for_nodes()
    yield TwoNodes(cluster.address, cluster, cluster.head_node.node_id, second)
    cluster.shutdown()
    ray.cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def walked(records: list[Document], executor: Executor) -> Iterator[list[tuple[str, ...]]]:
    """The stages that go through an executor, one after the other over the same records."""
    yield described(checked(Quality(), records, Tally(), lambda stage, items: spread(stage, items, executor)))
    decontaminate = Decontaminate(DecontaminatedTable(), [PROBLEM], executor=executor)
    yield described(checked(decontaminate, records, Tally()))
    yield described(checked(Distinct(DistinctTable(), executor), records, Tally()))


def test_a_node_killed_in_the_middle_loses_nothing(
    two_nodes: TwoNodes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    records = documents(3_000)
    expected = list(walked(records, SERIAL))
    assert {o[1] for found in expected for o in found if len(o) > 1} >= {"too-short", "tree-overlap", "clone"}
    monkeypatch.setattr("pipeline.stages.distinct.stage.BATCH_DOCUMENTS", 50)
    where = RayCluster(two_nodes.address, 1)
    assert set(where.map(node_of, range(12))) == {two_nodes.first, two_nodes.second.node_id}
    assert list(walked(records, where)) == expected

    outcomes = []
    for number, outcome in enumerate(checked(Distinct(executor=where), records, Tally())):
        if number == 1_000:
            two_nodes.kill_second()
        outcomes.append(outcome)
    assert described(outcomes) == expected[2]
    assert set(where.map(node_of, range(4))) == {two_nodes.first}

    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps({"text": r.text}) + "\n" for r in records), encoding="utf-8")
    far = clean([path], tmp_path / "far", problems=[PROBLEM], executor=where)
    near = clean([path], tmp_path / "near", problems=[PROBLEM])
    assert far.to_json() | {"out": ""} == near.to_json() | {"out": ""}
    for part in ("kept", "dropped"):
        assert pq.read_table(tmp_path / "far" / part).equals(pq.read_table(tmp_path / "near" / part))
    where.close()


def test_a_run_on_ray_keeps_what_a_run_on_one_machine_keeps(tmp_path: Path) -> None:
    settings = ["seeds.exercises=120", "seeds.textbooks=12", "sources.kind=stdlib", "sources.limit=60"]
    made = []
    for engine in ("local", "ray"):
        where = ["--data", str(tmp_path / engine), "--name", engine, "--until", "decontaminated"]
        with pytest.raises(SystemExit) as end:
            main(["run", "tiny", *settings, f"execution.engine={engine}", "execution.workers=2", *where])
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


def test_an_error_of_the_work_is_the_callers_and_an_address_without_a_cluster_is_named() -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    where = RayCluster("", 1)
    with pytest.raises(HornbookError, match="block 1 is odd") as caught:
        list(where.map(failing, [0, 1, 2]))
    assert caught.value.hint == "use even ones"
    where.close()
    with pytest.raises(HornbookError, match=r"no Ray cluster answers at execution\.address = '127\.0\.0\.1:1'"):
        list(RayCluster("127.0.0.1:1", 1).map(failing, [0]))


def killing(n: int) -> int:
    if n == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return n


def test_what_the_nodes_cannot_do_is_said_and_nothing_else(
    two_nodes: TwoNodes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.work.ray_cluster.RETRIES", 1)
    capfd.readouterr()
    where = RayCluster(two_nodes.address, 1)
    assert list(where.map(abs, range(40))) == list(range(40))
    with pytest.raises(HornbookError, match="a block of work was given up whose worker died 2 times") as caught:
        list(where.map(killing, range(6)))
    assert "--num-cpus" in caught.value.hint
    monkeypatch.syspath_prepend(tmp_path_factory.mktemp("here"))
    (Path(sys.path[0]) / "only_here.py").write_text("def work(n): return n\n", encoding="utf-8")
    only_here = importlib.import_module("only_here")
    with pytest.raises(HornbookError, match=r"nodes of the Ray cluster .* do not have .*only_here"):
        list(where.map(only_here.work, range(3)))
    assert list(where.map(abs, [-1])) == [1]
    where.close()
    monkeypatch.setattr("pipeline.work.ray_cluster.__version__", "0.0.1")
    with pytest.raises(HornbookError, match=rf"do not have hornbook 0\.0\.1: version {re.escape(__version__)}"):
        list(RayCluster(two_nodes.address, 1).map(abs, [0]))
    ray.shutdown()
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


def failing(n: int) -> int:
    if n % 2:
        raise HornbookError(f"block {n} is odd", hint="use even ones")
    return n


def test_an_abandoned_map_is_interrupted_and_a_ray_that_is_up_already_keeps_its_settings(tmp_path: Path) -> None:
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        where = RayCluster("", 1)
        assert list(where.map(slow_first, range(8))) == list(range(8))
        assert not ray.data.DataContext.get_current().execution_options.preserve_order
        begun, ended = tmp_path / "begun", tmp_path / "ended"
        long = Long(begun, ended)
        abandoned = where.map(long, range(4))
        said: list[str] = []

        def read() -> None:
            try:
                next(abandoned)
            except HornbookError as error:
                said.append(error.message)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        while not begun.exists():
            time.sleep(0.1)
        for window in list(where._windows):
            window.stop()
        reader.join()
        assert said == ["a map on the Ray cluster was read on after it was stopped"]
        assert list(where.map(abs, [-1])) == [1]
        where.close()
        assert not ended.exists()
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def slow_first(n: int) -> int:
    time.sleep(1 if n == 0 else 0)
    return n


@dataclass
class Long:
    begun: Path
    ended: Path

    def __call__(self, n: int) -> int:
        self.begun.touch()
        for _ in range(600):
            time.sleep(0.1)
        self.ended.touch()
        return n
