"""Where images come from: each is read or dropped with a reason."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from pipeline.core.errors import InputError
from pipeline.core.stage import Dropped
from pipeline.recipe_images import ImagesTable
from pipeline.vision.reading import fitted, idx, images


def pictures(folder: Path) -> Path:
    for name, size in (("train/cat/a.png", (20, 10)), ("train/dog/b.png", (9, 9)), ("test/cat/c.jpg", (8, 12))):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Pillow.new("RGB", size, (200, 30, 30)).save(path)
    (folder / "train/dog/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n no picture")
    (folder / "train/dog/nowhere.png").symlink_to("gone.png")
    (folder / "train/notes.txt").write_text("not looked at")
    return folder


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_of_16_bits_keep_their_shades(mode: str, channels: int) -> None:
    """Tried: a 16-bit PNG came out white."""
    shades = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    values = {"I;16": shades, "I;16B": shades.astype(">u2"), "I": shades.astype(np.int32)}[mode]
    image = Pillow.frombytes(mode, (16, 16), values.tobytes())
    assert np.array_equal(fitted(image, 16, channels)[0].ravel(), np.arange(256))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.full((4, 4), 0.5, dtype=np.float32), "pixels are fractions, wanted whole numbers of 8 or 16 bits"),
        (np.full((4, 4), 70_000, dtype=np.int32), "pixels go from 70000 to 70000, wanted 0 to 65535"),
        (np.full((4, 4), -1, dtype=np.int32), "pixels go from -1 to -1, wanted 0 to 65535"),
    ],
)
def test_pixels_without_a_known_white_are_refused(values: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        fitted(Pillow.fromarray(values), 4, 1)


def test_a_folder_gives_labels_splits_and_drops_what_is_broken(tmp_path: Path) -> None:
    found: list[Any] = list(images(ImagesTable(kind="folder", path=str(pictures(tmp_path)), size=8, channels=3)))
    kept = [one.outcome.record for one in found if not isinstance(one.outcome, Dropped)]
    dropped: list[Any] = [one.outcome for one in found if isinstance(one.outcome, Dropped)]
    assert [(one.source, one.split, one.label) for one in kept] == [
        ("test/cat/c.jpg", "test", "cat"),
        ("train/cat/a.png", "train", "cat"),
        ("train/dog/b.png", "train", "dog"),
    ]
    assert [one.row for one in kept] == [0, 1, 2]
    names = ["train/dog/broken.png", "train/dog/nowhere.png"]
    assert [(one.record.source, one.reason) for one in dropped] == [(name, "broken-image") for name in names]
    assert dropped[0].detail == "OSError: Truncated File Read"
    assert all(one.pixels is not None and one.pixels.shape == (3, 8, 8) for one in found if one.pixels is not None)


def test_idx_files_are_read_packed_or_not_and_checked(tmp_path: Path) -> None:
    pixels = np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4)
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in pixels.shape)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(head + pixels.tobytes()))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"\0\0\x08\x01" + (2).to_bytes(4, "big") + bytes([7, 3]))
    assert np.array_equal(idx(tmp_path / "train-images-idx3-ubyte.gz"), pixels)
    table = ImagesTable(kind="idx", path=str(tmp_path), size=4, test_share=0.5)
    found: list[Any] = [one.outcome.record for one in images(table)]
    assert [(one.source, one.label) for one in found] == [("train/0", "7"), ("train/1", "3")]
    (tmp_path / "short").write_bytes(head + b"\1")
    with pytest.raises(InputError, match="holds 1 bytes, its head says"):
        idx(tmp_path / "short")


def test_npz_arrays_are_named(tmp_path: Path) -> None:
    path = tmp_path / "some.npz"
    np.savez(path, x_train=np.zeros((3, 5, 5), np.uint8), y_train=[1, 2, 1], x_test=np.ones((2, 5, 5), np.uint8))
    found: list[Any] = [one.outcome.record for one in images(ImagesTable(kind="npz", path=str(path), size=5))]
    assert [(one.split, one.label) for one in found] == [
        ("train", "1"), ("train", "2"), ("train", "1"), ("test", ""), ("test", "")
    ]  # fmt: skip
    np.savez(path, other=np.zeros(3))
    with pytest.raises(InputError, match="has no array x_train; it has other"):
        list(images(ImagesTable(kind="npz", path=str(path))))


def test_a_limit_draws_the_same_images_each_time() -> None:
    table = ImagesTable(kind="digits", size=8, limit=30, test_limit=10)
    first: list[Any] = [one.outcome.record for one in images(table)]
    assert first == [one.outcome.record for one in images(table)]
    assert sorted(one.split for one in first) == ["test"] * 10 + ["train"] * 30
    assert first != [one.outcome.record for one in images(table.model_copy(update={"seed": 5}))]
