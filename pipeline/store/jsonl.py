"""The one place for JSON Lines: files of our own that grow by a line, and files that somebody gives us.

jsonlines reads and writes them, at the speed of `json` alone. (A teacher's journal is read by the beginning of its
lines, see `pipeline.teacher.journal`; `pipeline.files.rows` takes much that is no JSON Lines.)
"""

import codecs
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, NamedTuple

import jsonlines

from pipeline.core.errors import InputError
from pipeline.core.names import LOCAL_ALONE, is_address
from pipeline.store.disk import sync, write_atomically


def rows(path: Path, wanted: Callable[[bytes], bool] | None = None) -> Iterator[dict[str, Any]]:
    """The objects of a file of our own, in their order; none where there is no file.

    Other lines are left out: what a kill or a full disk has cut short. wanted: which lines to look at, all by default.
    """
    if not path.is_file():
        return
    with path.open("rb") as file:
        looked_at = (line for line in file if wanted is None or wanted(line))
        reader = jsonlines.Reader(looked_at, loads=json.loads)
        yield from reader.iter(type=dict, skip_invalid=True, skip_empty=True)


def append(
    path: Path, row: Mapping[str, Any], *, synced: bool = False, default: Callable[[Any], Any] | None = None
) -> None:
    """Append a line. One before it that was cut short is ended first, so that it is lost alone.

    synced: whether the line is on the disk when this returns. default: as of `json.dumps`.
    """
    line = json.dumps(row, default=default).encode() + b"\n"
    with path.open("ab+") as file:
        size = os.fstat(file.fileno()).st_size
        torn = size > 0 and os.pread(file.fileno(), 1, size - 1) != b"\n"
        file.write(b"\n" + line if torn else line)
        if synced:
            sync(file)


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write a file whole or not at all, an object a line."""
    write_atomically(path, lambda file: jsonlines.Writer(file, dumps=json.dumps).write_all(rows))


class Line(NamedTuple):
    """A line of somebody's file. number: from 1. row: empty where there is a problem, which is "" else."""

    number: int
    row: dict[str, Any]
    problem: str


def in_utf8(file: io.BufferedReader) -> IO[bytes]:
    """The same bytes, or UTF-8 in place of UTF-16 and UTF-32, which shells and spreadsheets on Windows write. Raises
    UnicodeError, whose text names the encoding, where the file breaks off or is not what it begins as."""
    start = file.peek(4)[:4]
    encoding = json.detect_encoding(start) if len(start) >= 4 else "utf-8"
    return file if encoding.startswith("utf-8") else io.BytesIO(file.read().decode(encoding).encode())


def lines(path: Path) -> Iterator[Line]:
    """Every line of somebody's file but blank ones, each an object or a problem; what is gzip by its first
    bytes is unpacked, whatever its name, and UTF-16 and UTF-32 are read as UTF-8.

    Raises InputError where the file cannot be read, or not to its end.
    """
    number = 0

    def whole(file: Any) -> Iterator[bytes]:
        nonlocal number
        try:
            for line in in_utf8(file if isinstance(file, io.BufferedReader) else io.BufferedReader(file)):
                number += 1
                line = line.removeprefix(codecs.BOM_UTF8)  # also where files were joined
                if line.strip():
                    yield line
        except (EOFError, UnicodeError) as error:  # a .gz file cut short; jsonlines would take it for the end
            raise OSError(error) from error

    try:
        with path.open("rb") as start:
            packed = start.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            reader = jsonlines.Reader(whole(file), loads=_loads)
            while True:
                try:
                    row = reader.read(allow_none=True)
                except EOFError:
                    return
                except jsonlines.InvalidLineError as error:
                    yield Line(number, {}, _problem(error))
                    continue
                if isinstance(row, dict):
                    yield Line(number, row, "")
                else:
                    yield Line(number, {}, f"holds {row!r:.60}, wanted a JSON object")
    except (OSError, zlib.error) as error:
        place = f" after line {number}" if number else ""
        hint = LOCAL_ALONE if is_address(path) else "check the path, and that the file is whole"
        raise InputError(f"{path} cannot be read{place}: {error}", hint=hint) from error


def objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of somebody's file, each with the number of its line. Raises InputError at the first bad line."""
    for line in lines(path):
        if line.problem:
            raise InputError(f"{path} line {line.number}: {line.problem}", hint="give one JSON object a line")
        yield line.number, line.row


def _loads(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _problem(error: jsonlines.InvalidLineError) -> str:
    cause = error.__cause__
    if isinstance(cause, UnicodeDecodeError):
        return f"is not UTF-8 text: {cause}"
    text = error.line if isinstance(error.line, str) else error.line.decode("utf-8", "replace")
    return f"is not JSON ({cause}): {text.strip()!r:.60}"
