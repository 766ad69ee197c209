"""Which document of the corpus is closest to a problem: known where the corpus was held against it, else compared."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import walk
from pipeline.benchmarks.problems import load
from pipeline.core.plan import PlannedStage
from pipeline.core.records import Passage
from pipeline.core.stage import Kept, Tally
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.stages.making import Making
from pipeline.stages.scores.step import closest
from pipeline.store.places import places
from pipeline.store.store import Writer

WHOLE = load("composed")
TASKS = [problem.task_id for problem in WHOLE.problems[:2]]


def test_what_a_corpus_knows_of_a_benchmark_is_believed_of_the_same_whole_data_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = places(str(tmp_path))
    known = {"digest": WHOLE.digest, "matches": {TASKS[0]: [0.5, "known"]}}
    writer = Writer(at.store, "decontaminated", "k", [Passage])
    writer.write(Kept(Passage(text="x")))
    writer.finish(Tally(1, 1), version=1, inputs={}, settings={}, facts={"closest": {WHOLE.name: known}}, made_by="",
                  seconds=0, cpu_seconds=0)  # fmt: skip
    stage = PlannedStage("scores", 1, "s", {"decontaminated": "k"}, {})
    making = Making(walk.named("scores"), stage, Recipe(), Execution(workers=1), at, lambda _: None)
    asked: list[str] = []

    def compared(benchmarks: Any, documents: Any, executor: Any) -> Any:
        asked.extend(benchmarks)
        found = [SimpleNamespace(task_id=TASKS[0], rate=0.25, document_id="compared"),
                 SimpleNamespace(task_id=TASKS[1], rate=0.0, document_id="")]  # fmt: skip
        return {name: SimpleNamespace(closest=found) for name in benchmarks}

    monkeypatch.setattr("pipeline.stages.decontaminated.split.splits", compared)
    assert closest([WHOLE], making) == {WHOLE.name: {TASKS[0]: (0.5, "known")}}
    assert asked == []
    for other in (replace(WHOLE, digest="of other data"), WHOLE.limited(2), replace(WHOLE, name="another")):
        assert closest([other], making) == {other.name: {TASKS[0]: (0.25, "compared")}}
    assert asked == [WHOLE.name, WHOLE.name, "another"]
