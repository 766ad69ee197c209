"""Splits of rows as files: Parquet, JSON Lines, or what the datasets library saves to disk."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

Format = Literal["parquet", "jsonl", "arrow", "gguf"]
FORMATS: tuple[Format, ...] = ("parquet", "jsonl", "arrow", "gguf")
"""gguf is one of models: no rows are written then."""
ROWS_PER_FILE = 100_000
DATA, DROPPED = "data", "dropped"
"""Folders of what was kept and of what was dropped."""


@dataclass
class Written:
    """What has been written. rows: by split. schema: None before the first table."""

    rows: dict[str, int] = field(default_factory=dict)
    schema: pa.Schema | None = None

    @property
    def features(self) -> Any:
        """The columns as a card's `dataset_info` lists them; empty where nothing was written."""
        import datasets

        return datasets.Features.from_arrow_schema(self.schema)._to_yaml_list() if self.schema else []


def write(folder: Path, parts: Iterable[tuple[str, pa.Table]], format: Format) -> Written:
    """Write tables with their splits into files of `folder`, an empty split not at all.

    Parquet and JSON Lines: SPLIT-00000.parquet and so on. Arrow: what `datasets.load_from_disk(folder)` reads.
    """
    written = Written()
    if format == "arrow":
        _save_to_disk(folder, parts, written)
        return written
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        writers: dict[str, _Files] = {}
        for split, table in _noted(parts, written):
            if split not in writers:
                writers[split] = files.enter_context(_Files(folder, split, format))
            writers[split].write(table)
    return written


def pattern(folder: str, split: str, format: Format) -> str:
    """The files of a split, as a card's `configs` name them."""
    return f"{folder}/{split}-*.{format}"


def _noted(parts: Iterable[tuple[str, pa.Table]], written: Written) -> Iterator[tuple[str, pa.Table]]:
    for split, table in parts:
        written.schema = table.schema
        if table.num_rows:
            written.rows[split] = written.rows.get(split, 0) + table.num_rows
            yield split, table


class _Files:
    """The files of one split; each holds about `ROWS_PER_FILE` rows."""

    def __init__(self, folder: Path, split: str, format: Format) -> None:
        self._folder, self._split, self._format = folder, split, format
        self._number, self._rows = 0, 0
        self._open = ExitStack()
        self._sink: Any = None

    def __enter__(self) -> "_Files":
        return self

    def __exit__(self, *error: object) -> None:
        self._open.close()

    def write(self, table: pa.Table) -> None:
        if self._sink is None or self._rows >= ROWS_PER_FILE:
            self._open.close()
            path = self._folder / f"{self._split}-{self._number:05d}.{self._format}"
            opened: Any = (
                pq.ParquetWriter(path, table.schema, compression="zstd")
                if self._format == "parquet"
                else path.open("w", encoding="utf-8")
            )
            self._sink = self._open.enter_context(opened)
            self._number, self._rows = self._number + 1, 0
        if self._format == "parquet":
            self._sink.write_table(table)
        else:
            for batch in table.to_batches(1024):
                self._sink.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in batch.to_pylist())
        self._rows += table.num_rows


def _save_to_disk(folder: Path, parts: Iterable[tuple[str, pa.Table]], written: Written) -> None:
    import datasets

    tables: dict[str, list[pa.Table]] = {}
    for split, table in _noted(parts, written):
        tables.setdefault(split, []).append(table)
    if not tables and written.schema is not None:
        tables["train"] = [written.schema.empty_table()]
    quiet = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        found: Mapping[str, Any] = {split: datasets.Dataset(pa.concat_tables(some)) for split, some in tables.items()}
        datasets.DatasetDict(found).save_to_disk(str(folder))
    finally:
        if quiet:
            datasets.enable_progress_bars()
