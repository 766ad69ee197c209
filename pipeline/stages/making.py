"""How an artifact is made, whatever the stage: inputs are read, outcomes or files written, the manifest is last.

What the stages' makers share (`making_corpus`, `making_student`): the context of a run, and the ways to write.
"""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.core.events import Event
from pipeline.core.money import Ledger
from pipeline.core.plan import Plan, PlannedStage
from pipeline.core.records import Record
from pipeline.core.stage import Dropped, Kept, Stage, Tally, checked
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.store.places import Places
from pipeline.store.store import Manifest, Writer, cpu_seconds
from pipeline.work.local import SERIAL, Executor, spread


@dataclass(frozen=True, slots=True)
class Clock:
    """Time since a stage began, wall and CPU (this process and its finished children), both in seconds.

    elsewhere: CPU seconds that an executor had spent before.
    """

    started: float = field(default_factory=time.monotonic)
    cpu_started: float = field(default_factory=cpu_seconds)
    elsewhere: float = 0.0

    def seconds(self) -> float:
        """Wall seconds."""
        return time.monotonic() - self.started

    def cpu_seconds(self) -> float:
        """CPU seconds."""
        return cpu_seconds() - self.cpu_started


@dataclass(frozen=True, slots=True)
class Making:
    """What every maker needs.

    log: takes events. clock: of the stage being made. ledger: the run's spend and caps, one for all stages. executor:
    where blocks of records are worked on. run: the run's name.
    """

    recipe: Recipe
    execution: Execution
    places: Places
    plan: Plan
    log: Callable[[Event], None]
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger = field(default_factory=Ledger)
    executor: Executor = SERIAL
    run: str = ""

    def read(self, stage: PlannedStage, *names: str) -> Iterator[Record]:
        """Kept records of the named inputs that the recipe has, one after the other."""
        for name in names:
            if name in stage.inputs:
                yield from self.places.store.kept(name, stage.inputs[name])

    def loading(self, stage: PlannedStage, what: str) -> None:
        """Say what is being loaded; it may be half a minute until the next event."""
        self.log({"event": "loading", "stage": stage.name, "what": what})

    def count(self, stage: PlannedStage, *names: str) -> int:
        """Records that the stage's inputs hold, or those of its inputs named."""
        inputs = {name: key for name, key in stage.inputs.items() if not names or name in names}
        manifests = (self.places.store.manifest(name, key) for name, key in inputs.items())
        return sum(manifest.kept for manifest in manifests if manifest is not None)


def write_records(
    stage: PlannedStage,
    making: Making,
    outcomes: Iterable[Kept[Any] | Dropped],
    tally: Tally,
    kept_types: Sequence[type[Record]],
    dropped_types: Sequence[type[Record]] = (),
    facts: Callable[[], Mapping[str, Any]] = dict,
    files: Callable[[], Iterable[Path]] = tuple,
    read: Sequence[str] = (),
) -> Manifest:
    """Write outcomes as they come, with a progress event now and then, and finish the artifact.

    facts, files: asked for at the end; what the manifest says beside the counts, files and folders that go with it.
    read: inputs whose records the outcomes are of, where that is not all of them.
    """
    writer = Writer(making.places.store, stage.name, stage.key, kept_types, dropped_types)
    total = making.count(stage, *read)
    for number, outcome in enumerate(outcomes, 1):
        writer.write(outcome)
        if number % 256 == 0:
            making.log({"event": "records", "stage": stage.name, "done": number, "total": total, "kept": tally.kept})
    for path in files():
        writer.add(path)
    return finish(writer, stage, making, tally, facts())


def finish(writer: Writer, stage: PlannedStage, making: Making, tally: Tally, facts: Mapping[str, Any]) -> Manifest:
    return writer.finish(
        tally,
        seconds=making.clock.seconds(),
        cpu_seconds=making.clock.cpu_seconds() + making.executor.cpu_seconds - making.clock.elsewhere,
        version=stage.version,
        inputs=stage.inputs,
        settings=stage.settings,
        facts=facts,
        made_by=f"hornbook {__version__}",
        run=making.run,
    )


def record_stage(
    stage: PlannedStage,
    making: Making,
    function: Stage[Any, Any],
    records: Iterable[Record],
    kept_types: Sequence[type[Record]],
    dropped_types: Sequence[type[Record]],
    *,
    alone: bool = False,
    facts: Callable[[], Mapping[str, Any]] = dict,
) -> Manifest:
    """alone: whether an outcome depends on its record alone, so that blocks of records can go to the executor.

    facts: as in `write_records`.
    """
    tally = Tally()
    outcomes = checked(function, records, tally, partial(_spread, making.executor) if alone else None)
    return write_records(stage, making, outcomes, tally, kept_types, dropped_types, facts)


def _spread(executor: Executor, stage: Stage[Any, Any], records: Iterable[Any]) -> Iterator[Any]:
    return spread(stage, records, executor)


def made(records: Iterable[Record], tally: Tally) -> Iterator[Kept[Any]]:
    """Records that a stage makes out of nothing: each counts as one in and one kept."""
    for record in records:
        tally.entered += 1
        tally.kept += 1
        yield Kept(record)


def generation(stage: PlannedStage) -> str:
    """When a run was told to make the stage again, "" where none was."""
    return str(stage.settings.get("generation", ""))


def conversation_folder(stage: PlannedStage, making: Making) -> Path:
    """The work folder of a stage that asks teachers; it says of which generation the answers in it are."""
    partial = making.places.store.partial(stage.name, stage.key, making.places.models)
    if generation(stage):
        (partial / "generation").write_text(generation(stage), encoding="utf-8")
    return partial


def tell_of_earlier(stage: PlannedStage, making: Making, facts: Sequence[Mapping[str, Any]], asked: int) -> None:
    """Say where answers were not asked for by this run: they may be of a day on which a server was broken."""
    earlier = sum(fact["earlier"] for fact in facts if fact["kind"] not in ("replay", "composer"))
    if earlier:
        text = f"{stage.name}: {earlier:,} of {asked:,} answers are reused from earlier runs"
        making.log({"event": "note", "stage": stage.name, "text": f"{text}; --fresh {stage.name} asks for them again"})


def scratch(stage: PlannedStage, making: Making) -> Path:
    """An empty work folder, for a stage that does not go on from what a crash left."""
    partial = making.places.store.partial(stage.name, stage.key, making.places.models)
    shutil.rmtree(partial)
    partial.mkdir()
    return partial


def folder_artifact(
    stage: PlannedStage,
    making: Making,
    folder: Path,
    documents: int,
    facts: Mapping[str, Any],
    keep: Sequence[str] = (),
) -> Manifest:
    """Finish an artifact that is files, not records: those of `folder`, or only its entries named in `keep`."""
    writer = Writer(making.places.store, stage.name, stage.key, ())
    for entry in sorted(folder.iterdir()):
        if keep and entry.name not in keep:
            continue
        writer.add(entry)
    manifest = finish(writer, stage, making, Tally(documents, documents), facts)
    shutil.rmtree(folder, ignore_errors=True)
    return manifest
