"""Where images come from: each is read or dropped with a reason."""

import gzip
import io
import os
import struct
import tempfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, ImageOps
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


@pytest.mark.parametrize("form", ["jpeg", "png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(10))
def test_a_picture_is_turned_as_its_camera_says(form: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    shades = np.arange(12 * 8, dtype=np.uint8).reshape(8, 12) * 2
    file = io.BytesIO()
    Pillow.fromarray(shades).convert("RGB").save(file, form, exif=exif)
    upright = ImageOps.exif_transpose(Pillow.open(file))
    wanted = fitted(Pillow.fromarray(np.asarray(upright)), 8, 3)
    assert np.array_equal(fitted(Pillow.open(file), 8, 3), wanted)


def test_broken_words_of_a_camera_drop_a_picture_only_where_they_hide_which_side_is_up(tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "maker"
    file = io.BytesIO()
    Pillow.new("RGB", (12, 8), (200, 30, 30)).save(file, "webp", exif=exif)
    header = file.getvalue().replace(b"MM\0*", b"XX\0*")
    with pytest.raises(
        ValueError, match=r"its EXIF cannot be read \(SyntaxError: .*\), so which side is up is not known"
    ):
        fitted(Pillow.open(io.BytesIO(header)), 8, 3)
    file = io.BytesIO()
    Pillow.new("RGB", (12, 8), (200, 30, 30)).save(file, "jpeg", exif=exif)
    whole = file.getvalue()
    make = struct.pack(">HHI", ExifTags.Base.Make, 2, 6)
    maker = whole.replace(make, struct.pack(">HHI", ExifTags.Base.Make, 2, 2**31))
    assert maker != whole
    (tmp_path / "d.jpg").write_bytes(maker)
    (tmp_path / "a.webp").write_bytes(header)
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.jpg").write_bytes(whole)
    found: dict[str, Any] = {}
    for one in images(ImagesTable(kind="folder", path=str(tmp_path), size=8, channels=3)):
        outcome: Any = one.outcome
        found[Path(outcome.record.source).name] = outcome
    assert {name for name, one in found.items() if isinstance(one, Dropped)} == {"a.webp", "b.jpg"}
    assert len(found) == 4
    assert "runcated" in found["b.jpg"].detail


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


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_transparent_is_white(channels: int) -> None:
    """Tried: a black drawing on nothing came out all black."""
    drawing = Pillow.new("RGBA", (4, 4), (0, 0, 0, 0))
    drawing.putpixel((1, 2), (0, 0, 0, 255))
    palette = Pillow.frombytes("P", (4, 4), bytes(6 * [0] + [1] + 9 * [0]))
    palette.putpalette([0, 0, 0, 0, 0, 0])
    palette.info["transparency"] = 0
    for image in (drawing, drawing.convert("LA"), palette):
        pixels = fitted(image, 4, channels)
        assert sorted(pixels[0].ravel().tolist()) == [0] + 15 * [255], image.mode


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


NO_ARRAYS = np.zeros((4, 5, 5), np.uint8)


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x_train": np.zeros((4, 25), np.uint8)}, r"the images for train have the shape \(4, 25\)"),
        ({"x_train": np.zeros((4, 3, 5, 5), np.uint8)}, r"the images for train have the shape \(4, 3, 5, 5\)"),
        ({"x_train": np.uint8(3)}, r"the images for train have the shape \(\)"),
        ({"x_train": NO_ARRAYS[:, :0]}, r"the images for train have the shape \(4, 0, 5\)"),
        ({"x_train": NO_ARRAYS, "y_train": [1, 2, 3]}, r"there are 4 images for train, .* the shape \(3,\)"),
        ({"x_train": NO_ARRAYS, "y_train": [1] * 9}, r"there are 4 images for train, .* the shape \(9,\)"),
        ({"x_train": NO_ARRAYS, "y_train": np.eye(4)}, r"there are 4 images for train, .* the shape \(4, 4\)"),
        ({"x_train": NO_ARRAYS, "y_train": np.array([{}] * 4)}, "Object arrays cannot be loaded"),
    ],
)
def test_arrays_of_no_images_or_without_a_label_each_are_told(tmp_path: Path, arrays: Any, told: str) -> None:
    np.savez(tmp_path / "some.npz", **arrays)
    with pytest.raises(InputError, match=told):
        list(images(ImagesTable(kind="npz", path=str(tmp_path / "some.npz"), size=5)))


def packed_arrays() -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, x_train=np.random.default_rng(0).integers(0, 255, (9, 5, 5), dtype=np.uint8))
    return file.getvalue()


def packed_idx() -> bytes:
    head = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (9, 5, 5))
    return gzip.compress(head + np.random.default_rng(0).bytes(225), mtime=0)


def picture(form: str) -> bytes:
    file = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (9, 9, 3), dtype=np.uint8)).save(file, form)
    return file.getvalue()


CHANGES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=5)


@given(CHANGES, st.floats(0, 1), st.sampled_from(["npz", "idx", "PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "PPM"]))
def test_broken_bytes_are_an_error_or_a_dropped_image(changes: Any, share: float, form: str) -> None:
    data = bytearray({"npz": packed_arrays, "idx": packed_idx}.get(form, lambda: picture(form))())
    for place, value in changes:
        data[int(place * len(data))] = value
    data = data[: max(1, round(share * len(data)))] if share < 0.3 else data
    name = {"npz": "a.npz", "idx": "train-images-idx3-ubyte.gz"}.get(form, f"a.{form.lower()}"[:5])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(data)
        kind: Any = form if form in ("npz", "idx") else "folder"
        path = f"{folder}/{name}" if form == "npz" else folder
        try:
            list(images(ImagesTable(kind=kind, path=path, size=8)))
        except InputError as error:
            assert folder in str(error) or "have the shape" in str(error)  # noqa: PT017


@pytest.mark.parametrize("side", [9_747, 20_000, 2**31 - 1])
@pytest.mark.filterwarnings("error")
def test_a_picture_that_says_it_is_huge_is_dropped_without_being_unpacked(tmp_path: Path, side: int) -> None:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b""))
    found: list[Any] = list(images(ImagesTable(kind="folder", path=str(tmp_path), size=8)))
    assert [one.outcome.reason for one in found] == ["broken-image"]


def test_names_that_are_not_utf_8_are_written_so_that_they_can_be_stored(tmp_path: Path) -> None:
    for name in (b"caf\xe9", b"caf\xe8"):
        path = tmp_path / os.fsdecode(name) / os.fsdecode(b"\xff.png")
        path.parent.mkdir()
        path.write_bytes(picture("PNG"))
    found: list[Any] = [one.outcome.record for one in images(ImagesTable(kind="folder", path=str(tmp_path), size=8))]
    assert sorted((one.label, one.source) for one in found) == [
        (r"caf\udce8", r"caf\udce8/\udcff.png"),
        (r"caf\udce9", r"caf\udce9/\udcff.png"),
    ]


def test_a_limit_draws_the_same_images_each_time() -> None:
    table = ImagesTable(kind="digits", size=8, limit=30, test_limit=10)
    first: list[Any] = [one.outcome.record for one in images(table)]
    assert first == [one.outcome.record for one in images(table)]
    assert sorted(one.split for one in first) == ["test"] * 10 + ["train"] * 30
    assert first != [one.outcome.record for one in images(table.model_copy(update={"seed": 5}))]
