"""Rows of anybody's files: JSON Lines, JSON, Parquet, Arrow, saved HF datasets, folders of them, and .py files.

One text per row, exactly as it is in the file. A row without a usable text is a `Row` with a `problem`, never an
exception and never left out; a file that cannot be opened as what its name says, or breaks off, is an InputError, or
such a row too where the caller wants to go on.
"""

import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from pipeline.errors import InputError
from pipeline.sources import tables
from pipeline.sources.finding import Found, bare_suffix, found, shown
from pipeline.sources.passages import decoded

DEFAULT_FIELDS = ("text", "content")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. text: None where there is none; columns: the other columns; origin: "file:line" or the .py file.

    problem: why the row has no usable text, for a person; "" where it has one.
    """

    text: str | None
    columns: Mapping[str, Any]
    origin: str
    problem: str = ""


class MissingField(InputError):
    """A file without the text field. names: the fields that it has."""

    def __init__(self, label: str, text_field: str, names: Iterable[str]) -> None:
        self.names = sorted(set(names))
        wanted = repr(text_field) if text_field else "'text' or 'content'"
        super().__init__(
            f"{label}: no field {wanted}; its fields are {', '.join(self.names) or 'none'}",
            hint="name the text field with --field",
        )


@dataclass(slots=True)
class Rows:
    """All rows of some inputs; can be iterated again, and gives the same rows in the same order as long as files stay.

    inputs: files and folders. text_field: name of the text column; "" for `text`, else `content`. skipped: folders
    that are not looked into. code: whether .py files are read. lenient: whether a file that cannot be read, or from
    where it breaks off, is one row with a problem; else it is an InputError. A file without the text field is a
    MissingField either way. notes: what a person should know about how the inputs were understood; filled when the
    object is made.
    """

    inputs: Iterable[Path]
    text_field: str = ""
    skipped: Collection[Path] = ()
    code: bool = True
    lenient: bool = False
    notes: list[str] = field(default_factory=list)
    _files: list[Found] = field(default_factory=list)

    def __post_init__(self) -> None:
        skipped = frozenset(path.resolve() for path in self.skipped)
        for given in self.inputs:
            files = found(Path(given).expanduser(), skipped, code=self.code)
            self._files.extend(files.files)
            self.notes.extend(files.notes)

    def __iter__(self) -> Iterator[Row]:
        for file in self._files:
            yield from self._tolerated(file.label, self._of(file))

    def _of(self, file: Found) -> Iterator[Row]:
        match file.kind:
            case "python":
                yield _python(file)
            case "json":
                yield from _json(file, self.text_field)
            case "parquet":
                yield from _tabular(tables.parquet(file.path), self.text_field)
            case "arrow":
                yield from _tabular(tables.arrow(file.path), self.text_field)
            case "saved":
                for path in tables.saved(file.path):
                    yield from self._tolerated(shown(path), _tabular(tables.arrow(path), self.text_field))

    def _tolerated(self, label: str, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows of one file; where `lenient`, and it cannot be read on, a last row that says so."""
        try:
            yield from rows
        except MissingField:
            raise
        except InputError as error:
            if not self.lenient:
                raise
            yield Row(None, {}, label, error.message.removeprefix(f"{label}: "))


def _python(file: Found) -> Row:
    if file.path.exists() and not file.path.is_file():
        return Row(None, {}, file.label, "not a regular file")
    data: bytes | None = None
    try:
        data = file.path.read_bytes()
        return Row(decoded(data), {}, file.label)
    except OSError as error:
        return Row(None, {}, file.label, f"{type(error).__name__}: {error.strerror}")
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        assert data is not None
        return Row(data.decode("utf-8", "replace"), {}, file.label, f"{type(error).__name__}: {error}")


def _tabular(found: Iterable[tables.Table], text_field: str) -> Iterator[Row]:
    wanted = (text_field,) if text_field else DEFAULT_FIELDS
    for table in found:
        if not any(name in table.names for name in wanted):
            raise MissingField(table.label, text_field, table.names)
        for number, columns in enumerate(table.rows):
            row = with_text(columns, text_field, f"{table.label}#{number}")
            assert row is not None  # the table has the field
            yield row


def with_text(columns: dict[str, Any], text_field: str, origin: str) -> Row | None:
    """The row of a mapping; None where it has no text column at all."""
    names = (text_field,) if text_field else DEFAULT_FIELDS
    name = next((name for name in names if name in columns), None)
    if name is None:
        return None
    value = columns.pop(name)
    if isinstance(value, bytes):
        try:
            value = value.decode("utf-8")
        except UnicodeDecodeError as error:
            return Row(value.decode("utf-8", "replace"), columns, origin, f"{name} is not UTF-8: {error}")
    if not isinstance(value, str):
        kind = "null" if value is None else type(value).__name__
        held = None if value is None else json.dumps(value, ensure_ascii=False, default=str)
        return Row(held, columns, origin, f"{name} is {kind}, not a string")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            whole = value.encode("utf-8", "replace").decode("utf-8")
            return Row(whole, columns, origin, f"{name} holds half of a surrogate pair, which no file can store")
    return Row(value, columns, origin)


def _json(file: Found, text_field: str) -> Iterator[Row]:
    """Rows of JSON Lines, or of one JSON array of objects."""
    found = False
    fields: set[str] = set()
    for where, value, raw, problem in _values(file):
        if problem:
            yield Row(raw, {}, where, problem)
            found = True
            continue
        if not isinstance(value, dict):
            kind = "null" if value is None else type(value).__name__
            yield Row(raw, {}, where, f"the row is {kind}, not an object")
            continue
        names = list(value)
        row = with_text(value, text_field, where)
        if row is None:
            fields.update(names)
            row = Row(None, value, where, f"no field {text_field or 'text or content'}")
        else:
            found = True
        yield row
    if fields and not found:
        raise MissingField(file.label, text_field, fields)


def _values(file: Found) -> Iterator[tuple[str, Any, str, str]]:
    """(where, value, raw line, problem) of each JSON value; lines end at newline bytes only, blank ones are no rows."""
    number = 0
    try:
        with pa.input_stream(str(file.path), compression="detect", buffer_size=1 << 20) as stream:
            lines = io.BufferedReader(stream, 1 << 20)
            for number, line in enumerate(lines, 1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                    if line.lstrip()[:1] == b"[" and bare_suffix(file.path) == ".json":
                        yield from _array(file, line + lines.read())
                        return
                    if line.strip() == b"{" and bare_suffix(file.path) == ".json":
                        raise InputError(
                            f"{file.label}:1: one JSON object over several lines, which is no list of rows",
                            hint="give an array of objects, or one object a line",
                        )
                if not line.strip():
                    continue
                where = f"{file.label}:{number}"
                try:
                    text = line.decode("utf-8").rstrip("\r\n")
                    yield where, json.loads(text), text, ""
                except UnicodeDecodeError as error:
                    yield where, None, line.decode("utf-8", "replace").rstrip("\r\n"), f"not UTF-8: {error}"
                except (ValueError, RecursionError) as error:
                    yield where, None, text, f"not JSON: {error}"
    except (OSError, EOFError, pa.ArrowException) as error:
        after = f" after line {number}" if number else ""
        raise InputError(
            f"{file.label}: cannot be read{after}: {error}", hint="check that the file is whole"
        ) from error


def _array(file: Found, data: bytes) -> Iterator[tuple[str, Any, str, str]]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file.label}: not a JSON array: {error}", hint="give one object a line (.jsonl)") from error
    for number, value in enumerate(values):
        yield f"{file.label}#{number}", value, json.dumps(value), ""
