"""What is exported is what was kept, by the library that others load it with."""

import json
import os
import signal
import subprocess
import sys

import datasets
import pytest
from example_run import build

from pipeline.core.errors import InputError, StoreBusy, UsageError
from pipeline.core.records import Exercise
from pipeline.export import dataset_card
from pipeline.export.export import Wish, export
from pipeline.recipe_text import load
from pipeline.run.reading import open_run
from pipeline.run.run import run
from pipeline.store import store
from pipeline.store.locks import exclusive
from pipeline.store.places import Places
from pipeline.store.places import places as places_at


@pytest.fixture
def places(example):
    return Places(example.folder.parents[1], example.store)


def exported(example, places, to, **wish):
    return export(example.folder, places, to, Wish(**wish))


def loaded(folder, format="parquet", *name):
    return datasets.load_from_disk(str(folder)) if format == "arrow" else datasets.load_dataset(str(folder), *name)


@pytest.mark.parametrize("format", ["parquet", "jsonl", "arrow"])
def test_it_loads_as_exactly_what_was_kept(example, places, tmp_path, format):
    found = exported(example, places, tmp_path / "out", format=format)
    rows = loaded(tmp_path / "out", format)
    assert set(rows) == {"train", "validation"}
    assert {split: part.num_rows for split, part in rows.items()} == dict(found.splits)
    ids = [identifier for part in rows.values() for identifier in part["id"]]
    assert sorted(ids) == sorted(document.id for document in example.kept)
    by_id = {row["id"]: row for part in rows.values() for row in part}
    for document in example.kept:
        row = by_id[document.id]
        assert row["text"] == document.text
        if isinstance(document, Exercise):
            assert (row["prompt"], row["solution"], row["test"]) == (document.prompt, document.solution, document.test)


@pytest.mark.parametrize("format", ["parquet", "jsonl", "arrow"])
def test_what_was_dropped_is_a_configuration_of_its_own(example, places, tmp_path, format):
    found = exported(example, places, tmp_path / "out", format=format)
    folder = tmp_path / "out" / "dropped" if format == "arrow" else tmp_path / "out"
    rows = loaded(folder, format, "dropped")["train"]
    dropped = example.drops["decontaminated"]
    assert found.dropped == len(dropped) > 0
    assert {(row["id"], row["reason"]) for row in rows} == {(one.record.id, one.reason) for one in dropped}
    assert all(rows["text"])
    assert "reason" not in loaded(tmp_path / "out", format)["train"].column_names


def test_in_however_many_files_a_run_lies_its_rows_are_the_same(example, places, tmp_path, monkeypatch):
    monkeypatch.setattr(store, "ROWS_PER_PART", 7)
    parted = build(tmp_path / "parted", name="shown")
    assert len(list(open_run(parted.folder, parted.store).files("prompts"))) > 5
    exported(example, places, tmp_path / "whole")
    exported(parted, Places(parted.folder.parents[1], parted.store), tmp_path / "of-parts")
    for name in ("kept", "dropped"):
        whole, of_parts = loaded(tmp_path / "whole", "parquet", name), loaded(tmp_path / "of-parts", "parquet", name)
        assert {split: part.to_list() for split, part in whole.items()} == {
            split: part.to_list() for split, part in of_parts.items()
        }


def test_where_a_document_came_from_stands_beside_it(example, places, tmp_path):
    exported(example, places, tmp_path / "out", split="none")
    rows = {row["id"]: row for row in loaded(tmp_path / "out")["train"]}
    completions = {one.id: one for one in example.completions}
    prompts = {one.id: one for one in example.prompts}
    for document in example.kept:
        row = rows[document.id]
        if not document.completion_id:
            assert (row["prompt_id"], row["asked"], row["licence"]) == (None, None, "PSF-2.0")
            continue
        answer = completions[document.completion_id]
        assert (row["model"], row["prompt_id"], row["seed_id"]) == (answer.model, answer.prompt_id, answer.seed.id)
        prompt = prompts[answer.prompt_id]
        assert (row["template"], row["asked"][1]["content"]) == (prompt.template, prompt.messages[1].content)


def test_the_splits_are_those_that_the_student_saw(example, places, tmp_path):
    exported(example, places, tmp_path / "out")
    spans = open_run(example.folder, example.store).rows("tokens", "spans", ["document_id", "held_out"])
    held = {span["document_id"] for span in spans if span["held_out"]}
    assert set(loaded(tmp_path / "out")["validation"]["id"]) == held


def test_a_share_is_drawn_by_id(example, places, tmp_path):
    first = exported(example, places, tmp_path / "a", split="0.5").splits
    assert exported(example, places, tmp_path / "b", split="0.5", format="jsonl").splits == first
    assert 0 < first["validation"] < sum(first.values()) == len(example.kept)
    ids = [set(loaded(tmp_path / name)["validation"]["id"]) for name in "ab"]
    assert ids[0] == ids[1]


def test_the_problems_held_out_are_a_split_of_their_own(tmp_path):
    made = places_at(str(tmp_path / "data"))
    recipe = load("tiny", ['evaluation.benchmarks=["held-out"]', "execution.workers=1", "decontaminated.benchmarks=[]"])
    folder = run(recipe, made, name="small", until="decontaminated").folder
    found = export(folder, made, tmp_path / "out", Wish(split="held-out"))
    opened, rows = open_run(folder, made.store), loaded(tmp_path / "out")
    dropped = opened.rows("held-out", "dropped", ["id", "reason"])
    problems = {row["id"] for row in dropped if row["reason"] == "held-out"}
    kept = {row["id"] for row in opened.rows("decontaminated", columns=["id"])}
    assert problems
    assert {split: set(part["id"]) for split, part in rows.items()} == {"train": kept, "test": problems}
    assert rows["test"].features == rows["train"].features
    assert dict(found.splits) == {"train": len(kept), "test": len(problems)}
    assert "| test (problems held out of the corpus) |" in (tmp_path / "out" / "README.md").read_text()


def test_problems_of_a_run_that_held_none_out_are_told(example, places, tmp_path):
    with pytest.raises(UsageError, match="has held no problems back"):
        exported(example, places, tmp_path / "out", split="held-out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("split", ["1.0", "0", "half", "nan", "-1"])
def test_a_split_that_is_none_is_told(example, places, tmp_path, split):
    with pytest.raises(UsageError, match="--split") as error:
        exported(example, places, tmp_path / "out", split=split)
    assert "student, held-out, none, or a share between 0 and 1" in error.value.hint
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "stage", ["seeds", "prompts", "completions", "documents", "validated", "samples-after", "scores"]
)
def test_any_stage_with_records_has_texts(example, places, tmp_path, stage):
    exported(example, places, tmp_path / "out", stage=stage, only="corpus", split="none")
    rows = loaded(tmp_path / "out")["train"]
    assert set(rows["id"]) == {record.id for record in example.store.kept(stage, example.plan[stage].key)}
    if stage != "scores":
        assert all(rows["text"])


def test_a_stage_without_records_is_told(example, places, tmp_path):
    with pytest.raises(InputError, match="has no records of a stage 'student'") as error:
        exported(example, places, tmp_path / "out", stage="student")
    assert "decontaminated" in error.value.hint


def test_the_model_is_a_folder_of_its_own(example, places, tmp_path):
    found = exported(example, places, tmp_path / "out", only="model")
    assert (found.stage, found.model) == ("", True)
    source = example.store.local("student", example.plan["student"].key, tmp_path) / "model" / "config.json"
    copy = tmp_path / "out" / "model" / "config.json"
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_ino != source.stat().st_ino
    assert not (tmp_path / "out" / "data").exists()


def test_a_second_call_does_nothing_and_another_wish_replaces(example, places, tmp_path):
    first = exported(example, places, tmp_path / "out")
    made = (tmp_path / "out" / "README.md").stat().st_mtime_ns
    again = exported(example, places, tmp_path / "out")
    assert (first.unchanged, again.unchanged) == (False, True)
    assert "already" in again.to_text()
    assert (tmp_path / "out" / "README.md").stat().st_mtime_ns == made
    exported(example, places, tmp_path / "out", format="jsonl")
    assert not list((tmp_path / "out").rglob("*.parquet"))
    (tmp_path / "out" / "data" / "train-00000.jsonl").unlink()
    assert not exported(example, places, tmp_path / "out", format="jsonl").unchanged
    assert [path.name for path in tmp_path.iterdir() if "export" in path.name] == []


def test_what_is_not_its_own_is_never_replaced(example, places, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty and holds no earlier export"):
        exported(example, places, tmp_path / "mine")
    exported(example, places, tmp_path / "out")
    (tmp_path / "out" / "data" / "labels.csv").write_text("mine")
    with pytest.raises(UsageError, match=r"holds data/labels.csv, which no export wrote"):
        exported(example, places, tmp_path / "out", format="jsonl")
    (tmp_path / "out" / "data" / "labels.csv").unlink()
    card = tmp_path / "out" / "README.md"
    card.write_text(card.read_text() + "My own words.\n")
    with pytest.raises(UsageError, match=r"README.md was changed since it was exported"):
        exported(example, places, tmp_path / "out", format="jsonl")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="is a file"):
        exported(example, places, tmp_path / "file")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_what_fails_leaves_what_was_there(example, places, tmp_path, monkeypatch):
    exported(example, places, tmp_path / "out")
    before = sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*"))
    monkeypatch.setattr(dataset_card, "card", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        exported(example, places, tmp_path / "out", format="jsonl")
    assert sorted(path.relative_to(tmp_path) for path in (tmp_path / "out").rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_kill_leaves_nothing_that_a_second_call_does_not_mend(example, places, tmp_path):
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from pipeline.export import export as e; from pipeline.store.places import places\n"
        "e.model_card.card = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "e.export(Path(sys.argv[1]), places(sys.argv[2]), Path(sys.argv[3]), e.Wish())\n"
    )
    data = str(example.folder.parents[1])
    arguments = [sys.executable, "-c", code, str(example.folder), data, str(tmp_path / "out")]
    assert subprocess.run(arguments, check=False, env=os.environ).returncode == -signal.SIGKILL
    assert not (tmp_path / "out").exists()
    exported(example, places, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_two_exports_do_not_write_to_one_folder(example, places, tmp_path):
    with exclusive(tmp_path / ".out.export.lock"), pytest.raises(StoreBusy, match="another export writes to"):
        exported(example, places, tmp_path / "out")


def test_the_record_says_what_was_exported(example, places, tmp_path):
    found = exported(example, places, tmp_path / "out")
    told = json.loads((tmp_path / "out" / "export.json").read_text())
    there = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert told["files"].keys() == there - {"export.json"}
    assert (told["run"], told["stage"], told["key"]) == ("shown", "decontaminated", found.key)
    assert found.to_json()["bytes"] == sum(told["files"].values())


def test_a_student_that_is_not_written_as_gguf_is_told(example, places, tmp_path):
    with pytest.raises(UsageError, match="of the type None is not written as GGUF"):
        exported(example, places, tmp_path / "out", format="gguf")
    with pytest.raises(UsageError, match="--format gguf is of models"):
        exported(example, places, tmp_path / "out", format="gguf", stage="documents")
    assert not (tmp_path / "out").exists()
