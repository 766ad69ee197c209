#!/usr/bin/env python3
"""What Ray Data costs beside plain Ray tasks, as the engine of `RayCluster.map`, on a cluster of two nodes here.

    scripts/bench/ray_engines.py [--documents 50000] [--rounds 3] [--json]

Each engine gets a driver and a cluster (two nodes of one core) of its own. It works through the heuristics of `quality`
and the features of `distinct` in the blocks that a run sends, `--rounds` times in turn with the other, after a first
map of 300 documents that starts the workers (`start`) and one more (`small`). What they return must be the same.

wall_seconds, cpu_seconds: the least of the rounds; CPU is that of the driver, the workers and Ray's own processes.
driver_mb: most private memory of the driver (RssAnon) over what it had before the map, shared memory apart.
store_mb: memory of the object stores of both nodes that was in use at once, the most so far.
"""

import argparse
import hashlib
import json
import multiprocessing as mp
import os
import re
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]
from dedup_scale import lines, written  # noqa: E402

ENGINES = ("tasks", "data")
STORE_BYTES = 400_000_000


def tasks(cluster: Any, work: Callable[[Any], Any], blocks: Iterable[Any]) -> Iterator[Any]:
    """`map` by plain Ray tasks, at most two blocks a core ahead."""
    from pipeline.work.protocol import timed

    ray = cluster._connected()
    task = ray.remote(num_cpus=1, max_retries=10)(timed)
    shared = ray.put(work)
    ahead = 2 * int(ray.cluster_resources()["CPU"])
    waiting: deque[Any] = deque()
    for block in blocks:
        waiting.append(task.remote(shared, block))
        if len(waiting) >= ahead:
            yield ray.get(waiting.popleft())[0]
    while waiting:
        yield ray.get(waiting.popleft())[0]


def _status(process: int | str, name: str) -> float:
    """A figure of /proc/PID/status in MB, 0.0 for a process that is gone."""
    try:
        found = re.search(rf"{name}:\s*(\d+)", Path(f"/proc/{process}/status").read_text())
    except OSError:
        return 0.0
    return int(found.group(1)) / 1024 if found else 0.0


class Watched:
    """CPU seconds of this process and all below it, its private memory and the bytes in the object stores."""

    def __init__(self) -> None:
        import psutil

        self._me = psutil.Process()
        self._error = psutil.Error
        self._seen: dict[tuple[int, float], float] = {}
        self._stop = threading.Event()
        self.private_mb = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def cpu_seconds(self) -> float:
        for process in (self._me, *self._me.children(recursive=True)):
            try:
                times = process.cpu_times()
                self._seen[process.pid, process.create_time()] = times.user + times.system
            except self._error:
                continue
        return sum(self._seen.values())

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            self.private_mb = max(self.private_mb, _status("self", "RssAnon"))

    def store_mb(self) -> float:
        """Shared memory that the raylets, which hold the object stores, have touched."""
        return sum(_status(p.pid, "RssShmem") for p in self._me.children(recursive=True) if p.name() == "raylet")

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def jobs(texts: list[str]) -> dict[str, Callable[[Callable[..., Iterator[Any]]], str]]:
    """Each returns a digest of all that came back, in its order."""
    from pipeline.core.records import Passage
    from pipeline.core.stage import Dropped
    from pipeline.recipe import DistinctTable, QualityTable
    from pipeline.stages.distinct.stage import BATCH_CHARACTERS, BATCH_DOCUMENTS, _FeaturesOf
    from pipeline.stages.quality.stage import Quality
    from pipeline.work.protocol import _Listed, blocks

    def quality(run: Callable[..., Iterator[Any]]) -> str:
        seen = hashlib.sha256()
        records = (Passage(text=text) for text in texts)
        for outcomes in run(_Listed(Quality(QualityTable())), blocks(records)):
            for outcome in outcomes:
                why = outcome.reason if isinstance(outcome, Dropped) else ""
                seen.update(f"{outcome.record.id} {why}\n".encode())
        return seen.hexdigest()

    def features(run: Callable[..., Iterator[Any]]) -> str:
        seen = hashlib.sha256()
        records = (Passage(text=text) for text in texts)
        cut = blocks(records, most=BATCH_DOCUMENTS, characters=BATCH_CHARACTERS)
        for found in run(_FeaturesOf(DistinctTable()), ([r.text for r in block] for block in cut)):
            for name in sorted(found.__slots__ if hasattr(found, "__slots__") else vars(found)):
                value = getattr(found, name)
                seen.update(value.tobytes() if hasattr(value, "tobytes") else repr(value).encode())
        return seen.hexdigest()

    return {"quality": quality, "features": features}


def _child(engine: str, path: Path, count: int, orders: Any) -> None:
    """Does what is asked over the pipe ("start", "small" or a job's name), and answers with figures."""
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    from ray.cluster_utils import Cluster

    from pipeline.work.ray_cluster import RayCluster

    node = {"num_cpus": 1, "object_store_memory": STORE_BYTES}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    cluster.add_node(**node)
    cluster.wait_for_nodes()
    where = RayCluster(cluster.address, 1)
    where._connected()
    texts = list(lines(path, count))

    def run(work: Any, blocks: Any) -> Iterator[Any]:
        return tasks(where, work, blocks) if engine == "tasks" else where.map(work, blocks)

    while (order := orders.recv()) is not None:
        job = jobs(texts[:300])["quality"] if order in ("start", "small") else jobs(texts)[order]
        watched = Watched()
        cpu, wall = watched.cpu_seconds(), time.monotonic()
        time.sleep(0.15)
        before = watched.private_mb
        wall = time.monotonic()
        digest = job(run)
        wall = time.monotonic() - wall
        cpu = watched.cpu_seconds() - cpu
        watched.close()
        orders.send(
            {
                "engine": engine,
                "what": order,
                "wall_seconds": round(wall, 2),
                "cpu_seconds": round(cpu, 2),
                "driver_mb": round(watched.private_mb - before, 1),
                "store_mb": round(watched.store_mb(), 1),
                "digest": digest[:16],
            }
        )
    where.close()
    cluster.shutdown()


def measured(path: Path, count: int, rounds: int, tell: Callable[[Any], None]) -> list[dict[str, Any]]:
    """The figures of both engines; raises SystemExit where they do not return the same."""
    context = mp.get_context("spawn")
    pipes = {}
    for engine in ENGINES:
        ours, theirs = context.Pipe()
        process = context.Process(target=_child, args=(engine, path, count, theirs))
        process.start()
        pipes[engine] = (ours, process)
    best: dict[tuple[str, str], dict[str, Any]] = {}
    for what in ("start", "small", "small", *["quality", "features"] * rounds):
        for engine in ENGINES:
            pipes[engine][0].send(what)
            row = pipes[engine][0].recv()
            tell(row)
            known = best.setdefault((what, engine), row)
            for name in ("wall_seconds", "cpu_seconds"):
                known[name] = min(known[name], row[name])
            for name in ("driver_mb", "store_mb"):
                known[name] = max(known[name], row[name])
    for ours, process in pipes.values():
        ours.send(None)
        process.join()
    for what in ("small", "quality", "features"):
        if len({best[what, engine]["digest"] for engine in ENGINES}) > 1:
            raise SystemExit(f"the engines do not return the same for {what}")
    return list(best.values())


def main() -> None:
    parser = argparse.ArgumentParser(description="Ray Data beside plain Ray tasks.")
    parser.add_argument("--documents", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--work", type=Path, help="folder of the corpus that dedup_scale.py wrote; by default a new one"
    )
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.work or Path(temporary)
        path = written(folder, arguments.documents)
        figures = measured(
            path,
            arguments.documents,
            arguments.rounds,
            lambda row: None if arguments.json else print(json.dumps(row), flush=True),
        )
    load = [round(value, 1) for value in os.getloadavg()]
    print(json.dumps({"documents": arguments.documents, "load": load, "figures": figures}, indent=1))


if __name__ == "__main__":
    main()
