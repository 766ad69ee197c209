"""Records as Parquet rows and back: the Arrow schema is read off the dataclasses, so there is no second declaration.

An artifact may hold several record types (a passage beside an exercise): its schema is the union of their columns, and
the `type` column says which of them a row is. Reading a row makes the record again, and with it its id: a row whose
stored id differs was changed on disk, and is reported, not used.
"""

import dataclasses
import types
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pyarrow as pa

from pipeline.core.errors import StoreError
from pipeline.core.identity import storable
from pipeline.core.image_records import IMAGE_RECORDS
from pipeline.core.records import RECORD_TYPES, Record
from pipeline.core.stage import Dropped


def to_row(record: Record) -> dict[str, Any]:
    """Column values of a record; nested records and tuples become what Arrow takes."""
    return {"id": record.id, "type": record.type, **{k: _plain(v) for k, v in record.content().items()}}


def dropped_row(dropped: Dropped) -> dict[str, Any]:
    """The record's own columns, and why it was dropped."""
    return to_row(dropped.record) | {
        "reason": dropped.reason,
        "detail": storable(dropped.detail),
        "kept_id": dropped.kept_id,
        "similarity": dropped.similarity,
    }


def from_row(row: Mapping[str, Any]) -> Record:
    """The record of a row. Raises StoreError where its content does not hash to the id it was stored under."""
    cls = RECORD_TYPES.get(row["type"]) or IMAGE_RECORDS.get(row["type"])
    if cls is None:
        raise StoreError(f"row {row['id']} has the unknown record type {row['type']!r}", hint="use a newer hornbook")
    record: Record = _build(cls, row)
    if record.id != row["id"]:
        raise StoreError(
            f"row {row['id']} now hashes to {record.id}: it was changed on disk",
            hint="delete that artifact's folder; the next run makes it again",
        )
    return record


def dropped_from_row(row: Mapping[str, Any]) -> Dropped:
    """Inverse of `dropped_row`."""
    return Dropped(from_row(row), row["reason"], row["detail"], row["kept_id"], row["similarity"])


def schema_of(record_types: Sequence[type[Record]], *, dropped: bool = False) -> pa.Schema:
    """Columns of an artifact that holds these record types, id and type first."""
    columns: dict[str, pa.DataType] = {"id": pa.string(), "type": pa.string()}
    for cls in record_types:
        columns_of: Any = cls
        for name, arrow in _fields(columns_of).items():
            if columns.setdefault(name, arrow) != arrow:
                raise TypeError(f"column {name} is {columns[name]} in one record type and {arrow} in {cls.__name__}")
    if dropped:
        columns |= {"reason": pa.string(), "detail": pa.string(), "kept_id": pa.string(), "similarity": pa.float64()}
    return pa.schema(list(columns.items()))


def to_table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as an Arrow table; a column that a row's type lacks is null."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Record):
        return {"id": value.id, **{k: _plain(v) for k, v in value.content().items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    return value


@cache
def _hints(cls: Any) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


@cache
def _lacking(cls: Any) -> frozenset[str]:
    later = {f.name for f in dataclasses.fields(cls) if "later" in f.metadata}
    return frozenset(getattr(cls, "found", ())) | later


@cache
def _fields(cls: Any) -> dict[str, pa.DataType]:
    return {name: _arrow(hint) for name, hint in _hints(cls).items()}


def _arrow(hint: Any) -> pa.DataType:
    scalars = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    if hint in scalars:
        return scalars[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return pa.string()
    if origin is tuple:
        return pa.list_(_arrow(arguments[0]))
    if origin in (Union, types.UnionType):
        (inner,) = [argument for argument in arguments if argument is not type(None)]
        return _arrow(inner)
    if dataclasses.is_dataclass(hint):
        nested: Any = hint
        return pa.struct(list(_fields(nested).items()))
    raise TypeError(f"no Arrow type for {hint}")


def _build(cls: Any, row: Mapping[str, Any]) -> Any:
    # A row of an earlier version lacks what was not found out then, and fields that came later.
    known = {name: hint for name, hint in _hints(cls).items() if name in row or name not in _lacking(cls)}
    return cls(**{name: _value(hint, row[name]) for name, hint in known.items() if name != "id"})


def _value(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(argument for argument in get_args(hint) if argument is not type(None))
    if get_origin(hint) is tuple:
        return tuple(_value(get_args(hint)[0], entry) for entry in value)
    return _build(hint, value) if dataclasses.is_dataclass(hint) else value
