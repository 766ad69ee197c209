"""Files of artifacts are read without a Python object in the hands of Arrow's threads."""

from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.store.parquet import opened

TABLE = pa.table({"id": ["a", "b", "c"], "seed": [{"id": "x", "n": 1}, None, {"id": "y", "n": 2}]})


def test_a_local_file_is_opened_by_arrow_and_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "part.parquet")
    pq.write_table(TABLE, path)
    fs = fsspec.filesystem("file")

    def refused(*_: Any, **__: Any) -> None:
        raise AssertionError("opened through Python")

    monkeypatch.setattr(type(fs), "open", refused)
    with opened(fs, path) as file:
        assert file.threads
        assert file.names == ["id", "seed"]
        assert file.read() == TABLE
        assert file.read(["seed.id"]).to_pylist() == [{"seed": {"id": "x"}}, {"seed": None}, {"seed": {"id": "y"}}]
        assert [batch.num_rows for batch in file.batches(2)] == [2, 1]
    assert file.file.closed


def test_a_file_elsewhere_is_read_on_the_thread_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    fs = fsspec.filesystem("memory")
    with fs.open("/parquet-test/part.parquet", "wb") as sink:
        pq.write_table(TABLE, sink)
    asked: list[bool] = []
    read = pq.ParquetFile.read

    def watched(self: Any, columns: Any = None, use_threads: bool = True) -> Any:
        asked.append(use_threads)
        return read(self, columns=columns, use_threads=use_threads)

    monkeypatch.setattr(pq.ParquetFile, "read", watched)
    with opened(fs, "/parquet-test/part.parquet") as file:
        assert file.read() == TABLE
        assert pa.Table.from_batches(file.batches(2)) == TABLE
    assert asked == [False]
    fs.rm("/parquet-test", recursive=True)
