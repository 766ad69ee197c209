"""Token shards on disk: flat binary files of token ids, a span table, and a manifest that says how to read them.

::

    tokens.json            format, dtype, vocabulary, what begins and ends a document, counts, shard sizes
    shard-00000.bin        token ids, one after the other, memory-mapped by readers
    spans.parquet          one row per document: where it lies, its kind, whether it is held out
    held-out.jsonl         the held-out exercises that have tests, as problems, by id
    tokenizer/             the tokenizer, loadable by transformers
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fsspec
import numpy as np

from pipeline.core.errors import InputError, StoreFormatError
from pipeline.core.records import Problem, Span
from pipeline.store import jsonl
from pipeline.store.parquet import opened, readable

FORMAT = 1
"""Format of the folder; a reader refuses newer ones."""

PROBLEMS = "held-out.jsonl"

KINDS = ("textbook", "exercise")
"""Kinds of documents in the span table: passages (real code included) are "textbook"."""

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class SpanTable:
    """The spans as columns, in the order of the shards, each (documents,). kind: index into `KINDS`."""

    document_id: list[str]
    shard: Array
    start: Array
    loss_start: Array
    stop: Array
    kind: Array
    held_out: Array

    def __len__(self) -> int:
        return len(self.document_id)


@dataclass
class TokenStore:
    """A folder written by `pack`."""

    folder: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The content of tokens.json. Raises StoreFormatError where a newer version wrote it, and InputError where
        the folder has none."""
        if not (self.folder / "tokens.json").is_file():
            raise InputError(
                f"{self.folder} has no tokens.json, so it is no folder of packed tokens",
                hint="name the tokens artifact of a run: data/store/tokens/KEY (hornbook status shows the key)",
            )
        path = self.folder / "tokens.json"
        with readable(str(path)):
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if manifest["format"] > FORMAT:
                raise StoreFormatError(
                    f"{self.folder} has token format {manifest['format']}, this version reads up to {FORMAT}",
                    hint="use a newer hornbook, or delete the folder so that it is made again",
                )
            if not sum(manifest["shards"]):
                raise ValueError("it names no shard with tokens")
        return manifest

    @cached_property
    def shards(self) -> list[Array]:
        """The shards' token ids, memory-mapped and read-only. Raises StoreError for one of another length than it was
        written with."""
        return [self._shard(number, size) for number, size in enumerate(self.manifest["shards"])]

    def _shard(self, number: int, size: int) -> Array:
        path = self.folder / shard_name(number)
        with readable(str(path)):
            found = np.memmap(path, dtype=self.manifest["dtype"], mode="r")
            if len(found) != size:
                raise ValueError(f"{len(found)} tokens, {size} were written")
        return found

    @cached_property
    def spans(self) -> SpanTable:
        """The span table."""
        path = str(self.folder / "spans.parquet")
        with opened(fsspec.filesystem("file"), path) as file, readable(path):
            table = file.read()
            columns = {
                name: table[name].to_numpy() for name in ("shard", "start", "loss_start", "stop", "kind", "held_out")
            }
            return SpanTable(table["document_id"].to_pylist(), **columns)

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """The held-out exercises that have tests, as problems, by document id, which is their `task_id`.

        Raises StoreFormatError where an earlier version wrote the folder, without them.
        """
        file = self.folder / PROBLEMS
        if not file.is_file():
            raise StoreFormatError(
                f"{self.folder} has no {PROBLEMS}, which an earlier version did not write: held-out exercises",
                hint="run the recipe again, which packs the tokens anew",
            )
        with readable(str(file)):
            return tuple(Problem(**row) for _, row in jsonl.objects(file))

    @property
    def tokenizer_folder(self) -> Path:
        """Folder of the tokenizer that made the tokens."""
        return self.folder / "tokenizer"

    def tokens(self, span: Span) -> Array:
        """Token ids of a span, its end-of-text token included."""
        return np.asarray(self.shards[span.shard][span.start : span.stop])


def shard_name(number: int) -> str:
    """File name of shard `number`."""
    return f"shard-{number:05d}.bin"
