"""The index of kept documents: what a new document is compared with, in memory and on disk.

Memory per kept document is 8 bytes a distinct shingle (about one a word), 16 to 20 bytes a band, and 120 bytes of
fixed columns: for Python functions of 1 kB with 16 bands about 1.1 kB. Dropped documents leave nothing behind.
"""

import json
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
FORMAT = 1
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
        self._forms: dict[int, bytes] = {}
        self._variants: dict[int, bytes] = {}

    def __len__(self) -> int:
        return self.size

    @property
    def nbytes(self) -> int:
        """Bytes held by the index's arrays."""
        arrays = (self._heads, self._tags, self._owners, self._nexts, self._digests, self._hashes, self._bounds)
        return sum(array.nbytes for array in (*arrays, self._ids, self._seen))

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
        """Normal form of kept document `number`, if it was worked out."""
        return self._forms.get(number)

    def set_form(self, number: int, form: bytes) -> None:
        """Remember the normal form of kept document `number`."""
        self._forms[number] = form

    def variant(self, number: int) -> bytes | None:
        """Normal form without constants of kept document `number`, if it was worked out."""
        return self._variants.get(number)

    def set_variant(self, number: int, variant: bytes) -> None:
        """Remember the normal form without constants of kept document `number`."""
        self._variants[number] = variant

    def add(self, batch: Features, i: int, record_id: str) -> int:
        """Keep document `i` of `batch` under `record_id`; its number."""
        number = self.size
        shingles = batch.shingles(i)
        keys = [_exact_key(batch.digests[i])]
        if batch.outlines[i]:
            keys.append(batch.outlines[i])
        entries = (
            np.concatenate((np.array(keys, dtype=np.uint32), batch.bands[i]))
            if len(shingles)
            else np.array(keys, dtype=np.uint32)
        )
        self._make_room(len(entries), len(shingles))
        kernels.insert(entries, number, self._entries, self._heads, self._tags, self._owners, self._nexts)
        self._entries += len(entries)
        self._hashes[self._filled : self._filled + len(shingles)] = shingles
        self._filled += len(shingles)
        self._bounds[number + 1] = self._filled
        self._digests[number] = batch.digests[i]
        self._ids[number] = record_id.encode()
        self.size += 1
        return number

    def _owners_of(self, key: Any) -> Array:
        owners: Array = kernels.owners_of(key, self._heads, self._tags, self._owners, self._nexts)
        return owners

    def _make_room(self, entries: int, shingles: int) -> None:
        self._digests = _grown(self._digests, self.size + 1)
        self._ids = _grown(self._ids, self.size + 1)
        self._bounds = _grown(self._bounds, self.size + 2)
        self._hashes = _grown(self._hashes, self._filled + shingles)
        if len(self._seen) < len(self._ids):
            seen = np.zeros(len(self._ids), dtype=np.int32)
            seen[: len(self._seen)] = self._seen
            self._seen = seen
        needed = self._entries + entries
        self._tags = _grown(self._tags, needed)
        self._owners = _grown(self._owners, needed)
        self._nexts = _grown(self._nexts, needed)
        if needed > len(self._heads):
            self._heads = np.full(2 * len(self._heads), -1, dtype=np.int32)
            kernels.rechain(self._heads, self._tags, self._nexts, self._entries)

    def save(self, folder: Path) -> None:
        """Write the index into `folder`, which is made; an index there before is replaced as a whole, file by file.

        `index.json` is written last: without it the folder is not an index.
        """
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.json").unlink(missing_ok=True)
        columns: dict[str, Array] = {
            "tags": self._tags[: self._entries],
            "owners": self._owners[: self._entries],
            "digests": self._digests[: self.size],
            "hashes": self._hashes[: self._filled],
            "bounds": self._bounds[: self.size + 1],
            "ids": self._ids[: self.size],
            "forms": _packed(self._forms, self.size),
            "variants": _packed(self._variants, self.size),
        }
        for name in _COLUMNS:
            np.save(folder / f"{name}.npy", columns[name], allow_pickle=False)
        about = {"format": FORMAT, "documents": self.size, "table": self.table.model_dump()}
        partial = folder / "index.json.tmp"
        partial.write_text(json.dumps(about, indent=1, sort_keys=True), encoding="utf-8")
        partial.replace(folder / "index.json")

    @classmethod
    def load(cls, folder: Path, table: DistinctTable) -> "Index":
        """The index in `folder`. Raises StoreError where there is none, or where it was made with other settings."""
        about_path = folder / "index.json"
        if not about_path.is_file():
            raise StoreError(
                f"{folder} holds no finished index: index.json is missing", hint="build it again with Index.save"
            )
        about = json.loads(about_path.read_text(encoding="utf-8"))
        if about["format"] > FORMAT:
            raise StoreError(
                f"{folder} has index format {about['format']}, this version reads up to {FORMAT}",
                hint="update hornbook",
            )
        different = sorted(key for key, value in table.model_dump().items() if about["table"].get(key) != value)
        if different:
            key = different[0]
            raise StoreError(
                f"{folder} was made with distinct.{key} = {about['table'].get(key)!r}, not {getattr(table, key)!r}",
                hint="use the settings of the index, or build it again",
            )
        index = cls(table)
        read = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _COLUMNS}
        index.size, index._entries, index._filled = about["documents"], len(read["tags"]), len(read["hashes"])
        index._tags, index._owners = read["tags"], read["owners"]
        index._digests, index._hashes, index._bounds, index._ids = (
            read[n] for n in ("digests", "hashes", "bounds", "ids")
        )
        index._nexts = np.empty(index._entries, dtype=np.int32)
        index._seen = np.zeros(index.size, dtype=np.int32)
        index._heads = np.full(1 << max(12, int(index._entries).bit_length()), -1, dtype=np.int32)
        kernels.rechain(index._heads, index._tags, index._nexts, index._entries)
        index._forms, index._variants = _unpacked(read["forms"]), _unpacked(read["variants"])
        return index


def _exact_key(digest: Array) -> Any:
    """uint32 key of an exact digest; (2,) uint64."""
    return np.uint32(digest[0] & np.uint64(0xFFFFFFFF))


def _packed(forms: dict[int, bytes], size: int) -> Array:
    """(size, 16) uint8 of 16-byte digests; zeros for documents that have none."""
    packed = np.zeros((size, 16), dtype=np.uint8)
    for number, form in forms.items():
        if form:
            packed[number] = np.frombuffer(form, dtype=np.uint8)
    return packed


def _unpacked(packed: Array) -> dict[int, bytes]:
    return {number: row.tobytes() if row.any() else b"" for number, row in enumerate(packed)}
