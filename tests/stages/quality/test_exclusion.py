"""Labels of `hornbook view` as a list of what a recipe leaves out."""

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline import walk
from pipeline.core.errors import InputError
from pipeline.core.records import Passage
from pipeline.core.stage import Dropped, Kept, Tally, checked
from pipeline.recipe import QualityTable
from pipeline.recipe_text import load
from pipeline.run.reading import open_run
from pipeline.run.run import run
from pipeline.stages.quality.exclusion import excluded, unmet
from pipeline.stages.quality.stage import Quality
from pipeline.store.places import places as places_at
from pipeline.view import labels

TEXT = "def mean(values):\n    return sum(values) / len(values) if values else 0  # of numbers\n"
KEY = 'key = "AKIAIOSFODNN7REALKEY"\n'
A, B = "a" * 24, "b" * 24


def written(folder: Path, *rows: object) -> str:
    path = folder / "labels.jsonl"
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
    return str(path)


def test_ids_labelled_bad_come_with_file_and_note(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        {"id": A, "label": "bad", "note": "its docstring\nis wrong", "stage": "distinct", "time": "x"},
        {"id": B, "label": "bad"},
        {"id": "c" * 24, "label": "good", "note": "fine"},
        {"id": "d" * 24, "label": "", "note": "look again"},
    )
    assert excluded(file) == {
        A: "labelled bad in labels.jsonl: its docstring is wrong",
        B: "labelled bad in labels.jsonl",
    }
    assert excluded("") == {}


def test_the_last_line_of_an_id_counts(tmp_path: Path) -> None:
    bad, good = {"id": A, "label": "bad"}, {"id": A, "label": "good"}
    assert excluded(written(tmp_path, bad, good)) == {}
    assert excluded(written(tmp_path, good, bad)).keys() == {A}


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "line 2: is not JSON"),
        (["x"], "line 2: holds ['x'], wanted a JSON object"),
        ({"id": A, "label": "meh"}, "line 2: label = 'meh'"),
        ({"id": A, "label": 3}, "line 2: 'label' should be text, got 3"),
        ({"id": "add_one", "label": "bad"}, "line 2: 'add_one' is no record's id"),
        ({"label": "bad"}, "line 2: '' is no record's id"),
        ({"id": A, "label": "bad", "note": ["x"]}, "line 2: 'note' should be text, got ['x']"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, row: object, said: str) -> None:
    with pytest.raises(InputError) as error:
        excluded(written(tmp_path, {"id": B, "label": "good"}, row))
    assert f"labels.jsonl {said}" in error.value.message
    assert error.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.jsonl cannot be read"):
        excluded(str(tmp_path / "none.jsonl"))


def test_what_is_left_out_is_dropped_before_all_else_and_by_either_id(tmp_path: Path) -> None:
    plain, secret = Passage(text=TEXT), Passage(text=TEXT + KEY)
    table = QualityTable(secrets="mask")
    (masked,) = Quality(table)([secret])
    assert isinstance(masked, Kept)
    assert masked.record.id != secret.id
    for wanted, gone in (({plain.id}, plain), ({secret.id}, secret), ({masked.record.id}, secret)):
        quality = Quality(table, excluded=dict.fromkeys(wanted, "labelled bad in x"))
        outcomes = list(checked(quality, [plain, secret], Tally()))
        assert [one for one in outcomes if isinstance(one, Dropped)] == [Dropped(gone, "excluded", "labelled bad in x")]
    short = Passage(text="x")
    (one,) = Quality(table, excluded={short.id: "labelled bad in x"})([short])
    assert isinstance(one, Dropped)
    assert one.reason == "excluded"


def test_ids_that_no_document_has_are_told() -> None:
    assert unmet("a/labels.jsonl", 3, 3) == unmet("", 0, 0) == ""
    assert unmet("a/labels.jsonl", 3, 1).startswith(
        "quality.exclude: 2 of 3 ids labelled bad in labels.jsonl are of no"
    )


def test_the_key_has_the_ids_and_neither_path_nor_note(tmp_path: Path) -> None:
    def key(*overrides: str) -> str:
        recipe = load("tiny", overrides).recipe
        return walk.plan(recipe, {"quality": walk.named("quality").reads(recipe)} if overrides else {})["quality"].key

    def left_out(name: str, *rows: object) -> str:
        (tmp_path / name).mkdir()
        path = written(tmp_path / name, *rows)
        renamed = Path(path).rename(tmp_path / name / f"{name}.jsonl")
        return key(f"quality.exclude={renamed}")

    recipe = load("tiny").recipe
    plain = walk.plan(recipe, {})["quality"].key
    assert walk.named("quality").reads(recipe) is None
    bad = [{"id": A, "label": "bad"}, {"id": B, "label": "bad", "note": "no"}]
    both = left_out("both", *bad)
    assert both == left_out("turned", *bad[::-1]) == left_out("noted", bad[0] | {"note": "why"}, bad[1])
    assert len({both, plain, left_out("one", bad[0])}) == 3


def test_a_run_leaves_out_what_was_labelled_and_makes_nothing_before_it_again(tmp_path: Path) -> None:
    places = places_at(str(tmp_path / "data"))

    def quality_of(folder: Path) -> str:
        return next(one.key for one in open_run(folder, places.store).stages if one.name == "quality")

    overrides = ["seeds.exercises=6", "seeds.textbooks=2", "execution.workers=1"]
    first = run(load("tiny", overrides), places, name="first", until="quality")
    kept = sorted(one.id for one in places.store.kept("quality", quality_of(first.folder)))
    for number, record_id in enumerate((kept[0], kept[1], "f" * 24)):
        labels.put(first.folder, record_id, {"label": ("bad", "good", "bad")[number], "note": "dull"})
    told: list[Any] = []
    given = [*overrides, f"quality.exclude={first.folder / labels.FILE}"]
    second = run(load("tiny", given), places, name="second", until="quality", watch=told.append)
    assert second.made == ("quality",)
    key = quality_of(second.folder)
    assert sorted(one.id for one in places.store.kept("quality", key)) == kept[1:]
    manifest = places.store.manifest("quality", key)
    assert manifest is not None
    assert manifest.dropped["excluded"] == 1
    assert any("1 of 2 ids labelled bad in labels.jsonl" in str(event.get("text")) for event in told)
