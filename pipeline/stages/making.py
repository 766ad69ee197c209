"""How an artifact is made, whatever the stage: inputs are read, outcomes or files written, the manifest is last."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pipeline import __version__
from pipeline.core.events import Event, OnEvent
from pipeline.core.facts import Facts
from pipeline.core.money import Ledger
from pipeline.core.plan import PlannedStage
from pipeline.core.records import Record
from pipeline.core.stage import Dropped, Kept, Stage, Tally, checked
from pipeline.core.step import Step
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.store.manifest import Manifest, cpu_seconds
from pipeline.work.protocol import SERIAL, Executor, spread

if TYPE_CHECKING:
    from pipeline.store.places import Places
    from pipeline.store.store import Writer

RecipeT = TypeVar("RecipeT")


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


@dataclass(frozen=True)  # without slots, as `Step`
class MakingOf(Generic[RecipeT]):
    """The stage that is being made, and what its maker needs.

    step, stage: its declaration, and its key and inputs in this run. log: takes events. clock: since it was begun.
    ledger: the run's spend and caps, one for all stages. executor: where blocks of records are worked on. run: the
    run's name.
    """

    step: "Step[RecipeT, MakingOf[RecipeT], Manifest]"
    stage: PlannedStage
    recipe: RecipeT
    execution: Execution
    places: "Places"
    log: OnEvent
    clock: Clock = field(default_factory=Clock)
    ledger: Ledger = field(default_factory=Ledger)
    executor: Executor = SERIAL
    run: str = ""

    def read(self, *names: str) -> Iterator[Any]:
        """Kept records of the inputs named, or of all, that the recipe has, one input after the other."""
        for name in names or self.stage.inputs:
            if name in self.stage.inputs:
                yield from self.places.store.kept(name, self.stage.inputs[name])

    def count(self, *names: str) -> int:
        """Records that the stage's inputs hold, or those of its inputs named."""
        inputs = {name: key for name, key in self.stage.inputs.items() if not names or name in names}
        manifests = (self.places.store.manifest(name, key) for name, key in inputs.items())
        return sum(manifest.kept for manifest in manifests if manifest is not None)

    def tell(self, event: Event) -> None:
        """Log an event as one of this stage."""
        self.log({**event, "stage": self.stage.name})

    def note(self, text: str) -> None:
        """Say something for a person."""
        self.tell({"event": "note", "text": text})

    def loading(self, what: str) -> None:
        """Say what is being loaded; it may be half a minute until the next event."""
        self.tell({"event": "loading", "what": what})

    @property
    def generation(self) -> str:
        """When a run was told to make the stage again, "" where none was."""
        return str(self.stage.settings.get("generation", ""))

    def partial(self) -> Path:
        """The folder of work in progress, with what a crash left there."""
        return self.places.store.partial(self.stage.name, self.stage.key, self.places.models)

    def scratch(self) -> Path:
        """An empty folder for work in progress, for a stage that does not go on from what a crash left."""
        folder = self.partial()
        shutil.rmtree(folder)
        folder.mkdir()
        return folder

    def conversation(self) -> Path:
        """The work folder of a stage that asks teachers; it says of which generation the answers in it are."""
        folder = self.partial()
        if self.generation:
            (folder / "generation").write_text(self.generation, encoding="utf-8")
        return folder

    def local(self, name: str) -> Path:
        """The folder of an input that is files, on this machine's disk."""
        return self.places.store.local(name, self.stage.inputs[name], self.places.models)

    def writer(self) -> "Writer":
        """For the stage's records or files."""
        from pipeline.store.store import Writer

        step, stage = self.step, self.stage
        return Writer(self.places.store, stage.name, stage.key, step.kept, step.dropped)

    def finish(self, writer: "Writer", tally: Tally, facts: Facts) -> Manifest:
        """Write the manifest, which completes the artifact. facts: what it says beside the counts."""
        return writer.finish(
            tally,
            seconds=self.clock.seconds(),
            cpu_seconds=self.clock.cpu_seconds() + self.executor.cpu_seconds - self.clock.elsewhere,
            version=self.stage.version,
            inputs=self.stage.inputs,
            settings=self.stage.settings,
            facts=facts.to_json(),
            made_by=f"hornbook {__version__}",
            run=self.run,
        )

    def write(
        self,
        outcomes: Iterable[Kept[Any] | Dropped],
        tally: Tally,
        facts: Callable[[], Facts] = Facts,
        files: Callable[[], Iterable[Path]] = tuple,
        read: Sequence[str] = (),
        of: Sequence[Record] | None = None,
    ) -> Manifest:
        """Write outcomes as they come, with a progress event now and then, and finish the artifact.

        facts, files: asked for at the end; what the manifest says beside the counts, files and folders that go with
        it. read: inputs whose records the outcomes are of, where that is not all of them; of: the records, where they
        are no input's.
        """
        writer = self.writer()
        total = self.count(*read) if of is None else len(of)
        for number, outcome in enumerate(outcomes, 1):
            writer.write(outcome)
            if number % 256 == 0:
                self.tell({"event": "records", "done": number, "total": total, "kept": tally.kept})
        for path in files():
            writer.add(path)
        return self.finish(writer, tally, facts())

    def through(
        self,
        function: Stage[Any, Any],
        records: Sequence[Record] | None = None,
        *,
        alone: bool = False,
        facts: Callable[[], Facts] = Facts,
    ) -> Manifest:
        """The artifact of a stage that is one function of its inputs' records.

        records: in place of all inputs' records. alone: whether an outcome depends on its record alone, so that blocks
        of records can go to the executor. facts: as in `write`.
        """
        tally = Tally()
        run = partial(_spread, self.executor) if alone else None
        outcomes = checked(function, self.read() if records is None else records, tally, run)
        return self.write(outcomes, tally, facts, of=records)

    def folder(self, folder: Path, documents: int, facts: Facts, keep: Sequence[str] = ()) -> Manifest:
        """Finish an artifact that is files, not records: those of `folder`, or only its entries named in `keep`."""
        writer = self.writer()
        for entry in sorted(folder.iterdir()):
            if not keep or entry.name in keep:
                writer.add(entry)
        manifest = self.finish(writer, Tally(documents, documents), facts)
        shutil.rmtree(folder, ignore_errors=True)
        return manifest

    def tell_of_earlier(self, facts: Sequence[Mapping[str, Any]], asked: int) -> None:
        """Say where answers were not asked for by this run: they may be of a day on which a server was broken."""
        from pipeline.teacher.building import KINDS

        name = self.stage.name
        earlier = sum(fact["earlier"] for fact in facts if KINDS[fact["kind"]].renewable)
        if earlier:
            reused = f"{earlier:,} of {asked:,} answers are reused from earlier runs"
            self.note(f"{name}: {reused}; --fresh {name} asks for them again")


Making = MakingOf[Recipe]
"""What the maker of a stage of that walk needs."""

TextStep = Step[Recipe, Making, Manifest]
"""A step of the walk from seeds to a scored student."""


def _spread(executor: Executor, stage: Stage[Any, Any], records: Iterable[Any]) -> Iterator[Any]:
    return spread(stage, records, executor)
