"""Rows with their verdicts as Parquet, whatever columns they bring along.

Columns of JSON have no declared type: a column keeps an Arrow type while all its values agree on one, and is written
as JSON text where they do not (or where Arrow has no type for them). The rows pass through a spool on disk, because
the type of a column is only known when the last row has been seen.
"""

import json
import pickle
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.identity import spelled
from pipeline.core.records import Passage
from pipeline.files.rows import Row

ROWS_PER_GROUP = 4_096
ROWS_PER_FILE = 200_000
DEEPEST_LIST = 16
"""Lists in each other that are written as lists; deeper ones are written as JSON."""
_OWN = {"id": pa.string(), "text": pa.string(), "origin": pa.string()}
_WHY = {"reason": pa.string(), "detail": pa.string(), "kept_id": pa.string(), "similarity": pa.float64()}
_JSON = pa.string()


class _Verdict(Protocol):
    @property
    def reason(self) -> str: ...
    @property
    def detail(self) -> str: ...
    @property
    def kept_id(self) -> str: ...
    @property
    def similarity(self) -> float | None: ...


class Writer:
    """Writes kept and dropped rows below a folder: `kept/part-*.parquet` and `dropped/part-*.parquet`.

    A column of the input that has the name of one of ours is written as `input_` and that name (`input_id` itself as
    `input_input_id`), and what no file can hold of a name as \\uNNNN.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._types: dict[str, pa.DataType] = {}
        self._as_json: set[str] = set()
        self._open = ExitStack()
        self._spools = {name: self._spooled_to(folder) for name in ("kept", "dropped")}
        self._batches: dict[str, list[dict[str, Any]]] = {name: [] for name in self._spools}

    def write(self, row: Row, verdict: _Verdict) -> str:
        """Take one row; its reason, "" for kept."""
        columns = {_renamed(name): value for name, value in row.columns.items()}
        record_id = Passage(text=row.text or "").id
        columns.update(id=record_id, text=row.text, origin=row.origin)
        name = "kept"
        if verdict.reason:
            name = "dropped"
            columns.update({key: getattr(verdict, key) for key in _WHY})
        batch = self._batches[name]
        batch.append(columns)
        if len(batch) >= ROWS_PER_GROUP:
            self._spool(name)
        return verdict.reason

    def __enter__(self) -> "Writer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._open:
            if kind is None:
                for name in self._spools:
                    self._spool(name)
                for name in self._spools:
                    self._finish(name)

    def _spooled_to(self, folder: Path) -> IO[bytes]:
        return self._open.enter_context(tempfile.TemporaryFile(dir=folder))

    def _spool(self, name: str) -> None:
        batch = self._batches[name]
        if not batch:
            return
        for column in {key for row in batch for key in row} - _OWN.keys() - _WHY.keys() - self._as_json:
            found = _common([row.get(column) for row in batch])
            known = self._types.get(column)
            if found is None or (known is not None and not _compatible(known, found)):
                self._as_json.add(column)
            elif known is None or pa.types.is_null(known):
                self._types[column] = found
        pickle.dump(batch, self._spools[name], protocol=pickle.HIGHEST_PROTOCOL)
        self._batches[name] = []

    def _finish(self, name: str) -> None:
        folder = self._folder / name
        folder.mkdir()
        extra = {
            column: _JSON if column in self._as_json or pa.types.is_null(kind) else kind
            for column, kind in {**self._types, **dict.fromkeys(self._as_json, _JSON)}.items()
        }
        own = _OWN | (_WHY if name == "dropped" else {})
        schema = pa.schema({**own, **{column: extra[column] for column in sorted(extra)}})
        number = 0
        writer = pq.ParquetWriter(folder / f"part-{number:05}.parquet", schema, compression="zstd")
        written = 0
        try:
            for batch in self._spooled(name):
                if written >= ROWS_PER_FILE:
                    writer.close()
                    number, written = number + 1, 0
                    writer = pq.ParquetWriter(folder / f"part-{number:05}.parquet", schema, compression="zstd")
                for row in batch:
                    for column in self._as_json & row.keys():
                        row[column] = json.dumps(row[column], default=str)
                writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                written += len(batch)
        finally:
            writer.close()

    def _spooled(self, name: str) -> Iterator[list[dict[str, Any]]]:
        spool = self._spools[name]
        spool.seek(0)
        while True:
            try:
                batch: list[dict[str, Any]] = pickle.load(spool)
            except EOFError:
                return
            yield batch


def _renamed(name: str) -> str:
    """The name of an input's column in the output; two names stay two."""
    end = name
    while end.startswith("input_"):
        end = end.removeprefix("input_")
    name = f"input_{name}" if end in _OWN or end in _WHY else name
    return spelled(name)


def _common(values: list[Any]) -> pa.DataType | None:
    """The Arrow type of all values, or None where they have none in common or a row would not come back as it was."""
    if any(isinstance(value, float) for value in values) and any(type(value) is int for value in values):
        return None
    try:
        array = pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeEncodeError, ValueError, TypeError):
        return None
    return None if _has_struct(array.type) or _levels(array.type) > DEEPEST_LIST else array.type


def _levels(kind: pa.DataType) -> int:
    """How many lists are in each other; readers of Arrow refuse files from some fifty on."""
    return 1 + _levels(kind.value_type) if pa.types.is_list(kind) or pa.types.is_large_list(kind) else 0


def _has_struct(kind: pa.DataType) -> bool:
    """Objects whose keys differ from row to row would gain nulls: they are written as JSON."""
    if pa.types.is_struct(kind):
        return True
    return any(_has_struct(kind.field(i).type) for i in range(kind.num_fields))


def _compatible(known: pa.DataType, found: pa.DataType) -> bool:
    return bool(known.equals(found)) or pa.types.is_null(known) or pa.types.is_null(found)
