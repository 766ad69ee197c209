"""The index of kept documents: what a new document is compared with, in memory and on disk.

Memory per kept document is 8 bytes a distinct shingle (about one a word), 16 to 20 bytes a band, and 120 bytes of
fixed columns: for Python functions of 1 kB with 16 bands about 1.1 kB. Dropped documents leave nothing behind.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.dedup import kernels
from pipeline.dedup.features import Features
from pipeline.errors import StoreError
from pipeline.recipe import DistinctTable

Array = npt.NDArray[Any]
FORMAT = 3
_COLUMNS = ("tags", "owners", "digests", "hashes", "bounds", "ids", "forms", "variants")


@dataclass(frozen=True, slots=True)
class Match:
    """A kept document that a query resembles. number: its place in the index; similarity: exact Jaccard in [0, 1]."""

    number: int
    similarity: float


def _grown(array: Array, needed: int) -> Array:
    """`array` with room for `needed` rows: itself, or a copy half as long again."""
    if needed <= len(array):
        return array
    larger = np.empty((max(needed, len(array) + len(array) // 2 + 1024), *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def _zeros(array: Array, rows: int) -> Array:
    """`array` with zeros after it, up to `rows` rows."""
    larger = np.zeros((rows, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def _form(row: Array) -> bytes:
    """The digest of a row, (16,) uint8; zeros stand for no form."""
    return row.tobytes() if row.any() else b""


class Index:
    """Kept documents by exact digest, by outline and by MinHash bands.

    A document is added once, by `add`; nothing is ever taken out. `save` writes the index as .npy files and `load`
    reads them back, after which new batches can be compared with it.
    """

    def __init__(self, table: DistinctTable) -> None:
        self.table = table
        self.size = 0
        self._entries = 0
        self._filled = 0
        self._stamp = 0
        self._heads = np.full(1 << 12, -1, dtype=np.int32)
        self._tags = np.empty(0, dtype=np.uint32)
        self._owners = np.empty(0, dtype=np.int32)
        self._nexts = np.empty(0, dtype=np.int32)
        self._digests = np.empty((0, 2), dtype=np.uint64)
        self._hashes = np.empty(0, dtype=np.uint64)
        self._bounds = np.zeros(1, dtype=np.int64)
        self._ids = np.empty(0, dtype="S24")
        self._seen = np.zeros(0, dtype=np.int32)
        self._forms = np.zeros((0, 16), dtype=np.uint8)
        self._variants = np.zeros((0, 16), dtype=np.uint8)
        self._worked_out = np.zeros((0, 2), dtype=np.bool_)
        self._row = np.zeros(table.bands + 2, dtype=np.uint32)
        self._most = 0
        self._room = 0

    def __len__(self) -> int:
        return self.size

    @property
    def nbytes(self) -> int:
        """Bytes held by the index's arrays."""
        arrays = (self._heads, self._tags, self._owners, self._nexts, self._digests, self._hashes, self._bounds)
        forms = (self._forms, self._variants, self._worked_out)
        return sum(array.nbytes for array in (*arrays, *forms, self._ids, self._seen))

    def id(self, number: int) -> str:
        """Id of kept document `number`."""
        return bytes(self._ids[number]).decode()

    def shingles(self, number: int) -> Array:
        """(shingles,) sorted distinct uint64 of kept document `number`."""
        return self._hashes[self._bounds[number] : self._bounds[number + 1]]

    def exact(self, batch: Features, i: int) -> int | None:
        """Number of the kept document with the same text as document `i` of `batch`, if there is one."""
        digest = batch.digests[i]
        for number in self._owners_of(_exact_key(digest)):
            if self._digests[number, 0] == digest[0] and self._digests[number, 1] == digest[1]:
                return int(number)
        return None

    def same_outline(self, batch: Features, i: int) -> list[int]:
        """Numbers of the kept documents with the lexical outline of document `i`: all its possible clones."""
        key = batch.outlines[i]
        return [int(number) for number in self._owners_of(key)] if key else []

    def near(self, batch: Features, i: int) -> list[Match]:
        """Kept documents whose exact Jaccard similarity to document `i` reaches the table's, most similar first."""
        query = batch.shingles(i)
        if not len(query) or not self.size:
            return []
        self._stamp += 1
        numbers, scores = kernels.matches(
            query,
            batch.bands[i],
            self.table.similarity,
            self._heads,
            self._tags,
            self._owners,
            self._nexts,
            self._hashes,
            self._bounds,
            self._seen,
            self._stamp,
        )
        found = [Match(int(n), float(s)) for n, s in zip(numbers, scores, strict=True)]
        return sorted(found, key=lambda match: (-match.similarity, match.number)) if len(found) > 1 else found

    def form(self, number: int) -> bytes | None:
        """Normal form of kept document `number`, b"" where it has none; None where it was not worked out."""
        return _form(self._forms[number]) if self._worked_out[number, 0] else None

    def set_form(self, number: int, form: bytes) -> None:
        """Remember the normal form of kept document `number`."""
        self._worked_out[number, 0] = True
        self._forms[number] = np.frombuffer(form or bytes(16), dtype=np.uint8)

    def variant(self, number: int) -> bytes | None:
        """Normal form without constants of kept document `number`, as `form`."""
        return _form(self._variants[number]) if self._worked_out[number, 1] else None

    def set_variant(self, number: int, variant: bytes) -> None:
        """Remember the normal form without constants of kept document `number`."""
        self._worked_out[number, 1] = True
        self._variants[number] = np.frombuffer(variant or bytes(16), dtype=np.uint8)

    def add(self, batch: Features, i: int, record_id: str) -> int:
        """Keep document `i` of `batch` under `record_id`; its number."""
        number = self.size
        shingles = batch.shingles(i)
        entries = self._row
        entries[-1] = _exact_key(batch.digests[i])
        if len(shingles):
            entries[:-2] = batch.bands[i]
        entries = entries[0 if len(shingles) else -2 :]
        outline = batch.outlines[i]
        if outline:
            self._row[-2] = outline
        else:
            entries = np.delete(entries, -2)
        filled = self._filled + len(shingles)
        if number >= self._most or self._entries + len(entries) > self._room or filled > len(self._hashes):
            self._make_room(len(entries), len(shingles))
        kernels.insert(entries, number, self._entries, self._heads, self._tags, self._owners, self._nexts)
        self._entries += len(entries)
        self._hashes[self._filled : filled] = shingles
        self._filled = filled
        self._bounds[number + 1] = filled
        self._digests[number] = batch.digests[i]
        self._ids[number] = record_id.encode()
        self.size += 1
        return number

    def _owners_of(self, key: Any) -> Array:
        owners: Array = kernels.owners_of(key, self._heads, self._tags, self._owners, self._nexts)
        return owners

    def _make_room(self, entries: int, shingles: int) -> None:
        """Room for one more document; arrays that must grow do so by half. _most, _room: documents, entries there is
        room for."""
        self._digests = _grown(self._digests, self.size + 1)
        self._ids = _grown(self._ids, self.size + 1)
        self._bounds = _grown(self._bounds, self.size + 2)
        self._hashes = _grown(self._hashes, self._filled + shingles)
        if len(self._seen) < len(self._ids):
            self._seen = _zeros(self._seen, len(self._ids))
            self._forms, self._variants = _zeros(self._forms, len(self._ids)), _zeros(self._variants, len(self._ids))
            self._worked_out = _zeros(self._worked_out, len(self._ids))
        needed = self._entries + entries
        self._tags = _grown(self._tags, needed)
        self._owners = _grown(self._owners, needed)
        self._nexts = _grown(self._nexts, needed)
        if needed > len(self._heads):
            self._heads = np.full(2 * len(self._heads), -1, dtype=np.int32)
            kernels.rechain(self._heads, self._tags, self._nexts, self._entries)
        self._most = min(len(self._ids), len(self._digests), len(self._bounds) - 1, len(self._seen))
        self._room = min(len(self._tags), len(self._owners), len(self._nexts), len(self._heads))

    def save(self, folder: Path) -> None:
        """Write the index into `folder`, which is made; the index there before stays whole until the new one is.

        The columns go into a folder of their own generation, then `index.json`, which names it, is replaced: a crash
        at any moment leaves the old index or the new one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        generation = max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0) + 1
        place = folder / f"{generation:06}"
        place.mkdir()
        known = self._worked_out[: self.size]
        columns: dict[str, Array] = {
            "tags": self._tags[: self._entries],
            "owners": self._owners[: self._entries],
            "digests": self._digests[: self.size],
            "hashes": self._hashes[: self._filled],
            "bounds": self._bounds[: self.size + 1],
            "ids": self._ids[: self.size],
            "forms": self._forms[: self.size] * known[:, :1],
            "variants": self._variants[: self.size] * known[:, 1:],
        }
        for name in _COLUMNS:
            with (place / f"{name}.npy").open("wb") as file:
                np.save(file, columns[name], allow_pickle=False)
                file.flush()
                os.fsync(file.fileno())
        about = {
            "format": FORMAT,
            "documents": self.size,
            "generation": generation,
            "table": self.table.model_dump(mode="json"),
        }
        partial = folder / "index.json.tmp"
        with partial.open("w", encoding="utf-8") as text:
            text.write(json.dumps(about, indent=1, sort_keys=True) + "\n")
            text.flush()
            os.fsync(text.fileno())
        partial.replace(folder / "index.json")
        for path in folder.iterdir():
            if path.name.isdigit() and path != place:
                shutil.rmtree(path)

    @classmethod
    def load(cls, folder: Path, table: DistinctTable) -> "Index":
        """The index in `folder`. Raises StoreError where there is none, or where it was made with other settings."""
        about = described(folder)
        different = sorted(
            key for key, value in table.model_dump(mode="json").items() if about["table"].get(key) != value
        )
        if different:
            key = different[0]
            raise StoreError(
                f"{folder} was made with distinct.{key} = {about['table'].get(key)!r}, not {getattr(table, key)!r}",
                hint="use the settings of the index, or build it again",
            )
        index = cls(table)
        place = folder / f"{about['generation']:06}"
        try:
            read = {name: np.load(place / f"{name}.npy", allow_pickle=False) for name in _COLUMNS}
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(f"{place} is not whole: {error}", hint="delete the index and build it again") from error
        index.size, index._entries, index._filled = about["documents"], len(read["tags"]), len(read["hashes"])
        index._tags, index._owners = read["tags"], read["owners"]
        index._digests, index._hashes, index._bounds, index._ids = (
            read[n] for n in ("digests", "hashes", "bounds", "ids")
        )
        index._nexts = np.empty(index._entries, dtype=np.int32)
        index._seen = np.zeros(index.size, dtype=np.int32)
        index._heads = np.full(1 << max(12, int(index._entries).bit_length()), -1, dtype=np.int32)
        kernels.rechain(index._heads, index._tags, index._nexts, index._entries)
        index._forms, index._variants = read["forms"], read["variants"]
        index._worked_out = np.ones((index.size, 2), dtype=np.bool_)
        return index


def described(folder: Path) -> dict[str, Any]:
    """What index.json says: format, documents, generation, table. Raises StoreError where no index is finished."""
    path = folder / "index.json"
    if not path.is_file():
        raise StoreError(f"{folder} holds no finished index: index.json is missing", hint="build it again")
    about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if about.get("format") != FORMAT:
        raise StoreError(
            f"{folder} has index format {about.get('format')}, this version reads {FORMAT}",
            hint="update hornbook" if about.get("format", 0) > FORMAT else "delete the index and build it again",
        )
    return about


def _exact_key(digest: Array) -> Any:
    """uint32 key of an exact digest; (2,) uint64."""
    return np.uint32(digest[0] & np.uint64(0xFFFFFFFF))
