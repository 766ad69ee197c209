"""Arms of an experiment made up from tables of who solved what; nothing of it is on disk."""

from collections.abc import Iterator, Sequence
from math import log
from pathlib import Path
from typing import Any

from pipeline.report.arms import Arm
from pipeline.run.reading import RunView, StageView
from pipeline.store.manifest import Manifest
from pipeline.store.store import Store


class MadeRun(RunView):
    """A run whose score rows are in `info["rows"]`, and its likelihoods in `info["likely"]`."""

    def rows(self, name: str, prefix: str = "part", columns: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
        if name.startswith("likelihoods-"):
            return (row for row in self.info["likely"] if name == f"likelihoods-{row['model']}")
        return iter(self.info["rows"] if name == "scores" else ())


def stage(name: str, key: str, facts: dict[str, Any] | None = None, hours: float = 0.0) -> StageView:
    """A finished stage that took `hours` of CPU time."""
    manifest = Manifest(name, key, 1, {}, {}, 1, 1, {}, hours * 3600, hours * 3600, {}, facts or {})
    return StageView(name, key, "made", 0.0, manifest)


def rows(solved: Sequence[bool | None], model: str = "after", benchmark: str = "bench") -> list[dict[str, Any]]:
    """One answer a problem."""
    return [
        {"benchmark": benchmark, "model": model, "task_id": f"T/{n:03}", "problem_id": f"{n:03}", "passed": passed}
        for n, passed in enumerate(solved)
    ]


def likelihoods(bits: Sequence[float], model: str = "after", benchmark: str = "bench") -> list[dict[str, Any]]:
    """Of solutions of 100 bytes, from bits per byte."""
    return [
        {"benchmark": benchmark, "model": model, "task_id": f"T/{n:03}", "problem_id": f"{n:03}", "group": "",
         "nats": 100 * log(2) * value, "bytes": 100}
        for n, value in enumerate(bits)
    ]  # fmt: skip


def run(
    name: str,
    score_rows: Sequence[dict[str, Any]],
    stages: Sequence[StageView] = (),
    likely: Sequence[dict[str, Any]] = (),
) -> MadeRun:
    """A run that is done."""
    info = {"run": name, "state": "done", "recipe": "made", "rows": score_rows, "likely": likely}
    return MadeRun(Path(name), Store("memory://made"), info, tuple(stages))


def arm(name: str, *solved: Sequence[bool | None], stages: Sequence[StageView] = (), series: str = "") -> Arm:
    """An arm with a run for each of `solved`, with seeds from 1."""
    runs = {seed: run(f"{name}.{seed}", rows(one), stages) for seed, one in enumerate(solved, 1)}
    return Arm(name, f"what {name} is", runs, series=series)
