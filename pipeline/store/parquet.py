"""Parquet files of artifacts, opened so that no thread of Arrow's ever needs Python.

A file on this machine is read by Arrow itself, on its threads. One elsewhere comes through fsspec, that is through a
Python object; then Arrow reads on the thread that asks. Its own threads would hold the object, and one that lets go of
it while the interpreter ends aborts the process ("terminate called without an active exception", apache/arrow #34314,
#50482), after all the work is done.
"""

import contextlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import HornbookError, StoreError
from pipeline.store.arrays import numbers

BATCH = 512
"""Rows that are held at a time where they are read one by one; with documents of a few kB that is a megabyte or two."""


@dataclass(frozen=True, slots=True)
class Parquet:
    """An open file. names: its columns. threads: whether Arrow may use its own. path: as messages name it."""

    file: pq.ParquetFile
    threads: bool
    path: str = ""

    @property
    def names(self) -> list[str]:
        return list(self.file.schema_arrow.names)

    @property
    def schema(self) -> pa.Schema:
        """Names and types of its columns."""
        return self.file.schema_arrow

    def having(self, columns: Sequence[str] | None) -> list[str] | None:
        """Those of `columns` that there are, None for all; "seed.id" is a field of a struct."""
        return None if columns is None else [c for c in columns if c.partition(".")[0] in self.names]

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows; columns: those to read ("seed.id" is a field of a struct), None for all."""
        with readable(self.path):
            return self.file.read(columns=None if columns is None else list(columns), use_threads=self.threads)

    def batches(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most `rows`; columns: as of `read`."""
        return self._batches(rows, columns)

    def _batches(self, rows: int, columns: Sequence[str] | None, groups: Sequence[int] | None = None) -> Iterator[Any]:
        chosen = None if columns is None else list(columns)
        with readable(self.path):
            batches = self.file.iter_batches(rows, row_groups=groups, columns=chosen, use_threads=self.threads)
        while True:
            with readable(self.path):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def take(self, places: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """The rows at `places`, which are in order; columns: as of `read`. Holds a few rows in memory at a time, and
        reads no row group that has none of them."""
        taken, start, left = [], 0, deque(places)
        for group in range(self.file.num_row_groups if left else 0):
            stop = start + self.file.metadata.row_group(group).num_rows
            if left and left[0] < stop:
                for batch in self._batches(BATCH, columns, [group]):
                    here = []
                    while left and left[0] < start + batch.num_rows:
                        here.append(left.popleft() - start)
                    if here:
                        taken.append(batch.take(numbers(here)))
                    start += batch.num_rows
                    if not left or left[0] >= stop:
                        break
            start = stop
        return pa.Table.from_batches(taken) if taken else self.file.schema_arrow.empty_table()


def write_table(table: pa.Table, file: IO[bytes] | Path) -> None:
    """Write `table` with a checksum of each page, by which `opened` knows rows that the disk has changed."""
    pq.write_table(table, file, compression="zstd", write_page_checksum=True)


@contextlib.contextmanager
def opened(fs: Any, path: str) -> Iterator[Parquet]:
    """The file at `path` of an fsspec filesystem. Raises StoreError where it is gone or no Parquet file; what reads it
    raises that where a part of it is broken."""
    local = fs.protocol in ("file", ("file", "local"))
    with contextlib.ExitStack() as held:
        with readable(path):
            source = path if local else held.enter_context(fs.open(path, "rb"))
            file = held.enter_context(pq.ParquetFile(source, page_checksum_verification=True))
        yield Parquet(file, threads=local, path=path)


@contextlib.contextmanager
def readable(path: str, folder: str = "") -> Iterator[None]:
    """While nothing is done but to read a file of an artifact: what goes wrong is the file's fault, and a StoreError.
    (Errors of the system, such as a permission, stay what they are.)

    Without its manifest an artifact is made anew, while the answers in its folder, which may have been paid for, are
    found by who asks for them. So that is what the hint deletes. folder: the artifact's, where the file lies deeper.
    """
    try:
        yield
    except HornbookError:
        raise
    except Exception as error:  # parsers raise what they like, tokenizers nothing more special than this
        gone = isinstance(error, FileNotFoundError)
        if isinstance(error, OSError) and error.errno is not None and not gone:
            raise
        why = "is gone" if gone else f"cannot be read ({type(error).__name__}: {' '.join(str(error).split())})"
        manifest = f"{folder or path.rpartition('/')[0]}/manifest.json"
        raise StoreError(
            f"{path} {why}",
            hint=f"delete {manifest} and run the recipe again: the artifact is made anew",
        ) from error
