"""Rows of anybody's files: JSON Lines, JSON, Parquet, Arrow, saved HF datasets, folders of them, and .py files.

One text per row, exactly as it is in the file. A row without a usable text is a `Row` with a `problem`, never an
exception and never left out; a file that cannot be opened as what its name says, or breaks off, is an InputError, or
such a row too where the caller wants to go on.
"""

import codecs
import io
import itertools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import pyarrow as pa

from pipeline.core.errors import InputError
from pipeline.core.identity import DEEPEST, deeper_than, storable
from pipeline.files import tables
from pipeline.files.finding import UNDECODED, Found, bare_suffix, decoded, found, shown
from pipeline.store.jsonl import in_utf8

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
    except UNDECODED as error:
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
        held = None if value is None else storable(json.dumps(value, ensure_ascii=False, default=str))
        return Row(held, columns, origin, f"{name} is {kind}, not a string")
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return Row(
                storable(value), columns, origin, f"{name} holds half of a surrogate pair, which no file can store"
            )
    return Row(value, columns, origin)


class _Value(NamedTuple):
    """A JSON value. where: its place; raw: its JSON; problem: why it is no value, "" where it is one."""

    where: str
    value: Any
    raw: str
    problem: str


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


def _values(file: Found) -> Iterator[_Value]:
    """The JSON values of a file; blank lines are none.

    One value a line, or in a file that begins with a value over several lines: an array, whose elements are the rows,
    or values one after the other.
    """
    number = 0
    try:
        with pa.input_stream(str(file.path), compression=_compression(file.path), buffer_size=1 << 20) as stream:
            lines: IO[bytes] = in_utf8(io.BufferedReader(stream, 1 << 20))
            begun = False
            while line := lines.readline():
                number += 1
                line = line.removeprefix(codecs.BOM_UTF8)  # also where files were joined
                if not begun and _goes_on(line, file):
                    rest = lines.read()
                    whole = _over_lines(file, number, line + rest)
                    if whole is not None:
                        yield from whole
                        return
                    lines = io.BytesIO(rest)
                begun = begun or bool(line.strip())
                yield from _of_line(f"{file.label}:{number}", line)
    except (OSError, EOFError, pa.ArrowException, UnicodeError) as error:
        after = f" after line {number}" if number else ""
        raise InputError(
            f"{file.label}: cannot be read{after}: {error}", hint="check that the file is whole"
        ) from error


_COMPRESSIONS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4"}
"""First bytes of packed files. No JSON begins so."""


def _compression(path: Path) -> str | None:
    """How a file is packed: by its first bytes, as downloads and renamed files have lost or kept a suffix; by its name
    where these are neither of a packed file nor of JSON."""
    with path.open("rb") as file:
        start = file.read(1024)
    packed = next((name for magic, name in _COMPRESSIONS.items() if start.startswith(magic)), None)
    plain = start.removeprefix(codecs.BOM_UTF8).lstrip().startswith((b"{", b"["))
    return packed if packed or plain else "detect"


def _goes_on(line: bytes, file: Found) -> bool:
    """Whether the first line is the beginning of a value over several lines, or an array that is the whole file."""
    start = line.lstrip()[:1]
    if start == b"[":
        return True
    if start != b"{":
        return False
    try:
        json.loads(line)
    except json.JSONDecodeError as error:
        # What ends too early may go on; what is wrong before its end is a bad line.
        torn = error.pos >= len(line.rstrip()) - 1 or error.msg.startswith(("Unterminated", "Expecting property"))
        return torn and (line.strip() == b"{" or bare_suffix(file.path) == ".json")
    except (ValueError, RecursionError):
        pass
    return False


def _over_lines(file: Found, number: int, data: bytes) -> list[_Value] | None:
    """The values of a file whose first goes on after its first line `number`; None where lines are to be read.

    Raises InputError where neither gives a row, and for one object alone: what its rows would be cannot be told.
    """
    json_file = bare_suffix(file.path) == ".json"
    try:
        found = _one_after_another(data.decode())
    except (ValueError, RecursionError) as error:
        array = data.lstrip()[:1] == b"["
        if json_file and (array or not any(map(_is_object, data.split(b"\n")[1:]))):
            kind = "array" if array else "value"
            raise InputError(
                f"{file.label}: not a JSON {kind}: {error}", hint="give one object a line (.jsonl)"
            ) from error
        return None
    if len(found) > 1:
        if not json_file and isinstance(found[0][1], list):
            return None
        places = itertools.accumulate(gap for gap, _ in found)
        return [_shallow(f"{file.label}:{number + line}", one) for line, (_, one) in zip(places, found, strict=True)]
    (_, value), *_ = found
    if not isinstance(value, list):
        raise InputError(
            f"{file.label}:{number}: one JSON object over several lines, which is no list of rows",
            hint="give an array of objects, or one object a line",
        )
    if not json_file and not all(isinstance(one, dict) for one in value):
        return None
    return [_shallow(f"{file.label}#{place}", one) for place, one in enumerate(value)]


def _one_after_another(text: str) -> list[tuple[int, Any]]:
    """Each value of a text, with the number of line breaks between the beginning of the one before and its own."""
    found, place, before = [], 0, 0
    decoder = json.JSONDecoder()
    while place < len(text):
        rest = _BLANK.match(text, place)
        assert rest is not None  # it matches nothing, too
        start = rest.end()
        if start == len(text):
            break
        value, place = decoder.raw_decode(text, start)
        found.append((text.count("\n", before, start), value))
        before = start
    return found


_BLANK = re.compile(r"[ \t\r\n]*")


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _of_line(where: str, line: bytes) -> Iterator[_Value]:
    """The value of a line, or the values where several stand on it; none of a blank one."""
    if not line.strip():
        return
    try:
        text = line.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        yield _Value(where, None, line.decode("utf-8", "replace").rstrip("\r\n"), f"not UTF-8: {error}")
        return
    try:
        yield _shallow(where, json.loads(text), text)
    except (ValueError, RecursionError) as error:
        try:
            several = _one_after_another(text) if getattr(error, "msg", "") == "Extra data" else []
        except (ValueError, RecursionError):
            several = []
        for _, value in several:
            yield _shallow(where, value)
        if not several:
            yield _Value(where, None, text, f"not JSON: {error}")


def _shallow(where: str, value: Any, raw: str | None = None) -> _Value:
    """A value, or where it is nested too deeply to be written anywhere the problem that it is."""
    if deeper_than(value, DEEPEST):
        return _Value(where, None, raw or "", f"nested in more than {DEEPEST} levels")
    return _Value(where, value, json.dumps(value) if raw is None else raw, "")
