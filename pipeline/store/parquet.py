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
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.store.arrays import numbers

BATCH = 512
"""Rows that are held at a time where they are read one by one; with documents of a few kB that is a megabyte or two."""


@dataclass(frozen=True, slots=True)
class Parquet:
    """An open file. names: its columns. threads: whether Arrow may use its own."""

    file: pq.ParquetFile
    threads: bool

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
        return self.file.read(columns=None if columns is None else list(columns), use_threads=self.threads)

    def batches(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in batches of at most `rows`; columns: as of `read`."""
        chosen = None if columns is None else list(columns)
        return self.file.iter_batches(rows, columns=chosen, use_threads=self.threads)  # type: ignore[no-any-return]

    def take(self, places: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """The rows at `places`, which are in order; columns: as of `read`. Holds a few rows in memory at a time, and
        reads no row group that has none of them."""
        taken, start, left = [], 0, deque(places)
        for group in range(self.file.num_row_groups if left else 0):
            stop = start + self.file.metadata.row_group(group).num_rows
            if left and left[0] < stop:
                chosen = None if columns is None else list(columns)
                batches = self.file.iter_batches(BATCH, row_groups=[group], columns=chosen, use_threads=self.threads)
                for batch in batches:
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


@contextlib.contextmanager
def opened(fs: Any, path: str) -> Iterator[Parquet]:
    """The file at `path` of an fsspec filesystem."""
    if fs.protocol in ("file", ("file", "local")):
        with pq.ParquetFile(path) as file:
            yield Parquet(file, threads=True)
    else:
        with fs.open(path, "rb") as source, pq.ParquetFile(source) as file:
            yield Parquet(file, threads=False)
