"""Tables on disk, row by row: Parquet, Arrow files, and folders that `datasets.save_to_disk` wrote.

Values come as Python objects. Text that is not UTF-8 comes as bytes. Times of which Python has no object for one come
as integers, in the unit of their column.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import InputError
from pipeline.files.finding import shown

BATCH = 1_024
BROKEN = (OSError, ValueError, OverflowError, pa.ArrowException)
"""What reading a table raises whose bytes are broken; a ValueError for names that are no UTF-8, among others."""


@dataclass(frozen=True, slots=True)
class Table:
    """One file. names: its columns; rows: to be read once; label: the file, for messages and origins."""

    label: str
    names: list[str]
    rows: Iterator[dict[str, Any]]


def parquet(path: Path) -> Iterator[Table]:
    """The one table of a Parquet file. Raises InputError where it is not one, or breaks off."""
    try:
        file = pq.ParquetFile(path)
    except BROKEN as error:
        raise InputError(f"{shown(path)}: not a Parquet file: {error}", hint="check that the file is whole") from error
    with file:
        yield _table(path, file.schema_arrow.names, lambda: file.iter_batches(batch_size=BATCH))


def arrow(path: Path) -> Iterator[Table]:
    """The one table of an Arrow file, in the stream format (as `datasets` caches) or the file format."""
    try:
        with pa.memory_map(str(path)) as source:
            if source.read(6) == b"ARROW1":
                file = pa.ipc.open_file(source)
                batches: Callable[[], Any] = lambda: map(_sound, map(file.get_batch, range(file.num_record_batches)))  # noqa: E731
                yield _table(path, file.schema.names, batches)
            else:
                source.seek(0)
                stream = pa.ipc.open_stream(source)
                yield _table(path, stream.schema.names, lambda: map(_sound, stream))
    except BROKEN as error:
        raise InputError(f"{shown(path)}: not an Arrow file: {error}", hint="check that the file is whole") from error


def _sound(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch of a mapped file, once no place in it leads out of it: reading there would end the process. Raises
    ArrowInvalid. Text that is no UTF-8 is left to who reads it."""
    if batch.num_rows < 0:  # at which all that looks at its columns aborts
        raise pa.ArrowInvalid(f"a batch of {batch.num_rows} rows")
    batch.validate()
    for column in batch.columns:
        try:
            column.validate(full=True)
        except pa.ArrowInvalid as error:
            if "UTF8" not in str(error):
                raise
    return batch


def saved(folder: Path) -> list[Path]:
    """The Arrow files of a saved dataset, or of each split of a saved dictionary of datasets, in their order."""
    try:
        splits = [folder]
        if not (folder / "state.json").is_file():
            listed = json.loads((folder / "dataset_dict.json").read_text(encoding="utf-8"))["splits"]
            splits = [folder / name for name in listed]
        return [
            split / entry["filename"]
            for split in splits
            for entry in json.loads((split / "state.json").read_text(encoding="utf-8"))["_data_files"]
        ]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{shown(folder)}: not a whole saved dataset: {type(error).__name__}: {error}",
            hint="write it again with save_to_disk",
        ) from error


def _table(path: Path, names: list[str], batches: Callable[[], Any]) -> Table:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{shown(path)}: two columns are named {twice[0]!r}", hint="rename one of them")
    return Table(shown(path), names, _rows(path, batches))


def _rows(path: Path, batches: Callable[[], Any]) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        for batch in batches():
            for row in _plain(path, batch):
                yield row
                number += 1
    except BROKEN as error:
        raise InputError(
            f"{shown(path)}: cannot be read after row {number}: {error}", hint="check that the file is whole"
        ) from error


def _plain(path: Path, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows of a batch."""
    if any(_is_ns(field.type) for field in batch.schema):
        columns = [_whole(column) if _is_ns(column.type) else column for column in batch.columns]
        batch = pa.RecordBatch.from_arrays(columns, batch.schema.names)
    try:
        yield from batch.to_pylist()
    except (UnicodeDecodeError, OverflowError, ValueError):
        listed = [_values(path, name, batch.column(name)) for name in batch.schema.names]
        for values in zip(*listed, strict=True):
            yield dict(zip(batch.schema.names, values, strict=True))


def _is_ns(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_duration(kind)) and kind.unit == "ns"


def _whole(column: pa.Array) -> pa.Array:
    """A column of nanoseconds in microseconds, as Python's objects have them, or as integers where that loses some."""
    kind = column.type
    try:
        return column.cast(pa.timestamp("us", kind.tz) if pa.types.is_timestamp(kind) else pa.duration("us"))
    except pa.ArrowInvalid:
        return column.cast(pa.int64())


def _values(path: Path, name: str, column: pa.Array) -> list[Any]:
    """Values of a column that may hold some that Python has no object for."""
    kind = column.type
    try:
        values: list[Any] = column.to_pylist()
    except (UnicodeDecodeError, OverflowError, ValueError) as error:
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return [_text_or_bytes(value) for value in column.cast(pa.large_binary()).to_pylist()]
        try:
            return column.cast(pa.int64()).to_pylist()  # type: ignore[no-any-return]
        except pa.ArrowException:
            raise InputError(
                f"{shown(path)}: column {name!r} ({kind}) holds a value that cannot be read: {error}",
                hint="leave the column out, or give it another type",
            ) from error
    return values


def _text_or_bytes(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value
