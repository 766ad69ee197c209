"""Bytes that a disk has changed, wherever in a table they are: rows, or one error that names the file."""

import random
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest

from pipeline.core.errors import InputError, StoreError
from pipeline.files.rows import Rows
from pipeline.store.parquet import opened, write_table

ROWS = [{"text": f"x = {number}\n" * 5, "id": str(number), "seed": {"id": "a", "n": number}} for number in range(50)]
TABLE = pa.Table.from_pylist(ROWS)


def written(path: Path, kind: str) -> bytes:
    if kind == "parquet":
        write_table(TABLE, path)
    else:
        with (pa.ipc.new_file if kind == "arrow" else pa.ipc.new_stream)(str(path), TABLE.schema) as out:
            out.write_table(TABLE)
    return path.read_bytes()


def _of_somebody(path: Path) -> Any:
    return list(Rows([path]))


def _of_the_store(path: Path) -> Any:
    with opened(fsspec.filesystem("file"), str(path)) as file:
        return file.read(file.having(["text"])), file.read(), list(file.batches(10)), file.take([1, 7]), file.schema


@pytest.mark.parametrize(
    ("kind", "read"),
    [("parquet", _of_somebody), ("parquet", _of_the_store), ("arrow", _of_somebody), ("stream", _of_somebody)],
)
def test_changed_bytes_are_told_with_the_file_and_never_end_the_process(tmp_path: Path, kind: str, read: Any) -> None:
    """With Parquet the footer is meant, where all that is found is told; pages have checksums."""
    path = tmp_path / f"a.{'parquet' if kind == 'parquet' else 'arrow'}"
    whole = written(path, kind)
    end = int.from_bytes(whole[-8:-4], "little") + 8 if kind == "parquet" else len(whole)
    draw, told = random.Random(0), []
    for _ in range(1_000):
        changed = bytearray(whole)
        for _ in range(draw.choice([1, 1, 2, 5])):
            changed[len(whole) - 1 - draw.randrange(end)] = draw.randrange(256)
        path.unlink()  # a file that is mapped stays what it is
        path.write_bytes(changed)
        try:
            read(path)
        except (InputError, StoreError) as error:
            told.append(str(path) in error.message and error.hint)
    assert all(told)
    assert len(told) > 100


@pytest.mark.parametrize("kind", ["arrow", "stream"])
def test_text_that_is_no_utf_8_is_a_row_with_a_problem_all_the_same(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.arrow"
    whole = written(path, kind)
    path.write_bytes(whole.replace(b"x = 7", b"x = \xff"))
    rows = list(Rows([path]))
    assert len(rows) == len(ROWS)
    assert ["not UTF-8" in row.problem for row in rows].count(True) == 1
