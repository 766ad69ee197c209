"""The index of kept documents: what a new document is compared with, in memory and on disk.

Memory per kept document is 8 bytes a distinct shingle (about one a word), 16 to 20 bytes a band, and 120 bytes of
fixed columns: for Python functions of 1 kB with 32 bands about 1.6 kB. Dropped documents leave nothing behind.
"""

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from pipeline.core import shingles as kernels
from pipeline.core.errors import HornbookError, StoreError
from pipeline.recipe import DistinctTable
from pipeline.stages.distinct import sieve
from pipeline.stages.distinct.features import Features
from pipeline.store.disk import write_atomically

Array = npt.NDArray[Any]
FORMAT = 3
MOST_ENTRIES = 2**31 - 1
"""Entries that the table can hold, and stamps there can be: both are int32."""
_COLUMNS = ("tags", "owners", "digests", "hashes", "bounds", "ids", "forms", "variants")


@dataclass(frozen=True, slots=True)
class Match:
    """A kept document that a query resembles. number: its place in the index; similarity: exact Jaccard in [0, 1]."""

    number: int
    similarity: float


class Batch:
    """A batch of n documents as the index takes it: their features, their ids, and the verdicts so far."""

    __slots__ = ("arrays", "features", "keys", "verdicts")

    def __init__(self, features: Features, ids: list[str]) -> None:
        self.features = features
        columns = np.array([record_id.encode() for record_id in ids], dtype="S24").view(np.uint64).reshape(-1, 3)
        self.arrays = sieve.Arrays(features.digests, features.hashes, features.bounds, columns)
        self.keys = sieve.Keys(features.bands, features.outlines)
        n = len(ids)
        self.verdicts = sieve.Verdicts(np.empty(n, np.uint8), np.empty(n, np.int32), np.empty(n, np.float64))


def _grow(array: Array, needed: int) -> None:
    """Make room for `needed` rows, and for an eighth more, in place; new rows are zeros.

    The array must own its memory, and no view of it may be in use. Large ones are moved by the operating system page by
    page, without a copy.
    """
    if needed > len(array):
        array.resize((max(needed, len(array) + len(array) // 8 + 1024), *array.shape[1:]), refcheck=False)


class Index:
    """Kept documents by exact digest, by outline and by MinHash bands.

    Documents are added once, by `sift` or `add`; nothing is ever taken out. `save` writes the index as .npy files and
    `load` reads them back, after which new batches can be compared with it.
    """

    def __init__(self, table: DistinctTable) -> None:
        self.table = table
        self.size = 0
        self._entries = 0
        self._stamp = 0
        self._table = sieve.Table(
            heads=np.full(1 << 12, -1, dtype=np.int32),
            links=np.empty((0, 3), dtype=np.int32),
            seen=np.zeros(0, dtype=np.int32),
        )
        self._kept = sieve.Arrays(
            digests=np.empty((0, 2), dtype=np.uint64),
            hashes=np.empty(0, dtype=np.uint64),
            bounds=np.zeros(1, dtype=np.int64),
            ids=np.empty((0, 3), dtype=np.uint64),
        )
        self._forms = np.zeros((0, 2), dtype=np.uint64)
        self._variants = np.zeros((0, 2), dtype=np.uint64)
        self._form_known = np.zeros(0, dtype=np.bool_)
        self._variant_known = np.zeros(0, dtype=np.bool_)

    def __len__(self) -> int:
        return self.size

    @property
    def nbytes(self) -> int:
        """Bytes held by the index's arrays."""
        forms = (self._forms, self._variants, self._form_known, self._variant_known)
        return sum(array.nbytes for array in (*self._table, *self._kept, *forms))

    def id(self, number: int) -> str:
        """Id of kept document `number`."""
        row: Array = self._kept.ids[number]
        return row.tobytes().rstrip(b"\0").decode()

    def shingles(self, number: int) -> Array:
        """(shingles,) sorted distinct uint64 of kept document `number`; gone when the next document is added."""
        found: Array = self._kept.hashes[self._kept.bounds[number] : self._kept.bounds[number + 1]]
        return found

    def sift(self, batch: Batch, asks: Array, first: int) -> int:
        """Judge and keep documents of `batch` from `first` on; the number of the first one left to the caller, or n.

        asks: (n,) uint8, which ones are left to the caller, see `sieve`. Verdicts are written into the batch.
        """
        count = len(asks) - first
        self._make_room(
            count,
            count * (self.table.bands + 2),
            int(batch.arrays.bounds[-1] - batch.arrays.bounds[first]),
        )
        self._room_for_stamps(count + 1)
        stop, self.size, self._entries = sieve.sift(
            batch.arrays,
            batch.keys,
            asks,
            first,
            self.table.similarity,
            self._kept,
            self._table,
            self.size,
            self._entries,
            self._stamp + 1,
            batch.verdicts,
        )
        self._stamp += int(stop) - first + 1
        return int(stop)

    def near(self, batch: Batch, i: int) -> list[Match]:
        """Kept documents whose exact Jaccard similarity to document `i` reaches the table's, most similar first."""
        query = batch.features.shingles(i)
        if not len(query) or not self.size:
            return []
        self._room_for_stamps(1)
        self._stamp += 1
        numbers, scores = kernels.matches(
            query,
            batch.keys.bands[i],
            self.table.similarity,
            self._table.heads,
            self._table.links,
            self._kept.hashes,
            self._kept.bounds,
            self._table.seen,
            self._stamp,
        )
        found = [Match(int(n), float(s)) for n, s in zip(numbers, scores, strict=True)]
        return sorted(found, key=lambda match: (-match.similarity, match.number))

    def has_outline(self, batch: Batch, i: int) -> bool:
        """Whether a kept document has the lexical outline of document `i`, so that they may be clones."""
        key = batch.keys.outlines[i]
        return bool(key) and bool(sieve.shared(key, self._table.heads, self._table.links))

    def same_outline(self, batch: Batch, i: int) -> list[int]:
        """Kept documents with the lexical outline of document `i`, which has one; oldest first."""
        numbers: list[int] = kernels.owners_of(batch.keys.outlines[i], self._table.heads, self._table.links).tolist()
        return numbers

    def form(self, number: int) -> bytes | None:
        """Normal form of kept document `number`, b"" where it has none; None where it was not worked out."""
        return _form(self._forms[number]) if self._form_known[number] else None

    def set_form(self, number: int, form: bytes) -> None:
        """Remember the normal form of kept document `number`."""
        self._form_known[number] = True
        self._forms[number] = np.frombuffer(form or bytes(16), dtype=np.uint64)

    def variant(self, number: int) -> bytes | None:
        """Normal form without constants of kept document `number`, as `form`."""
        return _form(self._variants[number]) if self._variant_known[number] else None

    def set_variant(self, number: int, variant: bytes) -> None:
        """Remember the normal form without constants of kept document `number`."""
        self._variant_known[number] = True
        self._variants[number] = np.frombuffer(variant or bytes(16), dtype=np.uint64)

    def add(self, batch: Batch, i: int) -> int:
        """Keep document `i` of `batch`; its number."""
        number = self.size
        self._make_room(1, self.table.bands + 2, int(batch.arrays.bounds[i + 1] - batch.arrays.bounds[i]))
        heads, links, _ = self._table
        self._entries = sieve.keep(batch.arrays, batch.keys, i, self._kept, heads, links, number, self._entries)
        self.size += 1
        return number

    def _make_room(self, documents: int, entries: int, shingles: int) -> None:
        """Room for so many more; every array that must grow does so in place, so `_table` and `_kept` stay whole.

        Raises HornbookError where the table's entries would be more than it can number.
        """
        if self._entries + entries > MOST_ENTRIES:
            raise HornbookError(
                f"the index of distinct holds {self.size:,} documents with {self._entries:,} entries; {entries:,} more "
                f"would pass its limit of {MOST_ENTRIES:,} ({self.table.bands + 2} a document)",
                hint=f"split the corpus, or set distinct.bands below {self.table.bands}",
            )
        needed = self.size + documents
        if needed > len(self._table.seen):
            rows = (self._kept.digests, self._kept.ids, self._table.seen, self._forms, self._variants)
            for array in (*rows, self._form_known, self._variant_known):
                _grow(array, needed)
            _grow(self._kept.bounds, len(self._table.seen) + 1)
        _grow(self._kept.hashes, int(self._kept.bounds[self.size]) + shingles)
        needed = self._entries + entries
        _grow(self._table.links, needed)
        heads = self._table.heads
        if needed > len(heads):
            heads.resize(1 << (needed - 1).bit_length(), refcheck=False)
            kernels.rechain(heads, self._table.links, self._entries)

    def _room_for_stamps(self, count: int) -> None:
        """Begin again with the stamps before they end."""
        if self._stamp + count > MOST_ENTRIES:
            self._table.seen[:] = 0
            self._stamp = 0

    def save(self, folder: Path) -> None:
        """Write the index into `folder`, which is made; the index there before stays whole until the new one is.

        The columns go into a folder of their own generation, then `index.json`, which names it, is replaced: a crash
        at any moment leaves the old index or the new one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        generation = max((int(path.name) for path in folder.iterdir() if path.name.isdigit()), default=0) + 1
        place = folder / f"{generation:06}"
        place.mkdir()
        kept, links, size = self._kept, self._table.links[: self._entries], self.size
        columns: dict[str, Array] = {
            "tags": links[:, 0].astype(np.uint32),
            "owners": links[:, 1],
            "digests": kept.digests[:size],
            "hashes": kept.hashes[: kept.bounds[size]],
            "bounds": kept.bounds[: size + 1],
            "ids": kept.ids[:size].view("S24").reshape(-1),
            "forms": self._forms[:size].view(np.uint8).reshape(-1, 16),
            "variants": self._variants[:size].view(np.uint8).reshape(-1, 16),
        }
        for name in _COLUMNS:
            write_atomically(place / f"{name}.npy", partial(_save, columns[name]))
        about = {
            "format": FORMAT,
            "documents": self.size,
            "generation": generation,
            "table": self.table.model_dump(mode="json"),
        }
        write_atomically(folder / "index.json", json.dumps(about, indent=1, sort_keys=True) + "\n")
        for path in folder.iterdir():
            if path.name.isdigit() and path != place:
                shutil.rmtree(path)

    @classmethod
    def load(cls, folder: Path, table: DistinctTable) -> "Index":
        """The index in `folder`. Raises StoreError where there is none, or where it was made with other settings."""
        about = described(folder)
        # settings that came after the index was made have their defaults there
        made_with = {name: field.default for name, field in DistinctTable.model_fields.items()} | about["table"]
        different = sorted(key for key, value in table.model_dump(mode="json").items() if made_with[key] != value)
        if different:
            key = different[0]
            raise StoreError(
                f"{folder} was made with distinct.{key} = {made_with[key]!r}, not {getattr(table, key)!r}",
                hint="use the settings of the index, or build it again",
            )
        index = cls(table)
        place = folder / f"{about['generation']:06}"
        try:
            read = {name: np.load(place / f"{name}.npy", allow_pickle=False) for name in _COLUMNS}
        except (OSError, ValueError, EOFError) as error:
            raise StoreError(f"{place} is not whole: {error}", hint="delete the index and build it again") from error
        index.size, index._entries = about["documents"], len(read["tags"])
        links = np.column_stack((read["tags"].view(np.int32), read["owners"], read["owners"]))
        heads = np.full(1 << max(12, int(index._entries).bit_length()), -1, dtype=np.int32)
        kernels.rechain(heads, links, index._entries)
        index._table = sieve.Table(heads, links, np.zeros(index.size, dtype=np.int32))
        ids = read["ids"].view(np.uint64).reshape(-1, 3)
        index._kept = sieve.Arrays(*map(_owned, (read["digests"], read["hashes"], read["bounds"], ids)))
        index._forms, index._variants = (_owned(read[n].view(np.uint64)) for n in ("forms", "variants"))
        index._form_known = np.ones(index.size, dtype=np.bool_)
        index._variant_known = np.ones(index.size, dtype=np.bool_)
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


def _save(column: Array, file: IO[bytes]) -> None:
    np.save(file, column, allow_pickle=False)


def _form(row: Array) -> bytes:
    """The digest of a row, (2,) uint64; zeros stand for no form."""
    return row.tobytes() if row.any() else b""


def _owned(array: Array) -> Array:
    """`array`, or a copy where it lies in memory of another."""
    return array if array.flags.owndata else array.copy()
