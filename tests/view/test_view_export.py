"""An exported folder has the page and every record, and takes no other folder's place."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from example_run import Example

from pipeline.core.errors import UsageError
from pipeline.store.places import Places
from pipeline.view.export import export
from pipeline.view.pages import Viewer
from pipeline.view.server import page_files


def unpacked(path: Path) -> Any:
    return json.loads(gzip.decompress(path.read_bytes()))


@pytest.fixture(scope="module")
def folder(where: Places, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("exported") / "site"
    export(where, [], to, lambda text: None)
    return to


def test_the_page_is_the_same_but_for_where_its_answers_are_from(folder: Path) -> None:
    for name, content in page_files().items():
        written = (folder / name).read_bytes()
        assert written == content if name != "index.html" else b" data-exported>" in written
    assert b"Content-Security-Policy" in (folder / "index.html").read_bytes()


def test_every_record_is_in_a_part_and_in_the_index(folder: Path, example: Example) -> None:
    base = folder / "data/example"
    sizes = json.loads((base / "documents/kept/list.json").read_text())["parts"]
    rows = [row for part in range(len(sizes)) for row in unpacked(base / f"documents/kept/{part}.gz")]
    assert [row["id"] for row in rows] == [document.id for document in example.documents]
    names = [stage["name"] for stage in json.loads((base / "run.json").read_text())["status"]["stages"]]
    for document in example.documents:
        places, _ = unpacked(base / f"ids/{document.id[:2]}.gz")[document.id]
        for stage, kind, part, row in places:
            assert unpacked(base / names[stage] / kind / f"{part}.gz")[row]["id"] == document.id
    prompt = example.prompts[0]
    (_, children) = unpacked(base / f"ids/{prompt.id[:2]}.gz")[prompt.id]
    assert children == [answer.id for answer in example.completions if answer.prompt_id == prompt.id]


def test_nothing_names_the_data_folder(folder: Path, where: Places) -> None:
    (told,) = (folder / "data").glob("example/run.json")
    assert "places" not in json.loads(told.read_text())


def test_hostile_texts_are_cut_json(folder: Path) -> None:
    parts = list((folder / "data/hostile").rglob("*.gz"))
    assert parts
    for part in parts:
        assert "more characters" in json.dumps(unpacked(part)) or len(gzip.decompress(part.read_bytes())) < 50_000_000


def test_an_earlier_export_is_replaced_and_nothing_else(where: Places, tmp_path: Path) -> None:
    to = tmp_path / "site"
    written = export(where, ["example"], to, lambda text: None)
    assert written.runs == ("example",)
    assert written.bytes == sum(path.stat().st_size for path in to.rglob("*") if path.is_file())
    (to / "stray.txt").write_text("x")
    assert export(where, ["example"], to, lambda text: None) == written
    assert not (to / "stray.txt").exists()
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("x")
    with pytest.raises(UsageError, match="is no folder of an earlier export"):
        export(where, ["example"], mine, lambda text: None)
    assert (mine / "thesis.tex").read_text() == "x"


def test_a_run_that_cannot_be_read_hides_no_other(example: Example, tmp_path: Path) -> None:
    shutil.copytree(example.folder, tmp_path / "runs" / "example")
    shutil.copytree(example.folder, tmp_path / "runs" / "a b'c")
    (tmp_path / "runs" / "broken").mkdir()
    (tmp_path / "runs" / "broken" / "run.json").write_text("{")
    where, told = Places(tmp_path, example.store), []
    assert {one["name"] for one in Viewer(where).runs()} == {"example", "a b'c", "broken"}
    assert export(where, [], tmp_path / "site", told.append).runs == ("example",)
    left = sorted(one for one in told if one.startswith("left out: "))
    assert len(left) == 2
    assert "has ' ' in it" in left[0] or "has ' ' in it" in left[1]
    assert [one["name"] for one in json.loads((tmp_path / "site" / "data" / "runs.json").read_text())] == ["example"]
