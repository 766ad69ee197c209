"""The walk over images as a user has it: plan, run, again, report, embed."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image as Pillow
from shapes_held import hold

from pipeline import walks
from pipeline.cli.main import main
from pipeline.core.errors import RecipeError
from pipeline.recipe_text import load

SMALL = """
walk = "images"
name = "small"
[images]
kind = "digits"
size = 8
limit = 150
test_limit = 50
[augmentation]
local_size = 4
local_crops = 1
[backbone]
width = 16
depth = 1
heads = 2
patch = 4
[objective]
prototypes = 16
hidden = 16
bottleneck = 8
[training]
steps = 3
batch = 8
[distillation]
teacher = "self-distilled"
student = { width = 8, depth = 1, heads = 2, patch = 4 }
training = { steps = 3, batch = 8 }
[probes]
linear_images = 60
[execution]
threads = 1
workers = 1
"""


def called(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return int(ended.value.code or 0), capsys.readouterr().out


@pytest.mark.parametrize("mode", ["features", "losses"])
def test_a_recipe_over_images_is_planned_run_found_again_and_reported(
    mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "small.toml"
    recipe.write_text(SMALL)
    given = [str(recipe), f"distillation.mode={mode}", "--data", str(tmp_path / "data"), "--json"]
    code, out = called(capsys, "plan", *given)
    hold("plan", json.loads(out))
    stages = [one["name"] for one in json.loads(out)["stages"]]
    cached = ["teacher-features"] if mode == "features" else []
    assert stages == ["images", "unique-images", "self-distilled", "labelled", *cached, "distilled", "probes"]
    code, out = called(capsys, "run", *given, "--name", "small")
    report = json.loads(out)
    hold("run", report)
    assert code == 0
    assert {line["features"] for line in report["board"]} == {
        "distilled", "teacher", "labelled", "untrained", "pixels", "pca"
    }  # fmt: skip
    assert all(0 <= line["interval"][0] <= line["accuracy"] <= line["interval"][1] <= 1 for line in report["board"])
    assert all(line["in"] == line["kept"] + sum(line["dropped"].values()) for line in report["funnel"])
    assert [(one["benchmark"], one["model"]) for one in report["scores"]][:2] == [
        ("k-nn", "distilled"),
        ("linear-probe", "distilled"),
    ]
    for line, score in zip(report["board"], report["scores"], strict=True):
        assert (score["images"], score["accuracy"], score["interval"]) == (50, line["accuracy"], line["interval"])
        assert (score["problems"], score["pass@1"]) == (score["images"], score["accuracy"])
    page = (tmp_path / "data/runs/small/report.html").read_text()
    assert (Path(report["model"]) / "config.json").is_file()
    assert report["model"] in page
    assert "hornbook embed small IMAGES --to features.parquet" in page
    assert page.count("data:image/png;base64,") == 2
    code, out = called(capsys, "run", *given, "--name", "small")
    assert [line["state"] for line in json.loads(out)["funnel"]] == ["made"] * len(stages)
    _embed(tmp_path, capsys)


def _embed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(3):
        Pillow.fromarray(np.full((9, 7), 40 * number, np.uint8)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    to = tmp_path / "features.parquet"
    data = str(tmp_path / "data")
    code, out = called(capsys, "embed", "small", str(folder), "--to", str(to), "--data", data, "--json")
    said = json.loads(out)
    hold("embed", said)
    assert (code, said["in"], said["kept"], [one["source"] for one in said["dropped"]]) == (0, 4, 3, ["broken.png"])
    rows = pq.read_table(to)
    assert rows.column_names == ["id", "source", "label", "class_token", "pooled"]
    assert len(set(rows["id"].to_pylist())) == 3
    assert {len(row) for row in rows["class_token"].to_pylist()} == {8}
    code, out = called(capsys, "show", "small", "probes", "-n", "1", "--data", data, "--json")
    assert json.loads(out)["records"]


def test_what_is_wrong_with_a_recipe_over_images_is_told_at_once(tmp_path: Path) -> None:
    recipe = tmp_path / "wrong.toml"
    recipe.write_text(SMALL.replace("size = 8", "size = 9") + "\n[seeds]\nexercises = 3\n")
    with pytest.raises(RecipeError, match="seeds: unknown key"):
        load(str(recipe))
    recipe.write_text(SMALL.replace("patch = 4\n[objective]", "patch = 3\n[objective]"))
    with pytest.raises(RecipeError) as told:
        load(str(recipe))
    assert "backbone.patch = 3 does not divide images.size = 8" in str(told.value)
    assert "distillation.student.patch = 4, but the teacher's backbone.patch is 3" in str(told.value)
    recipe.write_text('walk = "pictures"\n')
    with pytest.raises(RecipeError, match="walk = 'pictures': 'text' or 'images' is wanted"):
        load(str(recipe))


def test_a_place_where_nothing_is_is_named_with_what_to_do() -> None:
    recipe: Any = load("dino", ["images.path=/nowhere/at/all"]).recipe
    from pipeline.core.errors import InputError

    with pytest.raises(InputError, match="there is nothing at '/nowhere/at/all'"):
        walks.of(recipe).reads(recipe)


def test_the_two_recipes_share_their_network() -> None:
    reads = {"images": "the same"}
    plans = [walks.of(r).plan(r, reads) for r in (load(name).recipe for name in ("dino", "dino-distil"))]
    assert plans[0]["self-distilled"].key == plans[1]["self-distilled"].key


def test_a_folder_of_which_nothing_can_be_read_is_told_with_the_first_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(b"no picture")
    given = ["images.kind=folder", f"images.path={tmp_path / 'pictures'}", "--data", str(tmp_path / "data"), "--json"]
    code, out = called(capsys, "run", "dino", *given)
    told = json.loads(out)["error"]
    assert (code, told["message"]) == (2, f"none of the images in {tmp_path / 'pictures'} can be read")
    assert told["hint"].startswith("a.png: UnidentifiedImageError: cannot identify")
