"""How an artifact is made, whatever the stage: what is read, told, spread over workers, and written down."""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pipeline.core.facts import Facts
from pipeline.core.plan import PlannedStage
from pipeline.core.records import Passage
from pipeline.core.stage import Dropped, Kept, Tally
from pipeline.execution import Execution
from pipeline.recipe import Recipe
from pipeline.stages.making import Making, TextStep
from pipeline.stages.validated.facts import ValidatedFacts
from pipeline.store.places import places
from pipeline.store.store import Writer

ONE, OTHER = [Passage(text=f"one {n}") for n in range(3)], [Passage(text="other")]


class Elsewhere:
    """An executor that remembers how many blocks it was given."""

    parallel, far, cpu_seconds = True, False, 0.0

    def __init__(self) -> None:
        self.blocks = 0

    def map(self, work: Callable[[Any], Any], blocks: Iterable[Any]) -> Iterator[Any]:
        for block in blocks:
            self.blocks += 1
            yield work(block)


class Odd:
    """Drops every other record."""

    name: ClassVar[str] = "odd"
    reasons: ClassVar[Mapping[str, str]] = {"odd": "it is odd"}

    def __call__(self, records: Iterable[Passage]) -> Iterator[Kept[Passage] | Dropped]:
        for number, record in enumerate(records):
            yield Dropped(record, "odd", "1 % 2 = 1") if number % 2 else Kept(record)


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def making(tmp_path: Path, told: list[Any]) -> Making:
    """A stage of two inputs, `one` and `other`, that has neither artifact nor work in progress yet."""
    at = places(str(tmp_path / "data"))
    for name, records in (("one", ONE), ("other", OTHER)):
        writer = Writer(at.store, name, name, [Passage])
        for record in records:
            writer.write(Kept(record))
        writer.finish(Tally(len(records), len(records)), version=1, inputs={}, settings={}, facts={}, made_by="",
                      seconds=0, cpu_seconds=0)  # fmt: skip
    step = TextStep(name="odd", version=3, caption="",
                    make=lambda making: making.finish(making.writer(), Tally(), Facts()),
                    settings=lambda recipe: {}, kept=(Passage,), dropped=(Passage,))  # fmt: skip
    stage = PlannedStage("odd", 3, "k", {"one": "one", "other": "other"}, {"generation": "then"})
    return Making(step, stage, Recipe(), Execution(workers=1), at, told.append, executor=Elsewhere(), run="mine")


def test_all_inputs_are_read_one_after_the_other_or_those_named_that_there_are(making: Making) -> None:
    assert list(making.read()) == [*ONE, *OTHER]
    assert list(making.read("other", "absent", "one")) == [*OTHER, *ONE]
    assert list(making.read("absent")) == []


def test_what_inputs_hold_is_counted_as_it_is_read(making: Making) -> None:
    for names in ((), ("one",), ("other",), ("one", "absent"), ("absent",)):
        assert making.count(*names) == len(list(making.read(*names)))


def test_every_event_names_its_stage(making: Making, told: list[Any]) -> None:
    making.tell({"event": "x", "stage": "another"})
    making.note("a word")
    making.loading("a model")
    assert told == [
        {"event": "x", "stage": "odd"},
        {"event": "note", "text": "a word", "stage": "odd"},
        {"event": "loading", "what": "a model", "stage": "odd"},
    ]


def test_work_in_progress_is_gone_on_with_unless_the_stage_begins_anew(making: Making) -> None:
    (making.partial() / "journal").write_text("paid for")
    assert (making.partial() / "journal").read_text() == "paid for"
    assert list(making.scratch().iterdir()) == []
    assert making.scratch() == making.partial()


def test_a_conversation_says_of_which_generation_its_answers_are(making: Making) -> None:
    from dataclasses import replace

    assert (making.conversation() / "generation").read_text() == making.generation == "then"
    shutil.rmtree(making.partial())
    plain = replace(making, stage=replace(making.stage, settings={}))
    assert list(plain.conversation().iterdir()) == []


def test_the_manifest_says_what_was_made_of_what_by_whom(making: Making) -> None:
    manifest = making.through(Odd(), facts=lambda: ValidatedFacts({"mode": "strong"}))
    assert (manifest.version, manifest.run, manifest.facts) == (3, "mine", {"sandbox": {"mode": "strong"}})
    assert (manifest.inputs, manifest.settings) == ({"one": "one", "other": "other"}, {"generation": "then"})
    assert manifest.made_by.startswith("hornbook ")
    assert (manifest.entered, manifest.kept, manifest.dropped) == (4, 2, {"odd": 2})


@pytest.mark.parametrize(("alone", "blocks"), [(False, 0), (True, 1)])
def test_only_what_looks_at_one_record_at_a_time_goes_to_other_workers(
    making: Making, alone: bool, blocks: int
) -> None:
    manifest = making.through(Odd(), ONE, alone=alone)
    assert (manifest.entered, manifest.kept) == (3, 2)
    assert isinstance(making.executor, Elsewhere)
    assert making.executor.blocks == blocks


def test_progress_is_told_after_every_256_outcomes_of_all_that_come_in(making: Making, told: list[Any]) -> None:
    tally = Tally(kept=7)
    making.write((Kept(ONE[number % 3]) for number in range(600)), tally, read=("one",))
    assert told == [
        {"event": "records", "done": done, "total": 3, "kept": 7, "stage": "odd"} for done in (256, 512)
    ]  # fmt: skip


def test_progress_is_told_of_the_records_given_where_they_are_no_input(making: Making, told: list[Any]) -> None:
    making.through(Odd(), [Passage(text=str(number)) for number in range(300)])
    assert told == [{"event": "records", "done": 256, "total": 300, "kept": 128, "stage": "odd"}]


def test_files_asked_for_at_the_end_go_with_the_records(making: Making, tmp_path: Path) -> None:
    def files() -> Iterator[Path]:
        (tmp_path / "journal.jsonl").write_text("paid\n")
        yield tmp_path / "journal.jsonl"

    manifest = making.write([Kept(ONE[0])], Tally(1, 1), files=files)
    assert manifest.files.keys() == {"part-00000.parquet", "journal.jsonl", "README.md"}


@pytest.mark.parametrize(
    ("keep", "files"), [((), {"model/weights", "scratch"}), (("model",), {"model/weights"})]
)  # fmt: skip
def test_an_artifact_of_files_has_those_of_its_work_that_it_keeps_and_the_work_goes(
    making: Making, keep: tuple[str, ...], files: set[str]
) -> None:
    work = making.partial()
    (work / "model").mkdir()
    (work / "model" / "weights").write_text("w")
    (work / "scratch").write_text("s")
    manifest = making.folder(work, 4, Facts(), keep=keep)
    assert manifest.files.keys() == files
    assert (manifest.entered, manifest.kept) == (4, 4)
    assert not work.exists()
    assert all((making.places.store.local("odd", "k", Path("unused")) / name).is_file() for name in files)


def test_answers_of_earlier_runs_are_told_of_where_a_model_gave_them(making: Making, told: list[Any]) -> None:
    facts = [{"kind": kind, "earlier": number} for number, kind in enumerate(["composer", "replay", "openai", "local"])]
    making.tell_of_earlier(facts[:2], 9)
    assert told == []
    making.tell_of_earlier([{"kind": "openai", "earlier": 0}], 9)
    assert told == []
    making.tell_of_earlier(facts, 9)
    assert told[0]["text"] == "odd: 5 of 9 answers are reused from earlier runs; --fresh odd asks for them again"
