"""Rows of anybody's files: JSON Lines, JSON, Parquet, saved HF datasets, folders of them, and .py files.

One text per row, exactly as it is in the file. A row without a usable text is a `Row` with a `problem`, never an
exception and never left out; a file that cannot be opened as what its name says is an InputError.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import InputError
from pipeline.sources.passages import decoded

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")
DEFAULT_FIELDS = ("text", "content")
BATCH = 1_024
_HIDDEN = ("__pycache__", "node_modules")


@dataclass(frozen=True, slots=True)
class Row:
    """One row. text: None where there is none; columns: the other columns; origin: "file:line" or the .py file.

    problem: why the row has no usable text, for a person; "" where it has one.
    """

    text: str | None
    columns: Mapping[str, Any]
    origin: str
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _File:
    path: Path
    read: Callable[["_File", str], Iterator[Row]]
    label: str


@dataclass(slots=True)
class Rows:
    """All rows of some inputs; can be iterated again, and gives the same rows in the same order as long as files stay.

    inputs: files and folders. text_field: name of the text column; "" for `text`, else `content`. notes: what a person
    should know about how the inputs were understood; filled when the object is made.
    """

    inputs: Iterable[Path]
    text_field: str = ""
    notes: list[str] = field(default_factory=list)
    _files: list[_File] = field(default_factory=list)

    def __post_init__(self) -> None:
        for given in self.inputs:
            self._files.extend(self._found(Path(given).expanduser()))

    def __iter__(self) -> Iterator[Row]:
        for file in self._files:
            yield from file.read(file, self.text_field)

    def _found(self, path: Path) -> list[_File]:
        if path.is_file():
            read = _reader(path)
            if read is None:
                raise InputError(
                    f"{path}: cannot tell what kind of file this is",
                    hint=f"give .jsonl, .json, .parquet or .py, packed or not ({', '.join(COMPRESSED)}), or a folder",
                )
            return [_File(path, read, str(path))]
        if not path.is_dir():
            raise InputError(f"{path}: no such file or folder", hint="check the path")
        if (path / "dataset_dict.json").is_file() or (path / "state.json").is_file():
            return [_File(path, _saved_dataset, str(path))]
        return self._in_folder(path)

    def _in_folder(self, folder: Path) -> list[_File]:
        code: list[_File] = []
        data: list[_File] = []
        for path in sorted(folder.rglob("*"), key=lambda p: p.relative_to(folder).as_posix()):
            relative = path.relative_to(folder)
            if any(part.startswith(".") or part in _HIDDEN for part in relative.parts) or not path.is_file():
                continue
            if path.suffix == ".py":
                code.append(_File(path, _python, f"{folder.name}/{relative.as_posix()}"))
            elif _bare(path).suffix in (".jsonl", ".ndjson", ".parquet"):
                reader = _reader(path)
                if reader is not None:
                    data.append(_File(path, reader, str(path)))
        scripts = [file for file in code if file.path.parent == folder and file.path.stem == folder.name]
        if data and len(code) == len(scripts):  # a dataset beside its loading script
            return data
        if code:
            if data:
                self.notes.append(f"{folder}: read as a folder of .py; name its {len(data)} data files to read those")
            return code
        raise InputError(f"{folder}: no .py, .jsonl or .parquet file in it", hint="name a folder or file that has data")


def _bare(path: Path) -> Path:
    """The path without the suffix of its compression."""
    return path.with_suffix("") if path.suffix in COMPRESSED else path


def _reader(path: Path) -> Callable[[_File, str], Iterator[Row]] | None:
    suffix = _bare(path).suffix
    if suffix == ".py" and path.suffix == ".py":
        return _python
    if suffix == ".parquet" and path.suffix == ".parquet":
        return _parquet
    return _json if suffix in JSON_SUFFIXES else None


def _python(file: _File, text_field: str) -> Iterator[Row]:
    try:
        yield Row(decoded(file.path.read_bytes()), {}, file.label)
    except (OSError, SyntaxError, UnicodeDecodeError, LookupError) as error:
        raw = file.path.read_bytes().decode("utf-8", "replace") if file.path.is_file() else None
        yield Row(raw, {}, file.label, f"{type(error).__name__}: {error}")


def _with_text(columns: dict[str, Any], text_field: str, origin: str) -> Row | None:
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
        shown = None if value is None else json.dumps(value, ensure_ascii=False, default=str)
        return Row(
            shown, columns, origin, f"{name} is {'null' if value is None else type(value).__name__}, not a string"
        )
    if not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            whole = value.encode("utf-8", "replace").decode("utf-8")
            return Row(whole, columns, origin, f"{name} holds half of a surrogate pair, which no file can store")
    return Row(value, columns, origin)


def _missing(file: _File, text_field: str, names: Iterable[str]) -> InputError:
    wanted = repr(text_field) if text_field else "'text' or 'content'"
    return InputError(
        f"{file.label}: no field {wanted}; its fields are {', '.join(sorted(set(names))) or 'none'}",
        hint="name the text field with --field",
    )


def _json(file: _File, text_field: str) -> Iterator[Row]:
    """Rows of JSON Lines, or of one JSON array of objects."""
    found = False
    fields: set[str] = set()
    for where, value, raw, problem in _values(file):
        if problem:
            yield Row(raw, {}, where, problem)
            found = True
            continue
        if not isinstance(value, dict):
            yield Row(raw, {}, where, f"the row is {type(value).__name__}, not an object")
            continue
        names = list(value)
        row = _with_text(value, text_field, where)
        if row is None:
            fields.update(names)
            row = Row(None, value, where, f"no field {text_field or 'text or content'}")
        else:
            found = True
        yield row
    if fields and not found:
        raise _missing(file, text_field, fields)


def _values(file: _File) -> Iterator[tuple[str, Any, str, str]]:
    """(where, value, raw line, problem) of each JSON value; lines end at newline bytes only, blank ones are no rows."""
    try:
        with pa.input_stream(str(file.path), compression="detect", buffer_size=1 << 20) as stream:
            lines = io.BufferedReader(stream, 1 << 20)
            for number, line in enumerate(lines, 1):
                if number == 1:
                    line = line.removeprefix(b"\xef\xbb\xbf")
                    if line.lstrip()[:1] == b"[" and _bare(file.path).suffix == ".json":
                        yield from _array(file, line + lines.read())
                        return
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
        raise InputError(f"{file.label}: cannot be read: {error}", hint="check that the file is whole") from error


def _array(file: _File, data: bytes) -> Iterator[tuple[str, Any, str, str]]:
    try:
        values = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file.label}: not a JSON array: {error}", hint="give one object a line (.jsonl)") from error
    for number, value in enumerate(values):
        yield f"{file.label}#{number}", value, json.dumps(value), ""


def _parquet(file: _File, text_field: str) -> Iterator[Row]:
    try:
        parquet = pq.ParquetFile(file.path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file.label}: not a Parquet file: {error}", hint="check that the file is whole") from error
    names = parquet.schema_arrow.names
    if not any(name in names for name in ((text_field,) if text_field else DEFAULT_FIELDS)):
        raise _missing(file, text_field, names)
    number = 0
    with parquet:
        try:
            for batch in parquet.iter_batches(batch_size=BATCH):
                for columns in _plain(batch):
                    row = _with_text(columns, text_field, f"{file.label}#{number}")
                    number += 1
                    assert row is not None  # the schema has the field
                    yield row
        except (OSError, pa.ArrowException) as error:
            raise InputError(
                f"{file.label}: cannot be read after row {number}: {error}", hint="check the file"
            ) from error


def _plain(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows of a batch; a text column that holds invalid UTF-8 is given as bytes."""
    try:
        yield from batch.to_pylist()
    except UnicodeDecodeError:
        columns = [
            column.cast(pa.large_binary())
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
            else column
            for column in batch.columns
        ]
        for row in pa.RecordBatch.from_arrays(columns, batch.schema.names).to_pylist():
            yield {name: _text_or_bytes(value) for name, value in row.items()}


def _text_or_bytes(value: Any) -> Any:
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _saved_dataset(file: _File, text_field: str) -> Iterator[Row]:
    """Rows of a folder that `datasets.save_to_disk` wrote: its Arrow files, split by split."""
    splits = (
        [file.path]
        if (file.path / "state.json").is_file()
        else sorted(p.parent for p in file.path.glob("*/state.json"))
    )
    for split in splits:
        try:
            state = json.loads((split / "state.json").read_text(encoding="utf-8"))
            names = [entry["filename"] for entry in state["_data_files"]]
            for name in names:
                with pa.memory_map(str(split / name)) as source, pa.ipc.open_stream(source) as stream:
                    schema = stream.schema.names
                    if not any(n in schema for n in ((text_field,) if text_field else DEFAULT_FIELDS)):
                        raise _missing(file, text_field, schema)
                    number = 0
                    for batch in stream:
                        for columns in _plain(batch):
                            row = _with_text(columns, text_field, f"{split / name}#{number}")
                            number += 1
                            assert row is not None  # the schema has the field
                            yield row
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            raise InputError(
                f"{split}: not a saved dataset: {error}", hint="write it again with save_to_disk"
            ) from error
